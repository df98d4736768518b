"""Mail addresses of MSSanté, and the national identifiers of who is written to: one writing, whom they belong to, their pseudonyms.

``docs/rules.md`` section 8; Référentiel MSSanté #2 (``<matricule>@patient.mssante.fr``; the trust space is a list of domains, not all of
which end in ``.mssante.fr``). An address may hold an INS: it leaves this module as a category or a pseudonym. Nothing here raises.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.facts import CITIZEN, OUTSIDE, OWN, PROFESSIONAL, TEST
from engine.parsers import ins

if TYPE_CHECKING:
    from engine.parsers.context import Context

CITIZEN_DOMAIN: Final = "patient.mssante.fr"
"""Mon espace santé: the local part is the matricule INS of the patient."""

NATIONAL_TEST: Final = "reponse.automatique-test@patient.mssante.fr"
"""The national robot that answers tests (PS4.1)."""

PERSONS: Final = "1.2.250.1.71.4.2.1"
"""OID of PS_IdNat: ``8`` and the RPPS (11 digits), ``0`` and the ADELI number, ``3`` and a FINESS with an internal number ..."""
STRUCTURES: Final = "1.2.250.1.71.4.2.2"
"""OID of Struct_IdNat: ``1`` and the FINESS (9 characters), ``3`` and the SIRET ..."""

_TRUSTED: Final = ".mssante.fr"
_RPPS: Final = re.compile(r"[0-9]{11}", re.ASCII)
_FINESS: Final = re.compile(r"[0-9][0-9AB][0-9]{7}", re.ASCII)
# Type of an identifier (table 0203) -> its digit in the national identifiers, and its size without that digit.
_DIGITS: Final = {"ADELI": ("0", 9), "SIREN": ("2", 9), "SIRET": ("3", 14)}


class Space(Struct, frozen=True):
    """Who is who among the addresses. Domains and addresses in their :func:`normal` form."""

    own: frozenset[str] = frozenset()
    """Domains of the establishment itself."""
    trusted: frozenset[str] = frozenset()
    """Domains of the trust space that do not end in ``.mssante.fr``."""
    tests: frozenset[str] = frozenset({NATIONAL_TEST})
    """Addresses that are never counted."""


def normal(text: str) -> str:
    """One writing of an address or domain: lower case, without blanks, ``mailto:``, angle brackets nor final dot."""
    bare = "".join(text.split()).lower()
    if bare[:7] == "mailto:":
        bare = bare[7:]
    return bare.strip("<>").removesuffix(".")


def domain(address: str) -> str:
    """The domain of an address in its normal form; ``""`` when it has none."""
    return address.rpartition("@")[2] if "@" in address else ""


def category(address: str, space: Space) -> str:
    """Who an address (normal form) belongs to: a constant of ``engine.facts``.

    One of ``patient.mssante.fr`` without a matricule belongs to nobody: ``OUTSIDE`` (never counted).
    """
    if address in space.tests:
        return TEST
    of = domain(address)
    if of == CITIZEN_DOMAIN:
        return CITIZEN if matricule(address) else OUTSIDE
    if of in space.own:
        return OWN
    return PROFESSIONAL if of.endswith(_TRUSTED) or of in space.trusted else OUTSIDE


def matricule(address: str) -> str:
    """The matricule INS (upper case) of a citizen address in its normal form; ``""`` when it has none. The key is not looked at."""
    local, _, of = address.rpartition("@")
    return local.upper() if of == CITIZEN_DOMAIN and ins.check(local).well_formed else ""


def pseudonym(context: Context, address: str) -> bytes:
    """Pseudonym of an address, however it is written: the same wherever it is met."""
    return context.pseudonym("address", "", normal(address).encode("utf-8", "replace"))


def identifier(text: str, kind: str = "") -> str:
    """One writing of a national identifier: PS_IdNat or Struct_IdNat, with the digit that says of what kind.

    ``kind`` is its type where the sender says it (table 0203: ``RPPS``, ``ADELI``, ``FINEG`` ...; empty when unknown). Without it, eleven
    digits are an RPPS, nine characters a FINESS; anything else is taken as written.
    """
    bare = "".join(text.split()).upper()
    digit, size = _DIGITS.get(kind, ("", 0))
    if digit:
        return f"{digit}{bare}" if len(bare) == size else bare
    if _RPPS.fullmatch(bare):
        return f"8{bare}"
    return f"1{bare}" if _FINESS.fullmatch(bare) else bare


def correspondent(context: Context, text: str, kind: str = "") -> bytes:
    """Pseudonym of a correspondent by its national identifier, however it is written (see :func:`identifier`)."""
    return context.pseudonym("correspondent", "", identifier(text, kind).encode("utf-8", "replace"))
