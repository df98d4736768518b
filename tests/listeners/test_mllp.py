"""The MLLP server, over real sockets."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.listeners.listener import PlainCounters
from engine.listeners.mllp import MllpListener, MllpSettings
from engine.listeners.server import cannot_listen
from engine.parsers import hl7
from engine.parsers.mllp import frame
from engine.receipt import Receipt
from tests.listeners.conformance import (
    MAX_MESSAGE_BYTES,
    REFUSED,
    UNAVAILABLE,
    ConnectedConformance,
    ConnectedHarness,
    FakePipeline,
    message,
    until,
)
from tests.listeners.peer import Peer, Server, outcome
from tests.listeners.place import silence


class MllpHarness(ConnectedHarness):
    """One stop-and-wait connection."""

    def __init__(self) -> None:
        self.listener: MllpListener | None = None
        self.peer: Peer | None = None
        self.reading: asyncio.Task[list[bytes]] | None = None

    async def start(self, pipeline: FakePipeline, idle_timeout_seconds: float = 60.0) -> None:
        """See :class:`Harness`."""
        settings = MllpSettings(port=0, max_message_bytes=MAX_MESSAGE_BYTES, idle_timeout_seconds=idle_timeout_seconds)
        self.listener = MllpListener("test", settings, pipeline, PlainCounters())
        await self.listener.start()
        if self.peer:
            await self.peer.close()
        self.peer = await Peer.connect(self.listener.port)
        self.reading = asyncio.ensure_future(self.peer.end())

    async def stop(self) -> None:
        """See :class:`Harness`."""
        assert self.listener
        await self.listener.stop()

    async def offer(self, *payloads: bytes) -> None:
        """See :class:`Harness`."""
        assert self.peer
        await self.peer.send(*payloads)

    async def begin(self, payload: bytes) -> None:
        """See :class:`ConnectedHarness`."""
        assert self.peer
        self.peer.writer.write(frame(payload)[:-2])

    async def silence(self) -> None:
        """See :class:`ConnectedHarness`."""
        assert self.listener
        await silence(self.listener)

    async def closed(self) -> None:
        """See :class:`ConnectedHarness`."""
        assert self.reading
        await self.reading

    async def acknowledged(self) -> list[str]:
        """See :class:`Harness`."""
        assert self.peer
        return [identifier for code, identifier in map(outcome, self.peer.answers) if code == "AA"]

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.05)

    async def close(self) -> None:
        """See :class:`Harness`."""
        assert self.peer
        await self.peer.close()
        await self.stop()


class TestConformance(ConnectedConformance):
    """What every listener keeps."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[MllpHarness]:
        """A listener and its peer."""
        harness = MllpHarness()
        yield harness
        await harness.close()


async def test_stop_and_wait(server: Server) -> None:
    """One message, one answer, many times on one connection."""
    await server.listen(FakePipeline())
    peer = await server.connect()
    for number in range(100):
        await peer.send(message(f"A{number}"))
        assert outcome(await peer.answer()) == ("AA", f"A{number}")


async def test_pipelined(server: Server) -> None:
    """A sender that does not wait gets every answer, in order."""
    await server.listen(FakePipeline())
    peer = await server.connect()
    ids = [f"A{number}" for number in range(3000)]
    sending = asyncio.ensure_future(peer.send(*map(message, ids)))
    assert [outcome(await peer.answer()) for _ in ids] == [("AA", identifier) for identifier in ids]
    await sending


async def test_parallel(server: Server) -> None:
    """Senders in parallel get their own answers."""
    pipeline = FakePipeline()
    await server.listen(pipeline)

    async def work(name: str) -> None:
        peer = await server.connect()
        for number in range(20):
            await peer.send(message(f"{name}-{number}"))
            assert outcome(await peer.answer()) == ("AA", f"{name}-{number}")

    await asyncio.gather(*(work(f"P{number}") for number in range(50)))
    assert len(pipeline.payloads) == 1000
    assert server.tally.opened_total == 50


async def test_one_commit_answers_many_connections(server: Server) -> None:
    """The receipts of one batch reach every connection they belong to, in each one's order."""
    pipeline = FakePipeline(held=True)
    await server.listen(pipeline)
    peers = [await server.connect() for _ in range(10)]
    for peer in peers:
        await peer.send(message("A1"), message("A2"))
    await until(lambda: len(pipeline.waiting) == 20)
    pipeline.release()
    for peer in peers:
        assert [outcome(await peer.answer()) for _ in range(2)] == [("AA", "A1"), ("AA", "A2")]


async def test_answers_keep_the_order(server: Server) -> None:
    """An answer that is known early waits for those before it."""
    pipeline = FakePipeline(held=True)
    await server.listen(pipeline, max_message_bytes=2048)
    peer = await server.connect()
    await peer.send(message("A1"), message("A2", size=4096), message("A3"))
    await until(lambda: len(pipeline.waiting) == 2)
    (_, first), (_, third) = pipeline.waiting
    third(Receipt("accepted"))
    await asyncio.sleep(0.02)
    first(Receipt("accepted"))
    assert [outcome(await peer.answer()) for _ in range(3)] == [("AA", "A1"), ("AE", "A2"), ("AA", "A3")]


async def test_refusals(server: Server) -> None:
    """Refused is AE, unavailable is AR, too large is AE; the connection goes on."""
    receipts = {b"|A1|": REFUSED, b"|A2|": UNAVAILABLE, b"|A4|": Receipt("aside", "no-pid", "PID")}

    def decide(payload: bytes) -> Receipt:
        return next((receipt for part, receipt in receipts.items() if part in payload), Receipt("accepted"))

    await server.listen(FakePipeline(receipt=decide), max_message_bytes=2048)
    peer = await server.connect()
    await peer.send(message("A1"), message("A2"), message("A3", size=4096), message("A4"), message("A5"))
    answers = [await peer.answer() for _ in range(5)]
    assert [outcome(answer)[0] for answer in answers] == ["AE", "AR", "AE", "AA", "AA"]
    assert hl7.CODES[REFUSED.code].encode() in answers[0]
    assert b"|too-large|" in answers[2]
    assert server.tally.rejected_total == {"too-large": 1}


async def test_a_failing_pipeline_is_answered(server: Server) -> None:
    """An error behind the listener is a reject, and costs the next message nothing."""

    class Failing(FakePipeline):
        def submit(self, payload: bytes, feed: str, done: Any) -> None:
            if b"|A1|" in payload:
                raise RuntimeError
            super().submit(payload, feed, done)

    await server.listen(Failing())
    peer = await server.connect()
    await peer.send(message("A1"), message("A2"))
    assert [outcome(await peer.answer()) for _ in range(2)] == [("AR", "A1"), ("AA", "A2")]


async def test_enhanced_mode(server: Server) -> None:
    """Accept and application acknowledgement come as two blocks; the peer's answer to the second ends it."""
    pipeline = FakePipeline()
    await server.listen(pipeline)
    peer = await server.connect()
    await peer.send(message("A1").replace(b"|2.5|||||", b"|2.5|||AL|AL|"))
    first, second = await peer.answer(), await peer.answer()
    assert (outcome(first), outcome(second)) == (("CA", "A1"), ("AA", "A1"))
    own_id = second.split(b"|")[9]
    await peer.send(b"MSH|^~\\&|GAM|HX|DPI|HX|1||ACK^A01^ACK|9|P|2.5\rMSA|CA|%b\r" % own_id, message("A2"))
    assert outcome(await peer.answer()) == ("AA", "A2")
    assert pipeline.ids == ["A1", "A2"]


async def test_copied_acknowledgements_are_messages(server: Server) -> None:
    """An ACK of other applications, copied to us, goes through the pipeline and is acknowledged."""
    pipeline = FakePipeline()
    await server.listen(pipeline)
    peer = await server.connect()
    await peer.send(b"MSH|^~\\&|PFI|HX|DPI|HX|1||ACK^R01^ACK|77|P|2.5\rMSA|AA|G1\r")
    assert outcome(await peer.answer()) == ("AA", "77")
    assert pipeline.ids == ["77"]


async def test_unreadable_and_empty_blocks_are_answered(server: Server) -> None:
    """Whatever comes in a block is answered: nobody waits for ever."""
    await server.listen(FakePipeline())
    peer = await server.connect()
    await peer.send(b"H|^~\\&|HPRIM", b"", b"\xff" * 100)
    assert [outcome(await peer.answer()) for _ in range(3)] == [("AA", "")] * 3


async def test_junk_is_counted(server: Server) -> None:
    """Bytes outside blocks are counted and cost the next message nothing."""
    await server.listen(FakePipeline())
    peer = await server.connect()
    peer.writer.write(b"hello\r\n")
    await peer.send(message("A1"))
    assert outcome(await peer.answer()) == ("AA", "A1")
    assert server.tally.junk_bytes_total == 5


async def test_half_closed_sender(server: Server) -> None:
    """A sender that shuts its sending side still gets its answers, then the connection ends."""
    pipeline = FakePipeline(held=True)
    await server.listen(pipeline)
    peer = await server.connect()
    await peer.send(message("A1"), message("A2"))
    peer.writer.write_eof()
    await until(lambda: len(pipeline.waiting) == 2)
    await asyncio.sleep(0.02)
    pipeline.release()
    assert [outcome(answer) for answer in await peer.end()] == [("AA", "A1"), ("AA", "A2")]


async def test_peer_that_leaves_before_the_answer(server: Server) -> None:
    """An answer to a peer that is gone is dropped quietly; what it holds is given back."""
    pipeline = FakePipeline(held=True)
    listener = await server.listen(pipeline)
    peer = await server.connect()
    await peer.send(message("A1"))
    await until(lambda: len(pipeline.waiting) == 1)
    await peer.close()
    pipeline.release(0)
    other = await server.connect()
    await other.send(message("A2"))
    await until(lambda: len(pipeline.waiting) == 2)
    pipeline.release()
    assert outcome(await other.answer()) == ("AA", "A2")
    assert listener.waiting_bytes == 0


async def test_no_delay(server: Server) -> None:
    """Answers leave at once: Nagle's algorithm is off on the server's side."""
    listener = await server.listen(FakePipeline())
    await server.connect()
    await until(lambda: listener.connections == 1)
    (connected,) = listener._connections
    sock = connected._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_port_in_use(server: Server) -> None:
    """A port that is taken is one clear error."""
    listener = await server.listen(FakePipeline())
    other = MllpListener("second", MllpSettings(port=listener.port), FakePipeline(), PlainCounters())
    with pytest.raises(ConfigError, match=f"feed second: cannot listen on 127.0.0.1:{listener.port}: address already"):
        await other.start()
    await other.stop()


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (errno.EADDRINUSE, "choose a free port"),
        (errno.EACCES, "a port under 1024 is root's"),
        (errno.EADDRNOTAVAIL, "give an address of this machine"),
    ],
)
def test_what_to_do_about_an_address(code: int, mend: str) -> None:
    """A port that is taken, one that is root's, the address of another machine: each has a mend of its own."""
    assert cannot_listen("his", "192.0.2.9", 575, OSError(code, "")).mend.startswith(mend)
