"""D2.2 and D6.1: what the establishment writes is in the DMP, by document and by stay (docs/rules.md section 5)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from engine.facts import AnyFact
from engine.metrics.rules import verdict as v
from engine.metrics.settings import EstablishmentRules, RuleSettings
from tests.ledger.build import answer, at, document, identity, movement
from tests.ledger.facts import FINESS, handle
from tests.metrics.rules.test_rules import outcome, verdicts

STAY = (movement("A01", "2026-03-02 10:00", 1), movement("A03", "2026-03-05 14:00", 2))
LETTER = document("2026-03-05 15:00", 1)
BIOLOGY = document("2026-03-04 09:00", 2, type_code="11502-2", kind="cr-bio", level=1)
BOTH = (answer("2026-03-05 16:00", 1), answer("2026-03-04 10:00", 2))


def d22(*facts: AnyFact, answers: tuple[Any, ...] = (), name: str = "D2.2", **more: Any) -> list[str]:
    """The outcomes of every document."""
    found = [one for one in verdicts(*facts, answers=answers, **more) if one.indicator == name]
    return sorted(one.outcome.partition(":")[0] for one in found)


def test_every_document_is_a_point_of_d2_2() -> None:
    """One accepted, one without answer."""
    assert d22(*STAY, LETTER, BIOLOGY, answers=BOTH[:1]) == [v.MET, v.NOT_ANSWERED]


def test_a_stay_needs_all_its_documents() -> None:
    """And one is enough for the wide reading."""
    for answers, every, one in ((BOTH, v.MET, v.MET), (BOTH[:1], v.NOT_ANSWERED, v.MET), ((), v.NOT_ANSWERED, None)):
        assert outcome("D6.1", *STAY, LETTER, BIOLOGY, answers=answers) == every
        assert outcome("D6.1_any", *STAY, LETTER, BIOLOGY, answers=answers) == (one or v.NOT_ANSWERED)


def test_the_reason_of_a_stay_is_that_of_its_document_least_far_along() -> None:
    """A refused letter is further than a biology report without INS."""
    bare = structs.replace(BIOLOGY, ins=None, ins_root=0)
    refused = (answer("2026-03-05 16:00", 1, accepted=False, code="XDSUnknownPatientId"),)
    assert outcome("D6.1", *STAY, LETTER, bare, answers=refused) == v.INS_ABSENT
    assert outcome("D6.1_any", *STAY, LETTER, bare, answers=refused) == v.REJECTED


def test_a_stay_is_complete_when_its_last_document_is() -> None:
    """The month that first counts it is that of the last acceptance."""
    late = (BOTH[0], answer("2026-06-20 10:00", 2))
    (found,) = [one for one in verdicts(*STAY, LETTER, BIOLOGY, answers=late) if one.indicator == "D6.1"]
    assert (found.outcome, found.settled) == (v.MET, 2026 * 12 + 6)


def test_a_stay_without_document_is_missed() -> None:
    """Nothing produced."""
    assert outcome("D6.1", *STAY) == v.NOT_PRODUCED


@pytest.mark.parametrize(
    ("told", "counted", "active"),
    [
        ((("2026-03-01 08:00", "FERME"),), False, False),
        ((("2026-03-01 08:00", "INEXISTANT"),), False, False),
        ((("2026-03-01 08:00", "ACTIF"), ("2026-03-03 08:00", "FERME")), True, True),
        ((("2026-03-01 08:00", "FERME"), ("2026-03-03 08:00", "ACTIF")), False, False),
        ((("2026-03-03 08:00", "FERME"),), False, False),
        ((("2026-03-01 08:00", ""),), True, False),
        ((), True, False),
    ],
)
def test_only_patients_who_may_have_a_dmp_at_admission_count(
    told: tuple[tuple[str, str], ...], counted: bool, active: bool
) -> None:
    """The last status told by the admission, else the first one later; unknown counts, and is not known to be active."""
    facts = (*STAY, LETTER, *(identity(when, dmp=dmp) for when, dmp in told))
    assert (outcome("D6.1", *facts, answers=BOTH) is not None) == counted
    assert (outcome("D6.1_active", *facts, answers=BOTH) is not None) == active
    assert bool(d22(*facts, answers=BOTH)) == counted
    assert bool(d22(*facts, answers=BOTH, name="D2.2_active")) == active


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({}, True),
        ({"type_code": "34112-3", "kind": "other"}, True),
        ({"type_code": "96173-0", "kind": "other"}, False),
        ({"type_code": "57833-6", "kind": "prescription"}, True),
        ({"type_code": "57833-6", "kind": "prescription", "created": at("2026-03-03 09:00")}, False),
        ({"type_code": "57833-6", "kind": "prescription", "visit": None, "dossier": None, "created": at("2026-06-03 09:00")}, False),
        ({"final": False}, False),
        ({"sender": "LABEXT@X"}, False),
    ],
)  # fmt: skip
def test_which_documents_count(change: dict[str, Any], counted: bool) -> None:
    """Letters, reports, syntheses of the establishment's own, and prescriptions at the discharge."""
    settings = RuleSettings(establishments={FINESS: EstablishmentRules(external_senders=frozenset({"LABEXT"}))})
    letter = structs.replace(LETTER, **change)
    assert bool(d22(*STAY, letter, settings=settings)) == counted


def test_a_result_without_document_should_have_been_one() -> None:
    """A biology result in values only is missed as no CDA."""
    classic = structs.replace(BIOLOGY, id=None, body="none", level=0, type_code="", exchange=handle("exchange", 3))
    assert d22(*STAY, classic) == [v.NOT_CDA]


@pytest.mark.parametrize(
    ("proof", "expected"), [("accepted", v.NOT_ANSWERED), ("taken", v.NOT_SUBMITTED), ("sent", v.MET)]
)
def test_the_proof_of_the_establishment_decides_the_plain_name(proof: Any, expected: str) -> None:
    """The letter was sent and nothing came back."""
    settings = RuleSettings(establishments={FINESS: EstablishmentRules(proof=proof)})
    for name in ("DS1.1", "D6.1", "D2.2"):
        assert outcome(name, *STAY, LETTER, settings=settings) == expected
        assert outcome(f"{name}_{proof}", *STAY, LETTER, settings=settings) == expected
        assert outcome(f"{name}_accepted", *STAY, LETTER, settings=settings) == v.NOT_ANSWERED
