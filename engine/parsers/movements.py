"""ADT messages: identities and movements (PAM-FR 2.11: section 2.2 of the events, ZBE, ZFA, ZFD, ZFM).

Segments are taken by name, never by position. Events that are not known are read as identities, never refused.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.facts import AnyFact, Identity, Movement
from engine.parsers import merges, names, patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.parsers.context import Context
    from engine.parsers.encoding import Encoding
    from engine.parsers.envelope import Envelope
    from engine.parsers.er7 import Message, Segment

CODES: Final[dict[str, str]] = {
    "segment-missing": "A segment that the message cannot do without is not there: the message was cut, or is wrongly built.",
    "movement-action-unknown": "ZBE holds none of INSERT, UPDATE, CANCEL: the movement is read as its event says.",
    "movement-shifted": "ZBE is shifted by one field or more: it was put back around INSERT, UPDATE or CANCEL.",
    "movement-time-missing": "ZBE-2 is not a date: another date of the message was taken for the movement.",
    "movement-without-id": "ZBE-1 is empty: the movement can be neither corrected nor cancelled by its number.",
    "movement-without-zbe": "A movement without ZBE, which PAM-FR requires: its dates come from PV1 and EVN.",
    "venue-missing": "A movement with neither a venue (PV1-19) nor a dossier (PID-18): it belongs to no stay.",
}

MOVES: Final = frozenset(
    "A01 A02 A03 A04 A05 A06 A07 A11 A12 A13 A14 A15 A16 A21 A22 A25 A26 A27 A38 A52 A53 A54 A55 "
    "Z80 Z81 Z84 Z85 Z99".split(),
)
"""Events that PAM-FR sends with ZBE: the message is a movement. Z80 (another medical responsibility), Z84 (nursing) and their
cancellations Z81 and Z85 are of its first versions; some hospitals still send them where the others send A02."""

PROVING: Final = frozenset("A01 A02 A03 A04 A05 A06 A07 A11 A12 A13 Z99".split())
"""Those whose acknowledgement proves that an application receives the movements (P1.3, docs/rules.md section 5)."""

PLACES: Final = frozenset("A08 A09 A10 A17 A23 A32 A33".split())
"""Events that say something of a venue without being a movement of PAM-FR: tracking (A09, A10), plain HL7 (A08, A17, A23)."""

_TEMPORARY: Final = frozenset({"A09", "A10", "A32", "A33"})  # their place is PV1-11
_ENTRIES: Final = frozenset({"A01", "A04", "A11"})
_EXITS: Final = frozenset({"A03", "A13"})
_WITHOUT_PATIENT: Final = frozenset({"A20"})  # bed status

_ACTIONS: Final = {"INSERT": "INSERT", "UPDATE": "UPDATE", "CANCEL": "CANCEL", "DELETE": "CANCEL"}
_EVENT: Final = re.compile(r"[A-Z][0-9]{2}", re.ASCII)
_TREATMENT: Final = re.compile(r"[A-Z0-9]{1,4}", re.ASCII)
_LETTERS: Final = frozenset("HMSLDC")
_DMP: Final = {"ACTIF": "ACTIF", "FERME": "FERME", "FERMÉ": "FERME", "INEXISTANT": "INEXISTANT"}
_FEEDING: Final = frozenset({"IO", "INO", "NA"})


class Reading(Struct, frozen=True):
    """What the segments of a message gave, whatever its kind."""

    facts: tuple[AnyFact, ...]
    content: str  # Sent.content
    patient: patient.Patient
    flags: tuple[Flag, ...]


class Group(Struct, frozen=True):
    """The segments about one patient of a message (most messages have one group)."""

    pid: Segment
    first: Callable[[bytes], Segment | None]


def read(message: Message, envelope: Envelope, context: Context) -> Reading:
    """Read an ADT. Raises :class:`ParseError` (``segment-missing``) when it has no PID."""
    groups = _groups(message)
    event = envelope.event
    content = "movement" if event in PROVING else "identity"
    if not groups:
        if event in _WITHOUT_PATIENT:
            return Reading(facts=(), content="other", patient=patient.UNKNOWN, flags=())
        raise ParseError("segment-missing", "PID")
    evn = message.first(b"EVN")
    recorded = context.zone.seconds(evn.component(2, 1)) if evn is not None else 0
    recorded = recorded or envelope.at
    facts: list[AnyFact] = []
    flags: tuple[Flag, ...] = ()
    people = [patient.read(group.pid, message.encoding, context) for group in groups]
    for group, who in zip(groups, people, strict=True):
        flags += who.flags
        identity = _identity(group, who, recorded)
        if identity is not None:
            facts.append(identity)
        if event in MOVES or event in PLACES:
            movement, remarks = _movement(group, who, event, envelope.at, recorded, evn, context)
            flags += remarks
            if movement is not None:
                facts.append(movement)
        elif event in merges.EVENTS:
            found, remarks = merges.read(group.pid, group.first, who, event, recorded, context)
            facts.extend(found)
            flags += remarks
    return Reading(facts=tuple(facts), content=content, patient=people[0], flags=flags)


def _groups(message: Message) -> list[Group]:
    starts = [i for i, segment in enumerate(message.segments) if segment.name == b"PID"]
    if len(starts) == 1:
        return [Group(pid=message.segments[starts[0]], first=message.first)]
    groups = []
    for start, stop in pairwise([*starts, len(message.segments)]):
        part = message.segments[start:stop]

        def first(name: bytes, part: list[Segment] = part) -> Segment | None:
            return next((segment for segment in part if segment.name == name), None)

        groups.append(Group(pid=part[0], first=first))
    return groups


def _identity(group: Group, who: patient.Patient, recorded: int) -> Identity | None:
    if who.numbers.ipp is None and who.numbers.ins is None:
        return None
    zfa, zfd = group.first(b"ZFA"), group.first(b"ZFD")
    return Identity(
        at=recorded,
        ipp=who.numbers.ipp,
        ins=who.numbers.ins,
        ins_root=who.numbers.ins_root,
        ins_key_valid=who.numbers.key_valid,
        status=who.status,
        birth_corrected=zfd is not None and zfd.code(4) == "Y",
        dmp=dmp(zfa.field(1), zfa.encoding) if zfa is not None else "",
        feeding=feeding(zfa.field(9), zfa.encoding) if zfa is not None else "",
    )


def _movement(
    group: Group,
    who: patient.Patient,
    event: str,
    at: int,
    recorded: int,
    evn: Segment | None,
    context: Context,
) -> tuple[Movement | None, tuple[Flag, ...]]:
    seconds = context.zone.seconds
    pid, pv1, zbe, zfm = group.pid, group.first(b"PV1"), group.first(b"ZBE"), group.first(b"ZFM")
    encoding = pid.encoding
    flags: list[Flag] = []
    visit = context.number("visit", pv1.field(19), encoding) if pv1 is not None else None
    if visit is None and who.dossier is None:
        return None, (Flag("venue-missing", "PV1-19"),)
    entry = seconds(pv1.component(44, 1)) if pv1 is not None else 0
    leaving = seconds(pv1.component(45, 1)) if pv1 is not None else 0
    act = original = letters = place = ""
    historic = False
    number: bytes | None = None
    when = 0
    if zbe is not None:
        act, shift = action(zbe)
        if not act:
            flags.append(Flag("movement-action-unknown", "ZBE-4"))
        elif shift:
            flags.append(Flag("movement-shifted", "ZBE-4"))
        number = context.entity("movement", zbe.field(1), encoding)
        if number is None:
            flags.append(Flag("movement-without-id", "ZBE-1"))
        when = seconds(zbe.component(2, 1))
        if not when:
            flags.append(Flag("movement-time-missing", "ZBE-2"))
        historic = zbe.code(5 + shift) == "Y"
        original = event_code(zbe.field(6 + shift), encoding)
        place = medical_unit(zbe.field(7 + shift), encoding)
        letters = nature(zbe.field(9 + shift), encoding)
    elif event in MOVES:
        flags.append(Flag("movement-without-zbe", "ZBE"))
    if not when:
        when = entry if event in _ENTRIES else leaving if event in _EXITS else 0
        when = when or (seconds(evn.component(6, 1)) if evn is not None else 0) or recorded or at
    if pv1 is not None and event in _TEMPORARY:
        place = place or lodging_unit(pv1.field(11), encoding)
    if pv1 is not None and not place:
        place = lodging_unit(pv1.field(3), encoding)
    return Movement(
        at=recorded,
        when=when,
        establishment=context.establishment,
        ipp=who.numbers.ipp,
        ins=who.numbers.ins,
        visit=visit,
        dossier=who.dossier,
        movement=number,
        event=event,
        action=act,
        historic=historic,
        original=original,
        patient_class=patient_class(pv1.field(2), encoding) if pv1 is not None else "",
        treatment=treatment(pv1.field(21), encoding) if pv1 is not None else "",
        unit=place,
        nature=letters,
        entry=entry,
        exit=leaving,
        level=level(pv1.field(51), encoding) if pv1 is not None else "",
        preadmitted=pv1 is not None and bool(pv1.value(5)),
        death=bool(seconds(pid.component(29, 1))) or pid.code(30) == "Y" or (zfm is not None and zfm.code(2) == "9"),
    ), tuple(flags)


def action(zbe: Segment) -> tuple[str, int]:
    """The action of a ZBE and by how many fields the segment is shifted, found by content (an official sample is shifted)."""
    for field in (4, 5, 3, 6):
        found = _ACTIONS.get(zbe.code(field))
        if found:
            return found, field - 4
    return "", 0


def event_code(field: bytes, encoding: Encoding) -> str:
    """ZBE-6: the event of the original movement (``A01``); ``""`` when absent or odd."""
    code = encoding.code(encoding.component_of(field, 1))
    return code if _EVENT.fullmatch(code) else ""


def medical_unit(field: bytes, encoding: Encoding) -> str:
    """Code of the UF in ZBE-7: component 10, or the whole field when it has no structure."""
    parts = encoding.components(encoding.repetitions(field)[0])
    if len(parts) > 9:
        return names.unit(_shown(parts[9], encoding))
    return names.unit(_shown(parts[0], encoding)) if not any(parts[1:]) else ""


def lodging_unit(field: bytes, encoding: Encoding) -> str:
    """Code of the UF in a PL field (PV1-3, PV1-11): component 1."""
    return names.unit(_shown(encoding.component_of(field, 1), encoding))


def _shown(leaf: bytes, encoding: Encoding) -> str:
    return encoding.value(leaf).decode("utf-8", "replace")


def nature(field: bytes, encoding: Encoding) -> str:
    """ZBE-9: its letters (H, M, S, L, D, C), sorted."""
    return "".join(sorted(_LETTERS.intersection(encoding.code(encoding.component_of(field, 1)))))


def patient_class(field: bytes, encoding: Encoding) -> str:
    """PV1-2: one capital letter; ``""`` when absent or odd."""
    code = encoding.code(encoding.component_of(field, 1))
    return code if len(code) == 1 and code.isascii() and code.isalpha() else ""


def treatment(field: bytes, encoding: Encoding) -> str:
    """PV1-21: a code of table 0032; ``""`` when absent or odd."""
    code = encoding.code(encoding.component_of(field, 1))
    return code if _TREATMENT.fullmatch(code) else ""


def level(field: bytes, encoding: Encoding) -> str:
    """PV1-51: V or A; ``""`` otherwise."""
    code = encoding.code(encoding.component_of(field, 1))
    return code if code in {"V", "A"} else ""


def dmp(field: bytes, encoding: Encoding) -> str:
    """ZFA-1: ACTIF, FERME or INEXISTANT; ``""`` otherwise."""
    return _DMP.get(encoding.code(encoding.component_of(field, 1)), "")


def feeding(field: bytes, encoding: Encoding) -> str:
    """ZFA-9: IO, INO or NA; ``""`` otherwise."""
    code = encoding.code(encoding.component_of(field, 1))
    return code if code in _FEEDING else ""
