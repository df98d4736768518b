"""What traces mean together, where it is easily got wrong: ids that differ, numbers that serve again, times that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from engine.facts import AUDIT, INS_NIR, LOG, TRANSACTION, ZAM, AnyFact, Document, Entry, Submission
from engine.ledger.exchange import MOST
from engine.metrics import measures as m
from engine.metrics.measures import Measure
from engine.metrics.settings import RuleSettings
from tests.ledger.build import INS, VISIT, answer, at, document, identity
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_order import Store
from tests.ledger.test_traces import SET, STAY, only, said, traced, version, view

TXA = handle("txa", 1)
OWN = handle("document", 1)
PLATFORM = handle("platform", 1)  # an uniqueId of the platform's own
ENTRY = handle("entry", 1)
LETTER = document("2026-03-05 15:00", alias=TXA, chain=handle("chain", 1), version=2, hash=handle("sha1", 1))
SUBMITTED = Measure(m.SUBMISSIONS, FINESS, "")


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store()
    yield made
    made.close()


def take(store: Store, *facts: AnyFact) -> None:
    """Each fact in a message of its own, folded at once."""
    for fact in facts:
        store.record([fact])
        store.fold()


def line(when: str, **more: Any) -> Document:
    """A line of a log about the letter, under a key of its own."""
    return traced(when, LOG, more.pop("key", handle("line", 1)), **more)


class TestOneDocument:
    """Two names of one document are one document."""

    @pytest.mark.parametrize(
        ("beside", "link"),
        [
            ({"alias": TXA}, "hl7-document-id"),
            ({"chain": handle("chain", 1), "version": 2}, "set-version"),
            ({"hash": handle("sha1", 1)}, "sha1"),
            ({"control": handle("exchange", 1)}, "control-id"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("late", [False, True])
    def test_an_unique_id_of_the_platform_is_the_document_that_stands_beside_it(
        self, beside: dict[str, Any], link: str, *, late: bool
    ) -> None:
        """One line says what the uniqueId is; the other traces need not, whether they come before or after."""
        told = line("2026-03-05 15:01" if not late else "2026-03-05 15:05", id=PLATFORM, **beside)
        request = traced("2026-03-05 15:02", id=PLATFORM)
        found = version(view(*STAY, LETTER, told, request, said("2026-03-05 15:03")))
        assert sorted(sending.link for sending in found.sendings) == sorted(["own", link, link])
        assert [(attempt.traces, attempt.accepted) for attempt in found.attempts] == [(("hl7", LOG, TRANSACTION), True)]

    def test_an_unique_id_beside_nothing_known_is_another_document(self) -> None:
        """Marks of another letter tie nothing."""
        other = line("2026-03-05 15:01", id=PLATFORM, alias=handle("txa", 9), hash=handle("sha1", 9), version=2)
        assert len(view(*STAY, LETTER, other).reports) == 2

    def test_two_unique_ids_of_one_cda_are_one_document(self) -> None:
        """Submitted again under a new uniqueId, the bytes tell that it is the same."""
        requests = [
            traced(f"2026-03-05 1{n}:00", key=handle("message", n), id=handle("unique", n), alias=OWN, body="cda", level=1)
            for n in (5, 6)
        ]  # fmt: skip
        found = version(view(*STAY, *requests, said("2026-03-05 16:01", handle("message", 6))))
        assert [attempt.accepted for attempt in found.attempts] == [False, True]

    def test_a_txa_12_that_only_a_log_tells_does_not_make_two_unique_ids_one(self) -> None:
        """It may be the same in every line."""
        lines = [line(f"2026-03-05 1{n}:00", key=handle("line", n), id=handle("unique", n), alias=TXA) for n in (5, 6)]
        assert len(view(*STAY, *lines).reports) == 2

    def test_a_chain_of_names_ends_at_the_id_of_the_message(self) -> None:
        """TXA-12 of a log beside an uniqueId, which a request ties to the CDA of the HL7 message."""
        letter = document("2026-03-05 15:00")
        log = line("2026-03-05 14:59", id=PLATFORM, alias=handle("number", 1))
        request = traced("2026-03-05 15:01", id=PLATFORM, alias=OWN, body="cda", level=1)
        bare = line("2026-03-05 15:02", key=handle("line", 2), id=None, alias=handle("number", 1))
        assert len(version(view(*STAY, letter, log, request, bare)).sendings) == 4

    def test_a_txa_12_kept_by_the_next_version_is_the_version_of_its_time(self) -> None:
        """Two versions under one TXA-12: a line is about the one sent last before it, with or without an uniqueId."""
        first = document("2026-03-05 15:00", alias=TXA)
        second = document("2026-03-06 15:00", 2, alias=TXA, replaces=OWN)
        lines = [
            line("2026-03-05 15:10", id=None, alias=TXA),
            line("2026-03-06 15:10", key=handle("line", 2), id=None, alias=TXA),
            line("2026-03-06 15:20", key=handle("line", 3), id=PLATFORM, alias=TXA),
        ]
        report = only(view(*STAY, first, second, *lines))
        assert [len(one.sendings) for one in report.versions] == [2, 3]

    def test_a_control_id_that_served_again_is_the_message_of_its_time(self) -> None:
        """Two letters under one control id: each line is about the one sent last before it."""
        shared = handle("exchange", 1)
        letters = [document(f"2026-03-05 1{n}:00", n, exchange=shared) for n in (5, 6)]
        lines = [line(f"2026-03-05 1{n}:10", key=handle("line", n), id=None, control=shared) for n in (5, 6)]
        early = line("2026-03-05 14:50", key=handle("line", 9), id=None, control=shared)
        reports = view(*STAY, *letters, *lines, early).reports
        assert [len(one.versions[0].sendings) for one in reports] == [3, 2]

    def test_of_a_message_with_two_renderings_a_control_id_is_the_first(self) -> None:
        """N1 and N3 of one report: the line is about one of them, and the report is one."""
        n1 = document("2026-03-05 15:00")
        n3 = document("2026-03-05 15:00", 2, exchange=handle("exchange", 1), position=1)
        report = only(view(*STAY, n3, n1, line("2026-03-05 15:10", id=None, control=handle("exchange", 1))))
        assert {one.key: len(one.sendings) for one in report.versions} == {OWN: 2, handle("document", 2): 1}

    def test_an_entry_told_beside_a_sha_1_names_the_document(self) -> None:
        """No uniqueId anywhere: the deletion by entryUUID finds the letter by the line that told both."""
        told = line("2026-03-05 15:01", id=None, hash=handle("sha1", 1), entry=ENTRY)
        gone = traced("2026-03-07 08:00", key=handle("message", 2), id=None, entry=ENTRY, request="deletion")
        found = version(view(*STAY, LETTER, told, gone))
        assert (len(found.sendings), len(found.deletions)) == (2, 1)

    def test_an_entry_then_the_unique_id_are_one_document(self) -> None:
        """The log tells the entryUUID first, and both later."""
        facts = (
            line("2026-03-05 15:01", id=None, entry=ENTRY),
            line("2026-03-05 15:02", key=handle("line", 2), id=OWN, entry=ENTRY),
        )
        assert len(version(view(*STAY, *facts)).sendings) == 2

    def test_replacements_of_an_entry_that_nothing_named_are_one_report(self) -> None:
        """What they replace was submitted before Jauge looked."""
        new = [
            traced(f"2026-03-0{n} 15:00", key=handle("message", n), id=handle("document", n), replaces_entry=ENTRY)
            for n in (6, 7)
        ]
        assert len(only(view(*STAY, *new)).versions) == 2

    def test_a_parent_that_has_no_other_name_than_its_entry_is_replaced(self) -> None:
        """Its line holds the entryUUID alone."""
        new = traced("2026-03-06 15:00", key=handle("message", 2), id=handle("document", 2), replaces_entry=ENTRY)
        assert len(only(view(*STAY, line("2026-03-05 15:01", id=None, entry=ENTRY), new)).versions) == 2

    def test_a_parent_named_by_id_and_by_entry_is_one(self) -> None:
        """The replacement names both; another one names the entry alone."""
        new = traced(
            "2026-03-06 15:00", key=handle("message", 2), id=handle("document", 2), replaces=OWN, replaces_entry=ENTRY
        )
        newer = traced("2026-03-07 15:00", key=handle("message", 3), id=handle("document", 3), replaces_entry=ENTRY)
        assert len(only(view(*STAY, document("2026-03-05 15:00"), new, newer)).versions) == 3

    def test_two_reports_of_a_kind_in_one_submission_are_two(self) -> None:
        """A submission set is not a message: what it holds is not one report."""
        both = [traced("2026-03-05 15:00", position=n, id=handle("document", n)) for n in (1, 2)]
        found = view(*STAY, *both, said("2026-03-05 15:01"))
        assert [report.versions[0].attempts[0].accepted for report in found.reports] == [True, True]

    def test_a_deletion_is_never_tied_by_nearness(self) -> None:
        """What is deleted is not guessed."""
        gone = line("2026-03-05 15:10", id=None, weak=True, request="deletion")
        assert not version(view(*STAY, LETTER, gone)).deletions

    def test_a_doubtful_line_without_type_is_about_nothing_known(self) -> None:
        """Any document of the patient could be meant."""
        untyped = line("2026-03-05 15:10", id=None, weak=True, type_code="", kind="other")
        assert len(view(*STAY, LETTER, untyped).reports) == 2

    @pytest.mark.parametrize(("when", "reports"), [("2026-03-06 15:00", 1), ("2026-03-06 15:01", 2)])
    def test_near_is_a_day_and_no_more(self, when: str, reports: int) -> None:
        """To the minute."""
        weak = line(when, id=None, weak=True, created=0)
        assert len(view(*STAY, document("2026-03-05 15:00"), weak).reports) == reports

    def test_the_nearest_may_come_before_or_after(self) -> None:
        """Between two letters: an hour after the first is nearer than four before the second."""
        letters = [document("2026-03-05 10:00"), document("2026-03-05 15:00", 2)]
        for when, sendings in (("2026-03-05 11:00", [2, 1]), ("2026-03-05 14:00", [1, 2])):
            reports = view(*STAY, *letters, line(when, id=None, weak=True)).reports
            assert [len(report.versions[0].sendings) for report in reports] == sendings

    def test_a_txa_12_that_is_the_only_id_of_the_message_names_it(self) -> None:
        """The message had no readable CDA: its TXA-12 is its id."""
        letter = document("2026-03-05 15:00", id=TXA)
        found = version(view(*STAY, letter, line("2026-03-05 15:01", id=None, alias=TXA)))
        assert [sending.link for sending in found.sendings] == ["own", "hl7-document-id"]

    def test_a_venue_is_surer_than_a_patient(self) -> None:
        """The letter of the venue, though that of another stay is nearer."""
        here = document("2026-03-05 10:00")
        there = document("2026-03-05 15:00", 2, visit=handle("visit", 2), dossier=handle("dossier", 2))
        reports = view(*STAY, here, there, line("2026-03-05 15:01", id=None, weak=True, visit=VISIT)).reports
        assert [len(report.versions[0].sendings) for report in reports] == [2, 1]


class TestAnswers:
    """Whose answer it is, and which holds."""

    def test_the_last_word_of_the_transport_holds(self) -> None:
        """Not sent at first, then taken: no failure."""
        lines = (line("2026-03-05 15:01"), line("2026-03-05 15:02"))
        no = said("2026-03-05 15:01", handle("line", 1), accepted=False, layer="technical", trace=LOG, code="timeout")
        yes = said("2026-03-05 15:02", handle("line", 1), layer="technical", trace=LOG)
        (healed,) = version(view(*STAY, *lines, no, yes)).attempts
        assert not healed.failed
        (broken,) = version(view(*STAY, *lines, yes, structs.replace(no, at=yes.at + 1))).attempts
        assert broken.failed

    def test_a_fault_holds_over_a_line_that_says_taken(self) -> None:
        """The transaction is the stronger trace, whatever comes last."""
        fault = said("2026-03-05 15:02", accepted=False, layer="technical", code="soap-fault")
        taken = said("2026-03-05 15:03", SET, layer="technical", trace=LOG)
        (attempt,) = version(view(*STAY, traced("2026-03-05 15:01", keys=(SET,)), fault, taken)).attempts
        assert attempt.failed

    def test_a_failure_told_by_the_log_holds_over_the_acknowledgement_of_the_message(self) -> None:
        """The platform took the message, and could not send the document."""
        no = said("2026-03-05 15:01", handle("line", 1), accepted=False, layer="technical", trace=LOG, code="timeout")
        taken = answer("2026-03-05 15:02", layer="technical", code="AA")
        (attempt,) = version(view(*STAY, LETTER, line("2026-03-05 15:01"), no, taken)).attempts
        assert attempt.failed
        assert attempt.sendings[0].taken

    def test_what_was_submitted_was_taken_unless_a_trace_says_otherwise(self) -> None:
        """A trace is proof that the platform had the document; a fault is not."""
        fault = said("2026-03-05 15:02", accepted=False, layer="technical", code="soap-fault")
        for facts, taken in (((), True), ((fault,), False)):
            (attempt,) = version(view(*STAY, traced("2026-03-05 15:01"), *facts)).attempts
            assert attempt.sendings[0].taken is taken

    def test_an_acceptance_keeps_its_warning_and_a_refusal_has_none(self) -> None:
        """The code of what the DMP remarked."""
        yes = said("2026-03-05 15:02", warning="XDSPatientIdDoesNotMatch")
        for word, warning in ((yes, "XDSPatientIdDoesNotMatch"), (structs.replace(yes, accepted=False), "")):
            assert version(view(*STAY, traced("2026-03-05 15:01"), word)).attempts[0].warning == warning

    def test_an_answer_of_the_dmp_is_no_failure(self) -> None:
        """Its word came, whatever the transport said."""
        fault = said("2026-03-05 15:02", accepted=False, layer="technical", code="soap-fault")
        (attempt,) = version(view(*STAY, traced("2026-03-05 15:01"), fault, said("2026-03-05 15:03"))).attempts
        assert (attempt.failed, attempt.accepted) == (False, True)

    def test_the_last_answer_of_a_trace_holds(self) -> None:
        """Refused, then accepted, then refused."""
        words = [said(f"2026-03-05 15:0{n}", accepted=n == 3) for n in (2, 3, 4)]
        for count, accepted in ((1, False), (2, True), (3, False)):
            (attempt,) = version(view(*STAY, traced("2026-03-05 15:01"), *words[:count])).attempts
            assert (attempt.accepted, attempt.contradictions) == (accepted, ())

    def test_a_weaker_trace_that_changed_its_mind_contradicts_by_its_last_word(self) -> None:
        """The log said refused, then accepted, as the DMP had: no contradiction."""
        facts = (
            traced("2026-03-05 15:01", keys=(SET,)),
            said("2026-03-05 15:04"),
            said("2026-03-05 15:02", SET, accepted=False, trace=LOG),
            said("2026-03-05 15:03", SET, trace=LOG),
        )
        (attempt,) = version(view(*STAY, *facts)).attempts
        assert attempt.contradictions == ()

    def test_each_weaker_trace_contradicts_for_itself(self) -> None:
        """A log and an audit that say accepted where the response says refused are two."""
        facts = (
            traced("2026-03-05 15:01", keys=(SET,)),
            said("2026-03-05 15:02", accepted=False),
            said("2026-03-05 15:03", SET, trace=LOG),
            said("2026-03-05 15:03", SET, trace=AUDIT),
        )
        (attempt,) = version(view(*STAY, *facts)).attempts
        assert [one.trace for one in attempt.contradictions] == [AUDIT, LOG]

    @pytest.mark.parametrize("code", ["", "other", "audit-8"])
    def test_a_refusal_without_code_borrows_that_of_a_trace_that_agrees(self, code: str) -> None:
        """Not that of one that says accepted, nor a word that is no code."""
        facts = (
            traced("2026-03-05 15:01", keys=(SET,)),
            said("2026-03-05 15:02", accepted=False, trace=TRANSACTION, code=code),
            said("2026-03-05 15:02", SET, accepted=False, trace=LOG, code="DMPInvalidData"),
            said("2026-03-05 15:02", SET, accepted=False, trace=ZAM, code="other"),
        )
        (attempt,) = version(view(*STAY, *facts)).attempts
        assert attempt.code == "DMPInvalidData"

    def test_an_answer_without_time_is_dated_by_the_submission_and_measures_no_delay(self) -> None:
        """A response whose transport gave no date: accepted, when it was sent; how long it took, nobody knows."""
        undated = structs.replace(said("2026-03-05 15:01"), at=0)
        (attempt,) = version(view(*STAY, traced("2026-03-05 15:00"), undated)).attempts
        assert (attempt.accepted, attempt.answered_at, attempt.timed) == (True, at("2026-03-05 15:00"), False)

    def test_a_submission_without_time_does_not_date_its_attempt(self) -> None:
        """The log tells when, the request does not."""
        request = structs.replace(traced("2026-03-05 15:00", keys=(SET,)), at=0)
        (attempt,) = version(view(*STAY, request, line("2026-03-05 15:00", key=SET), said("2026-03-05 15:01"))).attempts
        assert (attempt.at, attempt.timed) == (at("2026-03-05 15:00"), True)

    def test_an_undated_answer_by_the_id_of_the_document_is_of_the_first_submission(self) -> None:
        """All submissions are later than an unknown time."""
        facts = [document(f"2026-03-0{n} 15:00", exchange=handle("exchange", n)) for n in (5, 6)]
        undated = structs.replace(said("2026-03-05 15:01", OWN), at=0)
        assert [one.accepted for one in version(view(*STAY, *facts, undated)).attempts] == [True, False]

    def test_another_message_opens_another_attempt(self) -> None:
        """The line after the second sending is of the second, the one between them of the first."""
        letters = [document(f"2026-03-05 1{n}:00", exchange=handle("exchange", n)) for n in (5, 6)]
        lines = [line(f"2026-03-05 1{n}:30", key=handle("line", n)) for n in (5, 6)]
        words = [said(f"2026-03-05 1{n}:31", handle("line", n), accepted=n == 6, trace=LOG) for n in (5, 6)]
        found = version(view(*STAY, *letters, *lines, *words))
        assert [(one.accepted, len(one.sendings)) for one in found.attempts] == [(False, 2), (True, 2)]

    @pytest.mark.parametrize(("minutes", "attempts"), [(60, 1), (61, 2)])
    def test_two_traces_alone_are_one_attempt_within_an_hour(self, minutes: int, attempts: int) -> None:
        """And two beyond."""
        later = structs.replace(line("2026-03-05 15:00"), at=at("2026-03-05 15:00") + minutes * 60)
        assert len(version(view(*STAY, traced("2026-03-05 15:00"), later)).attempts) == attempts

    def test_near_is_near_to_any_of_its_submissions(self) -> None:
        """A request sent twice under one submission set; the line is an hour after the first, minutes after the second."""
        requests = [traced(f"2026-03-05 14:{n}", key=SET) for n in ("00", "50")]
        assert len(version(view(*STAY, *requests, line("2026-03-05 15:05"))).attempts) == 1

    @pytest.mark.parametrize(("when", "attempts"), [("2026-03-05 14:00", 1), ("2026-03-05 13:59", 2)])
    def test_a_trace_just_before_its_message_is_of_it(self, when: str, attempts: int) -> None:
        """Clocks differ by an hour at most."""
        assert len(version(view(*STAY, document("2026-03-05 15:00"), traced(when))).attempts) == attempts

    def test_the_control_id_of_a_line_decides_between_two_messages(self) -> None:
        """The line comes after the second message and names the first."""
        letters = [document(f"2026-03-05 1{n}:00", exchange=handle("exchange", n)) for n in (5, 6)]
        named = line("2026-03-05 16:30", control=handle("exchange", 5))
        found = version(view(*STAY, *letters, named))
        assert [one.traces for one in found.attempts] == [("hl7", LOG), ("hl7",)]


class TestOut:
    """What takes a document out, and what heals it."""

    def outcomes(self, *facts: AnyFact) -> set[str]:
        """The outcomes of DS1.1 of the one stay."""
        store = Store()
        try:
            take(store, identity("2026-03-02 09:00"), *STAY, *facts)
            assert store.ledger.audit() == []
            return {one.outcome for one in store.tallies() if one.indicator == "DS1.1"}
        finally:
            store.close()

    def gone(self, when: str, number: int = 5) -> Document:
        """An ITI-57 by the entryUUID."""
        return traced(when, key=handle("message", number), id=None, entry=ENTRY, request="deletion")

    ACCEPTED = (traced("2026-03-05 15:00", entry=ENTRY), said("2026-03-05 15:01"))

    def test_a_deletion_before_its_document_comes_takes_it_out(self) -> None:
        """It came first to Jauge, not to the DMP."""
        assert self.outcomes(self.gone("2026-03-06 15:00"), *self.ACCEPTED) == {"deleted"}

    def test_a_deletion_that_the_dmp_refused_changes_nothing(self) -> None:
        """ITI-57 Failure."""
        no = said("2026-03-06 15:01", handle("message", 5), accepted=False)
        assert self.outcomes(*self.ACCEPTED, self.gone("2026-03-06 15:00"), no) == {"met"}

    def test_a_submission_after_the_deletion_heals(self) -> None:
        """Submitted again, accepted again."""
        again = handle("message", 6)
        facts = (*self.ACCEPTED, self.gone("2026-03-06 15:00"), traced("2026-03-07 15:00", key=again))
        assert self.outcomes(*facts) == {"deleted"}
        assert self.outcomes(*facts, said("2026-03-07 15:01", again)) == {"met"}

    def test_a_line_without_patient_takes_out_what_it_names(self) -> None:
        """It says deleted, and the id of the document; a resubmission heals that too."""
        word = said("2026-03-06 15:00", OWN, layer="withdrawal", trace=LOG)
        again = handle("message", 6)
        later = (traced("2026-03-07 15:00", key=again), said("2026-03-07 15:01", again))
        assert self.outcomes(*self.ACCEPTED, word) == self.outcomes(word, *self.ACCEPTED) == {"deleted"}
        assert self.outcomes(*self.ACCEPTED, structs.replace(word, accepted=False)) == {"met"}
        assert self.outcomes(*self.ACCEPTED, word, *later) == {"met"}

    def test_the_next_version_deleted_takes_the_former_out(self) -> None:
        """The DMP holds the last version only; the first one deleted leaves the second."""
        new = traced("2026-03-06 15:00", key=handle("message", 2), id=handle("document", 2), replaces=OWN, version=2)
        both = (*self.ACCEPTED, new, said("2026-03-06 15:01", handle("message", 2)))
        word = said("2026-03-07 15:00", handle("document", 2), layer="withdrawal", trace=LOG)
        assert self.outcomes(*both) == {"met"}
        assert self.outcomes(*both, word) == {"deleted"}
        assert self.outcomes(*both, structs.replace(word, exchange=OWN)) == {"met"}


class TestWatched:
    """A line that names a message that was never seen."""

    LINE = line("2026-03-05 15:00", id=PLATFORM, control=handle("exchange", 1))

    @pytest.mark.parametrize("first", ["line", "answer"])
    @pytest.mark.parametrize("when", ["2026-03-05 14:59", "2026-03-05 15:01"])
    def test_what_was_answered_to_the_message_answers_the_line(self, store: Store, first: str, when: str) -> None:
        """The ZAM is there and the feed of the documents is not; the line is dated before or after it."""
        facts: tuple[AnyFact, ...] = (self.LINE, answer(when))
        take(store, *STAY, *(facts if first == "line" else reversed(facts)))
        assert store.totals()[Measure(m.RESPONSES, FINESS, m.ACCEPTED)] == 1
        assert store.ledger.audit() == []

    def test_an_answer_goes_to_the_line_of_its_time(self, store: Store) -> None:
        """A control id that serves again: the ZAM answers the line before it and not the next."""
        later = line("2026-03-05 17:00", key=handle("line", 2), id=handle("document", 9), control=handle("exchange", 1))
        take(store, *STAY, self.LINE, later, answer("2026-03-05 16:00", accepted=False), answer("2026-03-05 17:01"))
        found = store.totals()
        assert found[Measure(m.RESPONSES, FINESS, m.ACCEPTED)] == 1
        assert found[Measure(m.RESPONSES, FINESS, m.REFUSED)] == 1

    def test_the_message_takes_its_answer_back_when_it_comes(self, store: Store) -> None:
        """One submission, one answer, whoever had it first."""
        take(store, *STAY, self.LINE, answer("2026-03-05 15:05"), document("2026-03-05 14:58"))
        found = store.totals()
        assert found[SUBMITTED] == found[Measure(m.RESPONSES, FINESS, m.ACCEPTED)] == 1
        assert store.ledger.audit() == []


class TestCrowded:
    """A key that serves for ever."""

    def someone(self, number: int, **more: Any) -> Document:
        """A letter of another patient, a minute later."""
        who = {"ipp": handle("ipp", 10 + number), "ins": None, "visit": None, "dossier": None}
        return structs.replace(
            document("2026-03-06 08:00", 10 + number), at=at("2026-03-06 08:00") + number * 60, **(who | more)
        )

    @pytest.mark.parametrize("limit", [1, 1_000])
    def test_who_lost_their_place_is_judged_again(self, store: Store, limit: int) -> None:
        """The first letter was accepted; its control id served so often since that its answer is nobody's."""
        shared = handle("exchange", 1)
        take(store, *STAY, LETTER, answer("2026-03-05 15:01"))
        for number in range(MOST):
            store.record([self.someone(number, exchange=shared)])
        for _ in range(0, MOST, limit):
            store.fold(limit)
        assert store.ledger.audit() == []

    def test_so_is_a_line_that_watched(self, store: Store) -> None:
        """The same of lines that name a message that was never seen."""
        shared = handle("exchange", 1)
        take(store, *STAY, TestWatched.LINE, answer("2026-03-05 15:01"))
        for number in range(MOST):
            mine = self.someone(number, trace=LOG, control=shared, exchange=handle("line", 100 + number))
            take(store, mine)
        assert store.ledger.audit() == []


class TestUnnamed:
    """A submission set that only an audit tells."""

    AUDITED = Submission(at("2026-03-05 15:10"), FINESS, None, INS, INS_NIR, SET)

    @pytest.mark.parametrize("how", ["key", "keys"])
    def test_a_named_document_of_any_trace_takes_it(self, how: str) -> None:
        """Whether the set is the first of its keys or another."""
        named = line("2026-03-05 15:10", key=SET) if how == "key" else line("2026-03-05 15:10", keys=(SET,))
        assert view(*STAY, self.AUDITED, named).unnamed == []

    def test_two_audits_of_one_set_are_one_submission(self) -> None:
        """The platform and its repository both audit it; the first tells the time."""
        later = structs.replace(self.AUDITED, at=at("2026-03-05 15:20"))
        assert [one.at for one in view(*STAY, later, self.AUDITED).unnamed] == [at("2026-03-05 15:10")]

    def test_its_strongest_answer_holds(self) -> None:
        """A line of a log without patient contradicts an audit: the audit holds."""
        words = (
            said("2026-03-05 15:11", SET, trace=AUDIT, accepted=False, code="audit-8"),
            said("2026-03-05 15:12", SET, trace=LOG),
        )
        (one,) = view(*STAY, self.AUDITED, *words).unnamed
        assert (one.answered, one.accepted, one.code) == (True, False, "audit-8")

    def test_a_failure_of_the_transport_is_no_answer(self) -> None:
        """The DMP said nothing."""
        (one,) = view(*STAY, self.AUDITED, said("2026-03-05 15:11", SET, layer="technical")).unnamed
        assert not one.answered

    def test_it_is_told_again_when_its_answer_comes(self, store: Store) -> None:
        """In the store, whichever comes first."""
        word = said("2026-03-05 15:11", SET, trace=AUDIT)
        take(store, *STAY, self.AUDITED)
        assert store.totals()[Measure(m.UNNAMED, FINESS, "")] == 1
        take(store, word)
        assert store.totals()[Measure(m.UNNAMED, FINESS, m.ACCEPTED)] == 1
        assert store.ledger.audit() == []


class TestStored:
    """The store marks everyone whom a fact concerns."""

    LINE = line("2026-03-05 15:01", alias=TXA, keys=(SET,))

    @pytest.mark.parametrize("key", [handle("line", 1), SET, OWN, TXA])
    def test_an_answer_by_any_key_reaches_its_document(self, store: Store, key: bytes) -> None:
        """Folded after it, in another chunk."""
        take(store, *STAY, self.LINE, said("2026-03-05 15:02", key, trace=LOG))
        assert store.totals()[Measure(m.RESPONSES, FINESS, m.ACCEPTED)] == 1
        assert store.ledger.audit() == []

    def test_an_entry_reaches_its_document(self, store: Store) -> None:
        """The response of ITI-18 comes last, and the deletion takes effect."""
        gone = traced("2026-03-07 08:00", key=handle("message", 2), id=None, entry=ENTRY, request="deletion")
        told = Entry(at("2026-03-08 08:00"), None, INS, OWN, ENTRY)
        take(store, identity("2026-03-02 09:00"), *STAY, traced("2026-03-05 15:00"), said("2026-03-05 15:01"), gone)
        assert {one.outcome for one in store.tallies() if one.indicator == "DS1.1"} == {"met"}
        take(store, told)
        assert {one.outcome for one in store.tallies() if one.indicator == "DS1.1"} == {"deleted"}


def test_an_answer_without_time_has_no_delay() -> None:
    """It is counted, and no bucket has it."""
    undated = structs.replace(said("2026-03-05 15:01"), at=0)
    found = m.measures(view(*STAY, traced("2026-03-05 15:00"), undated), RuleSettings())
    assert found[Measure(m.RESPONSES, FINESS, m.ACCEPTED)] == 1
    assert not [measure for measure in found if measure.name == m.ANSWER]
