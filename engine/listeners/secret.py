"""A password or a token in a file that only the engine's account may read."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from engine.errors import ConfigError

_MAX_BYTES: Final = 64 * 1024
# What would end a command line, or is no text.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def read(path: Path) -> str:
    """The secret: the first line of the file, without its end. Raises :class:`ConfigError` that says what is wrong with the file, never with the secret."""
    try:
        # Without waiting for who would write into it, were it a pipe.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MAX_BYTES) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        raise ConfigError(str(path), 0, "this file does not exist", "put the secret in it, mode 0600") from None
    except OSError:
        mend = "let the engine's account read it, mode 0600"
        raise ConfigError(str(path), 0, "this file may not be read", mend) from None
    if not stat.S_ISREG(mode):
        raise ConfigError(str(path), 0, "this is no file", "give the path of the file that holds the secret")
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(str(path), 0, "others than its owner may read this secret", f"chmod 0600 {path}")
    try:
        secret = data.split(b"\n", 1)[0].removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise ConfigError(str(path), 0, "this secret is not UTF-8", "write the file in UTF-8") from None
    if not secret or _CONTROL.search(secret):
        raise ConfigError(
            str(path), 0, "this file holds no secret, or one with control characters", "put it on the first line"
        )
    return secret
