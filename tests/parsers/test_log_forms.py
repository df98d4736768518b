"""The forms of a line, what a mapping can say of them, and which lines need not be read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import mappings, resources
from engine.errors import ParseError
from engine.facts import INS_TEST
from engine.parsers import log, submissions
from engine.parsers.log_mapping import Fields, LogMapping
from tests.parsers.log_reading import AT, CONTEXT, JSON, SHIPPED, codes, document, outcomes, raw, read


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


def test_a_line_is_another_message_under_another_mapping() -> None:
    """So that a replay under a corrected mapping reads it anew; under the same one it is the same line."""
    corrected = msgspec.structs.replace(JSON, status={**JSON.status, "PENDING": "sent"})
    line = raw("PENDING", document_id="1.2.3", ins="285017511867881", ins_oid="1.2.250.1.213.1.4.10")
    assert read(line).facts == ()
    assert len(read(line, corrected).facts) == 1
    assert read(line).control_id == read(line).control_id != read(line, corrected).control_id
