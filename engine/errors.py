"""Every error that a person or a peer may meet: what is wrong, where, and a code that never changes.

Two roots, as in h11: :class:`ParseError` is the peer's fault (a message), :class:`ConfigError` is a person's (a file).
Neither ever carries a value from a message.
"""

from __future__ import annotations

from msgspec import Struct


class Flag(Struct, frozen=True):
    """A remark that does not stop the reading: a stable code and the place it is about."""

    code: str
    where: str


class ParseError(Exception):
    """These bytes cannot be read. ``code`` is stable; ``where`` is a segment-field, an XPath or a byte offset."""

    def __init__(self, code: str, where: str) -> None:
        super().__init__(f"{code} at {where}")
        self.code = code
        self.where = where


class ConfigError(Exception):
    """A file written by a person is wrong: names the file, the line and the mend."""

    def __init__(self, file: str, line: int, message: str, mend: str = "") -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {message}" + (f" ({mend})" if mend else ""))
        self.file = file
        self.line = line
        self.message = message
        self.mend = mend
