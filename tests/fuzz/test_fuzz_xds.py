"""The fuzzer of XDS messages itself, for a moment."""

from __future__ import annotations

import random

from tests.fuzz.fuzz_xds import main, mutated, target
from tests.parsers.xds_messages import corpus


def test_a_few_hundred_damaged_messages_find_nothing() -> None:
    """Facts with declared flags, or a declared code; nothing is lost where a dump is cut in two."""
    source = random.Random(20260310)
    seeds = corpus()
    for _ in range(400):
        target(mutated(source.choice(seeds), source))


def test_the_fuzzer_runs_without_atheris() -> None:
    """It needs nothing but the project."""
    assert main(["0"]) == 0
