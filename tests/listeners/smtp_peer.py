"""The sender's side of SMTP, byte by byte, and a place where journals and senders of one test live."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from typing import Any

from engine.listeners.listener import PlainCounters
from engine.listeners.smtp import SmtpListener, SmtpSettings
from engine.receipt import Receipt
from engine.tls import TlsSettings
from tests.listeners.conformance import MAX_MESSAGE_BYTES, FakePipeline, until
from tests.listeners.waiting_sender import WaitingSender

JOURNAL = "journal@jauge.example"


def mail(name: str, size: int = 0) -> bytes:
    """A mail that goes by this name (its Message-ID), or one of about ``size`` bytes."""
    return (
        b"From: Service <service@ch-fictif.mssante.fr>\r\nTo: cabinet@cabinet-fictif.mssante.fr\r\n"
        b"Message-ID: <%b@ch-fictif.mssante.fr>\r\nSubject: Lettre\r\n\r\n" % name.encode()
    ) + (b"y" * 76 + b"\r\n") * (size // 78 or 1)


def name_of(payload: bytes) -> str:
    """The name of a mail, or its length when it has none."""
    found = re.search(rb"^Message-ID: <([^@>]*)@", payload, re.MULTILINE)
    return found[1].decode() if found else f"{len(payload)} bytes"


def stuffed(payload: bytes) -> bytes:
    """A mail as it is sent, with its end."""
    whole = payload if payload.endswith(b"\r\n") else payload + b"\r\n"
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", whole) + b".\r\n"


class Peer:
    """A sender on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.greeting = ""

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None) -> Peer:
        """Connect, with TLS from the first byte when a context is given, and read the greeting."""
        peer = cls(
            *await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None)
        )
        peer.greeting = await peer.reply()
        return peer

    async def reply(self) -> str:
        """The next reply, all of its lines; "" when the server has closed."""
        lines = ""
        while True:
            try:
                line = (await self.reader.readline()).decode()
            except ConnectionError:
                return lines
            lines += line
            if line[3:4] != "-":
                return lines.rstrip("\r\n")

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, command: str | bytes) -> str:
        """Send a command; its reply."""
        await self.write((command.encode() if isinstance(command, str) else command) + b"\r\n")
        return await self.reply()

    async def greet(self) -> str:
        """EHLO."""
        return await self.ask("EHLO sender.example")

    async def envelope(self, sender: str = "a@ch-fictif.mssante.fr", *recipients: str) -> str:
        """EHLO to DATA; the last reply."""
        await self.greet()
        reply = await self.ask(f"MAIL FROM:<{sender}>")
        for recipient in recipients or (JOURNAL,):
            if reply.startswith("250"):
                reply = await self.ask(f"RCPT TO:<{recipient}>")
        return await self.ask("DATA") if reply.startswith("250") else reply

    async def give(self, payload: bytes) -> str:
        """A whole mail; the reply to it."""
        reply = await self.envelope()
        if not reply.startswith("354"):
            return reply
        await self.write(stuffed(payload))
        return await self.reply()

    async def secure(self, context: ssl.SSLContext) -> str:
        """STARTTLS, and the handshake when it is accepted."""
        await self.greet()
        reply = await self.ask("STARTTLS")
        if reply.startswith("220"):
            await self.writer.start_tls(context, server_hostname="localhost")
            # Python 3.11 leaves the reader on the plain side.
            self.reader._transport = self.writer.transport  # type: ignore[attr-defined]
        return reply

    async def end(self) -> bytes:
        """What comes until the server closes."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            return await self.reader.read()
        return b""

    async def close(self) -> None:
        """Leave."""
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


class Place:
    """Starts journals and senders, and ends them with the test."""

    def __init__(self) -> None:
        self.listeners: list[SmtpListener] = []
        self.peers: list[Peer] = []
        self.tally = PlainCounters()

    async def listen(self, pipeline: FakePipeline, **settings: Any) -> SmtpListener:
        """Start a journal on a free port."""
        given = {"port": 0, "recipients": (JOURNAL,), **settings}
        listener = SmtpListener("journal", SmtpSettings(**given), pipeline, self.tally)
        await listener.start()
        self.listeners.append(listener)
        return listener

    async def connect(self, tls: ssl.SSLContext | None = None) -> Peer:
        """Connect to the latest journal."""
        peer = await Peer.connect(self.listeners[-1].port, tls)
        self.peers.append(peer)
        return peer

    async def close(self) -> None:
        """End everything."""
        for peer in self.peers:
            await peer.close()
        for listener in self.listeners:
            await listener.stop()
            assert listener.connections == listener.peers.connections == 0
        assert self.tally.connections == 0


def journal(held: bool = False, receipt: Receipt | None = None) -> FakePipeline:
    """An engine that knows mails by their Message-ID."""
    return FakePipeline(held, name=name_of, **({"receipt": lambda payload: receipt} if receipt else {}))


class SmtpHarness(WaitingSender[Peer]):
    """A mail server with one connection."""

    listener: SmtpListener

    def __init__(
        self, transport: str = "plain", tls: TlsSettings | None = None, own: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self.settings = {"transport": transport, "tls": tls}
        self.own = own

    def message(self, name: str, size: int = 0) -> bytes:
        """See :class:`Harness`."""
        return mail(name, size)

    def odd(self, name: str) -> bytes:
        """See :class:`Harness`."""
        return mail(name) + b"..\r\n.\xe9\xa4 \xc3\xa9\rlone\nends\0\r\n"

    def name(self, payload: bytes) -> str:
        """See :class:`Harness`."""
        return name_of(payload)

    def made(self, pipeline: FakePipeline, idle_timeout_seconds: float) -> SmtpListener:
        """See :class:`WaitingSender`."""
        settings = SmtpSettings(
            port=0,
            recipients=(JOURNAL,),
            max_message_bytes=MAX_MESSAGE_BYTES,
            idle_timeout_seconds=idle_timeout_seconds,
            **self.settings,  # type: ignore[arg-type]
        )
        return SmtpListener("test", settings, pipeline, PlainCounters())

    async def connect(self) -> Peer:
        """See :class:`WaitingSender`."""
        if self.settings["transport"] == "tls":
            return await Peer.connect(self.listener.port, self.own)
        peer = await Peer.connect(self.listener.port)
        if self.own:
            await peer.secure(self.own)
        return peer

    async def give(self, peer: Peer, payload: bytes) -> tuple[bool, bool]:
        """See :class:`WaitingSender`."""
        reply = await peer.give(payload)
        return reply.startswith("250"), reply.startswith(("2", "4", "5")) and not reply.startswith("421")

    async def silence(self) -> None:
        """See :class:`ConnectedHarness`; a session has a clock of its own."""
        await until(lambda: self.listener.connections == 1)
        (session,) = self.listener._connections
        session._timeout_cb()

    async def begin(self, payload: bytes) -> None:
        """See :class:`ConnectedHarness`."""
        assert self.peer
        assert (await self.peer.envelope()).startswith("354")
        await self.peer.write(payload[:-2])
