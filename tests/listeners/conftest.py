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
    await server.close()
    assert all(listener.waiting_bytes == 0 for listener in server.listeners)
