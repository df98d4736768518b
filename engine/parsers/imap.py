"""IMAP as bytes (RFC 3501): lines and literals out of a stream, bounded whatever the server sends; what answers say; names of mailboxes.

The framing is fed piece by piece and keeps no more than one line. Numbers that cannot be are not believed: a UID or a size is 32 bits
(RFC 3501 section 9, nz-number and number).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from engine.errors import ParseError

CODES: Final[dict[str, str]] = {
    "imap-flood": "The IMAP server sent a line or an answer without end: see whether this is an IMAP server, and its log.",
}
REJECTIONS: Final = frozenset(CODES)

#: Bytes of the longest line: the answer to a search of some 100,000 mails. A literal is no line.
MAX_LINE: Final = 2 * 1024 * 1024
#: The largest UID, size and UIDVALIDITY.
LARGEST: Final = 2**32 - 1

_LITERAL: Final = re.compile(rb"\{(\d{1,20})\}\Z")
_FETCH: Final = re.compile(rb"(\d{1,10}) FETCH \(", re.IGNORECASE)
_UID: Final = re.compile(rb"(?:\(| )UID (\d{1,10})(?= |\)|\Z)", re.IGNORECASE)
_SIZE: Final = re.compile(rb"(?:\(| )RFC822\.SIZE (\d{1,20})(?= |\)|\Z)", re.IGNORECASE)
_BODY: Final = re.compile(rb'(?:\(| )BODY\[\] (?:(NIL)|"((?:[^"\\]|\\.)*)"|\{\d{1,20}\})', re.IGNORECASE)
_NUMBER: Final = re.compile(rb"\d{1,10}")
#: How many mails there are, said without being asked.
EXISTS: Final = re.compile(rb"\d{1,10} EXISTS\Z", re.IGNORECASE)


class Line(Struct, frozen=True):
    """One line without its end. ``literal``: so many bytes follow that belong to it; -1: none."""

    text: bytes
    literal: int


class Framer:
    """Cuts what a server sends into lines and literals."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max = max_line
        self._line = bytearray()
        self._left = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is begun: what comes next is the begin of a line."""
        return not self._line and not self._left

    def feed(self, data: bytes) -> Iterator[Line | bytes]:
        """The lines that end in ``data``, and the pieces of literals in it.

        Raises :class:`ParseError` (``imap-flood``) at a line that is too long: nothing more may be fed then.
        """
        position, size = 0, len(data)
        while position < size:
            if self._left:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                yield piece
                continue
            end = data.find(b"\n", position)
            stop = end if end >= 0 else size
            if len(self._line) + stop - position > self._max:
                raise ParseError("imap-flood", "line")
            self._line += data[position:stop]
            position = stop + 1
            if end < 0:
                return
            text = bytes(self._line).removesuffix(b"\r")
            self._line.clear()
            found = _LITERAL.search(text[-24:])
            self._left = int(found[1]) if found else 0
            yield Line(text, self._left if found else -1)


class Fetched(Struct, frozen=True):
    """What one FETCH response says of one mail. ``size`` -1: it does not say; ``body`` None: it has none."""

    uid: int
    size: int = -1
    body: bytes | None = None


def fetched(pieces: Iterable[bytes | bytearray]) -> list[Fetched]:
    """The mails of an answer to UID FETCH: its lines (bytes) and its literals (bytearrays), as they came.

    Only what was asked is looked for (UID, RFC822.SIZE, BODY[]); responses without UID are left out.
    """
    found: list[Fetched] = []
    text = bytearray()
    literal: bytearray | None = None

    def end() -> None:
        uid = _UID.search(text)
        if uid is not None and 0 < int(uid[1]) <= LARGEST:
            size = _SIZE.search(text)
            body = _BODY.search(text)
            content: bytes | None = None
            if body is not None and body[1] is None:
                content = re.sub(rb"\\(.)", rb"\1", body[2]) if body[2] is not None else bytes(literal or b"")
            found.append(Fetched(int(uid[1]), int(size[1]) if size else -1, content))

    for piece in pieces:
        if isinstance(piece, bytearray):
            # The mail itself is the one literal that was asked for: the last one, should a server put others before it.
            literal = piece
        elif _FETCH.match(piece):
            end()
            text, literal = bytearray(piece), None
        elif text:
            text += b" " + piece
    end()
    return found


def searched(lines: Iterable[bytes]) -> list[int]:
    """The UIDs of an answer to UID SEARCH, ascending, each once."""
    return sorted(
        {
            uid
            for line in lines
            for word in line.split()
            if _NUMBER.fullmatch(word) and 0 < (uid := int(word)) <= LARGEST
        }
    )


def status(lines: Iterable[bytes], word: bytes) -> int:
    """The number of ``OK [WORD 123]`` in the answer to SELECT or EXAMINE; 0 when it is not there."""
    pattern = re.compile(rb"OK \[" + word + rb" (\d{1,10})\]", re.IGNORECASE)
    for line in lines:
        found = pattern.match(line)
        if found and int(found[1]) <= LARGEST:
            return int(found[1])
    return 0


def mailbox(name: str) -> str:
    """A mailbox's name as it goes over the wire: modified UTF-7 (RFC 3501 section 5.1.3), quoted."""
    encoded: list[str] = []
    for part in re.split(r"([^\x20-\x7e]+)", name):
        if part and not " " <= part[0] <= "~":
            shifted = base64.b64encode(part.encode("utf-16-be", "surrogatepass")).rstrip(b"=").replace(b"/", b",")
            encoded.append(f"&{shifted.decode()}-")
        else:
            encoded.append(part.replace("&", "&-"))
    return quoted("".join(encoded))


def quoted(text: str) -> str:
    """A quoted string (RFC 3501 section 9). Raises ValueError where there is none: what is not ASCII, NUL, CR, LF."""
    if not text.isascii() or re.search(r"[\x00\r\n]", text):
        raise ValueError("not a quoted string")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
