"""The bytes that go through a relay: all of them, as they are, both ways, whatever the two sides do."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import struct
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.listeners.relay_copies import Copies
from engine.parsers.mllp import Framer, frame
from tests.listeners.conformance import FakePipeline, message, until
from tests.listeners.peer import Peer, outcome
from tests.listeners.relay_place import InProcess, Receiver, Relayed

# A flow: messages of any bytes, junk between them, and where the stream is cut into writes.
_PAYLOADS = st.binary(min_size=1, max_size=200).map(lambda data: data.translate(None, b"\x0b\x1c")).filter(len)
_PIECES = st.one_of(
    _PAYLOADS.map(frame), st.binary(max_size=20), st.sampled_from([b"\r\n", b"\x1c\r", b"\x0b", b"\x0b\x0bMSH"])
)
_FLOWS = st.tuples(st.lists(_PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 2000), max_size=12))


async def say(writer: asyncio.StreamWriter, stream: bytes, places: list[int]) -> None:
    """Write a stream in pieces, each in a turn of its own."""
    marks = sorted({0, *(place % (len(stream) + 1) for place in places), len(stream)})
    for begin, end in pairwise(marks):
        writer.write(stream[begin:end])
        await asyncio.sleep(0)


@given(there=_FLOWS, back=_FLOWS)
@settings(max_examples=60, deadline=None)
def test_bytes_are_the_same_both_ways(there: tuple[bytes, list[int]], back: tuple[bytes, list[int]]) -> None:
    """Whatever the bytes and however they are cut, each side gets exactly what the other wrote, and each whole message is copied once."""

    async def flow() -> None:
        pipeline = FakePipeline(name=lambda payload: "")
        receiver = Receiver(respond=lambda payload: b"")
        await receiver.start()
        async with InProcess(pipeline, receiver.port) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            await until(lambda: len(receiver.writers) == 1)
            await asyncio.gather(say(writer, *there), say(receiver.writers[0], *back))
            writer.write_eof()
            assert await reader.read() == back[0]
            assert bytes(receiver.streams[0]) == there[0]
            writer.close()
        await receiver.close()
        whole = [event for stream, _ in (there, back) for event in Framer().feed(stream) if isinstance(event, bytes)]
        assert sorted(pipeline.payloads) == sorted(whole)

    asyncio.run(flow())


async def test_a_half_closed_sender_still_gets_its_answers() -> None:
    """The end of what the sender says goes to the receiver, whose answers still come back, then its own end."""
    receiver = Receiver()
    await receiver.start()
    async with InProcess(FakePipeline(), receiver.port) as place:
        peer = await Peer.connect(place.port)
        await peer.send(*(message(f"A{number}") for number in range(50)))
        peer.writer.write_eof()
        assert [outcome(one)[1] for one in await peer.end()] == [f"A{number}" for number in range(50)]
        await until(lambda: receiver.ended == 1)
        await peer.close()
    await receiver.close()


async def test_what_the_sender_says_before_the_receiver_is_there_waits() -> None:
    """A sender that writes and closes at once loses nothing."""
    receiver = Receiver()
    await receiver.start()
    pipeline = FakePipeline()
    async with InProcess(pipeline, receiver.port) as place:
        with socket.create_connection(("127.0.0.1", place.port)) as sender:
            sender.sendall(frame(message("A1")))
        await until(lambda: receiver.ended == 1)
        await until(lambda: "A1" in pipeline.ids)
    assert receiver.messages == [message("A1")]
    await receiver.close()


@pytest.mark.parametrize("side", ["sender", "receiver"])
async def test_a_reset_is_passed_on(side: str) -> None:
    """A side that resets its connection has the other's reset too, at once."""
    receiver = Receiver()
    await receiver.start()
    async with InProcess(FakePipeline(), receiver.port) as place:
        peer = await Peer.connect(place.port)
        await peer.send(message("A1"))
        await peer.answer()
        sides = {"sender": peer.writer, "receiver": receiver.writers[0]}
        sock = sides.pop(side).get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        (peer.writer if side == "sender" else receiver.writers[0]).transport.abort()
        if side == "receiver":
            with pytest.raises(ConnectionResetError):
                await peer.reader.read()
        else:
            await until(lambda: receiver.ended == 1)
        await until(lambda: place.relay.connections == 0)
        await peer.close()
    await receiver.close()


async def test_a_side_that_vanished_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that takes nothing of what waits for it, for longer than it may, ends the connection of its sender."""
    receiver = Receiver()
    receiver.reading.clear()
    await receiver.start()
    async with InProcess(FakePipeline(), receiver.port, dead_peer_seconds=1) as place:
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
        writer.write(frame(b"0" * 30_000_000))
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await until(lambda: place.relay.connections == 0)
        writer.close()
    await receiver.close()


@pytest.mark.parametrize("side", ["sender", "receiver"])
async def test_a_half_open_connection_is_noticed(side: str) -> None:
    """A side whose machine forgot the connection without a word is found by keepalive, and the other is closed."""
    receiver = Receiver()
    await receiver.start()
    async with InProcess(FakePipeline(), receiver.port, dead_peer_seconds=2) as place:
        peer = await Peer.connect(place.port)
        await peer.send(message("A1"))
        await peer.answer()
        gone = (peer.writer if side == "sender" else receiver.writers[0]).transport
        try:
            # A socket under repair is closed without a word to the other side (tcp(7) calls for CAP_NET_ADMIN).
            gone.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, 19, 1)
        except PermissionError:
            await peer.close()
            await receiver.close()
            pytest.skip("only root may make a connection vanish")
        gone.abort()
        await until(lambda: place.relay.connections == 0)
        if side == "receiver":
            assert await peer.end() == []
        else:
            await until(lambda: receiver.ended == 1)
        await peer.close()
    await receiver.close()


async def test_a_large_message_and_a_slow_receiver_cost_no_memory() -> None:
    """64 MB through a relay whose receiver reads nothing for a while: the sender waits, the process stays small, the bytes are the same."""
    body = os.urandom(1 << 20).translate(None, b"\x0b\x1c") * 65
    digest = hashlib.sha256(frame(body)).digest()
    receiver = Receiver(respond=lambda payload: b"")
    receiver.reading.clear()
    async with Relayed(
        FakePipeline(), receiver, max_message_bytes=2**20, copy_buffer_bytes=2**20, dead_peer_seconds=0
    ) as place:
        peer = await Peer.connect(place.listener.port)
        before = peak(place.listener.pid)
        peer.writer.write(frame(body))
        # Only as much leaves the sender as the sockets of the system hold, however long one waits.
        await asyncio.sleep(0.5)
        assert peer.writer.transport.get_write_buffer_size() > 30_000_000
        receiver.reading.set()
        await until(lambda: bool(receiver.streams) and len(receiver.streams[0]) == len(body) + 3)
        assert hashlib.sha256(receiver.streams[0]).digest() == digest
        await until(lambda: place.tally.rejected_total == {"too-large": 1})
        assert peak(place.listener.pid) - before < 12_000_000
        await peer.close()


async def test_a_large_message_is_copied_whole() -> None:
    """A message of 64 MB that fits is copied once, as it is."""
    body = b"MSH|" + os.urandom(1 << 20).translate(None, b"\x0b\x1c") * 64
    pipeline = FakePipeline(name=lambda payload: "")
    receiver = Receiver(respond=lambda payload: b"")
    async with Relayed(pipeline, receiver, max_message_bytes=2**27, copy_buffer_bytes=2**28) as place:
        peer = await Peer.connect(place.listener.port)
        await peer.send(body)
        await until(lambda: len(pipeline.payloads) == 1)
        assert pipeline.payloads[0] == body
        await peer.close()


async def test_unfinished_messages_share_the_room_of_the_copies() -> None:
    """Many messages without their end do not fit into the buffer together: some are given up whole, all of them go by."""
    pipeline = FakePipeline()
    receiver = Receiver()
    await receiver.start()
    async with InProcess(pipeline, receiver.port, max_message_bytes=2**20, copy_buffer_bytes=2**20) as place:
        peers = [await Peer.connect(place.port) for _ in range(6)]
        whole = [frame(message(f"A{number}", size=400_000)) for number in range(6)]
        for peer, data in zip(peers, whole, strict=True):
            peer.writer.write(data[:-2])
        await until(lambda: sum(map(len, receiver.streams)) == sum(len(data) - 2 for data in whole))
        assert place.relay.copies.unfinished <= 2**20
        for peer, data in zip(peers, whole, strict=True):
            peer.writer.write(data[-2:])
        for number, peer in enumerate(peers):
            assert outcome(await peer.answer()) == ("AA", f"A{number}")
        await until(lambda: len(pipeline.payloads) + place.rejected.get("copy-dropped", 0) == 12)
        copied = [name for name in pipeline.ids if name.startswith("A")]
        assert 0 < len(copied) < 6
        assert place.relay.copies.unfinished == 0
        for peer in peers:
            await peer.close()
    await receiver.close()


async def test_a_failing_copy_costs_the_passage_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """When reading the copy fails, even for lack of memory, the bytes have gone by and the next ones do."""

    def fail(self: Copies, payload: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(Copies, "offer", fail)
    receiver = Receiver()
    await receiver.start()
    async with InProcess(FakePipeline(), receiver.port) as place:
        peer = await Peer.connect(place.port)
        for number in range(3):
            await peer.send(message(f"A{number}"))
            assert outcome(await peer.answer()) == ("AA", f"A{number}")
        assert place.rejected == {"copy-dropped": 6}
        await peer.close()
    await receiver.close()


def peak(pid: int) -> int:
    """The most memory that a process ever had, in bytes."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
