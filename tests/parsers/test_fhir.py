"""FHIR submissions: what an ITI-65 or ITI-105 request says of its documents."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from engine.errors import ParseError
from engine.facts import AUDIT, TRANSACTION, Document
from engine.parsers import formats, submissions
from tests.parsers.fhir_reading import CONTEXT, only, pseudonym
from tests.parsers.fhir_resources import (
    AT,
    CDA,
    CREATED,
    DOCUMENT,
    FIXTURES,
    INS,
    IPP,
    REQUEST,
    SET,
    asked,
    audit_event,
    binary,
    bundle,
    data,
    document_reference,
    entry,
    head,
    oid,
    outcome,
    parse,
    request,
    signature,
    submission_set,
)


class TestRequest:
    """ITI-65."""

    def test_a_document_is_named_by_its_metadata_and_its_content(self) -> None:
        """One DocumentReference with its Binary: identifiers, patient, type, times, level, and the keys its answer comes by."""
        parsed = parse(asked() + data(request()))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert parsed.message == "ITI-65"
        assert parsed.at == fact.at == AT
        assert parsed.flags == ()
        assert fact.trace == TRANSACTION
        assert fact.exchange == submissions.message_key(CONTEXT, REQUEST)
        assert fact.keys == (submissions.set_key(CONTEXT, SET),)
        assert fact.id == submissions.document_id(CONTEXT, DOCUMENT)
        assert fact.hash == submissions.sha1(CONTEXT, hashlib.sha1(CDA).hexdigest())
        assert (fact.ins, fact.ins_root) == (pseudonym("ins", INS), 10)
        assert fact.ipp == pseudonym("ipp", IPP, CONTEXT.domain)
        assert (fact.type_code, fact.kind, fact.body, fact.level) == ("11490-0", "ldl-ses", "cda", 1)
        assert (fact.created, fact.request, fact.version) == (CREATED, "initial", 1)
        assert fact.cda_ins == fact.ins
        assert not fact.weak

    def test_a_cda_under_another_id(self) -> None:
        """The masterIdentifier names the document; the id of the CDA is its alias, so that the HL7 message is found too."""
        fact = only(data(request(unique="1.2.250.1.999.42.10.8888")))
        assert fact.id == submissions.document_id(CONTEXT, "1.2.250.1.999.42.10.8888")
        assert fact.alias == submissions.document_id(CONTEXT, DOCUMENT)
        assert only(data(request())).alias is None

    def test_two_traces_of_one_submission_meet(self) -> None:
        """The keys and the document are those that any other trace makes of the same names."""
        fact = only(data(request()))
        assert fact.exchange == submissions.set_key(CONTEXT, f"urn:oid:{SET}")
        assert fact.id == submissions.document_id(CONTEXT, f"urn:oid:{DOCUMENT}")

    def test_metadata_alone(self) -> None:
        """Without Binary the document is named, and its body unseen; the remark says where."""
        parsed = parse(data(bundle(entry(submission_set()), entry(document_reference(), "d1"))))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert (fact.body, fact.level, fact.declared_level) == ("unseen", 0, 1)
        assert [(flag.code, flag.where) for flag in parsed.flags] == [
            ("fhir-content-missing", "Bundle.entry[1].resource.content[0].attachment")
        ]
        assert fact.service_start == 1772956800  # 2026-03-08T09:00:00+01:00
        assert fact.created == CREATED

    @pytest.mark.parametrize("text", ["not base64!", base64.b64encode(b"no CDA").decode()])
    def test_content_that_cannot_be_read(self, text: str) -> None:
        """A Binary that is damaged, or no CDA, leaves the document to its metadata."""
        broken = {"resourceType": "Binary", "data": text}
        fact = only(data(bundle(entry(submission_set()), entry(document_reference(), "d1"), entry(broken, "d0"))))
        assert fact.body == "unseen"
        assert fact.id == submissions.document_id(CONTEXT, DOCUMENT)

    def test_content_with_escapes_and_line_ends(self) -> None:
        """JSON writers may escape every slash and wrap base64: it is the same content."""
        payload = data(request())
        text = base64.b64encode(CDA).decode()
        wrapped = "\\n".join(text[at : at + 76] for at in range(0, len(text), 76)).replace("/", "\\/")
        assert only(payload.replace(text.encode(), wrapped.encode())) == only(payload)

    def test_content_in_the_attachment(self) -> None:
        """Data may stand in the DocumentReference itself."""
        attachment = {"contentType": "text/xml", "data": base64.b64encode(CDA).decode()}
        fact = only(
            data(bundle(entry(submission_set()), entry(document_reference(content=[{"attachment": attachment}]))))
        )
        assert fact.body == "cda"

    def test_content_beyond_the_limit(self) -> None:
        """A content larger than the limit is not decoded."""
        import msgspec

        from engine.parsers import fhir

        context = msgspec.structs.replace(CONTEXT, max_document_bytes=1_000)
        parsed = fhir.parse(data(request()), context)
        assert [flag.code for flag in parsed.flags] == ["fhir-content-unreadable"]

    def test_a_binary_belongs_to_one_document(self) -> None:
        """Two documents that name the same Binary do not decode it twice."""
        one, two = document_reference(), document_reference("1.2.250.1.999.42.10.1002")
        parsed = parse(data(bundle(entry(submission_set()), entry(one), entry(two), entry(binary(), "d0"))))
        assert [fact.body for fact in parsed.facts if isinstance(fact, Document)] == ["cda", "unseen"]
        assert [flag.code for flag in parsed.flags] == ["fhir-content-missing"]

    def test_signature_is_no_document(self) -> None:
        """The signature of the set is left out; positions go on."""
        entries = [
            entry(submission_set()),
            entry(signature(), "d2"),
            entry(document_reference(), "d1"),
            entry(binary(), "d0"),
        ]
        assert only(data(bundle(*entries))).type_code == "11490-0"

    def test_several_documents_share_the_keys(self) -> None:
        """Each document of a set has its own position and the same keys."""
        entries = [entry(submission_set())] + [
            entry(document_reference(f"1.2.250.1.999.42.10.{n}", f"a{n}")) for n in range(3)
        ]
        facts = [fact for fact in parse(data(bundle(*entries))).facts if isinstance(fact, Document)]
        assert [fact.position for fact in facts] == [0, 1, 2]
        assert len({fact.exchange for fact in facts}) == 1
        assert len({fact.id for fact in facts}) == 3

    def test_keys_without_head(self) -> None:
        """Without HTTP head the identifier of the Bundle is the key of the request, before that of the set."""
        named = data(request() | {"identifier": {"value": "urn:uuid:00000000-0000-4000-8000-0000000000bb"}})
        fact = only(named)
        assert fact.exchange == submissions.message_key(CONTEXT, "00000000-0000-4000-8000-0000000000bb")
        assert fact.keys == (submissions.set_key(CONTEXT, SET),)

    def test_both_ids_of_the_head(self) -> None:
        """X-Request-Id and X-Correlation-Id are both keys of the request."""
        fact = only(head("X-Request-Id: r1", "X-Correlation-Id: c1") + data(request()))
        assert (fact.exchange, *fact.keys) == (
            submissions.message_key(CONTEXT, "r1"),
            submissions.message_key(CONTEXT, "c1"),
            submissions.set_key(CONTEXT, SET),
        )

    def test_no_submission_set(self) -> None:
        """Without List the document has itself for a key, and the remark says so."""
        parsed = parse(data(bundle(entry(document_reference(), "d1"), entry(binary(), "d0"))))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert fact.exchange == fact.id
        assert [flag.code for flag in parsed.flags] == ["fhir-set-unnamed"]
        assert parsed.at == CREATED

    def test_folder_is_no_submission_set(self) -> None:
        """A List that is a folder does not name the submission."""
        folder = submission_set("1.2.250.1.999.42.20.7", code={"coding": [{"code": "folder"}]})
        fact = only(data(bundle(entry(folder), entry(submission_set()), entry(document_reference()))))
        assert fact.exchange == submissions.set_key(CONTEXT, SET)

    def test_the_set_among_its_identifiers(self) -> None:
        """The uniqueId of a set is its OID; without one, its usual identifier; never the entryUUID or a local number."""
        local = {"use": "usual", "system": "http://ged.example/lots", "value": "2026-000777"}
        usual = {
            "use": "usual",
            "system": "urn:ietf:rfc:3986",
            "value": "urn:uuid:00000000-0000-4000-8000-00000000ae02",
        }
        official = {"use": "official", "value": "urn:uuid:00000000-0000-4000-8000-00000000ae01"}
        for identifiers, expected in (
            ([local, official, oid(SET, "official")], SET),
            ([official, oid(SET)], SET),
            ([official, usual], usual["value"]),
            ([official, local], local["value"]),
            ([official], official["value"]),
        ):
            made = submission_set(identifier=identifiers)
            fact = only(data(bundle(entry(made), entry(document_reference()))))
            assert fact.exchange == submissions.set_key(CONTEXT, expected)

    def test_content_that_is_a_fhir_document(self) -> None:
        """The document may be a Bundle: known by its metadata, its body is not read, and nothing is missing."""
        inner = {"resourceType": "Bundle", "type": "document", "entry": [{"resource": {"resourceType": "Composition"}}]}
        parsed = parse(data(bundle(entry(submission_set()), entry(document_reference()), entry(inner, "d0"))))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert (fact.body, parsed.flags) == ("unseen", ())

    def test_without_hash_the_document_is_measured(self) -> None:
        """Without identifier nor hash, the SHA-1 of the attached bytes names the document."""
        attachment = {"contentType": "application/pdf", "url": "urn:uuid:00000000-0000-4000-8000-0000000000d0"}
        reference = document_reference(masterIdentifier=None, content=[{"attachment": attachment}])
        parsed = parse(data(bundle(entry(submission_set()), entry(reference), entry(binary(b"%PDF-1.7"), "d0"))))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert fact.hash == submissions.sha1(CONTEXT, hashlib.sha1(b"%PDF-1.7").hexdigest())
        assert (fact.weak, parsed.flags) == (False, ())

    def test_nothing_names_the_document(self) -> None:
        """Without identifier nor hash the submission is weak, and said so."""
        reference = document_reference(masterIdentifier=None, content=[{"attachment": {"contentType": "text/xml"}}])
        parsed = parse(data(bundle(entry(submission_set()), entry(reference))))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert fact.weak
        assert [flag.code for flag in parsed.flags] == ["fhir-document-unnamed"]


class TestAlone:
    """A DocumentReference by itself."""

    def test_simplified_publish(self) -> None:
        """ITI-105: the content stands in the attachment, the document is its own key."""
        attachment = {"contentType": "text/xml", "data": base64.b64encode(CDA).decode()}
        parsed = parse(data(document_reference(content=[{"attachment": attachment}])))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert parsed.message == "ITI-105"
        assert fact.body == "cda"
        assert fact.exchange == fact.id
        assert fact.at == CREATED

    def test_two_without_a_name_are_two(self) -> None:
        """What nothing names is its own bytes: two such documents share no key, whatever id their senders gave them."""
        content = [{"attachment": {"contentType": "text/xml"}}]
        one, two = (
            only(data(document_reference(masterIdentifier=None, id="doc", content=content, date=date)))
            for date in ("2026-03-10T16:15:00+01:00", "2026-03-10T16:16:00+01:00")
        )
        assert one.exchange != two.exchange

    def test_in_error_is_a_deletion(self) -> None:
        """entered-in-error takes the document out, under the key of the request."""
        parsed = parse(asked() + data(document_reference(status="entered-in-error")))
        (fact,) = parsed.facts
        assert isinstance(fact, Document)
        assert parsed.message == "DocumentReference in error"
        assert fact.request == "deletion"
        assert fact.exchange == submissions.message_key(CONTEXT, REQUEST)

    @pytest.mark.parametrize(
        "resource",
        [
            {"resourceType": "Patient", "name": [{"family": "EXEMPLE"}]},
            {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": document_reference()}]},
            {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": {"resourceType": "Observation"}}]},
            {"resourceType": "Bundle"},
            submission_set(),
            binary(),
        ],
    )
    def test_what_is_no_submission(self, resource: dict[str, Any]) -> None:
        """Any other resource says nothing, and is no error."""
        parsed = parse(data(resource))
        assert parsed.facts == ()
        assert {flag.code for flag in parsed.flags} == {"fhir-not-a-submission"}


def test_audit_events_that_a_search_found() -> None:
    """Of an answer of an audit repository (ITI-81) the audit events are read; the documents of any other search are not."""
    found = bundle({"resource": audit_event()}, {"resource": document_reference()}, type="searchset")
    for payload in (data(found), head(start="HTTP/1.1 200 OK") + data(found)):
        parsed = parse(payload)
        assert parsed.message == "FHIR searchset"
        assert [getattr(fact, "trace", "") for fact in parsed.facts] == [AUDIT, AUDIT]
        assert parsed.flags == ()


@pytest.mark.parametrize(
    "text",
    [
        '<AuditEvent xmlns="http://hl7.org/fhir"><id value="a"/></AuditEvent>',
        "<?xml version='1.0'?>\n<!-- x -->\n<Bundle \n  xmlns='http://hl7.org/fhir'>",
        '<f:Bundle xmlns:a="urn:x" xmlns:f="http://hl7.org/fhir"/>',
    ],
)
def test_xml_is_told_what_it_is(text: str) -> None:
    """FHIR in XML, with or without a head, is refused as such, and not as a CDA or an unknown format."""
    for payload in (text.encode(), b"\xef\xbb\xbf" + text.encode(), head() + text.encode()):
        assert formats.of(payload).name == "fhir"
        with pytest.raises(ParseError, match="fhir-xml"):
            formats.parse(payload, CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:fhir="http://hl7.org/fhir"/>',
        '<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Bundle xmlns="http://hl7.org/fhir"/></Envelope>',
        "<",
        "<!DOCTYPE x>",
        "<?xml",
    ],
)
def test_other_xml_is_not_fhir(text: str) -> None:
    """Another root, whatever namespaces it declares, is left to the other formats."""
    assert formats.of(text.encode()).name != "fhir"


def test_recognised_among_the_formats() -> None:
    """FHIR is told from the other formats, with a head or without; its batches are parted."""
    for payload in (data(request()), b"\xef\xbb\xbf \n" + data(request()), asked() + data(request()), b"[]"):
        assert formats.of(payload).name == "fhir"
    assert formats.of(head() + b"").name == "fhir"
    assert formats.of(b"<AuditMessage/>").name != "fhir"
    lines = b"\n".join([data(audit_event()), data(outcome()), data(request())]) + b"\n"
    assert len(list(formats.split(lines))) == 3


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()) if FIXTURES.is_dir() else [])
def test_fixtures_are_what_their_name_says(name: str) -> None:
    """Each shipped example is read without a remark."""
    payload = (FIXTURES / name).read_bytes()
    for piece in formats.split(payload):
        parsed = formats.parse(piece, CONTEXT)
        assert parsed.facts
        assert parsed.flags == ()
