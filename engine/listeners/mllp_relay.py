"""MLLP relay: stands between a sender and a receiver, passes bytes both ways at once, and reads a copy of both directions.

The receiver acknowledges, not we: nothing here can refuse, slow or stop a message. The bytes are passed by a small process of its own
(:mod:`engine.listeners.relay_process` says why); its copies come back over a socket, whole messages only, and go to the pipeline by way of
a :class:`Custody`: what the engine cannot keep at the moment is offered again, what does not fit meanwhile is dropped and counted.
The receiver's own acknowledgements are messages like the others: they prove that an application answered (P1.1, P1.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from typing import Final, cast

import msgspec
import structlog

from engine.errors import ConfigError
from engine.listeners.custody import Custody
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.relay_copies import CopyReader
from engine.listeners.relay_process import BOUNDARY_SECONDS, COPIES_SECONDS, Tally, ask_for, encode
from engine.listeners.relay_settings import MllpRelaySettings
from engine.listeners.server import cannot_listen
from engine.tls import client_context, server_context

CODES: Final = {
    "copy-dropped": "A message went by in a relay and its copy could not be kept: the engine could not store for too long, or took copies too slowly. "
    "It reached its receiver; it is not measured.",
    "target-unreachable": "The receiver behind a relay did not accept a connection: the sender's was closed at once, so that it tries again.",
}

#: How long the process may take to be ready.
_START_SECONDS: Final = 30.0
#: Time before a process that ended by itself is started again.
_AGAIN_SECONDS: Final = 0.5
_BACKLOG: Final = 512
_MODULE: Final = "engine.listeners.relay_process"

_log: Final = structlog.get_logger(__name__)


class RelayListener:
    """The engine's side: one process, its numbers and its copies. The port is opened here, so that it outlives the process."""

    def __init__(self, feed: str, settings: MllpRelaySettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.counters = counters
        self.custody = Custody(feed, pipeline, self._lost)
        self.port = settings.port
        self._listening: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: CopyReader | None = None
        self._numbers: _Numbers | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stopping = False
        self._spawning = asyncio.Lock()

    @property
    def pid(self) -> int:
        """The process that passes the bytes now; 0: none."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Listen, and start the process. Raises :class:`ConfigError` when the address, the port or a certificate cannot be used."""
        settings = self.settings
        if settings.tls is not None:
            server_context(settings.tls)
        if settings.target_tls is not None:
            client_context(settings.target_tls)
        try:
            self._listening = await self._open()
        except OSError as error:
            raise cannot_listen(self.feed, settings.host, settings.port, error) from None
        self.port = int(self._listening.getsockname()[1])
        self._stopping = False
        if not await self._spawn():
            await self.stop()
            raise ConfigError(
                f"feed {self.feed}", 0, "the process of the relay did not start", "see the log of the system"
            )
        self._watching = asyncio.create_task(self._watch())

    async def stop(self, grace_seconds: float = 30.0) -> None:
        """Accept nobody, let each connection come to the end of its message, keep what was copied.

        What the engine cannot keep within ``grace_seconds`` is dropped and counted.
        """
        if self._listening is None:
            return
        self._stopping = True
        async with self._spawning:  # one that is being started again is told to stop as well
            self._listening.close()
        self._listening = None
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_seconds
        if self._numbers is not None:
            self._numbers.stop()
        if self._reader is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reader.ended.wait(), min(grace_seconds, BOUNDARY_SECONDS + COPIES_SECONDS))
            self._reader.discard()
        await self._reap(BOUNDARY_SECONDS)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.custody.settled(), max(0.0, end - loop.time()))
        self.custody.abandon()

    # Inside

    async def _open(self) -> socket.socket:
        settings = self.settings
        loop = asyncio.get_running_loop()
        family, _, _, _, address = (
            await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        )[0]
        try:
            return socket.create_server(address, family=family, backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not await asyncio.to_thread(ask_for, address):
                raise
        _log.info("relay-taken-over", feed=self.feed)
        return socket.create_server(address, family=family, backlog=_BACKLOG)

    async def _spawn(self) -> bool:
        """Start the process and wait until it is ready."""
        assert self._listening is not None
        loop = asyncio.get_running_loop()
        control, its_control = socket.socketpair()
        copies, its_copies = socket.socketpair()
        with its_control, its_copies:
            handed = [one.fileno() for one in (self._listening, its_control, its_copies)]
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", _MODULE, encode(self.settings), *map(str, handed)),
                pass_fds=handed,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,  # what fails there is counted and told here: a traceback may hold a value
                start_new_session=True,
            )
        _, self._numbers = await loop.create_unix_connection(lambda: _Numbers(self.feed, self.counters), sock=control)
        _, self._reader = await loop.create_unix_connection(
            lambda: CopyReader(self.custody, lambda: self._lost(1)), sock=copies
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._numbers.heard.wait(), _START_SECONDS)
        return self._numbers.ready

    async def _watch(self) -> None:
        """Start the process again when it ends by itself; who connects meanwhile waits at the port."""
        while True:
            assert self._process is not None
            code = await self._process.wait()
            if self._stopping:
                return
            _log.error("relay-ended", feed=self.feed, exit_code=code)
            await asyncio.sleep(_AGAIN_SECONDS)
            async with self._spawning:
                try:
                    if not self._stopping:
                        await self._spawn()
                except OSError as error:  # no process, no memory: tried again
                    _log.error("relay-not-started", feed=self.feed, error=error)

    async def _reap(self, seconds: float) -> None:
        """Wait for the end of the process, or end it."""
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._process = None

    def _lost(self, count: int) -> None:
        for _ in range(count):
            self.counters.rejected("copy-dropped")


class _Numbers(asyncio.Protocol):
    """What the process tells of itself, line by line."""

    def __init__(self, feed: str, counters: Counters) -> None:
        self.heard = asyncio.Event()
        self.ready = False
        self._feed = feed
        self._counters = counters
        self._open = 0
        self._rest = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._count(msgspec.json.decode(line, type=Tally))

    def connection_lost(self, exc: Exception | None) -> None:
        for _ in range(self._open):  # its connections went with it
            self._counters.closed()
        self._open = 0
        self.heard.set()

    def stop(self) -> None:
        """Ask it to come to an end."""
        self._transport.write(b"stop")

    def _count(self, tally: Tally) -> None:
        counters = self._counters
        self._open += tally.opened - tally.closed
        events = (
            (counters.opened, tally.opened),
            (counters.closed, tally.closed),
            (counters.turned_away, tally.turned_away),
            (counters.idle_closed, tally.idle_closed),
            (counters.tls_failed, tally.tls_failed),
        )
        for tell, count in events:
            for _ in range(count):
                tell()
        if tally.junk:
            counters.junk(tally.junk)
        for code, count in tally.rejected.items():
            for _ in range(count):
                counters.rejected(code)
        if tally.faults:
            _log.error("relay-fault", feed=self._feed, problems=tally.faults)
        if tally.ready:
            self.ready = True
            self.heard.set()


register(
    Declaration(
        name="mllp_relay",
        settings=MllpRelaySettings,
        emits="one HL7 v2 message for each MLLP block that goes by, of the sender and of the receiver",
        acknowledges="the receiver acknowledges, untouched; Jauge answers nobody, and drops a copy rather than wait",
        make=RelayListener,
    )
)
