"""HTTP endpoint that takes FHIR (R4 http.html): submissions, responses and audit events, as copies of what the platform sends and is answered.

A request is answered with what the pipeline says of it, in an OperationOutcome. Who may send is known by a bearer token, by mutual TLS,
or by both; without either only this machine may.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import ssl
from collections import deque
from pathlib import Path
from typing import Annotated, Final, cast

from msgspec import Meta, Struct

from engine.errors import ConfigError
from engine.listeners.http_connection import Connection
from engine.listeners.http_token import Tokens
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.tls import Gate, TlsSettings, server_context

#: Bytes of the largest body, once decompressed: a document of the largest size in base64, with its metadata.
MAX_SIZE: Final = 64 * 1024 * 1024
#: Connections that may be in the middle of a large body at a time, until it is answered; the others wait for their turn.
MAX_LARGE: Final = 8
#: Ticks in one idle timeout: a silent peer is let go after one timeout, at most an eighth later.
_TICKS: Final = 8
_BACKLOG: Final = 128
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one HTTP feed."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address to listen on; 0.0.0.0 for every address of the machine, which needs a `token_file` or mutual TLS.",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 lets the system choose a free one.")] = 8480
    path: Annotated[
        str,
        Meta(
            description="Base of the endpoint: bundles are posted there, or to `Bundle`, `AuditEvent` and `DocumentReference` under it."
        ),
    ] = "/fhir"
    token_file: Annotated[
        Path | None,
        Meta(
            description="File with the bearer tokens that senders must show, one a line, mode 0600; read again when it changes.",
            extra={"exists": "file"},
        ),
    ] = None
    tls: Annotated[TlsSettings | None, Meta(description="TLS, mutual with `client_ca`. Empty: plain.")] = None
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=2_147_483_647,
            description="A larger body (once decompressed) is refused (413), without keeping it in memory.",
        ),
    ] = MAX_SIZE
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="Connections at a time; more are closed.")] = 64
    idle_timeout_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="A connection is closed when for so long its sender says nothing, or when a request takes longer than that "
            "and a second more for each kilobyte. 0: never.",
        ),
    ] = 60.0


class HttpListener:
    """One listening socket and its connections."""

    def __init__(self, feed: str, settings: HttpSettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.pipeline = pipeline
        self.counters = counters
        self.path = settings.path.rstrip("/")
        self.tokens: Tokens | None = None
        self._connections: set[Connection] = set()
        self._open = False
        self._admitted = 0
        self._tickets = MAX_LARGE
        self._queue: deque[Connection] = deque()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
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
        """Listen. Raises :class:`ConfigError` when the address, the path, the token or the certificate cannot be used."""
        settings = self.settings
        self._check()
        if settings.token_file is not None:
            self.tokens = Tokens(settings.token_file, self.feed)
        if settings.tls is not None:
            self._context = server_context(settings.tls)
        loop = asyncio.get_running_loop()
        self._open = True
        try:
            self._server = await loop.create_server(self._protocol, settings.host, settings.port, backlog=_BACKLOG)
        except OSError as error:
            self._open = False
            # A name that does not resolve has a negative number.
            number = error.errno or 0
            reason = os.strerror(number).lower() if number > 0 else "no such address"
            place = f"{settings.host}:{settings.port}"
            raise ConfigError(
                f"feed {self.feed}", 0, f"cannot listen on {place}: {reason}", "choose a free port of this machine"
            ) from None
        if settings.idle_timeout_seconds:
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
        self._release()
        self.counters.closed()
        if not self._connections:
            self._empty.set()

    def ask(self, connection: Connection) -> None:
        """A connection needs a ticket for a large body; it is granted now or later, first come first served."""
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

    def _check(self) -> None:
        settings = self.settings
        place = f"feed {self.feed}"
        if not _PATH.fullmatch(settings.path):
            raise ConfigError(place, 0, "path is not the path of a URL", "write it as /fhir")
        mutual = settings.tls is not None and settings.tls.client_ca is not None
        if settings.token_file is None and not mutual and not _loopback(settings.host):
            raise ConfigError(
                place,
                0,
                f"anybody who reaches {settings.host} could send",
                "set token_file or tls.client_ca, or listen on 127.0.0.1",
            )

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

    def _tick(self) -> None:
        seconds = self.settings.idle_timeout_seconds / _TICKS
        for connection in list(self._connections):
            connection.tick(_TICKS, seconds)
        self._clock = asyncio.get_running_loop().call_later(seconds, self._tick)


class _TurnedAway(asyncio.Protocol):
    """A peer beyond the connection cap: closed at once, so that its sender tells its operator."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counters.turned_away()
        cast("asyncio.Transport", transport).abort()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


register(
    Declaration(
        name="http",
        settings=HttpSettings,
        emits="one FHIR payload (JSON) for each request: a resource, a Bundle, or NDJSON",
        acknowledges="HTTP status and OperationOutcome: 200 taken, 422 refused, 503 come back later",
        make=HttpListener,
        archive="file",
    )
)
