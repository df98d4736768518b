"""Reads a source line by line into the pipeline, and keeps its mark where everything before has its receipt."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from engine.listeners.listener import Counters, Pipeline
from engine.listeners.positions import PRINT_BYTES, Book
from engine.listeners.sources import Source
from engine.listeners.window import Window

#: Bytes read at a time; a longer limit of a line makes it longer.
PIECE: Final = 1024 * 1024
# At least so many seconds between two writings of the positions while lines go through.
_EVERY: Final = 0.2
_NULS: Final = re.compile(rb"\0+")

_log: Final = structlog.get_logger(__name__)


class Follower:
    """Reads sources one after the other. ``saved`` writes the positions, or raises OSError."""

    def __init__(
        self,
        feed: str,
        pipeline: Pipeline,
        counters: Counters,
        book: Book,
        max_line_bytes: int,
        saved: Callable[[], Awaitable[None]],
        passed: Callable[[bytes], bool],
    ) -> None:
        """``passed`` tells of a line that it needs not be handed over at all."""
        self.stopping = asyncio.Event()
        self._feed = feed
        self._counters = counters
        self._book = book
        self._max = max_line_bytes
        self._saved = saved
        self._passed = passed
        self._window = Window(pipeline, feed, self._progress)
        self._dirty = False
        self._saved_at = 0.0

    def _progress(self) -> None:
        self._dirty = True

    async def drain(self, source: Source, *, final: bool) -> bool:
        """Hand over every line up to the end of the source as it is now; ``final``: its last line may have no end.

        False when the engine can take nothing now, or is stopping: the source is back at its mark. Raises what reading raises; what came
        before is handed over.
        """
        self._window.begin(source.mark.offset)
        if not source.skipping:
            source.rewind()
        count = max(PIECE, self._max + 2)
        try:
            while not self.stopping.is_set():
                data = await asyncio.to_thread(source.read, count)
                last = len(data) < count
                base, before = source.position, source.recent
                try:
                    reached = await self._lines(source, data, base, final=final and last)
                finally:
                    await self._settle(source, base, before + data)
                if self._window.stopped or self.stopping.is_set():
                    break
                source.position = reached
                end = len(before) + reached - base
                source.recent = (before + data)[max(end - PRINT_BYTES, 0) : end]
                if last:
                    return True
        finally:
            await self._settle(source, source.position, source.recent)
            await self.save()
        source.rewind()
        return False

    async def _lines(self, source: Source, data: bytes, base: int, *, final: bool) -> int:
        """Hand over the lines of some bytes; the position of the first line that is not complete."""
        start = 0
        if source.skipping:
            end = data.find(b"\n")
            if end < 0 and not final:
                return base + len(data)
            start = end + 1 if end >= 0 else len(data)
            source.skipping = False
            self._window.skip(base + start)
        while start < len(data) and not (self.stopping.is_set() or self._window.stopped):
            if not data[start]:
                # A hole: the file was truncated under a writer that went on at its former offset.
                hole = _NULS.match(data, start)
                stop = hole.end() if hole is not None else start
                if stop == len(data) and not final:
                    return base + stop
                self._counters.junk(stop - start)
                start = stop
                if start == len(data):
                    self._window.skip(base + start)
                    break
            end = data.find(b"\n", start)
            if end < 0 and not final:
                if len(data) - start <= self._max + 1:
                    break
                self._counters.rejected("too-large")
                source.skipping = True
                return base + len(data)
            stop = end + 1 if end >= 0 else len(data)
            line = data[start:stop].rstrip(b"\r\n")
            start = stop
            if len(line) > self._max:
                self._counters.rejected("too-large")
                self._window.skip(base + stop)
            elif not line or self._passed(line):
                self._window.skip(base + stop)
                await self._window.breathe()
            else:
                await self._window.give(line, base + stop)
        return base + start

    async def _settle(self, source: Source, base: int, data: bytes) -> None:
        """Wait for every receipt; ``data`` are the bytes up to the end of what was read, the last of them before ``base`` first."""
        begin = base - len(source.recent)
        while True:
            self._note(source, begin, data)
            if not self._window.outstanding:
                return
            due = self._saved_at + _EVERY - time.monotonic()
            if self._dirty and due <= 0:
                await self.save()
                continue
            self._window.moved.clear()
            try:
                await asyncio.wait_for(self._window.moved.wait(), due if self._dirty else None)
            except TimeoutError:
                continue

    def _note(self, source: Source, begin: int, data: bytes) -> None:
        """Bring the mark to where everything has its receipt."""
        offset = self._window.durable
        if offset == source.mark.offset:
            return
        if len(source.head) < PRINT_BYTES and begin <= len(source.head):
            source.head = (source.head[:begin] + data)[:PRINT_BYTES]
        source.tail = data[max(offset - begin - PRINT_BYTES, 0) : offset - begin]
        self._book.move(source.mark, offset, source.head, source.tail)

    async def save(self) -> None:
        """Write the positions, when they moved."""
        if self._dirty:
            self._dirty = False
            self._saved_at = time.monotonic()
            try:
                await self._saved()
            except OSError as error:
                # What was read is counted; a restart reads it again, and counts nothing twice.
                self._dirty = True
                _log.error("positions-not-saved", feed=self._feed, error=error)
