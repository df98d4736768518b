"""Lines handed to the pipeline and not yet answered, in order, and how far everything before has its receipt."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from engine.listeners.archive import WINDOW, WINDOW_BYTES
from engine.listeners.listener import Pipeline
from engine.receipt import Receipt

# Lines taken before the event loop gets a turn.
_BURST: Final = 64


class _Piece(Struct, eq=False):
    """A line handed over, up to where the next one begins."""

    end: int
    done: bool


class Window:
    """The lines of one file at a time. ``durable``: everything before this position has its receipt, or needs none."""

    def __init__(self, pipeline: Pipeline, feed: str, progress: Callable[[], None]) -> None:
        """``progress`` is called, on the loop, whenever ``durable`` moved."""
        self._pipeline = pipeline
        self._feed = feed
        self._progress = progress
        self._pieces: deque[_Piece] = deque()
        self._bytes = 0
        self._burst = 0
        self.outstanding = 0
        self.durable = 0
        self.stopped = False
        """An ``unavailable`` receipt came: nothing more is durable until :meth:`begin`."""
        self.moved = asyncio.Event()

    def begin(self, position: int) -> None:
        """A file is read from here. Nothing may be outstanding."""
        self.durable = position
        self.stopped = False
        self._pieces.clear()

    async def give(self, line: bytes, end: int) -> None:
        """Hand over a line that ends there (its line end included), when there is room."""
        size = len(line)
        while self.outstanding and (self.outstanding >= WINDOW or self._bytes + size > WINDOW_BYTES):
            self.moved.clear()
            await self.moved.wait()
        piece = _Piece(end, done=False)
        self._pieces.append(piece)
        self.outstanding += 1
        self._bytes += size

        def done(receipt: Receipt) -> None:
            self.outstanding -= 1
            self._bytes -= size
            if receipt.status == "unavailable":
                self.stopped = True  # this piece is never done: what is durable ends before it
            else:
                piece.done = True
                self._advance()
            self.moved.set()

        self._pipeline.submit(line, self._feed, done)
        await self.breathe()

    async def breathe(self) -> None:
        """Give the event loop its turn, now and then."""
        self._burst += 1
        if self._burst >= _BURST:
            self._burst = 0
            await asyncio.sleep(0)

    def skip(self, end: int) -> None:
        """What ends there needs no receipt."""
        if self._pieces:
            self._pieces[-1].end = end
        elif not self.stopped:
            self.durable = end
            self._progress()

    def _advance(self) -> None:
        before = self.durable
        while self._pieces and self._pieces[0].done:
            self.durable = self._pieces.popleft().end
        if self.durable != before:
            self._progress()
