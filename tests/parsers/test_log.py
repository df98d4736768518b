"""Lines of a log read by a mapping: which facts they give, and that nothing else ever comes out."""

from __future__ import annotations

import pytest

from engine.errors import ParseError
from engine.facts import INS_TEST, LOG, Outcome
from engine.parsers import submissions
from tests.parsers.log_reading import AT, CONTEXT, INS, MESSAGE, codes, document, outcomes, raw, read


class TestSubmission:
    """A line that names a patient or a venue is a submission."""

    def test_everything_a_line_can_say(self) -> None:
        """Each field lands where the rules look for it, as the pseudonym that the other traces make."""
        found = document(
            read(
                raw(
                    document_id="urn:oid:1.2.250.1.999.42.1",
                    chain_id="1.2.250.1.999.43.1",
                    version=2,
                    hl7_document_id="1.2.250.1.999.45.1",
                    sha1="DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
                    entry_uuid="urn:uuid:7A9C1F52-0A8E-4F5E-9A37-3F1F3D3A0002",
                    submission_set="1.2.250.1.999.44.1",
                    message_id=MESSAGE,
                    ipp="700001",
                    visit="260000001",
                    type_code="11490-0",
                    format_code="urn:ihe:iti:xds-sd:pdf:2008",
                    created="2026-03-02T10:00:00+01:00",
                    service_start="2026-03-01T09:00:00Z",
                    replaces="1.2.250.1.999.42.0",
                    request="replacement",
                    **INS,
                )
            )
        )
        assert found.trace == LOG
        assert found.at == AT
        assert found.exchange == submissions.message_key(CONTEXT, MESSAGE)
        assert found.keys == (submissions.set_key(CONTEXT, "1.2.250.1.999.44.1"),)
        assert found.id == submissions.document_id(CONTEXT, "1.2.250.1.999.42.1")
        assert found.chain == CONTEXT.pseudonym("chain", "", b"1.2.250.1.999.43.1")
        assert found.version == 2
        assert found.alias == submissions.document_id(CONTEXT, "1.2.250.1.999.45.1")
        assert found.hash == submissions.sha1(CONTEXT, "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        assert found.entry == submissions.entry_id(CONTEXT, "7a9c1f52-0a8e-4f5e-9a37-3f1f3d3a0002")
        assert found.ipp == CONTEXT.pseudonym("ipp", CONTEXT.domain, b"700001")
        assert (found.ins, found.ins_root) == (CONTEXT.pseudonym("ins", "", b"285017511867881"), INS_TEST)
        assert found.visit == CONTEXT.pseudonym("visit", CONTEXT.domain, b"260000001")
        assert (found.type_code, found.kind, found.declared_level) == ("11490-0", "ldl-ses", 1)
        assert (found.created, found.service_start) == (AT - 900, AT - 86_400 - 900)
        assert found.replaces == submissions.document_id(CONTEXT, "1.2.250.1.999.42.0")
        assert (found.request, found.body, found.weak) == ("replacement", "unseen", False)

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("SENT", []),
            ("TAKEN", [("technical", True, "")]),
            ("ACCEPTED", [("dmp", True, "")]),
            ("REFUSED", [("dmp", False, "XDSUnknownPatientId")]),
            ("FAILED", [("technical", False, "XDSUnknownPatientId")]),
            ("DELETED", [("dmp", True, "")]),
            ("DELETION_REFUSED", [("dmp", False, "XDSUnknownPatientId")]),
        ],
    )
    def test_each_status(self, status: str, expected: list[tuple[str, bool, str]]) -> None:
        """Sent is the document alone; every other word is also an outcome, under the document's own key."""
        refused = any(not accepted for _, accepted, _ in expected)
        more = {"error_code": "XDSUnknownPatientId"} if refused else {}
        parsed = read(raw(status, document_id="1.2.250.1.999.42.1", message_id=MESSAGE, visit="26", **more))
        assert outcomes(parsed) == expected
        found = document(parsed)
        assert found.request == ("deletion" if status.startswith("DELET") else "initial")
        assert all(fact.exchange == found.exchange and fact.trace == LOG for fact in parsed.facts)  # type: ignore[union-attr]

    def test_without_any_request_named_the_document_is_the_key(self) -> None:
        """A lean line is joined by the document it names, by the HL7 document id, else by itself alone."""
        lean = document(read(raw(document_id="1.2.250.1.999.42.1", visit="26")))
        assert lean.exchange == lean.id
        by_alias = document(read(raw(hl7_document_id="1.2.250.1.999.42.1", visit="26")))
        assert by_alias.exchange == by_alias.alias == lean.id
        line = raw(sha1="da39a3ee5e6b4b0d3255bfef95601890afd80709", visit="26")
        by_hash = read(line)
        assert document(by_hash).exchange == CONTEXT.pseudonym("log-line", "", line)
        assert not document(by_hash).weak
        assert outcomes(by_hash) == [("dmp", True, "")]

    def test_weak_line(self) -> None:
        """Without any identifier of the document it is weak, and has a key of its own, whatever ends the line."""
        line = raw(type_code="11490-0", visit="26")
        found = document(read(line))
        assert found.weak
        assert document(read(line + b"\r\n")).exchange == found.exchange
        assert document(read(raw(type_code="11490-0", visit="27"))).exchange != found.exchange

    def test_codes_that_are_none(self) -> None:
        """A refusal without a code, or with a text or a number of somebody, has the code other; a code of an acceptance is a warning."""
        for code in ("", "Dossier fermé de M. CANARI", "285017511867881"):
            assert outcomes(read(raw("REFUSED", document_id="1.2.3", visit="26", error_code=code)))[0][2] == "other"
        accepted = read(raw("ACCEPTED", document_id="1.2.3", visit="26", error_code="XDSExtraMetadataNotSaved"))
        (answer,) = (fact for fact in accepted.facts if isinstance(fact, Outcome))
        assert (answer.accepted, answer.code, answer.warning) == (True, "", "XDSExtraMetadataNotSaved")

    def test_signature_entries_are_no_documents(self) -> None:
        """The signature that goes with each submission counts for nothing."""
        assert read(raw(document_id="1.2.3", visit="26", type_code="E1762")).facts == ()

    def test_replacement_by_what_it_replaces(self) -> None:
        """A line that names what it replaces is a replacement even where no word says so."""
        assert document(read(raw(document_id="1.2.3", visit="26", replaces="1.2.2"))).request == "replacement"


class TestAnswer:
    """A line without patient is an answer to what another line or trace has named."""

    def test_under_every_key(self) -> None:
        """The same outcome under each key that the line has."""
        parsed = read(
            raw(
                "REFUSED",
                message_id=MESSAGE,
                submission_set="1.2.4",
                control_id="D1",
                sender="DPI@HX",
                document_id="1.2.3",
                error_code="XDSRegistryError",
            )
        )
        assert [fact.exchange for fact in parsed.facts if isinstance(fact, Outcome)] == [
            submissions.message_key(CONTEXT, MESSAGE),
            submissions.set_key(CONTEXT, "1.2.4"),
            submissions.control_key(CONTEXT, "DPI@HX", "D1"),
            submissions.document_id(CONTEXT, "1.2.3"),
        ]
        assert set(outcomes(parsed)) == {("dmp", False, "XDSRegistryError")}

    def test_deletion(self) -> None:
        """A deletion takes the document out; refused, it says so."""
        assert outcomes(read(raw("DELETED", document_id="1.2.3"))) == [("withdrawal", True, "")]
        assert outcomes(read(raw("DELETION_REFUSED", document_id="1.2.3", error_code="E1"))) == [
            ("withdrawal", False, "E1")
        ]

    def test_nothing_to_join_by(self) -> None:
        """A line that names nothing, or only says that something was sent, gives no fact and a remark."""
        assert read(raw()).facts == ()
        assert codes(read(raw())) == ["log-names-nothing"]
        sent = read(raw("SENT", message_id=MESSAGE))
        assert (sent.facts, codes(sent)) == ((), ["log-names-nobody"])
        alone = read(raw(control_id="D1"))
        assert (alone.facts, codes(alone)) == ((), ["log-control-without-sender", "log-names-nothing"])


class TestOddities:
    """What is not plainly said is not guessed."""

    def test_unknown_status(self) -> None:
        """An unknown word gives no fact and a remark."""
        parsed = read(raw("PEUT-ETRE", document_id="1.2.3", visit="26"))
        assert (parsed.facts, codes(parsed)) == ((), ["log-status-unknown"])

    @pytest.mark.parametrize(
        ("line", "code", "where"),
        [
            (raw("", visit="26"), "log-status-missing", "field status"),
            (raw(visit="26", time="hier"), "log-time-unreadable", "field at"),
            (raw(visit="26", time=None), "log-time-missing", "field at"),
            (b"{", "log-not-json", "line"),
            (b"[1]", "log-not-json", "line"),
            (b"", "log-not-json", "line"),
            (b"\xff\xfe\x00", "log-not-json", "line"),
            (b"[" * 100_000, "log-not-json", "line"),
        ],
    )
    def test_rejected_lines(self, line: bytes, code: str, where: str) -> None:
        """A line that cannot be read has one code and one place."""
        with pytest.raises(ParseError) as found:
            read(line)
        assert (found.value.code, found.value.where) == (code, where)

    def test_identifier_that_is_not_clean(self) -> None:
        """An identifier with bytes that are no UTF-8, or much too long, or an object, is absent and remarked; the rest is read."""
        line = raw(document_id="1.2.3", visit="26", ipp="CAN").replace(b'"CAN"', b'"CAN\xff"')
        parsed = read(line)
        assert document(parsed).ipp is None
        assert [(flag.code, flag.where) for flag in parsed.flags] == [("log-field-not-clean", "field ipp")]
        for odd in ("x" * 600, "a\u0000b", {"a": 1}, [1], True, 10**60):
            parsed = read(raw(document_id="1.2.3", visit=odd, ipp="7"))
            assert document(parsed).visit is None
            assert codes(parsed) == ["log-field-not-clean"]

    def test_numbers_are_identifiers_too(self) -> None:
        """A number of JSON is the same identifier as its text; null and a dash are none."""
        as_number, as_text = (
            document(read(raw(document_id="1.2.3", visit=value))) for value in (260000001, "260000001")
        )
        assert as_number.visit == as_text.visit
        for nothing in (None, "-", "", "  ", "null"):
            assert document(read(raw(document_id="1.2.3", ipp="7", visit=nothing))).visit is None

    def test_ins_without_authority(self) -> None:
        """A matricule is used only under the OID of an INS authority: never as an IPP."""
        parsed = read(raw(document_id="1.2.3", visit="26", ins="285017511867881", ins_oid="1.2.250.1.999.7"))
        assert (document(parsed).ins, document(parsed).ipp) == (None, None)
        assert codes(parsed) == ["log-ins-root-unknown"]

    def test_dates_and_versions_that_cannot_be_read(self) -> None:
        """They are unknown, and remarked."""
        parsed = read(raw(document_id="1.2.3", visit="26", created="demain", version="2.1", request="peut-être"))
        found = document(parsed)
        assert (found.created, found.version, found.request) == (0, 0, "initial")
        assert sorted(codes(parsed)) == ["log-date-unreadable", "log-request-unknown", "log-version-unreadable"]

    def test_lines_of_other_events_are_passed_over(self) -> None:
        """They give neither fact nor remark, however odd they are."""
        parsed = read(raw("?", event="user.login", time="hier"))
        assert (parsed.facts, parsed.flags) == ((), ())

    def test_a_line_is_its_own_control_id(self) -> None:
        """Two lines are two messages, also of one request; the same line again is the same message."""
        sent, accepted = raw("SENT", message_id=MESSAGE), raw("ACCEPTED", message_id=MESSAGE)
        assert read(sent).control_id == read(sent).control_id != read(accepted).control_id
        assert (read(sent).message, read(sent).at, read(sent).processing) == ("log", AT, "")
