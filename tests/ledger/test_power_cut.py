"""A power cut: what was acknowledged is there, what was only counted is counted again."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.ledger import tallies
from engine.ledger.ledger import Ledger
from tests.ledger.build import answer, document, movement
from tests.ledger.test_order import KEYS, SETTINGS, Store

ADMISSION = movement("A01", "2026-03-02 10:00", 1)
DISCHARGE = movement("A03", "2026-03-05 14:00", 2)
LETTER = document("2026-03-05 15:00")
YES = answer("2026-03-05 16:00")


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store()
    yield made
    made.close()


def copied(store: Store, folder: Path) -> Path:
    """The store's files as they are at this instant."""
    folder.mkdir()
    for file in store.path.parent.glob(f"{store.path.name}*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, folder)
    return folder / store.path.name


@contextmanager
def found(path: Path) -> Iterator[Ledger]:
    """The ledger of copied files."""
    ledger = Ledger(path, SETTINGS, KEYS)
    try:
        yield ledger
    finally:
        ledger.close()


def test_what_the_disk_may_forget_is_counted_again(store: Store, tmp_path: Path) -> None:
    """The files of before the counting, found after a cut, give the same sums; those of after the next message hold that counting too."""
    for fact in (ADMISSION, DISCHARGE, LETTER):
        store.record([fact])
    before = copied(store, tmp_path / "before")
    store.fold()
    counted = store.tallies()
    assert counted

    with found(before) as ledger:
        assert ledger.journal.pending == 3
        ledger.fold(10)
        assert tallies.stored(ledger._connection) == counted
        assert ledger.audit() == []

    store.record([YES])
    with found(copied(store, tmp_path / "after")) as ledger:
        assert ledger.journal.pending == 1
        assert tallies.stored(ledger._connection) == counted


def test_every_commit_that_is_acknowledged_is_durable(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the counting may end before it is on disk; after it, and after one that failed, commits are durable again."""
    said: list[str] = []
    connection = store.ledger._connection
    connection.set_trace_callback(said.append)

    def modes() -> list[str]:
        mode, found = "FULL", []
        for statement in said:
            if statement.startswith("PRAGMA synchronous="):
                mode = statement.partition("=")[2]
            elif statement == "COMMIT":
                found.append(mode)
        return found

    store.record([ADMISSION])
    store.fold()
    store.record([DISCHARGE])
    assert modes() == ["FULL", "NORMAL", "FULL"]
    said.clear()

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(store.ledger.book, "_close", broken)
        with pytest.raises(sqlite3.OperationalError):
            store.fold()
    store.record([LETTER])
    assert modes() == ["FULL"]
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
