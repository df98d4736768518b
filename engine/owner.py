"""Whose a file is: the account that a command must run as to use it."""

from __future__ import annotations

import errno
import os
import pwd
from pathlib import Path
from typing import Final

_MENDS: Final = {
    errno.ENOSPC: "make room on this disk",
    errno.EDQUOT: "make room: the quota of this account is used up",
    errno.EROFS: "this disk is mounted read-only: mount it for writing, or name another folder in the configuration",
}


def name(user: int) -> str:
    """The name of an account, else its number."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def keeper(path: Path) -> int:
    """The owner (a user number) of a path; where this account may not look at it, that of the nearest folder above that it may look at."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_uid
        except OSError:
            continue
    return 0


def run_as(user: int) -> str:
    """The mend for what only that account may do."""
    return f"run this as the account {name(user)}: runuser -u {name(user)} -- jauge ..."


def told(error: OSError) -> str:
    """A file that cannot be used: its path, why, and what to do. The error must be about one (``error.filename``)."""
    path = Path(os.fsdecode(error.filename)).absolute()
    owner = keeper(path)
    if isinstance(error, PermissionError):
        mend = "look at its rights and at those of its folder" if owner == os.geteuid() else run_as(owner)
    else:
        mend = _MENDS.get(error.errno or 0, "look at this path and at its rights")
    return f"{path}: {(error.strerror or 'cannot be used').lower()} ({mend})"
