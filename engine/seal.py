"""Sealing: what must be kept readable for a person with the key, and for nobody else.

What could not be read is put aside sealed, as is the visit number that a worklist needs. ChaCha20-Poly1305 (RFC 8439)
under a key of its own for each seal, derived from a random salt: seals never meet a nonce twice, however many there are.

    seal = 01 | key id (8) | salt (16) | nonce (12) | ciphertext and tag (16)
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from engine.privacy import KEY_ID_BYTES, Key

CODES: Final[dict[str, str]] = {
    "not-sealed": "These bytes were not sealed by Jauge, or were cut.",
    "sealed-by-another-key": "The seal was made with another key: put the sealing.key of that time back.",
    "seal-broken": "The seal was altered, or belongs to another entry: do not trust what surrounds it.",
}

OVERHEAD: Final = 1 + KEY_ID_BYTES + 16 + 12 + 16
"""Bytes that a seal adds."""

_VERSION: Final = b"\x01"
_HEADER: Final = OVERHEAD - 16


class SealError(Exception):
    """A seal cannot be opened; ``code`` is one of ``CODES``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Seal:
    """Seals and opens with one key."""

    __slots__ = ("_id", "_key")

    def __init__(self, key: bytes | Key) -> None:
        self._key = key if isinstance(key, Key) else Key(key, "sealing")
        self._id = self._key.id()

    def seal(self, plain: bytes | memoryview, about: bytes = b"") -> bytes:
        """``plain`` sealed. ``about`` (feed, time ...) is not kept, but the seal opens only with the same."""
        header = _VERSION + self._id + os.urandom(28)
        return header + self._cipher(header).encrypt(header[-12:], plain, header + about)

    def open(self, sealed: bytes | memoryview, about: bytes = b"") -> bytes:
        """What was sealed. Raises :class:`SealError`, never anything else."""
        if len(sealed) < OVERHEAD or sealed[:1] != _VERSION:
            raise SealError("not-sealed")
        header = bytes(sealed[:_HEADER])
        if header[1 : 1 + KEY_ID_BYTES] != self._id:
            raise SealError("sealed-by-another-key")
        try:
            return self._cipher(header).decrypt(header[-12:], memoryview(sealed)[_HEADER:], header + about)
        except InvalidTag:
            raise SealError("seal-broken") from None

    def _cipher(self, header: bytes) -> ChaCha20Poly1305:
        salt = header[1 + KEY_ID_BYTES : -12]
        return ChaCha20Poly1305(blake2b(salt, key=self._key.secret(), digest_size=32, person=b"jauge seal v1").digest())

    def __repr__(self) -> str:
        return f"Seal(key id {self._id.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a seal does not leave the process: it holds a key")
