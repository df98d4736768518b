"""The sender's side of MLLP."""

from __future__ import annotations

import asyncio
import re
import ssl

from engine.listeners.mllp import MllpListener, MllpSettings
from engine.parsers.mllp import Framer, frame
from tests.listeners.place import Place, Sender


class Peer(Sender):
    """A sender on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.framer = Framer()
        self.answers: list[bytes] = []
        self.closed = False

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


def outcome(answer: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    match = re.search(rb"\rMSA\|(..)\|([^|\r]*)", answer)
    assert match
    return match[1].decode(), match[2].decode()


class Server(Place[MllpListener, Peer]):
    """Starts listeners and peers, and ends them with the test."""

    listener, settings, peer = MllpListener, MllpSettings, Peer
