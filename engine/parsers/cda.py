"""CDA R2 as French hospitals write it: the facts of the header, the level of the body, and what is wrong with both.

Sources: CI-SIS "Structuration minimale de documents de santé" 3.3-3.7 and its schematron, measured on the 94 official
samples. Leniency: what can be read is read and flagged; only bytes that are not a CDA at all are refused.
"""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.facts import INS_NONE
from engine.parsers import cda_body, cda_reader, identifiers, ins, kinds
from engine.parsers.cda_header import Found, Pair

CODES: Final[dict[str, str]] = {
    # Refused.
    "cda-too-large": "The document is larger than the limit; raise the limit or look at who sends it.",
    "not-a-cda": "The XML holds no ClinicalDocument of HL7 v3; check what the sender attaches.",
    "xml-doctype": "A DOCTYPE is forbidden in a CDA and is never expanded; remove it.",
    "xml-encoding": "The bytes are not of the declared encoding; CI-SIS asks for UTF-8.",
    "xml-entity": "An entity that XML does not define; write the character itself.",
    "xml-malformed": "The XML is not well-formed at this byte.",
    "xml-too-deep": "Elements are nested deeper than the limit.",
    "xml-truncated": "The XML ends before its last element is closed; the document was cut on the way.",
    # Remarks.
    "body-double": "There are both a nonXMLBody and a structuredBody; the level cannot be told.",
    "body-empty": "The level-1 body embeds nothing.",
    "body-missing": "There is neither nonXMLBody nor structuredBody.",
    "body-not-base64": "The embedded document does not decode from base64.",
    "body-not-b64-representation": "text/@representation is not B64.",
    "body-wrong-media-type": "The media type is not one that CI-SIS allows at level 1.",
    "body-wrong-type": "The embedded bytes are not of the media type they announce.",
    "code-missing": "The document has no type code.",
    "code-system-unexpected": "The type code is of JDV_J07 but under another coding system.",
    "code-unknown": "The type code is not in JDV_J07.",
    "encoding-not-utf8": "The document is not in UTF-8; it is read all the same.",
    "header-template-missing": "The template of the CI-SIS header (1.2.250.1.213.1.1.1.1) is not declared.",
    "id-missing": "The document has no id: it cannot be followed.",
    "id-swapped": "Root and extension stand in each other's place; they were put back.",
    "id-with-extension": "The document id has an extension; the DMP accepts a root alone.",
    "ins-key-wrong": "The control key of the matricule is wrong.",
    "ins-malformed": "The matricule is not 15 characters of the INS.",
    "ins-not-first": "The INS is not the first identifier of the patient.",
    "ins-several": "Several INS of one authority; the first was taken.",
    "ins-sex-unknown": "An INS comes with a sex other than M or F, which the INSi teleservice never returns.",
    "level-mismatch": "The level that the templates declare is not the level of the body.",
    "model-template-missing": "A structured body without the template of its model.",
    "patient-double": "There are several recordTarget; a CDA is about one patient.",
    "patient-missing": "There is no patient identifier.",
    "qualifier-sp": "A name has the old qualifier SP; it is read as CL.",
    "set-id-missing": "There is no setId: versions cannot be chained.",
    "traits-incomplete": "There is an INS, and one of the six identity traits is missing.",
    "version-missing": "versionNumber is missing or is not a whole number.",
    "white-space-before-xml": "White space stands before the XML declaration; it was passed over.",
    "wrapped-signature": "The document sits inside a signature.",
    "wrapped-stylesheet": "The document is 'autopresentable' (inside a stylesheet), which ANS discourages.",
    "xds-sd-beside-model": "The template of level-1 documents (XDS-SD) stands beside that of a model.",
}
"""Every code that :func:`read` raises or flags, and what it means."""

XDS_SD: Final = "1.3.6.1.4.1.19376.1.2.20"
_HEADER_TEMPLATES: Final = frozenset({"2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1"})
_STRUCT_IDNAT: Final = "1.2.250.1.71.4.2.2"
_FINESS: Final = re.compile(r"1?([0-9][0-9AB][0-9]{7})", re.ASCII)
_VERSION: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_TOP: Final = "/ClinicalDocument"
_PATIENT: Final = f"{_TOP}/recordTarget/patientRole"


class Limits(Struct, frozen=True):
    """What a document may cost: ``size`` in bytes, ``depth`` in nested elements (samples stay under 25; expat takes 100 bytes for each)."""

    size: int = 64 << 20
    depth: int = 2048


DEFAULT: Final = Limits()


class Cda(Struct, frozen=True):
    """What a CDA says, in clear: for memory only. Its repr shows no identifier.

    Identifiers are ``(root, extension)`` without ``urn:oid:``; times are HL7 TS text as written, empty when absent.
    """

    id: str  # "root", or "root^extension"; "" when missing
    set_id: str
    version: int  # 0 when missing
    parents: tuple[tuple[str, str], ...]  # (relatedDocument/@typeCode, id of the parent)
    type_code: str
    type_system: str  # OID
    templates: tuple[Pair, ...]
    level: int  # 1, 2, 3 by the body; 0 when it has no body, or two
    declared_level: int  # 1 or 3 by the templates; 0 when they say nothing
    media_type: str  # of a level-1 body, lower case
    patient_ids: tuple[Pair, ...]  # INS included
    ins_root: int  # INS_* of engine.facts
    matricule: str  # upper case, as written otherwise; "" without INS
    ins_check: ins.InsCheck
    traits_missing: tuple[str, ...]  # among TRAITS
    custodian: str  # FINESS, "" when it is something else
    encounter_ids: tuple[Pair, ...]
    encounter_code: str  # IMP, AMB, EMER ...
    encounter_low: bytes
    encounter_high: bytes
    created: bytes  # effectiveTime
    service_low: bytes  # of the first serviceEvent, the principal act
    service_high: bytes
    orders: tuple[Pair, ...]  # inFulfillmentOf/order/id, then accession numbers
    recipients: tuple[str, ...]  # mail addresses of informationRecipient, lower case
    recipient_ids: tuple[Pair, ...]  # of persons and organisations
    intended: tuple[
        tuple[tuple[Pair, ...], tuple[str, ...]], ...
    ]  # identifiers and addresses of each informationRecipient
    confidentiality: str  # the first one: N, R or V
    wrapper: str  # "", "stylesheet" or "signature"
    flags: tuple[Flag, ...]

    @property
    def traits_complete(self) -> bool:
        """Whether the six identity traits are there."""
        return not self.traits_missing

    @property
    def kind(self) -> str:
        """What the document is for the indicators (``engine.parsers.kinds``)."""
        return kinds.kind(self.type_code)

    @property
    def replaces(self) -> str:
        """Id of the document that this one replaces (relatedDocument RPLC), "" when there is none."""
        return next((parent for code, parent in self.parents if code == "RPLC"), "")

    def __repr__(self) -> str:
        return f"Cda(kind={self.kind!r}, level={self.level})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # rich would print every field
        return [("kind", self.kind), ("level", self.level)]


TRAITS: Final = ("birth-name", "first-given", "given-list", "birth-date", "sex", "birthplace")
"""The six identity traits of the INS, in the order of ``traits_missing`` (RNIV; schematron of the header)."""


def read(data: bytes | memoryview, limits: Limits = DEFAULT) -> Cda:
    """Read a CDA from its bytes.

    Raises :class:`ParseError` (a code of :data:`CODES`) when they are not a readable CDA; nothing else, whatever the bytes.
    """
    if len(data) > limits.size:
        raise ParseError("cda-too-large", f"byte {limits.size}")
    raw = data if isinstance(data, bytes) else bytes(data)
    return _judge(cda_reader.read(raw, limits.depth))


def _judge(reader: cda_reader.Reader) -> Cda:
    found = reader.found
    flags: list[Flag] = []
    if reader.indented:
        flags.append(Flag("white-space-before-xml", "byte 0"))
    if reader.encoding not in {"", "UTF-8"}:
        flags.append(Flag("encoding-not-utf8", "byte 0"))
    if reader.wrapper:
        flags.append(Flag(f"wrapped-{reader.wrapper}", "/*"))
    level, declared = _levels(reader, flags)
    document_id = _document(found.ids, f"{_TOP}/id", flags)
    if not document_id:
        flags.append(Flag("id-missing", f"{_TOP}/id"))
    elif "^" in document_id:
        flags.append(Flag("id-with-extension", f"{_TOP}/id"))
    set_id = _document(found.set_ids, f"{_TOP}/setId", flags)
    if not set_id:
        flags.append(Flag("set-id-missing", f"{_TOP}/setId"))
    version = int(found.version) if _VERSION.fullmatch(found.version) else 0
    if not version:
        flags.append(Flag("version-missing", f"{_TOP}/versionNumber"))
    system = _code(found, flags)
    patients = _pairs(found.patients, f"{_PATIENT}/id", flags)
    authority, matricule, check = _ins(found, patients, flags)
    missing = _traits(found, flags, with_ins=authority != INS_NONE)
    low, high = found.events[0] if found.events else ("", "")
    recipients = _pairs(found.recipient_ids, f"{_TOP}/informationRecipient/intendedRecipient/id", flags)
    return Cda(
        id=document_id,
        set_id=set_id,
        version=version,
        parents=tuple((code, _document([(root, ext)], "", [])) for code, root, ext in found.parents),
        type_code=found.code,
        type_system=system,
        templates=tuple((identifiers.root(root), ext) for root, ext in found.templates),
        level=level,
        declared_level=declared,
        media_type=found.media_type,
        patient_ids=patients,
        ins_root=authority,
        matricule=matricule,
        ins_check=check,
        traits_missing=missing,
        custodian=_custodian(found),
        encounter_ids=_pairs(found.encounters, f"{_TOP}/componentOf/encompassingEncounter/id", flags),
        encounter_code=found.encounter_code,
        encounter_low=found.encounter_low.encode(),
        encounter_high=found.encounter_high.encode(),
        created=found.created.encode(),
        service_low=low.encode(),
        service_high=high.encode(),
        orders=_pairs(found.orders + found.accessions, f"{_TOP}/inFulfillmentOf/order/id", flags),
        recipients=tuple(dict.fromkeys(found.recipient_mails)),
        recipient_ids=recipients,
        intended=_intended(found, recipients),
        confidentiality=found.confidentiality,
        wrapper=reader.wrapper,
        flags=tuple(flags),
    )


def _pairs(written: list[Pair], where: str, flags: list[Flag]) -> tuple[Pair, ...]:
    pairs = []
    for root, extension in written:
        if identifiers.swapped(root, extension):
            root, extension = extension, root
            flags.append(Flag("id-swapped", where))
        pairs.append((identifiers.root(root), extension.strip()))
    return tuple(pairs)


def _intended(found: Found, numbers: tuple[Pair, ...]) -> tuple[tuple[tuple[Pair, ...], tuple[str, ...]], ...]:
    """The identifiers and the addresses of each recipient, together."""
    ends = (*found.recipients[1:], (len(numbers), len(found.recipient_mails)))
    return (
        tuple(
            (numbers[first:last], tuple(found.recipient_mails[start:end]))
            for (first, start), (last, end) in zip(found.recipients, ends, strict=True)
        )
        if found.recipients
        else ()
    )


def _document(written: list[Pair], where: str, flags: list[Flag]) -> str:
    for root, extension in _pairs(written[:1], where, flags):
        return identifiers.document(root, extension)
    return ""


def _levels(reader: cda_reader.Reader, flags: list[Flag]) -> tuple[int, int]:
    found = reader.found
    component = f"{_TOP}/component"
    if found.structured and found.non_xml:
        level = 0
        flags.append(Flag("body-double", component))
    elif found.structured:
        level = 3 if reader.entry else 2
    elif found.non_xml:
        level = 1
        _embedded(reader, f"{component}/nonXMLBody/text", flags)
    else:
        level = 0
        flags.append(Flag("body-missing", component))
    templates = {identifiers.root(root) for root, _ in found.templates}
    where = f"{_TOP}/templateId"
    if "1.2.250.1.213.1.1.1.1" not in templates:
        flags.append(Flag("header-template-missing", where))
    models = templates - _HEADER_TEMPLATES - {XDS_SD, ""}
    declared = 1 if XDS_SD in templates else 3 if models else 0
    if XDS_SD in templates and models:
        flags.append(Flag("xds-sd-beside-model", where))
        declared = level if level in {1, 3} else 3
    if level and declared and level != declared:
        flags.append(Flag("level-mismatch", component))
    elif level > 1 and not declared:
        flags.append(Flag("model-template-missing", where))
    return level, declared


def _embedded(reader: cda_reader.Reader, where: str, flags: list[Flag]) -> None:
    """Faults of a level-1 body that the official schematron does not see (measured)."""
    found, payload = reader.found, reader.payload
    if found.media_type not in cda_body.MEDIA_TYPES:
        flags.append(Flag("body-wrong-media-type", f"{where}/@mediaType"))
    if found.representation != "B64":
        flags.append(Flag("body-not-b64-representation", f"{where}/@representation"))
        return
    if payload is None or (payload.valid and not payload.size):
        flags.append(Flag("body-empty", where))
    elif not payload.valid:
        flags.append(Flag("body-not-base64", where))
    elif not cda_body.is_of_type(payload.head, found.media_type):
        flags.append(Flag("body-wrong-type", where))


def _code(found: Found, flags: list[Flag]) -> str:
    """Coding system of the type code, and what is wrong with the pair."""
    where = f"{_TOP}/code"
    system = identifiers.root(found.code_system)
    entry = kinds.TABLE.get(found.code)
    if not found.code:
        flags.append(Flag("code-missing", where))
    elif entry is None or not entry.current:
        flags.append(Flag("code-unknown", where))
    elif system != entry.system:
        flags.append(Flag("code-system-unexpected", where))
    return system


def _ins(found: Found, patients: tuple[Pair, ...], flags: list[Flag]) -> tuple[int, str, ins.InsCheck]:
    """The INS of the patient: a NIR before a NIA before test and demonstration ones, the first of each."""
    where = f"{_PATIENT}/id"
    if found.records > 1:
        flags.append(Flag("patient-double", f"{_TOP}/recordTarget"))
    if not patients:
        flags.append(Flag("patient-missing", where))
    numbers = [
        (authority, place, "".join(extension.split()).upper())
        for place, (root, extension) in enumerate(patients)
        if (authority := ins.root(root)) != INS_NONE and extension
    ]
    if not numbers:
        return INS_NONE, "", ins.check("")
    authority, place, matricule = min(numbers, key=lambda number: number[:2])
    if len({number for of, _, number in numbers if of == authority}) > 1:
        flags.append(Flag("ins-several", where))
    if place and all(ins.root(root) == INS_NONE for root, _ in patients[:1]):
        flags.append(Flag("ins-not-first", where))
    check = ins.check(matricule)
    if not check.well_formed:
        flags.append(Flag("ins-malformed", where))
    elif not check.key_valid:
        flags.append(Flag("ins-key-wrong", where))
    if found.gender.upper() not in {"M", "F", ""}:
        flags.append(Flag("ins-sex-unknown", f"{_PATIENT}/patient/administrativeGenderCode"))
    return authority, matricule, check


def _traits(found: Found, flags: list[Flag], *, with_ins: bool) -> tuple[str, ...]:
    parts = set(found.names)
    if any(qualifier == "SP" for _, qualifier in parts):
        flags.append(Flag("qualifier-sp", f"{_PATIENT}/patient/name"))
    present = (
        ("family", "BR") in parts,
        ("given", "BR") in parts,
        ("given", "") in parts,
        bool(found.birth_time),
        bool(found.gender),
        found.counties > 0,
    )
    missing = tuple(trait for trait, there in zip(TRAITS, present, strict=True) if not there)
    if missing and with_ins:
        flags.append(Flag("traits-incomplete", f"{_PATIENT}/patient"))
    return missing


def _custodian(found: Found) -> str:
    for root, extension in _pairs(found.custodians, "", []):
        number = _FINESS.fullmatch(extension)
        if root == _STRUCT_IDNAT and number is not None:
            return number[1]
    return ""
