"""IMAP over TLS: who is believed, and what is never said in clear."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from engine.listeners import mailbox
from engine.tls import ClientTlsSettings
from tests.listeners.conformance import FakePipeline, until
from tests.listeners.imap_harness import ImapHarness
from tests.listeners.imap_server import Connection


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority of the server."""
    return trustme.CA()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses."""
    monkeypatch.setattr(mailbox, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(mailbox, "QUIET_SECONDS", 0.05)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[ImapHarness]:
    """A mailbox with a mail in it, its listener and its server."""
    harness = ImapHarness(tmp_path)
    harness.server.inbox.add(b"one")
    yield harness
    await harness.close()


class TestTls:
    """Who is believed, and what is never said in clear."""

    @pytest.fixture
    def tls(self, harness: ImapHarness, authority: trustme.CA, tmp_path: Path) -> ClientTlsSettings:
        """A server with a certificate for localhost, and a client that believes it."""
        harness.server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(harness.server.context)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        return ClientTlsSettings(ca=tmp_path / "ca.pem")

    async def test_starttls(self, harness: ImapHarness, tls: ClientTlsSettings) -> None:
        """Nothing but STARTTLS is said in clear."""
        clear: list[str] = []

        async def watch(connection: Connection, verb: str, argument: str) -> bool:
            if connection.writer.get_extra_info("ssl_object") is None:
                clear.append(verb)
            return False

        harness.server.bend = watch
        await harness.start(FakePipeline(), host="localhost", transport="starttls", tls=tls)
        await harness.read(b"one")
        assert clear == ["STARTTLS"]
        await harness.server.stop()
        harness.server.inbox.add(b"two")
        await harness.server.start()
        await harness.read(b"one", b"two")

    @pytest.mark.parametrize("wrong", ["name", "authority", "dates", "plain", "closed"])
    async def test_wrong_servers(
        self, harness: ImapHarness, tls: ClientTlsSettings, authority: trustme.CA, wrong: str
    ) -> None:
        """A server of another name or authority, out of date, or without TLS gets no password, and is counted."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if wrong == "dates":
            authority.issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC)).configure_cert(context)
        else:
            issuer = trustme.CA() if wrong == "authority" else authority
            issuer.issue_cert("localhost" if wrong == "authority" else "imap.example").configure_cert(context)
        harness.server.context = context

        async def answer(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "STARTTLS" and wrong in ("plain", "closed"):
                await connection.ok()
                if wrong == "plain":
                    await connection.send("* OK what TLS?\r\n")
                    await connection.hang()
                raise ConnectionError
            return False

        harness.server.bend = answer
        await harness.start(FakePipeline(), host="localhost", transport="starttls", tls=tls)
        count = {"plain": "imap-starttls"}.get(wrong, "imap-tls")
        await until(lambda: harness.tally.rejected_total.get(count, 0) > 1)
        assert harness.verbs() == {"STARTTLS"}
        assert (harness.tally.tls_failed_total > 1) == (count == "imap-tls")

    @pytest.mark.parametrize(
        "act", ["refused", "preauth", "injected", "half"], ids=["refused", "preauth", "injected", "half a line"]
    )
    async def test_who_would_strip_tls(self, harness: ImapHarness, tls: ClientTlsSettings, act: str) -> None:
        """A refused STARTTLS, a connection that is logged in already, and words in clear behind the answer end it: no password is sent."""
        if act == "preauth":

            async def greet(connection: Connection) -> None:
                await connection.send("* PREAUTH welcome\r\n")

            harness.server.greeting = greet

        async def strip(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "STARTTLS":
                more = {"injected": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "half": "* CAPA"}.get(act, "")
                await connection.send(f"{connection.tag} {'NO' if act == 'refused' else 'OK'} x\r\n{more}")
                return True
            return False

        harness.server.bend = strip
        await harness.start(FakePipeline(), host="localhost", transport="starttls", tls=tls)
        await until(lambda: harness.tally.rejected_total.get("imap-starttls", 0) > 1)
        assert harness.verbs() <= {"STARTTLS"}
        assert harness.given.payloads == []

    async def test_a_server_without_tls(self, harness: ImapHarness, tls: ClientTlsSettings) -> None:
        """TLS from the first byte with a server that speaks in clear is a failed handshake."""
        await harness.start(FakePipeline(), host="localhost", transport="tls", tls=tls)
        await until(lambda: harness.tally.tls_failed_total > 1)
        assert set(harness.tally.rejected_total) == {"imap-tls"}
