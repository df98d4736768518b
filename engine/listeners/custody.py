"""Messages that were taken off the wire and are not durable yet, for transports whose senders have already forgotten them.

Such a sender never sends again: what the engine cannot keep at the moment (disk full, store locked) stays here, in memory and
bounded by whoever reads the wire, and is offered again until it is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from engine.listeners.listener import Pipeline
from engine.receipt import Receipt

#: Time between two attempts while the engine can keep nothing.
RETRY_SECONDS: Final = 1.0

_FAILED: Final = Receipt("unavailable", "internal-error")
_log: Final = structlog.get_logger(__name__)


class _Item:
    __slots__ = ("custody", "payload", "released")

    def __init__(self, custody: Custody, payload: bytes, released: Callable[[int], None]) -> None:
        self.custody = custody
        self.payload = payload
        self.released = released

    def done(self, receipt: Receipt) -> None:
        """What the pipeline calls."""
        self.custody.answered(self, receipt)


class Custody:
    """Payloads of one feed between the wire and the disk. ``count`` and ``size`` (bytes) are what is in it now."""

    def __init__(self, feed: str, pipeline: Pipeline, lost: Callable[[int], None]) -> None:
        """``lost(count)`` is told when messages are given up: only after :meth:`abandon`."""
        self.count = 0
        self.size = 0
        self._feed = feed
        self._pipeline = pipeline
        self._lost = lost
        self._abandoned = False
        self._held: deque[_Item] = deque()  # given back by the pipeline, oldest first, and what came after them
        self._probe: _Item | None = None  # the oldest of them, while it is offered again
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def stuck(self) -> bool:
        """Whether the engine can keep nothing now: nothing more should be taken off the wire."""
        return bool(self._held)

    def take(self, payload: bytes, released: Callable[[int], None]) -> None:
        """Take a payload; ``released(size)`` is called once, when it needs no keeping any more, maybe before this returns."""
        self.count += 1
        self.size += len(payload)
        self._empty.clear()
        self._offer(_Item(self, payload, released))

    def answered(self, item: _Item, receipt: Receipt) -> None:
        """What became of an item."""
        if item is self._probe:
            self._probe = None
            if receipt.status == "unavailable":
                self._later()
                return
            self._held.popleft()
            self._let_go(item)
            waiting, self._held = self._held, deque()
            for one in waiting:
                self._offer(one)
        elif receipt.status == "unavailable":
            self._hold(item)
        else:
            self._let_go(item)

    async def settled(self) -> None:
        """Wait until nothing is left."""
        await self._empty.wait()

    def abandon(self) -> None:
        """Offer nothing again. What the pipeline has not answered yet is its own, and is lost only if it says so."""
        self._abandoned = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._probe is not None:
            self._held.popleft()
            self._probe = None
        if self._held:
            self._lost(len(self._held))
            self._held.clear()

    def _offer(self, item: _Item) -> None:
        if self._held:
            self._held.append(item)  # behind those that wait: the order of the wire stays
        else:
            self._submit(item)

    def _submit(self, item: _Item) -> None:
        try:
            self._pipeline.submit(item.payload, self._feed, item.done)
        except Exception as error:  # noqa: BLE001 - whatever fails behind, the message is still ours
            _log.error("submit-failed", feed=self._feed, error=error)
            self.answered(item, _FAILED)

    def _hold(self, item: _Item) -> None:
        if self._abandoned:
            self._lost(1)
            return
        self._held.append(item)
        if self._timer is None and self._probe is None:
            self._later()

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._again)

    def _again(self) -> None:
        self._timer = None
        self._probe = self._held[0]
        self._submit(self._probe)

    def _let_go(self, item: _Item) -> None:
        size = len(item.payload)
        self.count -= 1
        self.size -= size
        if not self.count:
            self._empty.set()
        item.released(size)
