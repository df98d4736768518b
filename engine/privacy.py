"""Pseudonyms and keys: identifiers become 16 bytes that nobody can turn back without a key kept outside the store.

There are so few possible INS (about 2.4e11) that a bare hash of one is reversed in minutes; a keyed hash is not, as long
as the key is out of reach. Hence one key per purpose, each in a file of its own that only the engine's account may read,
and its id (not the key) in the ledger, so that a store is never fed under another key.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final, NoReturn

from engine.errors import ConfigError
from engine.secret import content

KEY_BYTES: Final = 32
PSEUDONYM_BYTES: Final = 16
KEY_ID_BYTES: Final = 8

PURPOSES: Final = ("pseudonyms", "sealing", "digests")
"""One key each: who holds the sealing key (to open what was put aside) cannot make pseudonyms, and the reverse."""

CACHE: Final = 32_768
"""Identifiers remembered: those of the patients and stays of the day, about 5 MB. They are in clear in memory only."""


_ONCE: Final = frozenset({"control", "mail", "movement"})
"""Kinds whose values seldom come twice: remembering them would push out those that do."""

_STATES: Final = 4_096


class Key:
    """A secret of 32 bytes for one purpose. Printed, compared or logged, it shows its id; it is not pickled."""

    __slots__ = ("_secret", "purpose")

    def __init__(self, secret: bytes, purpose: str) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._secret = bytes(secret)
        self.purpose = purpose

    def secret(self) -> bytes:
        """The key itself."""
        return self._secret

    def id(self) -> bytes:
        """8 bytes that name the key and tell nothing of it."""
        return blake2b(key=self._secret, digest_size=KEY_ID_BYTES, person=b"jauge key id").digest()

    def __repr__(self) -> str:
        return f"Key({self.purpose}, id {self.id().hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key does not leave the process")


class Pseudonyms:
    """Keyed pseudonyms, ``pseudonyms(kind, scope, value) -> 16 bytes``.

    Keyed BLAKE2b-128 (RFC 7693) of the value, separated by kind (its personalisation) and by scope (its prefix): the
    same number in two identity domains, or as an IPP and as a visit, gives two pseudonyms. ``of`` is the same function
    at half the cost of a call of the object, for the parsers' hot path.
    """

    __slots__ = ("_key", "_known", "_limit", "_room", "_secret", "_states")

    def __init__(self, key: bytes | Key, cache: int = CACHE) -> None:
        self._key = key if isinstance(key, Key) else Key(key, "pseudonyms")
        self._secret = self._key.secret()
        self._known: dict[str, dict[str, dict[bytes, bytes]]] = {}
        self._states: dict[tuple[str, str], blake2b] = {}
        self._limit = self._room = cache

    def of(self, kind: str, scope: str, value: bytes) -> bytes:
        """The pseudonym of a value; ``kind`` has at most 16 bytes."""
        try:
            # Three lookups by strings whose hash is known cost less than one by a tuple (about 90 ns against 120).
            return self._known[kind][scope][value]
        except KeyError:
            return self._make(kind, scope, value)

    def __call__(self, kind: str, scope: str, value: bytes) -> bytes:
        """The same as ``of``."""
        return self.of(kind, scope, value)

    def maker(self, kind: str, scope: str = "") -> Callable[[bytes], bytes]:
        """The same for many values of one kind and scope, none of which is remembered: for a whole file of them."""
        self._make(kind, scope, b"")
        copy = self._states[kind, scope].copy

        def make(value: bytes) -> bytes:
            state = copy()
            state.update(value)
            return state.digest()

        return make

    def _make(self, kind: str, scope: str, value: bytes) -> bytes:
        state = self._states.get((kind, scope))
        if state is None:
            # The length first: no two (scope, value) make the same bytes.
            where = scope.encode("utf-8", "surrogatepass")
            text = b"%d:%b" % (len(where), where)
            state = blake2b(text, key=self._secret, digest_size=PSEUDONYM_BYTES, person=kind.encode())
            if len(self._states) >= _STATES:  # a sender that invents names must not fill the memory
                self._states.clear()
            self._states[kind, scope] = state
        # A copy of the state that has digested the key and the scope costs a third of a new one (0.8 us against 2.4).
        state = state.copy()
        state.update(value)
        made = state.digest()
        if kind in _ONCE:
            return made
        if self._room <= 0:
            self.forget()
        self._room -= 1
        self._known.setdefault(kind, {}).setdefault(scope, {})[value] = made
        return made

    def key_id(self) -> bytes:
        """8 bytes that name the key (the ledger keeps them)."""
        return self._key.id()

    def forget(self) -> None:
        """Drops the identifiers that are remembered in memory."""
        self._known = {}
        self._room = self._limit

    def __repr__(self) -> str:
        return f"Pseudonyms(key id {self.key_id().hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("pseudonyms do not leave the process: they hold a key")


class Digests:
    """Keyed digests of whole contents: whether two messages are the same, without a trace of what they say."""

    __slots__ = ("_key", "_states")

    def __init__(self, key: bytes | Key) -> None:
        self._key = key if isinstance(key, Key) else Key(key, "digests")
        self._states: dict[int, blake2b] = {}

    def __call__(self, content: bytes | memoryview, size: int = PSEUDONYM_BYTES) -> bytes:
        """``size`` (1 to 64) bytes that tell this content from any other."""
        state = self._states.get(size)
        if state is None:
            state = blake2b(key=self._key.secret(), digest_size=size, person=b"jauge content")
            self._states[size] = state
        state = state.copy()  # it has digested the key already
        state.update(content)
        return state.digest()

    def key_id(self) -> bytes:
        """8 bytes that name the key."""
        return self._key.id()

    def __repr__(self) -> str:
        return f"Digests(key id {self.key_id().hex()})"


class Keys:
    """The keys of one engine, by purpose."""

    __slots__ = ("digests", "pseudonyms", "sealing")

    def __init__(self, pseudonyms: Key, sealing: Key, digests: Key) -> None:
        self.pseudonyms = pseudonyms
        self.sealing = sealing
        self.digests = digests

    def ids(self) -> dict[str, bytes]:
        """Purpose -> key id: what the ledger keeps, to recognise the keys at the next start."""
        return {purpose: getattr(self, purpose).id() for purpose in PURPOSES}

    def __repr__(self) -> str:
        return f"Keys({', '.join(repr(getattr(self, purpose)) for purpose in PURPOSES)})"


def key_file(folder: Path, purpose: str) -> Path:
    """Where the key of a purpose is."""
    return folder / f"{purpose}.key"


def open_keys(folder: Path, known: Mapping[str, bytes] | None = None) -> Keys:
    """The keys of ``folder``, made there when the store is new.

    ``known``: purpose -> key id, as the store remembers them (``Keys.ids()`` of its first start); empty or None while it
    holds nothing. Raises :class:`ConfigError` when a file is missing although the store has data, is not the one the
    store was written with, has a wrong length, or may be read by others.
    """
    known = known or {}
    found: list[Key] = []
    for purpose in PURPOSES:
        file = key_file(folder, purpose)
        if not file.exists():
            if purpose in known:
                _refuse(file, "is missing, and the store was written with it", "put the backup of this file back")
            _create(folder, file)
        key = Key(_read(file), purpose)
        if known.get(purpose, key.id()) != key.id():
            _refuse(file, "is not the key that the store was written with", "put the backup of this file back")
        found.append(key)
    if len({key.secret() for key in found}) != len(PURPOSES):
        _refuse(folder, "two of these files hold the same key", "each purpose needs a key of its own: restore them")
    return Keys(*found)


def _refuse(file: Path, message: str, mend: str) -> NoReturn:
    raise ConfigError(str(file), 0, message, mend)


def _create(folder: Path, file: Path) -> None:
    """Makes one key file: whole, durable and 0400 from its first instant, or not there at all."""
    temporary = folder / f".{file.name}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            file.hardlink_to(temporary)
        except FileExistsError:
            raise  # another start was faster: its key is the key
        except OSError:  # a file system without hard links
            temporary.rename(file)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(folder)
        _sync(folder.parent)
    except FileExistsError:
        if not file.is_file():
            _refuse(folder, "is not a folder", "give the path of a folder under `keys`")
    except OSError as error:
        _refuse(file, f"cannot be made: {error.strerror}", "let the engine's account write in this folder")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(file: Path) -> bytes:
    key = content(file, "key", KEY_BYTES + 1, owned=True)
    if len(key) != KEY_BYTES:
        _refuse(file, f"does not hold a key of {KEY_BYTES} bytes", "put the backup of this file back")
    return key
