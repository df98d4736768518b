"""Files of several messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers import hl7
from engine.parsers.batch import split
from engine.parsers.context import default
from tests.parsers.messages import FIXTURES, NAMES, fixture

A, B = fixture("adt_a04_emergency"), fixture("adt_a06_to_inpatient")


def test_a_batch_file_gives_its_messages() -> None:
    """Batch segments around and between messages are left out."""
    assert list(split((FIXTURES / "batch_two_movements.er7").read_bytes())) == [A, B]
    nested = b"FHS|^~\\&\rBHS|^~\\&\r" + A + b"BTS|1\rBHS|^~\\&\rBTS|0\rBHS|^~\\&\r" + B + b"BTS|1\rFTS|3\r"
    assert list(split(nested)) == [A, B]


def test_an_empty_batch_gives_nothing() -> None:
    """A batch without messages, a blank file and an empty one are legal and empty."""
    for data in (b"FHS|^~\\&\rBHS|^~\\&\rBTS|0\rFTS|1\r", b"\r\n\r\n", b"", b"\xef\xbb\xbf"):
        assert list(split(data)) == []


@pytest.mark.parametrize(
    "joined",
    [
        A + B,
        b"\x0b" + A + b"\x1c\r\x0b" + B + b"\x1c\r",
        b"\x0b" + A + b"\x1c\x0b" + B + b"\x1c",
        b"\x0b" + A + b"\x1c\r\n\x0b" + B,
        b"\xef\xbb\xbf" + A + b"\r\n" + B + b"\r\n\r\n",
        A + b"\x1c\r" + B + b"\x1c\r",
    ],
)
def test_several_messages_are_told_apart(joined: bytes) -> None:
    """Messages one after the other, framed or not, come out byte for byte."""
    assert list(split(joined)) == [A, B]


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf16_gives_its_messages(order: str) -> None:
    """Messages saved as Unicode by Windows come out in UTF-8, framed or not."""
    for joined in (A + B, b"\x0b" + A + b"\x1c\r\x0b" + B + b"\x1c\r"):
        assert list(split(f"\ufeff{joined.decode()}".encode(order))) == [A, B]


@pytest.mark.parametrize("line", ["MSH+AAAA", "MSH/9AAA", "MSHAAAAA"])
def test_base64_is_no_message(line: str) -> None:
    """A line of a wrapped document that begins with MSH and a sign of base64 stays in its message."""
    raw = A + b"OBX|1|ED|11490-0^^LN||^TEXT^^Base64^QUFB\r\n" + line.encode() + b"\r\nQUFB||||||F\r"
    assert list(split(raw + B)) == [raw, B]


@pytest.mark.parametrize("separator", ["+", "/", "#", "$"])
def test_odd_separators_begin_a_message(separator: str) -> None:
    """A message with an unusual separator is told apart from the one before."""
    odd = A.replace(b"|", separator.encode())
    assert list(split(B + odd)) == [B, odd]


def test_line_feeds_separate_messages_too() -> None:
    """A file with LF or CRLF gives the same facts."""
    for end in (b"\n", b"\r\n"):
        found = [hl7.parse(raw, default()) for raw in split((A + B).replace(b"\r", end))]
        assert found == [hl7.parse(A, default()), hl7.parse(B, default())]


def test_what_is_no_message_is_given_for_refusal() -> None:
    """Other formats between messages are payloads of their own: nothing is lost silently."""
    assert list(split(b"H|^~\\&|HPRIM\r" + A)) == [b"H|^~\\&|HPRIM", A]
    assert list(split(b"\x0bH|^~\\&\r\x1c\r\x0b" + A + b"\x1c\r")) == [b"H|^~\\&", A]
    assert list(split(b"<a/>")) == [b"<a/>"]


def test_msh_inside_a_field_begins_nothing() -> None:
    """The letters MSH inside a line, or as a word at its start, are text."""
    raw = A.replace(b"TESTDEUX", b"MSH|TEST").replace(b"ANNE", b"\nMSHA")
    assert list(split(raw)) == [raw]


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5), st.booleans())
def test_joined_fixtures_are_found_again(names: list[str], framed: bool) -> None:
    """Whatever messages are joined, the same ones come out."""
    messages = [fixture(name) for name in names]
    joined = b"".join(b"\x0b" + m + b"\x1c\r" if framed else m for m in messages)
    assert list(split(joined)) == messages


@given(
    st.lists(st.sampled_from([b"MSH", b"|", b"\r", b"\n", b"\x0b", b"\x1c", b"FHS|", b"BTS", b"x", b"\xef\xbb\xbf"]))
)
def test_no_bytes_make_it_fail(parts: list[bytes]) -> None:
    """Any bytes are some payloads, none of them blank, none longer than the file."""
    data = b"".join(parts)
    found = list(split(data))
    assert all(payload.strip() for payload in found)
    assert sum(map(len, found)) <= len(data)
