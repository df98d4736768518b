"""MLLP server: many connections, plain or TLS, one feed (HL7 v2.5.1 appendix C; IHE ITI TF-2 appendix C.2).

A block is answered only with what the pipeline says of it. Stop-and-wait senders, pipelined senders and many senders in
parallel all work; answers keep the order of each connection.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Mapping
from typing import Annotated, Final, cast

from msgspec import Meta, Struct

from engine.errors import ConfigError
from engine.listeners.connection import Connection
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.tls import Gate, TlsSettings, server_context
from engine.parsers import hl7
from engine.parsers.acknowledgement import Acknowledger
from engine.parsers.mllp import MAX_SIZE

#: Bytes of unanswered messages of all connections before every reader stops.
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024
#: Connections that may be in the middle of a large message at a time; the others wait for their turn.
MAX_LARGE: Final = 8
#: Ticks in one idle timeout: a silent peer is let go after one timeout, at most an eighth later.
_TICKS: Final = 8
_BACKLOG: Final = 512


class MllpSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one MLLP feed."""

    host: Annotated[
        str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every address of the machine.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 lets the system choose a free one.")] = 2575
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="Connections at a time; more are closed.")] = 256
    max_message_bytes: Annotated[
        int, Meta(ge=1024, description="A larger message is refused (too-large), without keeping it in memory.")
    ] = MAX_SIZE
    idle_timeout_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="A connection is closed when for so long its sender says nothing, stops in the middle of a "
            "message, or does not read its acknowledgements. 0: never.",
        ),
    ] = 300.0
    tls: Annotated[TlsSettings | None, Meta(description="TLS, mutual with `client_ca`. Empty: plain.")] = None


class MllpListener:
    """One listening socket and its connections."""

    def __init__(
        self,
        feed: str,
        settings: MllpSettings,
        pipeline: Pipeline,
        counters: Counters,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """``texts`` gives the English sentence of each error code, for ERR-8 of a refusal (default: the HL7 reader's)."""
        self.feed = feed
        self.settings = settings
        self.pipeline = pipeline
        self.counters = counters
        self.acknowledger = Acknowledger(texts=hl7.CODES if texts is None else texts)
        self.waiting_bytes = 0
        self.held: set[Connection] = set()
        self._connections: set[Connection] = set()
        self._open = False
        self._admitted = 0
        self._dirty: list[Connection] = []
        self._tickets = MAX_LARGE
        self._queue: deque[Connection] = deque()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self._loop: asyncio.AbstractEventLoop
        self._server: asyncio.Server | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def port(self) -> int:
        """The port listened on; the real one when the settings say 0."""
        if self._server is None or not self._server.sockets:
            return self.settings.port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen. Raises :class:`ConfigError` when the address, the port or the certificate cannot be used."""
        self._loop = asyncio.get_running_loop()
        if self.settings.tls is not None:
            self._context = server_context(self.settings.tls)
        host = self.settings.host
        self._open = True
        try:
            self._server = await self._loop.create_server(self._protocol, host, self.settings.port, backlog=_BACKLOG)
        except OSError as error:
            self._open = False
            place = f"{host}:{self.settings.port}"
            # A name that does not resolve has a negative number.
            number = error.errno or 0
            reason = os.strerror(number).lower() if number > 0 else "no such address"
            raise ConfigError(
                f"feed {self.feed}", 0, f"cannot listen on {place}: {reason}", "choose a free port of this machine"
            ) from None
        if self.settings.idle_timeout_seconds:
            self._tick()

    async def stop(self, grace_seconds: float = 30.0) -> None:
        """Accept nobody, answer what was received completely, close.

        What is not answered after ``grace_seconds`` is left without an answer: its sender will send it again.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        self._open = False
        server.close()
        for task in self._handshakes:
            task.cancel()
        for connection in list(self._connections):
            connection.drain()
        try:
            await asyncio.wait_for(self._empty.wait(), grace_seconds)
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort()
            await self._empty.wait()
        if self._clock is not None:
            self._clock.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        await server.wait_closed()

    # What connections call

    def joined(self, connection: Connection) -> None:
        """A connection is open."""
        self._connections.add(connection)
        self._empty.clear()
        self.counters.opened()
        if not self._open:  # the handshake ended while the listener was stopping
            connection.drain()

    def left(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self.held.discard(connection)
        self._release()
        self.counters.closed()
        if not self._connections:
            self._empty.set()

    def soil(self, connection: Connection) -> None:
        """A connection has answers to send: all such connections are settled together, in the next turn of the loop."""
        if not self._dirty:
            self._loop.call_soon(self._settle)
        connection.dirty = True
        self._dirty.append(connection)

    def full(self, shift: int) -> bool:
        """Whether all connections together wait for too much (``shift`` 1: for more than half of it)."""
        return self.waiting_bytes >= MAX_WAITING_BYTES >> shift

    def ask(self, connection: Connection) -> None:
        """A connection needs a ticket for a large message; it is granted now or later, first come first served."""
        self._queue.append(connection)
        self._grant()

    def withdraw(self, connection: Connection) -> None:
        """A connection does not need its ticket any more and has not got it."""
        self._queue.remove(connection)

    def returned(self) -> None:
        """A ticket is free again."""
        self._tickets += 1
        self._grant()

    # Inside

    def _protocol(self) -> asyncio.Protocol:
        if self._context is not None:
            return Gate(
                self._context, lambda: Connection(self), self._admit, self._release, self.counters, self._handshakes
            )
        if not self._admit():
            return _TurnedAway(self.counters)
        return Connection(self)

    def _admit(self) -> bool:
        if not self._open or self._admitted >= self.settings.max_connections:
            return False
        self._admitted += 1
        return True

    def _release(self) -> None:
        self._admitted -= 1

    def _grant(self) -> None:
        while self._tickets and self._queue:
            self._tickets -= 1
            self._queue.popleft().granted()

    def _settle(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.dirty = False
            connection.settle()
        if self.held and not self.full(1):
            for connection in list(self.held):
                connection.settle()

    def _tick(self) -> None:
        for connection in list(self._connections):
            connection.tick(_TICKS)
        self._clock = self._loop.call_later(self.settings.idle_timeout_seconds / _TICKS, self._tick)


class _TurnedAway(asyncio.Protocol):
    """A peer beyond the connection cap: closed at once, so that its sender tells its operator."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counters.turned_away()
        cast("asyncio.Transport", transport).abort()


register(
    Declaration(
        name="mllp",
        settings=MllpSettings,
        emits="one HL7 v2 message for each MLLP block",
        acknowledges="ACK on the same connection, original or enhanced mode",
        make=MllpListener,
    )
)
