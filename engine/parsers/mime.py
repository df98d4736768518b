"""The parts of a mail (RFC 2045, 2046), read in place: a part is a span of the payload, and nothing is decoded before somebody asks.

A payload is searched once for each level of its parts. What a mailer may get wrong is survived and flagged; only what no mailer writes
is refused. A ``message/*`` part is never entered: what it holds was not sent by this mail.
"""

from __future__ import annotations

import binascii
import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.parsers import mail_header, transfer_encoding
from engine.parsers.mail_header import Fields

CODES: Final[dict[str, str]] = {
    **mail_header.CODES,
    # Refused.
    "mail-too-deep": "Parts are nested deeper than 16 levels; no mailer writes that.",
    "mail-too-many-parts": "A mail of more than 1,000 parts; no mailer writes that.",
    "mail-part-too-large": "A part is larger than the limit once decoded; raise the limit or look at who sends it.",
    # Remarks.
    "mail-boundary-missing": "A multipart without the boundary that it announces: it was read as one part.",
    "mail-not-closed": "The last boundary of a multipart is missing: the mail was cut, or its mailer forgot it.",
    "mail-part-damaged": "A part is not in the encoding that it announces: what could be decoded was.",
}
"""Every code that :func:`read` raises or flags, and what it means."""

REJECTIONS: Final = frozenset({*mail_header.CODES, "mail-too-deep", "mail-too-many-parts"})

MAX_PARTS: Final = 1_000
MAX_DEPTH: Final = 16
MAX_PART_HEADER: Final = 1 << 16
MAX_PART_FIELDS: Final = 1_000

_AFTER: Final = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_DISCOVERED: Final = re.compile(rb"\n--([!-~](?:[ -~]{0,198}[!-~])?)[ \t]*\r?\n(?=content-)", re.IGNORECASE)
_LOOK: Final = 1 << 16  # where a boundary that nobody announced must begin
_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?:>?From [^\n]*\n)?")
_ZIP: Final = b"PK\x03\x04"
# The same signature in base64 (the fifth character holds two bits of what follows), quoted-printable and uuencode.
_ZIPS: Final = re.compile(
    rb"[ \t\r\n]{0,256}(?:(UEsDB)|(PK=03=04)|(begin[ \t]+[0-7]{3,4}[ \t][^\n]{0,512}\n[!-`]4\$L#!))"
)
_CODINGS: Final = ("", "base64", "quoted-printable", "uuencode")
_CR: Final = 0x0D
_OTHERS: Final = 10_000  # lines that begin like a boundary and are none
_UU: Final = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
_UU_BEGIN: Final = re.compile(rb"begin[ \t]+[0-7]{3,4}[ \t][^\n]*\n")


class Part(Struct, frozen=True):
    """One part that holds no others: where it stands in the payload, and what its header says of it."""

    path: str  # "1", "2.1": its place among the parts; "0": the mail itself
    kind: str  # media type, lower case
    parameters: dict[str, str]  # of its Content-Type
    fields: Fields
    payload: bytes
    start: int
    end: int

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding, lower case; ``""`` when absent."""
        return mail_header.without_comments(mail_header.first(self.fields, "content-transfer-encoding")).strip().lower()

    @property
    def name(self) -> str:
        """The file name that it announces, decoded; for memory only: it may hold a person's name."""
        _, disposition = mail_header.parameters(mail_header.first(self.fields, "content-disposition"))
        return mail_header.words(disposition.get("filename") or self.parameters.get("name", "")).strip()

    def view(self, size: int = -1) -> memoryview:
        """Its content as it stands in the mail; the first ``size`` bytes when it is not negative."""
        end = self.end if size < 0 else min(self.end, self.start + size)
        return memoryview(self.payload)[self.start : end]

    def holds_zip(self) -> bool:
        """Whether its content is a ZIP by its first bytes, whatever its header says."""
        return self._coding() is not None

    def _coding(self) -> str | None:
        """How the ZIP that this part holds is encoded, by its first bytes; None when it holds none."""
        if self.payload.startswith(_ZIP, self.start, self.end):
            return "quoted-printable" if self.encoding == "quoted-printable" else "binary"
        found = _ZIPS.match(self.payload, self.start, min(self.end, self.start + 1_024))
        return None if found is None else _CODINGS[found.lastindex or 0]

    def decode(self, limit: int) -> tuple[bytes | memoryview, bool]:
        """Its decoded content (a view of the payload where nothing is encoded), and whether it is whole.

        What is damaged is read as far as it can be. A ZIP is decoded by what it is. Raises :class:`ParseError` (``mail-part-too-large``)
        beyond ``limit`` bytes.
        """
        view = self.view()
        encoding = self._coding() or self.encoding
        packed = encoding == "base64" or encoding in _UU
        if (len(view) // 4 * 3 - len(view) // 16 if packed else len(view)) > limit:
            raise ParseError("mail-part-too-large", f"part {self.path}")
        if encoding in _UU:
            return _uudecoded(bytes(view))
        whole = transfer_encoding.decode(view, encoding)
        if whole is not None:
            return whole, True
        return (mail_header.base64(bytes(view)), False) if encoding == "base64" else (view, False)

    def head(self, size: int) -> bytes:
        """Its first ``size`` bytes or so, decoded as its header says; damage is passed over."""
        encoding = self.encoding
        if encoding == "base64":
            return mail_header.base64(bytes(self.view(size // 2 * 3)))[:size]
        raw = bytes(self.view(size))
        return binascii.a2b_qp(raw) if encoding == "quoted-printable" else raw

    def __repr__(self) -> str:
        return f"Part({self.path!r}, {self.start}, {self.end})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # rich would print every field
        return [("path", self.path), ("start", self.start), ("end", self.end)]


class Mail(Struct, frozen=True):
    """A mail: its own header, the parts that hold no others, in order, and what was odd."""

    fields: Fields
    kind: str
    parameters: dict[str, str]
    parts: tuple[Part, ...]
    flags: tuple[Flag, ...]

    def __repr__(self) -> str:
        return f"Mail({len(self.parts)} parts)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("parts", len(self.parts))]


def read(payload: bytes) -> Mail:
    """Read a mail. Raises :class:`ParseError` with a code of :data:`REJECTIONS`; the place is a byte or a part."""
    end = len(payload)
    start = _beginning(payload)
    fields, body = mail_header.read(payload, start, end)
    if not fields:
        raise ParseError("mail-no-header", f"byte {start}")
    reading = _Reading(payload)
    kind, parameters = _type(fields, "text/plain")
    reading.part("0", fields, kind, parameters, (body, end), 0)
    return Mail(fields, kind, parameters, tuple(reading.parts), tuple(reading.flags))


def header(payload: bytes | memoryview) -> Fields:
    """The header of a mail alone (of one that another mail holds); empty when there is none. Never raises."""
    data = bytes(payload[: mail_header.MAX_HEADER])
    try:
        return mail_header.read(data, _beginning(data), len(data))[0]
    except ParseError:
        return {}


def _beginning(payload: bytes) -> int:
    """After empty lines, and the line by which an mbox file announces a mail."""
    found = _START.match(payload)
    return found.end() if found is not None else 0


def _type(fields: Fields, default: str) -> tuple[str, dict[str, str]]:
    value = mail_header.first(fields, "content-type")
    if not value:
        return default, {}
    kind, parameters = mail_header.parameters(value)
    if "(" in kind:
        kind = mail_header.without_comments(kind).strip()
    return "".join(kind.split()), parameters


class _Reading:
    """One payload, being read."""

    __slots__ = ("flags", "parts", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.parts: list[Part] = []
        self.flags: list[Flag] = []

    def part(
        self, path: str, fields: Fields, kind: str, parameters: dict[str, str], span: tuple[int, int], depth: int
    ) -> None:
        """A part whose content is ``span``: those that it holds, else itself."""
        if kind.startswith("multipart/"):
            if depth >= MAX_DEPTH:
                raise ParseError("mail-too-deep", f"part {path}")
            if self._multipart(path, kind, parameters, span, depth):
                return
            self.flags.append(Flag("mail-boundary-missing", f"part {path}"))
        if len(self.parts) >= MAX_PARTS:
            raise ParseError("mail-too-many-parts", f"part {path}")
        self.parts.append(Part(path, kind, parameters, fields, self.payload, *span))

    def _multipart(self, path: str, kind: str, parameters: dict[str, str], span: tuple[int, int], depth: int) -> bool:
        """Read the parts of a multipart; False when it has none."""
        start, end = span
        boundary = parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        opened, number, closed = -1, 0, False
        for at, after, closing in self._delimiters(boundary, start, end):
            if opened >= 0:
                number += 1
                self._child(path, number, default, (opened, at), depth)
            opened, closed = after, closing
            if closing:
                break
        if opened < 0:
            return False
        if not closed:
            self._child(path, number + 1, default, (opened, end), depth)
            self.flags.append(Flag("mail-not-closed", f"part {path}"))
        return True

    def _child(self, path: str, number: int, default: str, span: tuple[int, int], depth: int) -> None:
        place = str(number) if path == "0" else f"{path}.{number}"
        if number > MAX_PARTS:
            raise ParseError("mail-too-many-parts", f"part {place}")
        start, end = span
        fields, body = self._header(start, end)
        kind, parameters = _type(fields, default)
        self.part(place, fields, kind, parameters, (min(body, end), end), depth + 1)

    def _header(self, start: int, end: int) -> tuple[Fields, int]:
        if start >= end:
            return {}, end
        return mail_header.read(self.payload, start, end, MAX_PART_HEADER, MAX_PART_FIELDS)

    def _delimiters(self, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Each delimiter: where the part before it ends, where the one after it begins, and whether it closes the multipart."""
        payload = self.payload
        if not boundary:
            found = _DISCOVERED.search(payload, max(start - 1, 0), min(end, start + _LOOK))
            if found is None:
                return
            boundary = found[1]
        mark = b"\n--" + boundary
        # The line feed that ends the header, or a delimiter, may be the one before the next.
        at, others = max(start - 1, 0), 0
        while (at := payload.find(mark, at, end)) >= 0:
            found = _AFTER.match(payload, at + len(mark), end)
            if found is None:
                at += 1
                others += 1
                if others > _OTHERS:
                    raise ParseError("mail-too-many-parts", f"byte {at}")
                continue
            yield (
                (at - 1 if at > start and payload[at - 1] == _CR else max(at, start)),
                found.end(),
                found[1] is not None,
            )
            at = max(found.end() - 1, at + 1)


def _uudecoded(data: bytes) -> tuple[bytes, bool]:
    begin = _UU_BEGIN.search(data)
    if begin is None:
        return data, False
    decoded = io.BytesIO()
    for line in data[begin.end() :].splitlines():
        if line == b"end":
            return decoded.getvalue(), True
        try:
            decoded.write(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders write more than the length says.
            size = ((line[0] - 32) & 63) * 4 // 3 + 3 if line else 0
            with contextlib.suppress(binascii.Error):
                decoded.write(binascii.a2b_uu(line[:size]))
    return decoded.getvalue(), False
