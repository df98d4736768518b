"""What is wrong with the entry of an XDM archive, beside the file and the CDA that it describes.

IHE ITI TF-3 table 4.3.1-3 (what XDM requires), TF-3 4.2.3 (hash, size, URI); CI-SIS (patientId is the INS, typeCode, formatCode and classCode
follow the CDA); Référentiel MSSanté #2 (one person in a mail).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct

from engine.facts import INS_NONE
from engine.parsers import cda, identifiers, ins, kinds
from engine.parsers.xdm_metadata import Entry, SubmissionSet, identifier

CODES: Final[dict[str, str]] = {
    "xdm-attribute-missing": "The metadata of a document, or of the submission set, lack what XDM requires (the place names it); the sender must add it.",
    "xdm-class-differs": "The classCode is not the one that CI-SIS gives to this type of document (ASS_X04).",
    "xdm-format-differs": "The formatCode says another level or another media type than the body of the CDA.",
    "xdm-hash-differs": "The hash of the metadata is not the SHA-1 of the file: receivers refuse it; hash the bytes as they are archived.",
    "xdm-id-differs": "The uniqueId of the metadata is not the id of the CDA; both are kept.",
    "xdm-institution-differs": "The custodian of the CDA is neither the author's institution of the metadata nor one of the establishment's own.",
    "xdm-mime-unexpected": "The mimeType is not the one that XDM gives to what the file holds (a CDA: text/xml).",
    "xdm-not-a-member": "No association puts the document in the submission set.",
    "xdm-object-type-unknown": "The objectType is that of no document entry.",
    "xdm-on-demand": "The entry promises a document to be made later: the archive holds none.",
    "xdm-patient-differs": "The patientId of the document is not that of its submission set.",
    "xdm-patient-missing": "The metadata of a document say no patientId; receivers cannot file it.",
    "xdm-patient-not-ins": "The CDA has an INS, and the patientId of the metadata is another number of the same patient.",
    "xdm-patient-not-of-cda": "The patientId of the metadata is no identifier of the patient of the CDA: receivers refuse it.",
    "xdm-patients-several": "The archive is about several patients; MSSanté allows one in a mail.",
    "xdm-size-differs": "The size of the metadata is not that of the file: receivers refuse it.",
    "xdm-type-differs": "The typeCode, or its coding system, is not that of the CDA.",
}
"""Every code of a :class:`Problem` that is found here, and what it means."""

Severity = Literal["error", "warning", "info"]

STABLE: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
CDA_TYPES: Final = frozenset({"text/xml", "application/xml", "application/xslt+xml", "application/hl7-cda+xml"})
"""Media types under which a CDA is announced; only the first and, when it shows itself, the third are right."""
PDF: Final = "application/pdf"

_XSLT: Final = "application/xslt+xml"
_FORMATS: Final = {
    "application/pdf": "urn:ihe:iti:xds-sd:pdf:2008",
    "text/plain": "urn:ihe:iti:xds-sd:text:2008",
    "text/rtf": "urn:ihe:iti-fr:xds-sd:rtf:2010",
    "image/jpeg": "urn:ihe:iti-fr:xds-sd:jpeg:2010",
    "image/tiff": "urn:ihe:iti-fr:xds-sd:tiff:2010",
}
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class Problem(Struct, frozen=True):
    """Something that is wrong (``error``), odd (``warning``) or worth knowing (``info``), and its place; never a value."""

    code: str
    where: str
    severity: Severity


def described(entry: Entry, where: str) -> Iterator[Problem]:
    """What an entry lacks by itself. ``where`` is its place."""
    required = {
        "id": entry.id,
        "objectType": entry.object_type,
        "mimeType": entry.mime_type,
        "uniqueId": entry.unique_id,
        "hash": entry.hash,
        "size": entry.size,
        "URI": entry.uri,
    }
    for name, value in required.items():
        if not value:
            yield Problem("xdm-attribute-missing", f"{where}/{name}", "error")
    if entry.on_demand:
        yield Problem("xdm-on-demand", where, "error")
    elif entry.object_type and entry.object_type.lower() != STABLE:
        yield Problem("xdm-object-type-unknown", f"{where}/objectType", "error")
    if not entry.patient:
        yield Problem("xdm-patient-missing", f"{where}/patientId", "warning")
    if not entry.member:
        yield Problem("xdm-not-a-member", where, "warning")


def submitted(of: SubmissionSet, where: str) -> Iterator[Problem]:
    """What a submission set lacks by itself."""
    required = {"uniqueId": of.unique_id, "sourceId": of.source_id, "submissionTime": of.at}
    for name, value in required.items():
        if not value:
            yield Problem("xdm-attribute-missing", f"{where}/{name}", "error")


def octets(size: str) -> int:
    """A size as it is written, in octets; 0 when it is none."""
    return int(size) if _DIGITS.fullmatch(size) else 0


def stored(entry: Entry, where: str, size: int, sha1: str) -> Iterator[Problem]:
    """Whether the entry tells its file as it is stored: ``size`` octets, ``sha1`` in lower case."""
    if entry.size and (not _DIGITS.fullmatch(entry.size) or octets(entry.size) != size):
        yield Problem("xdm-size-differs", f"{where}/size", "error")
    if entry.hash and entry.hash.lower() != sha1:
        yield Problem("xdm-hash-differs", f"{where}/hash", "error")


def carried(entry: Entry, where: str, found: cda.Cda, establishments: Collection[str]) -> Iterator[Problem]:
    """Whether the entry tells the CDA that its file is."""
    if entry.unique_id and _document(entry.unique_id) != found.id:
        yield Problem("xdm-id-differs", f"{where}/uniqueId", "error")
    if entry.patient:
        yield from _patient(entry, where, found)
    if (entry.type_code, entry.type_system) != (found.type_code, found.type_system):
        yield Problem("xdm-type-differs", f"{where}/typeCode", "error")
    if not _fits(entry.format_code, found):
        yield Problem("xdm-format-differs", f"{where}/formatCode", "warning")
    known = kinds.TABLE.get(found.type_code)
    if known is not None and known.class_code and known.class_code != entry.class_code:
        yield Problem("xdm-class-differs", f"{where}/classCode", "warning")
    if entry.mime_type and entry.mime_type != "text/xml" and (entry.mime_type, found.wrapper) != (_XSLT, "stylesheet"):
        yield Problem("xdm-mime-unexpected", f"{where}/mimeType", "warning")
    own = {*establishments, *(_finess(institution) for institution in entry.institutions)}
    if own and found.custodian and found.custodian not in own:
        yield Problem("xdm-institution-differs", f"{where}/author", "info")


def patients(numbers: Iterable[str]) -> Iterator[Problem]:
    """Whether an archive is about one patient: every patientId in it (CX)."""
    if len({identifier(number) for number in numbers if number}) > 1:
        yield Problem("xdm-patients-several", "zip", "error")


def differs(entry: Entry, where: str, of: SubmissionSet | None) -> Iterator[Problem]:
    """Whether the patient of an entry is that of its set."""
    if of is not None and entry.patient and of.patient and identifier(entry.patient) != identifier(of.patient):
        yield Problem("xdm-patient-differs", f"{where}/patientId", "error")


def _patient(entry: Entry, where: str, found: cda.Cda) -> Iterator[Problem]:
    root, value = identifier(entry.patient)
    theirs = {(other, "".join(extension.split()).upper()) for other, extension in found.patient_ids}
    if (root, value) not in theirs:
        yield Problem("xdm-patient-not-of-cda", f"{where}/patientId", "error")
    elif found.ins_root != INS_NONE and (ins.root(root), value) != (found.ins_root, found.matricule):
        yield Problem("xdm-patient-not-ins", f"{where}/patientId", "error")


def _fits(format_code: str, found: cda.Cda) -> bool:
    """Whether a formatCode can be that of a CDA of this level and media type."""
    unstructured = format_code in _FORMATS.values()
    if found.level == 1:
        return format_code == _FORMATS.get(found.media_type, format_code) and unstructured
    return not found.level or (bool(format_code) and not unstructured)


def _document(unique_id: str) -> str:
    root, _, extension = unique_id.partition("^")
    return identifiers.document(root, extension)


def _finess(identifier_of_structure: str) -> str:
    """The FINESS of a Struct_IdNat (``1`` and the nine characters), or as it is."""
    bare = identifier_of_structure.strip()
    return bare[1:] if len(bare) == 10 and bare.startswith("1") else bare
