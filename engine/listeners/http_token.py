"""The bearer tokens of an HTTP feed: read from a file that only the engine's account may read, and again when it changes."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path
from typing import Final

import structlog

from engine.errors import ConfigError

#: A shorter token could be guessed; `openssl rand -hex 32` gives 64 characters.
MIN_CHARACTERS: Final = 20
_MAX_BYTES: Final = 64 * 1024

_log: Final = structlog.get_logger(__name__)


class Tokens:
    """Who may send. One token a line, so that a token can be renewed without a gap; a line that begins with ``#`` is a remark."""

    def __init__(self, path: Path, feed: str) -> None:
        """Read the file. Raises :class:`ConfigError` that says what is wrong with it."""
        self._path = path
        self._feed = feed
        self._seen = _signature(path)
        self._digests = _read(path)

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
            self._digests = _read(self._path)
            _log.info("token-file-read", feed=self._feed)
        except ConfigError:
            # Those of before hold: a file in the middle of being written must not cut the senders off.
            _log.error("token-file-unusable", feed=self._feed)


def _signature(path: Path) -> tuple[int, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)


def _read(path: Path) -> tuple[bytes, ...]:
    """Digests of the tokens of a file."""
    try:
        # Without waiting for who would write into it, were it a pipe.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MAX_BYTES) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        raise ConfigError(
            str(path), 0, "this file does not exist", "put the token of the sender in it, mode 0600"
        ) from None
    except OSError:
        raise ConfigError(
            str(path), 0, "this file may not be read", "let the engine's account read it, mode 0600"
        ) from None
    if not stat.S_ISREG(mode):
        raise ConfigError(str(path), 0, "this is no file", "give the path of the file that holds the token")
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(str(path), 0, "others than its owner may read this token", f"chmod 0600 {path}")
    lines = [line.strip() for line in data.splitlines()]
    tokens = [line for line in lines if line and not line.startswith(b"#")]
    if not tokens or min(map(len, tokens)) < MIN_CHARACTERS:
        mend = f"give at least {MIN_CHARACTERS} characters: openssl rand -hex 32"
        raise ConfigError(str(path), 0, "this file holds no token, or one that is too short", mend)
    return tuple(hashlib.sha256(token).digest() for token in tokens)
