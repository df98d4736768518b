"""A watched folder: which files are complete, and where each goes when what it holds is on disk here.

What is in the files, and how it is handed over, is the listener's own business (``folder``, ``captures``). A file is complete when
its size and time are the same at two looks; writers that can should write elsewhere (or as ``.tmp``, or hidden) and rename into
place. File names are never logged: they may hold a patient's name.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from engine.errors import ConfigError

DONE: Final = "done"
FAILED: Final = "failed"

CODES: Final[dict[str, str]] = {
    "damaged-file": "A file could not be read to its end (rights, disk, broken gzip). A watched one is in the folder failed; of a log, what came "
    "before is counted.",
}
"""What a listener of files counts itself, besides the codes of the parsers (``too-large``)."""

_log: Final = structlog.get_logger(__name__)


class Look(Struct, frozen=True):
    """One file at one look: what tells whether it changed since. ``name`` is its path below the watched folder."""

    modified: int  # nanoseconds
    name: str
    size: int
    inode: int


class Watch:
    """Looks at a folder again and again, and hands over what is complete.

    ``take(looks)`` is awaited with the complete files of one look, oldest first; it reads them and calls :meth:`finish` for each
    one that is done with. What it does not finish is handed over again. It returns early once :attr:`stopping` is true.
    """

    def __init__(
        self,
        feed: str,
        folder: Path,
        poll_seconds: float,
        take: Callable[[Sequence[Look]], Awaitable[None]],
        *,
        recursive: bool = False,
        delete: bool = False,
    ) -> None:
        self.folder = folder
        self._feed = feed
        self._poll = poll_seconds
        self._take = take
        self._recursive = recursive
        self._delete = delete
        self._seen: frozenset[Look] = frozenset()
        self._stuck: set[Look] = set()
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def stopping(self) -> bool:
        """Whether the watch was asked to stop: nothing new is begun."""
        return self._asked.is_set()

    def start(self) -> None:
        """Begin to watch. Raises :class:`ConfigError` when files cannot be moved out of the folder."""
        path = self.folder
        try:
            for name in (FAILED,) if self._delete else (DONE, FAILED):
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
        self._asked.clear()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Begin nothing more, and wait for what is in hand."""
        self._asked.set()
        if self._task is not None:
            await self._task
            self._task = None

    def current(self, look: Look) -> bool:
        """Whether the file is still what it was at that look. Asks the disk: not for the event loop."""
        try:
            return _seen(look.name, (self.folder / look.name).lstat()) == look
        except OSError:
            return False

    async def finish(self, look: Look, *, well: bool) -> bool:
        """Put away a file whose content has its receipts, if it is still the file that was read; false if it is not.

        ``well``: it goes to ``done``, or is deleted where that is asked for. Otherwise it goes to ``failed``, always: a person
        must be able to look at it.
        """
        try:
            # One that grew while it was read is left: the next look takes it whole.
            return await asyncio.to_thread(self._put_away, look, well)
        except OSError as error:
            _log.error("file-not-moved", feed=self._feed, error=error)
            self._stuck.add(look)
            return True

    async def _watch(self) -> None:
        while not self.stopping:
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 - a disk that comes and goes must not end the watch
                _log.error("folder-failed", feed=self._feed, error=error)
            try:
                await asyncio.wait_for(self._asked.wait(), self._poll)
            except TimeoutError:
                continue

    async def _turn(self) -> None:
        """One look: hand over what did not change since the former one."""
        looks = await asyncio.to_thread(self._look)
        ready = [look for look in looks if look in self._seen and look not in self._stuck]
        self._seen = frozenset(looks)
        self._stuck &= self._seen
        if ready and not self.stopping:
            await self._take(ready)

    def _look(self) -> list[Look]:
        """Every file that may be complete, oldest first."""
        return sorted(self._files(self.folder, ""), key=lambda look: (look.modified, look.name))

    def _files(self, folder: Path, below: str) -> Iterator[Look]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith(".tmp"):
                    continue
                name = below + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if self._recursive and name not in (DONE, FAILED):
                        try:
                            yield from self._files(folder / entry.name, f"{name}/")
                        except OSError as error:  # gone since, or not ours to read: the others are read
                            _log.error("folder-failed", feed=self._feed, error=error)
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                look = _seen(name, status)
                if look is not None:
                    yield look

    def _put_away(self, look: Look, well: bool) -> bool:
        if not self.current(look):
            return False
        path = self.folder / look.name
        if well and self._delete:
            path.unlink()
            return True
        target = self.folder / (DONE if well else FAILED) / look.name
        if "/" in look.name:
            target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(_free(target))
        return True


def _free(target: Path) -> Path:
    """The target, or ``target.1`` and so on: a platform may give all its files one name, so not every number is tried."""

    def taken(number: int) -> bool:
        return (target.with_name(f"{target.name}.{number}") if number else target).exists()

    if not taken(0):
        return target
    below, number = 0, 1
    while taken(number):
        below, number = number, 2 * number
    while number - below > 1:
        middle = (below + number) // 2
        if taken(middle):
            below = middle
        else:
            number = middle
    return target.with_name(f"{target.name}.{number}")


def _seen(name: str, status: os.stat_result) -> Look | None:
    """A look at a regular file that holds something.

    An empty file is one whose writer has not begun: moving it away would take what comes with it.
    """
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return None
    return Look(status.st_mtime_ns, name, status.st_size, status.st_ino)
