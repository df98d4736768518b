"""What a parser must know of the feed a message came by: the establishment, its domain of numbers, its time zone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from engine.parsers import addresses
from engine.parsers.dtm import Zone

if TYPE_CHECKING:
    from engine.parsers.encoding import Encoding

# Base64 of this many bytes still fits a message of the default MLLP limit (64 MiB).
MAX_DOCUMENT_BYTES: Final = 50 * 1024 * 1024


class Memo:
    """What a reader keeps between two messages of one context: bounded, emptied when full, never needed for a result."""

    __slots__ = ("reader",)

    def __init__(self) -> None:
        self.reader: Any = None
        """The compiled reader of ordinary admissions (``engine.parsers.admission``)."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Memo)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Memo()"


class Context(Struct, frozen=True):
    """One feed, as its parser sees it.

    ``pseudonym(kind, scope, value)`` gives 16 bytes; see ``engine.privacy``. Kinds and scopes: ``ipp``, ``visit``, ``dossier`` and
    ``movement`` in the domain (or ``domain|authority`` for a foreign authority), ``ins``, ``document``, ``chain``, ``entry``, ``sha1``, ``submission-set``, ``soap-message``,
    ``mail``, ``correspondent`` and ``address`` in no scope, ``order`` and ``appointment`` in the domain, ``control`` in the sender.
    """

    establishment: str
    """FINESS of the establishment the feed speaks for."""
    domain: str
    """Scope of the patient, venue, dossier, movement and order numbers: two feeds of one establishment share it."""
    pseudonym: Callable[[str, str, bytes], bytes]
    zone: Zone
    authorities: frozenset[str] = frozenset()
    """Names or OIDs of the authorities whose numbers are the domain's own; empty: every authority is."""
    encounter_roots: frozenset[str] = frozenset()
    """OIDs under which a CDA encounter id is a venue number of the domain."""
    max_document_bytes: int = MAX_DOCUMENT_BYTES
    submission_set_code: str = ""
    """OBX-3.1 (upper case) of the OBX that holds the submission set id of a document message; empty: there is none."""
    sha1: bool = False
    """Whether the SHA-1 of a document in an HL7 message is wanted: a log of the establishment may name documents by it."""
    memo: Memo = field(default_factory=Memo)
    mail: addresses.Space = addresses.Space()
    """Whose mail addresses are the establishment's own, trusted, or tests."""

    def scope(self, name: str, oid: str) -> str:
        """Scope of a number given by the authority ``name`` or ``oid`` (HD-1, HD-2; PAM-FR data types)."""
        if not self.authorities or not (name or oid) or name in self.authorities or oid in self.authorities:
            return self.domain
        return f"{self.domain}|{name or oid}"

    def number(self, kind: str, identifier: bytes, encoding: Encoding) -> bytes | None:
        """Pseudonym of the first repetition of a CX field; ``None`` when it is empty or ``""``."""
        parts = encoding.components(encoding.repetitions(identifier)[0])
        value = encoding.value(parts[0])
        if not value:
            return None
        if not self.authorities or len(parts) < 4:
            return self.pseudonym(kind, self.domain, value)
        authority = encoding.subcomponents(parts[3])
        oid = encoding.text(authority[1]).strip() if len(authority) > 1 else ""
        return self.pseudonym(kind, self.scope(encoding.text(authority[0]).strip(), oid), value)

    def entity(self, kind: str, identifier: bytes, encoding: Encoding) -> bytes | None:
        """Pseudonym of the first repetition of an EI field (id, namespace, OID); ``None`` when it is empty or ``""``."""
        parts = encoding.components(encoding.repetitions(identifier)[0])
        value = encoding.value(parts[0])
        if not value:
            return None
        if not self.authorities:
            return self.pseudonym(kind, self.domain, value)
        names = [encoding.text(part).strip() for part in parts[1:3]] + ["", ""]
        return self.pseudonym(kind, self.scope(names[0], names[1]), value)


def default(
    *,
    establishment: str = "990000001",
    zone: str = "Europe/Paris",
    authorities: frozenset[str] = frozenset(),
    encounter_roots: frozenset[str] = frozenset(),
) -> Context:
    """A context for tests and for offline checks: pseudonyms without a key, that must never be stored."""
    return Context(
        establishment=establishment,
        domain=establishment,
        pseudonym=_unkeyed,
        zone=Zone(zone),
        authorities=authorities,
        encounter_roots=encounter_roots,
    )


def _unkeyed(kind: str, scope: str, value: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join((kind.encode(), scope.encode(), value)), digest_size=16).digest()
