"""How far each mailbox was read, on disk: UIDVALIDITY and the last UID, never a word of a mail."""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

from engine.listeners.positions import DamagedBookError
from engine.parsers.imap import LARGEST

_MAX_BYTES: Final = 1024 * 1024
_SALT: Final = re.compile(r"[0-9a-f]{32}\Z")
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})?\Z")


class Mark(Struct):
    """One mailbox of one account. ``last``: every mail up to this UID has its receipt, or needs none."""

    account: str  # fingerprint
    mailbox: str  # as the settings name it
    validity: int = 0  # 0: it was never opened
    last: int = 0
    since: str = ""  # the first day that counts, YYYY-MM-DD; "": everything does


class Book(Struct):
    """The file of positions of one feed."""

    salt: str
    marks: list[Mark] = field(default_factory=list)

    def mark(self, user: str, mailbox: str) -> Mark:
        """The position in a mailbox, a new one when there is none; another account's is none."""
        account = hashlib.blake2b(user.encode(), key=bytes.fromhex(self.salt), digest_size=16).hexdigest()
        for mark in self.marks:
            if (mark.account, mark.mailbox) == (account, mailbox):
                return mark
        mark = Mark(account, mailbox)
        self.marks.append(mark)
        return mark


def new() -> Book:
    """Positions of a feed that has none yet."""
    return Book(salt=secrets.token_hex(16))


def load(path: Path) -> Book | None:
    """The positions of a file; None when there is none. Raises :class:`DamagedBookError`, or OSError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES)
    except FileNotFoundError:
        return None
    try:
        book = msgspec.json.decode(data, type=Book)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise DamagedBookError from None
    sound = all(
        0 <= mark.validity <= LARGEST and 0 <= mark.last <= LARGEST and _DAY.match(mark.since) for mark in book.marks
    )
    if not sound or not _SALT.match(book.salt):
        raise DamagedBookError
    return book
