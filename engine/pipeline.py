"""accept -> parse -> batch -> commit -> acknowledge -> fold: the one way data flows, on one writer thread.

The event loop hands payloads in; the writer reads them, makes a whole batch durable with one commit, and only then
gives the receipts back to the loop. When nothing waits, it folds what is durable into the tallies. Under load it
commits what came meanwhile (group commit) and folds in small bites, so that acknowledgements never wait for sums.
A large payload is read by a thread of its own, one at a time, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from msgspec import Struct

from engine.bite import LEAST, MOST, Bite
from engine.feed import Feed
from engine.ledger.journal import Entry
from engine.ledger.ledger import Ledger
from engine.ledger.recount import Recount
from engine.metrics.histogram import COMMIT_SECONDS, PARSE_SECONDS, Histogram
from engine.receipt import Receipt

_log = structlog.get_logger()

# How long the writer waits for more messages before it folds: a closed loop of senders comes back within that.
_PAUSE: Final = 0.002
# A fold is cut in bites (engine/bite.py), so that a commit never waits long; in larger ones when nothing came for so many pauses.
_QUIET: Final = 10
_QUIET_BITE: Final = 64
# A commit of so few messages says that the flow is calm: it is followed by its share of folding, so that nothing is ever
# late; in a flood, acknowledging goes first.
_CALM: Final = 16
# A commit takes so many messages at least, when they are there, and more when the disk is slow: so many per second that
# it takes. Small commits let the senders answer while the next one is made.
_BATCH: Final = 32
_SPREAD: Final = 80_000
# Beyond so many messages folded late, the senders are slowed down by folding more.
_BACKLOG: Final = 100_000
# The indicators are never older than this under load (seconds), as long as the backlog is bounded.
_FRESH: Final = 0.25
# What is shown is made again so often (seconds): it costs some milliseconds.
_SHOWN: Final = 0.5
# A payload of more bytes may take a tenth of a second to read, most of it outside the interpreter (digests, inflating):
# it is read beside the others.
_LARGE: Final = 512 * 1024
_BATCH_BYTES: Final = 32 * 1024 * 1024
_RETRY: Final = 1.0
# The loop thread must get the interpreter back quickly while the writer folds (CPython's default is 5 ms).
_SWITCH: Final = 0.001

_ACCEPTED: Final = Receipt("accepted")
_DUPLICATE: Final = Receipt("duplicate")
_WORST: Final = {"duplicate": 0, "accepted": 1, "aside": 2, "refused": 3, "unavailable": 4}
_UNAVAILABLE: Final = Receipt("unavailable", "store-unavailable", "")

Done = Callable[[Receipt], None]


class _Waiting(Struct, eq=False):
    payload: bytes
    feed: Feed
    done: Done
    entries: list[Entry] | None = None  # once it was read
    took: float = 0.0  # seconds of reading


class Pipeline:
    """Owns the writer thread and, through it, the ledger. ``start`` and ``submit`` are called on the event loop."""

    def __init__(
        self,
        ledger: Ledger,
        feeds: Mapping[str, Feed],
        *,
        batch: int = 512,
        clock: Callable[[], float] = time.time,
        publish: Callable[[], None] = lambda: None,
    ) -> None:
        """``publish`` is called on the writer thread after the tallies changed, at most a few times a second."""
        self._ledger = ledger
        self._feeds = feeds
        self._batch = batch
        self._clock = clock
        self._publish = publish
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._large: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._reader = threading.Thread(target=self._read_large, name="reader", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._folded_at = 0.0
        self._bite = Bite()
        self._silence = 0
        self._most = batch
        self._published_at = 0.0
        self._retry_at = 0.0
        self._postponed = False
        self._swept = 0
        self._recounts: queue.SimpleQueue[Callable[[], Recount]] = queue.SimpleQueue()
        self._begin: Callable[[], Recount] | None = None
        self._recounting: Recount | None = None
        self._recounted_at = 0.0
        self.parse_seconds = Histogram(PARSE_SECONDS)
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        self.available = True
        self._moved_at = time.monotonic()

    # -- the event loop's side ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write."""
        sys.setswitchinterval(_SWITCH)
        self._loop = asyncio.get_running_loop()
        self._ledger.keep()
        self._thread.start()
        self._reader.start()

    def submit(self, payload: bytes, feed: str, done: Done) -> None:
        """Take a payload; ``done`` is called once, on the loop's thread, in the order of submission; that of a large one maybe later."""
        waiting = _Waiting(payload, self._feeds[feed], done)
        (self._large if len(payload) > _LARGE else self._queue).put(waiting)

    async def accept(self, payload: bytes, feed: str) -> Receipt:
        """Take a payload and wait for what becomes of it."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

        def done(receipt: Receipt) -> None:
            if not future.done():  # the waiter may have been cancelled
                future.set_result(receipt)

        self.submit(payload, feed, done)
        return await future

    def recount(self, begin: Callable[[], Recount]) -> None:
        """Have everyone judged again, a page after each batch; ``begin`` is called on the writer's thread. A newer one takes over."""
        self._recounts.put(begin)

    def alive(self, seconds: float) -> bool:
        """Whether both threads run, and the writer went round within so many seconds (idle, it does each 0.2 s)."""
        moved = time.monotonic() - self._moved_at <= seconds
        return moved and self._thread.is_alive() and self._reader.is_alive()

    async def stop(self) -> None:
        """Write and answer everything that was submitted, then end the thread. The backlog stays in the journal."""
        self._large.put(None)  # passed on to the writer, behind the last large one
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        await asyncio.sleep(0)  # the last receipts are delivered by the loop

    # -- the reader's side --------------------------------------------------------------------------------------------

    def _read_large(self) -> None:
        while (waiting := self._large.get()) is not None:
            self._read(waiting)
            self._queue.put(waiting)
        self._queue.put(None)

    def _read(self, waiting: _Waiting) -> list[Entry]:
        if waiting.entries is None:
            before = time.perf_counter()
            waiting.entries = waiting.feed.entries(waiting.payload, int(self._clock()))
            waiting.took = time.perf_counter() - before
        return waiting.entries

    # -- the writer's side --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._moved_at = time.monotonic()
            batch = self._next()
            self._silence = 0 if batch else self._silence + 1
            if batch:
                self._commit(batch)
            self._fold(len(batch))
            self._recount(len(batch))
            self._show_safely()

    def _next(self) -> list[_Waiting]:
        """What waits, as one batch; waits itself when there is nothing to fold either."""
        pending = (self._ledger.journal.pending or self._recounting) and time.monotonic() >= self._retry_at
        try:
            first = self._queue.get(timeout=_PAUSE if pending else 0.2)
        except queue.Empty:
            return []
        batch: list[_Waiting] = []
        size = 0
        item: _Waiting | None = first
        while True:
            if item is None:
                self._stopping = True
                break
            batch.append(item)
            size += len(item.payload)
            if len(batch) >= self._most or size >= _BATCH_BYTES:
                break
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        read = [self._read(waiting) for waiting in batch]
        for waiting in batch:
            self.parse_seconds.observe(waiting.took)
        before = time.perf_counter()
        try:
            self._ledger.record([entry for entries in read for entry in entries])
        except Exception as error:  # noqa: BLE001
            # Disk full, store locked, I/O error, or our own fault: nothing of the batch is on disk, and the senders are told.
            if self.available:
                _log.error("store-unavailable", error=error)
            self.available = False
            self._answer(batch, [_UNAVAILABLE] * len(batch))
            return
        took = time.perf_counter() - before
        self.commit_seconds.observe(took)
        self._most = min(self._batch, max(_BATCH, int(took * _SPREAD)))
        if not self.available:
            _log.info("store-available")
        self.available = True
        self._answer(batch, [_receipt(entries) for entries in read])

    def _answer(self, batch: list[_Waiting], receipts: list[Receipt]) -> None:
        assert self._loop is not None
        answers = [(waiting.done, receipt) for waiting, receipt in zip(batch, receipts, strict=True)]
        try:
            self._loop.call_soon_threadsafe(_deliver, answers)
        except RuntimeError:  # the loop is closed: nobody is left to be told, and what is on disk stays there
            _log.warning("receipts-undelivered", count=len(answers))

    def _fold(self, came: int) -> None:
        """Fold some of the journal; ``came``: how many messages were just committed."""
        pending = self._ledger.journal.pending
        now = time.monotonic()
        if not pending or self._stopping or now < self._retry_at:
            return
        limit = self._bite.size if self._silence < _QUIET else max(self._bite.size, _QUIET_BITE)
        if pending >= _BACKLOG:
            limit = max(limit, 2 * came)  # no faster in than out: the senders wait
        elif 0 < came <= _CALM:
            if pending < LEAST:
                return
            limit = max(limit, 2 * came)
        elif came and now - self._folded_at < _FRESH:
            return
        done = 0
        try:
            done = self._ledger.fold(limit)
            self._postponed = False
        except (sqlite3.Error, OSError) as error:
            if self._postpone():
                _log.error("fold-postponed", error=error)
        except Exception as error:  # noqa: BLE001  # a message that cannot be counted must not stop the others
            _log.error("fold-failed", error=error)
            self._isolate()
        self._folded_at = time.monotonic()
        self._bite.took(done, self._folded_at - now)

    def _recount(self, came: int) -> None:
        """A page of the recount that was asked for, if one was."""
        now = time.monotonic()
        if self._stopping or now < self._retry_at or (came > _CALM and now - self._recounted_at < _FRESH):
            return
        self._recounted_at = now
        try:
            while not self._recounts.empty():
                self._begin, self._recounting = self._recounts.get(), None
            if self._begin is not None:
                self._recounting, self._begin = self._begin(), None
            if self._recounting is None:
                return
            if not self._recounting.step(_QUIET_BITE if self._silence >= _QUIET else LEAST):
                self._recounting = None
                _log.info("recounted")
        except (sqlite3.Error, OSError) as error:
            if self._postpone():
                _log.error("recount-postponed", error=error)
        except Exception as error:  # noqa: BLE001  # the next start recounts everything
            _log.error("recount-failed", error=error)
            self._recounting = self._begin = None

    def _postpone(self) -> bool:
        """The store cannot be written: what can wait is tried again in a moment. Whether to tell it: once, for the log may be on the same full disk."""
        first = not self._postponed
        self._postponed = True
        self._retry_at = time.monotonic() + _RETRY
        return first

    def _isolate(self) -> None:
        """Fold one by one up to the message that cannot be folded, and put it aside: first kept, then taken out."""
        try:
            for _ in range(MOST):
                try:
                    if not self._ledger.fold(1):
                        return
                except (sqlite3.Error, OSError):
                    raise
                except Exception:  # noqa: BLE001  # logged by the caller; this is the message
                    feed = next(iter(self._feeds.values()))
                    self._ledger.record([feed.unfolded(self._ledger.oldest(), int(self._clock()))])
                    self._ledger.skip()
                    return
        except (sqlite3.Error, OSError) as error:
            if self._postpone():
                _log.error("fold-postponed", error=error)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._published_at < _SHOWN:
            return
        self._published_at = now
        today = int(self._clock()) // 86_400
        if today != self._swept:
            self._swept = today
            self._ledger.sweep()
        self._publish()

    def _show_safely(self) -> None:
        """What is shown may fail; the writer goes on."""
        try:
            self._show()
        except Exception as error:  # noqa: BLE001
            _log.error("snapshot-failed", error=error)


def _receipt(entries: list[Entry]) -> Receipt:
    """What became of a payload; of a batch, the answer of the message that fared worst."""
    if len(entries) == 1:
        return _outcome(entries[0])
    return max(map(_outcome, entries), key=lambda receipt: _WORST[receipt.status], default=_ACCEPTED)


def _outcome(entry: Entry) -> Receipt:
    if entry.duplicate:
        return _DUPLICATE
    if not entry.code:
        return _ACCEPTED
    return Receipt("aside" if entry.kept else "refused", entry.code, entry.place)


def _deliver(answers: list[tuple[Done, Receipt]]) -> None:
    for done, receipt in answers:
        try:
            done(receipt)
        except Exception as error:  # noqa: BLE001  # one listener's fault must not keep the others' receipts
            _log.error("receipt-not-taken", error=error)
