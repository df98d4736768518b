"""A mail with an IHE_XDM.ZIP and a PDF: bytes to facts, beside the floor and the standard library's way.

The floor: cut the parts at the boundary, decode the base64 of both (pybase64), inflate every entry of the ZIP; nothing is looked at. A second
floor leaves the PDF alone, as Jauge does; a third one parses the XML (lxml). The standard library's way: ``email`` (default policy) for the header and the parts, ``zipfile``,
``xml.etree`` for the metadata and the CDA; no check, no pseudonym.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import io
import random
import zipfile
from argparse import Namespace
from email.message import EmailMessage
from xml.etree import ElementTree as ET

import pybase64
from lxml import etree

from benchmarks.messages import cda
from benchmarks.result import Budget, Figure, Result, compare
from benchmarks.subject import context

SIZES = {"10 kB": 10_000, "1 MB": 1_000_000, "25 MB": 25_000_000}
"""Sizes of a mail. 25 MB is the most that MSSanté takes to a citizen."""

PATIENT = "185057599900150^^^&1.2.250.1.213.1.4.8&ISO^NH"
_BOUNDARY = "----=_Part_12_3456.7890"
_HEAD = (
    "Received: from dpi.ch-fictif.mssante.fr (dpi [192.0.2.7]) by mx.ch-fictif.mssante.fr (Postfix) with ESMTPS id 4ABC;\r\n"
    " Tue, 10 Mar 2026 16:20:01 +0100 (CET)\r\n"
    "From: =?utf-8?Q?CH_Fictif_=C3=A9t=C3=A9?= <sorties@ch-fictif.mssante.fr>\r\n"
    "To: Sacha DESTINATAIRE <sacha.destinataire@cabinet-fictif.mssante.fr>,\r\n\t185057599900150@patient.mssante.fr\r\n"
    "Reply-To: medecine@ch-fictif.mssante.fr\r\nSubject: XDM/1.0/DDM+Lettre de liaison EXEMPLE CAMILLE 12/01/1985\r\n"
    "Message-ID: <20260310-0001@ch-fictif.mssante.fr>\r\nDate: Tue, 10 Mar 2026 16:20:00 +0100\r\n"
    "Disposition-Notification-To: sorties@ch-fictif.mssante.fr\r\nX-MSS-CODECDA: 11502-2\r\nX-MSS-INS: O\r\n"
    f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{_BOUNDARY}"\r\n\r\n'
)
_IDENTIFIER = '<ExternalIdentifier identificationScheme="urn:uuid:{}" value="{}"/>'
_CODE = (
    '<Classification classificationScheme="urn:uuid:{}" nodeRepresentation="{}"><Slot name="codingScheme"><ValueList><Value>{}</Value>'
    "</ValueList></Slot></Classification>"
)
_METADATA = (
    '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
    '<RegistryObjectList><ExtrinsicObject id="Document01" mimeType="text/xml" objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">'
    "{slots}"
    + _CODE.format("41a5887f-8865-4c09-adf7-e362475b143a", "10", "1.2.250.1.213.1.1.4.1")
    + _CODE.format("f0306f51-975f-434e-a61c-c59651d33983", "11502-2", "2.16.840.1.113883.6.1")
    + _CODE.format("a09d5840-386c-46f2-b5ad-9c3699a4309d", "urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3")
    + _IDENTIFIER.format("58a6f841-87b3-4a3e-92fd-a8ffeff98427", "{patient}")
    + _IDENTIFIER.format("2e82c1f6-a085-4c72-9da3-8640a32e42ab", "{document}")
    + '</ExtrinsicObject><RegistryPackage id="SubmissionSet01">'
    '<Slot name="submissionTime"><ValueList><Value>20260310152000</Value></ValueList></Slot><Classification '
    'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd" classifiedObject="SubmissionSet01"/>'
    + _IDENTIFIER.format("6b5aea1a-874d-4603-a4bc-96a0a7b38446", "{patient}")
    + _IDENTIFIER.format("554ac39e-e3fe-47fe-b233-965d2a147832", "1.2.250.1.999.1")
    + _IDENTIFIER.format("96fdda7c-d067-4183-912e-bf5ee74998a8", "1.2.250.1.999.2")
    + '</RegistryPackage><Association associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember" '
    'sourceObject="SubmissionSet01" targetObject="Document01"/></RegistryObjectList></lcm:SubmitObjectsRequest>'
)


def archive(document: bytes) -> bytes:
    """An IHE_XDM.ZIP of one CDA."""
    values = {
        "hash": hashlib.sha1(document, usedforsecurity=False).hexdigest(),
        "size": str(len(document)),
        "URI": "DOC00001.XML",
    }
    slots = "".join(
        f'<Slot name="{name}"><ValueList><Value>{value}</Value></ValueList></Slot>' for name, value in values.items()
    )
    found = ET.fromstring(document).find("{urn:hl7-org:v3}id")  # noqa: S314 -- ours
    name = "" if found is None else "^".join(filter(None, (found.get("root"), found.get("extension"))))
    metadata = _METADATA.format(slots=slots, patient=PATIENT.replace("&", "&amp;"), document=name)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("INDEX.HTM", "<html/>")
        made.writestr("README.TXT", "CH Fictif\r\n")
        made.writestr("IHE_XDM/SUBSET01/METADATA.XML", metadata)
        made.writestr("IHE_XDM/SUBSET01/DOC00001.XML", document)
    return stream.getvalue()


def mail(size: int) -> bytes:
    """A mail of about ``size`` bytes: half of it a CDA with a PDF inside, half that PDF beside."""
    room = max(size - 4_500, 1_000)  # without headers and metadata
    document = cda(1, 2_000 + room // 2)
    pdf = b"%PDF-1.4\n" + random.Random(2).randbytes(room * 3 // 8)
    parts = (
        ('text/plain; charset="utf-8"', "8bit", "Bonjour, veuillez trouver ci-joint le compte rendu demandé.".encode()),
        ('application/zip; name="IHE_XDM.zip"', "base64", archive(document)),
        ('application/pdf; name="20260310_CR.pdf"', "base64", pdf),
    )
    body = _HEAD.encode()
    for kind, encoding, content in parts:
        written = base64.encodebytes(content).replace(b"\n", b"\r\n") if encoding == "base64" else content
        body += (
            f"--{_BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
            + written
            + b"\r\n"
        )
    return body + f"--{_BOUNDARY}--\r\n".encode()


def floor(raw: bytes, pdf: bool = True) -> list[bytes]:
    """Cut, decode, inflate: nothing is looked at."""
    mark = b"\r\n--" + _BOUNDARY.encode()
    found: list[bytes] = []
    for part in raw.split(mark)[2 : 4 if pdf else 3]:
        content = pybase64.b64decode(part.partition(b"\r\n\r\n")[2].translate(None, b"\r\n"), validate=True)
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as opened:
                found += (opened.read(info) for info in opened.infolist())
        else:
            found.append(content)
    return found


def trees(raw: bytes) -> object:
    """The floor, and the metadata and the CDA parsed (lxml): what no reader can do without."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return [etree.fromstring(data, parser) for data in floor(raw, pdf=False) if data.startswith((b"<?xml", b"<lcm"))]


def standard(raw: bytes) -> object:
    """The way of the standard library: recipients, parts decoded, metadata and CDA parsed."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    found: list[object] = [
        [address.addr_spec for address in message["To"].addresses],
        message["Date"].datetime,
        message["Message-ID"],
        message["Subject"],
    ]
    for part in message.iter_attachments():
        content = part.get_content()
        if isinstance(content, bytes) and content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as opened:
                for info in opened.infolist():
                    data = opened.read(info)
                    found.append(ET.fromstring(data) if info.filename.endswith(".XML") else data)  # noqa: S314 -- as it is done
    return found


def run(_: Namespace) -> Result:
    """Measure the three sizes."""
    from engine.facts import Mailed
    from engine.parsers.mail import parse

    ours = context()
    result = Result(
        "mail", "Mail with XDM and PDF, bytes to facts (ratio: to cutting, decoding and unzipping the same bytes)"
    )
    for label, size in SIZES.items():
        raw = mail(size)
        read = parse(raw, ours)
        found = [(fact.xdm, fact.body, fact.level) for fact in read.facts if isinstance(fact, Mailed)]
        if found != [("valid", "cda", 1)] * 2:
            raise RuntimeError(f"the mail was read as {found}, flags {read.flags}")
        taken = compare(
            {
                "floor": lambda raw=raw: floor(raw),  # type: ignore[misc]
                "floor without the PDF": lambda raw=raw: floor(raw, pdf=False),  # type: ignore[misc]
                "floor without the PDF, XML parsed": lambda raw=raw: trees(raw),  # type: ignore[misc]
                "jauge": lambda raw=raw: parse(raw, ours),  # type: ignore[misc]
                "standard library": lambda raw=raw: standard(raw),  # type: ignore[misc]
            }
        )
        for name, seconds in taken.items():
            result.figures.append(
                Figure(f"{label} ({len(raw):,} B)  {name}", seconds * 1e6, "us", seconds / taken["floor"])
            )
        result.budgets.append(Budget(f"{label}: jauge over the floor", taken["jauge"] / taken["floor"], 2))
        result.budgets.append(
            Budget(
                f"{label}: standard library over jauge", taken["standard library"] / taken["jauge"], 10, at_least=True
            )
        )
    return result
