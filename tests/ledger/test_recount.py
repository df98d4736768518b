"""Another directory of correspondents while messages go on: everyone is judged again, and the sums are always those of the verdicts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from engine.facts import AnyFact
from engine.ledger.ledger import Ledger
from engine.metrics.periods import Window, day_of
from engine.metrics.settings import Directory
from tests.ledger.build import at
from tests.ledger.facts import FINESS, facts, handle
from tests.ledger.test_mail_meaning import DOCTOR, KNOWN, OTHER_DOCTOR, letter, mail
from tests.ledger.test_order import KEYS, SETTINGS, Store
from tests.ledger.test_traces import STAY

OTHER = Directory(
    names={handle("address", 1): handle("known", 2), handle("address", 2): handle("known", 2)},
    equipped=frozenset({handle("known", 2)}),
)


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store()
    yield made
    made.close()


def opened(store: Store, directory: Directory) -> Ledger:
    """The same store, opened anew with a directory."""
    store.ledger.close()
    store.ledger = Ledger(store.path, structs.replace(SETTINGS, directory=directory), KEYS)
    return store.ledger


@given(
    st.lists(st.lists(facts, min_size=1, max_size=4), max_size=8), st.integers(0, 8), st.integers(1, 3), st.booleans()
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
def test_as_if_the_directory_had_always_been_that_one(
    messages: list[list[AnyFact]], before: int, page: int, between: bool
) -> None:
    """Whatever comes before, between the pages and after, the sums end as those of a store that never knew another directory."""
    one, other = Store(), Store()
    try:
        opened(other, OTHER)
        for message in messages:
            other.record(message)
        other.fold()
        for message in messages[:before]:
            one.record(message)
        one.fold()
        recount = one.ledger.resettle(OTHER)
        for message in messages[before:]:
            one.record(message)
        while recount.step(page):
            if between:
                one.fold(1)
        while one.ledger.journal.pending:
            one.fold(1)
        assert one.ledger.audit() == []
        assert one.tallies() == other.tallies()
        assert one.totals() == other.totals()
    finally:
        one.close()
        other.close()


def test_left_in_the_middle(store: Store) -> None:
    """A recount that did not come to its end is done whole at the next start; one that did is not done again."""
    stamp = "SELECT value FROM meta WHERE name = 'settings'"
    recount = store.ledger.resettle(OTHER)
    store.ledger.close()
    connection = sqlite3.connect(store.path)
    assert connection.execute(stamp).fetchone() == (b"",)
    ledger = opened(store, OTHER)
    assert connection.execute(stamp).fetchone() == (ledger.settings.fingerprint(),)
    recount = ledger.resettle(SETTINGS.directory)
    assert not recount.step(10)
    assert connection.execute(stamp).fetchone() == (SETTINGS.fingerprint(),)
    connection.close()


def test_what_is_shown_follows(store: Store) -> None:
    """The sums in memory, which are shown, change with those of the store: two addresses become one correspondent."""
    ledger = opened(store, Directory())
    day = day_of(at("2026-03-05 15:00"), "Europe/Paris")
    window = Window("rolling", day, day)
    store.record([*STAY, letter(recipients=(DOCTOR, OTHER_DOCTOR), intended=(DOCTOR, OTHER_DOCTOR)), mail()])
    store.fold()
    assert ledger.sums.totals("DS4.1", FINESS, window).met == 1
    assert sum(ledger.sums.totals("DS4.1", FINESS, window).missed.values()) == 1
    assert ledger.sums.totals("D6.3", FINESS, window).met == 1

    known = Directory(names=dict.fromkeys((DOCTOR, OTHER_DOCTOR), KNOWN), equipped=frozenset({KNOWN}))
    recount = ledger.resettle(known)
    assert ledger.settings.directory == known
    assert recount.step(10)
    assert not recount.step(10)

    assert ledger.sums.totals("DS4.1", FINESS, window) == (1, {}, {})
    assert ledger.sums.totals("D6.3", FINESS, window) == (1, {}, {})
    assert ledger.audit() == []
