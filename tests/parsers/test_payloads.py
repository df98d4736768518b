"""Base64 in OBX-5."""

from __future__ import annotations

import base64
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import er7, payloads
from tests.parsers.messages import MSH, build, document

XML = b"<a>" + b"x" * 100 + b"</a>"
PLAIN = base64.b64encode(XML).decode()


def decode(data: str, limit: int = 1 << 20) -> bytes:
    """The document of a message with this OBX-5.5."""
    message = er7.Message(build(MSH, document(data)))
    return payloads.decode(message, message.segments[1], limit)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.rstrip("="),
        PLAIN + "===",
        " " + PLAIN + " ",
        PLAIN[:76] + "\n" + PLAIN[76:],
        PLAIN[:76] + r"\.br" + "\\" + PLAIN[76:],
        PLAIN[:76] + r"\X0D0A" + "\\" + PLAIN[76:],
        PLAIN.replace("+", "-").replace("/", "_"),
        PLAIN + "^",
        r"<a>\T\amp;</a>",
    ],
)
def test_every_way_of_carrying_a_document_is_understood(data: str) -> None:
    """Wrapped, unpadded, URL-safe, escaped or plain XML."""
    assert decode(data).startswith(b"<a>")


def test_a_cut_document_gives_what_is_left() -> None:
    """4n+1 characters: the last one is dropped."""
    assert decode(PLAIN[:81]) == XML[:60]


def test_wrapped_lines_are_joined_across_segments() -> None:
    """Base64 that is wrapped with CR or CRLF stays one field."""
    for end in ("\r", "\r\n", "\n"):
        wrapped = end.join(PLAIN[at : at + 76] for at in range(0, len(PLAIN), 76))
        assert decode(wrapped) == XML


def test_fewer_components_than_announced() -> None:
    """The data is the last component when the first ones are missing."""
    message = er7.Message(build(MSH, f"OBX|1|ED|X||TEXT^XML^Base64^{PLAIN}"))
    assert payloads.decode(message, message.segments[1], 1000) == XML


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "document-empty"),
        ('""', "document-empty"),
        ("é", "document-not-base64"),
        ("bm9u", "document-not-xml"),
        ("=", "document-empty"),
    ],
)
def test_what_is_no_document_has_a_code(data: str, code: str) -> None:
    """Each kind has its own."""
    with pytest.raises(ParseError) as caught:
        decode(data)
    assert caught.value.code == code
    assert code in payloads.CODES


def test_a_document_above_the_limit_is_not_decoded() -> None:
    """The limit is that of the decoded document."""
    with pytest.raises(ParseError) as caught:
        decode(PLAIN, limit=50)
    assert caught.value.code == "document-too-large"
    assert decode(PLAIN, limit=len(XML)) == XML


def test_a_huge_document_exists_once_decoded() -> None:
    """Nothing of the size of the message is copied but the document itself."""
    size = 16 << 20
    raw = b"MSH|^~\\&|A\rOBX|1|ED|X||^TEXT^XML^Base64^PGE+" + b"QUFB" * (size // 4) + b"||||||F\r"
    tracemalloc.start()
    message = er7.Message(raw)
    assert payloads.subtype(message.segments[1], message) == "XML"
    found = payloads.decode(message, message.segments[1], size)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.startswith(b"<a>AAA")
    assert peak < size * 3 // 4 + (1 << 20)


@given(st.binary(min_size=1, max_size=200))
def test_what_is_encoded_is_decoded(content: bytes) -> None:
    """Any document goes through base64 unharmed."""
    assert decode(base64.b64encode(b"<a>" + content).decode()) == b"<a>" + content


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
def test_no_text_makes_it_fail(data: str) -> None:
    """Any text is a document or a code."""
    try:
        assert decode(data)
    except ParseError as error:
        assert error.code in payloads.CODES | er7.CODES
