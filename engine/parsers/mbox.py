"""Mails of an mbox file, without input or output: bytes in, mails out (RFC 4155, and the quoting that it leaves to its writers).

A mail begins with a line ``From `` (without a colon), the first of the file or after an empty line; that line is none of it. In its body
``>From `` stands for ``From ``, ``>>From `` for ``>From ``. The mails of a file do not depend on how it was cut into reads.
"""

from __future__ import annotations

import re
from typing import Final

MARK: Final = b"From "
"""What an mbox file begins with, and no mail."""

_BLANK: Final = re.compile(rb"\n\r?\n\Z")
_NEXT: Final = re.compile(rb"\n\r?\n(?=From )")
# The end of what was read, in which the next mail may be beginning.
_BEGUN: Final = len(b"\n\r\nFrom ") - 1
_QUOTED: Final = re.compile(rb"^>(?=>*From )", re.MULTILINE)


class Splitter:
    """Cuts a byte stream into mails. ``feed`` takes what was read, ``close`` tells that nothing more comes.

    Time is linear in the bytes, whatever the size of the reads. Of a mail beyond ``max_size`` the first bytes are given, a little more than
    ``max_size``, and the rest is dropped.
    """

    __slots__ = ("_buffer", "_looked", "_max_size", "_skipping")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._buffer = bytearray()
        self._looked = 0  # how far no mail begins in the buffer
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The mails that ``data`` completes."""
        self._buffer += data
        found: list[bytes] = []
        start = 0
        while (end := _NEXT.search(self._buffer, self._looked)) is not None:
            self._end(start, end.start() + 1, found)
            start = self._looked = end.end()
        del self._buffer[:start]
        if len(self._buffer) > self._max_size:
            rest = bytes(self._buffer[-_BEGUN:])
            self._end(0, len(self._buffer), found)
            self._skipping = True
            self._buffer = bytearray(rest)
        self._looked = max(len(self._buffer) - _BEGUN, 0)
        return found

    def close(self) -> list[bytes]:
        """The last mail. The splitter is as new afterwards."""
        found: list[bytes] = []
        blank = _BLANK.search(self._buffer, max(len(self._buffer) - 3, 0))
        self._end(0, blank.start() + 1 if blank is not None else len(self._buffer), found)
        self._buffer = bytearray()
        self._looked = 0
        return found

    def _end(self, start: int, end: int, found: list[bytes]) -> None:
        """A mail ends: without its first line, its quoted lines as they were."""
        skipped, self._skipping = self._skipping, False
        line = self._buffer.find(b"\n", start, end) + 1
        if not skipped and line and line < end:
            found.append(_QUOTED.sub(b"", self._buffer[line:end]))
