"""A sender with one connection, that waits for each answer and connects again when it was closed: one for HTTP, one for SMTP."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from typing import Generic, Protocol, TypeVar

from tests.listeners.conformance import ConnectedHarness, FakePipeline


class Connection(Protocol):
    """What a sender needs of its connection."""

    async def end(self) -> bytes:
        """What comes until the listener closes."""

    async def close(self) -> None:
        """Leave."""


class Listening(Protocol):
    """What a sender needs of its listener."""

    @property
    def port(self) -> int:
        """Where it listens."""

    async def start(self) -> None:
        """Listen."""

    async def stop(self) -> None:
        """Take nothing more."""


PeerT = TypeVar("PeerT", bound=Connection)


class WaitingSender(ConnectedHarness, Generic[PeerT]):
    """The sender, the listener it sends to, and what it knows to be taken."""

    listener: Listening

    def __init__(self) -> None:
        self.peer: PeerT | None = None
        self.known: list[str] = []
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.sending: asyncio.Task[None] | None = None

    @abc.abstractmethod
    def made(self, pipeline: FakePipeline, idle_timeout_seconds: float) -> Listening:
        """A new listener."""

    @abc.abstractmethod
    async def connect(self) -> PeerT:
        """A new connection."""

    @abc.abstractmethod
    async def give(self, peer: PeerT, payload: bytes) -> tuple[bool, bool]:
        """Send one message: whether it was taken, and whether the connection goes on."""

    async def start(self, pipeline: FakePipeline, idle_timeout_seconds: float = 60.0) -> None:
        """See :class:`Harness`."""
        self.listener = self.made(pipeline, idle_timeout_seconds)
        await self.listener.start()
        await self.forget()
        self.peer = await self.connect()
        self.queue = asyncio.Queue()
        self.sending = asyncio.ensure_future(self.work())

    async def work(self) -> None:
        """Send what is offered."""
        while True:
            payload = await self.queue.get()
            taken = goes_on = False
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                self.peer = self.peer or await self.connect()
                taken, goes_on = await self.give(self.peer, payload)
            if taken:
                self.known.append(self.name(payload))
            if self.peer and not goes_on:
                await self.peer.close()
                self.peer = None

    async def forget(self) -> None:
        """Stop sending."""
        if self.sending:
            self.sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.sending
        if self.peer:
            await self.peer.close()
        self.peer = self.sending = None

    async def stop(self) -> None:
        """See :class:`Harness`."""
        await self.listener.stop()

    async def offer(self, *payloads: bytes) -> None:
        """See :class:`Harness`."""
        for payload in payloads:
            self.queue.put_nowait(payload)

    async def closed(self) -> None:
        """See :class:`ConnectedHarness`."""
        assert self.peer
        await self.peer.end()

    async def acknowledged(self) -> list[str]:
        """See :class:`Harness`."""
        return self.known

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.05)

    async def close(self) -> None:
        """See :class:`Harness`."""
        await self.forget()
        await self.stop()
