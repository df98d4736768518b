"""One MLLP connection: blocks in, answers out, in order and not before they are true.

Memory is bounded whatever the peer does. Reading stops while too much waits for its commit, while the peer does not read
its answers, and while too many peers are in the middle of a large message.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, cast

import structlog

from engine.parsers.acknowledgement import header
from engine.parsers.mllp import Event, Framer, Junk, TooLarge, frame
from engine.receipt import Receipt

if TYPE_CHECKING:
    from engine.listeners.mllp import MllpListener

#: Unanswered messages of one connection before reading stops. One read of 256 KiB may bring a thousand more.
MAX_WAITING: Final = 1024
#: Bytes of unanswered messages of one connection before reading stops; one message may be larger.
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
#: An unfinished message beyond this needs one of the listener's tickets for large messages.
LARGE: Final = 1024 * 1024
#: A peer that sends this much outside any block does not speak MLLP.
MAX_JUNK: Final = 64 * 1024
#: After our last byte, how long the peer may take to close: closing on unread bytes would destroy answers on their way.
LINGER_SECONDS: Final = 0.5

_TOO_LARGE: Final = Receipt("refused", "too-large")
_FAILED: Final = Receipt("unavailable", "internal-error")
_log: Final = structlog.get_logger(__name__)


class _Slot:
    """The place of one message in the order of answers; it keeps the MSH, not the message."""

    __slots__ = ("connection", "line", "receipt", "size")

    def __init__(self, connection: Connection, line: bytes, size: int, receipt: Receipt | None = None) -> None:
        self.connection = connection
        self.line = line
        self.size = size
        self.receipt = receipt

    def done(self, receipt: Receipt) -> None:
        """What the pipeline calls."""
        self.receipt = receipt
        self.connection.answered(self)


class Connection(asyncio.Protocol):
    """The protocol object of one peer."""

    def __init__(self, listener: MllpListener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport
        self._framer = Framer(listener.settings.max_message_bytes)
        self._slots: deque[_Slot] = deque()
        self._bytes = 0
        self._reading = False  # inside data_received: answers are written at its end
        self._held = False  # reading is paused
        self._blocked = False  # the peer does not read its answers
        self._ticket = False  # one of the listener's tickets for large messages is ours
        self._queued = False  # waits for such a ticket
        self._ended = False  # the peer sends nothing more
        self._draining = False  # we take nothing more
        self._discarding = False  # we have said everything
        self._lost = False
        self.dirty = False  # on the listener's list of connections to settle
        self.silence = 0  # ticks of the listener's clock since something moved

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer that was admitted."""
        self._transport = cast("asyncio.Transport", transport)
        # Have the system notice a peer that vanished without a word, even when the idle timeout is off.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._listener.joined(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        self.silence = 0
        if self._draining:
            return
        self._reading = True
        events = self._framer.feed(data)
        for event in events:
            if type(event) is bytes:
                self._take(event)
            else:
                self._note(event)
        self._reading = False
        if not events or self._ticket:
            self._weigh()
        self.settle()

    def eof_received(self) -> bool:
        """The peer sends nothing more; it may still wait for answers (a plain connection can be half open)."""
        if self._discarding:
            return False
        self._ended = True
        self._finish_stream()
        return bool(self._slots) and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what still waits is answered to nobody, and its sender will send it again."""
        self._lost = True
        self._finish_stream()
        self._give_back()
        for slot in self._slots:
            if slot.receipt is not None:
                self._listener.waiting_bytes -= slot.size
        self._slots.clear()
        self._listener.left(self)

    def pause_writing(self) -> None:
        """The peer does not read its answers: it gets nothing more to answer."""
        self._blocked = True
        self._regulate()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._blocked = False
        self.silence = 0
        self._regulate()

    # What the listener calls

    def answered(self, slot: _Slot) -> None:
        """A slot has its receipt."""
        if self._lost:
            self._listener.waiting_bytes -= slot.size
        elif not self._reading and not self.dirty:
            self._listener.soil(self)

    def settle(self) -> None:
        """Send the answers that are next in order, all in one write, then see whether to read on."""
        if self._lost or self._transport.is_closing():
            return
        slots = self._slots
        if slots and slots[0].receipt is not None:
            answers = self._listener.acknowledger.answers
            out: list[bytes] = []
            while slots and (receipt := slots[0].receipt) is not None:
                slot = slots.popleft()
                self._bytes -= slot.size
                self._listener.waiting_bytes -= slot.size
                out += map(frame, answers(slot.line, receipt))
            if out:
                self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._draining or self._ended:
            if not slots:
                self._leave()
        elif slots or self._held:
            # Without either there is nothing to wait for, and nothing to resume.
            self._regulate()

    def drain(self) -> None:
        """Take nothing more, answer what was taken, then leave."""
        self._draining = True
        self._give_back()
        self.settle()

    def tick(self, limit: int) -> None:
        """The listener's clock: leave when nothing moved for ``limit`` ticks although it is the peer's turn."""
        waits_for_us = bool(self._slots) or self._held
        if waits_for_us and not self._blocked:
            self.silence = 0
            return
        self.silence += 1
        if self.silence > limit and not self._transport.is_closing():
            self._listener.counters.idle_closed()
            if self._blocked:
                self._transport.abort()
            else:
                self._transport.close()

    def abort(self) -> None:
        """Leave now; what waits is not answered."""
        self._transport.abort()

    def granted(self) -> None:
        """A ticket for a large message is ours."""
        self._queued = False
        self._ticket = True
        self._regulate()

    # Inside

    def _take(self, payload: bytes) -> None:
        listener = self._listener
        line = header(payload)
        if listener.acknowledger.ours(payload, line):
            return
        size = len(payload)
        slot = _Slot(self, line, size)
        self._slots.append(slot)
        self._bytes += size
        listener.waiting_bytes += size
        try:
            listener.pipeline.submit(payload, listener.feed, slot.done)
        except Exception as error:  # noqa: BLE001 - whatever fails behind, the peer gets an answer and the others go on
            _log.error("submit-failed", feed=listener.feed, error=error)
            slot.receipt = _FAILED

    def _note(self, event: Event) -> None:
        counters = self._listener.counters
        if isinstance(event, Junk):
            counters.junk(event.size)
        elif isinstance(event, TooLarge):
            counters.rejected(event.code)
            self._slots.append(_Slot(self, header(event.head), 0, _TOO_LARGE))
        elif not isinstance(event, bytes):
            counters.rejected(event.code)

    def _weigh(self) -> None:
        """Ask for a ticket when a large message grows, give it back when it is complete; end what is no MLLP."""
        if self._framer.junk > MAX_JUNK:
            self._transport.close()
        elif self._framer.buffered <= LARGE:
            self._give_back()
        elif not self._ticket and not self._queued:
            self._queued = True
            self._listener.turns.ask(self)
            self._regulate()

    def _give_back(self) -> None:
        if self._ticket:
            self._ticket = False
            self._listener.turns.returned()
        elif self._queued:
            self._queued = False
            self._listener.turns.withdraw(self)

    def _regulate(self) -> None:
        """Pause or resume reading; between the limit and half of it nothing changes."""
        if self._ended or self._draining or self._transport.is_closing():
            return
        shift = 1 if self._held else 0
        hold = (
            self._blocked
            or self._queued
            or len(self._slots) >= MAX_WAITING >> shift
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

    def _finish_stream(self) -> None:
        if not self._draining:
            for event in self._framer.close():
                self._note(event)

    def _leave(self) -> None:
        if self._discarding or self._transport.is_closing():
            return
        self._discarding = True
        if self._ended or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)
