"""Lines of a log that hold anything: facts or one coded error, and never a value in what is said."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine import mappings, resources
from engine.errors import ParseError
from engine.parsers import log
from engine.parsers.log_mapping import NAMES, LogMapping
from tests.parsers.log_reading import CONTEXT, JSON, SHIPPED, raw, read

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
