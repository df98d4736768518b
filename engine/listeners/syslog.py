"""Syslog: UDP (RFC 5426), TCP (RFC 6587, both framings) or TLS (RFC 5425), carrying audit messages (IHE ITI TF-2 3.20).

Syslog has no acknowledgement. A sender has forgotten a message once it has written it, so what is read here is kept until it is
durable (``engine.listeners.custody``), no more is read than that, and a stop finishes what was read. What the network or the
sockets of either side still held when an engine was killed is lost, unless the sender sends it again: that is counted once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, cast

import structlog
from msgspec import Meta, Struct

from engine.errors import ConfigError
from engine.listeners.custody import Custody
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.syslog_connection import Connection
from engine.listeners.tls import Gate, TlsSettings, server_context
from engine.parsers import syslog
from engine.parsers.syslog_frames import MAX_SIZE

#: Bytes of all connections that are not durable yet, before every reader stops (and datagrams are dropped).
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
#: Datagrams that are not durable yet, before more of them are dropped: nobody can be told to wait.
MAX_DATAGRAMS: Final = 16_384
#: Asked of the system for datagrams that come faster than they are read; it gives what it allows (net.core.rmem_max).
RECEIVE_BUFFER: Final = 4 * 1024 * 1024
#: Ticks in one idle timeout: a silent peer is let go after one timeout, at most an eighth later.
_TICKS: Final = 8
_BACKLOG: Final = 128
#: No datagram is larger.
_LARGEST: Final = 65_536

_log: Final = structlog.get_logger(__name__)


class SyslogSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one syslog feed."""

    host: Annotated[
        str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every address of the machine.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP or UDP port; 0 lets the system choose a free one.")] = (
        6514
    )
    transport: Annotated[
        Literal["tcp", "tls", "udp"],
        Meta(
            description="`tls` where the sender can: audit messages name patients. `tcp` takes both framings of RFC 6587. `udp` "
            "loses messages without a trace, and cuts large ones."
        ),
    ] = "tcp"
    tls: Annotated[
        TlsSettings | None,
        Meta(description="TLS, mutual with `client_ca` (IHE ATNA asks for it). For `transport: tls`."),
    ] = None
    max_connections: Annotated[
        int, Meta(ge=1, le=10_000, description="Connections at a time; more are closed. Not for `udp`.")
    ] = 64
    max_message_bytes: Annotated[
        int,
        Meta(ge=1024, le=16 * 1024 * 1024, description="A larger message is dropped and counted (too-large)."),
    ] = MAX_SIZE
    idle_timeout_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="A connection is closed when its sender says nothing for so long. 0: never; many senders lose the first "
            "message after a connection was closed on them. Not for `udp`.",
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        """Certificates and transport belong together."""
        if self.transport == "tls" and self.tls is None:
            raise ValueError("transport tls needs the settings tls (certificate, key, client_ca)")
        if self.transport != "tls" and self.tls is not None:
            raise ValueError(f"the settings tls are for transport tls, not {self.transport}")


class SyslogListener:
    """One listening socket, and its connections if it has any."""

    def __init__(self, feed: str, settings: SyslogSettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.counters = counters
        self.custody = Custody(feed, pipeline, self._lost)
        self.held: set[Connection] = set()
        self._connections: set[Connection] = set()
        self._open = False
        self._admitted = 0
        self._handshakes: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._socket: socket.socket | None = None  # of the datagrams
        self._clock: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def port(self) -> int:
        """The port listened on; the real one when the settings say 0."""
        if self._datagrams is not None:
            return int(self._datagrams.get_extra_info("sockname")[1])
        if self._server is None or not self._server.sockets:
            return self.settings.port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen. Raises :class:`ConfigError` when the address, the port or the certificate cannot be used."""
        if self.settings.tls is not None:
            self._context = server_context(self.settings.tls)
            # A sender reads nothing. Session tickets that it left unread would make its close a reset, which throws away what it still
            # had to send.
            self._context.num_tickets = 0
        self._open = True
        try:
            await self._listen()
        except OSError as error:
            self._open = False
            place = f"{self.settings.host}:{self.settings.port}"
            # A name that does not resolve has a negative number.
            number = error.errno or 0
            reason = os.strerror(number).lower() if number > 0 else "no such address"
            raise ConfigError(
                f"feed {self.feed}", 0, f"cannot listen on {place}: {reason}", "choose a free port of this machine"
            ) from None
        if self.settings.idle_timeout_seconds and self._server is not None:
            self._tick()

    async def stop(self, grace_seconds: float = 30.0) -> None:
        """Accept nobody, read what is on its way, wait until all of it is durable.

        What the engine still cannot keep after ``grace_seconds`` is lost, counted (``dropped``) and told in the log.
        """
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._finish(), grace_seconds)
        for connection in list(self._connections):
            connection.abort()
        await self._empty.wait()
        if self._clock is not None:
            self._clock.cancel()
        self.custody.abandon()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

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

    def full(self, shift: int) -> bool:
        """Whether too much is not durable yet (``shift`` 1: more than half of it), or the engine can keep nothing now."""
        return self.custody.stuck or self.custody.size >= MAX_WAITING_BYTES >> shift

    def released(self, size: int) -> None:
        """Something is durable: others may read on."""
        if self.held and not self.full(1):
            for connection in list(self.held):
                connection.regulate()

    def datagram(self, data: bytes) -> None:
        """One datagram, which is one message (RFC 5426 3.1)."""
        if len(data) > self.settings.max_message_bytes:
            self.counters.rejected("too-large")
        elif self.custody.count >= MAX_DATAGRAMS or self.custody.size >= MAX_WAITING_BYTES:
            self.counters.rejected("dropped")
        elif data:
            self.custody.take(data, self.released)

    # Inside

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        address = self.settings.host, self.settings.port
        if self.settings.transport == "udp":
            self._socket = _bound(await loop.getaddrinfo(*address, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE))
            self._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=self._socket)
        else:
            self._server = await loop.create_server(self._protocol, *address, backlog=_BACKLOG)

    async def _finish(self) -> None:
        if self._datagrams is not None:
            self._empty_socket()
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
        for task in self._handshakes:
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        for connection in list(self._connections):
            connection.drain()
        await self._empty.wait()
        await self.custody.settled()

    def _empty_socket(self) -> None:
        """Take the datagrams that the system has received and nobody has read yet: closing would throw them away."""
        assert self._socket is not None
        for _ in range(MAX_DATAGRAMS):
            try:
                self.datagram(self._socket.recv(_LARGEST))
            except OSError:  # nothing more
                return

    def _lost(self, count: int) -> None:
        _log.error("messages-lost", feed=self.feed, count=count)
        for _ in range(count):
            self.counters.rejected("dropped")

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

    def _tick(self) -> None:
        for connection in list(self._connections):
            connection.tick(_TICKS)
        loop = asyncio.get_running_loop()
        self._clock = loop.call_later(self.settings.idle_timeout_seconds / _TICKS, self._tick)


def _bound(places: Sequence[tuple[Any, ...]]) -> socket.socket:
    """A socket for datagrams at the first of these addresses that can be had. Raises OSError."""
    problem = OSError()
    for family, kind, protocol, _, address in places:
        try:
            found = socket.socket(family, kind, protocol)
        except OSError as error:  # no IPv6 here
            problem = error
            continue
        try:
            found.setblocking(False)
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            found.bind(address)
        except OSError as error:
            found.close()
            problem = error
        else:
            return found
    raise problem


class _Datagrams(asyncio.DatagramProtocol):
    """The socket of UDP."""

    def __init__(self, listener: SyslogListener) -> None:
        self._listener = listener

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self._listener.datagram(data)


class _TurnedAway(asyncio.Protocol):
    """A peer beyond the connection cap: closed at once, so that its sender tells its operator."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counters.turned_away()
        cast("asyncio.Transport", transport).abort()


register(
    Declaration(
        name="syslog",
        settings=SyslogSettings,
        emits="one syslog message, with the ATNA audit message it carries",
        acknowledges="nothing: syslog has no acknowledgement; over TCP and TLS no more is read than the engine can make durable",
        make=SyslogListener,
        archive="syslog",
        parse=lambda settings: syslog.parse,
    )
)
