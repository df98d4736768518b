"""Watched folder: complete files in, each moved to ``done`` or ``failed`` once every message of it has its receipt.

How a folder is watched is in ``engine.listeners.watch``. Stopping or failing in the middle of a file leaves it where it is: it is
read again from its start, and the pipeline counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final

import structlog
from msgspec import Meta, Struct

from engine.listeners.archive import DamagedError, Delivery, messages
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.watch import Look, Watch
from engine.parsers.mllp import MAX_SIZE

_log: Final = structlog.get_logger(__name__)


class FolderSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one watched folder."""

    path: Annotated[
        Path,
        Meta(
            description="Folder to watch (its files, not its subfolders). Files go to its subfolders `done` and `failed`.",
            extra={"exists": "folder"},
        ),
    ]
    poll_seconds: Annotated[
        float,
        Meta(gt=0, le=3600, description="Time between two looks; a file is read when two looks find it the same."),
    ] = 2.0
    max_message_bytes: Annotated[
        int, Meta(ge=1024, description="A larger message is refused (too-large) and its file goes to `failed`.")
    ] = MAX_SIZE


class FolderListener:
    """One watched folder."""

    def __init__(self, feed: str, settings: FolderSettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.pipeline = pipeline
        self.counters = counters
        self._watch = Watch(feed, settings.path, settings.poll_seconds, self._take)

    async def start(self) -> None:
        """Begin to watch. Raises :class:`engine.errors.ConfigError` when files cannot be moved out of the folder."""
        self._watch.start()

    async def stop(self) -> None:
        """Finish the message in hand, wait for its receipt, leave the rest of the file for the next start."""
        await self._watch.stop()

    async def _take(self, looks: Sequence[Look]) -> None:
        for look in looks:
            if self._watch.stopping or not await self._read(look):
                return

    async def _read(self, look: Look) -> bool:
        """Deliver one file and put it away; False when the engine cannot take anything now."""
        watch = self._watch
        delivery = Delivery(self.pipeline, self.feed, self.settings.max_message_bytes, self.counters.rejected)
        damaged = False
        try:
            async with aclosing(messages(watch.folder / look.name)) as stream:
                async for message in stream:
                    await delivery.give(message)
                    if delivery.stopped or watch.stopping:
                        break
        except DamagedError:
            damaged = True
            self.counters.rejected("damaged-file")
        interrupted = watch.stopping
        await delivery.settled()
        if delivery.stopped or interrupted:
            return False
        well = not damaged and not delivery.statuses["refused"]
        if not await watch.finish(look, well=well):
            return True
        said = _log.bind(
            feed=self.feed,
            accepted=delivery.statuses["accepted"],
            duplicate=delivery.statuses["duplicate"],
            aside=delivery.statuses["aside"],
            refused=delivery.statuses["refused"],
        )
        if well:
            said.info("file-read")
        else:
            said.warning("file-failed")
        return True


register(
    Declaration(
        name="folder",
        settings=FolderSettings,
        emits="every HL7 v2 message of each file (plain, batch or MLLP; .gz too)",
        acknowledges="the file is moved to done, or to failed when a message of it was refused",
        make=FolderListener,
    )
)
