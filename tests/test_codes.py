"""The codes of messages: declared, documented, and complete."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.codes import codes, rejections, table
from engine.errors import ParseError
from engine.parsers import hl7
from engine.parsers.context import default
from tests.messages import adt

PAGE = Path(__file__).resolve().parent.parent / "docs" / "codes.md"
CONTEXT = default()


def test_every_code_is_documented() -> None:
    """docs/codes.md is what the modules declare."""
    if os.environ.get("JAUGE_UPDATE"):
        PAGE.write_text(table(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == table()


def test_every_rejection_is_declared() -> None:
    """With a sentence that says what to do."""
    assert set(rejections()) <= codes().keys()
    assert all(len(sentence) > 20 for sentence in codes().values())


@given(
    st.one_of(
        st.binary(max_size=400),
        st.tuples(st.integers(0, 900), st.binary(max_size=8)).map(
            lambda cut: adt(1)[: cut[0]] + cut[1] + adt(1)[cut[0] :]
        ),
        st.integers(0, 900).map(lambda end: adt(1)[:end]),
    )
)
def test_what_keeps_a_message_from_being_read_is_a_rejection(payload: bytes) -> None:
    """Whatever the bytes: facts, or one code of the closed list; every remark is a declared code."""
    try:
        parsed = hl7.parse(payload, CONTEXT)
    except ParseError as error:
        assert error.code in rejections()
    else:
        assert {flag.code for flag in parsed.flags} <= codes().keys()
