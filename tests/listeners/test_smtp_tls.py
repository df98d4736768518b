"""The SMTP journal in TLS: STARTTLS (RFC 3207) and from the first byte (RFC 8314), with certificates on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import pytest
import trustme

from tests.listeners.conformance import ConnectedConformance, FakePipeline, until
from tests.listeners.smtp_peer import JOURNAL, Peer, Place, SmtpHarness, mail, name_of, stuffed
from tests.listeners.test_mllp_tls import client, files

TRANSPORTS = ("starttls", "tls")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority of the mail servers that may come in."""
    return trustme.CA()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A place where journals live."""
    place = Place()
    yield place
    await place.close()


class TestConformance(ConnectedConformance):
    """What every listener keeps, over mutual TLS, asked for and from the first byte."""

    @pytest.fixture(params=TRANSPORTS)
    async def harness(
        self, request: pytest.FixtureRequest, authority: trustme.CA, tmp_path: Path
    ) -> AsyncIterator[SmtpHarness]:
        """A mail server with a certificate."""
        harness = SmtpHarness(
            request.param, files(tmp_path, authority, mutual=True), client(authority, certificate=True)
        )
        yield harness
        await harness.close()


def journal() -> FakePipeline:
    """An engine that knows mails by their Message-ID."""
    return FakePipeline(name=name_of)


async def test_nothing_before_starttls(place: Place, authority: trustme.CA, tmp_path: Path) -> None:
    """In clear, only the way to TLS is open; after it, STARTTLS is no longer offered and all is new."""
    pipeline = journal()
    await place.listen(pipeline, transport="starttls", tls=files(tmp_path, authority))
    peer = await place.connect()
    assert "STARTTLS" in await peer.greet()
    for command in ("MAIL FROM:<a@b.example>", f"RCPT TO:<{JOURNAL}>", "DATA", "RSET", "VRFY a"):
        assert (await peer.ask(command))[:3] == "530", command
    assert (await peer.ask("STARTTLS now"))[:3] == "501"
    assert (await peer.secure(client(authority)))[:3] == "220"
    assert (await peer.ask("MAIL FROM:<a@b.example>"))[:3] == "503", "what was said in clear is forgotten"
    assert "STARTTLS" not in await peer.greet()
    assert (await peer.ask("STARTTLS"))[:3] == "503"
    assert await peer.give(mail("A1", 300_000)) == "250 2.6.0 Kept"
    assert pipeline.payloads == [mail("A1", 300_000)]
    assert place.tally.connections == 1


async def test_nothing_is_injected(place: Place, authority: trustme.CA, tmp_path: Path) -> None:
    """What somebody on the way adds behind STARTTLS is not taken for what the sender says inside TLS."""
    pipeline = journal()
    await place.listen(pipeline, transport="starttls", tls=files(tmp_path, authority))
    peer = await place.connect()
    await peer.greet()
    injected = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<%b>\r\nDATA\r\n" % JOURNAL.encode() + stuffed(mail("X1"))
    assert (await peer.ask(b"STARTTLS\r\n" + injected[:-2]))[:3] == "220"
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await peer.writer.start_tls(client(authority), server_hostname="localhost")
        peer.reader._transport = peer.writer.transport  # type: ignore[attr-defined]
        assert (await peer.ask("DATA"))[:3] == "503"
    assert pipeline.payloads == []


async def attempt(place: Place, transport: str, context: ssl.SSLContext) -> str:
    """The reply to a mail given in TLS; "" when there is none."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        peer = await place.connect(context if transport == "tls" else None)
        if transport == "starttls":
            await peer.secure(context)
        return await peer.give(mail("A1"))
    return ""


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_who_may_come_in(place: Place, authority: trustme.CA, tmp_path: Path, transport: str) -> None:
    """Only a certificate of the authority: none and another authority's are refused and counted, and take no place."""
    pipeline = journal()
    listener = await place.listen(
        pipeline, transport=transport, tls=files(tmp_path, authority, mutual=True), max_connections=1
    )
    wrong = client(authority)
    trustme.CA().issue_cert("sender.example").configure_cert(wrong)
    for number, context in enumerate((client(authority), wrong), 1):
        assert await attempt(place, transport, context) == ""
        await until(lambda number=number: place.tally.tls_failed_total == number)  # type: ignore[misc]
        await until(lambda: listener.peers.connections == 0)
    assert await attempt(place, transport, client(authority, certificate=True)) == "250 2.6.0 Kept"
    assert pipeline.ids == ["A1"]
    assert place.tally.connections == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_peers_that_leave_in_the_handshake(
    place: Place, authority: trustme.CA, tmp_path: Path, transport: str
) -> None:
    """A peer that goes, or that talks in clear where TLS must begin, is a failed handshake and gives its place back."""
    listener = await place.listen(journal(), transport=transport, tls=files(tmp_path, authority), max_connections=1)

    async def begin() -> Peer:
        if transport == "tls":
            return Peer(*await asyncio.open_connection("127.0.0.1", listener.port))
        peer = await Peer.connect(listener.port)
        await peer.greet()
        await peer.ask("STARTTLS")
        return peer

    for number, words in enumerate((b"", b"EHLO sender.example\r\n"), 1):
        peer = await begin()
        if words:
            await peer.write(words)
            await peer.end()
        await peer.close()
        await until(lambda number=number: place.tally.tls_failed_total == number)  # type: ignore[misc]
        await until(lambda: listener.peers.connections == 0)
    assert await attempt(place, transport, client(authority)) == "250 2.6.0 Kept"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_stop_in_a_handshake(place: Place, authority: trustme.CA, tmp_path: Path, transport: str) -> None:
    """A peer that never begins its handshake holds one place and no stop."""
    listener = await place.listen(journal(), transport=transport, tls=files(tmp_path, authority), max_connections=1)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    if transport == "starttls":
        silent = Peer(reader, writer)
        await silent.reply()
        await silent.greet()
        await silent.ask("STARTTLS")
    await until(lambda: listener.peers.connections == 1)
    second = Peer(*await asyncio.open_connection("127.0.0.1", listener.port))
    assert (await second.end())[:3] in (b"", b"421")
    assert place.tally.turned_away_total == 1
    await listener.stop(5)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    assert listener.peers.connections == 0
    await second.close()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_smtplib_and_aiosmtplib(place: Place, authority: trustme.CA, tmp_path: Path) -> None:
    """Both libraries, by STARTTLS and in TLS from the first byte, with their certificate."""
    pipeline = journal()
    own = client(authority, certificate=True)
    tls = files(tmp_path, authority, mutual=True)
    ports = {transport: (await place.listen(pipeline, transport=transport, tls=tls)).port for transport in TRANSPORTS}

    def standard() -> None:
        with smtplib.SMTP("localhost", ports["starttls"], timeout=60) as sender:
            sender.starttls(context=own)
            assert sender.sendmail("a@b.example", [JOURNAL], mail("A1")) == {}
        with smtplib.SMTP_SSL("localhost", ports["tls"], timeout=60, context=own) as sender:
            assert sender.sendmail("a@b.example", [JOURNAL], mail("A2")) == {}

    await asyncio.to_thread(standard)
    for name, transport in (("A3", "starttls"), ("A4", "tls")):
        errors, reply = await aiosmtplib.send(
            mail(name),
            sender="a@b.example",
            recipients=[JOURNAL],
            hostname="localhost",
            port=ports[transport],
            tls_context=own,
            start_tls=transport == "starttls",
            use_tls=transport == "tls",
        )
        assert (errors, reply) == ({}, "2.6.0 Kept")
    assert pipeline.ids == ["A1", "A2", "A3", "A4"]
