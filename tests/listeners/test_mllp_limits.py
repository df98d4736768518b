"""The limits of the MLLP server: whatever a peer does, memory is bounded and the others are served."""

from __future__ import annotations

import asyncio
import socket

import pytest

from engine.listeners import connection
from engine.parsers.mllp import frame
from tests.listeners.conformance import (
    FakePipeline,
    message,
    until,
)
from tests.listeners.peer import Server, outcome


async def test_a_peer_without_mllp_is_closed(server: Server) -> None:
    """Endless bytes without any block end the connection."""
    await server.listen(FakePipeline())
    peer = await server.connect()
    peer.writer.write(b"x" * (connection.MAX_JUNK * 2))
    assert await peer.end() == []
    await until(lambda: server.tally.junk_bytes_total > connection.MAX_JUNK)


async def test_silent_peer_is_closed(server: Server) -> None:
    """A connection on which nothing comes is closed after the idle timeout."""
    await server.listen(FakePipeline(), idle_timeout_seconds=0.1)
    peer = await server.connect()
    assert await peer.end() == []
    assert server.tally.idle_closed_total == 1
    assert server.tally.rejected_total == {}


async def test_message_without_end_is_closed(server: Server) -> None:
    """A message that never gets its end is closed by the idle timeout, counted, and never reaches the pipeline."""
    pipeline = FakePipeline()
    await server.listen(pipeline, idle_timeout_seconds=0.1)
    peer = await server.connect()
    peer.writer.write(frame(message("A1"))[:-2])
    assert await peer.end() == []
    await until(lambda: server.tally.rejected_total == {"truncated": 1})
    assert pipeline.payloads == []


async def test_peer_that_does_not_read_is_closed(server: Server) -> None:
    """A peer that sends and never reads its answers is stopped, then closed; memory stays bounded."""
    pipeline = FakePipeline()
    await server.listen(pipeline, idle_timeout_seconds=0.3)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", server.listeners[-1].port))
    block = frame(message("A1")) * 500

    async def flood() -> None:
        while True:
            await loop.sock_sendall(sock, block)

    with pytest.raises(ConnectionError):
        await flood()
    sock.close()
    assert server.tally.idle_closed_total == 1


async def test_backpressure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops while too much waits for its commit, and goes on after it."""
    monkeypatch.setattr(connection, "MAX_WAITING", 10)
    pipeline = FakePipeline(held=True)
    await server.listen(pipeline)
    peer = await server.connect()
    total = 20_000
    sending = asyncio.ensure_future(peer.send(*(message(f"A{number}") for number in range(total))))
    await until(lambda: len(pipeline.waiting) >= 10)
    await asyncio.sleep(0.1)
    # One read of asyncio is 256 KiB.
    assert len(pipeline.waiting) < 3000
    reading = asyncio.ensure_future(peer.end())
    while len(peer.answers) < total:
        pipeline.release()
        await asyncio.sleep(0.001)
    await sending
    await peer.close()
    assert len(await reading) == total


async def test_all_connections_share_one_limit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """While all connections together wait for too much nobody is read, and afterwards everybody is."""
    monkeypatch.setattr("engine.listeners.mllp.MAX_WAITING_BYTES", 10_000)
    pipeline = FakePipeline(held=True)
    await server.listen(pipeline)
    first, second = await server.connect(), await server.connect()
    await first.send(message("A1", size=20_000))
    await until(lambda: pipeline.ids == ["A1"])
    await second.send(message("B1"))
    await until(lambda: pipeline.ids == ["A1", "B1"])
    await second.send(message("B2"))
    await asyncio.sleep(0.05)
    assert pipeline.ids == ["A1", "B1"]
    pipeline.waiting.reverse()
    pipeline.release(1)
    assert outcome(await second.answer()) == ("AA", "B1")
    await asyncio.sleep(0.05)
    assert pipeline.ids == ["A1", "B1"]
    pipeline.release()
    await until(lambda: pipeline.ids == ["A1", "B1", "B2"])
    pipeline.release()
    assert outcome(await second.answer()) == ("AA", "B2")


async def test_large_messages_take_turns(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many peers may be in the middle of a large message; the others wait and lose nothing."""
    monkeypatch.setattr("engine.listeners.mllp.MAX_LARGE", 1)
    pipeline = FakePipeline()
    await server.listen(pipeline)
    peers = [await server.connect() for _ in range(4)]
    blocks = [frame(message(f"A{number}", size=3_000_000)) for number in range(4)]
    for peer, block in zip(peers, blocks, strict=True):
        peer.writer.write(block[: len(block) // 2])
    for peer, block in zip(peers, blocks, strict=True):
        peer.writer.write(block[len(block) // 2 :])
    answers = await asyncio.gather(*(peer.answer() for peer in peers))
    assert [outcome(answer) for answer in answers] == [("AA", f"A{number}") for number in range(4)]


async def test_connection_cap(server: Server) -> None:
    """A peer beyond the cap is closed at once and counted; when another leaves there is room again."""
    await server.listen(FakePipeline(), max_connections=1)
    first = await server.connect()
    await first.send(message("A1"))
    assert outcome(await first.answer()) == ("AA", "A1")
    second = await server.connect()
    assert await second.end() == []
    assert server.tally.turned_away_total == 1
    await first.close()
    await until(lambda: server.tally.connections == 0)
    third = await server.connect()
    await third.send(message("A2"))
    assert outcome(await third.answer()) == ("AA", "A2")
