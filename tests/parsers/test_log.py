"""Lines of a log read by a mapping: which facts they give, and that nothing else ever comes out."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import mappings, resources
from engine.errors import ParseError
from engine.facts import INS_TEST, LOG, Document, Outcome
from engine.parsers import context as contexts
from engine.parsers import log, submissions
from engine.parsers.log_mapping import NAMES, Fields, LogMapping
from engine.parsers.parsed import Parsed

CONTEXT = contexts.default()
AT = 1_772_442_900  # 2026-03-02T10:15:00+01:00
SHIPPED = ("platform-json", "platform-csv", "application-log")
JSON = mappings.load(resources.path("logs/platform-json.yaml"))
INS = {"ins": "285017511867881", "ins_oid": "1.2.250.1.213.1.4.10"}
MESSAGE = "urn:uuid:7a9c1f52-0a8e-4f5e-9a37-3f1f3d3a0001"


def raw(status: str = "ACCEPTED", **fields: Any) -> bytes:
    """A line of the JSON platform."""
    line = {"time": "2026-03-02T10:15:00+01:00", "event": "dmp.submission", "status": status, **fields}
    return json.dumps(line).encode()


def read(line: bytes, mapping: LogMapping = JSON) -> Parsed:
    """One line, read."""
    return log.reader(mapping)(line, CONTEXT)


def document(parsed: Parsed) -> Document:
    """The only Document of a line."""
    (found,) = (fact for fact in parsed.facts if isinstance(fact, Document))
    return found


def outcomes(parsed: Parsed) -> list[tuple[str, bool, str]]:
    """Layer, acceptance and code of each outcome."""
    return [(fact.layer, fact.accepted, fact.code) for fact in parsed.facts if isinstance(fact, Outcome)]


def codes(parsed: Parsed) -> list[str]:
    """Codes of the remarks."""
    return [flag.code for flag in parsed.flags]


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


class TestForms:
    """The three forms of a line, and what a mapping can say of them."""

    def mapping(self, **more: Any) -> LogMapping:
        """A small mapping."""
        settings: dict[str, Any] = {
            "format": "json",
            "fields": Fields(at="t", status="s", document="d", visit="v"),
            "status": {"OK": "accepted"},
        }
        return LogMapping(**{**settings, **more})

    def test_paths(self) -> None:
        """A dotted name goes down into objects and lists, unless the log has a field of just that name."""
        fields = Fields(at="log.time", status="a.b.0.c", document="d.x", visit="v")
        line = {"log.time": "2026-03-02T10:15:00+01:00", "a": {"b": [{"c": "OK"}]}, "d": {"x": "1.2.3"}, "v": "26"}
        found = document(read(json.dumps(line).encode(), self.mapping(fields=fields)))
        assert (found.at, found.id) == (AT, submissions.document_id(CONTEXT, "1.2.3"))
        for odd in ({"a": 1}, {"a": {"b": []}}, {"a": {"b": [1]}}, {"a": None}):
            with pytest.raises(ParseError, match="log-status-missing"):
                read(json.dumps({**line, **odd}).encode(), self.mapping(fields=fields))

    def test_columns(self) -> None:
        """Quotes, a header, a header that changed, and another number of columns."""
        mapping = self.mapping(format="csv", columns=("t", "s", "d", "v"))
        found = document(read(b'2026-03-02T10:15:00+01:00;"OK";"1.2.3";"a;b"', mapping))
        assert found.visit == CONTEXT.pseudonym("visit", CONTEXT.domain, b"a;b")
        assert read(b't;s;"d";v', mapping).facts == ()
        for line, code in (
            (b"t;d;s;v", "log-header-changed"),
            (b"t;s;d;v;w", "log-header-changed"),
            (b"1;2;3", "log-columns"),
            (b'1;2;3;"4', "log-not-csv"),
            (b"1;2;3;" + b"x" * 200_000, "log-not-csv"),
        ):
            with pytest.raises(ParseError, match=code):
                read(line, mapping)

    def test_charset(self) -> None:
        """Words are compared in the log's own charset."""
        mapping = self.mapping(
            format="csv", columns=("t", "s", "d", "v"), encoding="windows-1252", status={"Accepté": "accepted"}
        )
        assert outcomes(read("2026-03-02T10:15:00Z;Accepté;1.2.3;26".encode("cp1252"), mapping)) == [("dmp", True, "")]

    def test_patterns(self) -> None:
        """Patterns are tried in order; other lines are ignored, or rejected when the mapping says so."""
        patterns = (r"(?P<t>\S+) OK (?P<d>\S+) (?P<v>\d+)", r"(?P<t>\S+) (?P<s>KO)")
        mapping = self.mapping(
            format="regex", patterns=patterns, constants={"status": "OK"}, status={"OK": "accepted", "KO": "refused"}
        )
        assert outcomes(read(b"2026-03-02T10:15:00Z OK 1.2.3 26", mapping)) == [("dmp", True, "")]
        assert codes(read(b"2026-03-02T10:15:00Z KO", mapping)) == ["log-names-nothing"]
        assert read(b"Started", mapping).facts == ()
        strict = msgspec.structs.replace(mapping, other_lines="reject")
        for line, code in ((b"Started", "log-no-match"), (b"x" * 70_000, "log-line-too-long")):
            with pytest.raises(ParseError, match=code):
                read(line, strict)
            assert read(line, mapping).facts == ()

    def test_other_lines_of_json(self) -> None:
        """Where other lines are normal they are ignored."""
        assert read(b"Started in 12 s", self.mapping(other_lines="ignore")).facts == ()

    def test_constants_and_words(self) -> None:
        """What the log does not write is a constant; words that stand for nothing are the mapping's."""
        mapping = self.mapping(
            fields=Fields(at="t", status="s", ins="i", control="c", document="d", request="r"),
            constants={"ins_root": "1.2.250.1.213.1.4.10", "sender": "DPI@HX"},
            absent=("n/a",),
            requests={"R": "replacement"},
        )
        line = {"t": "2026-03-02T10:15:00Z", "s": "OK", "i": "285017511867881", "c": "D1", "d": "n/a", "r": "R"}
        found = document(read(json.dumps(line).encode(), mapping))
        assert found.ins_root == INS_TEST
        assert found.id is None
        assert found.request == "replacement"

    def test_zone(self) -> None:
        """A local time is of the mapping's zone, else of the feed's."""
        line = json.dumps({"t": "2026-03-02 10:15:00,123", "s": "OK", "d": "1.2.3", "v": "26"}).encode()
        assert read(line, self.mapping()).at == AT
        assert read(line, self.mapping(zone="Indian/Reunion")).at == AT - 3 * 3600


class TestPasser:
    """Lines that need not be handed over at all."""

    @pytest.mark.parametrize("name", SHIPPED)
    def test_never_a_line_that_counts(self, name: str) -> None:
        """Of the samples, what gives facts is never passed over; most of the other lines are."""
        mapping = mappings.load(resources.path(f"logs/{name}.yaml"))
        passed = log.passer(mapping)
        lines = [
            line
            for line in resources.path(f"logs/{name}.sample").read_bytes().split(b"\n")
            if line and line[:1] != b"#"
        ]
        for line in lines:
            assert not (passed(line) and read(line, mapping).facts)
        assert any(map(passed, lines))

    def test_escapes(self) -> None:
        """A word written by an escape is still seen."""
        line = raw(document_id="1.2.3", visit="26").replace(b"dmp.", b"\\u0064mp.")
        assert not log.passer(JSON)(line)
        assert len(read(line).facts) == 2

    @given(
        st.dictionaries(
            st.sampled_from(["e", "f", "g"]), st.sampled_from(["a", "b", "é", "1", '"', "a b", 1, None, 1.0])
        )
    )
    def test_passed_over_means_no_fact(self, line: dict[str, Any]) -> None:
        """Whatever the values looked for, a line that is passed over is one that the reader passes over."""
        for where in ({"e": ("a",)}, {"e": ("a", "1")}, {"f": ("é",), "g": ("b",)}, {"e": ('"',)}, {"e": (" a b ",)}):
            mapping = LogMapping(format="json", fields=Fields(at="t", status="s"), status={"x": "sent"}, where=where)
            for text in (json.dumps(line), json.dumps(line, ensure_ascii=False)):
                if log.passer(mapping)(text.encode()):
                    assert read(text.encode(), mapping).flags == ()


_MAPPINGS = [mappings.load(resources.path(f"logs/{name}.yaml")) for name in SHIPPED]
_SAMPLES = [
    line
    for name in SHIPPED
    for line in resources.path(f"logs/{name}.sample").read_bytes().split(b"\n")
    if line and line[:1] != b"#"
]


def harmless(line: bytes, mapping: LogMapping) -> None:
    """Reading gives facts or one coded error, and neither shows a value."""
    try:
        parsed = log.reader(mapping)(line, CONTEXT)
    except ParseError as error:
        assert error.code in log.REJECTIONS
        assert error.where == "line" or error.where.removeprefix("field ") in NAMES
        assert error.__cause__ is None
    else:
        assert {flag.code for flag in parsed.flags} <= log.CODES.keys() - log.REJECTIONS
        assert all(flag.where.removeprefix("field ") in NAMES for flag in parsed.flags)


class TestAnyBytes:
    """Whatever the bytes."""

    @given(st.binary(max_size=300), st.sampled_from(_MAPPINGS))
    def test_bytes(self, line: bytes, mapping: LogMapping) -> None:
        """Facts, or one coded error."""
        harmless(line, mapping)

    @settings(max_examples=400)
    @given(st.sampled_from(_SAMPLES), st.sampled_from(_MAPPINGS), st.data())
    def test_damaged_samples(self, line: bytes, mapping: LogMapping, data: st.DataObject) -> None:
        """Lines that were cut, doubled or overwritten."""
        for _ in range(data.draw(st.integers(0, 4))):
            at = data.draw(st.integers(0, len(line)))
            line = line[:at] + data.draw(st.binary(max_size=4)) + line[at + data.draw(st.integers(0, 4)) :]
        harmless(line, mapping)

    @given(
        st.dictionaries(
            st.sampled_from(sorted({JSON.source(name) for name in NAMES if JSON.source(name)})),
            st.recursive(
                st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
                lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner, max_size=2)),
                max_leaves=4,
            ),
        )
    )
    def test_any_values(self, values: dict[str, Any]) -> None:
        """Objects with the right names and any values."""
        line = {"time": "2026-03-02T10:15:00Z", "status": "SENT", **values, "event": "dmp.submission"}
        harmless(json.dumps(line).encode("utf-8", "surrogatepass"), JSON)

    def test_no_value_in_what_is_said(self) -> None:
        """Neither errors nor remarks nor a repr hold a value of the line."""
        for line in (
            raw("CANARI", visit="CANARI", document_id="CANARI"),
            raw(visit="CANARI", time="CANARI"),
            raw(visit="CANARI", ins="CANARI", ins_oid="CANARI", version="CANARI", request="CANARI"),
            b"CANARI",
        ):
            try:
                said = repr(read(line)) + str(read(line).flags)
            except ParseError as error:
                said = f"{error!r} {error} {error.__context__!r}"
            assert "CANARI" not in said


def test_a_line_is_another_message_under_another_mapping() -> None:
    """So that a replay under a corrected mapping reads it anew; under the same one it is the same line."""
    corrected = msgspec.structs.replace(JSON, status={**JSON.status, "PENDING": "sent"})
    line = raw("PENDING", document_id="1.2.3", ins="285017511867881", ins_oid="1.2.250.1.213.1.4.10")
    assert read(line).facts == ()
    assert len(read(line, corrected).facts) == 1
    assert read(line).control_id == read(line).control_id != read(line, corrected).control_id
