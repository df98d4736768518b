"""Orders (ORM, OMx, RDE) and appointments (SIU), as far as the rules need them (HL7 v2.5 chapters 4 and 10)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from engine.facts import Activity
from engine.parsers import patient
from engine.parsers.movements import Reading

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.envelope import Envelope
    from engine.parsers.er7 import Message, Segment

CODES: Final[dict[str, str]] = {}

ORDERS: Final = frozenset("ORM OMG OML OMI OMP OMS OMN OMB OMD RDE".split())
APPOINTMENTS: Final = frozenset({"SIU"})

_CONTROL: Final = re.compile(r"[A-Z][A-Z0-9]{1,2}", re.ASCII)
_SECTION: Final = re.compile(r"[A-Z]{2,4}", re.ASCII)


def section(obr: Segment | None) -> str:
    """OBR-24 (table 0074: LAB, RAD ...); ``""`` when absent or odd."""
    code = obr.code(24) if obr is not None else ""
    return code if _SECTION.fullmatch(code) else ""


def orders(message: Message, envelope: Envelope, context: Context) -> Reading:
    """One :class:`Activity` for each ORC (for each OBR where there is no ORC)."""
    who = patient.read(message.first(b"PID"), message.encoding, context)
    if not _is_ours(envelope):
        return Reading(facts=(), content="order", patient=who, flags=who.flags)
    groups: list[dict[bytes, Segment]] = []
    for segment in message.segments:
        if segment.name == b"ORC" or (segment.name == b"OBR" and (not groups or b"OBR" in groups[-1])):
            groups.append({})
        if groups:
            groups[-1].setdefault(segment.name, segment)
    visit = _visit(message, context)
    facts = [
        Activity(
            at=envelope.at,
            establishment=context.establishment,
            ipp=who.numbers.ipp,
            visit=visit,
            dossier=who.dossier,
            kind="order",
            number=_number(group, context),
            control=_control(group.get(b"ORC")),
            when=_planned(group, context),
            sender=envelope.parties.sender,
            section=section(group.get(b"OBR")),
        )
        for group in groups
    ]
    return Reading(facts=tuple(facts), content="order", patient=who, flags=who.flags)


def appointments(message: Message, envelope: Envelope, context: Context) -> Reading:
    """One :class:`Activity` for an SIU; none without SCH."""
    who = patient.read(message.first(b"PID"), message.encoding, context)
    sch = message.first(b"SCH")
    if sch is None:
        return Reading(facts=(), content="appointment", patient=who, flags=who.flags)
    number = sch.value(1) or sch.value(2)
    fact = Activity(
        at=envelope.at,
        establishment=context.establishment,
        ipp=who.numbers.ipp,
        visit=_visit(message, context),
        dossier=who.dossier,
        kind="appointment",
        number=context.pseudonym("appointment", context.domain, number) if number else None,
        control=envelope.event,
        when=context.zone.seconds(sch.component(11, 4)),
        sender=envelope.parties.sender,
        section="",
    )
    return Reading(facts=(fact,), content="appointment", patient=who, flags=who.flags)


def numbers(segments: list[Segment], context: Context) -> tuple[bytes, ...]:
    """Pseudonyms of the placer and filler numbers (ORC-2, ORC-3, OBR-2, OBR-3), each once, in order."""
    found = dict.fromkeys(value for segment in segments for field in (2, 3) if (value := segment.value(field)))
    return tuple(context.pseudonym("order", context.domain, value) for value in found)


def _is_ours(envelope: Envelope) -> bool:
    """Teleradiology requests put an appointment id in PV1-19 and are for somebody else (profile CISIS_TLR)."""
    return "CISIS_TLR" not in envelope.profile


def _visit(message: Message, context: Context) -> bytes | None:
    pv1 = message.first(b"PV1")
    return context.number("visit", pv1.field(19), message.encoding) if pv1 is not None else None


def _number(group: dict[bytes, Segment], context: Context) -> bytes | None:
    for field in (2, 3):
        for name in (b"ORC", b"OBR"):
            value = group[name].value(field) if name in group else b""
            if value:
                return context.pseudonym("order", context.domain, value)
    return None


def _control(orc: Segment | None) -> str:
    code = orc.code(1) if orc is not None else ""
    return code if _CONTROL.fullmatch(code) else ""


def _planned(group: dict[bytes, Segment], context: Context) -> int:
    seconds = context.zone.seconds
    for name, field, component in ((b"ORC", 7, 4), (b"TQ1", 7, 1), (b"OBR", 36, 1), (b"OBR", 27, 4)):
        if name in group:
            found = seconds(group[name].component(field, component))
            if found:
                return found
    return 0
