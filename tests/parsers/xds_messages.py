"""XDS messages for tests, built piece by piece; every one is invented."""

from __future__ import annotations

import base64
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from engine.parsers import xds
from engine.parsers.context import Context, default
from engine.parsers.parsed import Parsed

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
DMP = FIXTURES / "dmp"
CDA = (FIXTURES / "cda" / "ldl_ses_n1.xml").read_bytes()

MESSAGE = "urn:uuid:00000000-0000-4000-8000-000000000041"
SET = "1.2.250.1.999.42.20.9001"
DOCUMENT = "1.2.250.1.999.42.10.1001"
FORMER = "urn:uuid:00000000-0000-4000-8000-00000000e001"
PATIENT = "290067599900261^^^&1.2.250.1.213.1.4.10&ISO^NH"
IPP = "IPP000777^^^&1.2.250.1.999.42.1&ISO^PI"
BOUNDARY = "uuid:b1.example"

PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
REGISTER = "urn:ihe:iti:2007:RegisterDocumentSet-b"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
AVAILABILITY = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
DELETED = "urn:asip:ci-sis:2010:StatusType:Deleted"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"

_NAMESPACES = (
    'xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" '
    'xmlns:ns4="urn:ihe:iti:xds-b:2007" xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"'
)
_SCHEMES = {
    "type": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "class": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "format": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
}
_TIMES = {"creationTime": "20260310151500", "serviceStartTime": "20260305080000", "serviceStopTime": "20260310140000"}


def slot(name: str, *values: str) -> str:
    """A slot with its values."""
    return f'<Slot name="{name}"><ValueList>{"".join(f"<Value>{escape(value)}</Value>" for value in values)}</ValueList></Slot>'


def identifier(scheme: str, value: str) -> str:
    """An external identifier."""
    return f"<ExternalIdentifier identificationScheme={quoteattr(scheme)} value={quoteattr(value)}/>"


def code(kind: str, value: str) -> str:
    """A classification by type, class or format, with the slot of its own that real ones have."""
    return (
        f'<Classification classificationScheme="{_SCHEMES[kind]}" classifiedObject="x" nodeRepresentation={quoteattr(value)}>'
        f'{slot("codingScheme", "2.16.840.1.113883.6.1")}<Name><LocalizedString value="libellé"/></Name></Classification>'
    )


def entry(
    name: str = "Document01",
    *,
    unique_id: str = DOCUMENT,
    patient: str = PATIENT,
    ipp: str = IPP,
    type_code: str = "11490-0",
    class_code: str = "10",
    format_code: str = "urn:ihe:iti:xds-sd:pdf:2008",
    media_type: str = "text/xml",
    object_type: str = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
    **slots: str,
) -> str:
    """A document entry; ``slots`` replace or add to the three times, an empty one takes it off."""
    written = "".join(slot(key, value) for key, value in (_TIMES | slots).items() if value)
    return (
        f'<ExtrinsicObject id="{name}" mimeType="{media_type}" objectType="{object_type}">{written}'
        + (slot("sourcePatientId", ipp) if ipp else "")
        + slot("sourcePatientInfo", "PID-5|EXEMPLE^CAMILLE^^^^^L", "PID-7|19850112", "PID-8|F")
        + code("type", type_code)
        + code("class", class_code)
        + code("format", format_code)
        + (identifier("urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", patient) if patient else "")
        + (identifier("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", unique_id) if unique_id else "")
        + "</ExtrinsicObject>"
    )


def signature(name: str = "Signature01") -> str:
    """The entry of the signature of a lot, as the DMP asks for it."""
    return entry(
        name,
        unique_id="1.2.250.1.999.42.10.9001",
        type_code="E1762",
        class_code="urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1",
        format_code="http://www.w3.org/2000/09/xmldsig#",
    ) + association("urn:ihe:iti:2007:AssociationType:signs", name, "SubmissionSet01")


def submission_set(
    *, unique_id: str = SET, patient: str = PATIENT, at: str = "20260310152000", beside: bool = False
) -> str:
    """A submission set, classified inside or beside."""
    label = '<Classification classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd" classifiedObject="SubmissionSet01"/>'
    return (
        f'<RegistryPackage id="SubmissionSet01">{slot("submissionTime", at) if at else ""}{"" if beside else label}'
        + (identifier("urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", patient) if patient else "")
        + identifier("urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832", "1.2.250.1.999.42")
        + (identifier("urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", unique_id) if unique_id else "")
        + f"</RegistryPackage>{label if beside else ''}"
    )


def association(kind: str, source: str, target: str, **slots: str) -> str:
    """An association with its slots."""
    written = "".join(slot(key, value) for key, value in slots.items())
    return (
        f'<Association associationType="{kind}" sourceObject="{source}" targetObject="{target}">{written}</Association>'
    )


def submit(*objects: str) -> str:
    """A SubmitObjectsRequest."""
    return f"<lcm:SubmitObjectsRequest {_NAMESPACES}><RegistryObjectList>{''.join(objects)}</RegistryObjectList></lcm:SubmitObjectsRequest>"


def xop(name: str, href: str = "cid:0.2") -> str:
    """A document that is a part."""
    return f'<ns4:Document id="{name}"><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="{href}"/></ns4:Document>'


def inline(name: str, data: bytes) -> str:
    """A document in base64."""
    return f'<ns4:Document id="{name}">{base64.b64encode(data).decode()}</ns4:Document>'


def provide(*objects: str, documents: str = "") -> str:
    """The body of an ITI-41 request."""
    return f"<ns4:ProvideAndRegisterDocumentSetRequest {_NAMESPACES}>{submit(*objects)}{documents}</ns4:ProvideAndRegisterDocumentSetRequest>"


def envelope(
    body: str, *, message: str = "", relates: str = "", action: str = "", header: str = "", soap11: bool = False
) -> bytes:
    """A SOAP message."""
    namespace = "http://schemas.xmlsoap.org/soap/envelope/" if soap11 else "http://www.w3.org/2003/05/soap-envelope"
    fields = "".join(
        f"<a:{name}>{text}</a:{name}>"
        for name, text in (("Action", action), ("MessageID", message), ("RelatesTo", relates))
        if text
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{namespace}" xmlns:a="http://www.w3.org/2005/08/addressing">'
        f"<s:Header>{fields}{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def mime(
    root: bytes,
    *parts: tuple[str, bytes],
    encoding: str = "binary",
    end: bytes = b"\r\n",
    closed: bool = True,
    boundary: str = BOUNDARY,
) -> bytes:
    """A multipart body: the root, then ``(Content-ID, content)``."""
    mark = b"--" + boundary.encode()
    pieces = [
        mark,
        b'Content-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"',
        b"Content-ID: <0.1>",
        b"",
        root,
    ]
    for name, content in parts:
        coded = base64.encodebytes(content).replace(b"\n", end) if encoding.lower() == "base64" else content
        pieces += [mark, b"Content-Type: application/octet-stream", b"content-transfer-encoding: " + encoding.encode()]
        pieces += [f"Content-ID: <{name}>".encode(), b"", coded]
    return end.join([*pieces, mark + b"--", b""] if closed else pieces)


def post(body: bytes, *, action: str = PROVIDE, boundary: str = BOUNDARY, **fields: str) -> bytes:
    """An HTTP request that carries a multipart body."""
    kind = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<0.1>"; '
        f'start-info="application/soap+xml"; action="{action}"'
    )
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return (
        f"POST /services/repository HTTP/1.1\r\nHost: dmp.example\r\n{more}Content-Type: {kind}\r\n\r\n".encode() + body
    )


def request(*objects: str, cda: bytes | None = CDA, message: str = MESSAGE) -> bytes:
    """An ITI-41 request in MTOM with one document and the signature of the lot, as a platform sends it."""
    objects = objects or (entry(), signature(), submission_set(), association(MEMBER, "SubmissionSet01", "Document01"))
    documents = xop("Document01") + xop("Signature01", "cid:0.3")
    parts = [("0.3", b"<Signature/>")] if cda is None else [("0.2", cda), ("0.3", b"<Signature/>")]
    return post(mime(envelope(provide(*objects, documents=documents), message=message, action=PROVIDE), *parts))


def plain(*objects: str, documents: str = "", message: str = MESSAGE, action: str = PROVIDE, header: str = "") -> bytes:
    """An ITI-41 request as lone XML."""
    return envelope(provide(*objects, documents=documents), message=message, action=action, header=header)


def deletion(*associations: str, action: str = UPDATE) -> bytes:
    """An ITI-57 request."""
    return envelope(submit(submission_set(), *associations), message=MESSAGE, action=action)


def removal(target: str = FORMER, status: str = DELETED) -> str:
    """The association by which a document leaves the DMP."""
    return association(AVAILABILITY, "SubmissionSet01", target, OriginalStatus=APPROVED, NewStatus=status)


def registry(status: str, *errors: tuple[str, str]) -> str:
    """A RegistryResponse with ``(errorCode, severity)``; its free texts hold what must never be kept."""
    listed = "".join(
        f'<rs:RegistryError errorCode="{name}" codeContext="patient 285017511867881" severity="{SEVERITY}{severity}" location="here"/>'
        for name, severity in errors
    )
    return (
        f'<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" status="{STATUS}{status}">'
        f"<rs:RegistryErrorList>{listed}</rs:RegistryErrorList></rs:RegistryResponse>"
    )


def answer(body: str, *, relates: str = MESSAGE, action: str = f"{PROVIDE}Response", header: str = "") -> bytes:
    """An answer to a request."""
    return envelope(body, relates=relates, action=action, header=header)


def query(*objects: str) -> bytes:
    """An ITI-18 answer."""
    body = (
        f'<query:AdhocQueryResponse xmlns:query="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" {_NAMESPACES} '
        f'status="{STATUS}Success"><RegistryObjectList>{"".join(objects)}</RegistryObjectList></query:AdhocQueryResponse>'
    )
    return answer(body, action=f"{QUERY}Response")


def fault() -> str:
    """A SOAP fault."""
    return "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>patient 285017511867881</s:Text></s:Reason></s:Fault>"


def respond(status: str, body: bytes, kind: str = "application/soap+xml; charset=utf-8", **fields: str) -> bytes:
    """An HTTP response."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return (
        f"HTTP/1.1 {status}\r\nDate: Tue, 10 Mar 2026 15:20:05 GMT\r\n{more}Content-Type: {kind}\r\n\r\n".encode()
        + body
    )


def parse(payload: bytes, context: Context | None = None) -> Parsed:
    """Parse with a context of its own."""
    return xds.parse(payload, context or default())


def codes(found: Parsed) -> list[str]:
    """The codes of the flags, in order."""
    return [flag.code for flag in found.flags]


def corpus() -> list[bytes]:
    """Messages of every kind to start from: the fixtures, and some shapes that they do not have."""
    small = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/></ClinicalDocument>'
    return [
        *(path.read_bytes() for path in sorted(DMP.iterdir())),
        post(mime(plain(entry(), submission_set(), documents=xop("Document01")), ("0.2", small), encoding="base64")),
        mime(plain(entry(), submission_set(), documents=xop("Document01")), ("0.2", small), end=b"\n"),
        plain(entry(), submission_set(beside=True), documents=inline("document01", small)),
        deletion(removal()),
        query(entry(FORMER)),
        respond("502 Bad Gateway", b"<html/>", "text/html", X_Request_ID="r-1"),
    ]
