"""How traces and mail leave: a growing log, a folder of dumps, syslog over TCP, HTTP posts, SMTP. Beside ``sender`` (MLLP).

Each is an asynchronous context manager with ``send`` (one payload) and ``finish`` (everything has left, and was answered
where the transport answers).
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from pathlib import Path
from typing import IO, Final, Protocol, Self

from engine.simulator.sender import SenderError

_WAITING: Final = 64
_ROTATION: Final = 2_000


class Post(Protocol):
    """What sends the payloads of one feed."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def send(self, payload: bytes) -> None:
        """Sends one payload."""

    async def finish(self) -> object:
        """Waits until everything has left; raises SenderError when something was refused."""


class LogPost:
    """Appends lines to a file, which is rotated now and then: ``dmp.log``, the past in ``dmp.log.1`` and so on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = 0
        self._turns = 0
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        self._file = self.path.open("ab", buffering=0)

    async def send(self, payload: bytes) -> None:
        """Writes one line, in one piece."""
        if self._file is None:
            raise SenderError("the log is not open")
        if self._lines and self._lines % _ROTATION == 0:
            self._turns += 1
            self._file.close()
            self.path.rename(self.path.with_name(f"{self.path.name}.{self._turns}"))
            self._open()
        self._file.write(payload + b"\n")
        self._lines += 1
        if self._lines % 50 == 0:
            await asyncio.sleep(0)

    async def finish(self) -> None:
        """A log has no answers."""


class CapturePost:
    """Writes each payload as a file of its own: under a name that nobody reads, then renamed when it is whole."""

    def __init__(self, folder: Path, name: str = "dump") -> None:
        self.folder = folder
        self.name = name
        self._number = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def send(self, payload: bytes) -> None:
        """Writes one file."""
        self._number += 1
        whole = self.folder / f"{self.name}-{self._number:06d}.dump"
        part = whole.with_suffix(".tmp")
        part.write_bytes(payload)
        part.rename(whole)
        if self._number % 20 == 0:
            await asyncio.sleep(0)

    async def finish(self) -> None:
        """A folder has no answers."""


class SyslogPost:
    """Syslog over TCP, framed by octet counting (RFC 6587 section 3.4.1)."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        _, self._writer = await asyncio.open_connection(self.host, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):  # closed by the other side first
                await self._writer.wait_closed()

    async def send(self, payload: bytes) -> None:
        """Writes one frame."""
        if self._writer is None:
            raise SenderError("not connected")
        self._writer.write(b"%d %b" % (len(payload), payload))
        await self._writer.drain()

    async def finish(self) -> None:
        """Syslog has no answers."""
        if self._writer is not None:
            await self._writer.drain()


class _Workers:
    """Several connections that are kept open, each with one payload at a time."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self.host = host
        self.port = port
        self.connections = connections
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.connections)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def send(self, payload: bytes) -> None:
        """Hands one payload to a connection that is free; raises what a connection failed with."""
        while True:
            for worker in self._workers:
                if worker.done():
                    worker.result()
            try:
                return await asyncio.wait_for(self._queue.put(payload), 1)
            except TimeoutError:
                continue

    async def finish(self) -> None:
        """Waits for every answer."""
        for _ in self._workers:
            await self._queue.put(None)
        await asyncio.gather(*self._workers)

    async def _work(self) -> None:
        """Sends what is in the queue up to the next None."""
        raise NotImplementedError


class HttpPost(_Workers):
    """POSTs over several connections; each answer must be a success (2xx).

    A payload is the fields of its head, an empty line and the body.
    """

    def __init__(self, host: str, port: int, path: str = "/fhir", connections: int = 3) -> None:
        super().__init__(host, port, connections)
        self.path = path

    async def _work(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            while (payload := await self._queue.get()) is not None:
                fields, _, body = payload.partition(b"\r\n\r\n")
                head = f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Length: {len(body)}\r\n"
                writer.write(head.encode() + fields + b"\r\n\r\n" + body)
                await writer.drain()
                await self._answer(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            raise SenderError("the connection was closed before every answer came") from None
        lines = head.split(b"\r\n")
        status = lines[0].split(b" ")[1]
        length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        if not status.startswith(b"2"):
            raise SenderError(f"an answer with the status {status.decode('ascii', 'replace')}")


class SmtpPost(_Workers):
    """Copies of mails over SMTP (the standard library's client), as a mail server sends them to its journal: a few at a time."""

    def __init__(self, host: str, port: int, recipient: str, connections: int = 6) -> None:
        super().__init__(host, port, connections)
        self.recipient = recipient

    async def _work(self) -> None:
        client = await asyncio.to_thread(smtplib.SMTP, self.host, self.port, "localhost", 60)
        try:
            while (payload := await self._queue.get()) is not None:
                await asyncio.to_thread(client.sendmail, _sender(payload), [self.recipient], payload)
        except smtplib.SMTPException as error:
            raise SenderError(f"a mail was refused: {type(error).__name__}") from None
        finally:
            client.close()


def _sender(payload: bytes) -> str:
    """The sender of the envelope, that a copy keeps: the author's, none for a receipt."""
    head = BytesHeaderParser().parsebytes(payload.partition(b"\r\n\r\n")[0])
    return "<>" if head["Return-Path"] == "<>" else parseaddr(head["From"])[1]
