"""The body of one HTTP request, decompressed step by step: memory and the time of one step are bounded whatever was sent."""

from __future__ import annotations

import zlib
from typing import Final

#: Bytes that one step decompresses at most: a millisecond.
STEP: Final = 256 * 1024


class Body:
    """What came of a body. After :meth:`feed`, :meth:`step` is called as long as :attr:`pending`."""

    def __init__(self, *, gzip: bool, limit: int) -> None:
        """``limit``: bytes of the largest body, once decompressed; one byte more is the most that is ever kept."""
        self._limit = limit
        self._bytes = bytearray()
        self._inflate = zlib.decompressobj(31) if gzip else None
        self._packed = b""

    def __len__(self) -> int:
        """Bytes so far, decompressed."""
        return len(self._bytes)

    @property
    def pending(self) -> bool:
        """Whether there is something to decompress."""
        # What zlib has not given yet is before the trailer of the member, which it has not taken then.
        return bool(self._packed)

    @property
    def whole(self) -> bool:
        """Whether it may end here."""
        return self._inflate is None or self._inflate.eof

    def feed(self, data: bytes | bytearray) -> None:
        """A piece of it, as it was sent."""
        if self._inflate is None:
            self._bytes += data
        else:
            self._packed += data

    def step(self) -> None:
        """Decompress some of what was fed. Raises zlib.error when it is no gzip."""
        inflate = self._inflate
        assert inflate is not None
        if inflate.eof:  # RFC 1952: a file may have several members
            inflate = self._inflate = zlib.decompressobj(31)
        room = min(STEP, self._limit + 1 - len(self._bytes))
        self._bytes += inflate.decompress(self._packed, room)
        self._packed = inflate.unconsumed_tail or inflate.unused_data

    def after(self, head: bytes) -> bytes:
        """``head`` and the whole of it, copied once."""
        return b"".join((head, self._bytes))
