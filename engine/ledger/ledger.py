"""The ledger: the one door to the store. Everything goes through one thread at a time.

``record`` makes messages durable, ``fold`` turns them into tallies, ``audit`` recounts everything from the facts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct, structs

from engine.ledger import schema, tallies, totals
from engine.ledger.book import Book
from engine.ledger.changes import Changes, Judged
from engine.ledger.journal import Entry, Journal
from engine.ledger.keeper import MOST_PAGES, Keeper
from engine.ledger.patient import Attachment, View
from engine.ledger.recount import Recount
from engine.metrics.measures import Measure, measures
from engine.metrics.rules.judge import judge
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import Directory, RuleSettings

_DAY: Final = 86_400


class Difference(Struct, frozen=True):
    """A tally, or a total, that a recount from scratch finds different."""

    what: Verdict | Measure
    tallied: int
    recounted: int


class StaleError(Exception):
    """The tallies were counted under other settings than those the ledger was opened with: nothing can be compared with them."""


def known_keys(path: Path) -> dict[str, bytes]:
    """The ids of the keys a store was written with (purpose -> id); empty when there is no store yet."""
    if not path.exists():
        return {}
    connection = schema.connect(path, read_only=True)
    try:
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            return {}
        row = connection.execute("SELECT value FROM meta WHERE name = 'keys'").fetchone()
        return msgspec.msgpack.decode(row[0], type=dict[str, bytes]) if row else {}
    finally:
        connection.close()


class Ledger:
    """A store, opened for writing (by the engine) or for reading (by the commands)."""

    def __init__(
        self,
        path: Path,
        settings: RuleSettings,
        key_ids: Mapping[str, bytes],
        *,
        first_day: int = 0,
        aside_bytes: int = 268_435_456,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open. ``first_day``: the earliest day any window may show (epoch ordinal). Raises :class:`schema.StoreError`."""
        self._lock = None if read_only else schema.Lock(path)
        self._connection = schema.connect(path, read_only=read_only)
        if read_only:
            schema.require_current(self._connection, path)
        self._clock = clock
        self._settings = settings
        self._fingerprint = settings.fingerprint()
        if not read_only:
            self._set_meta("keys", msgspec.msgpack.encode(dict(key_ids)))
        attachment = Attachment(settings.attach_days, settings.classes, settings.match_hours * 3_600)
        self.journal = Journal(self._connection, aside_bytes)
        self.book = Book(self._connection, self._judge, attachment)
        self._first_day = first_day
        if not read_only:
            before = self._meta("settings")
            if before is not None and before != self._fingerprint:
                self.recount()
            self._set_meta("settings", self._fingerprint)
        self.sums = tallies.Sums(self._connection, first_day)
        self.totals = totals.Totals(self._connection)
        self._keeper: Keeper | None = None
        self._path = path

    def _judge(self, view: View) -> Judged:
        return Judged(judge(view, self._settings), measures(view, self._settings))

    @property
    def settings(self) -> RuleSettings:
        """What the subjects are judged with."""
        return self._settings

    @property
    def stale(self) -> bool:
        """Whether the tallies are those of other settings (or of another directory), or are being counted again. The engine mends it; a reader cannot."""
        return self._meta("settings") not in {None, self._settings.fingerprint()}

    def keep(self) -> None:
        """Leave the checkpoints to a thread of their own, so that no commit waits for one."""
        self._keeper = Keeper(self._path)
        self._connection.execute(f"PRAGMA wal_autocheckpoint={MOST_PAGES}")

    # -- the two steps ------------------------------------------------------------------------------------------------

    def record(self, entries: Sequence[Entry]) -> None:
        """Make a batch durable; raises ``sqlite3.Error`` and changes nothing when that cannot be."""
        self.journal.record(entries)

    def fold(self, limit: int) -> int:
        """Fold at most ``limit`` recorded messages; how many."""
        keys, changes = self.book.fold(limit, int(self._clock()) // _DAY)
        self.journal.folded(keys)
        self._apply(changes)
        return len(keys)

    def _apply(self, changes: Changes) -> None:
        self.sums.apply(changes.verdicts)
        self.totals.apply(changes.measures)

    def oldest(self) -> bytes:
        """The encoded facts of the oldest pending message."""
        return self.book.oldest()

    def skip(self) -> None:
        """Take the oldest pending message out of the journal without folding it."""
        self.journal.folded(self.book.skip())

    def sweep(self) -> None:
        """Daily housekeeping."""
        now = int(self._clock())
        self.book.applications.sweep(now // _DAY)
        self.journal.sweep(now)

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(self, handle: bytes) -> View | None:
        """All that is known of the patient of an identifier (pseudonym)."""
        return self.book.find(handle)

    def views(self) -> Iterator[View]:
        """Every patient as the facts tell, at one instant of the store."""
        self._connection.execute("BEGIN")
        try:
            for page in self.book.views():
                for _, view in page:
                    yield view
        finally:
            self._connection.execute("ROLLBACK")

    # -- recounting ---------------------------------------------------------------------------------------------------

    def audit(self) -> list[Difference]:
        """Judge every subject again from its facts, and compare with the tallies and the totals; empty when all is right.

        The journal must be empty of what the tallies do not hold yet: pending messages are in neither. Raises :class:`StaleError`.
        """
        self._connection.execute("BEGIN")
        try:
            if self.stale:
                raise StaleError
            verdicts: Counter[Verdict] = Counter()
            measured: Counter[Measure] = Counter()
            for page in self.book.everyone():
                for _, judged in page:
                    verdicts.update(judged.verdicts)
                    measured.update(judged.measures)
            tallied, summed = tallies.stored(self._connection), totals.stored(self._connection)
        finally:
            self._connection.execute("ROLLBACK")
        return [
            *(Difference(what, tallied[what], verdicts[what]) for what in _differing(tallied, verdicts)),
            *(Difference(what, summed[what], measured[what]) for what in _differing(summed, measured)),
        ]

    def recount(self) -> None:
        """Replace every verdict, tally and total by what the facts say today (after a change of the counting's settings)."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            verdicts: Counter[Verdict] = Counter()
            measured: Counter[Measure] = Counter()
            for page in self.book.everyone():
                for _, judged in page:
                    verdicts.update(judged.verdicts)
                    measured.update(judged.measures)
                packed = [(tallies.pack(found.verdicts), totals.pack(found.measures), n) for n, found in page]
                self._connection.executemany("UPDATE patients SET verdicts = ?, measures = ? WHERE id = ?", packed)
            execute("DELETE FROM tallies")
            tallies.write(self._connection, verdicts)
            totals.replace(self._connection, measured)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        self.sums = tallies.Sums(self._connection, self._first_day)
        self.totals = totals.Totals(self._connection)

    def resettle(self, directory: Directory) -> Recount:
        """Judge with another directory of correspondents from now on: those who were judged before, as the recount is stepped through."""
        settings = structs.replace(self._settings, directory=directory)
        fingerprint = settings.fingerprint()
        self._set_meta("settings", b"")  # left in the middle, the next start recounts everything
        self._settings = settings
        return Recount(self._connection, self.book, self._apply, lambda: self._set_meta("settings", fingerprint))

    # -- the rest -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the store; everything that was recorded is on disk."""
        if self._keeper is not None:
            self._keeper.stop()
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def _meta(self, name: str) -> bytes | None:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def _set_meta(self, name: str, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (name, value))


_What = TypeVar("_What", Verdict, Measure)


def _differing(one: Counter[_What], other: Counter[_What]) -> list[_What]:
    return [what for what in sorted(one.keys() | other.keys()) if one[what] != other[what]]
