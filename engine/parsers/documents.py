"""Documents in MDM and ORU^R01: a CDA in an OBX of type ED, or a result without any document.

CI-SIS volet "Transmission de documents CDA en HL7 v2", all versions met (1.2, 2.0, 2.1), HL7 v2.5 chapters 7 and 9. What is not a report
of the establishment gives no :class:`Document`: mails that come in (profile CISIS_CDA_HL7_LPS) and teleradiology (CISIS_TLR).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.facts import INS_NONE, AnyFact, Document
from engine.parsers import (
    activities,
    addresses,
    cda,
    identifiers,
    kinds,
    patient,
    payloads,
    recipients,
    requests,
    submissions,
)
from engine.parsers.movements import Reading, patient_class
from engine.parsers.requests import Request

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.envelope import Envelope
    from engine.parsers.er7 import Message, Segment

CODES: Final[dict[str, str]] = {
    "cda-ins-differs": "The INS of the CDA is not the INS of the message: one of them is about somebody else.",
    "document-not-cda": "The document is in another format than CDA (OBX-5.3): it cannot feed the DMP as it is.",
    "patient-missing": "The message has no PID: the document belongs to nobody.",
}

_MAIL_BODIES: Final = ("CORPSMAIL",)
_LPS: Final = "CISIS_CDA_HL7_LPS"
_TLR: Final = "CISIS_TLR"
_XDM_SUBJECT: Final = b"XDM/1.0/DDM"

# Table 0074, by the indicator that wants it. Pathology (SP, CP) is no medical biology.
_BIOLOGY: Final = frozenset("LAB CH HM MB MCB MYC BG BLB SR TX IMM VR GE CG TCX PAR PF URN OSL CHM HEM BIO".split())
_IMAGING: Final = frozenset("RAD RUS RX CT NMR NMS NUC VUS OUS CUS XRC VR2 MRI IMG ECH IRM".split())
# Types of OBX-5 that can hold neither a document nor a flag of the volet (HL7 v2.5 chapter 2, data types).
_PLAIN: Final = frozenset({b"NM", b"SN", b"TX", b"FT", b"DT", b"TM", b"TS", b"DTM", b"NA", b"MA"})


class _Envelope(Struct, frozen=True):
    """What every document of one message shares."""

    at: int
    exchange: bytes
    sender: str
    who: patient.Patient
    birth_corrected: bool
    visit: bytes | None
    patient_class: str
    orders: tuple[bytes, ...]
    section_kind: str
    type_code: str
    own_id: str
    parent: str
    created: int
    start: int
    stop: int
    marks: dict[str, str]
    recipients: tuple[str, ...]
    intended: tuple[bytes, ...]
    keys: tuple[bytes, ...]


def read(message: Message, envelope: Envelope, context: Context) -> Reading:
    """Read an MDM or an ORU. Raises :class:`ParseError` (``segment-missing``) when it is empty of all content."""
    pid = message.first(b"PID")
    who = patient.read(pid, message.encoding, context)
    flags = who.flags if pid is not None else (Flag("patient-missing", "PID"),)
    results = list(message.all(b"OBX"))
    if not results and message.first(b"OBR") is None and message.first(b"TXA") is None:
        raise ParseError("segment-missing", "OBX" if envelope.kind == "ORU" else "TXA")
    if _TLR in envelope.profile or _came_in(message, envelope, results):
        return Reading(facts=(), content="other", patient=who, flags=flags)
    # A laboratory sends dozens of plain results: neither documents nor flags, and nothing more is read of them.
    telling = [(place, obx) for place, obx in enumerate(results) if obx.field(2) not in _PLAIN]
    shared = _shared(message, envelope, who, results, [obx for _, obx in telling], context)
    facts: list[AnyFact] = []
    other_formats = False
    for place, obx in telling:
        if obx.code(2) != "ED" or obx.code(3).startswith(_MAIL_BODIES):
            continue
        if payloads.subtype(obx, message) in payloads.NOT_CDA:
            other_formats = True
            continue
        request, remarks = requests.of_document(message, envelope, obx)
        fact, found = _document(message, obx, place, len(facts), shared, request, context)
        facts.append(fact)
        flags += remarks + found
    if not facts:
        request, remarks = requests.of_result(message, envelope, results)
        flags += remarks + ((Flag("document-not-cda", "OBX-5"),) if other_formats else ())
        facts.append(_fact(shared, 0, request, None, "none", context))
    return Reading(facts=tuple(facts), content="document", patient=who, flags=flags)


def _came_in(message: Message, envelope: Envelope, results: list[Segment]) -> bool:
    """A mail that the platform hands over: by its profile, else by the subject of an XDM mail in OBX-3.2."""
    if _LPS in envelope.profile:
        return True
    return envelope.kind == "MDM" and any(_XDM_SUBJECT in obx.field(3) for obx in results)


def _shared(
    message: Message,
    envelope: Envelope,
    who: patient.Patient,
    results: list[Segment],
    telling: list[Segment],
    context: Context,
) -> _Envelope:
    seconds, encoding = context.zone.seconds, message.encoding
    pv1, obr, txa, zfd = (message.first(name) for name in (b"PV1", b"OBR", b"TXA", b"ZFD"))
    codes = [obr.code(4) if obr else "", txa.code(2) if txa else "", results[0].code(3) if results else ""]
    boxes, intended = recipients.of_message(message, context)
    known = next((code for code in codes if code in kinds.TABLE), "")
    created = (seconds(txa.component(4, 1)) or seconds(txa.component(6, 1))) if txa else 0
    created = created or (seconds(obr.component(22, 1)) if obr else 0)
    return _Envelope(
        at=envelope.at,
        exchange=envelope.exchange,
        sender=envelope.parties.sender,
        who=who,
        birth_corrected=zfd is not None and zfd.code(4) == "Y",
        visit=context.number("visit", pv1.field(19), encoding) if pv1 else None,
        patient_class=patient_class(pv1.field(2), encoding) if pv1 else "",
        orders=activities.numbers([s for s in message.segments if s.name in (b"ORC", b"OBR")], context),
        section_kind=_section_kind(activities.section(obr)),
        type_code=known,
        own_id=_entity(txa, 12) if txa else "",
        parent=_entity(txa, 13) if txa else "",
        created=created or envelope.at,
        start=seconds(obr.component(7, 1)) if obr else 0,
        stop=seconds(obr.component(8, 1)) if obr else 0,
        marks=_marks(telling),
        recipients=boxes,
        intended=intended,
        keys=_sets(telling, context) if context.submission_set_code else (),
    )


def _section_kind(section: str) -> str:
    return "cr-bio" if section in _BIOLOGY else "cr-imagerie" if section in _IMAGING else "other"


def _entity(txa: Segment, field: int) -> str:
    """TXA-12 or 13 in one writing: ``ext^^root^ISO``, or the OID alone in .1 (a name may follow in .2)."""
    parts = [txa.value(field, component).decode("utf-8", "replace") for component in (1, 3)]
    if not parts[1]:
        return identifiers.document(parts[0])
    root, extension = parts[1], parts[0]
    if identifiers.swapped(root, extension):
        root, extension = extension, root
    return identifiers.document(root, extension)


def _marks(results: list[Segment]) -> dict[str, str]:
    """The flags of the volet (DESTDMP, ACK_RECEPTION ...) by code, Y or N; whatever their order or coding system."""
    marks = {}
    for obx in results:
        if obx.code(2) in {"CE", "CWE", "ST", "ID", "IS"}:
            said = obx.code(5)
            if said in {"Y", "N"}:
                marks[obx.code(3)] = said
    return marks


def _sets(results: list[Segment], context: Context) -> tuple[bytes, ...]:
    """Keys of the submission sets that an OBX of the feed's own code names."""
    found = [obx.whole(5) for obx in results if obx.code(3) == context.submission_set_code]
    return tuple(submissions.set_key(context, oid.decode("utf-8", "replace")) for oid in found if oid)


def _document(
    message: Message,
    obx: Segment,
    place: int,
    position: int,
    shared: _Envelope,
    request: Request,
    context: Context,
) -> tuple[Document, tuple[Flag, ...]]:
    where = f"OBX[{place + 1}]-5"
    try:
        data = payloads.decode(message, obx, context.max_document_bytes)
        header = cda.read(data, cda.Limits(size=context.max_document_bytes))
    except ParseError as error:
        return _fact(shared, position, request, None, "unreadable", context), (Flag(error.code, where),)
    digest = submissions.sha1(context, hashlib.sha1(data, usedforsecurity=False).hexdigest()) if context.sha1 else None
    flags = header.flags
    numbers = shared.who.numbers
    if numbers.ins is not None and header.matricule:
        pseudonym = context.pseudonym("ins", "", header.matricule.encode("utf-8", "replace"))
        if pseudonym != numbers.ins or header.ins_root != numbers.ins_root:
            flags += (Flag("cda-ins-differs", where),)
    return _fact(shared, position, request, header, "cda", context, digest), flags


def _fact(
    shared: _Envelope,
    position: int,
    request: Request,
    header: cda.Cda | None,
    body: str,
    context: Context,
    digest: bytes | None = None,
) -> Document:
    """One document: what its CDA says, else what the message says."""
    seconds, pseudonym = context.zone.seconds, context.pseudonym
    own_id, parent, code, alias = shared.own_id, shared.parent, shared.type_code, ""
    orders, boxes, intended = shared.orders, shared.recipients, shared.intended
    if header is not None:
        own_id, alias = header.id or own_id, own_id
        parent = header.replaces or parent
        code = kinds.code(header.type_code) or code
        extra = (extension or root for root, extension in header.orders)
        orders = tuple(
            dict.fromkeys((*orders, *(pseudonym("order", context.domain, _utf8(one)) for one in extra if one)))
        )
        if not intended:  # no PRT names a correspondent: the CDA's recipients are added
            boxes = tuple(dict.fromkeys((*boxes, *header.recipients)))
            intended = recipients.of_cda(header, context)
    kind = kinds.kind(code)
    if kind == "other" and header is None and body == "none":
        kind = shared.section_kind
    numbers, marks = shared.who.numbers, shared.marks
    return Document(
        at=shared.at,
        establishment=context.establishment,
        exchange=shared.exchange,
        position=position,
        ipp=numbers.ipp,
        ins=numbers.ins,
        ins_root=numbers.ins_root,
        status=shared.who.status,
        birth_corrected=shared.birth_corrected,
        visit=shared.visit,
        dossier=shared.who.dossier,
        encounter=submissions.encounter(header, context) if header is not None else None,
        id=pseudonym("document", "", _utf8(own_id)) if own_id else None,
        chain=pseudonym("chain", "", _utf8(header.set_id)) if header is not None and header.set_id else None,
        version=header.version if header is not None else 0,
        replaces=pseudonym("document", "", _utf8(parent)) if parent else None,
        orders=orders,
        request=request.kind,
        final=request.final,
        type_code=code,
        kind=kind,
        body=body,
        level=header.level if header is not None else 0,
        declared_level=header.declared_level if header is not None else 0,
        created=(seconds(header.created) if header is not None else 0) or shared.created,
        service_start=(seconds(header.service_low) if header is not None else 0) or shared.start,
        service_stop=(seconds(header.service_high) if header is not None else 0) or shared.stop,
        cda_ins=pseudonym("ins", "", _utf8(header.matricule)) if header is not None and header.matricule else None,
        cda_ins_root=header.ins_root if header is not None else INS_NONE,
        traits_complete=header is not None and header.traits_complete,
        custodian=header.custodian if header is not None else "",
        patient_class=shared.patient_class,
        dmp=marks.get("DESTDMP", ""),
        mss_professional=marks.get("DESTMSSANTEPS", ""),
        mss_patient=marks.get("DESTMSSANTEPAT", ""),
        recipients=tuple(addresses.pseudonym(context, box) for box in boxes),
        ack_wanted=marks.get("ACK_RECEPTION") == "Y",
        sender=shared.sender,
        keys=shared.keys,
        alias=pseudonym("document", "", _utf8(alias)) if alias and alias != own_id else None,
        hash=digest,
        intended=intended,
    )


def _utf8(text: str) -> bytes:
    return text.strip().encode("utf-8", "replace")
