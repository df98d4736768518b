"""Where the reading of each followed file is, on disk: fingerprints, inodes and offsets, never a line.

A file is known again by its content: a fingerprint of its first bytes and one of the last bytes before the offset (BLAKE2b, with
a salt of the file of positions). So a renamed, copied or compressed file goes on where it was, and a truncated one from its start.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

#: Bytes under each fingerprint.
PRINT_BYTES: Final = 1024
#: Marks kept of files that are no longer there: a rotated file may come back compressed.
KEPT: Final = 512
_MAX_BYTES: Final = 16 * 1024 * 1024


class Mark(Struct):
    """How far one content was read. ``offset`` is durable: what is before it has its receipt."""

    device: int
    inode: int
    offset: int = 0
    head: str = ""
    head_size: int = 0
    tail: str = ""
    tail_size: int = 0


class Archive(Struct, frozen=True):
    """A compressed file that was read, by what tells whether it changed."""

    device: int
    inode: int
    size: int
    modified: int


class Book(Struct):
    """The file of positions of one feed."""

    salt: str
    marks: list[Mark] = field(default_factory=list)
    archives: list[Archive] = field(default_factory=list)

    def fingerprint(self, data: bytes) -> str:
        """Fingerprint of some bytes."""
        return hashlib.blake2b(data, key=bytes.fromhex(self.salt), digest_size=16).hexdigest()

    def move(self, mark: Mark, offset: int, head: bytes, tail: bytes) -> None:
        """Everything before ``offset`` was read; ``head`` are the first bytes, ``tail`` those before the offset."""
        mark.offset = offset
        mark.head_size = min(offset, PRINT_BYTES, len(head))
        mark.head = self.fingerprint(head[: mark.head_size])
        mark.tail_size = min(offset, PRINT_BYTES, len(tail))
        mark.tail = self.fingerprint(tail[-mark.tail_size :] if mark.tail_size else b"")

    def matches(self, mark: Mark, size: int, head: bytes, read: Callable[[int, int], bytes]) -> bool:
        """Whether a content of ``size`` bytes begins with what the mark has read; ``read(position, count)`` gives its bytes."""
        if size < mark.offset or len(head) < mark.head_size:
            return False
        if self.fingerprint(head[: mark.head_size]) != mark.head:
            return False
        return self.fingerprint(read(mark.offset - mark.tail_size, mark.tail_size)) == mark.tail

    def find(
        self, device: int, inode: int, size: int, head: bytes, read: Callable[[int, int], bytes]
    ) -> tuple[Mark | None, Mark | None]:
        """The mark of this very file, and else that of the same content elsewhere (the one that was read furthest)."""
        own = elsewhere = None
        for mark in self.marks:
            same = (mark.device, mark.inode) == (device, inode)
            if mark.offset and self.matches(mark, size, head, read):
                if same and (own is None or mark.offset > own.offset):
                    own = mark
                elif elsewhere is None or mark.offset > elsewhere.offset:
                    elsewhere = mark
        return own, elsewhere

    def merge(self, mark: Mark) -> None:
        """Let go of the mark of a content that is no file (the inside of an archive) where another one says the same."""
        self.marks = [one for one in self.marks if one is not mark]
        known = {(one.offset, one.head, one.tail) for one in self.marks}
        if mark.offset and (mark.offset, mark.head, mark.tail) not in known:
            self.marks.append(mark)

    def forget(self, present: set[tuple[int, int]], archives: Iterable[Archive]) -> None:
        """Let go of what is long gone."""
        self.marks = [mark for mark in self.marks if mark.offset or mark.inode]
        gone = [mark for mark in self.marks if (mark.device, mark.inode) not in present]
        if len(gone) > KEPT:
            old = {id(mark) for mark in gone[:-KEPT]}
            self.marks = [mark for mark in self.marks if id(mark) not in old]
        kept = set(archives)
        self.archives = [archive for archive in self.archives if archive in kept]


class DamagedBookError(Exception):
    """The file of positions is there and cannot be read."""


def new() -> Book:
    """Positions of a feed that has none yet."""
    return Book(salt=secrets.token_hex(16))


def load(path: Path) -> Book | None:
    """The positions of a file; None when there is none. Raises :class:`DamagedBookError`, or OSError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    try:
        book = msgspec.json.decode(data, type=Book)
        bytes.fromhex(book.salt)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise DamagedBookError from None
    valid = all(
        0 <= mark.head_size <= PRINT_BYTES and 0 <= mark.tail_size <= min(PRINT_BYTES, mark.offset)
        for mark in book.marks
    )
    if not valid or len(book.salt) != 32:
        raise DamagedBookError
    return book


def save(path: Path, data: bytes) -> None:
    """Write the positions so that a crash leaves the former or the new ones, never half. Raises OSError."""
    hidden = path.with_name(f".{path.name}.new")
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        hidden.rename(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
