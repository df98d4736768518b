"""What a log listener reads: plain files held open, compressed files read once, and the look that finds them."""

from __future__ import annotations

import glob
import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from engine.listeners.positions import PRINT_BYTES, Book, Mark

GZIP: Final = ".gz"
_SKIP: Final = 1024 * 1024


class Look(Struct, frozen=True):
    """One file as a look finds it."""

    modified: int
    path: Path
    device: int
    inode: int
    size: int
    live: bool  # the log itself, not a past one

    @property
    def key(self) -> tuple[int, int]:
        """What tells a file from another one that is there at the same time."""
        return self.device, self.inode

    @property
    def packed(self) -> bool:
        """Whether it is compressed."""
        return self.path.suffix == GZIP


def look(live: Path, past: Path | None) -> list[Look]:
    """Every regular file of the two patterns, once, the oldest first. A folder stands for its files."""
    found: dict[tuple[int, int], Look] = {}
    for pattern, is_live in ((live, True), (past, False)):
        for path in _paths(pattern) if pattern is not None else ():
            try:
                status = path.stat()
            except OSError:  # it went between the two calls, or a link leads nowhere
                continue
            if stat.S_ISREG(status.st_mode):
                key = (status.st_dev, status.st_ino)
                found.setdefault(key, Look(status.st_mtime_ns, path, *key, status.st_size, is_live))
    return sorted(found.values(), key=lambda one: (one.modified, one.live, str(one.path)))


def _paths(pattern: Path) -> Iterator[Path]:
    if pattern.is_dir():
        yield from (path for path in pattern.iterdir() if not path.name.startswith("."))
    elif pattern.exists():
        yield pattern
    else:
        yield from map(Path, glob.iglob(str(pattern)))  # noqa: PTH207 - Path.glob takes no absolute pattern


class Source(Protocol):
    """Bytes with a position that is remembered."""

    mark: Mark
    position: int  # where the next line to hand over begins
    skipping: bool  # in the middle of a line that is too long
    head: bytes  # first bytes of the content, as far as they are known
    recent: bytes  # bytes before the position
    tail: bytes  # bytes before the mark's offset

    def read(self, count: int) -> bytes:
        """Bytes from the position on: ``count`` of them, fewer only at the end. Raises OSError, EOFError or zlib.error."""

    def rewind(self) -> None:
        """Go back to the mark: what is after it is handed over again."""


class PlainFile:
    """A plain file, held open: it is read to its end even after it was renamed or deleted."""

    def __init__(self, path: Path, book: Book) -> None:
        """Open it where it was left. Raises OSError."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("no regular file")
            self.device, self.inode, self.size, self.modified = _identity(status)
            self.live = True
            self.changed = 0.0  # monotonic time of the last change seen
            self.left = False  # a reading of it was broken off
            self.skipping = False
            self._adopt(book)
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def key(self) -> tuple[int, int]:
        """See :class:`Look`."""
        return self.device, self.inode

    def _adopt(self, book: Book) -> None:
        """Find how far this content was read, maybe as another file."""
        self.head = self.at(0, PRINT_BYTES)
        own, elsewhere = book.find(self.device, self.inode, self.size, self.head, self.at)
        if own is None:
            for mark in book.marks:  # the former content of this inode: a copy of it may be there
                if (mark.device, mark.inode) == self.key:
                    mark.device = mark.inode = 0
            own = Mark(self.device, self.inode)
            if elsewhere is not None:
                own.offset, own.head, own.head_size = elsewhere.offset, elsewhere.head, elsewhere.head_size
                own.tail, own.tail_size = elsewhere.tail, elsewhere.tail_size
            book.marks.append(own)
        self.mark = own
        self.tail = self.at(own.offset - own.tail_size, own.tail_size)
        self.rewind()

    def at(self, position: int, count: int) -> bytes:
        """Bytes from a place of the file; fewer at its end. Raises OSError."""
        parts = []
        while count > 0:
            part = os.pread(self._descriptor, count, position)
            if not part:
                break
            parts.append(part)
            position += len(part)
            count -= len(part)
        return b"".join(parts)

    def read(self, count: int) -> bytes:
        """See :class:`Source`."""
        return self.at(self.position, count)

    def rewind(self) -> None:
        """See :class:`Source`."""
        self.position, self.recent, self.skipping = self.mark.offset, self.tail, False

    def refresh(self, book: Book) -> tuple[bool, bool]:
        """Look again: whether it changed, and whether it is another content (it was truncated, then maybe written again)."""
        _, _, size, modified = _identity(os.fstat(self._descriptor))
        changed = (size, modified) != (self.size, self.modified)
        self.size, self.modified = size, modified
        if not changed:
            return False, False
        head = self.at(0, PRINT_BYTES)
        if not self.mark.offset and size >= self.position and head.startswith(self.head):
            self.head = head
            return True, False
        if self.mark.offset and book.matches(self.mark, size, head, self.at):
            self.head = head
            return True, False
        begun = bool(self.mark.offset)
        self._adopt(book)
        return True, begun

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class PackedFile:
    """A compressed file, read once from where its content was left when it was a plain one."""

    def __init__(self, path: Path, book: Book) -> None:
        """Find how far its content was read. Raises OSError, EOFError or zlib.error."""
        self._book = book
        self.skipping = False
        best, self.head, self.tail = self._furthest(path)
        self.mark = Mark(0, 0)
        if best is not None:
            self.mark.offset, self.mark.head, self.mark.head_size = best.offset, best.head, best.head_size
            self.mark.tail, self.mark.tail_size = best.tail, best.tail_size
        self._stream = gzip.open(path, "rb")  # noqa: SIM115 - closed by close()
        self._buffer = b""
        self._reached = 0  # position after the buffer
        self.rewind()

    def _furthest(self, path: Path) -> tuple[Mark | None, bytes, bytes]:
        """The mark of this content that is furthest, its first bytes, and those before the mark: one pass."""
        with gzip.open(path, "rb") as stream:
            head = _exactly(stream, PRINT_BYTES)
            marks = sorted(
                (
                    mark
                    for mark in self._book.marks
                    if mark.offset and self._book.fingerprint(head[: mark.head_size]) == mark.head
                ),
                key=lambda mark: mark.offset,
            )
            best, tail, recent, reached = None, b"", head, len(head)
            for mark in marks:
                while reached < mark.offset:
                    part = stream.read(min(_SKIP, mark.offset - reached))
                    if not part:
                        return best, head, tail
                    reached += len(part)
                    recent = (recent + part)[-2 * PRINT_BYTES :]
                end = len(recent) - (reached - mark.offset)
                piece = recent[max(end - mark.tail_size, 0) : end]
                if self._book.fingerprint(piece) == mark.tail:
                    best, tail = mark, piece
            return best, head, tail

    def read(self, count: int) -> bytes:
        """See :class:`Source`. The position never goes back behind what was read, but by :meth:`rewind`."""
        begin = self._reached - len(self._buffer)
        if self.position < begin:
            self._stream.seek(self.position)
            self._buffer, self._reached = b"", self.position
        elif self.position > self._reached:
            while self._reached < self.position:
                part = self._stream.read(min(_SKIP, self.position - self._reached))
                if not part:
                    return b""
                self._reached += len(part)
            self._buffer = b""
        else:
            self._buffer = self._buffer[self.position - begin :]
        more = _exactly(self._stream, count - len(self._buffer))
        self._reached += len(more)
        self._buffer += more
        return self._buffer

    def rewind(self) -> None:
        """See :class:`Source`."""
        self.position, self.recent, self.skipping = self.mark.offset, self.tail, False

    def close(self) -> None:
        """Let go of it."""
        self._stream.close()


def _exactly(stream: gzip.GzipFile, count: int) -> bytes:
    parts = []
    while count > 0 and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


DAMAGES: Final = (gzip.BadGzipFile, EOFError, zlib.error)
"""What reading a compressed file raises when it is broken."""
