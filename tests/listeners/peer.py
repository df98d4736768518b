"""The sender's side of MLLP, and a place where listeners and senders of one test live."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from typing import Any

from engine.listeners.listener import PlainCounters
from engine.listeners.mllp import MllpListener, MllpSettings
from engine.parsers.mllp import Framer, frame
from tests.listeners.conformance import (
    FakePipeline,
)


class Peer:
    """A sender on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.framer = Framer()
        self.answers: list[bytes] = []
        self.closed = False

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None) -> Peer:
        """Connect, with TLS when a context is given."""
        name = "localhost" if tls else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name))

    async def send(self, *payloads: bytes) -> None:
        """Send messages in blocks."""
        self.writer.write(b"".join(map(frame, payloads)))
        await self.writer.drain()

    async def read(self) -> None:
        """Take what the server sent, or learn that it closed."""
        try:
            data = await self.reader.read(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.closed = not data
        self.answers += [event for event in self.framer.feed(data) if isinstance(event, bytes)]

    async def answer(self) -> bytes:
        """The next answer."""
        while not self.answers:
            assert not self.closed, "closed without an answer"
            await self.read()
        return self.answers.pop(0)

    async def end(self) -> list[bytes]:
        """Every answer until the server closes."""
        while not self.closed:
            await self.read()
        return self.answers

    async def close(self) -> None:
        """Leave."""
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


def outcome(answer: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    match = re.search(rb"\rMSA\|(..)\|([^|\r]*)", answer)
    assert match
    return match[1].decode(), match[2].decode()


class Server:
    """Starts listeners and peers, and ends them with the test."""

    def __init__(self) -> None:
        self.listeners: list[MllpListener] = []
        self.peers: list[Peer] = []
        self.tally = PlainCounters()

    async def listen(self, pipeline: FakePipeline, **settings: Any) -> MllpListener:
        """Start a listener on a free port."""
        listener = MllpListener("test", MllpSettings(port=0, **settings), pipeline, self.tally)
        await listener.start()
        self.listeners.append(listener)
        return listener

    async def connect(self, tls: ssl.SSLContext | None = None) -> Peer:
        """Connect to the latest listener."""
        peer = await Peer.connect(self.listeners[-1].port, tls)
        self.peers.append(peer)
        return peer
