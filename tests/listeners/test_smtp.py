"""The SMTP journal, over real sockets: what it replies, what it takes, what cannot work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.listeners import smtp_session
from engine.listeners.listener import PlainCounters
from engine.listeners.smtp import SmtpListener, SmtpSettings
from engine.receipt import Receipt
from engine.tls import TlsSettings
from tests.listeners.conformance import REFUSED, UNAVAILABLE, ConnectedConformance, FakePipeline, until
from tests.listeners.smtp_peer import JOURNAL, Peer, Place, SmtpHarness, journal, mail, stuffed


class TestConformance(ConnectedConformance):
    """What every listener keeps."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[SmtpHarness]:
        """A journal and a mail server."""
        harness = SmtpHarness()
        yield harness
        await harness.close()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Where journals live."""
    place = Place()
    yield place
    await place.close()


class TestReplies:
    """What a sender is told."""

    @pytest.mark.parametrize(
        ("receipt", "reply"),
        [
            (Receipt("accepted"), "250 2.6.0 Kept"),
            (Receipt("duplicate"), "250 2.6.0 Kept"),
            (Receipt("aside", "mail-header", "line 1"), "250 2.6.0 Kept"),
            (REFUSED, "451 4.6.0 Not readable: segment-missing"),
            (UNAVAILABLE, "451 4.3.0 Cannot keep it now, come back later"),
        ],
    )
    async def test_each_receipt(self, place: Place, receipt: Receipt, reply: str) -> None:
        """What is on disk is taken; anything else its sender must keep: never a 5xx, which would bounce to the author."""
        await place.listen(journal(receipt=receipt))
        peer = await place.connect()
        assert await peer.give(mail("A1")) == reply
        assert await peer.ask("NOOP") == "250 OK"

    async def test_greeting_and_extensions(self, place: Place) -> None:
        """The name that was set is shown, and what is offered is what is kept: no AUTH, no CHUNKING, no VRFY."""
        await place.listen(journal(), hostname="journal.example", max_message_bytes=5000)
        peer = await place.connect()
        assert peer.greeting == "220 journal.example ESMTP"
        assert (await peer.greet()).replace("\r", "").split("\n") == [
            "250-journal.example",
            "250-SIZE 5000",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250 PIPELINING",
        ]
        for command, code in (
            ("AUTH PLAIN AGEAYg==", "500"),
            ("HELP", "500"),
            ("EXPN list", "500"),
            ("BDAT 5 LAST", "500"),
            ("VRFY journal", "252"),
            ("STARTTLS", "503"),
        ):
            assert (await peer.ask(command))[:3] == code, command

    async def test_helo(self, place: Place) -> None:
        """A sender of before 1995 is taken too."""
        pipeline = journal()
        await place.listen(pipeline)
        peer = await place.connect()
        assert (await peer.ask("HELO old")).startswith("250")
        assert (await peer.ask("MAIL FROM:<a@b.example>")).startswith("250")
        assert (await peer.ask(f"RCPT TO:<{JOURNAL}>")).startswith("250")
        assert (await peer.ask("DATA")).startswith("354")
        await peer.write(stuffed(mail("A1")))
        assert (await peer.reply()).startswith("250")
        assert (await peer.ask("QUIT")).startswith("221")
        assert pipeline.payloads == [mail("A1")]

    async def test_no_open_relay(self, place: Place) -> None:
        """Only the journal's addresses are taken, however they are written; the others are refused and counted."""
        pipeline = journal()
        await place.listen(pipeline, recipients=(JOURNAL, "Second@Jauge.example"), max_recipients=3)
        peer = await place.connect()
        await peer.greet()
        await peer.ask("MAIL FROM:<a@b.example>")
        strangers = (
            "someone@cabinet-fictif.mssante.fr",
            "journal",
            "@relay.example:other@jauge.example",
            f'"{JOURNAL}"@cabinet-fictif.mssante.fr',
            "journal%jauge.example@cabinet-fictif.mssante.fr",
            "postmaster",
        )
        for stranger in strangers:
            assert (await peer.ask(f"RCPT TO:<{stranger}>"))[:2] == "55", stranger
        assert (await peer.ask("DATA"))[:3] == "503"
        assert place.tally.rejected_total["smtp-recipient"] >= 4
        # A source route is ignored (RFC 5321 appendix C): the address is the journal's.
        for address in (JOURNAL.upper(), f"@relay.example:{JOURNAL}", "second@jauge.EXAMPLE"):
            assert (await peer.ask(f"RCPT TO:<{address}>")).startswith("250"), address
        assert (await peer.ask(f"RCPT TO:<{JOURNAL}>"))[:3] == "452"
        assert (await peer.ask("DATA")).startswith("354")
        await peer.write(stuffed(mail("A1")))
        assert (await peer.reply()).startswith("250")
        assert pipeline.ids == ["A1"]

    async def test_order_of_commands(self, place: Place) -> None:
        """What comes out of order is refused, RSET forgets the envelope, and the session goes on."""
        pipeline = journal()
        await place.listen(pipeline)
        peer = await place.connect()
        assert (await peer.ask("MAIL FROM:<a@b.example>"))[:3] == "503"
        assert (await peer.ask("DATA"))[:3] == "503"
        await peer.greet()
        assert (await peer.ask(f"RCPT TO:<{JOURNAL}>"))[:3] == "503"
        assert (await peer.ask("MAIL FROM:<a@b.example>")).startswith("250")
        assert (await peer.ask("MAIL FROM:<a@b.example>"))[:3] == "503"
        assert (await peer.ask(f"RCPT TO:<{JOURNAL}>")).startswith("250")
        assert (await peer.ask("DATA now"))[:3] == "501"
        assert (await peer.ask("RSET")).startswith("250")
        assert (await peer.ask("DATA"))[:3] == "503"
        assert await peer.give(mail("A1")) == "250 2.6.0 Kept"

    async def test_no_sender(self, place: Place) -> None:
        """What only the envelope says, that a mail is a notification, is written before it."""
        pipeline = journal()
        await place.listen(pipeline)
        peer = await place.connect()
        assert (await peer.envelope("")).startswith("354")
        await peer.write(stuffed(mail("A1")))
        assert (await peer.reply()).startswith("250")
        assert pipeline.payloads == [b"Return-Path: <>\r\n" + mail("A1")]

    async def test_junk(self, place: Place) -> None:
        """What is no SMTP is refused, never echoed beyond its first word, and shown the door after a while."""
        await place.listen(journal())
        peer = await place.connect()
        for line in (b"", b"\xff\xfe\xfd", b"X" * 3000, b"MAIL FROM:<" + b"a" * 5000 + b"@b>"):
            assert (await peer.ask(line))[:3] in ("500", "503"), line[:20]
        assert (await peer.ask(b"Y" * 600_000))[:3] == "500"
        await peer.greet()
        for line in ("MAIL FROM:<<>>", "MAIL FROM:", "MAIL FROM:<a@b> SIZE=x", "MAIL FROM:<a@b> BODY=9BIT"):
            assert (await peer.ask(line))[0] in "45", line
        for _ in range(5):
            reply = await peer.ask("GET / HTTP/1.1")
        assert "goodbye" in reply
        assert await peer.end() == b""

    async def test_a_failure_is_the_senders_to_repeat(self, place: Place) -> None:
        """Whatever fails behind, the sender is told to come back, and not what failed."""

        class Broken(FakePipeline):
            def submit(self, payload: bytes, feed: str, done: object) -> None:
                raise RuntimeError(payload)

        await place.listen(Broken())
        peer = await place.connect()
        for _ in range(2):
            assert await peer.give(mail("A1")) == "451 4.3.0 Internal error, come back later"
            assert (await peer.ask("NOOP")).startswith("250")


class TestSize:
    """Large mails."""

    async def test_announced(self, place: Place) -> None:
        """A mail that says that it is too large is refused before it is sent."""
        await place.listen(journal(), max_message_bytes=5000)
        peer = await place.connect()
        await peer.greet()
        assert (await peer.ask("MAIL FROM:<a@b.example> SIZE=5001"))[:3] == "552"
        assert (await peer.ask("MAIL FROM:<a@b.example> SIZE=5000")).startswith("250")

    async def test_not_announced(self, place: Place) -> None:
        """A mail that turns out too large is read to its end, refused and counted; the next one is taken."""
        pipeline = journal()
        await place.listen(pipeline, max_message_bytes=5000)
        peer = await place.connect()
        assert (await peer.give(mail("A1", 6000)))[:3] == "552"
        assert place.tally.rejected_total == {"too-large": 1}
        assert (await peer.give(mail("A2"))).startswith("250")
        assert pipeline.ids == ["A2"]

    async def test_without_end(self, place: Place) -> None:
        """Nobody is listened to for ever: twice the limit, and the connection is closed."""
        pipeline = journal()
        await place.listen(pipeline, max_message_bytes=100_000)
        peer = await place.connect()
        assert (await peer.envelope()).startswith("354")

        async def pour() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await peer.write(b"x" * 65536)

        pouring = asyncio.ensure_future(pour())
        await until(lambda: place.tally.connections == 0)
        await pouring
        assert place.tally.rejected_total == {"too-large": 1}
        assert pipeline.payloads == []

    async def test_few_are_large_at_a_time(self, place: Place) -> None:
        """Memory is bounded: only so many sessions are in the middle of a large mail, the others wait for their turn."""
        pipeline = journal(held=True)
        listener = await place.listen(pipeline)
        listener.large = asyncio.Semaphore(2)
        peers = [await place.connect() for _ in range(4)]
        big = mail("A1", 3_000_000)
        giving = [asyncio.ensure_future(peer.give(big)) for peer in peers]
        await until(lambda: len(pipeline.waiting) == 2)
        await asyncio.sleep(0.1)
        assert len(pipeline.waiting) == 2
        small = await place.connect()
        handing = asyncio.ensure_future(small.give(mail("B1")))
        await until(lambda: len(pipeline.waiting) == 3)
        pipeline.release()
        await until(lambda: len(pipeline.payloads) == 5)
        pipeline.release()
        assert all(reply.startswith("250") for reply in await asyncio.gather(handing, *giving))
        assert sorted(map(len, pipeline.payloads))[1:] == [len(big)] * 4

    async def test_waiting_for_a_turn_is_not_slowness(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """The time that a large mail waits for its turn is not its sender's."""
        monkeypatch.setattr(smtp_session, "MIN_BYTES_PER_SECOND", 1e9)
        pipeline = journal()
        listener = await place.listen(pipeline, idle_timeout_seconds=4)
        listener.large = asyncio.Semaphore(0)
        peer = await place.connect()
        giving = asyncio.ensure_future(peer.give(mail("A1", 3_000_000)))
        await asyncio.sleep(4.5)
        assert not giving.done()
        listener.large.release()
        assert (await giving).startswith("250")
        assert place.tally.idle_closed_total == 0

    async def test_long_lines(self, place: Place) -> None:
        """A line of any length is taken as it is."""
        pipeline = journal()
        await place.listen(pipeline)
        peer = await place.connect()
        payload = mail("A1") + b"z" * 2_000_000 + b"\r\n.\xff" + b"w" * 70_000 + b"\r\n"
        assert (await peer.give(payload)).startswith("250")
        assert pipeline.payloads == [payload]


async def test_nothing_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """aiosmtpd's own log, which holds addresses and commands, is silent at every level."""
    caplog.set_level(logging.DEBUG)
    await place.listen(journal())
    peer = await place.connect()
    await peer.give(mail("A1"))
    await peer.ask("VRFY 255069999999934@patient.mssante.fr")
    await peer.ask("NONSENSE 255069999999934@patient.mssante.fr")
    assert "255069999999934" not in caplog.text
    assert "ch-fictif" not in caplog.text


class TestSettings:
    """Settings that cannot work."""

    def make(self, **settings: object) -> SmtpListener:
        """A journal that is not started."""
        given = {"port": 0, "recipients": (JOURNAL,), **settings}
        return SmtpListener("journal", SmtpSettings(**given), journal(), PlainCounters())  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "settings",
        [
            {"transport": "starttls"},
            {"transport": "tls"},
            {"tls": TlsSettings(certificate=Path("a"), key=Path("b"))},
            {"networks": ("10.0.0.1/8",)},
            {"networks": ("hospital",)},
        ],
    )
    def test_what_does_not_go_together(self, settings: dict[str, object]) -> None:
        """TLS files without TLS, TLS without files, networks that are none."""
        with pytest.raises(ValueError, match=r"tls|networks"):
            self.make(**settings)

    async def test_not_for_everybody(self) -> None:
        """Beyond this machine, either networks or certificates say who may give mail."""
        with pytest.raises(ConfigError, match="anybody"):
            await self.make(host="0.0.0.0").start()
        listener = self.make(host="0.0.0.0", networks=("127.0.0.1",))
        await listener.start()
        await listener.stop()
        for host in ("localhost", "127.0.0.2"):
            listener = self.make(host=host)
            await listener.start()
            await listener.stop()

    async def test_port_in_use(self, place: Place) -> None:
        """A port that is taken is a fault of the configuration."""
        listener = await place.listen(journal())
        with pytest.raises(ConfigError, match="cannot listen"):
            await self.make(port=listener.port).start()


async def test_peer_class(place: Place) -> None:
    """The tests' own sender doubles dots as the standard says."""
    assert stuffed(b".a\r\n..b\r\nc.\r\n") == b"..a\r\n...b\r\nc.\r\n.\r\n"
    await place.listen(journal())
    assert isinstance(await place.connect(), Peer)
