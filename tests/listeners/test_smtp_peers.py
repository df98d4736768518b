"""The SMTP journal: who may come, how often, how slowly, and how they leave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from engine.listeners import smtp_session
from tests.listeners.conformance import until
from tests.listeners.smtp_peer import Place, journal, mail, stuffed


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Where journals live."""
    place = Place()
    yield place
    await place.close()


class TestPeers:
    """Who may come, and how often."""

    async def test_connections_in_all(self, place: Place) -> None:
        """One connection too many is told to come back, and one that ended gives its place back."""
        await place.listen(journal(), max_connections=2)
        first = await place.connect()
        await place.connect()
        assert (await place.connect()).greeting[:3] == "421"
        assert place.tally.turned_away_total == 1
        await first.ask("QUIT")
        await until(lambda: place.tally.connections == 1)
        assert (await place.connect()).greeting[:3] == "220"

    async def test_connections_of_one(self, place: Place) -> None:
        """One address has not more than its share of them."""
        await place.listen(journal(), max_connections_per_peer=1)
        await place.connect()
        assert (await place.connect()).greeting[:3] == "421"

    async def test_networks(self, place: Place) -> None:
        """An address of no network that was given may not send."""
        await place.listen(journal(), networks=("10.0.0.0/8", "192.0.2.7"))
        peer = await place.connect()
        assert peer.greeting == "554 5.7.1 This address may not send here"
        assert await peer.end() == b""
        await place.listen(journal(), networks=("127.0.0.0/8",))
        assert (await place.connect()).greeting[:3] == "220"

    async def test_pace(self, place: Place) -> None:
        """Beyond so many mails a minute a sender is told to come back later, and keeps its mail."""
        pipeline = journal()
        await place.listen(pipeline, messages_per_minute=2)
        peer = await place.connect()
        replies = [await peer.give(mail(f"A{n}")) for n in range(3)]
        assert [reply[:3] for reply in replies] == ["250", "250", "450"]
        assert place.tally.rejected_total == {"smtp-rate": 1}
        assert pipeline.ids == ["A0", "A1"]


class TestTime:
    """Peers that take too long."""

    async def test_drop_by_drop(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mail that comes, but too slowly, holds its place no longer than its size allows."""
        monkeypatch.setattr(smtp_session, "MIN_BYTES_PER_SECOND", 1e9)
        pipeline = journal()
        listener = await place.listen(pipeline)
        peer = await place.connect()
        assert (await peer.envelope()).startswith("354")
        (session,) = listener._connections
        session._timeout_duration = 0.3

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await peer.write(b"x\r\n")
                    await asyncio.sleep(0.02)

        dripping = asyncio.ensure_future(drip())
        await until(lambda: place.tally.connections == 0)
        dripping.cancel()
        assert place.tally.idle_closed_total == 1
        assert place.tally.rejected_total == {"truncated": 1}
        assert pipeline.payloads == []

    async def test_last_word(self, place: Place) -> None:
        """A silent peer is told why it is let go."""
        await place.listen(journal(), idle_timeout_seconds=0.1)
        peer = await place.connect()
        assert await peer.end() == b"421 4.4.2 Timeout\r\n"

    async def test_peer_that_reads_nothing(self, place: Place) -> None:
        """A peer that sends commands and reads no reply is let go, and costs a bounded memory."""
        listener = await place.listen(journal(), idle_timeout_seconds=0.5)
        plain = socket.socket()
        plain.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 4096
        )  # before it connects: it bounds what the kernel takes
        plain.connect(("127.0.0.1", listener.port))
        plain.setblocking(False)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(loop.sock_sendall(plain, b"EHLO a\r\n" * 500_000), 20)
        await until(lambda: place.tally.connections == 0)
        plain.close()
        assert place.tally.idle_closed_total == 1


class TestLeaving:
    """Peers that go in the middle."""

    async def test_in_the_middle_of_a_mail(self, place: Place) -> None:
        """A mail without its end is not taken, and is counted."""
        pipeline = journal()
        await place.listen(pipeline)
        peer = await place.connect()
        assert (await peer.envelope()).startswith("354")
        await peer.write(mail("A1"))
        await peer.close()
        await until(lambda: place.tally.connections == 0)
        assert place.tally.rejected_total == {"truncated": 1}
        assert pipeline.payloads == []

    async def test_before_the_reply(self, place: Place) -> None:
        """A mail that is whole is kept even when nobody waits for the reply; its sender will send it again."""
        pipeline = journal(held=True)
        listener = await place.listen(pipeline)
        peer = await place.connect()
        assert (await peer.envelope()).startswith("354")
        await peer.write(stuffed(mail("A1")))
        await until(lambda: pipeline.ids == ["A1"])
        (session,) = listener._connections
        session._timeout_duration = 0.2
        session._reset_timeout()
        await peer.close()
        await until(lambda: place.tally.connections == 0)
        pipeline.release()
        await asyncio.sleep(0.4)
        assert place.tally.rejected_total == {}
        assert place.tally.idle_closed_total == 0

    async def test_stop_in_the_middle_of_a_mail(self, place: Place) -> None:
        """A stop does not wait for the end of a mail: its sender is told, and keeps it."""
        pipeline = journal()
        listener = await place.listen(pipeline)
        peer = await place.connect()
        assert (await peer.envelope()).startswith("354")
        await listener.stop()
        assert await peer.end() == b"421 4.3.2 Service shutting down\r\n"
        assert pipeline.payloads == []

    async def test_stop_does_not_wait_for_ever(self, place: Place) -> None:
        """After the grace a session is left without its answer."""
        pipeline = journal(held=True)
        listener = await place.listen(pipeline)
        peer = await place.connect()
        giving = asyncio.ensure_future(peer.give(mail("A1")))
        await until(lambda: pipeline.ids == ["A1"])
        await listener.stop(0.05)
        assert await giving == ""
        pipeline.release()
