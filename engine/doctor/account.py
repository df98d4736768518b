"""The account that the engine runs as: what it may read and write, whoever asks."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from engine.config import Config
from engine.owner import keeper

UNIT = Path("/etc/systemd/system/jauge.service")
"""Where docs/operations.md has the unit put."""
SERVICE_FOLDER = Path("/var/lib/jauge")
"""What systemd makes for that unit (StateDirectory=)."""
_ACL = "system.posix_acl_access"


class Account(Struct, frozen=True):
    """A user of this machine, with its groups."""

    user: int
    group: int
    groups: frozenset[int]
    name: str

    def reads(self, path: Path) -> bool:
        """Whether it may read a file, or list a folder; False when there is none."""
        return self._may(path, os.R_OK)

    def writes(self, path: Path) -> bool:
        """Whether it may write a file, or make one in a folder; False when there is none."""
        return self._may(path, os.W_OK | (os.X_OK if is_folder(path) else 0))

    @contextmanager
    def acting(self) -> Iterator[None]:
        """As root: what is done inside is done as this account (what a file of keys asks of who reads it). As anybody else: nothing changes."""
        if os.geteuid() != 0 or self.user == 0:
            yield
            return
        group = os.getegid()
        os.setegid(self.group)
        os.seteuid(self.user)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)

    def _may(self, path: Path, wanted: int) -> bool:
        if self.user == os.geteuid():
            return os.access(path, wanted)
        try:
            places = [parent for parent in path.resolve().parents if not self._allowed(parent, os.X_OK)]
            return not places and self._allowed(path, wanted)
        except OSError:
            return False

    def _allowed(self, path: Path, wanted: int) -> bool:
        """By the permission bits, whose values are those of R_OK, W_OK and X_OK; a finer list (ACL) is taken to allow."""
        status = path.stat()
        if self.user == 0:
            return True
        if status.st_uid == self.user:
            bits = status.st_mode >> 6
        elif status.st_gid in self.groups:
            bits = status.st_mode >> 3
        else:
            bits = status.st_mode
        return bits & wanted == wanted or _listed(path)


def account_of(config: Config, pid: int) -> Account:
    """That of the running engine (``pid``, 0: none runs); else the owner of the store, then of the keys; else, for root, that of the service; else who asks."""
    for path in (Path(f"/proc/{pid}") if pid else None, config.store, config.keys):
        if path is not None:
            try:
                return account(path.stat().st_uid)
            except PermissionError:
                return account(keeper(path))
            except OSError:
                continue
    if os.geteuid() == 0:
        with suppress(OSError, KeyError):
            if user := re.search(r"^User=(\S+)", UNIT.read_text(encoding="utf-8"), re.MULTILINE):
                return account(pwd.getpwnam(user[1]).pw_uid)
    return account(os.geteuid())


def account(user: int) -> Account:
    """The account of a user number."""
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return Account(user, user, frozenset(), str(user))
    return Account(user, entry.pw_gid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)), entry.pw_name)


def is_folder(path: Path) -> bool:
    """Whether a folder is there; False where this account may not look."""
    with suppress(OSError):
        return path.is_dir()
    return False


def is_file(path: Path) -> bool:
    """Whether a file is there; False where this account may not look."""
    with suppress(OSError):
        return path.is_file()
    return False


def owner(path: Path) -> str:
    """Name, else number, of the owner of a path."""
    return account(path.stat().st_uid).name


def mode(path: Path) -> int:
    """The permission bits of a path."""
    return stat.S_IMODE(path.stat().st_mode)


def _listed(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, _ACL))
    except OSError:
        return False
