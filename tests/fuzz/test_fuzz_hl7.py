"""The fuzzer itself, for a moment."""

from __future__ import annotations

from tests.fuzz.fuzz_hl7 import FUZZER


def test_a_few_hundred_damaged_messages_find_nothing() -> None:
    """Facts or a code, both ways agree, no message of a file is lost."""
    FUZZER.try_out(20260302, 400)


def test_the_fuzzer_runs_without_atheris() -> None:
    """It needs nothing but the project."""
    assert FUZZER.main(["0"]) == 0
