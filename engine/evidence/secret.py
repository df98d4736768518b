"""A password in a file that only the engine's account may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from engine.errors import ConfigError

_MAX_BYTES: Final = 4_096


def read_secret(path: Path) -> str:
    """The first line of the file, without its end. Raises :class:`ConfigError` that says what is wrong with the file."""
    try:
        # Without waiting for who would write into it, were it a pipe.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MAX_BYTES) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        raise ConfigError(str(path), 0, "this file does not exist", "put the password in it, mode 0600") from None
    except OSError:
        raise ConfigError(
            str(path), 0, "this file may not be read", "let the engine's account read it, mode 0600"
        ) from None
    if not stat.S_ISREG(mode):
        raise ConfigError(str(path), 0, "this is no file", "give the path of the file that holds the password")
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(str(path), 0, "others than its owner may read this password", f"chmod 0600 {path}")
    line = data.splitlines()[0] if data else b""
    try:
        secret = line.decode()
    except UnicodeDecodeError:
        raise ConfigError(str(path), 0, "the password is not UTF-8", "save the file as UTF-8") from None
    if not secret:
        raise ConfigError(str(path), 0, "this file holds no password", "put it on the first line")
    return secret
