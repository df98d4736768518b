"""Sums of measures: kept by difference, shown by the greatest they ever were, recounted from the facts."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.facts import LOG, TRANSACTION, AnyFact
from engine.ledger import schema, totals
from engine.ledger.ledger import Ledger
from engine.metrics import measures as m
from engine.metrics.measures import Measure
from engine.metrics.settings import RuleSettings
from engine.metrics.snapshot import Submissions
from tests.ledger.build import answer, document, movement
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_order import KEYS, Store
from tests.ledger.test_traces import STAY, said, traced

LETTER = document("2026-03-05 15:00")
NO = answer("2026-03-05 15:30", accepted=False, code="XDSRegistryBusy")
YES = answer("2026-03-05 16:00")
COUNTERS = (m.SUBMISSIONS, m.RESPONSES, m.ERRORS, m.CONTRADICTIONS)
SUBMITTED = Measure(m.SUBMISSIONS, FINESS, "")

some_measures = st.builds(
    Measure,
    st.sampled_from([*COUNTERS, m.UNNAMED, m.PUBLICATION, m.ANSWER]),
    st.sampled_from([FINESS, "990000019"]),
    st.sampled_from(["", "accepted", "refused", "3600", "+Inf", "sum", "XDSRegistryBusy", "other", "207"]),
)


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store()
    yield made
    made.close()


def take(store: Store, *facts: AnyFact) -> None:
    """Each fact in a message of its own, folded at once; what is in memory is always what is on disk."""
    for fact in facts:
        store.record([fact])
        store.fold()
        before = shown(store)
        store.reopen()
        assert shown(store) == before


def shown(store: Store) -> Submissions:
    """What is shown of the one establishment; a recount always agrees with what is counted."""
    assert store.ledger.audit() == []
    (found,) = store.ledger.totals.shown([FINESS])
    return found


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A store without a ledger."""
    made = schema.connect(tmp_path / "store.sqlite")
    yield made
    made.close()


class TestPacked:
    """Measures beside the facts of a patient."""

    @given(st.dictionaries(some_measures, st.integers(1, 10**9)))
    def test_are_what_was_packed(self, found: dict[Measure, int]) -> None:
        """Nothing is lost, whatever the measures."""
        assert totals.unpack(totals.pack(found)) == Counter(found)

    def test_nothing_is_one_byte(self) -> None:
        """Most patients have no submission: they cost nothing."""
        assert totals.pack({}) == totals.NOTHING == b"\x90"
        assert totals.unpack(totals.NOTHING) == Counter()

    def test_every_label_that_is_always_there_is_a_number(self) -> None:
        """A patient with one published report takes less than a hundred bytes."""
        names = {m.PUBLICATION: m.BOUNDS[m.PUBLICATION], m.ANSWER: m.BOUNDS[m.ANSWER]}
        found = {
            Measure(name, FINESS, label): 1 for name, bounds in names.items() for label in (*map(str, bounds), "+Inf")
        }

        assert len(totals.pack(found)) < 100


class TestTop:
    """A counter never goes back."""

    def test_a_sum_that_falls_is_shown_where_it_was(self, connection: sqlite3.Connection) -> None:
        """Five, then three, then four: five is shown until the sixth, and the truth is kept."""
        live = totals.Totals(connection)
        seen = []
        for change in (5, -2, 1, 2):
            totals.write(connection, {SUBMITTED: change})
            live.apply({SUBMITTED: change})
            again = totals.Totals(connection)
            assert live.shown([FINESS]) == again.shown([FINESS])
            seen.append((totals.stored(connection)[SUBMITTED], live.shown([FINESS])[0].submissions))

        assert seen == [(5, 5), (3, 5), (4, 5), (6, 6)]

    def test_what_begins_by_falling_is_never_below_zero(self, connection: sqlite3.Connection) -> None:
        """Whatever came first, nothing shown is negative."""
        totals.write(connection, {SUBMITTED: -2})

        assert totals.Totals(connection).shown([FINESS])[0].submissions == 0

    def test_the_gauge_of_the_unnamed_goes_down(self, connection: sqlite3.Connection) -> None:
        """What a later trace names is no longer unnamed: the gauge says how it is now."""
        unnamed = Measure(m.UNNAMED, FINESS, m.ACCEPTED)
        totals.write(connection, {unnamed: 3})
        totals.write(connection, {unnamed: -2})

        assert totals.Totals(connection).shown([FINESS])[0].unnamed == 1

    def test_a_recount_keeps_the_tops(self, connection: sqlite3.Connection) -> None:
        """Fewer after a change of settings: the counter waits."""
        gone = Measure(m.ERRORS, FINESS, "XDSRegistryBusy")
        totals.write(connection, {SUBMITTED: 5, gone: 2})
        totals.replace(connection, {SUBMITTED: 4})
        found = totals.Totals(connection).shown([FINESS])[0]

        assert totals.stored(connection) == {SUBMITTED: 4}
        assert (found.submissions, found.errors) == (5, {"XDSRegistryBusy": 2})

    @given(st.lists(st.lists(st.integers(0, 700_000), max_size=4), max_size=8))
    def test_buckets_stay_cumulative(self, chunks: list[list[int]]) -> None:
        """Delays that change, up or down, never leave a bucket with less than nothing: Prometheus can read them."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            connection.executescript(schema.MIGRATIONS[0] + schema.MIGRATIONS[1])
            before: Counter[Measure] = Counter()
            live = totals.Totals(connection)
            for delays in chunks:
                now: Counter[Measure] = Counter()
                for delay in delays:
                    now.update(Measure(m.ANSWER, FINESS, str(bound)) for bound in m.BOUNDS[m.ANSWER] if delay <= bound)
                    now[Measure(m.ANSWER, FINESS, m.INFINITE)] += 1
                change = Counter(now)
                change.subtract(before)
                live.apply(change)
                state = live.shown([FINESS])[0].answer
                assert min(state.counts) >= 0
                assert state.count >= len(delays)
                before = now
        finally:
            connection.close()


class TestStore:
    """The counts of a store, message after message."""

    def test_an_answer_is_counted_when_it_comes(self, store: Store) -> None:
        """Submitted first, accepted later, with both delays."""
        take(store, *STAY, LETTER)
        first = shown(store)
        take(store, YES)
        then = shown(store)

        assert (first.submissions, first.responses, first.publication.count) == (1, {}, 0)
        assert (then.submissions, then.responses) == (1, {"accepted": 1})
        assert (then.publication.count, then.publication.total) == (1, 7_200)
        assert (then.answer.count, then.answer.total) == (1, 3_600)

    def test_a_later_word_changes_the_truth_and_not_the_counter(self, store: Store) -> None:
        """Refused, then accepted by the last word of the same trace: the refusal stays shown, the truth is one acceptance."""
        take(store, *STAY, LETTER, NO, YES)

        assert shown(store).responses == {"refused": 1, "accepted": 1}
        assert shown(store).errors == {"XDSRegistryBusy": 1}
        kept = totals.stored(store.ledger._connection)
        assert [key.label for key in kept if key.name == m.RESPONSES] == ["accepted"]

    def test_two_patients_made_one_are_not_counted_twice(self, store: Store) -> None:
        """A line of the log under the INS alone joins the patient it is about."""
        line = traced("2026-03-05 15:01", LOG, handle("message", 3), ipp=None)
        take(store, line, said("2026-03-05 15:01", handle("message", 3), trace=LOG), *STAY, LETTER)

        kept = totals.stored(store.ledger._connection)
        assert kept[SUBMITTED] == 1
        assert kept[Measure(m.RESPONSES, FINESS, m.ACCEPTED)] == 1

    def test_the_order_of_arrival_changes_no_sum(self) -> None:
        """Thirty shuffles of the traces of two letters count the same."""
        facts: list[AnyFact] = [
            *STAY,
            LETTER,
            NO,
            traced("2026-03-05 15:01", TRANSACTION),
            said("2026-03-05 15:02"),
            traced("2026-03-05 15:03", LOG, handle("message", 4)),
            said("2026-03-05 15:03", handle("message", 4), trace=LOG, accepted=False),
            document("2026-03-05 17:00", 2),
            answer("2026-03-05 17:30", 2),
        ]
        seen = set()
        shuffler = random.Random(3)
        for _ in range(30):
            shuffler.shuffle(facts)
            store = Store()
            try:
                for fact in facts:
                    store.record([fact])
                    store.fold()
                assert store.ledger.audit() == []
                seen.add(tuple(sorted(totals.stored(store.ledger._connection).items())))
            finally:
                store.close()

        assert len(seen) == 1

    def test_audit_finds_a_total_that_is_wrong(self, store: Store) -> None:
        """One submission too many in the sums is one difference, with both numbers."""
        take(store, *STAY, LETTER, YES)
        store.ledger._connection.execute("UPDATE totals SET n = n + 1 WHERE name = 'submissions'")
        (found,) = store.ledger.audit()

        assert (found.what, found.tallied, found.recounted) == (SUBMITTED, 2, 1)

    def test_a_change_of_settings_measures_everyone_again(self, store: Store) -> None:
        """Consultations counted from today: their reports have a delay from today."""
        consultation = [movement(one.event, "2026-03-05 10:00", n, patient_class="E") for n, one in enumerate(STAY, 1)]
        take(store, *consultation, LETTER, YES)
        assert shown(store).publication.count == 0
        store.ledger.close()
        store.ledger = Ledger(store.path, RuleSettings(classes=frozenset("IE")), KEYS)

        assert shown(store).publication.count == 1

    def test_a_store_of_the_first_version_is_measured_at_its_first_start(self, store: Store) -> None:
        """Patients folded before measures were known are measured, and a recount agrees."""
        take(store, *STAY, LETTER, YES)
        store.ledger.close()
        old = sqlite3.connect(store.path, isolation_level=None)
        old.executescript(
            "DROP TABLE hours; DROP TABLE totals; ALTER TABLE patients DROP COLUMN measures; PRAGMA user_version=1"
        )
        old.close()
        with pytest.raises(schema.StoreError, match="start the engine once"):
            Ledger(store.path, RuleSettings(), KEYS, read_only=True)
        store.reopen()

        assert shown(store).responses == {"accepted": 1}
        assert shown(store).publication.count == 1
