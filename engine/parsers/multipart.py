"""MIME multipart bodies (RFC 2046 section 5.1, RFC 2387; XOP and MTOM) read in place: parts are spans of the payload.

The boundary is that of the Content-Type, or, in a dump without HTTP head, the first line. A payload is searched once from
its start to its end, and no part is copied before somebody asks for what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.parsers import http_head, transfer_encoding

CODES: Final[dict[str, str]] = {
    # Refused.
    "multipart-boundary-missing": "A multipart body without its boundary, in the Content-Type or as first line; look at how it was dumped.",
    "multipart-header-too-large": "The header of a part does not end within 64 KiB; no writer of MIME does that.",
    "multipart-nested": "A part is itself multipart; a submission never is.",
    "multipart-too-many-parts": "More than 1,000 parts; a submission set is far smaller.",
    # Remarks.
    "multipart-not-closed": "The last boundary is missing: the dump was cut. The last part is not trusted to be whole.",
    "multipart-header-missing": "A part without header, nor the empty line that follows it; it was passed over.",
}
"""Every code that :func:`read` raises or flags, and what it means."""

REJECTIONS: Final = frozenset(
    {
        "multipart-boundary-missing",
        "multipart-header-too-large",
        "multipart-nested",
        "multipart-too-many-parts",
    }
)

MAX_PARTS: Final = 1_000
MAX_HEADER: Final = 1 << 16
"""Bytes of the header of one part."""

_DISCOVERED: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]{0,256}--([!-~](?:[ -~]{0,198}[!-~])?)[ \t]*\r?\n")
_AFTER: Final = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_LF: Final = ord("\n")
_HEADER_END: Final = re.compile(rb"\r?\n\r?\n")
_EMPTY_LINE: Final = re.compile(rb"\r?\n")


class Part(Struct, frozen=True):
    """One part: its header fields by lower-case name, and where its content stands in the payload (``start:end``)."""

    headers: dict[str, str]
    start: int
    end: int
    whole: bool  # a boundary follows it

    @property
    def id(self) -> str:
        """The Content-ID, comparable with :func:`content_id` of an href; empty when absent."""
        return content_id(self.headers.get("content-id", ""))

    def content(self, payload: bytes) -> bytes | memoryview | None:
        """What the part holds, decoded; a view of the payload where nothing is encoded. None when it cannot be decoded."""
        view = memoryview(payload)[self.start : self.end]
        return transfer_encoding.decode(view, self.headers.get("content-transfer-encoding", ""))

    def __repr__(self) -> str:
        return f"Part({self.start}, {self.end})"


class Multipart(Struct, frozen=True):
    """The parts of a body, in order, and what was odd."""

    parts: tuple[Part, ...]
    flags: tuple[Flag, ...]

    def root(self, start: str = "") -> Part | None:
        """The root part (RFC 2387 section 3.2): that of the ``start`` parameter, else the first one."""
        wanted = content_id(start)
        named = (part for part in self.parts if wanted and part.id == wanted)
        return next(named, self.parts[0] if self.parts else None)


def content_id(text: str) -> str:
    """A Content-ID (``<id>``), a ``cid:`` URL (RFC 2392) or a ``start`` parameter, in one writing."""
    bare = text.strip()
    if bare[:4].lower() == "cid:":
        bare = bare[4:]
    return unquote(bare.removeprefix("<").removesuffix(">"))


def begins(data: bytes | memoryview) -> bool:
    """Whether a body without head begins like a multipart one: a boundary, then a ``Content-`` field of a part."""
    found = _DISCOVERED.match(data)
    return found is not None and bytes(data[found.end() : found.end() + 8]).lower() == b"content-"


def read(payload: bytes, start: int = 0, boundary: str = "") -> Multipart:
    """Read the multipart body that is ``payload[start:]``; without ``boundary``, the body's first line tells it.

    Raises :class:`ParseError` with a code of :data:`REJECTIONS`; the place is a byte of the payload.
    """
    parts: list[Part] = []
    flags: list[Flag] = []
    opened = -1  # where the part that is open begins
    for at, after, closing in _delimiters(payload, start, boundary):
        if opened >= 0:
            _add(parts, flags, payload, (opened, at), whole=True)
        if closing:
            return Multipart(tuple(parts), tuple(flags))
        opened = after
    if opened < 0:
        raise ParseError("multipart-boundary-missing", f"byte {start}")
    _add(parts, flags, payload, (opened, len(payload)), whole=False)
    flags.append(Flag("multipart-not-closed", f"byte {len(payload)}"))
    return Multipart(tuple(parts), tuple(flags))


def _delimiters(payload: bytes, start: int, boundary: str) -> Iterator[tuple[int, int, bool]]:
    """Every delimiter line: where it begins, what follows it, and whether it is the last one."""
    declared = boundary.encode("latin-1", "replace")
    if not declared or payload.find(b"--" + declared, start) < 0:
        found = _DISCOVERED.match(payload, start)
        if found is None:
            return
        declared = found[1]
    delimiter = b"--" + declared
    at = payload.find(delimiter, start)
    while at >= 0:
        end = at + len(delimiter)
        if at == start or payload[at - 1] == _LF:
            after = _AFTER.match(payload, end)
            if after is not None:
                yield at, after.end(), after[1] is not None
                end = after.end()
        at = payload.find(delimiter, end)


def _add(parts: list[Part], flags: list[Flag], payload: bytes, span: tuple[int, int], *, whole: bool) -> None:
    start, end = span
    if len(parts) + len(flags) >= MAX_PARTS:
        raise ParseError("multipart-too-many-parts", f"byte {start}")
    empty = _EMPTY_LINE.match(payload, start, end)
    header = empty or _HEADER_END.search(payload, start, min(end, start + MAX_HEADER))
    if header is None:
        if end - start > MAX_HEADER:
            raise ParseError("multipart-header-too-large", f"byte {start}")
        flags.append(Flag("multipart-header-missing", f"byte {start}"))
        return
    headers = {} if empty is not None else http_head.fields(payload[start : header.start()])
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise ParseError("multipart-nested", f"byte {start}")
    if whole and end > header.end():  # the line break before a boundary is the boundary's
        end -= 2 if payload[end - 2 : end] == b"\r\n" else 1
    parts.append(Part(headers, header.end(), max(end, header.end()), whole))
