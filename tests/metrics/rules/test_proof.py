"""What a trace proves of a document that it does not show (docs/rules.md sections 3 and 7)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.facts import AUDIT, INS_NIR, AnyFact, Submission
from engine.ledger.exchange import Exchange, Send
from engine.ledger.patient import fold
from engine.metrics.rules import verdict as v
from engine.metrics.rules.judge import judge
from tests.ledger.build import INS, at, document, identity, movement
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_traces import MESSAGE, SET, said, traced
from tests.metrics.rules.test_rules import SETTINGS, outcome, verdicts

STAY = (movement("A01", "2026-03-02 10:00", 1), movement("A03", "2026-03-05 14:00", 2))
YES = (said("2026-03-05 15:05"),)
BIOLOGY: dict[str, Any] = {"type_code": "11502-2", "kind": "cr-bio", "visit": None}
OTHER_INS = handle("ins", 2)


def test_an_accepted_letter_that_nobody_saw_is_a_cda() -> None:
    """The DMP takes nothing else; its level above 1 is not known."""
    assert outcome("DS1.1", *STAY, traced("2026-03-05 15:00"), answers=YES) == v.MET
    assert outcome("DS2.1", *STAY, traced("2026-03-05 15:00", **BIOLOGY), answers=YES) == v.LEVEL_UNKNOWN


def test_what_one_trace_shows_holds_for_the_version() -> None:
    """The HL7 message showed the body; the log tells the acceptance."""
    seen = document("2026-03-05 14:59", **(BIOLOGY | {"level": 3}))
    poor = document("2026-03-05 14:59", **(BIOLOGY | {"level": 1}))
    trace = traced("2026-03-05 15:00", **BIOLOGY)
    assert outcome("DS2.1", *STAY, seen, trace, answers=YES) == v.MET
    assert outcome("DS2.1", *STAY, poor, trace, answers=YES) == v.WRONG_LEVEL


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((), v.MET),  # who submits under an INS says that it is qualified
        ((identity("2026-03-01 10:00", status="PROV"),), v.INS_NOT_QUALIFIED),
        ((identity("2026-03-01 10:00", status="PROV"), document("2026-03-05 14:59")), v.MET),
    ],
)  # fmt: skip
def test_the_identity_of_a_trace_is_qualified_by_who_said_most(facts: tuple[AnyFact, ...], expected: str) -> None:
    """The message that asked for the submission, else the reference, else the submission itself."""
    assert outcome("DS1.1", *STAY, *facts, traced("2026-03-05 15:00"), answers=YES) == expected


def test_a_trace_without_ins_takes_that_of_its_patient() -> None:
    """From the message, or from the identity; from nowhere, there is none."""
    bare = traced("2026-03-05 15:00", ins=None, ins_root=0)
    assert outcome("DS1.1", *STAY, bare, answers=YES) == v.INS_ABSENT
    assert outcome("DS1.1", *STAY, bare, identity("2026-03-01 10:00"), answers=YES) == v.MET
    assert outcome("DS1.1", *STAY, bare, document("2026-03-05 14:59"), answers=YES) == v.MET


def test_a_cda_about_somebody_else_is_not_mended_by_a_trace() -> None:
    """The INS of its recordTarget is another."""
    wrong = document("2026-03-05 14:59", cda_ins=OTHER_INS)
    assert outcome("DS1.1", *STAY, wrong, traced("2026-03-05 15:00"), answers=YES) == v.INS_MISMATCH


AUDITED = Submission(at("2026-03-05 15:01"), FINESS, handle("ipp", 1), INS, INS_NIR, SET)


@pytest.mark.parametrize(
    ("letter", "expected"),
    [
        ((), v.NOT_NAMED),
        ((document("2026-03-05 15:00"),), v.NOT_NAMED),
        ((document("2026-03-05 15:00", dmp="N"),), v.NOT_NAMED),
        ((document("2026-03-05 15:00", body="unreadable", level=0),), v.NOT_CDA),
        ((document("2026-03-05 15:00", keys=(SET,)),), v.MET),
    ],
)
def test_a_submission_of_an_unknown_document_hides_what_may_be_missing(
    letter: tuple[AnyFact, ...], expected: str
) -> None:
    """It may be of the letter that was not seen, or not answered; never of one that cannot be accepted."""
    told = said("2026-03-05 15:01", SET, trace=AUDIT)
    exchange = Exchange().with_send(Send(AUDITED.at, b"")).with_outcome(told)
    view = fold(sorted({*STAY, *letter, AUDITED}, key=str), lambda key: exchange if key == SET else Exchange())
    found = {one.indicator: one.outcome for one in judge(view, SETTINGS)}
    assert found["DS1.1"] == expected
    assert found["DS1.1_sent"] != v.NOT_NAMED


def test_an_audit_from_before_the_stay_hides_nothing() -> None:
    """It cannot be of a document of this stay."""
    early = Submission(at("2026-03-01 15:01"), FINESS, handle("ipp", 1), INS, INS_NIR, SET)
    told = Exchange().with_outcome(said("2026-03-01 15:01", SET, trace=AUDIT))
    view = fold(sorted({*STAY, early}, key=str), lambda key: told if key == SET else Exchange())
    assert {one.indicator: one.outcome for one in judge(view, SETTINGS)}["DS1.1"] == v.NOT_PRODUCED


def test_an_answer_is_awaited_to_the_end_of_its_day() -> None:
    """Twenty-four hours after the sending, and what is left of that day."""
    (found,) = [one for one in verdicts(*STAY, document("2026-03-05 15:00")) if one.indicator == "DS1.1"]
    assert (found.outcome, found.settled) == (v.NOT_ANSWERED, found.day + 1)


def test_the_code_of_a_refusal_goes_with_the_verdict() -> None:
    """Missed as rejected, by its code."""
    refused = (said("2026-03-05 15:05", MESSAGE, accepted=False),)
    found = [
        one.outcome for one in verdicts(*STAY, traced("2026-03-05 15:00"), answers=refused) if one.indicator == "DS1.1"
    ]
    assert found == ["rejected:XDSUnknownPatientId"]


def test_a_deletion_that_never_got_there_deletes_nothing() -> None:
    """A SOAP fault answered the ITI-57, or the platform refused the message."""
    letter = traced("2026-03-05 15:00")
    gone = traced("2026-03-06 15:00", key=SET, request="deletion")
    fault = said("2026-03-06 15:01", SET, accepted=False, layer="technical", code="soap-fault")
    assert outcome("DS1.1", *STAY, letter, gone, answers=YES) == v.DELETED
    assert outcome("DS1.1", *STAY, letter, gone, answers=(*YES, fault)) == v.MET
