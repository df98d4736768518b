"""The SMTP journal: where a mail ends, commands in one packet, and senders that people use."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest

from tests.listeners.conformance import until
from tests.listeners.smtp_peer import JOURNAL, Place, journal, mail, stuffed


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Where journals live."""
    place = Place()
    yield place
    await place.close()


FALSE_ENDS = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n", b"\r\n\0.\r\n", b"\r\r\n.\r\r\n")


@pytest.mark.parametrize("false_end", FALSE_ENDS)
@pytest.mark.parametrize("whole", [True, False])
async def test_smuggling(place: Place, false_end: bytes, whole: bool) -> None:
    """A mail inside a mail stays in it, whatever stands before it, in one packet or byte by byte."""
    pipeline = journal()
    await place.listen(pipeline)
    peer = await place.connect()
    assert (await peer.envelope()).startswith("354")
    inner = b"MAIL FROM:<x@y.example>\r\nRCPT TO:<%b>\r\nDATA\r\n" % JOURNAL.encode() + mail("B1")
    data = mail("A1") + b"text" + false_end + inner + b"\r\n.\r\n"
    for part in (data,) if whole else (data[at : at + 1] for at in range(len(data))):
        await peer.write(part)
    assert (await peer.reply()).startswith("250")
    assert (await peer.ask("NOOP")).startswith("250")
    assert len(pipeline.payloads) == 1
    assert pipeline.payloads[0].startswith(mail("A1") + b"text")
    assert pipeline.payloads[0].endswith(inner + b"\r\n")


class TestPipelining:
    """Senders that do not wait."""

    async def test_whole_sessions_in_one_packet(self, place: Place) -> None:
        """Commands and mails that come at once are answered one by one, in order, each mail after its commit."""
        pipeline = journal(held=True)
        await place.listen(pipeline)
        peer = await place.connect()
        await peer.greet()
        envelope = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<%b>\r\nDATA\r\n" % JOURNAL.encode()
        await peer.write(b"".join(envelope + stuffed(mail(f"A{n}")) for n in range(3)) + b"QUIT\r\n")
        for number in range(3):
            assert [(await peer.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
            await until(lambda number=number: len(pipeline.payloads) == number + 1)  # type: ignore[misc]
            pipeline.release()
            assert (await peer.reply())[:3] == "250"
        assert (await peer.reply())[:3] == "221"
        assert pipeline.payloads == [mail(f"A{n}") for n in range(3)]

    async def test_a_flood_of_commands_gives_way(self, place: Place) -> None:
        """A peer that pipelines thousands of commands does not keep another one from being served."""
        await place.listen(journal())
        flood, other = await place.connect(), await place.connect()
        count = 20_000

        async def drain() -> None:
            await flood.reader.readexactly(count * len(b"250 OK\r\n"))

        flooding = asyncio.ensure_future(drain())
        flood.writer.write(b"NOOP\r\n" * count)
        await asyncio.sleep(0)
        assert (await other.give(mail("A1"))).startswith("250")
        assert not flooding.done()
        await flooding


class TestSenders:
    """The libraries that people write senders with."""

    async def test_smtplib(self, place: Place) -> None:
        """The standard library's, with dots and long lines."""
        pipeline = journal()
        listener = await place.listen(pipeline)
        payload = mail("A1") + b".\r\n..\r\n" + b"x" * 5000 + b"\r\n.end\r\n"

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", listener.port, timeout=60) as sender:
                assert sender.sendmail("a@b.example", [JOURNAL], payload) == {}
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    sender.sendmail("a@b.example", ["other@b.example"], payload)

        await asyncio.to_thread(send)
        assert pipeline.payloads == [payload]

    async def test_aiosmtplib(self, place: Place) -> None:
        """The asynchronous one, with an address and a subject beyond ASCII (SMTPUTF8, 8BITMIME)."""
        pipeline = journal()
        listener = await place.listen(pipeline)
        message = EmailMessage()
        message["From"] = "hélène@ch-fictif.mssante.fr"
        message["To"] = "cabinet@cabinet-fictif.mssante.fr"
        message["Subject"] = "Résumé d'hospitalisation"
        message["Message-ID"] = "<A1@ch-fictif.mssante.fr>"
        message.set_content("Été", cte="8bit")
        errors, reply = await aiosmtplib.send(
            message, hostname="127.0.0.1", port=listener.port, recipients=[JOURNAL], start_tls=False
        )
        assert errors == {}
        assert reply == "2.6.0 Kept"
        assert pipeline.ids == ["A1"]
        assert "hélène".encode() in pipeline.payloads[0]
