"""Content-Transfer-Encoding, and the base64 of XML elements."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers import transfer_encoding


def decode(data: bytes, encoding: str) -> bytes | None:
    """Decoded, as bytes."""
    found = transfer_encoding.decode(memoryview(data), encoding)
    return None if found is None else bytes(found)


class TestDecode:
    """By the name of the encoding."""

    @pytest.mark.parametrize("name", ["", "binary", "8bit", "7BIT", " Binary "])
    def test_as_is_is_not_copied(self, name: str) -> None:
        """What is not encoded is given as a view of the same bytes."""
        data = b"\x00\xff=3D"
        found = transfer_encoding.decode(memoryview(data), name)
        assert isinstance(found, memoryview)
        assert found.obj is data

    def test_names_in_any_case(self) -> None:
        """``BASE64`` and ``Quoted-Printable`` occur; an unknown name is not guessed."""
        assert decode(b"QUI=", "BASE64") == b"AB"
        assert decode(b"A=3D=\r\nB", "Quoted-Printable") == b"A=B"
        assert decode(b"QUI=", "x-uuencode") is None


class TestBase64:
    """Lines of any length, cut anywhere."""

    @given(st.binary(max_size=300), st.integers(1, 80), st.sampled_from([b"\r\n", b"\n", b" \t"]))
    def test_what_was_written_is_read(self, data: bytes, width: int, end: bytes) -> None:
        """White space between any two characters changes nothing."""
        text = base64.b64encode(data)
        lines = end.join(text[at : at + width] for at in range(0, len(text), width))
        assert decode(lines + end, "base64") == data

    @pytest.mark.parametrize("width", [0, 64, 76])
    def test_several_pieces(self, width: int) -> None:
        """A text longer than a piece is put together again, with and without lines."""
        data = bytes(range(256)) * 12_001
        text = base64.b64encode(data)
        if width:
            text = b"\r\n".join(text[at : at + width] for at in range(0, len(text), width))
        assert decode(text, "base64") == data

    @pytest.mark.parametrize("text", [b"QUJ", b"QUI", b"QUI=QUI=", b"Q*JD", "QUJDé".encode(), b"<a/>", b"="])
    def test_anything_else_is_refused(self, text: bytes) -> None:
        """Cut, padded in the middle, or with another character: None, never a part of it."""
        assert decode(text, "base64") is None

    def test_padding_before_the_last_piece(self) -> None:
        """Nothing may follow the padding, not even in another piece."""
        text = base64.b64encode(b"a" * ((3 << 18) // 4 * 3 - 1))
        assert len(text) == 3 << 18
        assert decode(text + b"QUJD", "base64") is None


class TestInline:
    """As XML writers put it in an element."""

    @pytest.mark.parametrize(
        "text",
        [b"QUJD", b"\n QUJD\n", b"QU&#13;\nJD&#xD;&#10;", b"<![CDATA[QUJD]]>", b" \n<![CDATA[\nQUJD\n]]>\n"],
    )
    def test_forms(self, text: bytes) -> None:
        """Plain, with references for line breaks, in a CDATA section."""
        assert transfer_encoding.inline(b"<D>" + text + b"</D>", 3, 3 + len(text)) == b"ABC"

    @pytest.mark.parametrize("text", [b"QU&amp;JD", b"<![CDATA[QUJD", b"<Include/>", b"QUJD<!-- -->"])
    def test_anything_else(self, text: bytes) -> None:
        """No base64, no bytes."""
        assert transfer_encoding.inline(text, 0, len(text)) is None
