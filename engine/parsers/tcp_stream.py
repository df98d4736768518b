"""One direction of a TCP connection put together from its segments, without input or output (RFC 9293, section 3.4).

Segments come in the order of a capture: twice (retransmitted, or seen at both ports of a mirror), out of order, overlapping, not at all. What
never comes is told as a gap, never filled. What was captured from the middle of a connection begins with a gap of unknown size.
"""

from __future__ import annotations

from typing import Final

_SPACE: Final = 1 << 32
_HALF: Final = 1 << 31
#: So much out of order, and what is awaited will not come: beyond any receive window that a sender of messages fills.
MAX_WAITING: Final = 8 * 1024 * 1024


class TcpStream:
    """``feed`` takes segments and gives pieces of the stream: ``bytes``, or ``int``, a gap of so many bytes (0: unknown, at the beginning)."""

    __slots__ = ("_next", "_size", "_waiting")

    def __init__(self) -> None:
        self._next: int | None = None  # sequence number of the next byte
        self._waiting: dict[int, bytes] = {}  # by sequence number, out of order
        self._size = 0

    def opened(self, sequence: int) -> None:
        """A SYN was seen: the stream begins behind it."""
        if self._next is None:
            self._next = (sequence + 1) % _SPACE

    def feed(self, sequence: int, data: bytes) -> list[bytes | int]:
        """A segment of data."""
        if not data:
            return []
        pieces: list[bytes | int] = []
        if self._next is None:
            self._next = sequence
            pieces.append(0)
        if self._ahead(sequence) > 0:
            known = self._waiting.get(sequence, b"")
            if len(data) > len(known):
                self._waiting[sequence] = data
                self._size += len(data) - len(known)
            if self._size > MAX_WAITING:
                self._skip(pieces)
            else:
                return pieces
        elif rest := data[-self._ahead(sequence) :]:
            self._take(rest, pieces)
        self._catch_up(pieces)
        return pieces

    def close(self) -> list[bytes | int]:
        """Nothing more comes: what still waits, with its gaps."""
        pieces: list[bytes | int] = []
        while self._waiting:
            self._skip(pieces)
            self._catch_up(pieces)
        return pieces

    def _ahead(self, sequence: int) -> int:
        """How far a sequence number is ahead of the next byte; negative: it was seen already."""
        assert self._next is not None
        return (sequence - self._next + _HALF) % _SPACE - _HALF

    def _take(self, data: bytes, pieces: list[bytes | int]) -> None:
        assert self._next is not None
        self._next = (self._next + len(data)) % _SPACE
        pieces.append(data)

    def _skip(self, pieces: list[bytes | int]) -> None:
        """Give up what is awaited: go on with the nearest of what waits."""
        nearest = min(self._waiting, key=self._ahead)
        pieces.append(self._ahead(nearest))
        self._next = nearest

    def _catch_up(self, pieces: list[bytes | int]) -> None:
        """Take what is no longer out of order."""
        for sequence in sorted(self._waiting, key=self._ahead):
            behind = -self._ahead(sequence)
            if behind < 0:
                return
            data = self._waiting.pop(sequence)
            self._size -= len(data)
            if behind < len(data):
                self._take(data[behind:], pieces)
