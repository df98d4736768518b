"""The head of an HTTP message in a dump: start line and header fields, when they are there at all (RFC 9112).

A platform dumps the body alone, the body under its header fields, or the whole message. Nothing here raises, and nothing is
copied but the head.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

LIMIT: Final = 1 << 16
"""Bytes that a head may take; a longer one is no head."""

CORRELATION: Final = ("x-request-id", "x-correlation-id")
"""Header fields that join a response to its request, where somebody sets them (FHIR R4 http.html, custom headers; platforms do it with SOAP too)."""

_VALUE: Final = 4_096  # characters of a Content-Type that are looked at

_START: Final = re.compile(
    rb"(HTTP/[0-9](?:\.[0-9])? [0-9]{3}(?: [^\r\n]*)?|[A-Z]{3,10} [^ \r\n]+ HTTP/[0-9](?:\.[0-9])?)[ \t]*(?:\r?\n|\Z)"
)
# A boundary is no name of a field, though it may hold a colon.
_FIELD: Final = re.compile(rb"(?!--)[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}[ \t]*:")
_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_LEAD: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]{0,256}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,256})?\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n|\r\Z")
_STATUS: Final = re.compile(r"HTTP/\S+ ([0-9]{3})")
_PARAMETER: Final = re.compile(r""";\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))""")
_QUOTED: Final = re.compile(r"\\(.)")
_DATE: Final = re.compile(
    r"(?:[A-Za-z]{3,9}, )?([0-9]{1,2})[ -]([A-Za-z]{3})[ -]([0-9]{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class HttpMessage(NamedTuple):
    """A dumped message, taken apart. Without head: no headers, an empty start line, and the payload as body."""

    headers: dict[str, str]  # lower-case name -> value, unfolded; the first of a name that is repeated
    start: str  # request or status line
    body: memoryview


def split(payload: bytes | memoryview) -> HttpMessage:
    """Part the head from the body. Header fields without start line are a head when one of them is Content-Type."""
    view = memoryview(payload)
    text = bytes(view[: LIMIT + 1])
    lead = _LEAD.match(text)
    begin = lead.end() if lead is not None else 0
    line = _START.match(text, begin)
    after = line.end() if line is not None else begin
    if line is None and _FIELD.match(text, begin) is None:
        return HttpMessage({}, "", view)
    # The line feed that ends the start line may also be the first of the blank line.
    blank = _BLANK.search(text, max(after - 2, begin))
    if blank is None and len(text) > LIMIT:
        return HttpMessage({}, "", view)
    found = fields(text[after : blank.start() if blank is not None else len(text)])
    if line is None and "content-type" not in found:
        return HttpMessage({}, "", view)
    start = line[1].decode("latin-1") if line is not None else ""
    return HttpMessage(found, start, view[blank.end() if blank is not None else len(text) :])


def unchunked(message: HttpMessage) -> HttpMessage:
    """The message with its body put together, when a capture of the wire left it in chunks (RFC 9112 section 7.1).

    Most dumps keep ``Transfer-Encoding: chunked`` in their head and hold the body in one piece: then, as without that
    field, it is the message itself, uncopied.
    """
    if "chunked" not in message.headers.get("transfer-encoding", "").lower():
        return message
    body, joined, position = message.body, io.BytesIO(), 0
    while True:
        size = _CHUNK.match(body, position)
        if size is None:
            if position < len(body):
                return message
            break
        length = int(size[1], 16)
        if not length:
            break
        joined.write(body[size.end() : size.end() + length])
        position = size.end() + length
        if position < len(body):
            after = _LINE_END.match(body, position)
            if after is None:
                return message
            position = after.end()
    return message._replace(body=memoryview(joined.getvalue()))


def fields(block: bytes) -> dict[str, str]:
    """Header fields of a block of lines (RFC 9112 section 5, RFC 5322 section 2.2): lower-case name -> value.

    Lines that are no field are passed over.
    """
    found: dict[str, str] = {}
    for line in _FOLD.sub(b" ", block).split(b"\n"):
        if _FIELD.match(line) is not None:
            name, _, value = line.decode("latin-1").partition(":")
            found.setdefault(name.strip().lower(), value.strip())
    return found


def media_type(value: str) -> tuple[str, dict[str, str]]:
    """A Content-Type (RFC 9110 section 8.3) as its lower-case media type and its parameters, by lower-case name."""
    parameters = {
        match[1].lower(): _QUOTED.sub(r"\1", match[2]) if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(value[:_VALUE])
    }
    return value.partition(";")[0].strip().lower(), parameters


def correlations(headers: dict[str, str]) -> tuple[str, ...]:
    """The ids of :data:`CORRELATION` that are there, each once; clear."""
    return tuple(dict.fromkeys(value for name in CORRELATION if (value := headers.get(name))))


def status(start: str) -> int:
    """Status code of a start line; 0 for a request, or without start line."""
    match = _STATUS.match(start)
    return int(match[1]) if match is not None else 0


def date(headers: dict[str, str]) -> int:
    """Seconds since 1970-01-01 UTC of the Date field (RFC 9110 section 5.6.7); 0 when it is absent or unreadable."""
    match = _DATE.fullmatch(headers.get("date", ""))
    if match is None or match[2].lower() not in _MONTHS:
        return 0
    month = _MONTHS.index(match[2].lower()) + 1
    try:
        moment = datetime(int(match[3]), month, int(match[1]), int(match[4]), int(match[5]), int(match[6]), tzinfo=UTC)
    except ValueError:
        return 0
    return max(int(moment.timestamp()), 0)
