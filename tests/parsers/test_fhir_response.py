"""Answers to FHIR submissions."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ParseError
from engine.facts import TRANSACTION, Document, Outcome
from engine.parsers import submissions
from engine.parsers.context import default
from tests.parsers.fhir_resources import (
    DOCUMENT,
    REQUEST,
    SET,
    answered,
    asked,
    audit_event,
    bundle,
    data,
    document_reference,
    head,
    oid,
    outcome,
    parse,
    request,
    response,
    submission_set,
)

CONTEXT = default()
KEY = submissions.message_key(CONTEXT, REQUEST)
NOON = 1773140400  # 2026-03-10T11:00:00Z


def only(payload: bytes) -> Outcome:
    """The one outcome of a payload."""
    (found,) = parse(payload).facts
    assert isinstance(found, Outcome)
    return found


def test_everything_created() -> None:
    """A transaction-response of 2xx is an acceptance, at the time the server gives, under the key of the request."""
    parsed = parse(answered() + data(response()))
    (fact,) = parsed.facts
    assert isinstance(fact, Outcome)
    assert parsed.message == "ITI-65 response"
    assert (fact.accepted, fact.code, fact.layer, fact.trace) == (True, "", "dmp", TRANSACTION)
    assert fact.exchange == KEY
    assert fact.at == 1773156009


def test_the_request_names_the_same_key() -> None:
    """Request and response of one X-Request-Id meet."""
    (document,) = parse(asked() + data(request())).facts
    assert isinstance(document, Document)
    assert document.exchange == only(answered() + data(response())).exchange


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (
            ("X-Request-Id: server-7", f"X-Correlation-Id: {REQUEST}"),
            REQUEST,
        ),  # FHIR: the client's own id comes back there
        ((f"X-Request-Id: {REQUEST}",), REQUEST),
        ((f"x-correlation-id:{REQUEST}",), REQUEST),
    ],
)
def test_ids_of_the_head(lines: tuple[str, ...], key: str) -> None:
    """Where a response has both ids, the correlation id is the client's."""
    assert only(head(*lines) + data(response())).exchange == submissions.message_key(CONTEXT, key)


def test_identifier_of_the_bundle() -> None:
    """Without head, the identifier of the Bundle."""
    named = response(identifier={"value": "urn:uuid:00000000-0000-4000-8000-0000000000bb"})
    assert only(data(named)).exchange == submissions.message_key(CONTEXT, "00000000-0000-4000-8000-0000000000bb")


def test_resources_in_the_response() -> None:
    """A server that returns what it created names the set, or the document."""
    created = {"status": "201 Created"}
    full = bundle(
        {"resource": document_reference(), "response": created},
        {"resource": submission_set(), "response": created},
        type="transaction-response",
    )
    assert only(data(full)).exchange == submissions.set_key(CONTEXT, SET)
    part = bundle({"resource": document_reference(), "response": created}, type="transaction-response")
    assert only(data(part)).exchange == submissions.document_id(CONTEXT, DOCUMENT)


def test_one_refused_entry_refuses_all() -> None:
    """ITI-65 is atomic; the code is that of the details of the OperationOutcome."""
    refused = response("201 Created", "201 Created")
    refused["entry"].append({"response": {"status": "400", "outcome": outcome("XDSUnknownPatientId")}})
    fact = only(answered() + data(refused))
    assert (fact.accepted, fact.code, fact.layer) == (False, "XDSUnknownPatientId", "dmp")


def test_refused_without_reason() -> None:
    """A status alone is the code."""
    assert only(answered() + data(response("409 Conflict"))).code == "http-409"


@pytest.mark.parametrize(
    ("details", "issue", "code"),
    [
        ("XDSUnknownPatientId", "processing", "XDSUnknownPatientId"),
        ("", "business-rule", "business-rule"),
        ("290067599900261", "processing", "other"),  # a number strayed there: it does not leave
        ("DUPONT Camille", "processing", "other"),
    ],
)
def test_code_of_a_lone_outcome(details: str, issue: str, code: str) -> None:
    """details.coding, else the issue type; what is plainly no code becomes "other"."""
    fact = only(answered("422 Unprocessable Entity") + data(outcome(details, issue=issue)))
    assert (fact.accepted, fact.code, fact.layer) == (False, code, "dmp")


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503", "429 Too Many Requests", "408 Request Timeout"])
def test_server_that_failed(status: str) -> None:
    """An error of the server, or a wish to be asked later, is a technical refusal whatever the outcome says."""
    for body in (data(outcome("XDSRepositoryBusy")), data(response("201")), b""):
        fact = only(answered(status) + body)
        assert (fact.accepted, fact.code, fact.layer) == (False, "http-error", "technical")


def test_without_status_line() -> None:
    """A response that was relayed without its status line is judged by its issues."""
    relayed = head(f"X-Request-Id: {REQUEST}")
    assert not only(relayed + data(outcome("XDSUnknownPatientId"))).accepted
    assert only(relayed + data(outcome(severity="information", issue="informational"))).accepted
    technical = only(relayed + data(outcome(issue="exception")))
    assert (technical.accepted, technical.layer, technical.code) == (False, "technical", "exception")


def test_warning_of_an_acceptance() -> None:
    """An acceptance keeps the code of its warning."""
    fact = only(answered() + data(outcome("XDSExtraMetadataNotSaved", severity="warning")))
    assert (fact.accepted, fact.warning) == (True, "XDSExtraMetadataNotSaved")


def test_created_alone() -> None:
    """ITI-105: a 201, with the DocumentReference, with an OperationOutcome, or with nothing."""
    assert only(answered("201 Created") + data(document_reference())).exchange == KEY
    assert only(answered("201 Created")).accepted
    bare = head(start="HTTP/1.1 201 Created") + data(document_reference())
    assert only(bare).exchange == submissions.document_id(CONTEXT, DOCUMENT)


def test_time_of_the_head() -> None:
    """The Date field is when it was answered."""
    dated = head(f"X-Request-Id: {REQUEST}", "Date: Tue, 10 Mar 2026 11:00:00 GMT", start="HTTP/1.1 200 OK")
    assert only(dated + data(outcome(severity="information"))).at == NOON


@pytest.mark.parametrize(
    "payload", [data(response()), data(outcome()), head() + data(response()), answered(request_id="") + data(outcome())]
)
def test_nothing_to_join_by(payload: bytes) -> None:
    """A response that names nothing is put aside with its code."""
    with pytest.raises(ParseError) as caught:
        parse(payload)
    assert caught.value.code == "fhir-unjoined"


@pytest.mark.parametrize(
    "found", [response("nonsense"), {"resourceType": "OperationOutcome"}, bundle(type="transaction-response")]
)
def test_a_response_that_says_nothing(found: dict[str, Any]) -> None:
    """No status and no issue: no answer is counted."""
    parsed = parse(head(f"X-Request-Id: {REQUEST}") + data(found))
    assert parsed.facts == ()
    assert [flag.code for flag in parsed.flags] == ["fhir-response-unclear"]


class TestCollection:
    """Request and response in one payload."""

    def test_a_request_and_its_response(self) -> None:
        """The response answers the request before it, without any id."""
        parsed = parse(data(bundle({"resource": request()}, {"resource": response()}, type="collection")))
        document, answer = parsed.facts
        assert isinstance(document, Document)
        assert isinstance(answer, Outcome)
        assert answer.exchange == document.exchange == submissions.set_key(CONTEXT, SET)
        assert answer.accepted

    def test_an_outcome_as_response(self) -> None:
        """An OperationOutcome does as well."""
        parsed = parse(
            data(bundle({"resource": request()}, {"resource": outcome("XDSUnknownPatientId")}, type="collection"))
        )
        assert isinstance(parsed.facts[1], Outcome)
        assert parsed.facts[1].code == "XDSUnknownPatientId"

    def test_pairs_go_by_order(self) -> None:
        """Each response answers the last request before it; a request without names answers by its documents."""
        bare = bundle(
            {"resource": document_reference("1.2.250.1.999.42.10.7")},
            {"resource": document_reference("1.2.250.1.999.42.10.8")},
        )
        entries = [{"resource": one} for one in (request(), response("400"), bare, response())]
        facts = parse(data(bundle(*entries, type="collection"))).facts
        answers = [(fact.exchange, fact.accepted) for fact in facts if isinstance(fact, Outcome)]
        assert answers == [
            (submissions.set_key(CONTEXT, SET), False),
            (submissions.document_id(CONTEXT, "1.2.250.1.999.42.10.7"), True),
            (submissions.document_id(CONTEXT, "1.2.250.1.999.42.10.8"), True),
        ]

    def test_a_response_before_any_request(self) -> None:
        """It joins nothing."""
        with pytest.raises(ParseError) as caught:
            parse(data(bundle({"resource": response()}, {"resource": request()}, type="collection")))
        assert (caught.value.code, caught.value.where) == ("fhir-unjoined", "Bundle.entry[0].resource")

    def test_anything_else_in_it(self) -> None:
        """Audit events count, other resources and collections in collections are passed over with a remark."""
        inner = bundle({"resource": request()}, type="collection")
        entries = [{"resource": one} for one in (audit_event(), {"resourceType": "Patient"}, inner)]
        parsed = parse(data(bundle(*entries, {}, type="collection")))
        assert len(parsed.facts) == 2
        assert {flag.code for flag in parsed.flags} == {"fhir-not-a-submission"}


def test_a_key_names_the_request_not_the_set() -> None:
    """Two requests of one set under two ids have two answers."""
    one, two = (only(answered(request_id=name) + data(response())).exchange for name in ("a", "b"))
    assert one != two


def test_oid_in_the_identifier_of_a_bundle() -> None:
    """An identifier with its system is one with the same root and value."""
    assert only(data(response(identifier=oid("1.2.250.1.999.1")))).exchange == submissions.message_key(
        CONTEXT, "1.2.250.1.999.1"
    )
