"""First step of the memory: what must be on disk before a message is acknowledged.

A batch of messages is one transaction: their digests (so that the same message counts once), their facts (to be folded
into the subjects later, in any order), their counters, and what could not be read, sealed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

RECEIVED: Final = "received"
DUPLICATE: Final = "duplicate"
REUSED: Final = "reused"
REJECTED: Final = "rejected"
FLAG: Final = "flag"
NOT_PRODUCTION: Final = "not-production"

HOUR: Final = 3_600
HOURS_KEPT: Final = 7 * 7 * 24  # seven weeks: engine.metrics.habit looks at six


class Entry(Struct):
    """One message as the journal keeps it."""

    feed: str
    day: int  # day of MSH-7 (epoch days); 0 when unreadable
    control: bytes  # digest of (feed, sender, control id); that of the content when unreadable
    content: bytes  # digest of the bytes
    facts: bytes | None  # encoded; None when there is nothing to fold
    received: int  # epoch seconds
    flags: tuple[str, ...] = ()
    production: bool = True
    code: str = ""  # why it could not be read
    place: str = ""
    sealed: bytes | None = None
    kept: bool = True  # False: refused, only counted
    counted: bool = True  # False: not a message that came, but what became of one
    duplicate: bool = False  # set by record()


class Journal:
    """Writes batches; one writer, one thread."""

    def __init__(self, connection: sqlite3.Connection, aside_bytes: int) -> None:
        self._connection = connection
        self._aside_limit = aside_bytes
        # What is in the journal is not in seen yet: (day, control) -> contents.
        self._waiting: dict[tuple[int, bytes], list[bytes]] = {}
        self.pending = 0
        for day, control, content in connection.execute("SELECT day, control, content FROM journal"):
            self._waiting.setdefault((day, control), []).append(content)
            self.pending += 1
        self.counters: Counter[tuple[str, str, str]] = Counter(
            {
                (feed, name, code): n
                for feed, name, code, n in connection.execute("SELECT feed, name, code, n FROM counters")
            }
        )
        self.aside, self.aside_bytes = connection.execute(
            "SELECT count(*), coalesce(sum(length(sealed)), 0) FROM aside"
        ).fetchone()
        self.last: dict[str, int] = dict(connection.execute("SELECT name, at FROM registers WHERE kind = 'feed'"))
        self.hours: dict[str, Counter[int]] = {}  # feed -> epoch hour of reception -> messages
        for feed, hour, n in connection.execute("SELECT feed, hour, n FROM hours"):
            self.hours.setdefault(feed, Counter())[hour] = n

    def record(self, entries: Sequence[Entry]) -> None:
        """Make the entries durable, or raise ``sqlite3.Error`` and leave everything as it was."""
        execute = self._connection.execute
        added: Counter[tuple[str, str, str]] = Counter()
        last: dict[str, int] = {}
        hours: Counter[tuple[str, int]] = Counter()
        rows: list[tuple[int, bytes, bytes, bytes | None]] = []
        aside, aside_bytes = self.aside, self.aside_bytes
        execute("BEGIN IMMEDIATE")
        try:
            for entry in entries:
                feed = entry.feed
                if entry.counted:
                    added[feed, RECEIVED, ""] += 1
                    last[feed] = entry.received
                    hours[feed, entry.received // HOUR] += 1
                if entry.kept and not self._first(entry, added):
                    entry.duplicate = True
                    added[feed, DUPLICATE, ""] += 1
                    continue
                for flag in entry.flags:
                    added[feed, FLAG, flag] += 1
                if not entry.production:
                    added[feed, NOT_PRODUCTION, ""] += 1
                if entry.kept:
                    rows.append((entry.day, entry.control, entry.content, entry.facts))
                if entry.code:
                    added[feed, REJECTED, entry.code] += 1
                    if entry.sealed is not None:
                        aside += 1
                        aside_bytes += len(entry.sealed)
                        execute(
                            "INSERT INTO aside(feed, received, code, place, sealed) VALUES(?, ?, ?, ?, ?)",
                            (feed, entry.received, entry.code, entry.place, entry.sealed),
                        )
            self._connection.executemany("INSERT INTO journal(day, control, content, facts) VALUES(?, ?, ?, ?)", rows)
            self._connection.executemany(
                "INSERT INTO counters VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                [(*key, n) for key, n in added.items()],
            )
            self._connection.executemany(
                "INSERT INTO registers VALUES('feed', ?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
                last.items(),
            )
            self._connection.executemany(
                "INSERT INTO hours VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                [(*key, n) for key, n in hours.items()],
            )
            while aside_bytes > self._aside_limit:  # the oldest leave; they stay counted
                oldest = execute("SELECT id, length(sealed) FROM aside ORDER BY id LIMIT 1").fetchone()
                execute("DELETE FROM aside WHERE id = ?", (oldest[0],))
                aside, aside_bytes = aside - 1, aside_bytes - oldest[1]
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            for entry in entries:
                entry.duplicate = False
            self._forget(rows)
            raise
        self.counters.update(added)
        self.last.update(last)
        for (feed, hour), n in hours.items():
            self.hours.setdefault(feed, Counter())[hour] += n
        self.pending += len(rows)
        self.aside, self.aside_bytes = aside, aside_bytes

    def sweep(self, now: int) -> None:
        """Forget the hours that no habit looks at any more; ``now`` in epoch seconds."""
        oldest = now // HOUR - HOURS_KEPT
        self._connection.execute("DELETE FROM hours WHERE hour < ?", (oldest,))
        for counts in self.hours.values():
            for hour in [hour for hour in counts if hour < oldest]:
                del counts[hour]

    def _first(self, entry: Entry, added: Counter[tuple[str, str, str]]) -> bool:
        """Whether this content was never seen under this control id; counts a control id used again."""
        key = (entry.day, entry.control)
        waiting = self._waiting.get(key)
        known = self._connection.execute("SELECT content FROM seen WHERE day = ? AND control = ?", key).fetchall()
        if waiting is not None or known:
            contents = {*(waiting or ()), *(content for (content,) in known)}
            if entry.content in contents:
                return False
            added[entry.feed, REUSED, ""] += 1
        if waiting is None:
            self._waiting[key] = [entry.content]
        else:
            waiting.append(entry.content)
        return True

    def folded(self, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
        """These left the journal for ``seen``: (day, control, content)."""
        self._forget(rows)
        self.pending -= len(rows)

    def _forget(self, rows: Iterable[Sequence[Any]]) -> None:
        for day, control, content, *_ in rows:
            contents = self._waiting.get((day, control))
            if contents is not None and content in contents:
                contents.remove(content)
                if not contents:
                    del self._waiting[day, control]
