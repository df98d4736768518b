"""A file that people renew while the engine runs (the directory of correspondents): noticed, read in a thread of its own, handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from engine.correspondents import Correspondents, Stamp, stamp
from engine.errors import ConfigError

_log = structlog.get_logger()

# The file is looked at so often (seconds), and read once two looks agree: it may be under way.
_EVERY: Final = 5.0


class Renewal:
    """Looks at one file, as long as ``run`` is awaited."""

    def __init__(
        self,
        path: Path,
        known: Stamp,
        load: Callable[[], Correspondents],
        take: Callable[[Correspondents], None],
        *,
        every: float = _EVERY,
    ) -> None:
        """``known``: the writing that was read already. ``load`` is called in a thread, ``take`` on the event loop's."""
        self._path = path
        self._known = self._seen = known
        self._load = load
        self._take = take
        self._every = every
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look at once, and read what is there even when its writing is known."""
        self._asked.set()

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            asked = await self._wait()
            found = await asyncio.to_thread(stamp, self._path)
            if found == self._known and not asked:
                continue
            if found != self._seen and not asked:
                self._seen = found
                continue
            await self._renew(found)

    async def _wait(self) -> bool:
        try:
            await asyncio.wait_for(self._asked.wait(), self._every)
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _renew(self, found: Stamp) -> None:
        try:
            made = await asyncio.to_thread(self._load)
        except ConfigError as error:
            _log.error("correspondents-refused", line=error.line)
        else:
            if await asyncio.to_thread(stamp, self._path) != found:
                return  # written again meanwhile: the next look sees to it
            self._take(made)
            _log.info("correspondents-renewed", count=made.count)
        self._known = self._seen = found
