"""Delimiters, escapes and text of one message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers.encoding import DEFAULT, Encoding


@pytest.mark.parametrize(
    ("leaf", "text"),
    [
        (rb"a\F\b", "a|b"),
        (rb"a\S\b\T\c\R\d\E\e", "a^b&c~d\\e"),
        (rb"\H\gras\N\ ", "gras "),
        (rb"ligne\.br\suite", "ligne\nsuite"),
        (rb"\X41C3A9\ ", "Aé "),
        (rb"\Z99\ ", "\\Z99\\ "),
        (rb"C:\dossier", "C:\\dossier"),
        (rb"fin\E", "fin\\E"),
        (rb"\\", "\\\\"),
        (rb"\Q\F\ ", "\\Q| "),  # the mark that closes an unknown sequence may open a known one
        (b"", ""),
    ],
)
def test_escapes_are_read_on_leaves(leaf: bytes, text: str) -> None:
    """Known sequences are replaced, unknown ones and lone marks kept."""
    assert DEFAULT.text(leaf) == text


def test_escapes_stand_for_the_delimiters_of_the_message() -> None:
    """With other delimiters, the sequences stand for them."""
    encoding = Encoding(b"#", b"!", b"%", b"$", b"@", "utf-8")
    assert encoding.text(b"a$F$b$S$c$T$d") == "a#b!c@d"


def test_codes_are_compared_without_blanks_nor_case() -> None:
    """Blanks, NBSP and lower case inside codes are removed."""
    assert DEFAULT.code("invisible_ rep\u00a0_legaux ".encode()) == "INVISIBLE_REP_LEGAUX"
    assert DEFAULT.code(b'""') == ""


def test_values_are_trimmed_utf8_and_never_null() -> None:
    """An identifier is the same bytes whatever the character set; the null is no identifier."""
    assert DEFAULT.value(b" 42 ") == b"42"
    assert DEFAULT.value(b'""') == b""
    assert Encoding(codec="iso8859-15").value("É1".encode("iso8859-15")) == "É1".encode()
    assert DEFAULT.value(rb"1\T\2") == b"1&2"


@given(st.binary(max_size=60), st.sampled_from(["utf-8", "iso8859-15", "cp1252", "ascii"]))
def test_no_leaf_makes_it_fail(leaf: bytes, codec: str) -> None:
    """Any bytes are some text."""
    encoding = Encoding(codec=codec)
    assert isinstance(encoding.text(leaf), str)
    assert isinstance(encoding.value(leaf), bytes)
    assert encoding.code(leaf) == "".join(encoding.code(leaf).split())


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_what_is_escaped_is_read_back(text: str) -> None:
    """Escaping the delimiters and reading the leaf gives the text again."""
    escaped = (
        text.replace("\\", "\\E\\")
        .replace("|", "\\F\\")
        .replace("^", "\\S\\")
        .replace("~", "\\R\\")
        .replace("&", "\\T\\")
    )
    assert DEFAULT.text(escaped.encode()) == text
