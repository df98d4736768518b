"""One HTTP connection: requests in, one answer for each, in order and not before it is true (h11 knows the protocol).

One request at a time: most of what a pipelining peer sends ahead waits in the system's buffers. Memory is bounded whatever the peer does: a large
body needs one of the listener's tickets, a compressed one never expands beyond the limit, and reading stops while an answer is due.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, cast

import h11
import structlog

from engine.listeners.http_body import Body
from engine.parsers import fhir_http
from engine.parsers.fhir_http import Field, Refusal, Wanted
from engine.receipt import Receipt

if TYPE_CHECKING:
    from engine.listeners.http import HttpListener

#: Bytes of a request line and its fields; usual ones have less than 2 kB.
MAX_HEAD: Final = 16 * 1024
#: A body beyond this needs one of the listener's tickets for large messages.
LARGE: Final = 1024 * 1024
#: A body may take the idle timeout, and a second more for so many bytes: slower is no sender but somebody who holds a place.
MIN_BYTES_PER_SECOND: Final = 1024
#: What a peer may send ahead while its answer is due, before reading stops.
MAX_AHEAD: Final = 64 * 1024
#: What one turn of the event loop may do for one connection, in events of h11 (each some 40 microseconds: a body of tiny chunks has
#: very many), and what a step of decompression counts for.
TURN: Final = 256
STEP_COST: Final = 64
#: After our last byte, how long the peer may take to read it and close: closing on unread bytes would destroy the answer.
LINGER_SECONDS: Final = 2.0

_FAILED: Final = Receipt("unavailable", "internal-error")
_log: Final = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """The protocol object of one peer."""

    def __init__(self, listener: HttpListener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._wanted: Wanted | None = None  # the request whose body is being read
        self._body: Body | None = None
        self._received = 0  # bytes since the request began, or since the last answer
        self._waiting = False  # a payload is with the pipeline
        self._receipt: Receipt | None = None
        self._silent = False  # a HEAD request: its answer has no body
        self._advancing = False
        self._resting = False  # goes on at the next turn of the event loop
        self._paused = False
        self._blocked = False  # the peer does not read its answers
        self._ticket = False
        self._queued = False
        self._draining = False
        self._closing = False  # our last answer is said
        self._lost = False
        self.silence = 0  # ticks of the listener's clock that the peer has let pass

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer that was admitted."""
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._listener.joined(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        if self._closing:
            return
        if not self._received and not self._waiting:
            self.silence = 0
        self._received += len(data)
        self._http.receive_data(data)
        self._advance()

    def eof_received(self) -> bool:
        """The peer sends nothing more; it may still wait for its answer (a plain connection can be half open)."""
        if self._closing:
            return False
        self._http.receive_data(b"")
        self._advance()
        return self._waiting and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone. What was not received completely is not taken; what was, is, and its sender will send it again."""
        self._lost = True
        if self._wanted is not None and not self._waiting and not self._closing:
            self._listener.counters.rejected("truncated")
        self._give_back()
        self._body = None
        self._listener.left(self)

    def pause_writing(self) -> None:
        """The peer does not read its answers: nothing more is read of it."""
        self._blocked = True
        self._regulate()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._blocked = False
        self.silence = 0
        self._advance()

    # What the listener calls

    def granted(self) -> None:
        """A ticket for a large body is ours."""
        self._queued = False
        self._ticket = True
        self.silence = 0
        # Not at once: whoever gave its ticket back is still at work.
        asyncio.get_running_loop().call_soon(self._go)

    def drain(self) -> None:
        """Take nothing more, answer what was taken, then leave."""
        self._draining = True
        if self._waiting or self._closing:
            return
        if self._wanted is not None or self._received:
            self._say(*fhir_http.unavailable())
            self._leave()
        else:
            self._transport.close()

    def tick(self, limit: int) -> None:
        """The listener's clock, ``limit`` times a timeout: leave when the peer let too many ticks pass although it is its turn."""
        if self._closing or ((self._waiting or self._queued) and not self._blocked):
            return
        self.silence += 1
        seconds = self._listener.settings.idle_timeout_seconds / limit
        if self.silence <= limit + self._received / (MIN_BYTES_PER_SECOND * seconds) or self._transport.is_closing():
            return
        self._listener.counters.idle_closed()
        if self._blocked:
            self._transport.abort()
        elif self._received:
            self._refuse(fhir_http.TIMED_OUT)
        else:
            self._transport.close()

    def abort(self) -> None:
        """Leave now; what waits is not answered."""
        self._transport.abort()

    # Requests

    def _advance(self) -> None:
        """Go on with what was received, as far as it goes."""
        if self._advancing or self._resting:
            return
        self._advancing = True
        spent = 0
        try:
            while not (self._queued or self._blocked or self._closing or self._lost):
                if self._receipt is not None:
                    self._answer(self._receipt)
                    continue
                if self._waiting:
                    break
                if spent >= TURN:
                    self._resting = True
                    asyncio.get_running_loop().call_soon(self._rested)
                    break
                if self._body is not None and self._body.pending:
                    spent += STEP_COST
                    self._expand(self._body)
                    continue
                spent += 1
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    break
                self._take(event)
        except h11.RemoteProtocolError as error:
            self._garbled(error)
        finally:
            self._advancing = False
        self._regulate()

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._begin(event)
        elif isinstance(event, h11.Data):
            self._more(event.data)
        elif isinstance(event, h11.EndOfMessage):
            self._end()
        else:  # ConnectionClosed
            self._leave()

    def _begin(self, request: h11.Request) -> None:
        listener = self._listener
        self._silent = request.method == b"HEAD"
        fields: list[Field] = [(bytes(name), bytes(value)) for name, value in request.headers]
        if listener.tokens is not None and not listener.tokens.allows(fhir_http.bearer(fields)):
            self._refuse(fhir_http.UNAUTHORIZED)
            return
        settings = listener.settings
        found = fhir_http.judge(
            bytes(request.method), bytes(request.target), fields, listener.path, settings.max_message_bytes, LARGE
        )
        if isinstance(found, Refusal):
            self._refuse(found)
        elif isinstance(found, bytes):
            self._say(200, found, ())
            self._received = len(self._http.trailing_data[0])
            self._next()
        elif self._draining:
            self._say(*fhir_http.unavailable())
            self._leave()
        else:
            self._wanted = found
            self._body = Body(gzip=found.gzip, limit=settings.max_message_bytes)
            if found.large:
                self._ask()
            else:
                self._continue()

    def _more(self, data: bytes) -> None:
        """A piece of the body."""
        if self._body is not None:
            self._body.feed(data)
            self._weigh(len(self._body))

    def _expand(self, body: Body) -> None:
        """Decompress some of the body."""
        try:
            body.step()
        except zlib.error:
            self._refuse(fhir_http.DAMAGED)
        else:
            self._weigh(len(body))

    def _weigh(self, size: int) -> None:
        """Refuse a body that is too large; ask for a ticket for one that is large."""
        if size > self._listener.settings.max_message_bytes:
            self._refuse(fhir_http.TOO_LARGE)
        elif size > LARGE and not self._ticket:
            self._ask()

    def _rested(self) -> None:
        self._resting = False
        if not (self._lost or self._closing):
            self._advance()

    def _end(self) -> None:
        """The body is complete: to the pipeline with it."""
        wanted, body, listener = self._wanted, self._body, self._listener
        if wanted is None or body is None:
            return
        if not body.whole:
            self._refuse(fhir_http.DAMAGED)
            return
        if not body:
            self._refuse(fhir_http.EMPTY)
            return
        payload = body.after(wanted.head)
        self._body = None
        self._waiting = True
        self._received = len(self._http.trailing_data[0])  # of the next request
        try:
            listener.pipeline.submit(payload, listener.feed, self._done)
        except Exception as error:  # noqa: BLE001 - whatever fails behind, the peer gets an answer
            _log.error("submit-failed", feed=listener.feed, error=error)
            self._receipt = _FAILED

    def _done(self, receipt: Receipt) -> None:
        """What the pipeline calls."""
        if not self._lost:
            self._receipt = receipt
            self._advance()

    # Answers

    def _answer(self, receipt: Receipt) -> None:
        self._receipt = None
        self._waiting = False
        self._say(*fhir_http.answer(receipt))
        self._next()

    def _refuse(self, refusal: Refusal) -> None:
        """Refuse a request before its end, and the connection with it: its body would have to be read."""
        self._listener.counters.rejected(refusal.code)
        self._say(*fhir_http.refuse(refusal), last=True)
        self._leave()

    def _garbled(self, error: h11.RemoteProtocolError) -> None:
        """What came is not HTTP, or stopped in the middle."""
        ended = self._http.trailing_data[1]
        if ended:
            if self._wanted is not None:
                self._listener.counters.rejected("truncated")
                self._wanted = None
            self._leave()
            return
        self._refuse(fhir_http.malformed(error.error_status_hint))

    def _say(self, status: int, body: bytes, fields: tuple[Field, ...], *, last: bool = False) -> None:
        """Send an answer; ``last``: nothing more is read after it."""
        if self._transport.is_closing() or self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers: list[Field] = [
            (b"Content-Type", b"application/fhir+json"),
            (b"Content-Length", b"%d" % len(body)),
            (b"Date", formatdate(usegmt=True).encode()),
            *fields,
        ]
        if last or self._draining:
            headers.append((b"Connection", b"close"))
        response = h11.Response(status_code=status, headers=headers)
        events = (response, h11.Data(data=b"" if self._silent else body), h11.EndOfMessage())
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))

    def _next(self) -> None:
        """Make ready for another request, or leave when there will be none."""
        self._wanted = None
        self._body = None
        self.silence = 0
        self._give_back()
        # After a HEAD or GET its end is still to be read.
        while self._http.their_state is h11.SEND_BODY:
            if self._http.next_event() in (h11.NEED_DATA, h11.PAUSED):
                break
        if self._draining or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._leave()
        else:
            self._http.start_next_cycle()

    def _go(self) -> None:
        if not (self._lost or self._closing):
            self._continue()
            self._advance()

    def _continue(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            self._transport.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")

    # Flow

    def _ask(self) -> None:
        self._queued = True
        self._listener.turns.ask(self)

    def _give_back(self) -> None:
        if self._ticket:
            self._ticket = False
            self._listener.turns.returned()
        elif self._queued:
            self._queued = False
            self._listener.turns.withdraw(self)

    def _regulate(self) -> None:
        """Read on when it is the peer's turn."""
        if self._closing or self._lost or self._transport.is_closing():
            return
        hold = self._blocked or self._queued or self._resting or (self._waiting and self._received > MAX_AHEAD)
        if hold != self._paused:
            self._paused = hold
            if hold:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _leave(self) -> None:
        """We have said everything: end the connection so that the peer can read it to the end."""
        if self._closing or self._lost:
            return
        self._closing = True
        self._wanted = None
        self._body = None
        self._give_back()
        if self._transport.is_closing():
            return
        if self._http.trailing_data[1]:
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()  # and drop it
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end_linger)

    def _end_linger(self) -> None:
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # the peer reads nothing
        else:
            self._transport.close()
