"""The graceful stop of the MLLP server."""

from __future__ import annotations

import asyncio

import pytest

from engine.listeners import connection
from engine.parsers.mllp import Framer
from tests.listeners.conformance import (
    FakePipeline,
    message,
    until,
)
from tests.listeners.peer import Peer, Server, outcome


async def test_stop_takes_nothing_more(server: Server) -> None:
    """While the listener stops, new messages are not acknowledged and new peers not let in."""
    pipeline = FakePipeline(held=True)
    listener = await server.listen(pipeline)
    port = listener.port
    peer = await server.connect()
    idle = await server.connect()
    await peer.send(message("A1"))
    await until(lambda: len(pipeline.waiting) == 1)
    stopping = asyncio.ensure_future(listener.stop())
    await asyncio.sleep(0.02)
    await peer.send(message("A2"))
    with pytest.raises(ConnectionError):
        await Peer.connect(port)
    assert await idle.end() == []
    await asyncio.sleep(0.02)
    pipeline.release()
    assert [outcome(answer) for answer in await peer.end()] == [("AA", "A1")]
    await stopping
    assert pipeline.ids == ["A1"]


async def test_stop_ends_cleanly_on_unread_bytes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer whose next messages were not read any more gets its last answer and an orderly end, not a reset."""
    monkeypatch.setattr(connection, "MAX_WAITING", 1)
    pipeline = FakePipeline(held=True)
    listener = await server.listen(pipeline)
    peer = await server.connect()
    await peer.send(message("A1"))
    await until(lambda: len(pipeline.waiting) == 1)
    await peer.send(message("A2"), message("A3"))
    stopping = asyncio.ensure_future(listener.stop())
    await asyncio.sleep(0.02)
    pipeline.release()
    data = await peer.reader.read()  # raises when the connection is reset
    assert [outcome(answer) for answer in Framer().feed(data) if isinstance(answer, bytes)] == [("AA", "A1")]
    await peer.close()
    await stopping
    assert pipeline.ids == ["A1"]


async def test_stop_with_a_pipeline_that_never_answers(server: Server) -> None:
    """After its grace the stop goes on: what has no receipt has no acknowledgement."""
    pipeline = FakePipeline(held=True)
    listener = await server.listen(pipeline)
    peer = await server.connect()
    await peer.send(message("A1"))
    await until(lambda: len(pipeline.waiting) == 1)
    await listener.stop(grace_seconds=0.05)
    assert await peer.end() == []
    pipeline.release()


async def test_stop_under_load_loses_nothing_acknowledged(server: Server) -> None:
    """Whatever a sender was told is committed, and what was not committed it was not told, at a stop in full flow."""
    pipeline = FakePipeline()
    listener = await server.listen(pipeline)
    peers = [await server.connect() for _ in range(5)]

    async def flood(name: int, peer: Peer) -> None:
        number = 0
        try:
            while True:
                await peer.send(*(message(f"P{name}-{number + more}") for more in range(20)))
                number += 20
                await asyncio.sleep(0)
        except ConnectionError:
            pass

    floods = [asyncio.ensure_future(flood(name, peer)) for name, peer in enumerate(peers)]
    readers = [asyncio.ensure_future(peer.end()) for peer in peers]
    await until(lambda: len(pipeline.payloads) > 500)
    await listener.stop()
    told = [outcome(answer)[1] for answers in await asyncio.gather(*readers) for answer in answers]
    for task in floods:
        task.cancel()
    await asyncio.gather(*floods, return_exceptions=True)
    assert sorted(told) == sorted(pipeline.ids)
