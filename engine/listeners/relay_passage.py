"""One sender, one receiver, and the bytes between them: passed on at once, untouched; a copy is read afterwards.

Whatever fails in the copy, the passage goes on. Each side is read only as fast as the other takes, so memory is bounded and a slow
receiver slows its own sender, as it would without us. The end of one direction (FIN), the end of both and a reset are passed on.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import TYPE_CHECKING, Final, cast

from engine.listeners.listener import Counters
from engine.listeners.relay_copies import Copies
from engine.parsers.mllp import Framer, Junk, TooLarge

if TYPE_CHECKING:
    from engine.listeners.relay_process import Relay

#: Bytes of one direction that wait for a side that does not read, beside the system's own buffers; one read more may come.
_HIGH: Final = 256 * 1024
_RESET: Final = struct.pack("ii", 1, 0)


class Side(asyncio.Protocol):
    """One of the two connections. ``transport``: None until it is made; ``lost``: it is gone."""

    def __init__(self, max_message_bytes: int, copies: Copies, counters: Counters) -> None:
        self.other: Side
        self.passage: Passage
        self.transport: asyncio.Transport | None = None
        self.lost = False
        self.ended = False  # it sends nothing more
        self.blocks = 0  # whole messages that it sent
        self.framer = Framer(max_message_bytes)
        self._counters = counters
        self._copies = copies
        self._kept = 0  # bytes that the framer holds
        self._given_up = False  # its unfinished message does not fit

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_HIGH)
        _watch(transport.get_extra_info("socket"), self.passage.relay.settings.dead_peer_seconds)

    def data_received(self, data: bytes) -> None:
        """Bytes: first they go to the other side."""
        transport = self.other.transport
        if transport is None:
            self.passage.early.append(data)
        elif not transport.is_closing():
            transport.write(data)
        try:
            self._copy(data)
        except Exception:  # noqa: BLE001 - whatever fails in the copy, even its memory, the passage goes on
            self._counters.rejected("copy-dropped")
            self.framer = Framer(self.passage.relay.settings.max_message_bytes)
            self._weigh()
        self.passage.moved()

    def pause_writing(self) -> None:
        """This side does not read: the other is not read either."""
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self.other.transport is not None:
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """It sends nothing more; the other is told, and may still answer."""
        self.ended = True
        if self.other.transport is not None:
            self.other.finish()
        return not self.other.ended and self._half()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone: closed, reset, or silent for too long."""
        self.lost = True
        for event in self.framer.close():
            self._note(event)
        self._weigh()
        other = self.other.transport
        if other is not None and not self.other.lost:
            if exc is None:
                other.close()
            else:
                reset(other)
        self.passage.side_lost()

    # What the other side calls

    def finish(self) -> None:
        """The other side sends nothing more: pass that on, behind what still waits."""
        assert self.transport is not None
        if self.transport.is_closing():
            return
        if self.ended or not self._half():
            self.transport.close()
        else:
            self.transport.write_eof()

    # Inside

    def _half(self) -> bool:
        return self.transport is not None and self.transport.can_write_eof()

    def _copy(self, data: bytes) -> None:
        for event in self.framer.feed(data):
            if type(event) is bytes:
                self.blocks += 1
                self._copies.offer(event)
            else:
                self._note(event)
        self._weigh()

    def _note(self, event: object) -> None:
        if isinstance(event, Junk):
            self._counters.junk(event.size)
        elif isinstance(event, TooLarge):
            self.blocks += 1
            self._counters.rejected("copy-dropped" if self._given_up else event.code)
            self._given_up = False
        else:
            self._counters.rejected("truncated")
            self._given_up = False

    def _weigh(self) -> None:
        """Tell how much is held of an unfinished message; hold nothing of it when there is no room."""
        kept = self.framer.buffered
        if kept != self._kept:
            grew = kept > self._kept
            self._copies.unfinished += kept - self._kept
            self._kept = kept
            if grew and self._copies.full:
                self.framer.give_up()
                self._given_up = True
                self._weigh()


class Passage(Side):
    """The sender's side, and the passage as the server sees it. ``early``: what came before the receiver was there."""

    def __init__(self, relay: Relay) -> None:
        super().__init__(relay.settings.max_message_bytes, relay.copies, relay.counters)
        self.relay = relay
        self.passage = self
        self.early: list[bytes] = []
        self.other = Side(relay.settings.max_message_bytes, relay.copies, relay.counters)
        self.other.passage = self
        self.other.other = self
        self._connecting: asyncio.Task[None] | None = None
        self._draining = False
        self._silence = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A sender that was admitted: it is not read before its receiver is there."""
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self.relay.joined(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    # What the server calls

    def tick(self, limit: int) -> None:
        """The clock: a passage of which one half is over ends when nothing moves in the other for so long."""
        self._silence += 1
        over = self.ended or self.other.ended or self.lost or self.other.lost
        if over and self._silence > limit:
            self.relay.counters.idle_closed()
            self.abort()

    def drain(self) -> None:
        """Leave at the next boundary: no message, and no answer, is under way."""
        self._draining = True
        if self.other.transport is None:
            self.abort()
        else:
            self._leave_if_quiet()

    def abort(self) -> None:
        """Leave now."""
        for side in (self, self.other):
            if side.transport is not None and not side.lost:
                reset(side.transport)

    # What the sides call

    def moved(self) -> None:
        """Bytes went by."""
        self._silence = 0
        if self._draining:
            self._leave_if_quiet()

    def side_lost(self) -> None:
        """One side is gone."""
        if self._connecting is not None and self.lost:
            self._connecting.cancel()
        if self.lost and (self.other.lost or self.other.transport is None):
            self.relay.left(self)

    # Inside

    def _leave_if_quiet(self) -> None:
        answered = self.other.blocks >= self.blocks
        if answered and not self.framer.inside and not self.other.framer.inside and not self.early:
            for side in (self, self.other):
                if side.transport is not None:
                    side.transport.close()

    async def _connect(self) -> None:
        settings = self.relay.settings
        assert self.transport is not None
        try:
            async with asyncio.timeout(settings.connect_timeout_seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: self.other,
                    settings.target_host,
                    settings.target_port,
                    ssl=self.relay.target_context,
                    server_hostname=settings.target_host if self.relay.target_context else None,
                )
        except (OSError, TimeoutError, ssl.SSLError):
            self.relay.counters.rejected("target-unreachable")
            reset(self.transport)
            return
        finally:
            self._connecting = None
        target = self.other.transport
        if target is None or self.lost or target.is_closing():
            return
        for data in self.early:
            target.write(data)
        self.early.clear()
        self.transport.resume_reading()
        if self.ended:
            self.other.finish()


def reset(transport: asyncio.Transport) -> None:
    """Close at once, with a RST where the connection is plain: what waits is not sent."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def _watch(sock: socket.socket, seconds: int) -> None:
    """Have the system notice a side that vanished, by keepalive while it is quiet, by what it does not take otherwise."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if seconds:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, min(60, seconds // 2)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, min(30, seconds // 10)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)
