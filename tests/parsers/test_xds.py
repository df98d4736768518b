"""XDS submissions dumped by a platform: what they become, and what is said of those that cannot be read."""

from __future__ import annotations

from hashlib import sha1

import msgspec
import pytest

from engine.facts import INS_NIR, INS_NONE, INS_TEST, TRANSACTION, Document
from engine.parsers import submissions
from engine.parsers.context import default
from engine.parsers.parsed import Parsed
from tests.parsers import xds_messages as build
from tests.parsers.xds_messages import CDA, DOCUMENT, FORMER, MESSAGE, PATIENT, SET, codes, parse
from tests.parsers.xds_reading import CONTEXT, MESSAGE_KEY, SET_KEY, document, documents, ids

OTHER_CDA = CDA.replace(DOCUMENT.encode(), b"1.2.250.1.999.42.10.7777")
SMALL = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3.4"/></ClinicalDocument>'


class TestSubmission:
    """ITI-41 and ITI-42 requests."""

    def test_request_in_mtom(self) -> None:
        """Metadata and CDA make one document; the signature of the lot is not counted."""
        found = parse(build.request())
        assert (found.message, found.control_id, found.at) == ("ITI-41", MESSAGE.encode(), 1773156000)
        assert (found.sender, found.receiver, found.processing) == ("", "", "")
        assert found.flags == ()
        one = document(found)
        assert (one.exchange, one.keys) == (MESSAGE_KEY, (SET_KEY,))
        assert (one.at, one.trace, one.request, one.position) == (1773156000, TRANSACTION, "initial", 0)
        assert [one.id] == ids(DOCUMENT)
        assert one.ins == one.cda_ins
        assert one.ins_root == one.cda_ins_root == INS_TEST
        assert one.ipp == submissions.patient(CONTEXT, build.IPP).ipp
        assert (one.type_code, one.kind, one.body, one.level, one.declared_level) == ("11490-0", "ldl-ses", "cda", 1, 1)
        assert one.hash == submissions.sha1(CONTEXT, sha1(CDA, usedforsecurity=False).hexdigest())
        assert (one.entry, one.alias, one.replaces, one.replaces_entry, one.weak) == (None, None, None, None, False)

    def test_metadata_alone(self) -> None:
        """Without its document, an entry is known by its metadata; their times are UTC, whatever the feed's zone."""
        found = parse(build.request(cda=None))
        assert codes(found) == ["attachment-missing"]
        one = document(found)
        assert (one.body, one.level, one.declared_level, one.hash) == ("unseen", 0, 1, None)
        assert (one.created, one.service_start, one.service_stop) == (1773155700, 1772697600, 1773151200)

    @pytest.mark.parametrize("encoding", ["binary", "8bit", "BASE64"])
    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    @pytest.mark.parametrize("headed", [True, False])
    def test_every_dump_of_the_same(self, encoding: str, end: bytes, headed: bool) -> None:
        """With its HTTP head or without, in any transfer encoding, with either end of line: the same fact."""
        objects = (build.entry(), build.submission_set())
        body = build.mime(
            build.plain(*objects, documents=build.xop("Document01")), ("0.2", CDA), encoding=encoding, end=end
        )
        found = parse(build.post(body) if headed else body)
        assert found.flags == ()
        assert found.facts == parse(build.plain(*objects, documents=build.inline("Document01", CDA))).facts

    def test_ids_differ_by_case_and_urls_are_encoded(self) -> None:
        """Document01 and document01 are one, in an attachment as in an association; cid:a%40b is <a@b>."""
        soap = build.plain(
            build.entry("Document01"),
            build.submission_set(),
            build.association(build.REPLACES, "DOCUMENT01", FORMER),
            documents=build.xop("document01", "cid:a%40b"),
        )
        one = document(parse(build.mime(soap, ("a@b", CDA))))
        assert (one.body, one.request) == ("cda", "replacement")

    def test_an_exact_id_comes_first(self) -> None:
        """Where ids differ only by their case, each entry has its own document."""
        objects = (build.entry("doc", unique_id="1.2.3.4"), build.entry("DOC"), build.submission_set())
        found = parse(build.plain(*objects, documents=build.inline("DOC", CDA) + build.inline("doc", SMALL)))
        assert [one.id for one in documents(found)] == ids("1.2.3.4", DOCUMENT)
        assert codes(found) == []
        assert [one.level for one in documents(found)] == [0, 1]

    def test_several_documents(self) -> None:
        """Each entry that counts has its position; they share their keys."""
        objects = (
            build.signature(),
            build.entry("A", unique_id="1.2.3.1"),
            build.entry("B", unique_id="1.2.3.2", type_code="11502-2", format_code="urn:ihe:lab:xd-lab:2008"),
            build.submission_set(),
        )
        found = documents(parse(build.plain(*objects)))
        assert [(one.id, one.position, one.kind, one.declared_level) for one in found] == [
            (ids("1.2.3.1")[0], 0, "ldl-ses", 1),
            (ids("1.2.3.2")[0], 1, "cr-bio", 3),
        ]
        assert {(one.exchange, one.keys) for one in found} == {(MESSAGE_KEY, (SET_KEY,))}

    def test_nothing_that_counts(self) -> None:
        """A signature alone, or what is made on demand, is no submission of a document."""
        assert parse(build.plain(build.signature(), build.submission_set())).facts == ()
        assert codes(parse(build.plain(build.signature(), build.submission_set()))) == ["no-counted-document"]
        on_demand = build.entry(object_type="urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248")
        assert codes(parse(build.plain(on_demand, build.submission_set()))) == [
            "entry-on-demand",
            "no-counted-document",
        ]

    def test_what_signs_the_set_is_a_signature(self) -> None:
        """Whatever its codes, the source of a "signs" association is not counted."""
        signs = build.association("urn:ihe:iti:2007:AssociationType:signs", "Odd", "SubmissionSet01")
        found = parse(build.plain(build.entry("Odd"), signs, build.submission_set()))
        assert found.facts == ()

    @pytest.mark.parametrize("kind", ["RPLC", "XFRM_RPLC"])
    def test_replacement(self, kind: str) -> None:
        """The target is an entryUUID, or in practice a uniqueId."""
        kind = f"urn:ihe:iti:2007:AssociationType:{kind}"

        def replacing(target: str) -> Parsed:
            return parse(
                build.plain(build.entry(), build.submission_set(), build.association(kind, "Document01", target))
            )

        by_entry = document(replacing(FORMER))
        assert by_entry.replaces_entry == submissions.entry_id(CONTEXT, FORMER)
        assert (by_entry.request, by_entry.replaces) == ("replacement", None)
        by_id = document(replacing("urn:oid:1.2.250.1.999.42.10.1000"))
        assert [by_id.replaces] == ids("1.2.250.1.999.42.10.1000")
        assert (by_id.request, by_id.replaces_entry) == ("replacement", None)
        odd = replacing("former document")
        assert "replaced-document-unknown" in codes(odd)
        assert document(odd).request == "replacement"

    def test_an_entry_that_keeps_its_uuid(self) -> None:
        """An entry id that is a UUID is the DMP's; a symbolic one names nothing."""
        one = document(parse(build.plain(build.entry(FORMER), build.submission_set())))
        assert one.entry == submissions.entry_id(CONTEXT, FORMER.upper())

    def test_hash(self) -> None:
        """That of the metadata names the document; when the attached bytes are others, it is said."""
        right = sha1(CDA, usedforsecurity=False).hexdigest().upper()
        objects = (build.submission_set(),)
        attached = build.inline("Document01", CDA)
        same = parse(build.plain(build.entry(hash=right), *objects, documents=attached))
        assert codes(same) == []
        other = parse(build.plain(build.entry(hash="a" * 40), *objects, documents=attached))
        assert codes(other) == ["hash-differs"]
        assert document(other).hash == submissions.sha1(CONTEXT, "A" * 40) != document(same).hash
        odd = parse(build.plain(build.entry(hash="none"), *objects, documents=attached))
        assert document(odd).hash == document(same).hash

    def test_cda_under_another_id(self) -> None:
        """The metadata name the document; the id of the CDA is its alias, so that the HL7 message is found too."""
        found = parse(
            build.plain(build.entry(), build.submission_set(), documents=build.inline("Document01", OTHER_CDA))
        )
        assert codes(found) == ["cda-id-differs"]
        one = document(found)
        assert [one.id, one.alias] == ids(DOCUMENT, "1.2.250.1.999.42.10.7777")

    def test_without_unique_id(self) -> None:
        """The CDA says it; without CDA, the submission is weak."""
        objects = (build.entry(unique_id=""), build.submission_set())
        inside = parse(build.plain(*objects, documents=build.inline("Document01", CDA)))
        assert codes(inside) == ["entry-without-id"]
        assert [document(inside).id] == ids(DOCUMENT)
        alone = document(parse(build.plain(*objects)))
        assert (alone.id, alone.weak) == (None, True)

    def test_a_damaged_cda(self) -> None:
        """It leaves the document named by its metadata, with the digest of what was attached."""
        for data in (CDA[:2000], b"%PDF-1.7 no CDA", b"<html/>"):
            found = parse(
                build.plain(build.entry(), build.submission_set(), documents=build.inline("Document01", data))
            )
            one = document(found)
            assert [one.id] == ids(DOCUMENT)
            assert (one.body, one.weak) == ("unseen", False)
            assert one.hash == submissions.sha1(CONTEXT, sha1(data, usedforsecurity=False).hexdigest())

    @pytest.mark.parametrize("written", ["no base64!", "QUJ", "<other/>"])
    def test_an_attachment_that_cannot_be_decoded(self, written: str) -> None:
        """Is a remark."""
        attached = f'<ns4:Document id="Document01">{written}</ns4:Document>'
        found = parse(build.plain(build.entry(), build.submission_set(), documents=attached))
        assert codes(found) == ["attachment-undecodable"]
        assert document(found).hash is None

    @pytest.mark.parametrize(
        "attached", ["", '<ns4:Document id="Document01"/>', '<ns4:Document id="Document01" ></ns4:Document>']
    )
    def test_no_attachment(self, attached: str) -> None:
        """No element, or an empty one: the document is missing."""
        found = parse(build.plain(build.entry(), build.submission_set(), documents=attached))
        assert codes(found) == ["attachment-missing"]

    def test_an_attachment_larger_than_the_limit(self) -> None:
        """It is not decoded."""
        small = msgspec.structs.replace(default(), max_document_bytes=1000)
        for payload in (
            build.request(),
            build.plain(build.entry(), build.submission_set(), documents=build.inline("Document01", CDA)),
        ):
            found = parse(payload, small)
            assert codes(found) == ["attachment-too-large"]
            assert document(found).body == "unseen"

    def test_a_dump_that_was_cut(self) -> None:
        """Without the last boundary, the digest of the last attachment is not believed."""
        soap = build.plain(build.entry(), build.submission_set(), documents=build.xop("Document01"))
        found = parse(build.mime(soap, ("0.2", CDA), closed=False))
        assert codes(found) == ["multipart-not-closed"]
        one = document(found)
        assert (one.body, one.hash) == ("cda", None)

    def test_patient(self) -> None:
        """The INS is the entry's, else its set's, else the security token's; the IPP is sourcePatientId."""
        nir = PATIENT.replace("4.10", "4.8")
        dated = f"{PATIENT}^^20100907"
        header = (
            "<S:Assertion><S:Attribute Name='urn:oasis:names:tc:xacml:2.0:resource:resource-id'>"
            f"<S:AttributeValue>{nir.replace('&', '&amp;')}</S:AttributeValue></S:Attribute></S:Assertion>"
        )

        def who(of_entry: str, of_set: str, ipp: str = build.IPP) -> Document:
            return document(
                parse(
                    build.plain(
                        build.entry(patient=of_entry, ipp=ipp), build.submission_set(patient=of_set), header=header
                    )
                )
            )

        expected = submissions.patient(CONTEXT, PATIENT, build.IPP)
        for one in (who(PATIENT, nir), who(dated, ""), who("", PATIENT), who("IPP000777^^^&1.2.3&ISO^PI", PATIENT)):
            assert (one.ins, one.ins_root, one.ipp) == (expected.ins, INS_TEST, expected.ipp)
        assert who("", "").ins_root == INS_NIR
        calculated = "1234567890123456789012^^^&1.2.250.1.213.1.4.2&ISO^INS-C^^20100907"
        one = who(calculated, calculated, ipp="")
        assert (one.ins_root, one.ipp) == (INS_NIR, None)  # an INS-C is no number of the hospital's
        assert who(PATIENT, PATIENT, "").ipp is None
        foreign = document(
            parse(build.plain(build.entry(patient="12^^^&1.2.3&ISO^PI", ipp=""), build.submission_set(patient="")))
        )
        assert (foreign.ins, foreign.ins_root) == (None, INS_NONE)
        assert foreign.ipp is not None

    def test_patient_of_the_set_differs(self) -> None:
        """It is said, and the entry's holds."""
        other = PATIENT.replace("290067599900261", "285017511867881")
        found = parse(build.plain(build.entry(), build.submission_set(patient=other)))
        assert codes(found) == ["attachment-missing", "set-patient-differs"]
        assert document(found).ins == submissions.patient(CONTEXT, PATIENT).ins

    def test_keys(self) -> None:
        """MessageID, then submission set, then the correlation id of HTTP; by its bytes when it has none."""
        objects = (build.entry(), build.submission_set())
        request_id = submissions.message_key(CONTEXT, "r-1")
        full = build.post(build.mime(build.plain(*objects)), X_Request_ID="r-1")
        assert document(parse(full)).keys == (SET_KEY, request_id)
        no_message = parse(build.plain(*objects, message=""))
        assert (document(no_message).exchange, no_message.control_id) == (SET_KEY, SET.encode())
        no_set = parse(build.plain(build.entry(), build.submission_set(unique_id="")))
        assert (document(no_set).exchange, document(no_set).keys) == (MESSAGE_KEY, ())
        assert "submission-set-without-id" in codes(no_set)
        nothing = build.plain(build.entry(), message="")
        found = parse(nothing)
        assert {"message-without-id", "submission-set-without-id"} <= set(codes(found))
        assert (
            document(found).exchange == document(parse(nothing)).exchange != document(parse(nothing + b"\n")).exchange
        )

    def test_time(self) -> None:
        """When it was submitted: submissionTime, creationTime, the security header, the Date of HTTP."""
        stamp = "<w:Security><u:Timestamp><u:Created>2026-03-10T16:00:00Z</u:Created></u:Timestamp></w:Security>"
        bare = build.entry(creationTime="")
        unset = build.submission_set(at="")
        assert parse(build.plain(build.entry(), unset)).at == 1773155700
        assert parse(build.plain(bare, unset, header=stamp)).at == 1773158400
        assert parse(build.post(build.plain(bare, unset), Date="Tue, 10 Mar 2026 15:20:05 GMT")).at == 1773156005
        late = parse(build.plain(bare, unset))
        assert late.at == document(late).at == 0

    def test_register_and_lone_metadata(self) -> None:
        """ITI-42, and the SubmitObjectsRequest of a METADATA.XML, carry no document and miss none."""
        objects = (build.entry(), build.submission_set())
        register = parse(build.envelope(build.submit(*objects), message=MESSAGE, action=build.REGISTER))
        assert (register.message, codes(register)) == ("ITI-42", [])
        assert document(register).keys == (SET_KEY,)
        lone = parse(build.submit(*objects).encode())
        assert (lone.message, codes(lone), document(lone).exchange) == ("ITI-42", [], SET_KEY)

    def test_the_action_may_be_in_the_head(self) -> None:
        """Content-Type of SOAP 1.2 or SOAPAction of SOAP 1.1."""
        xml = build.envelope(build.submit(build.submission_set(), build.entry()), message=MESSAGE)
        assert parse(build.post(build.mime(xml), action=build.UPDATE)).message == "ITI-57"
        head = f'POST / HTTP/1.1\r\nSOAPAction: "{build.UPDATE}"\r\nContent-Type: text/xml\r\n\r\n'.encode()
        assert parse(head + xml).message == "ITI-57"

    def test_a_capture_of_the_wire(self) -> None:
        """A body in chunks is put together before it is read."""
        whole = build.request()
        head, _, body = whole.partition(b"\r\n\r\n")
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        assert parse(head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks) == parse(whole)

    def test_a_head_that_lost_its_parts(self) -> None:
        """A platform may keep the head of a multipart message and dump its XML alone."""
        found = parse(build.post(build.plain(build.entry(), build.submission_set())))
        assert codes(found) == ["attachment-missing"]
