"""The exchanges with the DMP as the platform dumps them: ITI-41 (MTOM/XOP), ITI-57, ITI-18, and their responses.

Metadata in ebRIM (IHE ITI TF-3 4.2). Times of the metadata are UTC, without offset.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode, encodebytes
from dataclasses import dataclass
from typing import Final

_STATUS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_SEVERITY: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
_PROVIDE: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
_UPDATE: Final = "urn:ihe:iti:2010:UpdateDocumentSet"
_QUERY: Final = "urn:ihe:iti:2007:RegistryStoredQuery"
_RPLC: Final = "urn:ihe:iti:2007:AssociationType:RPLC"
_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
_SIGNATURE: Final = b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>'
_ENTRY: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"


@dataclass(slots=True, kw_only=True)
class Part:
    """One document of a request: its metadata and its bytes."""

    name: str  # id in the request
    unique_id: str
    type_code: str
    format_code: str
    created: str
    service_start: str
    content: bytes
    measured: bool  # with hash and size
    replaces: str = ""  # entryUUID


@dataclass(slots=True, kw_only=True)
class Set:
    """One submission set and the SOAP request that carries it."""

    message_id: str
    set_id: str
    submitted: str
    patient: str  # CX of the INS
    source_patient: str  # CX of the IPP
    parts: tuple[Part, ...]
    form: str = "xop"  # xop, base64 (a part in base64), inline (no part: within the XML), plain (no MIME at all)
    head: bool = True  # with its HTTP head
    date: str = ""


# ---- ITI-41


def request(what: Set) -> bytes:
    """The whole request, as it goes over the wire."""
    bodies = "".join(_carried(index, part, what.form) for index, part in enumerate(what.parts, 2))
    signature = '<x:Document id="Signature01"><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:0.1%40pfi"/></x:Document>'
    if what.form == "plain":
        signature = f'<x:Document id="Signature01">{b64encode(_SIGNATURE).decode()}</x:Document>'
    body = (
        '<x:ProvideAndRegisterDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007">'
        f"{_metadata(what)}{bodies}{signature}</x:ProvideAndRegisterDocumentSetRequest>"
    )
    envelope = _envelope(_PROVIDE, body, message_id=what.message_id).encode()
    if what.form == "plain":
        return _head("POST /services/repository HTTP/1.1", what, "application/soap+xml; charset=UTF-8", envelope)
    boundary = f"MIME_{what.message_id[:8]}"
    root = 'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root@pfi>'
    parts = [(root, envelope), (_part("0.1@pfi", "binary"), _SIGNATURE)]
    if what.form != "inline":
        for index, part in enumerate(what.parts, 2):
            packed = what.form == "base64"
            content = encodebytes(part.content).replace(b"\n", b"\r\n") if packed else part.content
            parts.append((_part(f"0.{index}@pfi", "base64" if packed else "binary"), content))
    payload = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary.encode(), head.encode(), data) for head, data in parts)
    kind = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<root@pfi>"; '
        f'start-info="application/soap+xml"; action="{_PROVIDE}"'
    )
    return _head("POST /services/repository HTTP/1.1", what, kind, payload + b"--%b--\r\n" % boundary.encode())


def _part(content_id: str, encoding: str) -> str:
    return (
        f"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: {encoding}\r\nContent-ID: <{content_id}>"
    )


def _head(start: str, what: Set, kind: str, payload: bytes) -> bytes:
    if not what.head:
        return payload
    date = f"Date: {what.date}\r\n" if what.date else ""
    fields = (
        f"{start}\r\nHost: dmp.exemple.invalid\r\n{date}Content-Type: {kind}\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return fields.encode() + payload


def _carried(index: int, part: Part, form: str) -> str:
    if form in ("inline", "plain"):
        return f'<x:Document id="{part.name}">{b64encode(part.content).decode()}</x:Document>'
    include = f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:0.{index}%40pfi"/>'
    return f'<x:Document id="{part.name}">{include}</x:Document>'


# ---- ebRIM


def _slot(name: str, *values: str) -> str:
    if not any(values):
        return ""
    inside = "".join(f"<Value>{_text(value)}</Value>" for value in values)
    return f'<Slot name="{name}"><ValueList>{inside}</ValueList></Slot>'


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;")


def _classified(owner: str, scheme: str, code: str, system: str) -> str:
    return (
        f'<Classification id="{owner}-{scheme[:4]}" classificationScheme="urn:uuid:{scheme}" classifiedObject="{owner}" '
        f'nodeRepresentation="{code}">{_slot("codingScheme", system)}</Classification>'
    )


def _external(owner: str, scheme: str, value: str) -> str:
    return (
        f'<ExternalIdentifier id="{owner}-{scheme[:4]}" registryObject="{owner}" identificationScheme="urn:uuid:{scheme}" '
        f'value="{_text(value)}"/>'
    )


def _association(kind: str, source: str, target: str, slots: str = "") -> str:
    number = hashlib.sha1(f"{kind}{source}{target}".encode(), usedforsecurity=False).hexdigest()[:8]
    return f'<Association id="as{number}" associationType="{kind}" sourceObject="{source}" targetObject="{target}">{slots}</Association>'


def _objects(inside: str) -> str:
    return (
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0">'
        f'<RegistryObjectList xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">{inside}</RegistryObjectList>'
        "</lcm:SubmitObjectsRequest>"
    )


def _package(what: Set) -> str:
    return (
        f'<RegistryPackage id="SubSet01">{_slot("submissionTime", what.submitted)}'
        '<Classification id="c8" classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd" classifiedObject="SubSet01"/>'
        + _classified("SubSet01", "aa543740-bdda-424e-8c96-df4873be8500", "03", "1.2.250.1.213.2.2")
        + _external("SubSet01", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", what.patient)
        + _external("SubSet01", "554ac39e-e3fe-47fe-b233-965d2a147832", "1.2.250.1.999.42")
        + _external("SubSet01", "96fdda7c-d067-4183-912e-bf5ee74998a8", what.set_id)
        + "</RegistryPackage>"
    )


def _metadata(what: Set) -> str:
    entries = [_entry(part, what) for part in what.parts]
    original = _slot("SubmissionSetStatus", "Original")
    links = [_association(_MEMBER, "SubSet01", part.name, original) for part in what.parts]
    links += [_association(_RPLC, part.name, part.replaces) for part in what.parts if part.replaces]
    links.append(_association(_MEMBER, "SubSet01", "Signature01", original))
    links.append(_association("urn:ihe:iti:2007:AssociationType:signs", "Signature01", "SubSet01"))
    return _objects("".join([*entries, _signature(what), _package(what), *links]))


def _entry(part: Part, what: Set) -> str:
    digest = hashlib.sha1(part.content, usedforsecurity=False).hexdigest()
    measured = _slot("hash", digest) + _slot("size", str(len(part.content))) if part.measured else ""
    return (
        f'<ExtrinsicObject id="{part.name}" mimeType="text/xml" objectType="{_ENTRY}">'
        + _slot("creationTime", part.created)
        + _slot("languageCode", "fr-FR")
        + _slot("serviceStartTime", part.service_start)
        + _slot("sourcePatientId", what.source_patient)
        + _slot("sourcePatientInfo", "PID-5|ESSAI^CAMILLE^^^^^L", "PID-8|U")
        + measured
        + _classified(part.name, "f0306f51-975f-434e-a61c-c59651d33983", part.type_code, "2.16.840.1.113883.6.1")
        + _classified(part.name, "a09d5840-386c-46f2-b5ad-9c3699a4309d", part.format_code, "1.3.6.1.4.1.19376.1.2.3")
        + _external(part.name, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", what.patient)
        + _external(part.name, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", part.unique_id)
        + "</ExtrinsicObject>"
    )


def _signature(what: Set) -> str:
    """The entry of the set's signature: no document of anybody."""
    name = "Signature01"
    return (
        f'<ExtrinsicObject id="{name}" mimeType="text/xml" objectType="{_ENTRY}">'
        + _slot("creationTime", what.submitted)
        + _slot("languageCode", "art")
        + _classified(name, "f0306f51-975f-434e-a61c-c59651d33983", "E1762", "ASTM")
        + _classified(name, "a09d5840-386c-46f2-b5ad-9c3699a4309d", "http://www.w3.org/2000/09/xmldsig#", "URN")
        + _external(name, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", what.patient)
        + _external(name, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", f"{what.set_id}.1")
        + "</ExtrinsicObject>"
    )


# ---- ITI-57, ITI-18


def deletion(what: Set, entries: tuple[str, ...]) -> bytes:
    """ITI-57: the documents of these entryUUID become deleted."""
    slots = _slot("OriginalStatus", "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved") + _slot(
        "NewStatus", "urn:asip:ci-sis:2010:StatusType:Deleted"
    )
    kind = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    updates = "".join(_association(kind, "SubSet01", entry, slots) for entry in entries)
    envelope = _envelope(_UPDATE, _objects(_package(what) + updates), message_id=what.message_id).encode()
    return _head("POST /services/registry HTTP/1.1", what, "application/soap+xml; charset=UTF-8", envelope)


def found(what: Set, entries: tuple[tuple[str, str], ...]) -> bytes:
    """The response of ITI-18 that tells which entryUUID the DMP gave to which uniqueId."""
    objects = "".join(
        f'<ExtrinsicObject id="{entry}" mimeType="text/xml" objectType="{_ENTRY}" '
        'status="urn:oasis:names:tc:ebxml-regrep:StatusType:Approved">'
        + _external(entry, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", what.patient)
        + _external(entry, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", unique_id)
        + "</ExtrinsicObject>"
        for entry, unique_id in entries
    )
    body = (
        f'<q:AdhocQueryResponse xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" status="{_STATUS}Success">'
        f'<RegistryObjectList xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">{objects}</RegistryObjectList></q:AdhocQueryResponse>'
    )
    return _response(_QUERY, body, what)


# ---- responses


def accepted(what: Set, *, warning: bool = False, update: bool = False) -> bytes:
    """RegistryResponse, Success; maybe with a warning."""
    inside = ""
    if warning:
        inside = (
            f'<rs:RegistryErrorList highestSeverity="{_SEVERITY}Warning"><rs:RegistryError errorCode="XDSExtraMetadataNotSaved" '
            f'codeContext="essai" severity="{_SEVERITY}Warning"/></rs:RegistryErrorList>'
        )
    return _registry("Success", inside, what, update)


def refused(what: Set, code: str, *, update: bool = False) -> bytes:
    """RegistryResponse, Failure, with its code."""
    inside = (
        f'<rs:RegistryErrorList highestSeverity="{_SEVERITY}Error"><rs:RegistryError errorCode="{code}" '
        f'codeContext="texte libre d\'essai" location="" severity="{_SEVERITY}Error"/></rs:RegistryErrorList>'
    )
    return _registry("Failure", inside, what, update)


def _registry(status: str, inside: str, what: Set, update: bool) -> bytes:
    body = f'<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="{_STATUS}{status}">{inside}</rs:RegistryResponse>'
    return _response(_UPDATE if update else _PROVIDE, body, what)


def fault(what: Set) -> bytes:
    """A SOAP fault, with HTTP 500."""
    body = (
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>"
        '<s:Reason><s:Text xml:lang="fr">Service indisponible</s:Text></s:Reason></s:Fault>'
    )
    envelope = _envelope("http://www.w3.org/2005/08/addressing/fault", body, relates=what.message_id).encode()
    return _head("HTTP/1.1 500 Internal Server Error", what, "application/soap+xml; charset=UTF-8", envelope)


def _response(action: str, body: str, what: Set) -> bytes:
    envelope = _envelope(f"{action}Response", body, relates=what.message_id).encode()
    return _head("HTTP/1.1 200 OK", what, "application/soap+xml; charset=UTF-8", envelope)


def _envelope(action: str, body: str, message_id: str = "", relates: str = "") -> str:
    names = f"<a:MessageID>urn:uuid:{message_id}</a:MessageID>" if message_id else ""
    names += f"<a:RelatesTo>urn:uuid:{relates}</a:RelatesTo>" if relates else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing">'
        f'<s:Header>{names}<a:Action s:mustUnderstand="true">{action}</a:Action></s:Header><s:Body>{body}</s:Body></s:Envelope>'
    )
