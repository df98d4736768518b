"""Stays, persons and reports of a patient, put together (docs/rules.md sections 1, 2 and 4)."""

from __future__ import annotations

from typing import Any

from engine.facts import Alias, AnyFact, InsRetired, Reattached
from engine.ledger.exchange import Exchange, Send
from engine.ledger.patient import View, fold
from tests.ledger.build import DOSSIER, INS, IPP, OTHER_IPP, VISIT, at, document, identity, movement
from tests.ledger.facts import handle


def view(*facts: AnyFact) -> View:
    """The view of some facts, without answers."""
    sends = {fact.exchange: Exchange((Send(fact.at, b""),)) for fact in facts if hasattr(fact, "exchange")}
    return fold(sorted(set(facts), key=str), lambda key: sends.get(key, Exchange()))


def stay(number: int, day: str, until: str, **more: Any) -> tuple[AnyFact, AnyFact]:
    """A whole stay under its own visit and dossier numbers."""
    names = {"visit": handle("visit", number), "dossier": handle("dossier", number)} | more
    return (
        movement("A01", day, number * 10, **names),
        movement("A03", until, number * 10 + 1, **names),
    )


FIRST = stay(1, "2026-03-02 10:00", "2026-03-05 14:00")
SECOND = stay(2, "2026-03-20 10:00", "2026-03-25 14:00")


def test_merged_identities_are_one_patient() -> None:
    """A40: the stays of the loser belong to the survivor; the venues are not merged."""
    other = stay(2, "2026-03-20 10:00", "2026-03-25 14:00", ipp=OTHER_IPP, ins=None)
    apart = view(*FIRST, *other)
    assert len(set(apart.person_of_stay)) == 2
    merged = view(*FIRST, *other, Alias(at("2026-04-01 09:00"), "ipp", IPP, OTHER_IPP))
    assert len(merged.stays) == 2
    assert len(set(merged.person_of_stay)) == 1


def test_a_reattached_dossier_belongs_to_its_new_patient() -> None:
    """A44 recorded after the movements moves the stay; recorded before them it does not."""
    late = Reattached(at("2026-04-01 09:00"), "dossier", DOSSIER, OTHER_IPP, IPP)
    other = identity("2026-04-01 09:00", ipp=OTHER_IPP, ins=None, ins_root=0)
    found = view(*FIRST, identity("2026-03-02 10:00"), other, late)
    assert found.persons[found.person_of_stay[0]].identities == [other]
    early = Reattached(at("2026-03-01 09:00"), "dossier", DOSSIER, OTHER_IPP, IPP)
    mine = identity("2026-03-02 10:00")
    found = view(*FIRST, mine, early)
    assert found.persons[found.person_of_stay[0]].identities == [mine]


def test_the_current_identity_is_the_one_recorded_last() -> None:
    """An INS qualified later counts from then; the last words on the DMP hold each by itself."""
    found = view(
        *FIRST,
        identity("2026-03-02 10:00", status="PROV", ins=None, ins_root=0, dmp="ACTIF", feeding=""),
        identity("2026-03-03 10:00", status="VALI", dmp="", feeding="IO"),
    )
    person = found.persons[found.person_of_stay[0]]
    current = person.current()
    assert current is not None
    assert (current.status, current.ins) == ("VALI", INS)
    assert (person.dmp, person.feeding) == ("ACTIF", "IO")
    early = person.status_at(at("2026-03-02 12:00"))
    assert early is not None
    assert early.status == "PROV"


def test_an_ins_taken_back_is_no_longer_there() -> None:
    """A47: whatever said before that the patient had it."""
    retired = InsRetired(at("2026-03-04 10:00"), IPP, INS)
    found = view(*FIRST, identity("2026-03-03 10:00"), retired)
    current = found.persons[found.person_of_stay[0]].current()
    assert current is not None
    assert current.ins is None


def test_a_document_belongs_to_the_venue_its_message_names() -> None:
    """PV1-19 first, whatever the dates."""
    found = view(*FIRST, *SECOND, document("2026-03-22 10:00", visit=handle("visit", 1)))
    (report,) = found.reports
    assert (found.stays[report.stay or 0].venue, report.way) == (handle("visit", 1), "visit")


def test_a_document_with_a_dossier_only_belongs_to_the_stay_in_force() -> None:
    """PID-18 may group several venues: the one in force, else the last ended before."""
    one = stay(1, "2026-03-02 10:00", "2026-03-05 14:00", dossier=DOSSIER)
    two = stay(2, "2026-03-20 10:00", "2026-03-25 14:00", dossier=DOSSIER)
    for when, venue in (
        ("2026-03-04 10:00", 1),
        ("2026-03-10 10:00", 1),
        ("2026-03-22 10:00", 2),
        ("2026-03-28 10:00", 2),
    ):
        found = view(*one, *two, document(when, visit=None))
        (report,) = found.reports
        assert report.stay is not None
        assert (found.stays[report.stay].venue, report.way) == (handle("visit", venue), "dossier")


def test_a_document_without_numbers_belongs_by_its_dates() -> None:
    """In force at its creation, else the last counted stay ended at most 30 days before."""

    def way(when: str) -> tuple[int | None, str]:
        (report,) = view(*FIRST, document(when, visit=None, dossier=None)).reports
        return report.stay, report.way

    assert way("2026-03-04 10:00") == (0, "dates")
    assert way("2026-04-01 10:00") == (0, "after-exit")
    assert way("2026-04-10 10:00") == (None, "none")
    assert way("2026-03-01 10:00") == (None, "none")


def test_a_document_naming_an_unknown_venue_belongs_to_none() -> None:
    """Dates must not contradict what the message says."""
    (report,) = view(*FIRST, document("2026-03-04 10:00", visit=handle("visit", 4), dossier=None)).reports
    assert report.stay is None


def test_a_document_of_an_encounter_belongs_to_its_venue() -> None:
    """When the root of the CDA encounter is one configured for the establishment."""
    (report,) = view(*FIRST, document("2026-03-04 10:00", visit=None, dossier=None, encounter=VISIT)).reports
    assert (report.stay, report.way) == (0, "encounter")


def test_a_renumbered_dossier_is_the_same_dossier() -> None:
    """A49: a document under the old number finds the stay."""
    old = handle("dossier", 9)
    alias = Alias(at("2026-03-06 10:00"), "dossier", DOSSIER, old)
    (report,) = view(*FIRST, alias, document("2026-03-04 10:00", visit=None, dossier=old)).reports
    assert (report.stay, report.way) == (0, "dossier")


def test_movements_with_a_dossier_only_join_its_one_venue() -> None:
    """PV1-19 missing on one message: the dossier has one venue, it is that one."""
    admission, discharge = FIRST
    bare = movement("A03", "2026-03-05 14:00", 11, visit=None, dossier=DOSSIER)
    found = view(admission, bare)
    assert [(s.entry, s.exit) for s in found.stays] == [(at("2026-03-02 10:00"), at("2026-03-05 14:00"))]
    assert discharge is not bare
