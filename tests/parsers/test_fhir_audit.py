"""FHIR audit events of submissions."""

from __future__ import annotations

from typing import Any

import pytest

from engine.facts import AUDIT, Document, Outcome, Submission
from engine.parsers import fhir_audit, submissions
from engine.parsers.context import default
from tests.parsers.fhir_resources import (
    AT,
    DOCUMENT,
    INS,
    INS_ROOT,
    REQUEST,
    SET,
    audit_event,
    data,
    document_reference,
    identifier,
    oid,
    parse,
)

CONTEXT = default()
PATIENT = audit_event()["entity"][0]


def facts(event: dict[str, Any]) -> tuple[Submission, Outcome]:
    """The two facts of an event."""
    submission, outcome = parse(data(event)).facts
    assert isinstance(submission, Submission)
    assert isinstance(outcome, Outcome)
    return submission, outcome


def job(**what: Any) -> dict[str, Any]:
    """The entity of a submission set."""
    return {"what": what, "type": {"code": "2"}, "role": {"code": "20"}}


@pytest.mark.parametrize("kind", ["ITI-65", "ITI-41", "ITI-42", "ITI-105"])
def test_a_submission_and_its_outcome(kind: str) -> None:
    """The patient, the set and the outcome, of each transaction that submits."""
    parsed = parse(data(audit_event(kind)))
    submission, outcome = facts(audit_event(kind))
    assert parsed.message == f"AuditEvent {kind}"
    assert parsed.at == submission.at == outcome.at == AT
    assert submission.key == outcome.exchange == submissions.set_key(CONTEXT, SET)
    assert (submission.ins, submission.ins_root) == (CONTEXT.pseudonym("ins", "", INS.encode()), 10)
    assert submission.trace == outcome.trace == AUDIT
    assert (outcome.accepted, outcome.code, outcome.layer) == (True, "", "dmp")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("0", ""),
        ("4", "audit-4"),
        ("8", "audit-8"),
        ("12", "audit-12"),
        ({"code": {"system": "http://hl7.org/fhir/issue-severity", "code": "success"}}, ""),
        ({"code": {"code": "fatal"}}, "audit-12"),
    ],
)
def test_outcomes(outcome: Any, code: str) -> None:
    """The four of DICOM, and R5's."""
    _, found = facts(audit_event(outcome=outcome))
    assert (found.accepted, found.code) == (not code, code)


@pytest.mark.parametrize("outcome", [None, "7", {"code": {}}, {}])
def test_no_outcome(outcome: Any) -> None:
    """The submission stands, and no answer is counted."""
    parsed = parse(data(audit_event(outcome=outcome)))
    assert [type(fact) for fact in parsed.facts] == [Submission]
    assert [flag.code for flag in parsed.flags] == ["fhir-audit-outcome-unknown"]


def test_r5() -> None:
    """R5 has category and code instead of type and subtype, CodeableConcept roles, and the patient apart."""
    event = audit_event(
        type=None,
        subtype=None,
        category=[{"coding": [{"code": "rest"}]}],
        code={"coding": [{"code": "ITI-65"}]},
        outcome={"code": {"code": "success"}},
        patient={"identifier": identifier(INS_ROOT, INS)},
        entity=[{"what": {"identifier": {"value": f"urn:oid:{SET}"}}, "role": {"coding": [{"code": "20"}]}}],
    )
    submission, outcome = facts(event)
    assert submission.key == submissions.set_key(CONTEXT, SET)
    assert submission.ins is not None
    assert outcome.accepted


def test_keys_by_trust() -> None:
    """uniqueId of the set, else the id of the request (BALP), else the server's name of the List."""
    listed = job(reference="https://dmp.example/fhir/List/12/_history/1")
    asked = {
        "what": {"identifier": {"value": REQUEST}},
        "type": {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId"},
    }
    by_list, _ = facts(audit_event(entity=[PATIENT, listed]))
    assert by_list.key == fhir_audit.list_key(CONTEXT, "List/12")
    by_request, _ = facts(audit_event(entity=[PATIENT, listed, asked]))
    assert by_request.key == submissions.message_key(CONTEXT, REQUEST)
    for what in ({"reference": f"List?identifier=urn:oid:{SET}"}, {"reference": f"urn:oid:{SET}"}):
        by_set, _ = facts(audit_event(entity=[PATIENT, asked, job(**what)]))
        assert by_set.key == submissions.set_key(CONTEXT, SET)


def test_a_document_published_alone() -> None:
    """ITI-105 has no set: its document is the key, by its uniqueId as in the request, else by the server's name of it."""
    request = parse(data(document_reference())).facts[0]
    assert isinstance(request, Document)
    data_role = {"role": {"coding": [{"code": "4"}]}}
    logical, outcome = facts(
        audit_event("ITI-105", entity=[PATIENT, data_role | {"what": {"identifier": oid(DOCUMENT)}}])
    )
    assert logical.key == outcome.exchange == request.exchange
    literal, _ = facts(audit_event("ITI-105", entity=[PATIENT, {"what": {"reference": "DocumentReference/12"}}]))
    assert literal.key == fhir_audit.list_key(CONTEXT, "https://dmp.example/fhir/DocumentReference/12")
    parsed = parse(data(audit_event("ITI-65", entity=[PATIENT, {"what": {"reference": "DocumentReference/12"}}])))
    assert [flag.code for flag in parsed.flags] == ["fhir-audit-without-set"]


def test_without_set() -> None:
    """Nothing can be joined: no fact, and a remark."""
    parsed = parse(data(audit_event(entity=[PATIENT])))
    assert parsed.facts == ()
    assert [flag.code for flag in parsed.flags] == ["fhir-audit-without-set"]


def test_without_patient() -> None:
    """The set alone still joins."""
    parsed = parse(data(audit_event(entity=[audit_event()["entity"][1]])))
    assert len(parsed.facts) == 2
    assert [flag.code for flag in parsed.flags] == ["fhir-audit-without-patient"]


def test_another_event() -> None:
    """A query is no submission."""
    parsed = parse(data(audit_event("ITI-67")))
    assert (parsed.facts, parsed.message) == ((), "AuditEvent")
    assert [flag.code for flag in parsed.flags] == ["fhir-audit-not-submission"]


def test_the_same_event_again() -> None:
    """An event is known by its id and time, else by its bytes."""
    assert parse(data(audit_event())).control_id == parse(data(audit_event(outcome="8"))).control_id
    assert parse(data(audit_event(id="audit-2"))).control_id != parse(data(audit_event())).control_id
    assert parse(data(audit_event(id=None))).control_id != parse(data(audit_event(id=None, outcome="8"))).control_id
