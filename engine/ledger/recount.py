"""Judging everyone again while messages go on: a page of patients a transaction, each leaving the sums equal to what the verdicts say.

Between two pages, messages may be recorded and folded. The store says that it is under way (``SETTINGS`` empty): left in the middle, the next
start recounts everything.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Final

from engine.ledger import tallies, totals
from engine.ledger.book import Book
from engine.ledger.changes import Changes

_PAGE: Final = "SELECT id, facts, verdicts, measures FROM patients WHERE id > ? ORDER BY id LIMIT ?"


class Recount:
    """One pass over the patients of a store, on the writer's thread."""

    def __init__(
        self, connection: sqlite3.Connection, book: Book, apply: Callable[[Changes], None], finish: Callable[[], None]
    ) -> None:
        """``apply`` follows each change once it is committed, ``finish`` the end."""
        self._connection = connection
        self._book = book
        self._apply = apply
        self._finish = finish
        self._last = 0

    def step(self, limit: int) -> bool:
        """Judge the next ``limit`` patients again; False once there is none left. After an error, the same step may be asked for again."""
        changes = Changes(Counter(), Counter())
        rows = self._connection.execute(_PAGE, (self._last, limit)).fetchall()
        if not rows:
            self._finish()
            return False
        changed: list[tuple[bytes, bytes, int]] = []
        for number, facts, verdicts, measures in rows:
            judged = self._book.judged(facts)
            packed = tallies.pack(judged.verdicts), totals.pack(judged.measures)
            if packed != (verdicts, measures):
                changes.verdicts.update(judged.verdicts)
                changes.verdicts.subtract(tallies.unpack(verdicts))
                changes.measures.update(judged.measures)
                changes.measures.subtract(totals.unpack(measures))
                changed.append((*packed, number))
        if changed:
            found = Changes(
                Counter({verdict: n for verdict, n in changes.verdicts.items() if n}),
                Counter({measure: n for measure, n in changes.measures.items() if n}),
            )
            self._write(changed, found)
            self._apply(found)
        self._last = rows[-1][0]
        return True

    def _write(self, changed: list[tuple[bytes, bytes, int]], changes: Changes) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("UPDATE patients SET verdicts = ?, measures = ? WHERE id = ?", changed)
            tallies.write(self._connection, changes.verdicts)
            totals.write(self._connection, changes.measures)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
