"""The lazy reader of ER7 messages."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import er7
from tests.parsers.messages import EVN, MSH, NAMES, PID, PV1, build, fixture


def names(raw: bytes) -> list[bytes]:
    """Names of the segments of a message."""
    return [segment.name for segment in er7.Message(raw).segments]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n", " \r", "\r\n\r\n"])
def test_any_line_end_separates_segments(end: str) -> None:
    """CR, LF and CRLF, doubled or after blanks, give the same segments and fields."""
    message = er7.Message(build(MSH, EVN, PID, PV1, end=end))
    assert [segment.name for segment in message.segments] == [b"MSH", b"EVN", b"PID", b"PV1"]
    pid = message.first(b"PID")
    assert pid is not None
    assert pid.value(3) == b"700001"
    assert pid.code(32) == "VALI"


@pytest.mark.parametrize("tail", [b"", b"\r", b"\n", b"\r\n\r\n", b"\r\x1c\r", b"\x00\x00", b"  \r", b"\x1a"])
def test_what_follows_the_last_segment_is_trimmed(tail: bytes) -> None:
    """Blank lines, a missing terminator and leftovers of framing do not change the last field."""
    message = er7.Message(build(MSH, EVN, PID).rstrip(b"\r") + tail)
    assert len(message.segments) == 3
    assert message.segments[2].code(32) == "VALI"


@pytest.mark.parametrize("head", [b"\x0b", b"\xef\xbb\xbf", b"\r\n", b" "])
def test_what_precedes_msh_is_trimmed(head: bytes) -> None:
    """VT, byte order mark and blanks before MSH are passed over."""
    assert names(head + build(MSH, EVN)) == [b"MSH", b"EVN"]


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf16_with_a_byte_order_mark_is_read(order: str) -> None:
    """A message in UTF-16 is brought to UTF-8."""
    raw = ("\ufeff" + build(MSH, EVN).decode()).encode(order)
    assert names(raw) == [b"MSH", b"EVN"]


def test_a_line_end_inside_a_field_stays_in_the_field() -> None:
    """Where CR ends segments LF is data; a line that does not begin like a segment continues the one before."""
    text = PV1.replace("6268", "62\n68")
    message = er7.Message(build(MSH, text, EVN))
    assert message.segments[1].field(3) == b"62\n68"
    message = er7.Message(build(MSH, text, EVN, end="\n"))
    assert message.segments[1].field(3) == b"62\n68"
    message = er7.Message(build(MSH, PV1.replace("6268", "62\r\n68"), EVN))
    assert message.segments[1].value(19) == b"260004567"


def test_unknown_segments_and_extra_fields_do_no_harm() -> None:
    """Unknown segments are segments; absent fields are empty; an empty Z segment without separator is one."""
    message = er7.Message(build(MSH, "XYZ|a|b", "ZFP", EVN + "|x|y|z"))
    assert [segment.name for segment in message.segments] == [b"MSH", b"XYZ", b"ZFP", b"EVN"]
    assert message.segments[1].field(99) == b""
    assert message.segments[2].field(1) == b""


@pytest.mark.parametrize(
    ("separators", "encoding"),
    [
        ("|^˜\\&", "utf-8"),
        ("|^˜\\&", "cp1252"),
        ("#!%$@", "utf-8"),
        ("¦^~\\&", "utf-8"),
        ("§^~\\&", "latin-1"),
        ("|€£$§", "utf-8"),
    ],
)
def test_delimiters_are_characters(separators: str, encoding: str) -> None:
    """Any five characters serve, even outside ASCII."""
    table = str.maketrans("|^~\\&", separators)
    message = er7.Message(build(MSH.translate(table), PID.translate(table), encoding=encoding))
    pid = message.segments[1]
    assert pid.value(3) == b"700001"
    second = message.encoding.components(message.encoding.repetitions(pid.field(3))[1])
    assert message.encoding.value(second[0]) == b"185057599900150"
    assert message.encoding.value(message.encoding.subcomponents(second[3])[1]) == b"1.2.250.1.213.1.4.8"
    assert message.segments[0].field(1).decode(encoding) == separators[0]


def test_missing_delimiters_are_the_usual_ones() -> None:
    """A short MSH-2 is completed."""
    assert er7.Message(b"MSH|^|A\rPID|||1~2\r").encoding.repetition == b"~"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not-hl7"),
        (b"MSH", "not-hl7"),
        (b"H|^~\\&|HPRIM", "not-hl7"),
        (b"<?xml version='1.0'?>", "not-hl7"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "not-hl7"),
        (b"FHS|^~\\&|A\rMSH|^~\\&|A\r", "batch"),
        (b"MSHA^~\\&A rest", "bad-delimiters"),
        (b"MSH ^~\\& rest", "bad-delimiters"),
        (b"MSH|^^^^|GAM", "bad-delimiters"),
        (b"MSH|abcd|GAM", "bad-delimiters"),
        (b"MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\r", "several-messages"),
    ],
)
def test_what_is_no_message_has_a_code(raw: bytes, code: str) -> None:
    """Each kind of unreadable payload is refused with its own code."""
    with pytest.raises(ParseError) as caught:
        er7.Message(raw)
    assert caught.value.code == code
    assert code in er7.CODES


def test_null_is_not_empty_and_is_no_value() -> None:
    """The explicit null is seen in the field and is neither a code nor an identifier."""
    message = er7.Message(build(MSH, 'PID|||""^^^HX^PI'))
    pid = message.segments[1]
    assert pid.component(3, 1) == b'""'
    assert pid.value(3) == b""
    assert pid.code(3) == ""


def test_a_large_segment_is_searched_not_split() -> None:
    """A field of megabytes is given as a span of the received bytes, which is not copied."""
    data = b"A" * (8 << 20)
    raw = b"MSH|^~\\&|A|B|C|D|20260302||ORU^R01|1|P|2.5\rOBX|1|ED|X||^TEXT^XML^Base64^" + data + b"||||||F\r"
    tracemalloc.start()
    message = er7.Message(raw)
    start, end = message.segments[1].span(5)
    view = message.view(start, end)
    status = message.segments[1].code(11)
    message.digest()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bytes(view[-8:]) == b"AAAAAAAA"
    assert end - start == len(data) + 17
    assert status == "F"
    assert peak < 1 << 20


def test_large_and_small_segments_read_alike() -> None:
    """Fields, counts and spans agree on both sides of the size from which a segment is searched."""
    for size in (10, er7.LARGE + 10):
        segment = er7.Message(b"MSH|^~\\&|A\rOBX|1|ED|" + b"x" * size + b"|y|\r").segments[1]
        assert [segment.field(n) for n in (0, 1, 2, 4, 5, 6)] == [b"OBX", b"1", b"ED", b"y", b"", b""]
        assert len(segment.field(3)) == size
        assert segment.count() == 5


@pytest.mark.parametrize("name", NAMES)
def test_line_ends_do_not_change_the_digest(name: str) -> None:
    """The digest of a message is that of its content, not of its line ends."""
    raw = fixture(name)
    assert er7.digest(raw) == er7.digest(raw.replace(b"\r", b"\n")) == er7.digest(raw.replace(b"\r", b"\r\n"))
    assert er7.digest(raw) == er7.digest(raw.rstrip(b"\r")) == er7.Message(raw).digest()
    assert er7.digest(raw) != er7.digest(raw.replace(b"|P|", b"|T|"))


def test_nothing_of_a_message_is_in_a_repr() -> None:
    """Messages and segments show their size only."""
    message = er7.Message(build(MSH, PID))
    assert "700001" not in repr(message) + repr(message.segments)


fields = st.text(st.characters(codec="utf-8", exclude_characters="|^~\\&\r\n\x0b\x1c\x00\x1a \t\x0c"), max_size=8)


@given(
    st.lists(st.tuples(st.sampled_from(["PID", "OBX", "ZZ1"]), st.lists(fields, min_size=1, max_size=6)), max_size=6)
)
def test_what_is_written_is_read(segments: list[tuple[str, list[str]]]) -> None:
    """Segments and fields that are joined are found again, to the byte."""
    raw = build(MSH, *["|".join([name, *values]) for name, values in segments])
    found = er7.Message(raw).segments[1:]
    assert [segment.name.decode() for segment in found] == [name for name, _ in segments]
    for segment, (_, values) in zip(found, segments, strict=True):
        assert [segment.field(n + 1).decode() for n in range(len(values))] == values
