"""The fuzzer itself, for a moment."""

from __future__ import annotations

import random

from tests.fuzz.fuzz_hl7 import main, target
from tests.parsers.mutations import corpus, mutated


def test_a_few_hundred_damaged_messages_find_nothing() -> None:
    """Facts or a code, both ways agree, no message of a file is lost."""
    source = random.Random(20260302)
    seeds = corpus()
    for _ in range(400):
        target(mutated(source.choice(seeds), source))


def test_the_fuzzer_runs_without_atheris() -> None:
    """It needs nothing but the project."""
    assert main(["0"]) == 0
