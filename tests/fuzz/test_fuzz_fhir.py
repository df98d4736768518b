"""The fuzzer of FHIR itself, for a moment."""

from __future__ import annotations

import random

from tests.fuzz.fuzz_fhir import corpus, main, mutated, target


def test_a_few_hundred_damaged_payloads_find_nothing() -> None:
    """Facts or a code, and no place that could be a value."""
    source = random.Random(20260310)
    seeds = corpus()
    for _ in range(500):
        target(mutated(source.choice(seeds), source))


def test_the_fuzzer_runs() -> None:
    """It needs nothing but the project."""
    assert main(["0"]) == 0
