"""XDS messages: deletions, answers, queries and what is none of these."""

from __future__ import annotations

import pytest

from engine.facts import TRANSACTION, Entry
from engine.parsers import submissions, xds
from tests.parsers import xds_messages as build
from tests.parsers.xds_messages import DOCUMENT, FORMER, MESSAGE, PATIENT, codes, parse
from tests.parsers.xds_reading import CONTEXT, MESSAGE_KEY, SET_KEY, document, documents, ids, outcome


class TestDeletion:
    """ITI-57."""

    @pytest.mark.parametrize("status", [build.DELETED, build.DEPRECATED])
    def test_removal(self, status: str) -> None:
        """A document that leaves the DMP is named by its entryUUID."""
        found = parse(build.deletion(build.removal(FORMER, status)))
        assert (found.message, found.at, found.flags) == ("ITI-57", 1773156000, ())
        one = document(found)
        assert (one.request, one.entry, one.id) == ("deletion", submissions.entry_id(CONTEXT, FORMER), None)
        assert (one.exchange, one.keys, one.weak) == (MESSAGE_KEY, (SET_KEY,), False)
        assert one.ins == submissions.patient(CONTEXT, PATIENT).ins

    def test_several_and_by_unique_id(self) -> None:
        """Each target is one deletion; a uniqueId is understood, anything else is said."""
        found = parse(build.deletion(build.removal(), build.removal("1.2.250.1.999.9"), build.removal("Document01")))
        assert codes(found) == ["entry-without-id"]
        assert [(one.position, one.entry is None) for one in documents(found)] == [(0, False), (1, True)]
        assert [documents(found)[1].id] == ids("1.2.250.1.999.9")

    @pytest.mark.parametrize("status", [build.ARCHIVED, build.APPROVED])
    def test_other_updates(self, status: str) -> None:
        """Archiving and bringing back say nothing; nor does a change of metadata."""
        for payload in (build.deletion(build.removal(FORMER, status)), build.deletion(build.entry(FORMER))):
            found = parse(payload)
            assert (found.facts, codes(found)) == ((), ["update-without-deletion"])

    def test_without_action(self) -> None:
        """The association tells an ITI-57 from an ITI-42."""
        assert parse(build.deletion(build.removal(), action="")).message == "ITI-57"

    def test_new_metadata_without_action(self) -> None:
        """A masking, told by the version that it follows, submits nothing, though it repeats the whole entry."""
        member = build.association(
            build.MEMBER, "SubmissionSet01", "Document01", SubmissionSetStatus="Original", PreviousVersion="5"
        )
        found = parse(build.deletion(build.entry(), member, action=""))
        assert (found.message, found.facts, codes(found)) == ("ITI-57", (), ["update-without-deletion"])

    def test_an_answer(self) -> None:
        """Its answer is the DMP's word on it."""
        for end in ("Response", "-Response"):
            found = parse(build.answer(build.registry("Success"), action=f"{build.UPDATE}{end}"))
            assert found.message == "ITI-57 response"
            assert outcome(found).exchange == MESSAGE_KEY


class TestAnswer:
    """RegistryResponse, SOAP faults, HTTP errors."""

    def test_success(self) -> None:
        """Accepted, joined by RelatesTo; without any time of its own, 0."""
        found = parse(build.answer(build.registry("Success")))
        assert (found.message, found.control_id, found.at) == ("ITI-41 response", b"response:" + MESSAGE.encode(), 0)
        told = outcome(found)
        assert (told.exchange, told.layer, told.accepted, told.code, told.warning) == (MESSAGE_KEY, "dmp", True, "", "")
        assert told.trace == TRANSACTION

    def test_time(self) -> None:
        """Of the Date of HTTP, else of the security header."""
        stamp = "<w:Security><u:Timestamp><u:Created>2026-03-10T16:00:00Z</u:Created></u:Timestamp></w:Security>"
        body = build.answer(build.registry("Success"), header=stamp)
        assert outcome(parse(body)).at == parse(body).at == 1773158400
        assert outcome(parse(build.respond("200 OK", body))).at == 1773156005

    def test_failure(self) -> None:
        """The first error is the reason, not a warning before it; an odd code is "other"."""
        told = outcome(
            parse(build.answer(build.registry("Failure", ("W", "Warning"), ("XDSRepositoryError", "Error"))))
        )
        assert (told.accepted, told.code, told.warning) == (False, "XDSRepositoryError", "")
        assert outcome(parse(build.answer(build.registry("Failure")))).code == "other"
        assert outcome(parse(build.answer(build.registry("Failure", ("patient 12", "Error"))))).code == "other"

    def test_success_with_warning(self) -> None:
        """It is accepted, and the warning is kept."""
        told = outcome(parse(build.answer(build.registry("Success", ("XDSExtraMetadataNotSaved", "Warning")))))
        assert (told.accepted, told.code, told.warning) == (True, "", "XDSExtraMetadataNotSaved")

    def test_partial_success(self) -> None:
        """ITI-41 has none: a refusal, and a remark."""
        found = parse(build.answer(build.registry("PartialSuccess", ("XDSMissingDocument", "Error"))))
        assert codes(found) == ["partial-success"]
        assert (outcome(found).accepted, outcome(found).code) == (False, "XDSMissingDocument")

    def test_short_status(self) -> None:
        """A status without its URN is the same status."""
        assert outcome(parse(build.answer('<RegistryResponse status="Success"/>'))).accepted

    def test_fault(self) -> None:
        """The request was refused before the DMP judged it."""
        told = outcome(parse(build.respond("500 Oops", build.answer(build.fault()))))
        assert (told.layer, told.accepted, told.code, told.at) == ("technical", False, "soap-fault", 1773156005)
        assert told.exchange == MESSAGE_KEY

    @pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", build.envelope("<x/>"), b"no XML"])
    def test_http_error(self, body: bytes) -> None:
        """A page of error is joined by the correlation id of its request."""
        found = parse(build.respond("502 Bad Gateway", body, "text/html", X_Correlation_ID="r-1"))
        told = outcome(found)
        assert (told.layer, told.accepted, told.code, told.at) == ("technical", False, "http-error", 1773156005)
        assert told.exchange == submissions.message_key(CONTEXT, "r-1")

    def test_http_error_that_relates(self) -> None:
        """By RelatesTo, when there is an envelope."""
        told = outcome(parse(build.respond("503 Busy", build.answer("<x/>"))))
        assert (told.code, told.exchange) == ("http-error", MESSAGE_KEY)

    def test_an_answer_in_an_http_error_is_an_answer(self) -> None:
        """The DMP's word holds, whatever HTTP says."""
        assert outcome(parse(build.respond("500 Oops", build.answer(build.registry("Success"))))).accepted

    def test_nothing_personal(self) -> None:
        """The free texts of an error are kept nowhere."""
        for payload in (build.answer(build.registry("Failure", ("X", "Error"))), build.answer(build.fault())):
            assert b"285017511867881" in payload
            found = parse(payload)
            assert "285017511867881" not in f"{found!r}{found.facts!r}{found.flags!r}"
            assert "here" not in repr(found.facts)


class TestQuery:
    """ITI-18 answers."""

    def test_names(self) -> None:
        """Each document has its entryUUID beside its uniqueId; the signature and what has no UUID are left."""
        found = parse(build.query(build.entry(FORMER), build.signature(), build.entry("Document02")))
        assert (found.message, codes(found)) == ("ITI-18 response", ["entry-not-nameable"])
        who = submissions.patient(CONTEXT, PATIENT, build.IPP)
        uuid = submissions.entry_id(CONTEXT, FORMER)
        assert uuid is not None
        assert found.facts == (Entry(at=0, ipp=who.ipp, ins=who.ins, document=ids(DOCUMENT)[0], entry=uuid),)

    def test_nothing_found(self) -> None:
        """An empty list says nothing, and is no fault."""
        found = parse(build.query())
        assert (found.facts, found.flags) == ((), ())


class TestOthers:
    """What else passes by."""

    @pytest.mark.parametrize(
        "payload",
        [
            build.envelope("<PRPA_IN201307UV02/>", message=MESSAGE, action="urn:hl7-org:v3:PRPA_IN201307UV02"),
            build.envelope("<AdhocQueryRequest/>"),
            build.envelope(
                "<RetrieveDocumentSetResponse><DocumentResponse><Document>QUJD</Document></DocumentResponse></RetrieveDocumentSetResponse>"
            ),
            build.envelope(build.submit(build.entry()), action="urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"),
            build.envelope(""),
            b"<Envelope/>",
        ],
    )
    def test_is_passed_over(self, payload: bytes) -> None:
        """Any other SOAP message has no fact and a remark; it is never refused."""
        found = parse(payload)
        assert (found.message, found.facts, codes(found)) == ("SOAP", (), ["soap-not-a-submission"])
        assert found.control_id

    def test_request_and_response_in_one_file(self) -> None:
        """A dump of both is cut before the response; an attachment that quotes HTTP is not."""
        request, response = build.request(), build.respond("200 OK", build.answer(build.registry("Success")))
        assert list(xds.FORMAT.split(request + response)) == [request, response]
        lone = build.post(build.plain(build.entry(), build.submission_set()))
        assert [bytes(one) for one in xds.FORMAT.split(lone + b"\r\n\r\n" + response)] == [lone + b"\r\n\r\n", response]
        quoting = build.request(cda=b"text\nHTTP/1.1 200 OK\r\n")
        assert list(xds.FORMAT.split(quoting)) == [quoting]
        assert list(xds.FORMAT.split(response)) == [response]

    def test_the_fixtures(self) -> None:
        """What each fixture of fixtures/dmp says."""
        told = {}
        for path in sorted(build.DMP.iterdir()):
            for payload in xds.FORMAT.split(path.read_bytes()):
                found = parse(payload)
                facts = "+".join(type(fact).__name__ for fact in found.facts)
                told[path.name, found.message] = (facts, codes(found))
        assert told == {
            ("iti18_found.xml", "ITI-18 response"): ("Entry", []),
            ("iti41_and_response.http", "ITI-41"): ("Document", []),
            ("iti41_and_response.http", "ITI-41 response"): ("Outcome", []),
            ("iti41_failure.xml", "ITI-41 response"): ("Outcome", []),
            ("iti41_ldl_ses.http", "ITI-41"): ("Document", []),
            ("iti41_replacement_inline.xml", "ITI-41"): ("Document", []),
            ("iti41_soap_fault.http", "SOAP fault"): ("Outcome", []),
            ("iti41_success.http", "ITI-41 response"): ("Outcome", []),
            ("iti41_success_with_warning.xml", "ITI-41 response"): ("Outcome", []),
            ("iti57_deletion.xml", "ITI-57"): ("Document", []),
            ("td02_existence.xml", "SOAP"): ("", ["soap-not-a-submission"]),
        }
