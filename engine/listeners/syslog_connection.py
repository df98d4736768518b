"""One syslog connection: frames in, nothing out. Memory is bounded whatever the peer does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from engine.parsers.syslog_frames import Event, Framer, Junk

if TYPE_CHECKING:
    from engine.listeners.syslog import SyslogListener

#: Messages of one connection that are not durable yet, before reading stops: few, for a killed engine loses them for ever, and
#: enough for thousands a second.
MAX_WAITING: Final = 128
#: The same in bytes; one message may be larger.
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
#: A peer that sends this much outside any frame does not speak syslog.
MAX_JUNK: Final = 64 * 1024
#: How long a stopping engine goes on reading: what the peer had sent by then is on its way, and it will never send it again.
LINGER_SECONDS: Final = 0.5


class Connection(asyncio.Protocol):
    """The protocol object of one peer."""

    def __init__(self, listener: SyslogListener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport
        self._framer = Framer(listener.settings.max_message_bytes)
        self._waiting = 0
        self._bytes = 0
        self._held = False  # reading is paused
        self._draining = False  # the listener stops
        self._finished = False  # the stream has ended
        self.silence = 0  # ticks of the listener's clock since something moved

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer that was admitted."""
        self._transport = cast("asyncio.Transport", transport)
        # Senders are silent for hours: have the system notice those that vanished without a word.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._listener.joined(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        self.silence = 0
        self._take(self._framer.feed(data))
        if self._framer.junk > MAX_JUNK:
            self._transport.close()
        self.regulate()

    def eof_received(self) -> None:
        """The peer sends nothing more, and waits for nothing."""
        self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what it brought is kept all the same."""
        self._finish()
        self._listener.left(self)

    def regulate(self) -> None:
        """Pause or resume reading; between the limit and half of it nothing changes."""
        if self._transport.is_closing() or self._finished:
            return
        shift = 1 if self._held else 0
        hold = (
            self._waiting >= MAX_WAITING >> shift
            or self._bytes >= MAX_WAITING_BYTES >> shift
            or self._listener.full(shift)
        )
        if hold != self._held:
            self._held = hold
            if hold:
                self._transport.pause_reading()
                self._listener.held.add(self)
            else:
                self._transport.resume_reading()
                self._listener.held.discard(self)

    def drain(self) -> None:
        """Tell the peer, where that is possible, and read what is on its way; then leave."""
        if self._draining or self._transport.is_closing():
            return
        self._draining = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._leave_later()

    def tick(self, limit: int) -> None:
        """The listener's clock: leave when nothing came for ``limit`` ticks although we read."""
        if self._waiting or self._held:
            self.silence = 0
            return
        self.silence += 1
        if self.silence > limit and not self._transport.is_closing():
            self._listener.counters.idle_closed()
            self._transport.close()

    def abort(self) -> None:
        """Leave now."""
        self._transport.abort()

    def _take(self, events: Sequence[Event]) -> None:
        listener = self._listener
        for event in events:
            if isinstance(event, bytes):
                self._waiting += 1
                self._bytes += len(event)
                listener.custody.take(event, self._released)
            elif isinstance(event, Junk):
                listener.counters.junk(event.size)
            else:
                listener.counters.rejected(event.code)

    def _released(self, size: int) -> None:
        self._waiting -= 1
        self._bytes -= size
        if self._held:
            self.regulate()
        self._listener.released(size)

    def _finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._take(self._framer.close())

    def _leave_later(self) -> None:
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._leave)

    def _leave(self) -> None:
        if self._held and not self._transport.is_closing():
            self._leave_later()  # it was not even read
        else:
            self._transport.close()
