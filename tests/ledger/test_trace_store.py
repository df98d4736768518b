"""Traces in the store: everyone whom a fact concerns is judged again, in whatever order they came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from engine.facts import AUDIT, INS_NIR, LOG, AnyFact, Document, Entry, Submission
from engine.ledger.exchange import MOST
from engine.metrics import measures as m
from engine.metrics.measures import Measure
from tests.ledger.build import INS, answer, at, document, identity
from tests.ledger.facts import FINESS, handle
from tests.ledger.letter import ENTRY, LETTER, OWN, PLATFORM, TXA, line, take
from tests.ledger.test_order import Store
from tests.ledger.test_traces import SET, STAY, said, traced, view

SUBMITTED = Measure(m.SUBMISSIONS, FINESS, "")


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store()
    yield made
    made.close()


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
