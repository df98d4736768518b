"""Builds the FHIR payloads of the tests: requests of ITI-65, their responses, audit events. Everything in them is invented."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from engine.parsers import fhir
from engine.parsers.context import Context, default
from engine.parsers.parsed import Parsed

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures" / "fhir"
CDA = (ROOT / "fixtures" / "cda" / "ldl_ses_n1.xml").read_bytes()

INS = "290067599900261"
INS_ROOT = "1.2.250.1.213.1.4.10"
IPP = "IPP000777"
IPP_ROOT = "1.2.250.1.999.42.1"
SET = "1.2.250.1.999.42.20.9001"
DOCUMENT = "1.2.250.1.999.42.10.1001"
REQUEST = "6d0f8f3e-0000-4000-8000-000000000065"
AT = 1773156005  # 2026-03-10T16:20:05+01:00
CREATED = 1773155700  # 2026-03-10T16:15:00+01:00

Json = dict[str, Any]


def data(resource: Any) -> bytes:
    """A resource as the bytes of a payload."""
    return json.dumps(resource, ensure_ascii=False).encode()


def head(*lines: str, start: str = "") -> bytes:
    """The head of an HTTP message; its Content-Type is that of FHIR."""
    return "\r\n".join([*([start] if start else []), "Content-Type: application/fhir+json", *lines, "", ""]).encode()


def asked(request_id: str = REQUEST) -> bytes:
    """The head of a request."""
    return head(f"X-Request-Id: {request_id}", start="POST /fhir HTTP/1.1")


def answered(status: str = "200 OK", request_id: str = REQUEST) -> bytes:
    """The head of a response."""
    return head(f"X-Request-Id: {request_id}", start=f"HTTP/1.1 {status}")


def parse(payload: bytes, context: Context | None = None) -> Parsed:
    """Parse with a context of its own."""
    return fhir.parse(payload, context or default())


def identifier(root: str, value: str, kind: str = "") -> Json:
    """An Identifier in the system of an OID."""
    found: Json = {"system": f"urn:oid:{root}", "value": value}
    return found | {"type": {"coding": [{"code": kind}]}} if kind else found


def oid(unique: str, use: str = "usual") -> Json:
    """An Identifier that is an OID by itself."""
    return {"use": use, "system": "urn:ietf:rfc:3986", "value": f"urn:oid:{unique}"}


def submission_set(unique: str = SET, **changes: Any) -> Json:
    """The List of a submission set."""
    found: Json = {
        "resourceType": "List",
        "identifier": [oid(unique), {"use": "official", "value": "urn:uuid:00000000-0000-4000-8000-00000000ae01"}],
        "status": "current",
        "mode": "working",
        "code": {
            "coding": [{"system": "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "code": "submissionset"}]
        },
        "subject": {"reference": f"Patient?identifier=urn:oid:{INS_ROOT}|{INS}"},
        "date": "2026-03-10T16:20:05+01:00",
        "extension": [
            {
                "url": "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId",
                "valueIdentifier": {"value": "urn:oid:1.2.250.1.999.42.30"},
            }
        ],
        "entry": [{"item": {"reference": "urn:uuid:00000000-0000-4000-8000-0000000000d1"}}],
    }
    return _without(found | changes)


def document_reference(unique: str = DOCUMENT, binary: str = "d0", **changes: Any) -> Json:
    """The DocumentReference of a letter; ``binary`` names the Binary that holds it."""
    found: Json = {
        "resourceType": "DocumentReference",
        "contained": [
            {
                "resourceType": "Patient",
                "id": "source",
                "identifier": [identifier(INS_ROOT, INS, "INS-NIR-TEST"), identifier(IPP_ROOT, IPP, "PI")],
                "name": [{"family": "EXEMPLE", "given": ["CAMILLE"]}],
            }
        ],
        "masterIdentifier": oid(unique),
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11490-0"}]},
        "category": [{"coding": [{"system": "urn:oid:1.2.250.1.213.1.1.4.1", "code": "10"}]}],
        "subject": {"reference": f"Patient?identifier=urn:oid:{INS_ROOT}|{INS}"},
        "date": "2026-03-10T16:15:00+01:00",
        "content": [
            {
                "attachment": {
                    "contentType": "text/xml",
                    "url": f"urn:uuid:00000000-0000-4000-8000-0000000000{binary}",
                    "size": len(CDA),
                    "hash": base64.b64encode(hashlib.sha1(CDA).digest()).decode(),
                    "title": "Lettre de liaison",
                },
                "format": {"system": "urn:oid:1.2.250.1.213.1.1.4.2.282", "code": "urn:ihe:iti:xds-sd:text:2008"},
            }
        ],
        "context": {
            "period": {"start": "2026-03-08T09:00:00+01:00", "end": "2026-03-10T15:00:00+01:00"},
            "sourcePatientInfo": {"reference": "#source"},
        },
    }
    return _without(found | changes)


def binary(content: bytes = CDA) -> Json:
    """A Binary."""
    return {"resourceType": "Binary", "contentType": "text/xml", "data": base64.b64encode(content).decode()}


def bundle(*entries: Json, type: str = "transaction", **changes: Any) -> Json:
    """A Bundle of these entries."""
    return {"resourceType": "Bundle", "type": type, **changes, "entry": list(entries)}


def entry(resource: Json, number: str = "", url: str = "") -> Json:
    """An entry of a request, under a URN that ends in ``number``."""
    found: Json = {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-0000000000{number}"} if number else {}
    return found | {"resource": resource, "request": {"method": "POST", "url": url or resource["resourceType"]}}


def request(content: bytes = CDA, **changes: Any) -> Json:
    """An ITI-65 request with one document; ``changes`` are those of its DocumentReference."""
    return bundle(
        entry(submission_set(), "5e"), entry(document_reference(**changes), "d1"), entry(binary(content), "d0")
    )


def signature() -> Json:
    """The DocumentReference of the signature of the set, which is no document."""
    return document_reference(
        "1.2.250.1.999.42.10.1999",
        "d9",
        type={"coding": [{"system": "urn:oid:1.2.840.10065.1.12", "code": "E1762"}]},
    )


def outcome(code: str = "", severity: str = "error", issue: str = "processing") -> Json:
    """An OperationOutcome with one issue; ``code`` is that of its details."""
    found: Json = {"severity": severity, "code": issue, "diagnostics": "texte libre du serveur"}
    if code:
        found["details"] = {"coding": [{"code": code}], "text": "texte libre du serveur"}
    return {"resourceType": "OperationOutcome", "issue": [found]}


def response(*statuses: str, type: str = "transaction-response", **changes: Any) -> Json:
    """A response of these statuses (default: three created)."""
    entries = [
        {
            "response": {
                "status": status,
                "location": f"DocumentReference/{n}/_history/1",
                "lastModified": "2026-03-10T16:20:09+01:00",
            }
        }
        for n, status in enumerate(statuses or ("201 Created",) * 3)
    ]
    return bundle(*entries, type=type, **changes)


def audit_event(kind: str = "ITI-65", **changes: Any) -> Json:
    """The AuditEvent of a submission at its source (MHD)."""
    dicom = "http://dicom.nema.org/resources/ontology/DCM"
    found: Json = {
        "resourceType": "AuditEvent",
        "id": "audit-1",
        "type": {"system": dicom, "code": "110106"},
        "subtype": [{"system": "urn:ihe:event-type-code", "code": kind}],
        "action": "R",
        "recorded": "2026-03-10T16:20:05.120+01:00",
        "outcome": "0",
        "agent": [
            {"type": {"coding": [{"system": dicom, "code": "110153"}]}, "who": {"display": "PFI"}, "requestor": True},
            {"type": {"coding": [{"system": dicom, "code": "110152"}]}, "who": {"display": "DMP"}, "requestor": False},
        ],
        "source": {"observer": {"display": "PFI"}},
        "entity": [
            {
                "what": {"reference": f"Patient?identifier=urn:oid:{INS_ROOT}%7C{INS}"},
                "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1"},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"},
            },
            {
                "what": {"identifier": oid(SET)},
                "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "2"},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "20"},
            },
        ],
    }
    return _without(found | changes)


def _without(found: Json) -> Json:
    return {name: value for name, value in found.items() if value is not None}
