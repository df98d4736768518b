"""A lazy reader of ER7 ("pipes and hats") messages over their raw bytes.

HL7 v2.5 chapter 2. A small message is split where it must be; a large one (a document of tens of megabytes in one OBX)
is only searched: its segments are spans, and a huge field is given as a ``memoryview`` of the received bytes.

Tolerated, because it is what arrives: CR, LF or CRLF between segments; line ends inside a field (a line that does not
begin like a segment continues the one before); no terminator after the last segment; blank lines, blanks, a stray VT, FS
or byte order mark around the message; any character as delimiter; unknown segments and extra fields.
"""

from __future__ import annotations

import codecs
import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from engine.errors import Flag, ParseError
from engine.parsers import charset
from engine.parsers.encoding import Encoding

if TYPE_CHECKING:
    from collections.abc import Iterator

CODES: Final[dict[str, str]] = {
    "not-hl7": "The payload does not begin with MSH: it is not HL7 v2 (HPRIM, XML, noise). Send it to another feed.",
    "bad-delimiters": "MSH-1 or MSH-2 does not hold usable delimiters. The message was damaged on its way, or is not HL7.",
    "several-messages": "One payload holds several messages. Have the sender frame each one, or read it as a batch file.",
    "batch": "The payload is a batch file (FHS, BHS). Read it with a folder feed, which takes batches apart.",
}

# Segments above this size are searched instead of split: splitting copies. 64 KiB is far above any segment without a document.
LARGE: Final = 65536

_EDGES: Final = b" \t\r\n\x00\x0b\x0c\x1c\x1a"
_BATCH: Final = (b"FHS", b"BHS")
_NOTHING: Final = (b"", b"\r", b"\n")
_BLANK: Final = b" \t\r\n\x0b\x0c"
_NAME: Final = re.compile(rb"[A-Z][A-Z0-9]{2}")
_BARE: Final = re.compile(rb"ZF[A-Z]|ZBE")  # an empty Z segment may come without any separator


class Segment:
    """One segment: a span of the message, taken apart when asked.

    Field numbers are those of HL7 (MSH-1 is the field separator itself). A field that is absent is empty.
    """

    __slots__ = ("_data", "_end", "_fields", "_large", "_shift", "_start", "encoding", "name")

    def __init__(self, data: bytes, start: int, end: int, encoding: Encoding) -> None:
        self.name = data[start : start + 3]
        self.encoding = encoding
        self._data = data
        self._start = start
        self._end = end
        self._large = end - start >= LARGE
        self._shift = 1 if self.name == b"MSH" else 0  # MSH-1 is the separator itself
        self._fields: list[bytes] | None = None

    def __repr__(self) -> str:
        return f"<segment of {self._end - self._start} bytes>"  # no value from a message, not even in a debugger's log

    def __len__(self) -> int:
        return self._end - self._start

    def field(self, number: int) -> bytes:
        """The bytes of a field, repetitions and all, as sent."""
        if self._shift:
            number -= 1
            if number == 0:
                return self.encoding.field
        if self._large:
            start, end = self._find(number)
            return self._data[start:end]
        fields = self._fields
        if fields is None:
            fields = self._fields = self._data[self._start : self._end].split(self.encoding.field)
        return fields[number] if number < len(fields) else b""

    def count(self) -> int:
        """How many fields the segment has, its name not counted."""
        return self._data.count(self.encoding.field, self._start, self._end) + self._shift

    def span(self, number: int) -> tuple[int, int]:
        """Where a field stands in the message, as (start, end); an empty span when absent. Copies nothing."""
        return self._find(number - self._shift)

    def component(self, number: int, component: int) -> bytes:
        """A component of the first repetition of a field."""
        return self.encoding.component_of(self.field(number), component)

    def code(self, number: int, component: int = 1) -> str:
        """A component read as a code: upper case, no white space, empty for ``""``."""
        return self.encoding.code(self.component(number, component))

    def value(self, number: int, component: int = 1) -> bytes:
        """A component read as an identifier: UTF-8, trimmed, empty for ``""``."""
        return self.encoding.value(self.component(number, component))

    def whole(self, number: int) -> bytes:
        """A field of type ST read as an identifier: whole, for a delimiter that is not escaped is part of it."""
        return self.encoding.value(self.field(number))

    def _find(self, number: int) -> tuple[int, int]:
        separator = self.encoding.field
        start = self._start
        for _ in range(number):
            start = self._data.find(separator, start, self._end)
            if start < 0:
                return self._end, self._end
            start += len(separator)
        end = self._data.find(separator, start, self._end)
        return start, self._end if end < 0 else end


class Message:
    """A message: its encoding, its character set flags and its segments in order.

    :param raw: the bytes of one message, framing removed (leftovers of it are tolerated).
    :raises ParseError: ``not-hl7``, ``batch``, ``bad-delimiters`` or ``several-messages``.
    """

    __slots__ = ("_data", "encoding", "flags", "segments")

    encoding: Encoding
    flags: tuple[Flag, ...]
    segments: list[Segment]

    def __init__(self, raw: bytes) -> None:
        data, start, end = _trimmed(raw)
        separator = _separator(data, start)
        self._data = data
        spans = _spans(data, start, end, separator)
        header = data[spans[0][0] : spans[0][1]].split(separator, 18)
        declared = header[17] if len(header) > 17 else b""
        parts = [data[a:b] for a, b in spans if b - a < LARGE]
        codec, self.flags = charset.choose(parts, charset.codec(declared.split(b"~", 1)[0].decode("ascii", "replace")))
        self.encoding = _encoding(separator, header[1] if len(header) > 1 else b"", codec)
        self.segments = [Segment(data, a, b, self.encoding) for a, b in spans]
        if sum(segment.name == b"MSH" for segment in self.segments) > 1:
            raise ParseError("several-messages", "MSH[2]")

    def __repr__(self) -> str:
        return f"<message of {len(self.segments)} segments>"

    def first(self, name: bytes) -> Segment | None:
        """The first segment of that name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: bytes) -> Iterator[Segment]:
        """Every segment of that name, in order."""
        return (segment for segment in self.segments if segment.name == name)

    def view(self, start: int, end: int) -> memoryview:
        """A span of the message, without copying it."""
        return memoryview(self._data)[start:end]

    def digest(self) -> bytes:
        """8 bytes that tell a resend from another content: CRC-32 and length of the message, line ends made equal."""
        return digest(self._data)


def digest(data: bytes) -> bytes:
    """CRC-32 (4 bytes) and length (4 bytes) of the content; CR, LF and CRLF files of one message give the same value.

    Not a cryptographic digest, on purpose: it only tells two contents of one control id apart, it is computed for every
    message, and the less it says about the content, the better.
    """
    start, end = _edges(data)
    if start == 0 and b"\n" not in data:
        length = end
        crc = zlib.crc32(data if end == len(data) else memoryview(data)[:end])
    else:
        crc = length = 0
        carriage = data.find(b"\r", start, end) >= 0
        view = memoryview(data)
        for at in range(start, end, LARGE):
            piece = bytes(view[at : min(at + LARGE, end)])
            piece = piece.translate(None, b"\n") if carriage else piece.replace(b"\n", b"\r")
            crc = zlib.crc32(piece, crc)
            length += len(piece)
    return ((crc << 32) | (length & 0xFFFFFFFF)).to_bytes(8, "big")


def _edges(data: bytes) -> tuple[int, int]:
    """Start and end of the message inside leftovers of framing, blank lines and a byte order mark."""
    start, end = 0, len(data)
    if data.startswith(codecs.BOM_UTF8):
        start = 3
    while start < end and data[start] in _EDGES:
        start += 1
    if data.startswith(codecs.BOM_UTF8, start):
        start += 3
    while end > start and data[end - 1] in _EDGES:
        end -= 1
    return start, end


def _trimmed(raw: bytes) -> tuple[bytes, int, int]:
    raw = charset.utf8(raw)
    start, end = _edges(raw)
    if raw.startswith(_BATCH, start):
        raise ParseError("batch", "FHS")
    if not raw.startswith(b"MSH", start) or end - start < 8:
        raise ParseError("not-hl7", "byte 0")
    return raw, start, end


def _separator(data: bytes, start: int) -> bytes:
    """MSH-1: the fourth character, which is more than one byte when it is not ASCII and the message is UTF-8."""
    first = data[start + 3]
    length = 1
    if first >= 0xC2:
        length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
        try:
            data[start + 3 : start + 3 + length].decode("utf-8")
        except UnicodeDecodeError:
            length = 1
    separator = data[start + 3 : start + 3 + length]
    if length == 1 and (separator.isalnum() or first < 0x20 or separator in (b" ", b"\x7f")):
        raise ParseError("bad-delimiters", "MSH-1")
    return separator


def _spans(data: bytes, start: int, end: int, separator: bytes) -> list[tuple[int, int]]:
    """Spans of the segments. A line that does not begin like a segment continues the one before it."""
    terminator = b"\r" if data.find(b"\r", start, end) >= 0 else b"\n"
    spans: list[tuple[int, int]] = []
    begin = start
    at = start
    size = len(separator)
    while True:
        stop = data.find(terminator, at, end)
        if stop < 0:
            break
        after = stop + 1
        while after < end and data[after] in b"\n\r\x0b\x1c":
            after += 1
        head = data[after : after + 3 + size]
        at = after
        bare = head[3:] in _NOTHING or head[3:4] in _NOTHING
        if (head[3:] == separator and _NAME.match(head)) or (bare and _BARE.match(head)):
            spans.append((begin, _stripped(data, begin, stop)))
            begin = after
    spans.append((begin, _stripped(data, begin, end)))
    return spans


def _stripped(data: bytes, start: int, end: int) -> int:
    while end > start and data[end - 1] in _BLANK:
        end -= 1
    return end


@lru_cache(maxsize=64)
def _encoding(separator: bytes, declared: bytes, codec: str) -> Encoding:
    """MSH-2 read as characters. Missing ones are the usual ones (HL7 v2.5 2.5.4)."""
    characters = declared.decode(codec, "replace")
    usual = "^~\\&"
    chosen = [characters[i] if i < len(characters) else usual[i] for i in range(4)]
    everything = [separator.decode(codec, "replace"), *chosen]
    if len(set(everything)) < 5 or any(c.isalnum() or c.isspace() or c == "\ufffd" for c in everything):
        raise ParseError("bad-delimiters", "MSH-2")
    component, repetition, escape, subcomponent = (c.encode(codec, "replace") for c in chosen)
    return Encoding(separator, component, repetition, escape, subcomponent, codec)
