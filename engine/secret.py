"""A key, a password, a token: something in a file that only the engine's account may read.

The one place where such files are read: what is refused here is refused for all of them.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from engine import owner
from engine.errors import ConfigError

CREDENTIALS: Final = Path("/run/credentials")
"""Where systemd shows the credentials of a unit (LoadCredential=), while it runs, to its account alone."""

_MAX_BYTES: Final = 64 * 1024
# What would end a command line, or is no text.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def content(path: Path, what: str, limit: int = _MAX_BYTES, *, owned: bool = False) -> bytes:
    """At most ``limit`` bytes of the file, in which a ``what`` ("key", "password") should be.

    Raises :class:`ConfigError` when it is not there, no file, or open to others than its owner; with ``owned``, also when
    it belongs to somebody else than this account and root.
    """
    try:
        # O_NONBLOCK: a pipe in place of the file must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConfigError(str(path), 0, "this file does not exist", f"put the {what} in it, mode 0400") from None
    except OSError:
        user = owner.keeper(path)
        mend = "let the engine's account own it, mode 0400" if user in (0, os.geteuid()) else owner.run_as(user)
        raise ConfigError(str(path), 0, "this file may not be read", mend) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(str(path), 0, "this is not a file", f"give the path of the file that holds the {what}")
        if owned and status.st_uid not in (os.geteuid(), 0):
            message = f"this file belongs to another account, {owner.name(status.st_uid)}"
            raise ConfigError(str(path), 0, message, owner.run_as(status.st_uid))
        if status.st_mode & _forbidden(path):
            mode = stat.S_IMODE(status.st_mode)
            message = f"others than its owner may read or change this {what} (mode {mode:04o})"
            raise ConfigError(str(path), 0, message, f"chmod 0400 {path}, and think of who read it")
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def read(path: Path) -> str:
    """The secret: the first line of the file, without its end. Raises :class:`ConfigError` that says what is wrong with the file, never with the secret."""
    data = content(path, "secret")
    try:
        secret = data.split(b"\n", 1)[0].removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise ConfigError(str(path), 0, "this secret is not UTF-8", "write the file in UTF-8") from None
    if not secret or _CONTROL.search(secret):
        raise ConfigError(
            str(path), 0, "this file holds no secret, or one with control characters", "put it on the first line"
        )
    return secret


def _forbidden(path: Path) -> int:
    """Permission bits that the file may not have.

    systemd shows its credentials with the group's read bit when it gives access by an ACL: it stands for the ACL's mask,
    not for a group.
    """
    folders = [CREDENTIALS]
    if given := os.environ.get("CREDENTIALS_DIRECTORY"):
        folders.append(Path(given).absolute())
    inside = any(path.absolute().is_relative_to(folder) for folder in folders)
    return 0o037 if inside else 0o077
