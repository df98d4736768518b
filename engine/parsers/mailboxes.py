"""Lists of addresses (To, Cc, From): RFC 5322 sections 3.4 and 4.4, and what mailers write in their place.

Groups, comments, quoted strings, routes, blanks around dots, semicolons between addresses, a name without brackets, an address that is an
encoded word as a whole. One pass over the text, whatever it is; nothing here raises.
"""

from __future__ import annotations

import re
from typing import Final

from engine.parsers import addresses, mail_header

LONGEST: Final = 320
"""Characters of an address (RFC 5321 section 4.5.3.1: 64 and 255)."""

_TOKENS: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"?+|\\.|[()<>,;:]|[^"\\()<>,;:]++|\\', re.DOTALL)
_QUOTED: Final = re.compile(r"\\(.)", re.DOTALL)


def read(text: str) -> tuple[list[str], int]:
    """The addresses of a list in their normal form, in order, and how many entries hold none that can be read."""
    reading = _Reading()
    depth = 0
    for found in _TOKENS.finditer(text):
        mark = found[0]
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth = max(depth - 1, 0)
        elif not depth:
            reading.take(mark, found[1])
    reading.flush()
    return reading.addresses, reading.unreadable


class _Reading:
    __slots__ = ("_angle", "_given", "_inside", "_loose", "_quoted", "addresses", "unreadable")

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.unreadable = 0
        self._clear()

    def _clear(self) -> None:
        self._angle = False
        self._given = False  # an address of this entry was given
        self._inside: list[str] = []  # between < and >
        self._loose: list[str] = []  # outside
        self._quoted = ""

    def take(self, mark: str, quoted: str | None) -> None:
        """One mark; ``quoted``: what it holds when it is a quoted string."""
        if quoted is not None:
            content = _QUOTED.sub(r"\1", quoted)
            if self._angle:
                self._inside.append(content)
            else:
                self._quoted = content
        elif mark == "<":
            self._angle = True
            self._inside.clear()
        elif mark == ">":
            if self._angle:
                self._angle = False
                self._emit("".join(self._inside))
                self._loose.clear()
        elif mark == ":":
            # The name of a group, the scheme of a URL; in brackets, the end of a route.
            (self._inside if self._angle else self._loose).clear()
        elif mark in ",;":
            if not (self._angle and self._inside and self._inside[0].lstrip().startswith("@")):
                self.flush()
        elif self._angle:
            self._inside.append(mark)
        else:
            if mark.startswith("@") and self._quoted:
                self._loose.append("".join(self._quoted.split()))
            self._quoted = "" if "@" in mark else self._quoted
            self._loose.append(mark)

    def flush(self) -> None:
        """An entry ends."""
        if self._angle:  # never closed
            self._emit("".join(self._inside))
        elif not self._given:
            loose = "".join(self._loose)
            if "@" not in loose and "=?" in loose:
                loose = mail_header.words(loose)
            if "@" not in loose and "@" in self._quoted:
                loose = self._quoted
            if loose.strip():
                self._emit(loose)
        self._clear()

    def _emit(self, text: str) -> None:
        bare = " ".join(text.split())
        if " " in bare:
            for mark in ".@":
                bare = bare.replace(f" {mark}", mark).replace(f"{mark} ", mark)
            bare = next((word for word in bare.split() if "@" in word), "")
        address = addresses.normal(bare)
        if address[:1] == "'" == address[-1:]:  # Outlook
            address = address[1:-1]
        local, _, domain = address.rpartition("@")
        if local and domain and len(address) <= LONGEST:
            self.addresses.append(address)
            self._given = True
        elif text.strip() and "=?" not in text:
            self.unreadable += 1
