"""What every listener on a socket has in common: its port, its connections and how many there may be, its clock, its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import ssl
from collections import deque
from typing import Final, Generic, Protocol, TypeVar, cast

from engine.errors import ConfigError
from engine.listeners.listener import Counters
from engine.listeners.tls import Gate
from engine.tls import TlsSettings, server_context

#: Ticks in one idle timeout: a silent peer is let go after one timeout, at most an eighth later.
TICKS: Final = 8


class ServerSettings(Protocol):
    """What a server needs of the settings of its listener."""

    @property
    def host(self) -> str:
        """Address to listen on."""

    @property
    def port(self) -> int:
        """TCP port; 0: any free one."""

    @property
    def tls(self) -> TlsSettings | None:
        """TLS from the first byte, or none."""

    @property
    def max_connections(self) -> int:
        """Connections at a time."""

    @property
    def idle_timeout_seconds(self) -> float:
        """How long a peer may be silent; 0: for ever."""


class ServerConnection(Protocol):
    """What a server asks of its connections, which are protocols of asyncio."""

    def tick(self, limit: int) -> None:
        """The clock: leave when the peer let more than ``limit`` ticks pass although it was its turn."""

    def drain(self) -> None:
        """Take nothing more, answer what was taken, leave."""

    def abort(self) -> None:
        """Leave now."""


SettingsT = TypeVar("SettingsT", bound=ServerSettings)
ConnectionT = TypeVar("ConnectionT", bound=ServerConnection)


class Server(Generic[SettingsT, ConnectionT]):
    """One listening socket and its connections. A connection tells :meth:`joined` and :meth:`left`.

    A listener gives :meth:`_connection`; it may add to :meth:`_listen` and :meth:`_finish`. One that asks who is there before it
    lets a peer in gives :meth:`_protocol` instead, and its own :meth:`left`.
    """

    def __init__(self, feed: str, settings: SettingsT, counters: Counters, *, backlog: int = 128) -> None:
        self.feed = feed
        self.settings = settings
        self.counters = counters
        self._backlog = backlog
        self._connections: set[ConnectionT] = set()
        self._open = False
        self._admitted = 0
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
        """Listen. Raises :class:`ConfigError` when the address, the port or the certificate cannot be used."""
        settings = self.settings
        if settings.tls is not None:
            self._context = server_context(settings.tls)
        self._open = True
        try:
            await self._listen()
        except OSError as error:
            self._open = False
            raise cannot_listen(self.feed, settings.host, settings.port, error) from None
        if settings.idle_timeout_seconds and self._server is not None:
            self._tick()

    async def stop(self, grace_seconds: float = 30.0) -> None:
        """Accept nobody, answer what was received completely, close.

        What is not answered after ``grace_seconds`` is left without an answer: its sender will send it again.
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
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        server, self._server = self._server, None
        if server is not None:
            await server.wait_closed()

    # What connections call

    def joined(self, connection: ConnectionT) -> None:
        """A connection is open."""
        self._connections.add(connection)
        self._empty.clear()
        self.counters.opened()
        if not self._open:  # the handshake ended while the listener was stopping
            connection.drain()

    def left(self, connection: ConnectionT) -> None:
        """A connection is gone."""
        if connection in self._connections:
            self._release()
            self._forget(connection)

    # What a listener gives

    def _connection(self) -> ConnectionT:
        """A new connection, which is an asyncio.Protocol."""
        raise NotImplementedError

    async def _listen(self) -> None:
        """Open the socket. Raises OSError."""
        settings, loop = self.settings, asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, settings.host, settings.port, backlog=self._backlog)

    async def _finish(self) -> None:
        """Accept nobody, and wait until nobody is left."""
        if self._server is not None:
            self._server.close()
        for task in self._handshakes:
            task.cancel()
        for connection in list(self._connections):
            connection.drain()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        await self._empty.wait()

    # Inside

    def _protocol(self) -> asyncio.Protocol:
        if self._context is not None:
            return Gate(self._context, self._made, self._admit, self._release, self.counters, self._handshakes)
        return self._made() if self._admit() else _TurnedAway(self.counters)

    def _made(self) -> asyncio.Protocol:
        return cast("asyncio.Protocol", self._connection())

    def _admit(self) -> bool:
        if not self._open or self._admitted >= self.settings.max_connections:
            return False
        self._admitted += 1
        return True

    def _release(self) -> None:
        self._admitted -= 1

    def _forget(self, connection: ConnectionT) -> None:
        self._connections.discard(connection)
        self.counters.closed()
        if not self._connections:
            self._empty.set()

    def _tick(self) -> None:
        for connection in list(self._connections):
            connection.tick(TICKS)
        seconds = self.settings.idle_timeout_seconds / TICKS
        self._clock = asyncio.get_running_loop().call_later(seconds, self._tick)


class _TurnedAway(asyncio.Protocol):
    """A peer beyond the connection cap: closed at once, so that its sender tells its operator."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counters.turned_away()
        cast("asyncio.Transport", transport).abort()


class Turn(Protocol):
    """Who waits for a turn."""

    def granted(self) -> None:
        """The turn has come."""


class Turns:
    """So many may be in the middle of something large at a time; the others wait, first come first served."""

    def __init__(self, most: int) -> None:
        self.free = most
        self._queue: deque[Turn] = deque()

    def ask(self, one: Turn) -> None:
        """Ask for a turn: it is granted now or later."""
        self._queue.append(one)
        self._grant()

    def withdraw(self, one: Turn) -> None:
        """Ask no more, for a turn that has not come."""
        self._queue.remove(one)

    def returned(self) -> None:
        """A turn is over."""
        self.free += 1
        self._grant()

    def _grant(self) -> None:
        while self.free and self._queue:
            self.free -= 1
            self._queue.popleft().granted()


def cannot_listen(feed: str, host: str, port: int, error: OSError) -> ConfigError:
    """The error of a feed whose address or port cannot be used."""
    # A name that does not resolve has a negative number.
    number = error.errno or 0
    reason = os.strerror(number).lower() if number > 0 else "no such address"
    return ConfigError(f"feed {feed}", 0, f"cannot listen on {host}:{port}: {reason}", listen_mend(error))


def listen_mend(error: OSError) -> str:
    """What to do about an address or a port that cannot be used."""
    if error.errno == errno.EADDRINUSE:
        return "choose a free port of this machine, or stop who has this one: ss -ltnp"
    if error.errno == errno.EACCES:
        return "a port under 1024 is root's: choose a greater one"
    return "give an address of this machine (ip address), or 0.0.0.0 for all of them"
