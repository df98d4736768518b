"""The messages of a file: one after the other, MLLP-framed as captured, or in a batch (FHS, BHS, BTS, FTS).

HL7 v2.5 chapter 2, section 2.10.3. Nothing is lost silently: what stands between messages and is neither blank nor a batch
segment is given as a payload too, for the reader to refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from engine.parsers import charset

_BOUNDS: Final = b"\r\n\x0b\x1c"
_BLANK: Final = b" \t\r\n\x00\x0b\x0c\x1a\x1c"
_BOM: Final = b"\xef\xbb\xbf"
_BATCH: Final = (b"FHS", b"BHS", b"BTS", b"FTS")

HEADER: Final = re.compile(rb"MSH(?:[^A-Za-z0-9+/]|[+/](?![A-Za-z0-9]))")
"""How a message begins: MSH and a separator, which is no line of base64 that happens to begin with these letters."""


def split(data: bytes) -> Iterator[bytes]:
    """The payloads of a file, without framing and without batch segments; an empty batch gives none. Never raises.

    A message begins at MSH at the start of a line or of a frame. Memory: one message is copied at a time. Those of a file in
    UTF-16 are given in UTF-8.
    """
    data = charset.utf8(data)
    starts = list(_frames(data))
    if not starts:
        yield from _lines(data, 0, len(data))
        return
    yield from _lines(data, 0, starts[0])
    for start, stop in pairwise([*starts, len(data)]):
        end = data.find(b"\x1c", start, stop)
        if end < 0:
            yield from _lines(data, start + 1, stop)
        else:
            yield from _lines(data, start + 1, end)
            yield from _lines(data, end + 1, stop)


def _frames(data: bytes) -> Iterator[int]:
    """Where blocks begin: a VT at the start, after FS or after a line end. Any other VT is text."""
    at = data.find(b"\x0b")
    while at >= 0:
        if at == 0 or data[at - 1] in b"\x1c\r\n":
            yield at
        at = data.find(b"\x0b", at + 1)


def _lines(data: bytes, start: int, stop: int) -> Iterator[bytes]:
    """The payloads of a stretch without framing."""
    begins = [*_headers(data, start, stop), stop]
    yield from _kept(_without_batch(data[start : begins[0]]))
    for begin, end in pairwise(begins):
        yield from _kept(_cut(data[begin:end]))


def _headers(data: bytes, start: int, stop: int) -> Iterator[int]:
    """Where MSH begins a line and is followed by a separator."""
    at = data.find(b"MSH", start, stop)
    while at >= 0:
        before = at - 3 if data.startswith(_BOM, at - 3) and at - 3 >= start else at
        if (before == start or data[before - 1] in _BOUNDS) and HEADER.match(data, at):
            yield at
        at = data.find(b"MSH", at + 3, stop)


def _cut(message: bytes) -> bytes:
    """A message without the batch segments and the end of block that follow it."""
    end = message.find(b"\x1c")
    if end >= 0:
        message = message[:end]
    separator = message[3:4]
    while True:
        size = len(message.rstrip(_BLANK))
        line = max(message.rfind(b"\r", 0, size), message.rfind(b"\n", 0, size)) + 1
        if not line or not message.startswith(_BATCH, line) or message[line + 3 : line + 4] not in (separator, b""):
            # The terminator of the last segment is kept, so that the message is the one that came by the wire.
            return message[: size + 1] if message[size : size + 1] in (b"\r", b"\n") else message[:size]
        message = message[:line]


def _without_batch(text: bytes) -> bytes:
    """What stands before the first message, without byte order mark, blank lines and batch segments."""
    text = text.removeprefix(_BOM)
    if not text.strip(_BLANK):
        return b""
    lines = text.replace(b"\r", b"\n").split(b"\n")
    kept = [
        line for line in lines if line.strip(_BLANK) and not line.lstrip(_BLANK).removeprefix(_BOM).startswith(_BATCH)
    ]
    return b"\r".join(kept)


def _kept(payload: bytes) -> Iterator[bytes]:
    if payload.strip(_BLANK):
        yield payload
