"""Documents become reports: versions, sendings, answers."""

from __future__ import annotations

from collections.abc import Iterable

from engine.facts import Document, Outcome
from engine.ledger.exchange import Exchange, Send
from engine.ledger.reports import Report, reports
from tests.ledger.build import answer, at, document
from tests.ledger.facts import handle


def fold(documents: Iterable[Document], answers: Iterable[Outcome] = ()) -> list[Report]:
    """The reports of some documents and answers."""
    known = list(documents)

    def exchange(key: bytes) -> Exchange:
        found = Exchange()
        for fact in known:
            if fact.exchange == key:
                found = found.with_send(Send(fact.at, b""))
        for outcome in answers:
            if outcome.exchange == key:
                found = found.with_outcome(outcome)
        return found

    return reports(known, exchange)


def test_one_message_is_one_report() -> None:
    """One version, one sending, not answered."""
    (report,) = fold([document("2026-03-05 15:00")])
    (version,) = report.versions
    assert [sending.answered for sending in version.sendings] == [False]
    assert report.created == at("2026-03-05 15:00")


def test_the_same_document_sent_again_is_one_version_with_two_sendings() -> None:
    """Another control id, the same CDA id."""
    again = document("2026-03-06 15:00", exchange=handle("exchange", 2))
    (report,) = fold([document("2026-03-05 15:00"), again])
    assert [len(version.sendings) for version in report.versions] == [2]


def test_requested_taken_and_confirmed_stay_three_states() -> None:
    """A technical acknowledgement is not the DMP's answer."""
    (report,) = fold([document("2026-03-05 15:00")], [answer("2026-03-05 15:01", layer="technical", code="AA")])
    (sending,) = report.versions[0].sendings
    assert (sending.taken, sending.answered, sending.accepted) == (True, False, False)
    (report,) = fold([document("2026-03-05 15:00")], [answer("2026-03-05 15:01")])
    (sending,) = report.versions[0].sendings
    assert (sending.taken, sending.answered, sending.accepted) == (False, True, True)


def test_the_last_answer_holds() -> None:
    """Refused, then accepted."""
    answers = [answer("2026-03-05 16:00", accepted=False, code="DMPClosed"), answer("2026-03-05 17:00")]
    (report,) = fold([document("2026-03-05 15:00")], answers)
    (sending,) = report.versions[0].sendings
    assert (sending.accepted, sending.answered_at, sending.code) == (True, at("2026-03-05 17:00"), "")


def test_an_answer_belongs_to_the_latest_sending_before_it() -> None:
    """A control id used again for another document."""
    first = document("2026-03-05 15:00", 1)
    second = document("2026-03-07 15:00", 2, exchange=handle("exchange", 1))
    one, two = fold([first, second], [answer("2026-03-06 09:00")])
    assert one.versions[0].sendings[0].accepted
    assert not two.versions[0].sendings[0].answered


def test_an_answer_dated_before_every_sending_belongs_to_the_first() -> None:
    """Clocks differ."""
    (report,) = fold([document("2026-03-05 15:00")], [answer("2026-03-05 14:58")])
    assert report.versions[0].sendings[0].accepted


def test_a_replacement_is_a_version_of_the_same_report() -> None:
    """By TXA-13 or RPLC, and by setId."""
    first = document("2026-03-05 15:00", 1)
    assert len(fold([first, document("2026-03-06 15:00", 2, request="replacement", replaces=first.id, version=2)])) == 1
    by_set = [document(f"2026-03-0{day} 15:00", day, chain=handle("chain", 1), version=day) for day in (5, 6)]
    (report,) = fold(by_set)
    assert [version.number for version in report.versions] == [5, 6]
    assert len(fold([first, document("2026-03-06 15:00", 2)])) == 2


def test_two_renderings_in_one_message_are_one_report() -> None:
    """N1 and N3 of one biology report, each with its own id."""
    pair = [
        document("2026-03-05 15:00", 1, kind="cr-bio", level=level, position=n, id=handle("document", n))
        for n, level in enumerate((1, 3))
    ]
    assert len(fold(pair)) == 1


def test_a_result_without_document_joins_the_report_of_its_order() -> None:
    """The classic ORU to the record and the CDA to the platform are one report."""
    orders = (handle("order", 1),)
    classic = document("2026-03-05 14:00", 1, body="none", id=None, kind="cr-bio", type_code="", orders=orders, level=0)
    cda = document("2026-03-05 15:00", 2, kind="cr-bio", type_code="11502-2", orders=orders, level=3)
    (report,) = fold([classic, cda])
    assert (report.created, report.type_code) == (cda.created, "11502-2")
    assert len(fold([classic, document("2026-03-05 15:00", 2, kind="cr-bio", orders=(handle("order", 2),))])) == 2
    assert (
        len(fold([classic, document("2026-03-05 16:00", 3, body="none", id=None, kind="cr-bio", orders=orders)])) == 1
    )


def test_a_result_never_glues_two_documents_together() -> None:
    """One order may give two reports."""
    orders = (handle("order", 1),)
    classic = document("2026-03-05 14:00", 1, body="none", id=None, kind="cr-bio", orders=orders)
    two = [document("2026-03-05 15:00", n, kind="cr-bio", orders=orders) for n in (2, 3)]
    assert len(fold([classic, *two])) == 2


def test_a_document_that_was_only_ever_deleted_is_no_report() -> None:
    """A deletion alone: what it deleted was never seen."""
    assert fold([document("2026-03-05 15:00", request="deletion")]) == []


def test_a_preliminary_report_becomes_final_with_its_replacement() -> None:
    """OBX-11 = P, then C."""
    first = document("2026-03-05 15:00", 1, final=False)
    (report,) = fold([first])
    assert not report.final
    (report,) = fold([first, document("2026-03-06 15:00", 2, request="replacement", replaces=first.id)])
    assert report.final
