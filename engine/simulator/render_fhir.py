"""FHIR as the platform posts its copies: ITI-65 (Bundle of a List, DocumentReferences and Binaries), responses, AuditEvents.

A payload is the head of the HTTP message (the fields that matter) and its body, separated by an empty line; the sender makes
the request of it.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any, Final, NamedTuple

from engine.simulator.render_xds import Part

_LIST: Final = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
_URI: Final = "urn:ietf:rfc:3986"


class Provide(NamedTuple):
    """One provide document bundle. Times are ISO 8601 with offset."""

    request_id: str
    set_id: str
    submitted: str
    matricule: str
    ins_root: str  # OID
    ipp: str
    ipp_root: str
    parts: tuple[Part, ...]


def request(what: Provide) -> bytes:
    """ITI-65: a transaction of a submission set, its documents and their contents."""
    entries: list[dict[str, Any]] = [_entry("List", f"urn:uuid:{what.request_id}", _list(what))]
    for part in what.parts:
        binary = f"urn:uuid:{_uuid(part, 'binary')}"
        entries.append(
            _entry("DocumentReference", f"urn:uuid:{_uuid(part, 'reference')}", _reference(part, binary, what))
        )
        data = b64encode(part.content).decode()
        entries.append(_entry("Binary", binary, {"resourceType": "Binary", "contentType": "text/xml", "data": data}))
    bundle = {"resourceType": "Bundle", "type": "transaction", "timestamp": what.submitted, "entry": entries}
    return _message(what.request_id, "", bundle)


def accepted(what: Provide, at: str, date: str) -> bytes:
    """The transaction-response: everything was created."""
    kinds = ["List"] + ["DocumentReference", "Binary"] * len(what.parts)
    entries = [
        {"response": {"status": "201 Created", "location": f"{kind}/{index}/_history/1", "lastModified": at}}
        for index, kind in enumerate(kinds, 1)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction-response", "timestamp": at, "entry": entries}
    return _message(what.request_id, date, bundle)


def refused(what: Provide, code: str, at: str, date: str) -> bytes:
    """An OperationOutcome: the whole transaction is refused."""
    issue = {
        "severity": "error",
        "code": "processing",
        "details": {"coding": [{"system": "urn:oid:1.3.6.1.4.1.19376.1.2.3", "code": code}]},
    }
    outcome = {"resourceType": "OperationOutcome", "meta": {"lastUpdated": at}, "issue": [issue]}
    return _message(what.request_id, date, outcome)


def audit(what: Provide, at: str, *, success: bool) -> bytes:
    """The AuditEvent of ITI-65 at its source."""
    dicom = "http://dicom.nema.org/resources/ontology/DCM"
    kinds, roles = (
        "http://terminology.hl7.org/CodeSystem/audit-entity-type",
        "http://terminology.hl7.org/CodeSystem/object-role",
    )
    patient = {"identifier": {"system": f"urn:oid:{what.ins_root}", "value": what.matricule}}
    subset = {"identifier": {"system": _URI, "value": f"urn:oid:{what.set_id}"}}
    event = {
        "resourceType": "AuditEvent",
        "type": {"system": dicom, "code": "110106", "display": "Export"},
        "subtype": [{"system": "urn:ihe:event-type-code", "code": "ITI-65"}],
        "action": "R",
        "recorded": at,
        "outcome": "0" if success else "8",
        "agent": [
            {"type": {"coding": [{"system": dicom, "code": "110153"}]}, "who": {"display": "PFI"}, "requestor": True}
        ],
        "source": {"observer": {"display": "PFI-DMP"}},
        "entity": [
            {"what": patient, "type": {"system": kinds, "code": "1"}, "role": {"system": roles, "code": "1"}},
            {"what": subset, "type": {"system": kinds, "code": "2"}, "role": {"system": roles, "code": "20"}},
        ],
    }
    return _message("", "", event)


def _message(request_id: str, date: str, resource: dict[str, Any]) -> bytes:
    fields = ["Content-Type: application/fhir+json"]
    fields += [f"X-Request-Id: {request_id}"] if request_id else []
    fields += [f"Date: {date}"] if date else []
    return "\r\n".join([*fields, "", ""]).encode() + json.dumps(resource, ensure_ascii=False).encode()


def _entry(kind: str, url: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": kind}}


def _uuid(part: Part, kind: str) -> str:
    digest = hashlib.sha1(f"{kind}{part.unique_id}".encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def _subject(what: Provide) -> dict[str, Any]:
    if int(what.request_id[0], 16) % 2:
        return {"reference": f"Patient?identifier=urn:oid:{what.ins_root}|{what.matricule}"}
    return {"identifier": {"system": f"urn:oid:{what.ins_root}", "value": what.matricule}}


def _list(what: Provide) -> dict[str, Any]:
    return {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "identifier": [{"use": "official", "system": _URI, "value": f"urn:oid:{what.set_id}"}],
        "code": {"coding": [{"system": _LIST, "code": "submissionset"}]},
        "subject": _subject(what),
        "date": what.submitted,
        "entry": [{"item": {"reference": f"urn:uuid:{_uuid(part, 'reference')}"}} for part in what.parts],
    }


def _reference(part: Part, binary: str, what: Provide) -> dict[str, Any]:
    attachment: dict[str, Any] = {"contentType": "text/xml", "url": binary}
    if part.measured:
        digest = hashlib.sha1(part.content, usedforsecurity=False).digest()
        attachment |= {"size": len(part.content), "hash": b64encode(digest).decode()}
    patient = {
        "resourceType": "Patient",
        "id": "source",
        "identifier": [{"system": f"urn:oid:{what.ipp_root}", "value": what.ipp}],
    }
    root, _, extension = part.unique_id.partition("^")
    master = (
        {"system": f"urn:oid:{root}", "value": extension} if extension else {"system": _URI, "value": f"urn:oid:{root}"}
    )
    resource = {
        "resourceType": "DocumentReference",
        "contained": [patient],
        "masterIdentifier": master,
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": part.type_code}]},
        "subject": _subject(what),
        "date": part.created,
        "content": [{"attachment": attachment, "format": {"code": part.format_code}}],
        "context": {"period": {"start": part.service_start}, "sourcePatientInfo": {"reference": "#source"}},
    }
    if part.replaces:
        resource["relatesTo"] = [
            {"code": "replaces", "target": {"identifier": {"system": _URI, "value": f"urn:oid:{part.replaces}"}}}
        ]
    return resource
