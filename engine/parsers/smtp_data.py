"""The body of an SMTP mail as it comes by, without input or output: bytes in, the mail out (RFC 5321 4.1.1.4 and 4.5.2).

A mail ends at ``CR LF . CR LF`` and nowhere else: a lone CR or LF is a byte of the mail like any other, it ends no line and hides no
dot. That is what keeps out a second mail smuggled inside a first one by a sender whose idea of a line is wider (CVE-2023-51764 to
51766): such a mail is one mail here, with its odd bytes. They are kept as they came, for nothing is sent on from here, and a refusal
would bounce to a person who can do nothing about it. The dot that a sender puts before a line that begins with one is taken away.

Lines have any length. The work is linear in the bytes, whatever they are, and does not depend on how the stream was cut into reads.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

_END: Final = b"\r\n.\r\n"
# The end of what was read, when the end of the mail, or a dot to take away, may be beginning in it.
_BEGUN: Final = tuple(_END[:size] for size in range(4, 0, -1))


class Body:
    """One mail from DATA to its end. ``limit``: bytes beyond which nothing is kept; ``head``: what is put before the mail."""

    def __init__(self, limit: int, head: bytes = b"") -> None:
        self.size = 0
        self._limit = limit
        self._kept = BytesIO()
        self._kept.write(head)
        # A dot at the very beginning is at the beginning of a line: the mail is read as if it followed one.
        self._tail = b"\r\n"
        self._virtual = len(self._tail)

    @property
    def too_large(self) -> bool:
        """Whether the mail is beyond the limit: nothing of it is kept."""
        return self.size > self._limit

    def feed(self, data: bytes) -> bytes | None:
        """Take what comes next: what follows the end of the mail, or None when its end has not come."""
        data = self._tail + data
        # Base64 has no dot at all, and looking for one byte is a hundred times faster than looking for three.
        end = data.find(_END) if b"." in data else -1
        if end >= 0:
            self._keep(data[: end + 2])
            return data[end + len(_END) :]
        held = next((begun for begun in _BEGUN if data.endswith(begun)), b"")
        self._tail = held
        self._keep(data[: len(data) - len(held)])
        return None

    def payload(self) -> bytes:
        """The mail; without a copy, once."""
        return self._kept.getvalue()

    def _keep(self, lines: bytes) -> None:
        if b"." in lines:
            lines = lines.replace(b"\r\n.", b"\r\n")
        if self._virtual and lines:
            lines = lines[self._virtual :]
            self._virtual = 0
        self.size += len(lines)
        if not self.too_large:
            self._kept.write(lines)
        elif self._kept.tell():
            self._kept = BytesIO()
