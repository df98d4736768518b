"""Watched folder of captures: what the platform dumps of its exchanges with the DMP, one message a file.

ITI-41 requests with their attachments (MTOM/XOP) and the responses, ITI-57, ITI-18, FHIR bundles, audit messages, plain or ``.gz``:
each complete file is one payload, recognised by what it holds (``engine.parsers.formats``) and never cut. It is put away once its
receipt is there; how a folder is watched is in ``engine.listeners.watch``. A capture holds a person's whole document: ``after``
says whether it may stay on the disk.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import structlog
from msgspec import Meta, Struct

from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.watch import Look, Watch
from engine.parsers.mllp import MAX_SIZE
from engine.receipt import Receipt

#: Captures read and not yet put away: enough for a full group commit, little enough to stay small.
WINDOW: Final = 512
WINDOW_BYTES: Final = 32 * 1024 * 1024

# What says nothing of the file: this engine or machine has no room now, or a server does not answer. The file waits for a later look.
_PASSING: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT})

_log: Final = structlog.get_logger(__name__)


class CapturesSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one folder of captures."""

    path: Annotated[
        Path,
        Meta(
            description="Folder where the platform writes its exchanges with the DMP, one message a file.",
            extra={"exists": "folder"},
        ),
    ]
    recursive: Annotated[
        bool, Meta(description="Whether its subfolders are watched too (not `done` and `failed`, nor hidden ones).")
    ] = False
    after: Annotated[
        Literal["move", "delete"],
        Meta(
            description="What becomes of a file that was taken: `move` puts it into the subfolder `done`; `delete` deletes it, "
            "since a capture holds a person's documents. A file that is refused goes to `failed` in both cases."
        ),
    ] = "move"
    poll_seconds: Annotated[
        float,
        Meta(gt=0, le=3600, description="Time between two looks; a file is read when two looks find it the same."),
    ] = 2.0
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=2_147_483_647,
            description="A larger file, once decompressed, is not read (too-large) and goes to `failed`.",
        ),
    ] = MAX_SIZE


class _RejectedError(Exception):
    """A file that is not handed over; its message is the code."""


class CapturesListener:
    """One folder of captures."""

    def __init__(self, feed: str, settings: CapturesSettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.pipeline = pipeline
        self.counters = counters
        self._watch = Watch(
            feed,
            settings.path,
            settings.poll_seconds,
            self._take,
            recursive=settings.recursive,
            delete=settings.after == "delete",
        )

    async def start(self) -> None:
        """Begin to watch. Raises :class:`engine.errors.ConfigError` when files cannot be moved out of the folder."""
        self._watch.start()

    async def stop(self) -> None:
        """Read no other file, wait for the receipts of those that were handed over, put them away."""
        await self._watch.stop()

    async def _take(self, looks: Sequence[Look]) -> None:
        """Hand over the files of one look, with a window of outstanding ones."""
        turn = _Turn(self.feed, self.pipeline, self._watch)
        try:
            for look in looks:
                await turn.room(look.size)
                if self._watch.stopping or turn.unavailable:
                    break
                await self._hand_over(look, turn)
        finally:
            await turn.end()
        if turn.statuses:
            said = _log.bind(
                feed=self.feed,
                accepted=turn.statuses["accepted"],
                duplicate=turn.statuses["duplicate"],
                aside=turn.statuses["aside"],
                refused=turn.statuses["refused"],
            )
            if turn.statuses["refused"] or turn.unavailable:
                said.warning("captures-read", unavailable=turn.statuses["unavailable"])
            else:
                said.info("captures-read")

    async def _hand_over(self, look: Look, turn: _Turn) -> None:
        try:
            payload = await asyncio.to_thread(self._read, look)
        except FileNotFoundError:
            return  # taken away since the look
        except _RejectedError as error:
            if await self._watch.finish(look, well=False):
                self.counters.rejected(str(error))
                turn.statuses["refused"] += 1
            return
        if payload is not None:
            turn.submit(look, payload)

    def _read(self, look: Look) -> bytes | None:
        """The content of a file; None when it changed while it was read, and is maybe not whole."""
        payload = _load(self._watch.folder / look.name, self.settings.max_message_bytes)
        return payload if self._watch.current(look) else None


class _Turn:
    """The files of one look that were handed over and are not put away yet."""

    def __init__(self, feed: str, pipeline: Pipeline, watch: Watch) -> None:
        self.statuses: Counter[str] = Counter()
        self.unavailable = False
        self._feed = feed
        self._pipeline = pipeline
        self._watch = watch
        self._count = 0
        self._bytes = 0
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def room(self, size: int) -> None:
        """Wait until one more file of this size fits; the first one always does."""
        while self._count and (self._count >= WINDOW or self._bytes + size > WINDOW_BYTES):
            self._moved.clear()
            await self._moved.wait()

    def submit(self, look: Look, payload: bytes) -> None:
        """Hand over a file's content; the file is put away when its receipt comes."""
        size = len(payload)
        self._count += 1
        self._bytes += size

        def done(receipt: Receipt) -> None:
            self.statuses[receipt.status] += 1
            self.unavailable = self.unavailable or receipt.status == "unavailable"
            self._bytes -= size
            task = asyncio.get_running_loop().create_task(self._put_away(look, receipt))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._pipeline.submit(payload, self._feed, done)

    async def end(self) -> None:
        """Wait until everything handed over has its receipt and is put away."""
        while self._count:
            self._moved.clear()
            await self._moved.wait()

    async def _put_away(self, look: Look, receipt: Receipt) -> None:
        try:
            if receipt.status != "unavailable":  # such a file stays, and is read again
                await self._watch.finish(look, well=receipt.positive)
        finally:
            self._count -= 1
            self._moved.set()


def _load(path: Path, limit: int) -> bytes:
    """The content of a file in one read, decompressed; never more than one byte beyond the limit is held."""
    try:
        with path.open("rb") as stored:
            size = os.fstat(stored.fileno()).st_size
            if size > limit:
                raise _RejectedError("too-large")
            if path.suffix != ".gz":
                return stored.read(size)
            with gzip.GzipFile(fileobj=stored) as stream:
                content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError) or getattr(error, "errno", None) in _PASSING:
            raise
        raise _RejectedError("damaged-file") from None
    if len(content) > limit:
        raise _RejectedError("too-large")
    return content


register(
    Declaration(
        name="captures",
        settings=CapturesSettings,
        emits="each file as one message: ITI-41, ITI-57, ITI-18 and their responses, FHIR, ATNA (.gz too)",
        acknowledges="the file is moved to done (or deleted), or moved to failed when it was refused",
        make=CapturesListener,
        archive="file",
    )
)
