"""Header fields of a mail or of one of its parts: RFC 5322 section 2.2 and its obsolete forms, RFC 2047 words, RFC 2231 parameters.

Line ends are CR LF or LF. What is no field is passed over, as are the faults of old mailers; nothing here raises but for limits.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import pybase64

from engine.errors import ParseError

if TYPE_CHECKING:
    from engine.parsers.dtm import Zone

CODES: Final[dict[str, str]] = {
    "mail-header-too-large": "The header of a mail (1 MiB) or of a part (64 KiB) does not end: no mailer writes that.",
    "mail-header-too-many": "More than 10,000 header fields in a mail, or 1,000 in a part; no mailer writes that.",
    "mail-no-header": "The bytes do not begin with the header fields of a mail.",
}
"""Every code that :func:`read` raises, and what it means."""

MAX_HEADER: Final = 1 << 20
"""Bytes of the header of a mail: about 10,000 recipients."""
MAX_FIELDS: Final = 10_000
LONGEST: Final = 1 << 13
"""Characters of a field that is no list of addresses that are looked at."""

Fields = dict[str, list[bytes]]
"""Lower-case name -> its values in order, as written: folded, undecoded."""

_END: Final = re.compile(rb"\n(?:\r?\n|(?=--))")
_EMPTY: Final = re.compile(rb"\r?\n")
# At the beginning of a line; of the payload too, after a byte order mark.
_FIELD: Final = re.compile(rb"(?<![^\n\xbf])([!-9;-~]{1,200})[ \t]*:((?:[^\n]*\n[ \t])*+[^\n]*)")
_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_WORD: Final = re.compile(r"=\?([^\s?*]{1,60})(?:\*[^\s?]{0,20})?\?([bBqQ])\?([^?]{0,8192})\?=")
_PARAMETER: Final = re.compile(r""";\s*+([^\s=;"]{1,200})\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?+|([^;]*+))""", re.DOTALL)
_QUOTED: Final = re.compile(r"\\(.)", re.DOTALL)
_PIECE: Final = re.compile(r"(.+?)(?:\*([0-9]{1,3}))?(\*)?", re.DOTALL)
_DATE: Final = re.compile(
    r"(?:[A-Za-z]{2,9}\.?\s*,?\s*)?([0-9]{1,2})[\s-]+([A-Za-z]{3})[a-z]{0,6}\.?,?[\s-]+([0-9]{2,4}),?\s+"
    r"([0-9]{1,2})\s*:\s*([0-9]{2})(?:\s*:\s*([0-9]{2})(?:[.,][0-9]{1,9})?)?\s*([+-]\s*[0-9]{4}|[A-Za-z]{1,5})?(?![0-9A-Za-z])",
    re.ASCII,
)
_MONTHS: Final = {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
# RFC 5322 section 4.3; CET and CEST are not in it, and are written. Any other letters say nothing: UTC.
_ZONES: Final = {
    "EDT": -4,
    "EST": -5,
    "CDT": -5,
    "CST": -6,
    "MDT": -6,
    "MST": -7,
    "PDT": -7,
    "PST": -8,
    "CET": 1,
    "CEST": 2,
}
# What Python reads besides, that no mail is written in, and that costs more than its size.
_NO_CHARSETS: Final = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = range(1900, 2200)


def read(payload: bytes, start: int, end: int, limit: int = MAX_HEADER, most: int = MAX_FIELDS) -> tuple[Fields, int]:
    """The fields of the header that begins at ``start``, and where what follows it begins.

    A header ends with an empty line, or before a line that begins a part (``--``). Raises :class:`ParseError` with a code of :data:`CODES`.
    """
    first = _EMPTY.match(payload, start, end)
    if first is not None:
        return {}, first.end()
    close = _END.search(payload, start, min(end, start + limit))
    if close is None and end - start > limit:
        raise ParseError("mail-header-too-large", f"byte {start}")
    stop, after = (close.start() + 1, close.end()) if close is not None else (end, end)
    fields: Fields = {}
    for count, found in enumerate(_FIELD.finditer(payload, start, stop)):
        if count >= most:
            raise ParseError("mail-header-too-many", f"byte {start}")
        fields.setdefault(found[1].decode("ascii").lower(), []).append(found[2])
    return fields, after


def text(raw: bytes) -> str:
    """A value unfolded, as text: UTF-8, else Windows-1252, whatever the bytes. Control characters are blanks."""
    bare = _FOLD.sub(b"", raw) if b"\n" in raw else raw
    return _CONTROL.sub(" ", decode(bare, "utf-8")).strip()


def first(fields: Fields, name: str) -> str:
    """The first value of a field as text, at most :data:`LONGEST` characters; ``""`` when it is absent."""
    values = fields.get(name)
    return text(values[0][: 4 * LONGEST])[:LONGEST] if values else ""


def words(value: str) -> str:
    """A text with its encoded words decoded (RFC 2047); those of an unknown charset are read as UTF-8 or Windows-1252.

    Neighbours of one charset are put together before they are decoded: mailers cut characters in two.
    """
    if "=?" not in value:
        return value
    shown: list[str] = []
    waiting, charset, at = b"", "", 0
    for found in _WORD.finditer(value):
        between, at = value[at : found.start()], found.end()
        blank = not between.strip()
        if waiting and not (blank and found[1].lower() == charset):
            shown.append(decode(waiting, charset))
            waiting = b""
        if not (blank and charset):
            shown.append(between)
        charset = found[1].lower()
        waiting += _encoded(found[3], found[2])
    shown += (decode(waiting, charset), value[at:])
    return "".join(shown)


def _encoded(value: str, encoding: str) -> bytes:
    raw = value.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    return base64(raw)


def base64(raw: bytes) -> bytes:
    """What can be read of damaged base64: other characters are dropped, and what follows the padding."""
    bare = raw.translate(None, _NOT_BASE64).partition(b"=")[0]
    if len(bare) % 4 == 1:
        bare = bare[:-1]
    return pybase64.b64decode(bare + b"=" * (-len(bare) % 4))


_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64))


def decode(raw: bytes, charset: str) -> str:
    """Bytes as text: in that charset, else UTF-8, else Windows-1252, else each byte by itself."""
    for name in (charset, "utf-8", "cp1252"):
        if name.lower().replace("-", "_") in _NO_CHARSETS:
            continue
        try:
            return raw.decode(name)
        except (LookupError, ValueError):  # also of names such as "hex", which is no charset
            continue
    return raw.decode("latin-1")


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """A Content-Type or Content-Disposition: its lower-case value, and its parameters by lower-case name (RFC 2045, RFC 2231)."""
    kind, _, _ = value.partition(";")
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(value):
        content = _QUOTED.sub(r"\1", match[2]) if match[2] is not None else match[3].strip()
        name = _PIECE.fullmatch(match[1].lower())
        if name is None or (name[2] is None and name[3] is None):
            found.setdefault(match[1].lower(), content)
        else:
            pieces.setdefault(name[1], {}).setdefault(int(name[2] or 0), (content, name[3] is not None))
    for stem, numbered in pieces.items():
        found[stem] = _joined(numbered)
    return kind.strip().lower(), found


def _joined(numbered: dict[int, tuple[str, bool]]) -> str:
    """The pieces of a parameter put together (RFC 2231 sections 3 and 4)."""
    charset, raw = "utf-8", b""
    for place, (content, extended) in enumerate(numbered[number] for number in sorted(numbered)):
        if extended and not place and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw += unquote_to_bytes(content) if extended else content.encode("utf-8", "replace")
    return decode(raw, charset or "utf-8")


def message_id(value: str) -> str:
    """The first message identifier of a Message-ID, In-Reply-To or References, without brackets nor blanks; ``""`` when there is none."""
    opened = value.find("<")
    bare = value[opened + 1 :].partition(">")[0] if opened >= 0 else (value.split() or [""])[0]
    return "".join(bare.split())


def date(value: str, zone: Zone) -> int:
    """Seconds since 1970-01-01 UTC of a Date field (RFC 5322 sections 3.3 and 4.3); 0 when it is none.

    ``zone`` is that of a date that names none, which the standard does not allow.
    """
    match = _DATE.search(without_comments(value) if "(" in value else value)
    if match is None:
        return 0
    day, month, year, hour, minute, second, offset = match.groups()
    number = _MONTHS.get(month.lower(), 0)
    full = int(year)
    if len(year) < 4:
        full += 2000 if full < 50 else 1900
    if full not in _YEARS:
        return 0
    try:
        moment = datetime(full, number, int(day), int(hour), int(minute), min(int(second or 0), 59), tzinfo=UTC)
    except ValueError:
        return 0
    if not offset:
        return zone.seconds(moment.strftime("%Y%m%d%H%M%S").encode())
    return max((moment - _EPOCH) // timedelta(seconds=1) - _east(offset), 0)


def _east(offset: str) -> int:
    """Seconds east of UTC."""
    sign, digits = offset[0], offset[1:].strip()
    if sign not in "+-":
        return 3600 * _ZONES.get(offset.upper(), 0)
    east = 3600 * int(digits[:2]) + 60 * int(digits[2:])
    return -east if sign == "-" else east


def without_comments(value: str) -> str:
    """A structured field without its comments (RFC 5322 section 3.2.2): nested, escaped, or never closed."""
    kept: list[str] = []
    depth = at = 0
    for found in _COMMENT.finditer(value):
        if found[0] == "(":
            if not depth:
                kept.append(value[at : found.start()])
            depth += 1
        elif found[0] == ")" and depth:
            depth -= 1
            at = found.end()
    if not depth:
        kept.append(value[at:])
    return " ".join(kept)


_COMMENT: Final = re.compile(r"\\.|[()]", re.DOTALL)
