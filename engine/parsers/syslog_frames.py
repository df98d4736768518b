"""Syslog over a byte stream, without input or output: bytes in, messages out (RFC 6587 section 3.4; RFC 5425 section 4.3).

Two framings, told apart once for each connection by its first frame:

* **octet counting**, ``LEN SP MSG``: the only one of TLS;
* **non-transparent**, ``MSG LF`` (or NUL). An audit message may be written over several lines: a line feed inside XML that has not
  come to its end belongs to the message, unless a new message (``<`` and a digit, which no XML holds) begins right after it.

What is no frame is dropped and counted (:class:`Junk`) up to the next place where a frame can begin. Line feeds, NULs and
spaces between frames are no junk. A message beyond the limit is told at once (:class:`TooLarge`) and nothing of it is kept.

The events of a stream do not depend on how it was cut into reads.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from msgspec import Struct

# An audit message has 2 to 10 kB; RFC 5425 asks for 8 kB at least, IHE ITI TF-2 3.20 for 32 kB.
MAX_SIZE: Final = 1024 * 1024

# What must be seen of a message to know whether it carries XML: a header of RFC 5424 and its structured data.
HEAD_SIZE: Final = 4096

CODES: Final[dict[str, str]] = {
    "dropped": "The listener lost a message: datagrams came faster than the disk, or the engine stopped while the store could not be "
    "written. Use TCP or TLS rather than UDP, and look at the engine's log.",
}

REJECTIONS: Final = frozenset(CODES)

# A length of ten digits (1 GB and more) is no length, but a stream out of step. A frame may follow a digit only where the former one ended.
_COUNTED: Final = re.compile(rb"(?<![0-9])([1-9][0-9]{0,8}) (?=<)")
_PLAIN: Final = re.compile(rb"<(?=[0-9])")
_EITHER: Final = re.compile(rb"(?<![0-9])([1-9][0-9]{0,8}) (?=<)|<(?=[0-9])")
_NEXT: Final = re.compile(rb"([1-9][0-9]{0,8}) (?=<)")
# The end of what was read, when a frame may be beginning in it. Ten digits are kept of a longer run: enough to see that it is one.
_BEGUN: Final = re.compile(rb"(?:[0-9]{1,10}|(?<![0-9])[1-9][0-9]{0,8} )\Z")
_NEXT_BEGUN: Final = re.compile(rb"[1-9][0-9]{0,8} ?\Z")
_NO_BLANK: Final = re.compile(rb"[^\r\n\0 ]")
_END: Final = re.compile(rb"[\n\0]")
_XML: Final = re.compile(rb"<\?xml|<(?:[A-Za-z_][\w.-]{0,40}:)?AuditMessage[\s/>]")
# Relays write control characters as #012 (rsyslog) when they put a message on one line.
_CLOSED: Final = re.compile(rb"</(?:[A-Za-z_][\w.-]{0,40}:)?AuditMessage\s{0,8}>(?:\s|#01[0-5]){0,16}\Z")
_TAIL: Final = 192

_BETWEEN, _INSIDE, _SKIPPING = range(3)


class Junk(Struct, frozen=True):
    """``size`` bytes that belong to no frame, told when the next frame begins or the stream ends."""

    code: ClassVar[str] = "junk"
    size: int


class TooLarge(Struct, frozen=True):
    """A message beyond the limit; nothing of it is kept."""

    code: ClassVar[str] = "too-large"


class Truncated(Struct, frozen=True):
    """A counted frame that never got its end, after ``size`` bytes of message."""

    code: ClassVar[str] = "truncated"
    size: int


Event = bytes | Junk | TooLarge | Truncated


def counted(message: bytes) -> bytes:
    """One frame of octet counting."""
    return b"%d %b" % (len(message), message)


class Framer:
    """Cuts a byte stream into syslog messages.

    ``feed`` takes what was read; ``close`` tells that nothing more comes. Both return events in the order of the stream; a message
    is plain ``bytes``. Time is linear in the bytes, whatever the size of the reads.
    """

    __slots__ = ("_buffer", "_carry", "_junk", "_left", "_max_size", "_mode", "_state", "_tail", "_xml")

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._begin()

    def _begin(self) -> None:
        self._mode: re.Pattern[bytes] = _EITHER  # where a frame may begin: one of three patterns
        self._state = _BETWEEN
        self._carry = b""  # read, and not understood without what comes next: at most 11 bytes
        self._buffer = bytearray()  # of the message that is coming
        self._left = 0  # bytes to come of a counted message
        self._xml = False  # the message is known to carry XML
        self._tail = b""  # the end of a message that is not kept
        self._junk = 0

    @property
    def inside(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._state != _BETWEEN

    @property
    def junk(self) -> int:
        """Bytes of junk since the last frame, not yet told."""
        return self._junk

    @property
    def buffered(self) -> int:
        """Bytes kept of the unfinished message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """Events that ``data`` completes."""
        if self._carry:
            data, self._carry = self._carry + data, b""
        events: list[Event] = []
        position = 0
        while position < len(data):
            if self._state == _BETWEEN:
                position = self._between(data, position, events)
            elif self._mode is _COUNTED:
                position = self._take_counted(data, position, events)
            else:
                position = self._take_plain(data, position, events)
        return events

    def close(self) -> list[Event]:
        """The stream ended: what was left of it. A last line without its line feed is a message. The framer is as new afterwards."""
        events: list[Event] = []
        if self._state == _BETWEEN:
            self._count_junk(self._carry)
            self._tell_junk(events)
        elif self._mode is _COUNTED:
            if self._state == _INSIDE:
                events.append(Truncated(len(self._buffer)))
        else:
            self._buffer += self._carry
            self._end_plain(events)
        self._begin()
        return events

    # Between frames

    def _between(self, data: bytes, position: int, events: list[Event]) -> int:
        first = _NO_BLANK.search(data, position)
        if first is None:
            return len(data)
        start = first.start()
        found = _NEXT.match(data, start) if self._mode is not _PLAIN else None
        found = found or self._mode.search(data, start)
        if found is None:
            kept = self._begun(data, start)
            self._count_junk(data[start:kept])
            self._carry = data[kept:]
            return len(data)
        self._count_junk(data[start : found.start()])
        self._tell_junk(events)
        self._state = _INSIDE
        if found.lastindex is None:
            self._mode = _PLAIN
            return found.start()
        self._mode = _COUNTED
        self._left = int(found[1])
        if self._left > self._max_size:
            events.append(TooLarge())
            self._state = _SKIPPING
        return found.end()

    def _begun(self, data: bytes, start: int) -> int:
        """From where on the bytes may be the beginning of a frame."""
        if self._mode is not _COUNTED and data.endswith(b"<"):
            return len(data) - 1
        if self._mode is not _PLAIN:
            if _NEXT_BEGUN.match(data, start):
                return start
            found = _BEGUN.search(data, max(start, len(data) - 11))
            if found is not None:
                return found.start()
        return len(data)

    def _count_junk(self, data: bytes) -> None:
        self._junk += len(data) - sum(map(data.count, (b"\r", b"\n", b"\0", b" ")))

    def _tell_junk(self, events: list[Event]) -> None:
        if self._junk:
            events.append(Junk(self._junk))
            self._junk = 0

    # Octet counting

    def _take_counted(self, data: bytes, position: int, events: list[Event]) -> int:
        end = min(len(data), position + self._left)
        self._left -= end - position
        if self._state == _INSIDE:
            if not self._left and not self._buffer:
                events.append(data[position:end])  # whole in this read: no detour through the buffer
            else:
                self._buffer += memoryview(data)[position:end]
                if not self._left:
                    events.append(bytes(self._buffer))
        if not self._left:
            self._ended()
        return end

    # Non-transparent framing

    def _take_plain(self, data: bytes, position: int, events: list[Event]) -> int:
        stop = _END.search(data, position)
        if stop is None:
            self._grow(memoryview(data)[position:], events)
            return len(data)
        end = stop.start()
        if end > position:
            self._grow(memoryview(data)[position:end], events)
        if data[end] == 0 or self._complete():
            self._end_plain(events)
            return end + 1
        # A line feed in the middle of XML: the next two bytes tell whether a new message begins.
        after = data[end + 1 : end + 3]
        if len(after) == 2 or (after and after != b"<"):
            if after[:1] == b"<" and after[1:].isdigit():
                self._end_plain(events)
            else:
                self._grow(memoryview(b"\n"), events)
            return end + 1
        self._carry = data[end:]
        return len(data)

    def _grow(self, piece: memoryview, events: list[Event]) -> None:
        if self._state == _SKIPPING:
            self._tail = (self._tail + bytes(piece[-_TAIL:]))[-_TAIL:]
            return
        self._buffer += piece
        if len(self._buffer) > self._max_size:
            events.append(TooLarge())
            self._look()
            self._tail = bytes(self._buffer[-_TAIL:])
            self._buffer = bytearray()
            self._state = _SKIPPING

    def _look(self) -> None:
        """Whether the message carries XML, by its beginning."""
        if not self._xml:
            self._xml = _XML.search(self._buffer, 0, min(HEAD_SIZE, self._max_size)) is not None

    def _complete(self) -> bool:
        """Whether a line feed here ends the message."""
        if self._state == _INSIDE:
            self._look()
            self._tail = bytes(self._buffer[-_TAIL:])
        return not self._xml or _CLOSED.search(self._tail) is not None

    def _end_plain(self, events: list[Event]) -> None:
        if self._state == _INSIDE and (message := bytes(self._buffer).rstrip(b"\r\n")):
            events.append(message)
        self._ended()

    def _ended(self) -> None:
        self._state = _BETWEEN
        self._xml = False
        self._tail = b""
        if self._buffer:
            self._buffer = bytearray()
