"""Senders of syslog, and a place where listeners and senders of one test live."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from engine.listeners.listener import PlainCounters
from engine.listeners.syslog import SyslogListener, SyslogSettings
from engine.parsers.syslog_frames import counted
from tests.listeners.conformance import ACCEPTED, MAX_MESSAGE_BYTES, FakePipeline, Harness


def message(name: str, size: int = 0) -> bytes:
    """A syslog message that goes by this name (its PROCID), or one of about ``size`` bytes."""
    return b"<85>1 2026-03-10T16:20:05+01:00 pfi dmp %b IHE+RFC-3881 - <AuditMessage>%b</AuditMessage>" % (
        name.encode(),
        b"0" * size,
    )


def name_of(payload: bytes) -> str:
    """The name of a message."""
    words = payload.split(b" ", 5)
    return words[4].decode() if len(words) > 5 else f"{len(payload)} bytes"


def pipeline(held: bool = False, receipt: Any = lambda payload: ACCEPTED) -> FakePipeline:
    """An engine that knows the names of syslog messages."""
    return FakePipeline(held, receipt, name_of)


class Place:
    """Starts listeners and senders, and ends them with the test."""

    def __init__(self) -> None:
        self.listeners: list[SyslogListener] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.tally = PlainCounters()

    @property
    def listener(self) -> SyslogListener:
        """The latest listener."""
        return self.listeners[-1]

    async def listen(self, pipeline: FakePipeline, **settings: Any) -> SyslogListener:
        """Start a listener on a free port."""
        listener = SyslogListener("audit", SyslogSettings(port=0, **settings), pipeline, self.tally)
        await listener.start()
        self.listeners.append(listener)
        return listener

    async def connect(self, tls: ssl.SSLContext | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the latest listener."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port, ssl=tls, server_hostname=name)
        self.writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        """Let go of everything; nothing is left over."""
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        for listener in self.listeners:
            await listener.stop(0.2)
            assert listener.connections == 0
        assert self.tally.connections == 0


class SyslogHarness(Harness):
    """The sender of a listener over one transport."""

    def __init__(self, transport: str, framing: str = "counted", **settings: Any) -> None:
        self.place = Place()
        self.transport = transport
        self.framing = framing
        self.settings = settings
        self.tls: ssl.SSLContext | None = None
        self.writer: asyncio.StreamWriter | None = None

    def message(self, name: str, size: int = 0) -> bytes:
        """See :class:`Harness`; a datagram has at most 64 KiB."""
        return message(name, min(size, 60_000) if self.transport == "udp" else size)

    def odd(self, name: str) -> bytes:
        """See :class:`Harness`."""
        return message(name).replace(b"</", b"\xe9\xa4 \xc3\xa9</")

    def name(self, payload: bytes) -> str:
        """See :class:`Harness`."""
        return name_of(payload)

    async def start(self, pipeline: FakePipeline) -> None:
        """See :class:`Harness`."""
        limit = MAX_MESSAGE_BYTES // 2 if self.transport == "udp" else MAX_MESSAGE_BYTES
        await self.place.listen(pipeline, transport=self.transport, max_message_bytes=limit, **self.settings)

    async def stop(self) -> None:
        """See :class:`Harness`."""
        if self.place.listeners:
            await self.place.listener.stop()

    async def offer(self, *payloads: bytes) -> None:
        """See :class:`Harness`."""
        if self.transport == "udp":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for payload in payloads:
                    sender.sendto(payload, ("127.0.0.1", self.place.listener.port))
            return
        if self.writer is None:
            self.writer = (await self.place.connect(self.tls))[1]
        for payload in payloads:
            self.writer.write(counted(payload) if self.framing == "counted" else payload + b"\n")
        await self.writer.drain()

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.03)

    async def close(self) -> None:
        """See :class:`Harness`."""
        await self.place.close()
