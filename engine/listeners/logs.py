"""Logs of submissions: files followed line by line, through rotation, truncation, deletion and compression.

A line is read once it has its end; the position is kept on disk only behind lines that have their receipt, so that a restart goes on
at the right byte, or a little before it: the pipeline counts nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import structlog
from msgspec import Meta, Struct

from engine import mappings, resources
from engine.errors import ConfigError
from engine.listeners import positions, sources
from engine.listeners.follower import Follower
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.positions import Archive, Book
from engine.listeners.sources import DAMAGES, Look, PackedFile, PlainFile
from engine.parsers import log
from engine.parsers.context import Context
from engine.parsers.parsed import Parsed

# A file that did not change for so long is closed, and opened again when it does.
_IDLE: Final = 60.0
# A past file whose last change is so much older than that of the newest file (by their own clock, which need not be ours) is
# finished, also when it is seen for the first time.
_OLD: Final = 3_600
_SHIPPED: Final = "logs"
_MAGIC: Final = frozenset("*?[")

_log: Final = structlog.get_logger(__name__)


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one followed log."""

    path: Annotated[
        Path,
        Meta(
            description="The log to follow: a file, a pattern (`/var/log/platform/dmp*.log`), or a folder, all its files."
        ),
    ]
    mapping: Annotated[
        Path,
        Meta(
            description="How its lines are read: a YAML file, its sample lines beside it. Shipped: `logs/platform-json.yaml`, "
            "`logs/platform-csv.yaml`, `logs/application-log.yaml`."
        ),
    ]
    state: Annotated[
        Path,
        Meta(
            description="Folder where the position in each file is kept (made if it is not there; no line is). On a local disk."
        ),
    ]
    rotated: Annotated[
        Path | None,
        Meta(
            description="Pattern of the past files of this log, `.gz` too (`/var/log/platform/dmp.log.*`). Each is read once, the "
            "oldest first. Needed where the log is copied then truncated (copytruncate)."
        ),
    ] = None
    begin_at: Annotated[
        Literal["start", "end"],
        Meta(
            description="The first time only: read what is there already, past files too (`start`), or only what comes (`end`)."
        ),
    ] = "start"
    poll_seconds: Annotated[float, Meta(gt=0, le=3600, description="Time between two looks at the files.")] = 1.0
    quiet_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="A past or deleted file that has not grown for so long is finished: its last line is read, with or without "
            "an end.",
        ),
    ] = 5.0
    max_line_bytes: Annotated[
        int,
        Meta(ge=1024, le=67_108_864, description="A longer line is refused (too-large) without being kept in memory."),
    ] = 1_048_576


def mapping_file(settings: LogSettings) -> Path:
    """The file of the mapping: that of the settings, else the shipped one of the same name (``logs/...``)."""
    path = settings.mapping
    if not path.exists() and path.parent.name == _SHIPPED:
        try:
            return resources.path(f"{_SHIPPED}/{path.name}")
        except FileNotFoundError:
            return path
    return path


def parser(settings: LogSettings) -> Callable[[bytes, Context], Parsed]:
    """What reads the lines of a feed. Raises :class:`ConfigError` when the mapping or one of its samples is wrong."""
    return log.reader(mappings.load(mapping_file(settings)))


class LogListener:
    """One followed log: any number of files, of which one grows."""

    def __init__(self, feed: str, settings: LogSettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.pipeline = pipeline
        self.counters = counters
        self._passed = log.passer(mappings.load(mapping_file(settings)))
        self._file = settings.state / f"{feed}.json"
        self._book: Book = positions.new()
        self._first = False
        self._open: dict[tuple[int, int], PlainFile] = {}
        # Files that were read and closed, and archives between two looks: what tells whether they changed.
        self._closed: dict[tuple[int, int], tuple[int, int]] = {}
        self._archives: set[Archive] = set()
        self._damaged: set[tuple[int, int, int]] = set()
        self._newest = 0
        self._follower: Follower | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow. Raises :class:`ConfigError` when the positions cannot be kept, or nothing could ever be found."""
        await asyncio.to_thread(self._prepare)
        self._follower = Follower(
            self.feed,
            self.pipeline,
            self.counters,
            self._book,
            self.settings.max_line_bytes,
            self._save,
            self._passed,
        )
        self._task = asyncio.get_running_loop().create_task(self._follow(self._follower))

    async def stop(self) -> None:
        """Wait for the receipts of the lines in hand, keep the positions, close the files."""
        if self._follower is None or self._task is None:
            return
        self._follower.stopping.set()
        await self._task
        self._task = None
        for file in self._open.values():
            file.close()
        self._open.clear()
        self._closed.clear()

    def _prepare(self) -> None:
        """Read the positions; make their folder."""
        state = self.settings.state
        for pattern in (self.settings.path, self.settings.rotated):
            if pattern is not None and _finds(pattern, self._file):
                raise ConfigError(
                    str(state), 0, "the positions would be read as a log", f"give state another folder than {pattern}"
                )
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            book = positions.load(self._file)
            self._first = book is None
            self._book = book or positions.new()
            if book is not None:
                positions.save(self._file, msgspec.json.encode(book))  # it can be written now: say otherwise at once
        except positions.DamagedBookError:
            # Reading from the start again counts nothing twice.
            _log.warning("positions-damaged", feed=self.feed)
            self._book, self._first = positions.new(), False
        except OSError as error:
            reason = (error.strerror or "it cannot be used").lower()
            raise ConfigError(
                str(state), 0, f"the positions cannot be kept here: {reason}", "let the engine write in it"
            ) from None
        if not _folder(self.settings.path).is_dir():
            raise ConfigError(
                str(self.settings.path), 0, "this log cannot be followed: there is no such folder", "correct path"
            )

    async def _save(self) -> None:
        data = msgspec.json.encode(self._book)
        await asyncio.to_thread(positions.save, self._file, data)

    async def _follow(self, follower: Follower) -> None:
        while not follower.stopping.is_set():
            try:
                await self._turn(follower)
            except Exception as error:  # noqa: BLE001 - a disk that comes and goes must not end the watch
                _log.error("log-failed", feed=self.feed, error=error)
            try:
                await asyncio.wait_for(follower.stopping.wait(), self.settings.poll_seconds)
            except TimeoutError:
                continue

    async def _turn(self, follower: Follower) -> None:
        """One look: read what came, in every file, the oldest first."""
        looks = await asyncio.to_thread(sources.look, self.settings.path, self.settings.rotated)
        if self._first:
            await asyncio.to_thread(self._begin, looks)
        self._newest = looks[-1].modified if looks else 0
        present = {one.key for one in looks}
        for one in looks:
            read = self._unpack if one.packed else self._grow
            if not await read(follower, one):
                return
        for key, file in list(self._open.items()):
            if key not in present:
                file.live = False
                if not await self._read(follower, file):
                    return
        for key in self._closed.keys() - present:
            del self._closed[key]
        seen = {_archive(one) for one in looks if one.packed}
        self._archives &= seen
        self._book.forget(present | self._open.keys(), seen)

    def _begin(self, looks: list[Look]) -> None:
        """The first time of all: what is there is read, or held as read."""
        if self.settings.begin_at == "end":
            for one in looks:
                try:
                    if one.packed:
                        self._book.archives.append(_archive(one))
                    else:
                        self._pass(one)
                except OSError as error:
                    _log.error("log-not-read", feed=self.feed, error=error)
        positions.save(self._file, msgspec.json.encode(self._book))
        self._first = False

    def _pass(self, one: Look) -> None:
        """Hold a file as read, up to the begin of its last line if that has no end."""
        file = PlainFile(one.path, self._book)
        try:
            begin = max(file.size - self.settings.max_line_bytes, 0)
            data = file.at(begin, file.size - begin)
            offset = begin + (data.rfind(b"\n") + 1 if one.live else len(data))
            tail = file.at(max(offset - positions.PRINT_BYTES, 0), min(offset, positions.PRINT_BYTES))
            self._book.move(file.mark, offset, file.head, tail)
        finally:
            file.close()

    # -- plain files -------------------------------------------------------------------------------------------------

    async def _grow(self, follower: Follower, one: Look) -> bool:
        """Read what came in a plain file; False when nothing more can be taken now."""
        file = self._open.get(one.key)
        if file is None:
            if self._closed.get(one.key) == (one.size, one.modified):
                return True
            try:
                file = await asyncio.to_thread(PlainFile, one.path, self._book)
            except OSError as error:
                self._unreadable(one, error)
                return True
            if file.key in self._open:  # it was renamed in the middle of this look
                file.close()
                return True
            self._open[file.key] = file
            self._closed.pop(one.key, None)
            old = not one.live and min(self._newest, time.time_ns()) - one.modified > _OLD * 10**9
            file.changed = time.monotonic() - (self.settings.quiet_seconds if old else 0)
            file.live = one.live
            return await self._read(follower, file, fresh=True)
        file.live = one.live
        return await self._read(follower, file)

    async def _read(self, follower: Follower, file: PlainFile, *, fresh: bool = False) -> bool:
        now = time.monotonic()
        try:
            changed, truncated = await asyncio.to_thread(file.refresh, self._book)
            if truncated:
                _log.warning("log-truncated", feed=self.feed)
            if changed:
                file.changed = now
            finished = not file.live and now - file.changed >= self.settings.quiet_seconds
            behind = file.position < file.size or file.mark.offset < file.size
            if (changed or fresh or finished or file.left) and behind:
                file.left = True
                if not await follower.drain(file, final=finished):
                    return False
                file.left = False
        except OSError as error:
            _log.error("log-not-read", feed=self.feed, error=error)
            self._close(file)
            return True
        if finished or now - file.changed >= _IDLE:
            self._close(file)
        return True

    def _close(self, file: PlainFile) -> None:
        del self._open[file.key]
        self._closed[file.key] = (file.size, file.modified)
        file.close()

    def _unreadable(self, one: Look, error: BaseException) -> None:
        """Say once, by neither name nor content, that a file cannot be read."""
        key = (*one.key, one.size)
        if key not in self._damaged:
            self._damaged.add(key)
            self.counters.rejected("damaged-file")
            _log.error("log-not-read", feed=self.feed, error=error)

    # -- compressed files --------------------------------------------------------------------------------------------

    async def _unpack(self, follower: Follower, one: Look) -> bool:
        """Read what is new in a compressed file, once it no longer grows; False when nothing more can be taken now."""
        archive = _archive(one)
        if archive in self._book.archives:
            return True
        if archive not in self._archives:
            self._archives.add(archive)  # the next look tells whether it is complete
            return True
        file = None
        try:
            file = await asyncio.to_thread(PackedFile, one.path, self._book)
            self._book.marks.append(file.mark)
            if not await follower.drain(file, final=True):
                return False
        except DAMAGES as error:
            self._unreadable(one, error)
        except OSError as error:  # it may be read later: rights, a disk that comes back
            self._unreadable(one, error)
            return True
        finally:
            if file is not None:
                file.close()
                self._book.merge(file.mark)
        self._book.archives.append(archive)
        await self._save()
        return True


def _folder(pattern: Path) -> Path:
    """The folder below which a pattern looks, before its first ``*``."""
    if pattern.is_dir():
        return pattern
    folder = Path(pattern.anchor)
    for part in pattern.parts[1 if pattern.anchor else 0 : -1]:
        if not _MAGIC.isdisjoint(part):
            break
        folder /= part
    return folder


def _finds(pattern: Path, file: Path) -> bool:
    """Whether a pattern, or a folder, is also where this file is."""
    if pattern.is_dir():
        return pattern.resolve() == file.parent.resolve()
    return (file.parent.resolve() / file.name).match(str(pattern.parent.resolve() / pattern.name))


def _archive(one: Look) -> Archive:
    return Archive(one.device, one.inode, one.size, one.modified)


register(
    Declaration(
        name="logs",
        settings=LogSettings,
        emits="every line of the log (one line is one payload), read as the mapping says",
        acknowledges="none: the position in the file moves behind the lines that are on disk",
        make=LogListener,
        parse=parser,
        problems=lambda settings: mappings.problems(mapping_file(settings)),
        archive="lines",
    )
)
