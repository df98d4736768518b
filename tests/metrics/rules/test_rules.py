"""Each rule: outside, met, missed for each reason of its list (docs/rules.md sections 3 and 5)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.facts import INS_NONE, INS_TEST, AnyFact
from engine.ledger.exchange import Exchange, Send
from engine.ledger.patient import fold
from engine.metrics.rules import verdict as v
from engine.metrics.rules.judge import judge
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import EstablishmentRules, RuleSettings
from tests.ledger.build import answer, at, document, identity, movement
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_patient import stay

SETTINGS = RuleSettings(
    establishments={
        FINESS: EstablishmentRules(theatre_units=frozenset({"BLOC"}), external_senders=frozenset({"LABEXT"}))
    }
)
STAY = stay(1, "2026-03-02 10:00", "2026-03-05 14:00")


def verdicts(*facts: AnyFact, answers: tuple[Any, ...] = (), settings: RuleSettings = SETTINGS) -> list[Verdict]:
    """Every verdict about a patient."""

    def exchange(key: bytes) -> Exchange:
        found = Exchange()
        for fact in facts:
            if getattr(fact, "exchange", None) == key:
                found = found.with_send(Send(fact.at, b""))
        for outcome in answers:
            if outcome.exchange == key:
                found = found.with_outcome(outcome)
        return found

    return judge(fold(sorted(set(facts), key=str), exchange), settings)


def outcome(indicator: str, *facts: AnyFact, answers: tuple[Any, ...] = (), **more: Any) -> str | None:
    """The outcome of one indicator, without the code of a refusal; None when the subject is outside."""
    found = [
        verdict.outcome.partition(":")[0]
        for verdict in verdicts(*facts, answers=answers, **more)
        if verdict.indicator == indicator
    ]
    assert len(found) <= 1
    return found[0] if found else None


YES = (answer("2026-03-05 16:00"),)
NO = (answer("2026-03-05 16:00", accepted=False, code="DMPClosed"),)


def test_a_letter_accepted_by_the_dmp_meets_ds1_1() -> None:
    """And its day is the local day of the exit, its settling the month whose period first counts it."""
    found = [x for x in verdicts(*STAY, document("2026-03-05 15:00"), answers=YES) if x.indicator == "DS1.1"]
    assert [(x.outcome, x.day, x.settled) for x in found] == [(v.MET, 739680, 2026 * 12 + 2)]


@pytest.mark.parametrize("cls", ["E", "O", "R", "V", "N"])
def test_other_classes_are_outside(cls: str) -> None:
    """Only class I by default."""
    other = stay(1, "2026-03-02 10:00", "2026-03-05 14:00", patient_class=cls)
    assert verdicts(*other) == []


def test_an_open_stay_is_outside() -> None:
    """No exit, no day to be counted on."""
    assert verdicts(STAY[0]) == []


@pytest.mark.parametrize(
    ("change", "answers", "reason"),
    [
        (None, (), v.NOT_PRODUCED),
        ({"body": "unreadable", "level": 0}, YES, v.NOT_CDA),
        ({"level": 0}, YES, v.WRONG_LEVEL),
        ({"ins": None, "ins_root": INS_NONE}, YES, v.INS_ABSENT),
        ({"ins_root": INS_TEST, "cda_ins_root": INS_TEST}, YES, v.INS_TEST),
        ({"status": "PROV"}, YES, v.INS_NOT_QUALIFIED),
        ({"status": "VALI~DOUT"}, YES, v.INS_NOT_QUALIFIED),
        ({"birth_corrected": True}, YES, v.INS_NOT_QUALIFIED),
        ({"status": ""}, YES, v.INS_NOT_QUALIFIED),
        ({"cda_ins": None, "cda_ins_root": INS_NONE}, YES, v.INS_MISMATCH),
        ({"cda_ins": handle("ins", 2)}, YES, v.INS_MISMATCH),
        ({"dmp": "N"}, (), v.NOT_ADDRESSED),
        ({"dmp": ""}, (), v.NOT_ADDRESSED),
        ({}, (answer("2026-03-05 15:01", accepted=False, layer="technical", code="AE"),), v.NOT_SUBMITTED),
        ({}, (answer("2026-03-05 15:01", layer="technical", code="AA"),), v.NOT_ANSWERED),
        ({}, (), v.NOT_ANSWERED),
        ({}, NO, v.REJECTED),
        ({"dmp": ""}, YES, v.MET),
        ({"status": "VALI~HOMA"}, YES, v.MET),
        ({"level": 3}, YES, v.MET),
    ],
)
def test_every_way_of_missing_has_its_reason(
    change: dict[str, Any] | None, answers: tuple[Any, ...], reason: str
) -> None:
    """The first thing that is wrong along the document's way."""
    facts = () if change is None else (document("2026-03-05 15:00", **change),)
    assert outcome("DS1.1", *STAY, *facts, answers=answers) == reason


def test_a_deletion_takes_the_document_out() -> None:
    """Unless the DMP refused the deletion, or it was sent before."""
    letter = document("2026-03-05 15:00", 1)
    gone = document("2026-03-08 15:00", 2, request="deletion", id=letter.id)
    assert outcome("DS1.1", *STAY, letter, gone, answers=YES) == v.DELETED
    kept = (*YES, answer("2026-03-08 16:00", 2, accepted=False))
    assert outcome("DS1.1", *STAY, letter, gone, answers=kept) == v.MET
    again = document("2026-03-09 15:00", 3, id=letter.id)
    assert outcome("DS1.1", *STAY, letter, gone, again, answers=(*YES, answer("2026-03-09 16:00", 3))) == v.MET


def test_a_replacement_counts_once_and_its_refusal_does_not_undo() -> None:
    """The first version stays in the DMP; deleting the second takes both out."""
    first = document("2026-03-05 15:00", 1)
    second = document("2026-03-06 15:00", 2, request="replacement", replaces=first.id, version=2)
    refused = (*YES, answer("2026-03-06 16:00", 2, accepted=False))
    assert outcome("DS1.1", *STAY, first, second, answers=refused) == v.MET
    gone = document("2026-03-08 15:00", 3, request="deletion", id=second.id, version=2)
    both = (*YES, answer("2026-03-06 16:00", 2))
    assert outcome("DS1.1", *STAY, first, second, gone, answers=both) == v.DELETED


def test_a_resubmission_after_a_refusal_heals_the_stay() -> None:
    """The same document, another control id."""
    letter = document("2026-03-05 15:00", 1)
    again = document("2026-03-06 15:00", 2, id=letter.id)
    assert outcome("DS1.1", *STAY, letter, again, answers=(*NO, answer("2026-03-06 16:00", 2))) == v.MET


def test_the_last_adt_status_holds_when_the_message_has_none() -> None:
    """PID-32 absent in the document message."""
    letter = document("2026-03-05 15:00", status="")
    assert outcome("DS1.1", *STAY, identity("2026-03-02 10:00"), letter, answers=YES) == v.MET
    assert (
        outcome("DS1.1", *STAY, identity("2026-03-02 10:00", status="PROV"), letter, answers=YES) == v.INS_NOT_QUALIFIED
    )


def test_weaker_rates_have_their_own_names() -> None:
    """Requested, taken by the platform, confirmed: three states."""
    letter = document("2026-03-05 15:00")
    ack = answer("2026-03-05 15:01", layer="technical", code="AA")
    names = ("DS1.1", "DS1.1_taken", "DS1.1_sent")
    assert [outcome(name, *STAY, letter) for name in names] == [v.NOT_ANSWERED, v.NOT_SUBMITTED, v.MET]
    assert [outcome(name, *STAY, letter, answers=(ack,)) for name in names] == [v.NOT_ANSWERED, v.MET, v.MET]
    assert [outcome(name, *STAY, letter, answers=NO) for name in names] == [v.REJECTED, v.MET, v.MET]


def test_the_second_value_leaves_out_who_cannot_be_fed() -> None:
    """No qualified INS, DMP closed or absent, opposition."""
    good = identity("2026-03-02 10:00")
    assert outcome("DS1.1_eligible", *STAY, good) == v.NOT_PRODUCED
    for change in (
        {"status": "PROV"},
        {"ins": None, "ins_root": 0},
        {"dmp": "FERME"},
        {"dmp": "INEXISTANT"},
        {"feeding": "IO"},
    ):
        assert outcome("DS1.1_eligible", *STAY, identity("2026-03-02 10:00", **change)) is None
        assert outcome("DS1.1", *STAY, identity("2026-03-02 10:00", **change)) == v.NOT_PRODUCED


def test_a_test_ins_counts_only_when_the_site_says_so() -> None:
    """As in the demonstration."""
    letter = document("2026-03-05 15:00", ins_root=INS_TEST, cda_ins_root=INS_TEST)
    assert outcome("DS1.1", *STAY, letter, answers=YES, settings=RuleSettings(count_test_ins=True)) == v.MET


def test_a_discharge_prescription_is_known_by_its_day() -> None:
    """From the day before the exit to the day after; one is enough."""
    kind = {"kind": "prescription", "type_code": "57833-6"}
    for created, expected in (
        ("2026-03-04 08:00", v.MET),
        ("2026-03-06 23:00", v.MET),
        ("2026-03-03 23:59", v.NOT_PRODUCED),
    ):
        prescription = document("2026-03-05 15:00", created=at(created), **kind)
        assert outcome("DS1.2", *STAY, prescription, answers=YES) == expected
        met = expected == v.MET
        assert outcome("DS1.2_prescribed", *STAY, prescription, answers=YES) == (v.MET if met else None)


def test_operations_are_known_by_report_unit_or_theatre() -> None:
    """DS1.3 counts the stays with an operation; the literal variant counts all."""
    assert outcome("DS1.3", *STAY) is None
    assert outcome("DS1.3_all_stays", *STAY) == v.NOT_PRODUCED
    theatre = movement(
        "A02", "2026-03-03 08:00", 5, unit="BLOC", visit=handle("visit", 1), dossier=handle("dossier", 1)
    )
    assert outcome("DS1.3", *STAY, theatre) == v.NOT_PRODUCED
    report = document("2026-03-05 15:00", kind="cr-operatoire", type_code="34874-8")
    assert outcome("DS1.3", *STAY, report, answers=YES) == v.MET


def test_historical_documents_are_those_of_an_earlier_stay_fed_during_this_one() -> None:
    """DS1.4: only for patients who had already come; accepted from the entry to 30 days after the exit."""
    later = stay(2, "2026-03-20 10:00", "2026-03-25 14:00")

    def of_second(*facts: AnyFact, answers: tuple[Any, ...] = ()) -> str | None:
        found = verdicts(*STAY, *later, *facts, answers=answers)
        mine = [x.outcome for x in found if x.indicator == "DS1.4"]
        assert len(mine) == 1  # the first stay has no earlier one
        return mine[0]

    assert outcome("DS1.4", *STAY) is None
    assert of_second() == v.NOT_PRODUCED
    old = document(
        "2026-03-21 09:00",
        1,
        visit=handle("visit", 1),
        kind="other",
        type_code="11488-4",
        created=at("2026-03-04 09:00"),
    )
    assert of_second(old, answers=(answer("2026-03-21 10:00"),)) == v.MET
    assert of_second(old, answers=(answer("2026-03-21 10:00", accepted=False),)) == v.REJECTED
    at_the_time = document("2026-03-05 09:00", 1, visit=handle("visit", 1))
    assert of_second(at_the_time, answers=(answer("2026-03-05 10:00"),)) == v.NOT_PRODUCED
    own = document("2026-03-21 09:00", 1, visit=handle("visit", 2))
    assert of_second(own, answers=(answer("2026-03-21 10:00"),)) == v.NOT_PRODUCED


def test_biology_wants_coded_entries() -> None:
    """DS2.1: a level 1 does not count; whatever the class of the stay, and without any stay."""
    kind = {"kind": "cr-bio", "type_code": "11502-2"}
    assert outcome("DS2.1", document("2026-03-05 15:00", level=3, **kind), answers=YES) == v.MET
    assert outcome("DS2.1", document("2026-03-05 15:00", level=1, **kind), answers=YES) == v.WRONG_LEVEL
    assert outcome("DS2.1", document("2026-03-05 15:00", level=3, final=False, **kind), answers=YES) is None
    assert outcome("DS2.1", document("2026-03-05 15:00", level=3, sender="LABEXT@X", **kind), answers=YES) is None
    classic = document("2026-03-05 15:00", body="none", level=0, id=None, dmp="", **kind)
    assert outcome("DS2.1", classic) == v.NOT_CDA


def test_imaging_wants_a_document() -> None:
    """DS3.1: level 1 at least."""
    kind = {"kind": "cr-imagerie", "type_code": "18748-4"}
    assert outcome("DS3.1", document("2026-03-05 15:00", **kind), answers=YES) == v.MET
    assert outcome("DS3.1", document("2026-03-05 15:00", **kind), answers=NO) == v.REJECTED


def test_a_stay_ending_on_the_night_the_clocks_change_counts_on_its_local_day() -> None:
    """2026-03-29 and 2026-10-25 in Paris, a minute on each side of midnight."""
    for day in ("2026-03-29", "2026-10-25"):
        for time, offset in (("00:01", 0), ("23:59", 0)):
            found = verdicts(*stay(1, "2026-03-02 10:00", f"{day} {time}"))
            expected = 739704 + offset if day == "2026-03-29" else 739914 + offset
            assert {x.day for x in found} == {expected}
