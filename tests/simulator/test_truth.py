"""The truth: coherent with itself, and rich enough to tell every rule apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import engine.simulator
from engine.simulator.clock import windows
from engine.simulator.hospital import Hospital
from engine.simulator.truth import ORDER
from engine.simulator.truth_mail import EXISTING
from engine.simulator.truth_mail import INDICATORS as MAIL
from tests.simulator.conftest import TODAY

INDICATORS = {
    *(f"DS1.{number}{suffix}" for number in "123" for suffix in ("", "_accepted", "_eligible", "_sent", "_taken")),
    *("DS1.2_prescribed", "DS1.3_all_stays", "DS1.4", "P1.1", "P1.3"),
    *(f"{name}{suffix}" for name in ("D2.2", "D6.1") for suffix in ("", "_active", "_accepted", "_sent", "_taken")),
    "D6.1_any",
    *MAIL,
    *EXISTING,
    *(f"DS{domain}.1{suffix}" for domain in "23" for suffix in ("", "_accepted", "_eligible", "_sent", "_taken")),
}


def test_every_indicator_and_variant_is_there(hospital: Hospital) -> None:
    """Fifty-one rates, in both windows."""
    assert set(hospital.truth().rates) == {(name, window) for name in INDICATORS for window in ("official", "rolling")}


@pytest.mark.parametrize("count_test_ins", [True, False])
def test_the_numerator_and_the_missed_make_the_denominator(hospital: Hospital, count_test_ins: bool) -> None:
    """Every subject is met, or missed for one reason."""
    for (name, _), rate in hospital.truth(count_test_ins=count_test_ins).rates.items():
        assert rate.numerator + rate.missed.total() == rate.denominator
        assert rate.numerator > 0
        assert rate.numerator < rate.denominator or name in EXISTING


def test_every_reason_is_reached(hospital: Hospital) -> None:
    """Each reason of the way of a document is met by some indicator, and every one possible by DS1.1."""
    strict, lenient = hospital.truth(count_test_ins=False).rates, hospital.truth().rates
    reached = {
        reason
        for each in (strict, lenient)
        for key, rate in each.items()
        if key[0] not in MAIL
        for reason in rate.missed
    }
    traced = {"level_unknown", "not_named"}  # what the ZAM never leaves open
    assert reached == {*ORDER, "accepted_late", "not_connected", "not_acknowledged", "ins_not_proven"} - traced
    letters = {*strict["DS1.1", "official"].missed, *lenient["DS1.1", "official"].missed}
    assert letters == {*ORDER, "accepted_late"} - {"wrong_level", "awaiting_answer", *traced}


def test_test_ins_only_matter_by_the_setting(hospital: Hospital) -> None:
    """Nobody is missed for a test INS when they count; many are when they do not."""
    key = ("DS1.1", "official")
    assert "ins_test" not in hospital.truth().rates[key].missed
    assert hospital.truth(count_test_ins=False).rates[key].missed["ins_test"] > 100


def test_weaker_rates_are_not_lower(hospital: Hospital) -> None:
    """Sent is at least taken, which is at least accepted; the variants that restrict have smaller denominators."""
    rates = hospital.truth().rates
    for name in ("DS1.1", "DS1.2", "DS1.3", "DS2.1", "DS3.1"):
        for window in ("official", "rolling"):
            strict, taken, sent = (rates[name + suffix, window] for suffix in ("", "_taken", "_sent"))
            assert strict.numerator <= taken.numerator <= sent.numerator
            assert strict.denominator == taken.denominator == sent.denominator
            assert rates[f"{name}_eligible", window].denominator < strict.denominator


def test_windows_count_different_stays(hospital: Hospital) -> None:
    """The two windows do not hold the same stays, and their sums are those of the days."""
    rates, both = hospital.truth().rates, windows(TODAY)
    stays = [stay for person in hospital.people for stay in person.stays if stay.counted]
    for name, window in both.items():
        within = [stay for stay in stays if window.holds(hospital.clock.day(stay.exit))]
        assert rates["DS1.1", name].denominator == len(within)
    assert rates["DS1.1", "official"] != rates["DS1.1", "rolling"]


def test_the_truth_is_not_told_by_the_rules() -> None:
    """No module of the simulator imports a rule, the ledger or a parser."""
    folder = Path(engine.simulator.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("engine"):
                assert node.module.startswith("engine.simulator"), f"{path.name} imports {node.module}"
