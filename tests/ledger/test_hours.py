"""The hours of a feed: what its habit is learnt from."""

import sqlite3
from pathlib import Path

import pytest

from engine.ledger import schema
from engine.ledger.journal import HOUR, HOURS_KEPT, Entry, Journal

NOW = 493_000 * HOUR + 600


def entry(number: int, at: int, feed: str = "his", *, counted: bool = True) -> Entry:
    """A message received at an instant."""
    return Entry(feed, 1, b"c%d" % number, b"x", None, at, counted=counted)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "store.sqlite"


def journal(path: Path) -> Journal:
    """The journal of the store, as a start finds it."""
    return Journal(schema.connect(path), 1_000_000)


def test_messages_are_counted_by_the_hour_they_came_in(path: Path) -> None:
    """By feed, duplicates among them, what is no message left out; a restart knows the same."""
    found = journal(path)
    found.record([entry(1, NOW), entry(1, NOW), entry(2, NOW + HOUR), entry(3, NOW, "labo")])
    found.record([entry(4, NOW + 10), entry(5, NOW, counted=False)])
    expected = {"his": {493_000: 3, 493_001: 1}, "labo": {493_000: 1}}
    assert found.hours == expected
    assert journal(path).hours == expected


def test_a_batch_that_was_not_written_is_not_counted(path: Path) -> None:
    """Neither in memory nor on the disk."""
    found = journal(path)
    found._connection.execute("DROP TABLE journal")
    with pytest.raises(sqlite3.OperationalError):
        found.record([entry(1, NOW)])
    assert found.hours == {}
    assert found._connection.execute("SELECT count(*) FROM hours").fetchone() == (0,)


def test_old_hours_are_forgotten(path: Path) -> None:
    """The store does not grow with the years."""
    found = journal(path)
    found.record([entry(1, NOW), entry(2, NOW - HOURS_KEPT * HOUR), entry(3, NOW - (HOURS_KEPT + 1) * HOUR)])
    found.sweep(NOW)
    kept = {"his": {493_000: 1, 493_000 - HOURS_KEPT: 1}}
    assert found.hours == kept
    assert journal(path).hours == kept
