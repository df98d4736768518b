"""Several resources in one payload: NDJSON (one a line), and Bundles of type batch, each entry of which stands for itself.

What answers a batch answers entry by entry: an entry goes on under the id of the request with its own number (``id#3``), on both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Raw, json, structs

from engine.parsers import http_head
from engine.parsers.fhir_elements import BODY, Bundle, Entry, crowded, peek, present, read
from engine.parsers.fhir_references import written
from engine.parsers.http_head import HttpMessage

MAX_LINES: Final = 100_000
"""Lines of one payload of NDJSON."""

BATCHES: Final = frozenset({"batch", "batch-response"})

_LEAD: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*")
_ID: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
_GOES_ON: Final = (b"[", b"{", b",", b":")  # the next line belongs to the same JSON
_SPACE: Final = b" \t\r\n"


def trimmed(body: memoryview) -> memoryview:
    """A body without a byte order mark nor white space before it."""
    lead = _LEAD.match(body)
    return body[lead.end() :] if lead is not None else body


def several(body: memoryview) -> bool:
    """Whether a body is NDJSON: a line that ends what it began, and another object under it."""
    end = _line_end(body, 0)
    first = bytes(body[max(0, end - 64) : end]).rstrip(_SPACE)
    if not first or first[-1:] in _GOES_ON:
        return False
    return bytes(trimmed(body[end:])[:1]) == b"{"


def split(payload: bytes) -> Iterable[bytes]:
    """The resources of a payload; the payload itself when it is one, or none that can be told apart."""
    try:
        message = http_head.split(payload)
        body = trimmed(message.body)
        if bytes(body[:1]) != b"{" or crowded(body):
            return (payload,)
        if several(body):
            return _lines(body) if _countable(body) else (payload,)
        known = peek(body, BODY)
        if known.resource_type != "Bundle" or bytes(memoryview(known.type)) not in (b'"batch"', b'"batch-response"'):
            return (payload,)
        found = read(body, Bundle, "Bundle")
        if not any(_told(entry) for entry in found.entry or ()):
            return (payload,)
        return _pieces(found, message)
    except Exception:  # noqa: BLE001  # what cannot be taken apart is one message, and parse() says why
        return (payload,)


def numbered(ids: Iterable[str], index: int) -> tuple[str, ...]:
    """The ids of one entry of a batch."""
    return tuple(f"{one}#{index}" for one in ids)


def batch_ids(found: Bundle, headers: dict[str, str]) -> tuple[str, ...]:
    """The ids of a batch: of its head, else its own identifier."""
    named = ids(headers)
    own = written(found.identifier)
    return named or ((own,) if _ID.fullmatch(own) else ())


def ids(headers: dict[str, str]) -> tuple[str, ...]:
    """X-Request-Id and X-Correlation-Id, those that are there and clean, each once."""
    return tuple(value for value in http_head.correlations(headers) if _ID.fullmatch(value))


def _told(entry: Entry) -> bool:
    return present(entry.resource) or entry.response is not None


def _pieces(found: Bundle, message: HttpMessage) -> Iterator[bytes]:
    """Each entry with a head of its own, when anything can join it to its answer."""
    named = batch_ids(found, message.headers)
    for index, entry in enumerate(found.entry or ()):
        if not _told(entry):
            continue
        if found.type == "batch-response":
            body = b'{"resourceType":"Bundle","type":"transaction-response","entry":[%b]}' % _entry(entry)
        else:
            body = bytes(memoryview(entry.resource))
        yield _head(message, numbered(named, index)) + body


def _entry(entry: Entry) -> bytes:
    """An entry of a response, as JSON again: of what is read, nothing is lost."""
    parts = []
    if present(entry.resource):
        parts.append(b'"resource":' + bytes(memoryview(entry.resource)))
    if entry.response is not None:
        told = entry.response
        told = told if present(told.outcome) else structs.replace(told, outcome=Raw(b"null"))
        parts.append(b'"response":' + json.encode(told))
    return b"{" + b",".join(parts) + b"}"


def _head(message: HttpMessage, named: tuple[str, ...]) -> bytes:
    if not named:
        return b""
    lines = ["Content-Type: application/fhir+json"]
    date = message.headers.get("date", "")
    if date.isascii() and date.isprintable() and date:
        lines.append(f"Date: {date}")
    lines += [f"{field}: {value}" for field, value in zip(("X-Request-Id", "X-Correlation-Id"), named, strict=False)]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"


def _countable(body: memoryview) -> bool:
    step, count = 1 << 20, 0
    for start in range(0, len(body), step):
        count += bytes(body[start : start + step]).count(b"\n")
    return count <= MAX_LINES


def _lines(body: memoryview) -> Iterator[bytes]:
    start = 0
    while start < len(body):
        end = _line_end(body, start)
        line = bytes(body[start:end]).strip(_SPACE)
        if line:
            yield line
        start = end + 1


def _line_end(body: memoryview, start: int) -> int:
    """Where a line ends: its line feed, or the end of the body."""
    step = 1 << 16
    for at in range(start, len(body), step):
        found = bytes(body[at : at + step]).find(b"\n")
        if found >= 0:
            return at + found
    return len(body)
