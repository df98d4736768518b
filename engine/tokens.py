"""What callers must show to be let in: bearer tokens or passwords, in a file of its own, read again when it changes."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any, Final

from engine import secret
from engine.errors import ConfigError

#: A shorter token could be guessed; `openssl rand -hex 32` gives 64 characters.
MIN_CHARACTERS: Final = 20


class Tokens:
    """Who may come in. One token a line, so that a token can be renewed without a gap; a line that begins with ``#`` is a remark."""

    def __init__(self, path: Path, log: Any, *, what: str = "token", least: int = MIN_CHARACTERS) -> None:
        """Read the file. Raises :class:`ConfigError` that says what is wrong with it.

        ``log``: a structlog logger that knows whose file it is. ``least``: characters of the shortest that is taken.
        """
        self._path = path
        self._log = log
        self._what = what
        self._least = least
        self._seen = _signature(path)
        self._digests = self._read()

    def allows(self, token: bytes) -> bool:
        """Whether this is one of them; the time it takes does not depend on how much of it is right."""
        self._refresh()
        given = hashlib.sha256(token).digest()
        # Every one is compared, whichever it is.
        return sum(hmac.compare_digest(given, known) for known in self._digests) > 0

    def _refresh(self) -> None:
        seen = _signature(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._digests = self._read()
            self._log.info("secret-file-read")
        except ConfigError:
            # Those of before hold: a file in the middle of being written must not cut the callers off.
            self._log.error("secret-file-unusable")

    def _read(self) -> tuple[bytes, ...]:
        """Digests of the tokens of the file."""
        data = secret.content(self._path, self._what)
        lines = [line.strip() for line in data.splitlines()]
        found = [line for line in lines if line and not line.startswith(b"#")]
        if not found or min(map(len, found)) < self._least:
            message = f"this file holds no {self._what}, or one that is too short"
            mend = f"give at least {self._least} characters: openssl rand -hex 32"
            raise ConfigError(str(self._path), 0, message, mend)
        return tuple(hashlib.sha256(token).digest() for token in found)


def _signature(path: Path) -> tuple[int, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)
