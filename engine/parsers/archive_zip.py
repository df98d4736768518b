"""A ZIP in memory, opened safely: its directory is judged before anything is inflated, and only what is asked for is.

PKWARE APPNOTE 6.3.10. The directory alone says what the archive holds; every entry's own header must say the same, and the entries
must lie apart. The standard library's ``zipfile`` lists everything before any limit can be set, cuts names at a NUL, lets entries
overlap (Fifield, "A better zip bomb", 2019), copies a ``memoryview``, and has names in its errors: it serves the tests as their oracle.

Names may hold a patient's: an entry is told by its number in the directory (``zip[3]``), never by its name.
"""

from __future__ import annotations

import itertools
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from engine.errors import ParseError

CODES: Final[dict[str, str]] = {
    "zip-compression": "An entry is compressed in another way than deflate; the sender must use plain ZIP.",
    "zip-crc": "The bytes of an entry are not those that were archived (CRC); the archive was damaged on its way.",
    "zip-data-damaged": "The compressed bytes of an entry cannot be inflated; the archive was damaged on its way.",
    "zip-directory-damaged": "The directory at the end of the archive cannot be followed; the archive was cut, damaged or forged.",
    "zip-duplicate-name": "Two entries have the same name (letter case apart): readers would not see the same one.",
    "zip-encrypted": "An entry is encrypted; XDM in MSSanté is sent in clear inside the trust space.",
    "zip-entry-too-large": "An entry announces more bytes than the limit; nothing was inflated.",
    "zip-header-differs": "The header of an entry is not where the directory says, or says something else; damaged or forged.",
    "zip-name-absolute": "The name of an entry begins at a root or a drive; the archive could write outside its folder.",
    "zip-name-backslash": "The name of an entry has a backslash (old .NET libraries do this): other systems see no folder in it.",
    "zip-name-control": "The name of an entry has a NUL or a control character; it would be shown or cut as another one.",
    "zip-name-empty": "An entry has no name.",
    "zip-name-encoding": "The name of an entry is said to be UTF-8 and is not.",
    "zip-name-parent": "The name of an entry climbs with '..'; the archive could write outside its folder.",
    "zip-no-directory": "There is no directory at the end: this is no ZIP, or it was cut.",
    "zip-overlap": "Entries share bytes of the archive: a bomb, or a forged directory.",
    "zip-ratio": "An entry announces far more bytes than it takes in the archive: a bomb; nothing was inflated.",
    "zip-several-disks": "The archive is one volume of several; send it whole.",
    "zip-size-lies": "An entry does not inflate to the size that it announces; no more than that was inflated.",
    "zip-symlink": "An entry is a symbolic link or a device, not a file.",
    "zip-too-large": "The entries together announce more bytes than the limit; nothing was inflated.",
    "zip-too-many-entries": "The archive has more entries than the limit; no XDM has that many.",
}
"""Every code that :func:`read` or :meth:`Zip.content` raises, and what it means."""


class Limits(Struct, frozen=True):
    """What an archive may hold: ``entries``, bytes of one ``entry`` and of all (``size``), and bytes out for one byte in (``ratio``).

    MSSanté mails stop at 25 MB, and hold a few documents; deflate itself cannot do better than 1,032 for one.
    """

    entries: int = 1_000
    size: int = 128 << 20
    entry: int = 64 << 20
    ratio: int = 200


DEFAULT: Final = Limits()

_SMALL: Final = 1 << 20  # below this size any ratio will do: an empty form compresses well
_LONG: Final = 0xFFFFFFFF  # "see the zip64 field"
_TAIL: Final = 22 + 0xFFFF  # the end record and the longest comment

_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")

_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000  # traditional, strong, masked directory
_DESCRIPTOR: Final = 0x0008  # sizes and CRC follow the data
_UTF8: Final = 0x0800
_STORED: Final = 0
_DEFLATED: Final = 8
_AES: Final = 99
_FILES: Final = frozenset({0, stat.S_IFREG, stat.S_IFDIR})

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ABSOLUTE: Final = re.compile(r"/|[A-Za-z]:")
_XDM: Final = re.compile(rb"(?:.*[/\\])?ihe_xdm[/\\](?:.*[/\\])?metadata\.xml", re.IGNORECASE | re.DOTALL)


class Entry(Struct, frozen=True):
    """One entry. ``number`` is its rank in the directory, from 1; ``start`` and ``end`` are those of its bytes in the archive."""

    number: int
    name: str
    size: int  # once inflated
    crc: int
    method: int
    start: int
    end: int

    @property
    def where(self) -> str:
        """Its place, for errors."""
        return f"zip[{self.number}]"

    @property
    def folder(self) -> bool:
        """Whether it stands for a folder, and holds nothing."""
        return self.name.endswith("/")

    def __repr__(self) -> str:
        return f"Entry({self.where}, {self.size} bytes)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("number", self.number)]


class Zip:
    """An archive whose directory is sound. Holds the caller's bytes, and nothing inflated."""

    __slots__ = ("_view", "entries")

    def __init__(self, view: memoryview, entries: tuple[Entry, ...]) -> None:
        self._view = view
        self.entries = entries

    def __repr__(self) -> str:
        return f"Zip({len(self.entries)} entries)"

    def content(self, entry: Entry) -> bytes:
        """The bytes of an entry, verified. Raises :class:`ParseError` (``zip-...``) when they are not what it announces."""
        part = self._view[entry.start : entry.end]
        if entry.method == _STORED:
            data = bytes(part)
        elif entry.method == _DEFLATED:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = inflater.decompress(part, entry.size + 1)  # one byte more tells a liar
            except zlib.error:
                raise ParseError("zip-data-damaged", entry.where) from None
            if len(data) == entry.size and (not inflater.eof or inflater.unused_data):
                raise ParseError("zip-data-damaged", entry.where)
        else:
            raise ParseError("zip-compression", entry.where)
        if len(data) != entry.size:
            raise ParseError("zip-size-lies", entry.where)
        if zlib.crc32(data) != entry.crc:
            raise ParseError("zip-crc", entry.where)
        return data

    def head(self, entry: Entry, length: int) -> bytes:
        """The first bytes of an entry as they stand in the archive; inflated no further than ``length``. Never raises."""
        part = self._view[entry.start : entry.end]
        if entry.method != _DEFLATED:
            return bytes(part[:length])
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(part[: 16 * length], length)
        except zlib.error:
            return b""


def read(data: bytes | memoryview, limits: Limits = DEFAULT) -> Zip:
    """Open an archive. Raises :class:`ParseError` with a code of :data:`CODES`, and nothing else, whatever the bytes."""
    view = memoryview(data)
    start, end, count = _directory(view)
    if count > limits.entries:
        raise ParseError("zip-too-many-entries", "zip")
    entries: list[Entry] = []
    spans: list[tuple[int, int, int]] = []
    names: set[str] = set()
    total = 0
    for number, (fields, name, extra) in enumerate(_records(view, start, end, count), 1):
        entry, header = _entry(view, start, number, fields, name, extra)
        _bounded(entry, limits)
        folded = entry.name.casefold().rstrip("/")
        if folded in names:
            raise ParseError("zip-duplicate-name", entry.where)
        names.add(folded)
        total += entry.size
        if total > limits.size:
            raise ParseError("zip-too-large", entry.where)
        entries.append(entry)
        spans.append((header, entry.end, number))
    spans.sort()
    for (_, before, _), (after, _, number) in itertools.pairwise(spans):
        if before > after:
            raise ParseError("zip-overlap", f"zip[{number}]")
    return Zip(view, tuple(entries))


def names_xdm(data: bytes | memoryview, limits: Limits = DEFAULT) -> bool:
    """Whether the directory names a METADATA.XML inside an IHE_XDM folder, be the archive safe or not. Never raises."""
    view = memoryview(data)
    try:
        start, end, count = _directory(view)
        records = _records(view, start, end, min(count, limits.entries), whole=False)
        return any(_XDM.fullmatch(name) is not None for _, name, _ in records)
    except ParseError:
        return False


def _directory(view: memoryview) -> tuple[int, int, int]:
    """Start and end of the directory, and how many entries it announces."""
    offset = max(len(view) - _TAIL, 0)
    tail = bytes(view[offset:])
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ParseError("zip-no-directory", "zip")
    said = _END.unpack_from(tail, at)
    _, disk, first, here, count, size, start, comment = said
    end = offset + at
    if comment > len(view) - end - _END.size:
        raise ParseError("zip-directory-damaged", "zip")
    locator = end - _LOCATOR.size
    if locator >= 0 and bytes(view[locator : locator + 4]) == b"PK\x06\x07":
        _, disk64, place, disks = _LOCATOR.unpack_from(view, locator)
        if place > locator - _END64.size or bytes(view[place : place + 4]) != b"PK\x06\x06":
            raise ParseError("zip-directory-damaged", "zip")
        found = _END64.unpack_from(view, place)[4:]
        for short, long, limit in zip(said[1:7], found, (0xFFFF,) * 4 + (_LONG,) * 2, strict=True):
            if short not in (long, limit):
                raise ParseError("zip-directory-damaged", "zip")
        disk, first, here, count, size, start = found
        if disk64 or disks > 1:
            raise ParseError("zip-several-disks", "zip")
        end = place
    if disk or first or here != count:
        raise ParseError("zip-several-disks", "zip")
    if start + size != end:
        raise ParseError("zip-directory-damaged", "zip")
    return start, end, count


Fields = tuple[int, ...]


def _records(
    view: memoryview, start: int, end: int, count: int, *, whole: bool = True
) -> Iterator[tuple[Fields, bytes, memoryview]]:
    """Each record of the directory: its fields after the signature, its name and its extra field; they must fill it."""
    at = start
    for number in range(1, count + 1):
        if end - at < _CENTRAL.size or bytes(view[at : at + 4]) != b"PK\x01\x02":
            raise ParseError("zip-directory-damaged", f"zip[{number}]")
        fields: Fields = _CENTRAL.unpack_from(view, at)[1:]
        name, extra, comment = fields[9:12]
        at += _CENTRAL.size
        after = at + name + extra + comment
        if after > end:
            raise ParseError("zip-directory-damaged", f"zip[{number}]")
        yield fields, bytes(view[at : at + name]), view[at + name : at + name + extra]
        at = after
    if whole and at != end:
        raise ParseError("zip-directory-damaged", "zip")


def _entry(
    view: memoryview, stop: int, number: int, fields: Fields, written: bytes, extra: memoryview
) -> tuple[Entry, int]:
    """An entry whose record, name and own header agree, and where that header is."""
    where = f"zip[{number}]"
    _, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes, header = fields
    if disk and disk != 0xFFFF:
        raise ParseError("zip-several-disks", where)
    if flags & _ENCRYPTED or method == _AES:
        raise ParseError("zip-encrypted", where)
    if stat.S_IFMT(attributes >> 16) not in _FILES:
        raise ParseError("zip-symlink", where)
    name = _name(written, flags, where)
    if _LONG in (packed, size, header):
        size, packed, header = _long(extra, (size, packed, header), where)
    if method == _STORED and packed != size:
        raise ParseError("zip-size-lies", where)
    if header > stop - _LOCAL.size:
        raise ParseError("zip-header-differs", where)
    own = _LOCAL.unpack_from(view, header)
    start = header + _LOCAL.size + own[9] + own[10]
    name_at = header + _LOCAL.size
    if own[0] != b"PK\x03\x04" or own[3] != method or view[name_at : name_at + own[9]] != written:
        raise ParseError("zip-header-differs", where)
    later = own[2] & _DESCRIPTOR
    for mine, theirs in zip(own[6:9], (crc, packed, size), strict=True):
        if mine not in (theirs, _LONG) and not (later and not mine):
            raise ParseError("zip-header-differs", where)
    if own[2] & _ENCRYPTED:
        raise ParseError("zip-encrypted", where)
    if start + packed > stop:
        raise ParseError("zip-overlap", where)
    return Entry(number, name, size, crc, method, start, start + packed), header


def _name(written: bytes, flags: int, where: str) -> str:
    try:
        name = written.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise ParseError("zip-name-encoding", where) from None
    if not name:
        raise ParseError("zip-name-empty", where)
    if _CONTROL.search(name) is not None:
        raise ParseError("zip-name-control", where)
    if "\\" in name:
        raise ParseError("zip-name-backslash", where)
    if _ABSOLUTE.match(name) is not None:
        raise ParseError("zip-name-absolute", where)
    if ".." in name.split("/"):
        raise ParseError("zip-name-parent", where)
    return name


def _long(extra: memoryview, short: tuple[int, int, int], where: str) -> list[int]:
    """Size, compressed size and offset, of which those that do not fit 32 bits are in the zip64 field, in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            wanted = sum(value == _LONG for value in short)
            if len(field) < 8 * wanted:
                break
            values = iter(struct.unpack_from(f"<{wanted}Q", field))
            return [next(values) if value == _LONG else value for value in short]
        at += 4 + length
    raise ParseError("zip-directory-damaged", where)


def _bounded(entry: Entry, limits: Limits) -> None:
    if entry.size > limits.entry:
        raise ParseError("zip-entry-too-large", entry.where)
    if entry.size > _SMALL and entry.size > limits.ratio * (entry.end - entry.start):
        raise ParseError("zip-ratio", entry.where)
