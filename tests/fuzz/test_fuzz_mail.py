"""The fuzzer of mails itself, for a moment."""

from __future__ import annotations

from tests.fuzz.fuzz_mail import FUZZER


def test_a_few_hundred_damaged_mails_find_nothing() -> None:
    """Facts with declared flags, or a declared code; the same with other line ends, and nothing of a person shown."""
    FUZZER.try_out(20260310, 400)


def test_the_fuzzer_runs_without_atheris() -> None:
    """It needs nothing but the project."""
    assert FUZZER.main(["0"]) == 0
