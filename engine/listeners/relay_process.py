"""The process that passes bytes: small, alone, and nothing in it waits for the engine.

Why a process: inside the engine's, each message and each answer waits for the interpreter while others are read and counted. Measured at
500 messages a second (``scripts/bench relay``, both ways tried): 1.0 ms added at p99 there, 0.14 ms here, and large documents would make it
worse there only. And a process goes on when the engine does not: it is started by the listener and told to stop by it; when the engine dies
without a word it passes bytes on, without copies, until the next engine asks it to move over.

``python -m engine.listeners.relay_process SETTINGS LISTENING CONTROL COPIES``: the settings as JSON, and three sockets by their numbers.
Control is one line of JSON (:class:`Tally`) now and then to the engine, and ``stop`` from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from msgspec import Struct, field

from engine.listeners.relay_copies import Copies
from engine.listeners.relay_passage import Passage
from engine.listeners.relay_settings import MllpRelaySettings
from engine.listeners.server import Server
from engine.tls import client_context

#: How long a stop waits for each connection to be between two messages.
BOUNDARY_SECONDS: Final = 3.0
#: How long a stop then waits for the engine to take what was copied.
COPIES_SECONDS: Final = 10.0
#: How often the engine is told the numbers, at most.
_TELL_SECONDS: Final = 0.1
_BACKLOG: Final = 512
_CREDENTIALS: Final = struct.Struct("3i")


class Tally(Struct, omit_defaults=True):
    """What happened since the last one, for the :class:`engine.listeners.listener.Counters` of the engine."""

    ready: bool = False
    opened: int = 0
    closed: int = 0
    turned_away: int = 0
    idle_closed: int = 0
    tls_failed: int = 0
    junk: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    faults: int = 0


class Tallies:
    """Counters that are told to the engine: nothing waits for it, and nothing is lost while it does not read."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.tell: Callable[[], None] = lambda: None

    def opened(self) -> None:
        """See ``Counters``."""
        self.tally.opened += 1
        self.tell()

    def closed(self) -> None:
        """See ``Counters``."""
        self.tally.closed += 1
        self.tell()

    def turned_away(self) -> None:
        """See ``Counters``."""
        self.tally.turned_away += 1
        self.tell()

    def idle_closed(self) -> None:
        """See ``Counters``."""
        self.tally.idle_closed += 1
        self.tell()

    def tls_failed(self) -> None:
        """See ``Counters``."""
        self.tally.tls_failed += 1
        self.tell()

    def junk(self, size: int) -> None:
        """See ``Counters``."""
        self.tally.junk += size
        self.tell()

    def rejected(self, code: str) -> None:
        """See ``Counters``."""
        self.tally.rejected[code] = self.tally.rejected.get(code, 0) + 1
        self.tell()

    def fault(self, _loop: object = None, _context: object = None) -> None:
        """Something failed in this process that asyncio caught: our own fault, its connection is gone."""
        self.tally.faults += 1
        self.tell()

    def take(self) -> bytes:
        """One line with what happened since, and begin again."""
        line, self.tally = msgspec.json.encode(self.tally) + b"\n", Tally()
        return line


class Relay(Server[MllpRelaySettings, Passage]):
    """The listening socket and its passages. ``copies``: where whole messages go."""

    def __init__(self, settings: MllpRelaySettings, listening: socket.socket, tallies: Tallies) -> None:
        super().__init__("relay", settings, tallies, backlog=_BACKLOG)
        self.copies = Copies(settings.copy_buffer_bytes, lambda: tallies.rejected("copy-dropped"))
        self.target_context: ssl.SSLContext | None = (
            client_context(settings.target_tls) if settings.target_tls else None
        )
        self._listening = listening

    def _connection(self) -> Passage:
        return Passage(self)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=self._listening, backlog=self._backlog)

    def close_port(self) -> None:
        """Listen no more; what is connected stays."""
        if self._server is not None:
            self._server.close()


class Control(asyncio.Protocol):
    """The line to the engine: numbers to it, the word to stop from it. Its end means that the engine is dead."""

    def __init__(self, tallies: Tallies, stop: Callable[[], None], orphaned: Callable[[], None]) -> None:
        self._tallies = tallies
        self._stop = stop
        self._orphaned = orphaned
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        tallies.tell = self._later

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The only word there is."""
        if b"stop" in data:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The engine is gone."""
        self._transport = None
        self._orphaned()

    def now(self) -> None:
        """Tell what there is to tell, unless the engine has not read the last yet."""
        self._timer = None
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._later()
        else:
            self._transport.write(self._tallies.take())

    def _later(self) -> None:
        if self._timer is None and self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(_TELL_SECONDS, self.now)


async def serve(
    settings: MllpRelaySettings, listening: socket.socket, control: socket.socket, copies: socket.socket
) -> None:
    """Pass bytes until told to stop."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    orphan = asyncio.Event()
    tallies = Tallies()
    loop.set_exception_handler(tallies.fault)
    relay = Relay(settings, listening, tallies)
    _, line = await loop.create_unix_connection(lambda: Control(tallies, stopping.set, orphan.set), sock=control)
    await loop.create_unix_connection(lambda: relay.copies, sock=copies)
    loop.add_signal_handler(signal.SIGTERM, stopping.set)

    def move() -> None:
        relay.close_port()
        stopping.set()

    with moving(listening.getsockname(), orphan.is_set, move):
        await relay.start()
        # Messages make short-lived objects, and almost no cycles.
        gc.freeze()
        tallies.tally.ready = True
        line.now()
        await stopping.wait()
    await relay.stop(BOUNDARY_SECONDS)
    await relay.copies.finish(COPIES_SECONDS)
    line.now()
    await asyncio.sleep(0)


@contextlib.contextmanager
def moving(address: Any, orphan: Callable[[], bool], move: Callable[[], object]) -> Any:
    """While this lasts, another process of the same account may ask for the port: an orphan gives it away."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as place:
        try:
            place.bind(_meeting_place(address))
        except OSError:  # one that moves over has not left yet: it answers no more, and nobody needs this one so soon
            yield
            return
        place.listen()
        place.setblocking(False)

        def asked() -> None:
            with contextlib.suppress(OSError), place.accept()[0] as who:
                if orphan() and _account(who) in {0, os.getuid()}:
                    move()
                    who.send(b"yours")

        loop.add_reader(place, asked)
        try:
            yield
        finally:
            loop.remove_reader(place)


def ask_for(address: Any) -> bool:
    """Ask the orphan of an engine that died, if there is one on this port, to move over; whether the port is free now.

    It may not know yet that its engine is dead: it is asked for a second.
    """
    for _ in range(5):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(5.0)
            try:
                line.connect(_meeting_place(address))
                if line.recv(8) == b"yours":
                    return True
            except OSError:
                return False
        time.sleep(0.2)
    return False


def _meeting_place(address: Any) -> str:
    return f"\0jauge-relay/{address[0]}/{address[1]}"


def _account(who: socket.socket) -> int:
    """User id of the process at the other end."""
    return int(_CREDENTIALS.unpack(who.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[1])


def decode(text: str) -> MllpRelaySettings:
    """The settings of :func:`encode`."""
    return msgspec.json.decode(text, type=MllpRelaySettings, dec_hook=lambda kind, value: kind(value))


def encode(settings: MllpRelaySettings) -> str:
    """Settings as an argument of the process."""
    return msgspec.json.encode(settings, enc_hook=lambda path: str(cast("Path", path))).decode()


def main() -> None:
    """What the engine starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    numbers = map(int, sys.argv[2:5])
    asyncio.run(serve(decode(sys.argv[1]), *(socket.socket(fileno=number) for number in numbers)))


if __name__ == "__main__":
    main()
