"""MLLP framing without input or output: bytes in, blocks out (HL7 v2.5.1 appendix C, "Minimal Lower Layer Protocol").

A block is ``VT payload FS CR``. What peers do instead, and what is made of it:

* CR missing after FS: FS alone ends the block. Waiting for a byte that never comes would block a stop-and-wait sender.
* Bytes outside a block: dropped and counted (:class:`Junk`). CR and LF between blocks are no junk: they carry nothing.
* ``VT`` inside a block, followed by a segment that opens a message (MSH, FHS, BHS): the sender gave up on the former
  block and began again. The former is dropped (:class:`Truncated`), it was never acknowledged. Any other ``VT`` is data:
  word processors write a soft line break with it, and it is pasted into comments.
* A block beyond the limit: nothing more is kept of it, one :class:`TooLarge` comes at its end, with its first bytes, so
  that it can be answered.

The events of a stream do not depend on how it was cut into reads.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from msgspec import Struct

VT: Final = b"\x0b"
FS: Final = b"\x1c"
END: Final = b"\x1c\r"

# A CDA of 30 MB, in base64, plus its envelope, fits; HL7 gives no limit. MessageFoundry takes 16 MiB, Mirth has none.
MAX_SIZE: Final = 64 * 1024 * 1024

# Enough for any MSH: 21 fields of at most 227 characters (HD) are below it, real ones are below 300 bytes.
HEAD_SIZE: Final = 4096

CODES: Final[dict[str, str]] = {
    "too-large": "The message is larger than the feed accepts; raise max_message_bytes or have the sender split it.",
    "truncated": "The message stopped in the middle: the connection ended, fell silent or began another message.",
    "junk": "Bytes outside any message: check that the sender speaks the framing of the feed (MLLP: VT ... FS CR; syslog: RFC 6587), plain or TLS as set.",
}

_AGAIN: Final = re.compile(rb"\x0b+(?=MSH|FHS|BHS)")
_OUTSIDE, _INSIDE, _DISCARDING = range(3)
_VT_BYTE: Final = 0x0B


class Junk(Struct, frozen=True):
    """``size`` bytes outside any block, told when the next block begins or the stream ends."""

    code: ClassVar[str] = "junk"
    size: int


class TooLarge(Struct, frozen=True):
    """A block of ``size`` bytes, beyond the limit; ``head`` is its beginning (at most :data:`HEAD_SIZE` bytes)."""

    code: ClassVar[str] = "too-large"
    size: int
    head: bytes

    def __repr__(self) -> str:
        """Without the head: it is a piece of a message."""
        return f"TooLarge(size={self.size})"


class Truncated(Struct, frozen=True):
    """A block that never got its end, after ``size`` bytes of payload."""

    code: ClassVar[str] = "truncated"
    size: int


Event = bytes | Junk | TooLarge | Truncated


def frame(payload: bytes) -> bytes:
    """One MLLP block."""
    return b"\x0b%b\x1c\r" % payload


class Framer:
    """Cuts a byte stream into payloads.

    ``feed`` takes what was read; ``close`` tells that nothing more comes. Both return events in the order of the stream;
    a payload is plain ``bytes``. Time is linear in the bytes, whatever the size of the reads: each byte is searched once,
    copied once into the buffer (not at all when the block came in one read) and once out of it.
    """

    __slots__ = ("_buffer", "_head", "_junk", "_max_size", "_size", "_state")

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._state = _OUTSIDE
        # A bytearray and not a list of reads: reads of a few bytes would cost ten times their size in objects.
        self._buffer = bytearray()
        self._head = b""
        self._size = 0
        self._junk = 0

    @property
    def inside(self) -> bool:
        """Whether a block has begun and not ended."""
        return self._state != _OUTSIDE

    @property
    def junk(self) -> int:
        """Bytes of junk since the last block, not yet told."""
        return self._junk

    @property
    def buffered(self) -> int:
        """Bytes kept of the unfinished block."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """Events that ``data`` completes."""
        # Nearly every read holds exactly one whole block: one search, one slice.
        if self._state == _OUTSIDE and not self._junk and data[:1] == VT:
            stop = data.find(FS)
            if 0 < stop <= self._max_size + 1 and (len(data) == stop + 1 or data[stop + 1 :] == b"\r"):
                payload = data[1:stop]
                if VT not in payload:
                    return [payload]
        events: list[Event] = []
        position = 0
        while position < len(data):
            if self._state == _OUTSIDE:
                position = self._outside(data, position, events)
            else:
                position = self._inside(data, position, events)
        return events

    def give_up(self) -> None:
        """Keep nothing of the unfinished block: it ends as one that is too large."""
        if self._state == _INSIDE:
            self._head = bytes(self._buffer[:HEAD_SIZE])
            self._buffer = bytearray()
            self._state = _DISCARDING

    def close(self) -> list[Event]:
        """The stream ended: what was left of it. The framer is as new afterwards."""
        events: list[Event] = []
        self._flush_junk(events)
        if self._state != _OUTSIDE:
            events.append(Truncated(self._size))
        self._reset()
        return events

    def _outside(self, data: bytes, position: int, events: list[Event]) -> int:
        start = data.find(VT, position)
        skipped = data[position:] if start < 0 else data[position:start]
        self._junk += len(skipped) - skipped.count(b"\r") - skipped.count(b"\n")
        if start < 0:
            return len(data)
        self._flush_junk(events)
        self._state = _INSIDE
        return start + 1

    def _inside(self, data: bytes, position: int, events: list[Event]) -> int:
        stop = data.find(FS, position)
        end = len(data) if stop < 0 else stop
        if self._state == _INSIDE:
            if self._size + end - position > self._max_size:
                # Nothing beyond the head is kept from here on.
                kept = max(HEAD_SIZE - self._size, 0)
                self._head = bytes(self._buffer[:HEAD_SIZE]) + data[position : min(end, position + kept)]
                self._buffer = bytearray()
                self._state = _DISCARDING
            elif stop >= 0 and not self._buffer:
                # The whole block lies in this read: no detour through the buffer.
                self._complete(data[position:stop], events)
                self._reset()
                return stop + 1
            else:
                self._buffer += data if position == 0 and stop < 0 else memoryview(data)[position:end]
        elif len(self._head) < HEAD_SIZE:
            self._head += data[position : min(end, position + HEAD_SIZE - len(self._head))]
        self._size += end - position
        if stop < 0:
            return end
        if self._state == _DISCARDING:
            events.append(TooLarge(self._size, self._head))
        else:
            self._complete(bytes(self._buffer), events)
        self._reset()
        return stop + 1

    def _complete(self, payload: bytes, events: list[Event]) -> None:
        if VT in payload:
            begun = 0
            for begun_again in _AGAIN.finditer(payload):
                if begun_again.start() > begun:
                    events.append(Truncated(begun_again.start() - begun))
                begun = begun_again.end()
            payload = payload[begun:] if begun else payload
        events.append(payload)

    def _flush_junk(self, events: list[Event]) -> None:
        if self._junk:
            events.append(Junk(self._junk))
            self._junk = 0

    def _reset(self) -> None:
        self._state = _OUTSIDE
        self._size = 0
        self._head = b""
        if self._buffer:
            self._buffer = bytearray()
