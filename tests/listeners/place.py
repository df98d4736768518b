"""A place where the listeners and senders of one test live."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, ClassVar, Generic, Self, TypeVar

from engine.listeners.http import HttpListener
from engine.listeners.listener import PlainCounters
from engine.listeners.mllp import MllpListener
from engine.listeners.server import TICKS
from tests.listeners.conformance import FakePipeline, until


class Sender:
    """A sender on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None) -> Self:
        """Connect, with TLS when a context is given."""
        name = "localhost" if tls else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name))

    async def close(self) -> None:
        """Leave."""
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


async def silence(listener: HttpListener | MllpListener) -> None:
    """Have the clock of a listener go three idle timeouts further for its one connection."""
    await until(lambda: listener.connections == 1)
    (connection,) = listener._connections
    for _ in range(3 * (TICKS + 1)):
        connection.tick(TICKS)


ListenerT = TypeVar("ListenerT", HttpListener, MllpListener)
SenderT = TypeVar("SenderT", bound=Sender)


class Place(Generic[ListenerT, SenderT]):
    """Starts listeners and peers, and ends them with the test."""

    listener: ClassVar[Any]
    settings: ClassVar[Any]
    peer: ClassVar[Any]

    def __init__(self) -> None:
        self.listeners: list[ListenerT] = []
        self._turns: list[int] = []  # of each listener at its start
        self.peers: list[SenderT] = []
        self.tally = PlainCounters()

    async def listen(self, pipeline: FakePipeline, **settings: Any) -> ListenerT:
        """Start a listener on a free port."""
        listener: ListenerT = self.listener("test", self.settings(port=0, **settings), pipeline, self.tally)
        await listener.start()
        self.listeners.append(listener)
        self._turns.append(listener.turns.free)
        return listener

    async def connect(self, tls: ssl.SSLContext | None = None) -> SenderT:
        """Connect to the latest listener."""
        peer: SenderT = await self.peer.connect(self.listeners[-1].port, tls)
        self.peers.append(peer)
        return peer

    async def close(self) -> None:
        """End everything; nothing may be left."""
        for peer in self.peers:
            await peer.close()
        for listener, turns in zip(self.listeners, self._turns, strict=True):
            await listener.stop()
            assert listener.connections == 0
            assert listener._admitted == 0
            assert listener.turns.free == turns
        assert self.tally.connections == 0
