"""Syslog: UDP (RFC 5426), TCP (RFC 6587, both framings) or TLS (RFC 5425), carrying audit messages (IHE ITI TF-2 3.20).

Syslog has no acknowledgement. A sender has forgotten a message once it has written it, so what is read here is kept until it is
durable (``engine.listeners.custody``), no more is read than that, and a stop finishes what was read. What the network or the
sockets of either side still held when an engine was killed is lost, unless the sender sends it again: that is counted once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import structlog
from msgspec import Meta, Struct

from engine.listeners.custody import Custody
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.server import Server
from engine.listeners.syslog_connection import Connection
from engine.parsers import syslog
from engine.parsers.syslog_frames import MAX_SIZE
from engine.tls import TlsSettings

#: Bytes of all connections that are not durable yet, before every reader stops (and datagrams are dropped).
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
#: Datagrams that are not durable yet, before more of them are dropped: nobody can be told to wait.
MAX_DATAGRAMS: Final = 16_384
#: Asked of the system for datagrams that come faster than they are read; it gives what it allows (net.core.rmem_max).
RECEIVE_BUFFER: Final = 4 * 1024 * 1024
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


class SyslogListener(Server[SyslogSettings, Connection]):
    """One listening socket, and its connections if it has any."""

    def __init__(self, feed: str, settings: SyslogSettings, pipeline: Pipeline, counters: Counters) -> None:
        super().__init__(feed, settings, counters)
        self.custody = Custody(feed, pipeline, self._lost)
        self.held: set[Connection] = set()
        self._datagrams: asyncio.DatagramTransport | None = None
        self._socket: socket.socket | None = None  # of the datagrams

    @property
    def port(self) -> int:
        """The port listened on; the real one when the settings say 0."""
        if self._datagrams is not None:
            return int(self._datagrams.get_extra_info("sockname")[1])
        return super().port

    async def stop(self, grace_seconds: float = 30.0) -> None:
        """Accept nobody, read what is on its way, wait until all of it is durable.

        What the engine still cannot keep after ``grace_seconds`` is lost, counted (``dropped``) and told in the log.
        """
        if self._open:
            await super().stop(grace_seconds)
            self.custody.abandon()

    # What connections call

    def left(self, connection: Connection) -> None:
        """A connection is gone."""
        self.held.discard(connection)
        super().left(connection)

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

    def _connection(self) -> Connection:
        return Connection(self)

    async def _listen(self) -> None:
        if self._context is not None:
            # A sender reads nothing. Session tickets that it left unread would make its close a reset, which throws away what it
            # still had to send.
            self._context.num_tickets = 0
        if self.settings.transport != "udp":
            await super()._listen()
            return
        loop = asyncio.get_running_loop()
        address = self.settings.host, self.settings.port
        self._socket = _bound(await loop.getaddrinfo(*address, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE))
        self._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=self._socket)

    async def _finish(self) -> None:
        if self._datagrams is not None:
            self._empty_socket()
            self._datagrams.close()
        await super()._finish()
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
