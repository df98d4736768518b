"""The patient of a message: identifiers (PID-3, MRG-1), identity status (PID-32), traits (PID-5, 7, 8, 11).

PAM-FR 2.11 sections 3.3 and 4.4; RNIV; ``docs/rules.md`` section 2. Identifiers leave this module as pseudonyms.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.errors import Flag
from engine.facts import INS_DEMO, INS_NIA, INS_NIR, INS_NONE, INS_TEST
from engine.parsers import ins
from engine.parsers.encoding import DEFAULT

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.encoding import Encoding
    from engine.parsers.er7 import Segment

CODES: Final[dict[str, str]] = {
    "identity-status-unknown": "PID-32 holds something that is no status code of table 0445: it was left out.",
    "ins-as-nh": "A number under an INS authority has the type NH (billing NIR): not an INS in HL7 v2. Send the type INS.",
    "ins-dated": "The INS repetition has a date (CX-7 or CX-8), which PAM-FR leaves empty. It was ignored.",
    "ins-key-wrong": "The control key of the INS is wrong: check the matricule at its source.",
    "ins-malformed": "The INS is not 15 characters of a matricule: check it at its source.",
    "ins-oid-missing": "The INS has no OID: its authority was taken from the name or the type. Send the OID.",
    "ins-root-unknown": "An identifier of type INS is under an authority that is not one of the INS: it was ignored.",
    "ins-several": "Several INS of one authority in PID-3: the first without an end (CX-8) was taken.",
    "ins-test": "The INS is under a test or demonstration authority: it does not count in production.",
    "ins-type-fhir": "The INS has a FHIR type (INS-NIR, INS-NIA ...): PAM-FR asks for INS. It was read all the same.",
    "ipp-missing": "PID-3 holds no patient number (type PI).",
    "ipp-untyped": "The patient number has no type: taken as the IPP because it is the only local one. Send PI.",
    "trait-missing": "There is an INS but one of the identity traits is missing: complete the identity at its source.",
}

# Order of preference when several are there: NIR, then NIA, then test roots (PAM-FR 4.4).
_INS_TYPES: Final = {
    "INS": INS_NONE,
    "INS-NIR": INS_NIR,
    "INS-NIA": INS_NIA,
    "INS-NIR-TEST": INS_TEST,
    "INS-NIR-DEMO": INS_DEMO,
}
# Types of table 0203 FR that number somebody or something else than the patient of this hospital.
_NOT_LOCAL: Final = frozenset({"INS-C", "NH", "NDP", "PN", "RRI", "MR", "PPN", "NNFRA", "AN", "VN"})
_NATIONAL_OIDS: Final = ("1.2.250.1.213.1.4.", "1.2.250.1.176.1.2")
_NATIONAL_NAME: Final = "ASIP-SANTE-"

_STATUS: Final = re.compile(r"[A-Z]{2,8}", re.ASCII)


class Numbers(Struct, frozen=True):
    """The identifiers of a patient, as pseudonyms, and what was odd in them."""

    ipp: bytes | None
    ins: bytes | None
    ins_root: int
    key_valid: bool
    flags: tuple[Flag, ...]


NOBODY: Final = Numbers(ipp=None, ins=None, ins_root=INS_NONE, key_valid=False, flags=())


def numbers(field: bytes, encoding: Encoding, context: Context, where: str = "PID-3") -> Numbers:
    """Read PID-3 (or MRG-1): the IPP and the INS. ``""`` is an erased identifier, never a value.

    Of several that are alike the first is taken; one that has ended (CX-8) only when there is no other.
    """
    flags: list[Flag] = []
    typed: list[tuple[bool, bool, bytes]] = []  # (foreign authority, ended, pseudonym)
    untyped: list[bytes] = []
    found: list[tuple[int, bool, str]] = []  # (authority of the INS, ended, matricule)
    for repetition in encoding.repetitions(field):
        parts = encoding.components(repetition)
        value = encoding.value(parts[0])
        if not value:
            continue
        kind = encoding.code(parts[4]) if len(parts) > 4 else ""
        authority = _authority(parts[3], encoding) if len(parts) > 3 else _NO_AUTHORITY
        ended = len(parts) > 7 and bool(encoding.value(parts[7]))
        if kind in _INS_TYPES:
            root = _ins_root(kind, authority, flags, where)
            if root:
                found.append((root, ended, "".join(value.decode("utf-8", "replace").split()).upper()))
                if any(part.strip() for part in parts[6:8]):
                    flags.append(Flag("ins-dated", where))
        elif kind == "NH":
            if authority.oid_root and authority.name_root:
                flags.append(Flag("ins-as-nh", where))
        elif kind in {"PI", ""} and not authority.national:
            scope = context.scope(authority.name, authority.oid)
            pseudonym = context.pseudonym("ipp", scope, value)
            if kind:
                typed.append((scope != context.domain, ended, pseudonym))
            else:
                untyped.append(pseudonym)
    ipp: bytes | None = None
    if typed:
        ipp = min(typed, key=lambda one: one[:2])[2]
    elif len(untyped) == 1:
        ipp = untyped[0]
        flags.append(Flag("ipp-untyped", where))
    else:
        flags.append(Flag("ipp-missing", where))
    if not found:
        return Numbers(ipp=ipp, ins=None, ins_root=INS_NONE, key_valid=False, flags=tuple(flags))
    root, _, matricule = min(found, key=lambda one: one[:2])
    if len({number for of, _, number in found if of == root}) > 1:
        flags.append(Flag("ins-several", where))
    check = ins.check(matricule)
    if not check.well_formed:
        flags.append(Flag("ins-malformed", where))
    elif not check.key_valid:
        flags.append(Flag("ins-key-wrong", where))
    if root in ins.TRIAL:
        flags.append(Flag("ins-test", where))
    return Numbers(
        ipp=ipp,
        ins=context.pseudonym("ins", "", matricule.encode("utf-8", "replace")),
        ins_root=root,
        key_valid=check.key_valid,
        flags=tuple(flags),
    )


def ordinary(field: bytes, context: Context) -> Numbers | None:
    """PID-3 as most feeds send it: one PI, then at most one INS with its OID; ``None``: read it in full.

    The same as :func:`numbers` at a third of the cost, for patients never seen before.
    """
    repetitions = field.split(b"~")
    local = repetitions[0].split(b"^")
    if len(repetitions) > 2 or len(local) < 5 or context.authorities or not field.isascii():
        return None
    if local[4] != b"PI" or not local[0].isalnum() or _plain_authority(local[3]).national:
        return None
    ipp = context.pseudonym("ipp", context.domain, local[0])
    if len(repetitions) == 1:
        return Numbers(ipp=ipp, ins=None, ins_root=INS_NONE, key_valid=False, flags=())
    national = repetitions[1].split(b"^")
    if len(national) != 5 or national[4] != b"INS" or not national[0].isalnum():
        return None
    root = _plain_authority(national[3]).oid_root
    check = ins.check(national[0].decode("ascii").upper())
    if not root or not check.key_valid:
        return None
    flags = (Flag("ins-test", "PID-3"),) if root in ins.TRIAL else ()
    return Numbers(
        ipp=ipp, ins=context.pseudonym("ins", "", national[0].upper()), ins_root=root, key_valid=True, flags=flags
    )


class _Authority(Struct, frozen=True):
    """The HD of a CX-4, and what its parts mean for an INS."""

    name: str
    oid: str
    name_root: int
    oid_root: int
    national: bool


_NO_AUTHORITY: Final = _Authority(name="", oid="", name_root=INS_NONE, oid_root=INS_NONE, national=False)


@lru_cache(maxsize=512)
def _authority(component: bytes, encoding: Encoding) -> _Authority:
    """Read CX-4; a hospital has a handful of them."""
    parts = encoding.subcomponents(component)
    name = encoding.text(parts[0]).strip()
    oid = encoding.text(parts[1]).strip().lower().removeprefix("urn:oid:") if len(parts) > 1 else ""
    return _Authority(
        name="" if name == '""' else name,
        oid=oid,
        name_root=ins.root(name),
        oid_root=ins.root(oid),
        national=oid.startswith(_NATIONAL_OIDS) or name.upper().startswith(_NATIONAL_NAME),
    )


@lru_cache(maxsize=512)
def _plain_authority(component: bytes) -> _Authority:
    """The same with the usual delimiters: a shorter key is found faster."""
    return _authority(component, DEFAULT)


def _ins_root(kind: str, authority: _Authority, flags: list[Flag], where: str) -> int:
    """Authority of an INS repetition: its OID, else its name, else its FHIR type."""
    if kind != "INS":
        flags.append(Flag("ins-type-fhir", where))
    if authority.oid:
        if not authority.oid_root:
            flags.append(Flag("ins-root-unknown", where))
        return authority.oid_root
    root = authority.name_root or _INS_TYPES[kind]
    flags.append(Flag("ins-oid-missing" if root else "ins-root-unknown", where))
    return root


def status(field: bytes, encoding: Encoding) -> tuple[str, tuple[Flag, ...]]:
    """PID-32: its codes joined by ``~`` (table 0445: VALI, PROV, HOMA ...), and a flag for what is no code."""
    kept = []
    flags: tuple[Flag, ...] = ()
    for repetition in encoding.repetitions(field):
        code = encoding.code(encoding.components(repetition)[0])
        if _STATUS.fullmatch(code):
            kept.append(code)
        elif code:
            flags = (Flag("identity-status-unknown", "PID-32"),)
    return "~".join(kept), flags


def validated(codes: str) -> bool:
    """Whether PID-32 lets an INS be qualified: validated, and nothing against it (docs/rules.md section 2)."""
    return ins.qualified(INS_NIR, codes).qualified


def traits(name: bytes, birth: bytes, sex: bytes, address: bytes, encoding: Encoding) -> tuple[Flag, ...]:
    """Flags for the identity traits that are missing beside an INS (RNIV; PAM-FR 3.3): PID-5, PID-7, PID-8, PID-11."""
    flags = []
    family = first = given = False
    for repetition in encoding.repetitions(name):
        parts = encoding.components(repetition)
        if len(parts) > 6 and encoding.code(parts[6]) == "L":
            family, first, given = (bool(encoding.value(part)) for part in parts[:3])
            break
    if not family:
        flags.append(Flag("trait-missing", "PID-5.1"))
    if not first:
        flags.append(Flag("trait-missing", "PID-5.2"))
    if not given:
        flags.append(Flag("trait-missing", "PID-5.3"))
    date = encoding.value(encoding.component_of(birth, 1))[:8]
    if len(date) < 8 or not date.isdigit():
        flags.append(Flag("trait-missing", "PID-7"))
    if encoding.code(encoding.component_of(sex, 1)) not in {"M", "F"}:
        flags.append(Flag("trait-missing", "PID-8"))
    for repetition in encoding.repetitions(address):
        parts = encoding.components(repetition)
        if len(parts) > 8 and encoding.code(parts[6]) == "BDL" and encoding.value(parts[8]):
            break
    else:
        flags.append(Flag("trait-missing", "PID-11.9"))
    return tuple(flags)


class Patient(Struct, frozen=True):
    """What PID says, for the facts of any message."""

    numbers: Numbers
    status: str
    dossier: bytes | None
    flags: tuple[Flag, ...]

    @property
    def shows_ins(self) -> bool:
        """Whether the message shows an INS with a validated identity (``Sent.ins``)."""
        return self.numbers.ins is not None and validated(self.status)


UNKNOWN: Final = Patient(numbers=NOBODY, status="", dossier=None, flags=())


def read(pid: Segment | None, encoding: Encoding, context: Context) -> Patient:
    """Read a PID segment; :data:`UNKNOWN` without one."""
    if pid is None:
        return UNKNOWN
    field = pid.field(3)
    found = (ordinary(field, context) if encoding == DEFAULT else None) or numbers(field, encoding, context)
    codes, flags = status(pid.field(32), encoding)
    missing = traits(pid.field(5), pid.field(7), pid.field(8), pid.field(11), encoding) if found.ins else ()
    return Patient(
        numbers=found,
        status=codes,
        dossier=context.number("dossier", pid.field(18), encoding),
        flags=found.flags + flags + missing,
    )
