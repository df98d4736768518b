"""The MLLP relay as the engine runs it: a process that passes bytes, and copies that come back from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from engine.errors import ConfigError
from engine.listeners.listener import PlainCounters
from engine.listeners.mllp_relay import RelayListener
from engine.listeners.relay_process import decode, encode
from engine.listeners.relay_settings import MllpRelaySettings
from engine.tls import ClientTlsSettings
from tests.listeners.conformance import (
    ACCEPTED,
    MAX_MESSAGE_BYTES,
    UNAVAILABLE,
    FakePipeline,
    Harness,
    Taking,
    message,
    until,
)
from tests.listeners.peer import Peer, outcome
from tests.listeners.relay_place import Receiver, Relayed, Requests
from tests.listeners.test_mllp_tls import client, files


class RelayHarness(Harness):
    """One sender, which the receiver behind the relay answers."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        self.listener: RelayListener | None = None
        self.peer: Peer | None = None

    def pipeline(self, held: bool = False, receipt: object = None) -> FakePipeline:
        """The requests alone: the answers of the receiver are not of the peer."""
        return Requests(held, receipt or (lambda payload: ACCEPTED))  # type: ignore[arg-type]

    async def start(self, pipeline: FakePipeline) -> None:
        """See :class:`Harness`."""
        await self.receiver.start()
        settings = MllpRelaySettings(
            port=0, target_host="127.0.0.1", target_port=self.receiver.port, max_message_bytes=MAX_MESSAGE_BYTES
        )
        self.listener = RelayListener("test", settings, pipeline, PlainCounters())
        await self.listener.start()
        self.peer = await Peer.connect(self.listener.port)

    async def stop(self) -> None:
        """See :class:`Harness`."""
        if self.listener is not None:
            await self.listener.stop()

    async def offer(self, *payloads: bytes) -> None:
        """See :class:`Harness`."""
        assert self.peer
        await self.peer.send(*payloads)

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.05)

    async def close(self) -> None:
        """See :class:`Harness`."""
        if self.peer is not None:
            await self.peer.close()
        await self.stop()
        await self.receiver.close()


class TestTaking(Taking):
    """What every listener keeps whose peer does not learn from us what became of a message."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[RelayHarness]:
        """A relay between a sender and a receiver."""
        harness = RelayHarness()
        yield harness
        await harness.close()


async def test_the_receiver_answers_and_both_directions_are_read() -> None:
    """The sender gets the receiver's own answer, and the pipeline gets each message before its acknowledgement."""
    pipeline = FakePipeline()
    async with Relayed(pipeline) as place:
        peer = await Peer.connect(place.listener.port)
        for number in range(20):
            await peer.send(message(f"A{number}"))
            assert outcome(await peer.answer()) == ("AA", f"A{number}")
        await until(lambda: len(pipeline.payloads) == 40)
        assert pipeline.ids == [name for number in range(20) for name in (f"A{number}", f"RA{number}")]
        await until(lambda: place.tally.connections == 1)
        await peer.close()
        await until(lambda: place.tally.connections == 0)
        assert place.tally.rejected_total == {}


async def test_thousands_at_once_are_copied_once() -> None:
    """Many senders at once: each is answered in its order, and each message and each answer is copied exactly once."""
    pipeline = FakePipeline()
    async with Relayed(pipeline) as place:

        async def work(name: str) -> None:
            peer = await Peer.connect(place.listener.port)
            ids = [f"{name}-{number}" for number in range(60)]
            await peer.send(*(message(one, size=200) for one in ids))
            assert [outcome(await peer.answer())[1] for _ in ids] == ids
            await peer.close()

        await asyncio.gather(*(work(f"P{number}") for number in range(50)))
        await until(lambda: len(pipeline.payloads) >= 6000)
        assert len(set(pipeline.ids)) == len(pipeline.ids) == 6000
        # The relay tells its tallies now and then, from its own process.
        await until(lambda: place.tally.opened_total == 50)
        assert place.tally.rejected_total == {}


@pytest.mark.parametrize("store", ["locked", "silent"])
async def test_a_stuck_store_stops_nothing_and_what_is_dropped_is_counted(store: str) -> None:
    """While the engine can keep nothing, or does not answer at all, every message is answered; a copy is kept or counted as dropped."""
    pipeline = Requests(held=store == "silent", receipt=lambda payload: UNAVAILABLE)
    count, size = 1200, 40_000
    async with Relayed(pipeline, max_message_bytes=2**20, copy_buffer_bytes=2**20) as place:
        peer = await Peer.connect(place.listener.port)
        for number in range(count):
            await peer.send(message(f"A{number}", size=size))
            assert outcome(await peer.answer()) == ("AA", f"A{number}")
        dropped = place.tally.rejected_total
        await until(lambda: dropped.get("copy-dropped", 0) > 0)
        pipeline.receipt = lambda payload: ACCEPTED
        pipeline.held = False
        pipeline.release()
        # What was refused is offered again, under the same name.
        await until(lambda: len(set(pipeline.ids)) + pipeline.answers + dropped["copy-dropped"] == 2 * count)
        assert 0 < len(set(pipeline.ids)) < count
        await peer.send(message("again", size=size))
        assert outcome(await peer.answer()) == ("AA", "again")
        await until(lambda: "again" in pipeline.ids)
        await peer.close()


async def test_an_unreachable_receiver_ends_the_connection_of_its_sender() -> None:
    """A sender whose receiver is away learns it at once, tries again, and gets through when it is back."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with Relayed(FakePipeline(), target_port=closed.getsockname()[1]) as place:
            for tries in (1, 2):
                with contextlib.suppress(ConnectionError):  # it may even come before the connection is known to be made
                    peer = await Peer.connect(place.listener.port)
                    assert await peer.end() == []
                    await peer.close()
                await until(lambda tries=tries: place.tally.rejected_total == {"target-unreachable": tries})  # type: ignore[misc]
            await until(lambda: place.tally.connections == 0)


async def test_a_process_that_dies_is_started_again() -> None:
    """When the passing process is killed its connections end, the port stays open, and the next sender gets through."""
    pipeline = FakePipeline()
    async with Relayed(pipeline) as place:
        peer = await Peer.connect(place.listener.port)
        await peer.send(message("A1"))
        await peer.answer()
        await until(lambda: len(pipeline.payloads) == 2)
        first = place.listener.pid
        os.kill(first, signal.SIGKILL)
        assert await peer.end() == []
        await peer.close()
        again = await Peer.connect(place.listener.port)
        await again.send(message("A2"))
        assert outcome(await again.answer()) == ("AA", "A2")
        await until(lambda: pipeline.ids == ["A1", "RA1", "A2", "RA2"])
        await until(lambda: place.tally.connections == 1)
        assert place.listener.pid != first
        await again.close()


async def test_a_stop_waits_for_the_answer_that_is_under_way() -> None:
    """A stop closes a quiet connection at once, and one in the middle of an exchange after its answer."""
    gate = Receiver()
    gate.reading.clear()
    pipeline = FakePipeline()
    async with Relayed(pipeline, gate) as place:
        quiet, busy = await Peer.connect(place.listener.port), await Peer.connect(place.listener.port)
        await until(lambda: place.tally.connections == 2)
        await busy.send(message("A1"))
        await until(lambda: pipeline.ids == ["A1"])
        stopping = asyncio.ensure_future(place.listener.stop())
        assert await quiet.end() == []
        gate.reading.set()
        assert [outcome(one) for one in await busy.end()] == [("AA", "A1")]
        await stopping
        assert pipeline.ids == ["A1", "RA1"]
        assert place.tally.rejected_total == {}
        await quiet.close()
        await busy.close()


async def test_tls_on_both_sides(tmp_path: Path) -> None:
    """TLS from the sender, TLS to the receiver whose name is checked: messages, answers and copies as without."""
    authority = trustme.CA()
    tls = files(tmp_path, authority)
    pipeline = FakePipeline()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    receiver = Receiver(tls=context)
    settings = {"tls": tls, "target_host": "localhost", "target_tls": ClientTlsSettings(ca=tmp_path / "ca.pem")}
    async with Relayed(pipeline, receiver, **settings) as place:
        peer = await Peer.connect(place.listener.port, client(authority))
        await peer.send(message("A1"), message("A2", size=2_000_000), message("A3"))
        assert [outcome(await peer.answer())[1] for _ in range(3)] == ["A1", "A2", "A3"]
        await until(lambda: len(pipeline.payloads) == 6)
        await peer.close()


async def test_a_taken_port_is_one_clear_error() -> None:
    """A port that somebody else listens on is told, and nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = MllpRelaySettings(port=port, target_host="127.0.0.1", target_port=1)
        listener = RelayListener("test", settings, FakePipeline(), PlainCounters())
        with pytest.raises(ConfigError, match="address already in use"):
            await listener.start()
        await listener.stop()


def test_settings() -> None:
    """A relay to itself, or a buffer in which no message fits, is refused; settings go to the process and back."""
    with pytest.raises(ValueError, match="relay itself"):
        MllpRelaySettings(port=2575, target_host="127.0.0.1", target_port=2575)
    with pytest.raises(ValueError, match="copy_buffer_bytes"):
        MllpRelaySettings(target_host="h", target_port=1, copy_buffer_bytes=2**20)
    settings = MllpRelaySettings(target_host="h", target_port=1, target_tls=ClientTlsSettings(ca=Path("/a/b.pem")))
    assert decode(encode(settings)) == settings
