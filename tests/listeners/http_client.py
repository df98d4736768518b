"""The sender's side of HTTP, bare: it can pipeline, stop in the middle, and say wrong things."""

from __future__ import annotations

import contextlib
import json
import ssl

from engine.listeners.http import HttpListener, HttpSettings
from tests.listeners.place import Place, Sender

FHIR = "application/fhir+json"
BODY = b'{"resourceType":"AuditEvent"}'


class Answer:
    """One response."""

    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status = status
        self.fields = fields
        self.body = body

    @property
    def issue(self) -> tuple[str, str, str]:
        """Severity, code and diagnostics of the only issue of the OperationOutcome."""
        found = json.loads(self.body)
        assert found["resourceType"] == "OperationOutcome"
        (issue,) = found["issue"]
        return issue["severity"], issue["code"], issue["diagnostics"]


def post(body: bytes, path: str = "/fhir", kind: str | None = FHIR, method: str = "POST", **fields: str) -> bytes:
    """A whole request; ``fields`` are header fields, with ``_`` for ``-``."""
    lines = [f"{method} {path} HTTP/1.1", "Host: jauge.example"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"Content-Length: {len(body)}"] if "Transfer_Encoding" not in fields else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes, size: int = 1000) -> bytes:
    """A body in chunks."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


class Peer(Sender):
    """A sender on one connection."""

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self) -> Answer:
        """The next response; raises ``asyncio.IncompleteReadError`` when the connection ends before it."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(fields.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), fields, body)

    async def ask(self, data: bytes) -> Answer:
        """Send a request and wait for its answer."""
        await self.write(data)
        return await self.answer()

    async def end(self) -> bytes:
        """Everything until the listener closes."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            return await self.reader.read()
        return b""

    def abort(self) -> None:
        """Leave without a word, as a machine that lost its power."""
        self.writer.transport.abort()


class Server(Place[HttpListener, Peer]):
    """Starts listeners and peers, and ends them with the test."""

    listener, settings, peer = HttpListener, HttpSettings, Peer


async def said(place: Server, data: bytes) -> Answer:
    """The answer to one request on a connection of its own."""
    return await (await place.connect()).ask(data)
