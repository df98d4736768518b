"""IHE_XDM.ZIP (ITI-32) as the platform writes it: INDEX.HTM, README.TXT, METADATA.XML in ebRIM, the CDA byte for byte, a PDF copy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

_ENTRY: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_SET: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
_RPLC: Final = "urn:ihe:iti:2007:AssociationType:RPLC"
_WHEN: Final = (2026, 1, 1, 0, 0, 0)
_INDEX: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Envoi</title></head>'
    b'<body><p><a href="IHE_XDM/SUBSET01/METADATA.XML">Documents</a></p></body></html>\n'
)
_README: Final = "Envoi d'essai d'un établissement inventé.\r\n".encode()


@dataclass(slots=True, kw_only=True)
class Part:
    """One document of an archive: its metadata and its bytes."""

    unique_id: str
    type_code: str
    class_code: str
    format_code: str
    created: str  # YYYYMMDDHHMMSS, UTC
    service_start: str
    content: bytes
    patient: str  # CX
    source_patient: str  # CX of the IPP
    mime: str = "text/xml"
    replaces: str = ""  # uniqueId of what it replaces
    action: str = ""  # D: the mail asks to delete it


@dataclass(slots=True, kw_only=True)
class Archive:
    """One archive with one submission set."""

    set_id: str
    submitted: str  # UTC
    patient: str
    parts: tuple[Part, ...]
    copies: bool = True  # with a PDF copy of each CDA, described too
    lying: bool = False  # the hash of the metadata is another
    lower: bool = False  # names in lower case, below a folder
    stored: bool = False  # not compressed


def archive(what: Archive, pdf: bytes) -> bytes:
    """The bytes of the ZIP: the same for the same archive."""
    base = "ENVOI/IHE_XDM/SUBSET01/" if what.lower else "IHE_XDM/SUBSET01/"
    files: list[tuple[str, bytes]] = [("INDEX.HTM", _INDEX), ("README.TXT", _README)]
    entries: list[str] = []
    links: list[str] = []
    for number, part in enumerate(what.parts, 1):
        ending = "XML" if part.mime == "text/xml" else "PDF"
        name = f"DOC{number:05d}.{ending}"
        files.append((base + name, part.content))
        entries.append(_entry(f"Doc{number:02d}", part, name, what))
        links.append(_link(_MEMBER, "SubSet01", f"Doc{number:02d}", _slot("SubmissionSetStatus", "Original")))
        if part.replaces:
            links.append(_link(_RPLC, f"Doc{number:02d}", f"urn:oid:{part.replaces}"))
        if what.copies and part.mime == "text/xml":
            files.append((f"{base}DOC{number:05d}.PDF", pdf))
    xml = _metadata(what, entries, links).encode()
    files.insert(2, (f"{base}METADATA.XML", xml))
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED if what.stored else ZIP_DEFLATED) as zipped:
        for name, content in files:
            info = ZipInfo(name.lower() if what.lower else name, _WHEN)
            info.compress_type = ZIP_STORED if what.stored else ZIP_DEFLATED
            zipped.writestr(info, content)
    return buffer.getvalue()


def _metadata(what: Archive, entries: list[str], links: list[str]) -> str:
    package = (
        f'<rim:RegistryPackage id="SubSet01">{_slot("submissionTime", what.submitted)}'
        f'<rim:Classification id="c8" classificationNode="{_SET}" classifiedObject="SubSet01"/>'
        + _code("SubSet01", "aa543740-bdda-424e-8c96-df4873be8500", "03", "1.2.250.1.213.2.2")
        + _external("SubSet01", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", what.patient)
        + _external("SubSet01", "554ac39e-e3fe-47fe-b233-965d2a147832", "1.2.250.1.999.42")
        + _external("SubSet01", "96fdda7c-d067-4183-912e-bf5ee74998a8", what.set_id)
        + "</rim:RegistryPackage>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" '
        'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><rim:RegistryObjectList>'
        + "".join([*entries, package, *links])
        + "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>\n"
    )


def _entry(name: str, part: Part, uri: str, what: Archive) -> str:
    digest = hashlib.sha1(part.content, usedforsecurity=False).hexdigest()
    if what.lying:
        digest = f"{int(digest[0], 16) ^ 1:x}{digest[1:]}"
    return (
        f'<rim:ExtrinsicObject id="{name}" mimeType="{part.mime}" objectType="{_ENTRY}">'
        + _slot("creationTime", part.created)
        + _slot("languageCode", "fr-FR")
        + _slot("serviceStartTime", part.service_start)
        + _slot("sourcePatientId", part.source_patient)
        + _slot("sourcePatientInfo", "PID-5|ESSAI^CAMILLE^^^^^L", "PID-8|U")
        + _slot("hash", digest)
        + _slot("size", str(len(part.content)))
        + _slot("URI", uri)
        + (_slot("action", part.action) if part.action else "")
        + _code(name, "41a5887f-8865-4c09-adf7-e362475b143a", part.class_code, "1.2.250.1.213.1.1.4.1")
        + _code(name, "f0306f51-975f-434e-a61c-c59651d33983", part.type_code, "2.16.840.1.113883.6.1")
        + _code(name, "f4f85eac-e6cb-4883-b524-f2705394840f", "N", "2.16.840.1.113883.5.25")
        + _code(name, "a09d5840-386c-46f2-b5ad-9c3699a4309d", part.format_code, "1.3.6.1.4.1.19376.1.2.3")
        + _external(name, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", part.patient)
        + _external(name, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", part.unique_id)
        + "</rim:ExtrinsicObject>"
    )


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;")


def _slot(name: str, *values: str) -> str:
    inside = "".join(f"<rim:Value>{_text(value)}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{inside}</rim:ValueList></rim:Slot>'


def _code(owner: str, scheme: str, code: str, system: str) -> str:
    return (
        f'<rim:Classification id="{owner}-{scheme[:4]}" classificationScheme="urn:uuid:{scheme}" classifiedObject="{owner}" '
        f'nodeRepresentation="{code}">{_slot("codingScheme", system)}</rim:Classification>'
    )


def _external(owner: str, scheme: str, value: str) -> str:
    if not value:
        return ""
    return (
        f'<rim:ExternalIdentifier id="{owner}-{scheme[:4]}" registryObject="{owner}" '
        f'identificationScheme="urn:uuid:{scheme}" value="{_text(value)}"/>'
    )


def _link(kind: str, source: str, target: str, slots: str = "") -> str:
    number = hashlib.sha1(f"{kind}{source}{target}".encode(), usedforsecurity=False).hexdigest()[:8]
    return (
        f'<rim:Association id="a{number}" associationType="{kind}" sourceObject="{source}" targetObject="{target}">'
        f"{slots}</rim:Association>"
    )
