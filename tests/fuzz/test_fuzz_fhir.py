"""The fuzzer of FHIR itself, for a moment."""

from __future__ import annotations

from tests.fuzz.fuzz_fhir import FUZZER


def test_a_few_hundred_damaged_payloads_find_nothing() -> None:
    """Facts or a code, and no place that could be a value."""
    FUZZER.try_out(20260310, 500)


def test_the_fuzzer_runs_without_atheris() -> None:
    """It needs nothing but the project."""
    assert FUZZER.main(["0"]) == 0
