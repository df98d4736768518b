"""Watched folder: complete files in, each moved to ``done`` or ``failed`` once every message of it has its receipt.

A file is complete when its size and time are the same at two looks; writers that can should write elsewhere (or as
``.tmp``, or hidden) and rename into place. Stopping or failing in the middle of a file leaves it where it is: it is read
again from its start, and the pipeline counts nothing twice.
"""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final

import structlog
from msgspec import Meta, Struct

from engine.errors import ConfigError
from engine.listeners.archive import DamagedError, Delivery, messages
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.parsers.mllp import MAX_SIZE

DONE: Final = "done"
FAILED: Final = "failed"

CODES: Final[dict[str, str]] = {
    "damaged-file": "A file could not be read to its end (rights, disk, broken gzip); it is in the folder failed.",
}

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


class _Look(Struct, frozen=True):
    """What tells whether a file changed between two looks."""

    modified: int
    name: str
    size: int
    inode: int


class FolderListener:
    """One watched folder."""

    def __init__(self, feed: str, settings: FolderSettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.pipeline = pipeline
        self.counters = counters
        self._seen: frozenset[_Look] = frozenset()
        self._stuck: set[_Look] = set()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to watch. Raises :class:`ConfigError` when files cannot be moved out of the folder."""
        path = self.settings.path
        try:
            for name in (DONE, FAILED):
                (path / name).mkdir(exist_ok=True)
        except OSError as error:
            reason = (error.strerror or "it cannot be used").lower()
            raise ConfigError(
                str(path), 0, f"this folder cannot be watched: {reason}", "let the engine write in it"
            ) from None
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigError(
                str(path), 0, "this folder cannot be watched: files cannot be moved", "let the engine write in it"
            )
        self._stopping.clear()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Finish the message in hand, wait for its receipt, leave the rest of the file for the next start."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - a disk that comes and goes must not end the watch
                _log.error("folder-failed", feed=self.feed, error=error)
            try:
                await asyncio.wait_for(self._stopping.wait(), self.settings.poll_seconds)
            except TimeoutError:
                continue

    async def _turn(self) -> None:
        """One look: read what did not change since the former one."""
        looks = await asyncio.to_thread(self._look)
        ready = [look for look in looks if look in self._seen and look not in self._stuck]
        self._seen = frozenset(looks)
        self._stuck &= self._seen
        for look in ready:
            if self._stopping.is_set() or not await self._read(look):
                return

    def _look(self) -> list[_Look]:
        """Every file that may be complete, oldest first."""
        looks = []
        with os.scandir(self.settings.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith(".tmp"):
                    continue
                status = entry.stat(follow_symlinks=False)
                # An empty file is one whose writer has not begun: moving it away would take what comes with it.
                if stat.S_ISREG(status.st_mode) and status.st_size:
                    looks.append(_Look(status.st_mtime_ns, entry.name, status.st_size, status.st_ino))
        return sorted(looks, key=lambda look: (look.modified, look.name))

    async def _read(self, look: _Look) -> bool:
        """Deliver one file and move it; False when the engine cannot take anything now."""
        path = self.settings.path / look.name
        delivery = Delivery(self.pipeline, self.feed, self.settings.max_message_bytes, self.counters.rejected)
        damaged = False
        try:
            async with aclosing(messages(path)) as stream:
                async for message in stream:
                    await delivery.give(message)
                    if delivery.stopped or self._stopping.is_set():
                        break
        except DamagedError:
            damaged = True
            self.counters.rejected("damaged-file")
        interrupted = self._stopping.is_set()
        await delivery.settled()
        if delivery.stopped or interrupted:
            return False
        if look not in await asyncio.to_thread(self._look):
            return True  # it grew while it was read: the next look takes it whole
        folder = FAILED if damaged or delivery.statuses["refused"] else DONE
        try:
            await asyncio.to_thread(_move, path, self.settings.path / folder)
        except OSError as error:
            # Not by name: file names may hold a patient's.
            _log.error("file-not-moved", feed=self.feed, error=error)
            self._stuck.add(look)
        said = _log.bind(
            feed=self.feed,
            accepted=delivery.statuses["accepted"],
            duplicates=delivery.statuses["duplicate"],
            aside=delivery.statuses["aside"],
            refused=delivery.statuses["refused"],
        )
        if folder == DONE:
            said.info("file-read")
        else:
            said.warning("file-failed")
        return True


def _move(path: Path, folder: Path) -> None:
    """Move a file, under another name when that one is taken."""
    target = folder / path.name
    number = 0
    while target.exists():
        number += 1
        target = folder / f"{path.name}.{number}"
    path.rename(target)


register(
    Declaration(
        name="folder",
        settings=FolderSettings,
        emits="every HL7 v2 message of each file (plain, batch or MLLP; .gz too)",
        acknowledges="the file is moved to done, or to failed when a message of it was refused",
        make=FolderListener,
    )
)
