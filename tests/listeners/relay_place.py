"""Receivers behind a relay, a relay in this process or in its own, and what came of both."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Self

from engine.listeners.custody import Custody
from engine.listeners.listener import PlainCounters
from engine.listeners.mllp_relay import RelayListener
from engine.listeners.relay_copies import CopyReader
from engine.listeners.relay_process import Relay, Tallies
from engine.listeners.relay_settings import MllpRelaySettings
from engine.parsers.mllp import Framer, frame
from engine.receipt import Receipt
from tests.listeners.conformance import ACCEPTED, FakePipeline, control_id


def answer(message: bytes) -> bytes:
    """The receiver's own acknowledgement, at the time of the message."""
    name, at = control_id(message).encode(), message.split(b"|", 7)[6]
    return b"MSH|^~\\&|DPI|HX|GAM|HX|%b||ACK^A01^ACK|R%b|P|2.5\rMSA|AA|%b\r" % (at, name, name)


class Receiver:
    """What the sender meant: a server that keeps the bytes of each connection, and answers each message.

    ``respond``: from a message to what is written back. While ``reading`` is clear it reads nothing.
    """

    def __init__(
        self,
        respond: Callable[[bytes], bytes] = lambda message: frame(answer(message)),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.respond = respond
        self._tls = tls
        self.streams: list[bytearray] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.ended = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self._server: asyncio.Server
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**16, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Leave."""
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def messages(self) -> list[bytes]:
        """Every message of every connection."""
        return [event for stream in self.streams for event in Framer().feed(bytes(stream)) if isinstance(event, bytes)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream, framer = bytearray(), Framer()
        self.streams.append(stream)
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            while True:
                await self.reading.wait()
                data = await reader.read(2**16)
                if not data:
                    break
                stream += data
                for event in framer.feed(data):
                    if isinstance(event, bytes):
                        writer.write(self.respond(event))
                await writer.drain()
        self.ended += 1
        writer.close()


class Requests(FakePipeline):
    """Keeps what the sender sent; the receiver's answers are counted and forgotten."""

    answers = 0

    def submit(self, payload: bytes, feed: str, done: Callable[[Receipt], None]) -> None:
        """See :class:`FakePipeline`."""
        if b"\rMSA|" in payload:
            self.answers += 1
            done(ACCEPTED)
        else:
            super().submit(payload, feed, done)


class InProcess:
    """A relay in this process, with its copies: everything but the process."""

    def __init__(self, pipeline: FakePipeline, target: int, **settings: Any) -> None:
        self.settings = MllpRelaySettings(port=0, target_host="127.0.0.1", target_port=target, **settings)
        self.tallies = Tallies()
        self.custody = Custody("test", pipeline, lambda count: None)
        self.relay: Relay

    async def __aenter__(self) -> Self:
        """Start."""
        loop = asyncio.get_running_loop()
        self.relay = Relay(self.settings, socket.create_server(("127.0.0.1", 0)), self.tallies)
        mine, its = socket.socketpair()
        await loop.create_unix_connection(lambda: self.relay.copies, sock=its)
        self.reader = CopyReader(self.custody, lambda: None)
        await loop.create_unix_connection(lambda: self.reader, sock=mine)
        await self.relay.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and let the copies arrive."""
        await self.relay.stop(0.5)
        await self.relay.copies.finish(10.0)
        await self.reader.ended.wait()
        assert self.relay.copies.unfinished == 0
        assert self.relay.connections == 0

    @property
    def port(self) -> int:
        """Where the sender connects."""
        return self.relay.port

    @property
    def rejected(self) -> dict[str, int]:
        """What was dropped, by its code."""
        return self.tallies.tally.rejected


class Relayed:
    """A receiver and a real relay before it, in its own process."""

    def __init__(self, pipeline: FakePipeline, receiver: Receiver | None = None, **settings: Any) -> None:
        self.pipeline = pipeline
        self.receiver = receiver or Receiver()
        self.tally = PlainCounters()
        self._settings = settings
        self.listener: RelayListener

    async def __aenter__(self) -> Self:
        """Start both."""
        await self.receiver.start()
        values = {"port": 0, "target_host": "127.0.0.1", "target_port": self.receiver.port, **self._settings}
        self.listener = RelayListener("test", MllpRelaySettings(**values), self.pipeline, self.tally)
        await self.listener.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop both; no connection is left."""
        await self.listener.stop()
        await self.receiver.close()
        assert self.tally.connections == 0
