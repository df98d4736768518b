"""The body of a CDA: what a level-1 body embeds, and whether a structured body holds entries.

Sources: CI-SIS "Structuration minimale" 3.1, 3.5.5.3, 3.7; CDA R2 4.3. Everything here looks at bytes without copying the
document: an embedded file of 30 MB is decoded piece by piece, only to know that it decodes and what it is.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from typing import Final

import pybase64

MEDIA_TYPES: Final = frozenset({"application/pdf", "text/plain", "text/rtf", "image/jpeg", "image/tiff"})
"""What a level-1 body may embed (CI-SIS "Structuration minimale" 3.5.5.3)."""

_SPACE: Final = b" \t\r\n"
_PIECE: Final = 3 << 18  # 768 KiB: a multiple of 4, so that a body on one line is decoded without a carry
_EDGE: Final = 256
_PDF: Final = b'"application/pdf"'
_LONG: Final = 4096  # below, expat is as fast as the search
_HEAD: Final = 1024  # Adobe's readers accept "%PDF-" anywhere in the first 1,024 bytes
_LOOK: Final = 4096  # how far after "nonXMLBody" its text element may begin
_TEXT: Final = re.compile(
    rb"""<(?:[\w.-]+:)?text(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*>""",
)
_STRUCTURED: Final = re.compile(rb"<(?:([\w.-]+):)?structuredBody[\s>]")
_SLASH: Final = ord("/")
_WINDOW: Final = 1 << 16
_AFTER_NAME: Final = b" \t\r\n/>"


class Payload:
    """Decodes base64 piece by piece and keeps only its first bytes; ``valid`` turns false at the first fault."""

    __slots__ = ("_carry", "_ended", "head", "size", "valid")

    def __init__(self) -> None:
        self.head = b""
        self.size = 0
        self.valid = True
        self._carry = b""
        self._ended = False

    def feed(self, piece: bytes | memoryview) -> None:
        """Take the next piece of base64 text, cut anywhere; white space is skipped."""
        if not self.valid:
            return
        if not self._carry and len(piece) % 4 == 0 and self._decode(piece):
            return
        text = bytes(piece)
        if b"\x0b" in text or b"\x0c" in text:  # no XML, though split() takes them for white space
            self.valid = False
            return
        text = self._carry + b"".join(text.split())
        cut = len(text) & ~3
        self._carry = text[cut:]
        if cut and not self._decode(text[:cut]):
            self.valid = False

    def _decode(self, text: bytes | memoryview) -> bool:
        if not text:
            return True
        if self._ended:
            return False
        try:
            decoded = pybase64.b64decode(text, validate=True)
        except (Base64Error, ValueError):
            return False
        self._ended = text[-1:] == b"="
        if len(self.head) < _HEAD:
            self.head += decoded[: _HEAD - len(self.head)]
        self.size += len(decoded)
        return True

    def finish(self) -> Payload:
        """End of the text: what remains undecoded is a fault (missing padding, impossible length)."""
        if self._carry:
            self.valid = False
        return self


def payload(text: bytes, start: int = 0, end: int | None = None) -> Payload:
    """Decode ``text[start:end]``, at most one piece in memory at a time."""
    stop = len(text) if end is None else end
    # White space around the text is common, inside it is not: without it the pieces are decoded as they stand.
    first, last = text[start : min(start + _EDGE, stop)], text[max(start, stop - _EDGE) : stop]
    start += len(first) - len(first.lstrip(_SPACE))
    stop -= len(last) - len(last.rstrip(_SPACE))
    found = Payload()
    view = memoryview(text)
    for offset in range(start, stop, _PIECE):
        found.feed(view[offset : min(offset + _PIECE, stop)])
        if not found.valid:
            break
    return found.finish()


def is_of_type(head: bytes, media_type: str) -> bool:
    """Whether the first bytes of a file (at most 1,024) are those of its media type; true for types we do not know."""
    match media_type:
        case "application/pdf":
            return b"%PDF-" in head
        case "text/rtf":
            return head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"{\\rtf")
        case "image/jpeg":
            return head.startswith(b"\xff\xd8\xff")
        case "image/tiff":
            return head.startswith((b"II*\x00", b"MM\x00*"))
        case "text/plain":
            return head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" not in head
        case _:
            return True


def begins(data: bytes, start: int) -> int:
    """Where the start tag of the body seems to be, -1 when it is not found in the first 64 KiB (longer than any header seen)."""
    position = start
    while (position := data.find(b"Body", position + 1, start + _WINDOW)) >= 0:
        if data.endswith((b"nonXML", b"structured"), start, position):
            return data.rfind(b"<", start, position)
    return -1


def embedded(data: bytes, body: int) -> tuple[int, int, int] | None:
    """Where the text of a level-1 body seems to be: (its start tag, its content, the end of its content).

    ``body`` is where the start tag of a nonXMLBody seems to be. Only a guess by a search of bytes; the caller uses it when
    the XML parser meets a text element at that very byte. ``None`` when something else than plain text stands there.
    """
    tag = _TEXT.search(data, body, body + _LOOK) if data.find(b"nonXMLBody", body, body + _LOOK) >= 0 else None
    if tag is None:
        return None
    end = data.find(b"<", tag.end())
    if end < 0 or data[end + 1 : end + 2] != b"/":
        return None
    return tag.start(), tag.end(), end


def pictures(data: bytes, body: int) -> list[tuple[int, int]]:
    """Long stretches of base64 in a structured body: the PDF copy that CI-SIS asks for (section FR-Document-PDF-copie).

    Each is between a ``>`` and a ``<`` and decodes: leaving it out changes nothing to whether the XML is well-formed.
    """
    found = []
    position = body
    while (position := data.find(_PDF, position)) >= 0:
        start = data.find(b">", position) + 1
        position = data.find(b"<", start) if start else -1
        if position < 0:
            break
        if position - start >= _LONG and payload(data, start, position).valid:
            found.append((start, position))
    return found


def shallow(data: bytes, start: int, depth: int, end: int | None = None) -> bool:
    """Whether ``data[start:end]``, a stretch of a well-formed document, cannot be nested deeper than ``depth``.

    There are at least as many start tags as end tags, as many end tags as levels, and 7 bytes (``<a></a>``) to each.
    """
    stop = len(data) if end is None else end
    return (
        (stop - start) // 7 <= depth
        or data.count(b"<", start, stop) // 2 <= depth
        or data.count(b"</", start, stop) <= depth
    )


def closed_at(data: bytes, start: int, name: bytes) -> int:
    """Where the element whose start tag is at ``start`` is closed; -1 when an element of the same name may stand inside it."""
    after = data.find(name, start) + len(name)
    close = data.find(name, after)
    opening = data.rfind(b"<", start, close) if close >= 0 else -1
    return close if opening > start and data[opening + 1] == _SLASH else -1


def has_entry(data: bytes, start: int) -> bool | None:
    """Whether the structured body whose start tag is at ``start`` holds an entry, by a search of bytes.

    Exact for a well-formed document: candidates inside comments are passed over. ``None`` when bytes alone cannot tell (no
    candidate, CDATA, processing instructions or other namespaces before it): the XML parser must look.
    """
    opening = _STRUCTURED.match(data, start)
    if opening is None:
        return None
    prefix = opening[1]
    name = b"<" + prefix + b":entry" if prefix else b"<entry"
    position = start
    while (position := data.find(name, position + 1)) >= 0:
        if data[position + len(name)] not in _AFTER_NAME:
            continue
        declared = b"xmlns:" + prefix if prefix else b"xmlns="
        for foreign in (b"<![CDATA[", b"<?", declared):
            if data.find(foreign, start + 1, position) >= 0:
                return None
        comment = data.rfind(b"<!--", start, position)
        if comment < 0 or data.find(b"-->", comment + 4, position) >= 0:
            return True
    return None
