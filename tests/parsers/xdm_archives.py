"""XDM archives for tests, built piece by piece; every one is invented. Written from the IHE text, and good by default."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
XDM = FIXTURES / "xdm"
CDA = (FIXTURES / "cda" / "ldl_ses_n1.xml").read_bytes()
NATIONAL = (FIXTURES / "cda" / "ldl_ses_n1_national_ins.xml").read_bytes()
N3 = (FIXTURES / "cda" / "ldl_ses_n3.xml").read_bytes()
PDF = b"%PDF-1.4\n%%EOF\n"

PATIENT = "290067599900261^^^&1.2.250.1.213.1.4.10&ISO^NH"
IPP = "IPP000777^^^&1.2.250.1.999.42.1&ISO^PI"
DOCUMENT = "1.2.250.1.999.42.10.1001"
SET = "1.2.250.1.999.42.20.9001"
STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
LOINC = "2.16.840.1.113883.6.1"
CLASSES = "1.2.250.1.213.1.1.4.1"
FORMATS = "1.3.6.1.4.1.19376.1.2.3"
SCANNED = "urn:ihe:iti:xds-sd:pdf:2008"

TYPE = "f0306f51-975f-434e-a61c-c59651d33983"
CLASS = "41a5887f-8865-4c09-adf7-e362475b143a"
FORMAT = "a09d5840-386c-46f2-b5ad-9c3699a4309d"
AUTHOR = "93606bcf-9494-43ec-9b4e-a7748d1a838d"
CONTENT = "aa543740-bdda-424e-8c96-df4873be8500"
ENTRY_PATIENT = ("58a6f841-87b3-4a3e-92fd-a8ffeff98427", "XDSDocumentEntry.patientId")
ENTRY_ID = ("2e82c1f6-a085-4c72-9da3-8640a32e42ab", "XDSDocumentEntry.uniqueId")
SET_PATIENT = ("6b5aea1a-874d-4603-a4bc-96a0a7b38446", "XDSSubmissionSet.patientId")
SET_SOURCE = ("554ac39e-e3fe-47fe-b233-965d2a147832", "XDSSubmissionSet.sourceId")
SET_ID = ("96fdda7c-d067-4183-912e-bf5ee74998a8", "XDSSubmissionSet.uniqueId")
SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
IHE = "urn:ihe:iti:2007:AssociationType:"

INDEX = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML Basic 1.0//EN" "http://www.w3.org/TR/xhtml-basic/xhtml-basic10.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>CH Fictif</title></head>
<body><p><a href="README.TXT">README.TXT</a></p></body></html>
"""
README = b"CH Fictif\r\nJauge\r\nIHE_XDM\r\n"


def slot(name: str, *values: str) -> str:
    """A slot with its values; nothing without any."""
    kept = "".join(f"<Value>{escape(value)}</Value>" for value in values if value)
    return f"<Slot name={quoteattr(name)}><ValueList>{kept}</ValueList></Slot>" if kept else ""


def identifier(of: str, kind: tuple[str, str], value: str) -> str:
    """An external identifier of an object; nothing without value."""
    if not value:
        return ""
    return (
        f'<ExternalIdentifier id="{of}-{kind[1]}" registryObject="{of}" identificationScheme="urn:uuid:{kind[0]}" '
        f'value={quoteattr(value)}><Name><LocalizedString value="{kind[1]}"/></Name></ExternalIdentifier>'
    )


def coded(of: str, scheme: str, code: str, system: str) -> str:
    """A classification of an object by a code."""
    return (
        f'<Classification id="{of}-{scheme}" classificationScheme="urn:uuid:{scheme}" classifiedObject="{of}" '
        f"nodeRepresentation={quoteattr(code)}>{slot('codingScheme', system)}"
        f'<Name><LocalizedString value="libellé"/></Name></Classification>'
    )


def entry(
    content: bytes = CDA,
    *,
    name: str = "Document01",
    uri: str = "DOC00001.XML",
    mime: str = "text/xml",
    object_type: str = STABLE,
    unique_id: str = DOCUMENT,
    patient: str = PATIENT,
    type_code: str = "11490-0",
    type_system: str = LOINC,
    class_code: str = "10",
    format_code: str = SCANNED,
    institution: str = "CH Fictif^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1990000019",
    digest: str | None = None,
    size: str | None = None,
    more: str = "",
) -> str:
    """A document entry for a file; ``digest`` and ``size`` replace the true ones, "" takes an attribute off."""
    author = (
        f'<Classification id="{name}-author" classificationScheme="urn:uuid:{AUTHOR}" classifiedObject="{name}" '
        f'nodeRepresentation="">{slot("authorInstitution", institution)}</Classification>'
    )
    return (
        f'<ExtrinsicObject id="{name}" mimeType="{mime}" objectType="{object_type}">'
        + slot("creationTime", "20260310151500")
        + slot("languageCode", "fr-FR")
        + slot("serviceStartTime", "20260305080000")
        + slot("sourcePatientId", IPP)
        + slot("sourcePatientInfo", "PID-5|EXEMPLE^CAMILLE^^^^^L", "PID-7|19900615", "PID-8|F")
        + slot("hash", hashlib.sha1(content).hexdigest() if digest is None else digest)
        + slot("size", str(len(content)) if size is None else size)
        + slot("URI", uri)
        + (author if institution else "")
        + coded(name, CLASS, class_code, CLASSES)
        + coded(name, TYPE, type_code, type_system)
        + coded(name, FORMAT, format_code, FORMATS)
        + more
        + identifier(name, ENTRY_PATIENT, patient)
        + identifier(name, ENTRY_ID, unique_id)
        + "</ExtrinsicObject>"
    )


def label(name: str) -> str:
    """What makes a submission set of a package."""
    return f'<Classification id="{name}-node" classificationNode="{SET_NODE}" classifiedObject="{name}"/>'


def submission_set(
    *,
    name: str = "SubmissionSet01",
    unique_id: str = SET,
    patient: str = PATIENT,
    source: str = "1.2.250.1.999.42",
    at: str = "20260310152000",
    labelled: bool = True,
    more: str = "",
) -> str:
    """A submission set."""
    return (
        f'<RegistryPackage id="{name}">{slot("submissionTime", at)}'
        + (label(name) if labelled else "")
        + coded(name, CONTENT, "03", "1.2.250.1.213.2.2")
        + more
        + identifier(name, SET_PATIENT, patient)
        + identifier(name, SET_SOURCE, source)
        + identifier(name, SET_ID, unique_id)
        + "</RegistryPackage>"
    )


def association(kind: str, source: str, target: str, status: str = "") -> str:
    """An association between two objects."""
    return (
        f'<Association id="{source}-{target}" associationType="{kind}" sourceObject="{source}" targetObject="{target}">'
        f"{slot('SubmissionSetStatus', status)}</Association>"
    )


def member(target: str = "Document01", source: str = "SubmissionSet01") -> str:
    """A document that belongs to a set."""
    return association(MEMBER, source, target, "Original")


def metadata(*objects: str) -> bytes:
    """METADATA.XML; without objects, that of one letter."""
    held = objects or (entry(), submission_set(), member())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" '
        f'xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><RegistryObjectList>{"".join(held)}</RegistryObjectList>'
        "</lcm:SubmitObjectsRequest>\n"
    ).encode()


def files(*objects: str, folder: str = "IHE_XDM/SUBSET01", **others: bytes | None) -> dict[str, bytes]:
    """The files of an archive of one letter. ``others``: files of the folder by the stem of their name (``DOC00001_XML``); None: none."""
    found = {"INDEX.HTM": INDEX, "README.TXT": README, f"{folder}/METADATA.XML": metadata(*objects)}
    for name, content in ({"DOC00001_XML": CDA} | others).items():
        if content is not None:
            found[f"{folder}/{name.replace('_', '.')}"] = content
    return found


def archive(contents: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of files, by the standard library."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name, (2026, 3, 10, 16, 20, 0))
            info.compress_type = method
            made.writestr(info, content)
    return stream.getvalue()


def valid() -> bytes:
    """A letter of level 1 and its PDF copy, as a careful sender makes them."""
    return archive(files(DOC00001_PDF=PDF))


@dataclass
class Raw:
    """One entry of a forged ZIP: what is not given is told truly. ``local`` replaces fields in its own header alone."""

    name: bytes
    content: bytes = b""
    method: int = 8
    packed: bytes | None = None
    size: int | None = None
    stored: int | None = None  # compressed size, as announced
    crc: int | None = None
    flags: int = 0
    attributes: int = 0
    disk: int = 0
    extra: bytes = b""
    offset: int | None = None  # of its own header, as announced; then it has none of its own
    local: dict[str, Any] = field(default_factory=dict)


def deflated(content: bytes) -> bytes:
    """Raw deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def forged(*entries: Raw, **end: int) -> bytes:
    """A ZIP written by hand. ``end`` replaces fields of the end record: count, here, size, start, disk, comment."""
    body, directory = b"", b""
    for one in entries:
        packed = one.packed if one.packed is not None else one.content if one.method == 0 else deflated(one.content)
        told = {
            "name": one.name,
            "method": one.method,
            "flags": one.flags,
            "crc": zlib.crc32(one.content) if one.crc is None else one.crc,
            "stored": len(packed) if one.stored is None else one.stored,
            "size": len(one.content) if one.size is None else one.size,
        }
        own = told | one.local
        at = len(body) if one.offset is None else one.offset
        if one.offset is None:
            body += struct.pack(
                "<4s5H3L2H",
                *(b"PK\x03\x04", 20, own["flags"], own["method"], 0, 0x5A6A),
                *(own["crc"], own["stored"], own["size"], len(own["name"]), 0),
            )
            body += own["name"] + packed
        directory += struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\x01\x02", 20, 20, told["flags"], told["method"], 0, 0x5A6A),
            *(told["crc"], told["stored"], told["size"], len(one.name), len(one.extra), 0),
            *(one.disk, 0, one.attributes, at),
        )
        directory += one.name + one.extra
    said = {"disk": 0, "here": len(entries), "count": len(entries), "size": len(directory), "start": len(body)} | end
    last = (said["disk"], 0, said["here"] & 0xFFFF, said["count"] & 0xFFFF, said["size"], said["start"])
    return body + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", *last, end.get("comment", 0))


def raws(contents: Mapping[str, bytes] | None = None) -> list[Raw]:
    """The entries of an archive, to be forged further."""
    return [Raw(name.encode(), content) for name, content in (contents or files()).items()]


def samples() -> dict[str, dict[str, bytes]]:
    """The files of the archives of fixtures/xdm, by the name of the archive."""
    national = "290067599900261^^^&1.2.250.1.213.1.4.8&ISO^NH"
    number = "1.2.250.1.999.42.10.1002"
    right = (
        entry(NATIONAL, unique_id=number, patient=national),
        submission_set(patient=national),
        member(),
    )
    wrong = (entry(NATIONAL, unique_id=number, patient=national, digest="0" * 40), *right[1:])
    prescription = (FIXTURES / "cda" / "prescription_n1.xml").read_bytes()
    second = files(
        entry(
            prescription,
            unique_id="1.2.250.1.999.42.10.1010",
            type_code="57833-6",
            class_code="42",
        ),
        submission_set(unique_id="1.2.250.1.999.42.20.9002", at="20260310152001"),
        member(),
        folder="IHE_XDM/SUBSET02",
        DOC00001_XML=prescription,
        DOC00001_PDF=PDF,
    )
    return {
        "ldl_ses_n1.zip": files(*right, DOC00001_XML=NATIONAL, DOC00001_PDF=PDF),
        "ldl_ses_n1_wrong_hash.zip": files(*wrong, DOC00001_XML=NATIONAL, DOC00001_PDF=PDF),
        "two_subsets.zip": files(DOC00001_PDF=PDF) | second,
    }
