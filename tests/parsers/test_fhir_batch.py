"""Several FHIR resources in one payload, and payloads that are none."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.facts import Document, Outcome, Submission
from engine.parsers import fhir, fhir_batch, fhir_elements, submissions
from engine.parsers.context import default
from tests.parsers.fhir_resources import (
    REQUEST,
    SET,
    answered,
    asked,
    audit_event,
    bundle,
    data,
    document_reference,
    entry,
    head,
    outcome,
    parse,
    request,
    response,
)

CONTEXT = default()


def refusal(payload: bytes) -> tuple[str, str]:
    """Why a payload is not read."""
    with pytest.raises(ParseError) as caught:
        fhir.parse(payload, CONTEXT)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value.code, caught.value.where


class TestLines:
    """NDJSON."""

    def test_each_line_is_a_message(self) -> None:
        """Blank lines, both ends of line, and a last line without end."""
        lines = [data(audit_event()), data(request()), data(response(identifier={"value": "r"}))]
        payload = b"\n \n" + lines[0] + b"\r\n\n" + lines[1] + b"\n" + lines[2]
        assert list(fhir.FORMAT.split(payload)) == lines

    def test_a_head_says_nothing_of_the_lines(self) -> None:
        """The id of the posting is not that of the submissions in it."""
        payload = asked() + data(request()) + b"\n" + data(request())
        for piece in fhir.FORMAT.split(payload):
            (fact,) = parse(piece).facts
            assert isinstance(fact, Document)
            assert fact.exchange == submissions.set_key(CONTEXT, SET)

    @pytest.mark.parametrize("indent", [None, 0, 1, 2, "\t"])
    def test_one_resource_over_many_lines(self, indent: int | str | None) -> None:
        """However it is laid out, one resource is one message."""
        payload = json.dumps(request(), indent=indent).encode()
        assert list(fhir.FORMAT.split(payload)) == [payload]
        assert list(fhir.FORMAT.split(payload + b"\n")) == [payload + b"\n"]

    def test_a_damaged_line_costs_only_itself(self) -> None:
        """The lines around it are read."""
        pieces = list(fhir.FORMAT.split(data(audit_event()) + b'\n{"resourceType":"Aud\n' + data(audit_event())))
        assert len(pieces) == 3
        assert refusal(pieces[1])[0] == "fhir-not-json"
        assert len(parse(pieces[0]).facts) == 2

    def test_lines_given_as_one_message(self) -> None:
        """What was not parted says so."""
        assert refusal(data(audit_event()) + b"\n" + data(audit_event())) == ("fhir-too-many", "lines")

    def test_too_many_lines(self) -> None:
        """They are one message, that cannot be read."""
        payload = b"{}\n" * (fhir_batch.MAX_LINES + 1)
        assert list(fhir.FORMAT.split(payload)) == [payload]


class TestBatch:
    """Bundles of type batch."""

    def test_each_entry_is_a_message(self) -> None:
        """Audit events of one batch are read one by one; entries without resource are passed over."""
        payload = data(
            bundle(
                entry(audit_event()), {"request": {"method": "DELETE"}}, entry(audit_event(id="audit-2")), type="batch"
            )
        )
        pieces = list(fhir.FORMAT.split(payload))
        assert [json.loads(piece)["id"] for piece in pieces] == ["audit-1", "audit-2"]
        assert sum(isinstance(fact, Submission) for fact in parse(payload).facts) == 2

    def test_answers_entry_by_entry(self) -> None:
        """Under one id, the second response answers the second request: parted or not."""
        two = [document_reference(f"1.2.250.1.999.42.10.{n}") for n in range(2)]
        asking = asked() + data(bundle(*map(entry, two), type="batch"))
        answering = answered() + data(response("201 Created", "422", type="batch-response"))
        for parted in (True, False):
            requests, answers = (
                [
                    fact
                    for piece in (fhir.FORMAT.split(payload) if parted else (payload,))
                    for fact in parse(piece).facts
                ]
                for payload in (asking, answering)
            )
            assert [fact.exchange for fact in requests if isinstance(fact, Document)] == [
                fact.exchange for fact in answers if isinstance(fact, Outcome)
            ]
            assert [fact.accepted for fact in answers if isinstance(fact, Outcome)] == [True, False]

    def test_the_identifier_of_the_batch(self) -> None:
        """Without head, the identifier of the Bundle is the id; one that no head can hold is none."""
        for value, same in (("batch-7", True), ("a\r\nX-Request-Id: b", False)):
            payload = data(bundle(entry(document_reference()), type="batch", identifier={"value": value}))
            (piece,) = fhir.FORMAT.split(payload)
            (fact,) = parse(piece).facts
            assert isinstance(fact, Document)
            assert (fact.exchange == submissions.message_key(CONTEXT, "batch-7#0")) is same

    def test_nothing_of_an_answer_is_lost(self) -> None:
        """A parted response keeps its reasons, its times and its resources."""
        found = response("422", type="batch-response")
        found["entry"][0]["response"]["outcome"] = outcome("XDSUnknownPatientId")
        (piece,) = fhir.FORMAT.split(answered() + data(found))
        (fact,) = parse(piece).facts
        assert isinstance(fact, Outcome)
        assert (fact.code, fact.at) == ("XDSUnknownPatientId", 1773156009)
        assert fact.exchange == submissions.message_key(CONTEXT, f"{REQUEST}#0")

    @pytest.mark.parametrize("kind", ["batch", "batch-response", "collection"])
    def test_empty(self, kind: str) -> None:
        """An empty Bundle is one message without facts."""
        payload = data(bundle(type=kind))
        assert list(fhir.FORMAT.split(payload)) == [payload]
        assert parse(payload).facts == ()

    def test_batches_in_batches(self) -> None:
        """One level is read; what is deeper is a remark, however deep."""
        found = request()
        for _ in range(50):
            found = bundle({"resource": found}, type="batch")
        parsed = parse(data(found))
        assert parsed.facts == ()
        assert {flag.code for flag in parsed.flags} == {"fhir-not-a-submission"}


class TestHostile:
    """What no reader should trip over."""

    @pytest.mark.parametrize(
        ("payload", "code", "where"),
        [
            (b"", "fhir-not-json", "byte 0"),
            (b"nonsense", "fhir-not-json", "byte 0"),
            (b"[1]", "fhir-array", "body"),
            (b"<Bundle/>", "fhir-xml", "body"),
            (b"{}", "fhir-no-resource-type", "resourceType"),
            (b'{"resourceType":null}', "fhir-no-resource-type", "resourceType"),
            (b'{"resourceType":7}', "fhir-structure", "body.resourceType"),
            (b'{"resourceType":"Bundle"', "fhir-not-json", "body"),
            (b'{"resourceType":"Bundle",}', "fhir-not-json", "byte 25"),
            (b'{"resourceType":"Bundle","total":NaN}', "fhir-not-json", "byte 33"),
            (b'{"resourceType":"Bundle","total":Infinity}', "fhir-not-json", "byte 33"),
            (b'{"resourceType":"Bundle"} trailing', "fhir-not-json", "byte 27"),
            (b'{"resourceType":"Bundle","type":{"a":1}}', "fhir-structure", "Bundle.type"),
            (b'{"resourceType":"Bundle","type":"transaction","entry":{}}', "fhir-structure", "Bundle.entry"),
            (b'{"resourceType":"Bundle","type":"\xff"}', "fhir-not-utf8", "Bundle"),
            (b'{"resourceType":"\xff"}', "fhir-not-utf8", "body"),
            (b'{"resourceType":"\\ud800"}', "fhir-not-json", "body"),
            (b'{"resourceType":"Bundle","a":' + b"[" * 100_000, "fhir-too-deep", "body"),
            (b'{"a":' * 100_000, "fhir-too-deep", "body"),
            (b"{" * 600_000, "fhir-too-many", "body"),
        ],
    )
    def test_coded(self, payload: bytes, code: str, where: str) -> None:
        """A code and a place, and nothing of the payload."""
        assert refusal(payload) == (code, where)

    def test_place_in_a_bundle(self) -> None:
        """The path of the element that is wrong, without its value."""
        payload = data(bundle(entry(document_reference(type="DUPONT"))))
        assert refusal(payload) == ("fhir-structure", "Bundle.entry[0].resource.type")

    @pytest.mark.parametrize(
        "text",
        [
            b"1e400",
            b"9" * 5000,
            b"-0.0",
            b'"\\ud800"',
            b'"' + b"x" * 1_000_000 + b'"',
            b'"\xff\xfe"',
            b"[" * 200 + b"]" * 200,
        ],
    )
    def test_odd_values_of_what_is_not_read(self, text: bytes) -> None:
        """An element that is not needed is passed over, or refused with a code."""
        payload = data(audit_event())[:-1] + b',"extra":' + text + b"}"
        try:
            assert len(parse(payload).facts) == 2
        except ParseError as error:
            assert error.code in fhir.REJECTIONS

    def test_a_name_given_twice(self) -> None:
        """The last value holds, always; the deep check tells of it."""
        payload = data(audit_event())[:-1] + b',"outcome":"8"}'
        assert isinstance(parse(payload).facts[1], Outcome)
        assert [fact.accepted for fact in parse(payload).facts if isinstance(fact, Outcome)] == [False]
        assert "fhir-duplicate-key" in [flag.code for flag in fhir.validate(payload)]

    def test_too_many_entries(self) -> None:
        """A Bundle that is read as a whole has a limit."""
        entries: list[dict[str, object]] = [{}] * (fhir_elements.MAX_ENTRIES + 1)
        for kind in ("transaction", "transaction-response", "collection"):
            found = bundle(*entries, type=kind)
            if kind == "transaction":
                found["entry"][0] = entry(document_reference())
            assert refusal(head("X-Request-Id: r") + data(found)) == ("fhir-too-many", "Bundle.entry")

    def test_many_references_to_one_large_resource(self) -> None:
        """A resource is read once, however many references lead to it."""
        who = {
            "resourceType": "Patient",
            "identifier": [{"value": f"{n}"} for n in range(20_000)],
            "text": "x" * 1_000_000,
        }
        entries = [
            entry(document_reference(f"1.2.250.1.999.{n}", subject={"reference": "urn:uuid:0"}, context=None))
            for n in range(3_000)
        ]
        parsed = parse(data(bundle(*entries, {"fullUrl": "urn:uuid:0", "resource": who})))
        assert len(parsed.facts) == 3_000


NUMBERS = st.sampled_from([0, 1, 7, 400, 10**12])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | st.text(max_size=6)
    | st.sampled_from(["2026-03-10", "urn:oid:1.2.3", "#p", "replaces"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "value", "identifier", "reference", "system", "entry", "resource"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
PAYLOADS = [
    asked() + data(request()),
    data(bundle({"resource": request()}, {"resource": response("201", "400")}, type="collection")),
    answered("422") + data(outcome("XDSUnknownPatientId")),
    data(audit_event()),
    data(bundle(entry(audit_event()), entry(document_reference()), type="batch")),
    data(audit_event()) + b"\n" + data(request()),
]


def taken(payload: bytes) -> None:
    """Read a payload as the engine does: facts, or a code of the closed list."""
    for piece in fhir.FORMAT.split(payload):
        try:
            parsed = fhir.parse(piece, CONTEXT)
        except ParseError as error:
            assert error.code in fhir.REJECTIONS
        else:
            assert {flag.code for flag in parsed.flags} <= fhir.CODES.keys()


@given(st.sampled_from(PAYLOADS), st.data())
def test_damaged_bytes(payload: bytes, source: st.DataObject) -> None:
    """Cut, doubled or overwritten anywhere: facts or a code."""
    ends = sorted(source.draw(st.lists(st.integers(0, len(payload)), min_size=2, max_size=6)))
    for start, end in pairwise(ends):
        payload = payload[:start] + source.draw(st.binary(max_size=4) | st.just(payload[start:end] * 2)) + payload[end:]
    taken(payload)


@given(st.sampled_from([request(), audit_event(), response(), outcome("X")]), st.data())
def test_damaged_elements(resource: dict[str, object], source: st.DataObject) -> None:
    """Any element replaced by anything: facts or a code."""
    found = json.loads(json.dumps(resource))
    at = found
    while True:
        key = source.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if isinstance(at[key], dict | list) and at[key] and source.draw(st.booleans()):
            at = at[key]
            continue
        at[key] = source.draw(VALUES)
        break
    taken(head("X-Request-Id: r") + data(found))


@given(st.binary(max_size=200))
def test_any_bytes(payload: bytes) -> None:
    """Whatever the bytes."""
    taken(payload)
    taken(b"{" + payload)
    fhir.FORMAT.recognises(payload)
