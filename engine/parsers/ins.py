"""The INS (identité nationale de santé): matricule, control key, authority, and whether it is qualified.

Sources: CI-SIS "Structuration minimale" 3.5.5.12 (roots, traits), PAM-FR 2.11 section 4.4 (PID-3, PID-32), RNIV (statuses),
``docs/rules.md`` section 2. Nothing here raises, whatever the text, and nothing keeps a value.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

from engine.facts import INS_DEMO, INS_NIA, INS_NIR, INS_NONE, INS_TEST

ROOT_PREFIX: Final = "1.2.250.1.213.1.4."

NATIONAL: Final = frozenset({INS_NIR, INS_NIA})
"""Authorities that count in production."""

TRIAL: Final = frozenset({INS_TEST, INS_DEMO})
"""Authorities of test and demonstration: they count only where a setting says so."""

POSITIVE_STATUS: Final = frozenset({"VALI", "QUAL"})
"""PID-32 codes of a validated identity: VALI (PAM-FR), QUAL (added to the same table by FR Core)."""

NEGATIVE_STATUS: Final = frozenset(
    {"VIDE", "PROV", "RECUP", "DOUT", "FICT", "ANOM", "INVA", "USUR", "DESA", "DOUB"},
)
"""PID-32 codes that contradict a qualified identity, whatever stands beside them (RNIV)."""

# The OIDs of INS-C (.2, .6, .7) and the billing NIR ("ASIP-SANTE-NIR") are absent on purpose: they never are an INS.
_ROOTS: Final = {
    f"{ROOT_PREFIX}8": INS_NIR,
    f"{ROOT_PREFIX}9": INS_NIA,
    f"{ROOT_PREFIX}10": INS_TEST,
    f"{ROOT_PREFIX}11": INS_DEMO,
    "ASIP-SANTE-INS-NIR": INS_NIR,
    "ASIP-SANTE-INS-NIA": INS_NIA,
}
_WELL_FORMED: Final = re.compile(r"[0-9]{5}(?:[0-9]{2}|2[AB])[0-9]{8}", re.IGNORECASE | re.ASCII)
_KEYLESS: Final = re.compile(r"[0-9]{5}(?:[0-9]{2}|2[AB])[0-9]{6}", re.IGNORECASE | re.ASCII)
_SPACE: Final = re.compile(r"\s+")


class InsCheck(Struct, frozen=True):
    """What a matricule is worth by itself: its syntax (15 characters) and its control key."""

    well_formed: bool
    key_valid: bool


Why = Literal["", "ins_absent", "ins_test", "ins_not_qualified", "status_absent"]


class Qualification(Struct, frozen=True):
    """Whether an identity is qualified; ``why`` is empty when it is, else the reason (``docs/rules.md`` section 3).

    ``status_absent``: there is an INS that counts but the message has no PID-32; another message must say.
    """

    qualified: bool
    why: Why


def key(matricule13: str) -> int | None:
    """Control key (1..97) of the 13 first characters of a matricule; ``None`` when they are not such characters.

    Key = 97 - (N mod 97), N being the 13 characters as a number, with ``2A`` read ``19`` and ``2B`` read ``18`` (Corsica).
    """
    if _KEYLESS.fullmatch(matricule13) is None:
        return None
    number = matricule13
    letter = number[6]
    if letter in "Aa":
        number = f"{number[:5]}19{number[7:]}"
    elif letter in "Bb":
        number = f"{number[:5]}18{number[7:]}"
    return 97 - int(number) % 97


def check(matricule: str) -> InsCheck:
    """Check a matricule of 15 characters (lower-case Corsican letters are tolerated)."""
    if _WELL_FORMED.fullmatch(matricule) is None:
        return _ILL_FORMED
    return _RIGHT if key(matricule[:13]) == int(matricule[13:]) else _WRONG_KEY


def root(oid_or_name: str) -> int:
    """Authority (``INS_*`` of ``engine.facts``) of an OID, with or without ``urn:oid:``, or of an HD-1 name.

    ``INS_NONE`` for anything else: INS-C, the billing NIR (``ASIP-SANTE-NIR``), a local authority.
    """
    found = _ROOTS.get(oid_or_name)
    if found is not None:
        return found
    bare = _SPACE.sub("", oid_or_name)
    if bare[:8].lower() == "urn:oid:":
        bare = bare[8:]
    return _ROOTS.get(bare.upper(), INS_NONE)


def oid(authority: int) -> str:
    """OID of an authority (``INS_*``), without prefix; empty for ``INS_NONE``."""
    return f"{ROOT_PREFIX}{authority}" if authority != INS_NONE else ""


def counts(authority: int, *, allow_test: bool = False) -> bool:
    """Whether an INS of this authority counts: national roots, and trial ones only when a setting allows them."""
    return authority in NATIONAL or (allow_test and authority in TRIAL)


def qualified(
    authority: int,
    status: str,
    *,
    birth_corrected: bool = False,
    allow_test: bool = False,
) -> Qualification:
    """Whether a message shows a qualified INS, and why not (``docs/rules.md`` section 2).

    ``authority`` is that of the INS in PID-3 (``INS_NONE``: none), ``status`` the PID-32 codes joined by ``~``,
    ``birth_corrected`` is ZFD-4 = Y. A wrong key or a missing trait never refuses: those are flags.
    """
    if authority == INS_NONE:
        return _ABSENT
    if not counts(authority, allow_test=allow_test):
        return _TEST
    codes = {code for part in status.split("~") if (code := _SPACE.sub("", part).upper())}
    if birth_corrected or codes & NEGATIVE_STATUS:
        return _NOT_QUALIFIED
    if not codes:
        return _STATUS_ABSENT
    return _QUALIFIED if codes & POSITIVE_STATUS else _NOT_QUALIFIED


_ILL_FORMED: Final = InsCheck(well_formed=False, key_valid=False)
_WRONG_KEY: Final = InsCheck(well_formed=True, key_valid=False)
_RIGHT: Final = InsCheck(well_formed=True, key_valid=True)
_QUALIFIED: Final = Qualification(qualified=True, why="")
_ABSENT: Final = Qualification(qualified=False, why="ins_absent")
_TEST: Final = Qualification(qualified=False, why="ins_test")
_NOT_QUALIFIED: Final = Qualification(qualified=False, why="ins_not_qualified")
_STATUS_ABSENT: Final = Qualification(qualified=False, why="status_absent")
