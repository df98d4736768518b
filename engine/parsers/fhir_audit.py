"""FHIR AuditEvent of a submission: IHE MHD (ITI-65, ITI-105) and BALP, R4 and R5; also of ITI-41 and ITI-42 where those are audited in FHIR.

As an ATNA message, it names a patient and a submission set, never a document: it gives a ``Submission`` and what became of it.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Raw, Struct

from engine.errors import Flag
from engine.facts import AUDIT, AnyFact, Submission
from engine.parsers import submissions
from engine.parsers.context import Context
from engine.parsers.fhir_elements import ABSENT, Coding, Concept, Element, Reference, listed, read, seconds
from engine.parsers.fhir_references import Home, identified, name, patient, written

CODES: Final[dict[str, str]] = {
    "fhir-audit-not-submission": "An AuditEvent of another event than ITI-65, ITI-105, ITI-41 or ITI-42: nothing to count; send only those to spare the engine.",
    "fhir-audit-outcome-unknown": "The AuditEvent does not say how the event ended (outcome): no answer is counted.",
    "fhir-audit-without-patient": "The AuditEvent of a submission names no patient by INS or IPP: only another trace can tell whose document it is.",
    "fhir-audit-without-set": "The AuditEvent of a submission names no submission set (of an ITI-105, no document): it can be joined with nothing and is not counted.",
}
"""Remarks on an audit event."""

_SUBMISSIONS: Final = frozenset({"ITI-65", "ITI-105", "ITI-41", "ITI-42"})
_OUTCOMES: Final = {  # R4; R5 (issue severities), of which DICOM has the same four steps
    "0": "",
    "4": "audit-4",
    "8": "audit-8",
    "12": "audit-12",
    "success": "",
    "information": "",
    "warning": "",
    "error": "audit-8",
    "fatal": "audit-12",
}
_ALONE: Final = "ITI-105"
_REQUEST_ID: Final = "xrequestid"  # BALP, BasicAuditEntityType
_LIST: Final = re.compile(r"(?:\A|/)List(?:/|\?|\Z)")


class Result(Element, frozen=True, gc=False, rename="camel"):
    """AuditEvent.outcome of R5."""

    code: Coding | None = None


class Entity(Element, frozen=True, gc=False, rename="camel"):
    """AuditEvent.entity."""

    what: Reference | None = None
    type: Concept | None = None
    role: Concept | None = None


class AuditEvent(Element, frozen=True, gc=False, rename="camel"):
    """AuditEvent. ``type``, ``subtype`` (R4) and ``category``, ``code`` (R5) hold the codes of the event."""

    id: str | None = None
    type: Concept | None = None
    subtype: Raw = ABSENT
    category: Raw = ABSENT
    code: Concept | None = None
    recorded: str | None = None
    outcome: str | Result | None = None
    patient: Reference | None = None
    entity: tuple[Entity, ...] | None = None
    contained: tuple[Raw, ...] | None = None


class Audit(Struct, frozen=True):
    """An audit event, read. ``kind`` is the transaction (``ITI-65``), empty for another event; ``identity`` makes it the same one."""

    facts: tuple[AnyFact, ...]
    kind: str
    at: int
    identity: str
    flags: tuple[Flag, ...]


def audit(resource: Raw | memoryview, place: str, context: Context) -> Audit:
    """Read one AuditEvent."""
    event = read(resource, AuditEvent, place)
    at = seconds(event.recorded, context)
    kind = next((code for code in _codes(event, place) if code in _SUBMISSIONS), "")
    identity = f"{event.id or ''} {event.recorded or ''}" if event.id else ""
    if not kind:
        return Audit((), "", at, identity, (Flag("fhir-audit-not-submission", place),))
    home = Home.contained(event.contained, place)
    key, who = _named(event, kind, place, home, context)
    if key is None:
        return Audit((), kind, at, identity, (Flag("fhir-audit-without-set", f"{place}.entity"),))
    flags: list[Flag] = []
    if who.ins is None and who.ipp is None:
        flags.append(Flag("fhir-audit-without-patient", f"{place}.entity"))
    facts: list[AnyFact] = [
        Submission(at=at, establishment=context.establishment, ipp=who.ipp, ins=who.ins, ins_root=who.ins_root, key=key)
    ]
    outcome = event.outcome.code.code if isinstance(event.outcome, Result) and event.outcome.code else event.outcome
    code = _OUTCOMES.get(outcome) if isinstance(outcome, str) else None
    if code is None:
        flags.append(Flag("fhir-audit-outcome-unknown", f"{place}.outcome"))
    else:
        facts.append(submissions.outcome(at=at, key=key, accepted=not code, code=code, trace=AUDIT))
    return Audit(tuple(facts), kind, at, identity, tuple(flags))


def _codes(event: AuditEvent, place: str) -> list[str]:
    concepts = [
        *listed(event.subtype, Concept, f"{place}.subtype"),
        *listed(event.category, Concept, f"{place}.category"),
    ]
    concepts += [one for one in (event.code, event.type) if one is not None]
    return [code for one in concepts for code in one.codes()]


def _named(
    event: AuditEvent, kind: str, place: str, home: Home, context: Context
) -> tuple[bytes | None, submissions.Patient]:
    """The key of the submission, and its patient.

    The surest key is the uniqueId of the set; then the id of the request (BALP), which the request's own head may tell; then the
    server's name of the List. An ITI-105 has no set: its DocumentReference takes that place.
    """
    who = patient(context, identified(event.patient, f"{place}.patient", home))
    unique = document = request = listed_as = ""
    for index, entity in enumerate(event.entity or ()):
        where = f"{place}.entity[{index}].what"
        kinds = entity.type.codes() if entity.type is not None else ()
        roles = entity.role.codes() if entity.role is not None else ()
        what = entity.what
        if what is None:
            continue
        reference = what.reference or ""
        if ("1" in kinds and "1" in roles) or name(reference.partition("?")[0]).startswith("patient"):
            who = patient(context, identified(what, where, home), who)
        elif any(code.lower() == _REQUEST_ID for code in kinds):
            request = request or written(what.identifier)
        elif kind == _ALONE and ("4" in roles or name(reference).startswith("documentreference/")):
            found = [text for one in identified(what, where, home) if (text := written(one))]
            document = document or next((text for text in found if not text.lower().startswith("urn:uuid:")), "")
            listed_as = listed_as or (name(reference) if reference else "")
        elif "20" in roles or _LIST.search(reference):
            found = [text for one in identified(what, where, home) if (text := written(one))]
            if reference[:8].lower() == "urn:oid:":
                found.append(reference)
            unique = unique or next((text for text in found if not text.lower().startswith("urn:uuid:")), "")
            if reference and not reference.startswith("#"):
                listed_as = listed_as or name(reference)
            elif found:
                listed_as = listed_as or found[0]
    if unique:
        return submissions.set_key(context, unique), who
    if request:
        return submissions.message_key(context, request), who
    if document:
        return submissions.document_id(context, document), who
    return (list_key(context, listed_as) if listed_as else None), who


def list_key(context: Context, reference: str) -> bytes:
    """Key of a submission set that is only known by the server's name of its List (``List/12``)."""
    return context.pseudonym("submission-set", "fhir", name(reference).encode("utf-8", "replace"))
