"""Fixtures of the listeners' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.listeners.peer import Server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A place where listeners live."""
    server = Server()
    yield server
    for peer in server.peers:
        await peer.close()
    for listener in server.listeners:
        await listener.stop()
        assert listener.connections == 0
        assert listener.waiting_bytes == 0
    assert server.tally.connections == 0
