"""The way of the copies from the process that passes bytes to the engine: whole messages only, in a bounded queue that drops.

One stream socket between the two. Each message is preceded by its length (4 bytes, network order). The passing side never waits: what
does not fit is dropped, whole, and counted. The engine's side takes no more than the pipeline can hold, and thus fills the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from engine.listeners.custody import Custody

_LENGTH: Final = 4
#: What a waiting message costs beside its bytes.
_OVERHEAD: Final = 64
#: A large message is written piece by piece: a connection of 64 MB must not be copied at once.
_PIECE: Final = 256 * 1024
#: Messages and bytes that the engine takes before their receipts: a full group commit, and one message of any size.
WINDOW: Final = 1024
WINDOW_BYTES: Final = 16 * 1024 * 1024


class Copies(asyncio.Protocol):
    """The passing side. ``unfinished``: bytes that the framers of all connections hold of messages without their end.

    ``limit``: bytes of both. ``dropped()`` is told for each message that is given up.
    """

    def __init__(self, limit: int, dropped: Callable[[], None]) -> None:
        self.unfinished = 0
        self._limit = limit
        self._dropped = dropped
        self._size = 0
        self._queue: deque[bytes] = deque()
        self._written = 0  # of the oldest one
        self._blocked = False
        self._scheduled = False
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._gone = asyncio.Event()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_PIECE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine is gone: everything from now on is dropped."""
        self._transport = None
        self._ended = True
        self._gone.set()
        self._forget()

    def pause_writing(self) -> None:
        """The engine does not take copies now."""
        self._blocked = True

    def resume_writing(self) -> None:
        """It does again."""
        self._blocked = False
        self._pump()

    # What connections call

    @property
    def full(self) -> bool:
        """Whether there is no room for what the framers hold already."""
        return self._size + self.unfinished > self._limit

    def offer(self, message: bytes) -> None:
        """A whole message: it is queued, or dropped and counted."""
        cost = len(message) + _OVERHEAD
        if self._ended or self._size + self.unfinished + cost > self._limit:
            self._dropped()
            return
        self._queue.append(message)
        self._size += cost
        self._empty.clear()
        if not self._scheduled and not self._blocked:
            self._scheduled = True
            # In the next turn: what came together is passed on first, and copied afterwards.
            asyncio.get_running_loop().call_soon(self._turn)

    async def finish(self, seconds: float) -> None:
        """No more copies: wait until the engine has those that are queued; what it does not take in time is dropped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
                if self._transport is not None:
                    self._transport.close()
                await self._gone.wait()
        self._ended = True
        self._forget()

    # Inside

    def _turn(self) -> None:
        self._scheduled = False
        self._pump()

    def _pump(self) -> None:
        transport = self._transport
        while self._queue and not self._blocked and transport is not None:
            message = self._queue[0]
            if not self._written and len(message) <= _PIECE:
                transport.write(len(message).to_bytes(_LENGTH, "big") + message)
                self._written = len(message)
            else:
                if not self._written:
                    transport.write(len(message).to_bytes(_LENGTH, "big"))
                transport.write(memoryview(message)[self._written : self._written + _PIECE])
                self._written += _PIECE
            if self._written >= len(message):
                self._queue.popleft()
                self._written = 0
                self._size -= len(message) + _OVERHEAD
        if not self._queue:
            self._empty.set()

    def _forget(self) -> None:
        for _ in self._queue:
            self._dropped()
        self._queue.clear()
        self._size = 0
        self._written = 0
        self._empty.set()


class CopyReader(asyncio.Protocol):
    """The engine's side: hands the copies to the custody of the feed, and stops reading while it holds too much."""

    def __init__(self, custody: Custody, dropped: Callable[[], None]) -> None:
        """``dropped()`` is told for each message that is read after :meth:`discard`."""
        self._custody = custody
        self._dropped = dropped
        self._buffer = bytearray()
        self._discarding = False
        self._held = False
        self._transport: asyncio.Transport
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The passing process is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Copies, and pieces of copies."""
        buffer = self._buffer
        buffer += data
        start = 0
        while (begin := start + _LENGTH) <= len(buffer):
            end = begin + int.from_bytes(buffer[start:begin], "big")
            if end > len(buffer):
                break
            message = bytes(memoryview(buffer)[begin:end])
            start = end
            if self._discarding:
                self._dropped()
            else:
                self._custody.take(message, self._released)
        if start == len(buffer):
            self._buffer = bytearray()
        elif start:
            del buffer[:start]
        self._regulate()

    def connection_lost(self, exc: Exception | None) -> None:
        """The passing process said everything, or is gone: half a message is none."""
        self._buffer = bytearray()
        self.ended.set()

    def discard(self) -> None:
        """Read what is left without keeping it, so that it is counted."""
        self._discarding = True
        self._regulate()

    def _released(self, _size: int) -> None:
        if self._held:
            self._regulate()

    def _regulate(self) -> None:
        custody, shift = self._custody, 1 if self._held else 0
        hold = not self._discarding and (
            custody.stuck or custody.count >= WINDOW >> shift or custody.size >= WINDOW_BYTES >> shift
        )
        if hold != self._held and not self._transport.is_closing():
            self._held = hold
            if hold:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
