"""Character sets: what is declared and what is there."""

from __future__ import annotations

import pytest

from engine.facts import Identity
from engine.parsers import charset
from tests.parsers.messages import MSH, PID, PV1, build, codes, one, parse, pseudonym

ACCENTED = PID.replace("700001^^^HX", "Né700001^^^HX")


@pytest.mark.parametrize(
    ("written", "codec"),
    [
        ("", ""),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("ISO8859-15", "iso8859-15"),
        ("UNICODE UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("UNICODE UTF-16", "utf-8"),
        ("UNICODE", "utf-8"),
        ("ASCII", "ascii"),
        ("ISO IR87", None),
    ],
)
def test_names_are_known_however_spelled(written: str, codec: str | None) -> None:
    """Each spelling of MSH-18 gives its codec."""
    assert charset.codec(written) == codec


@pytest.mark.parametrize(
    ("declared", "actual", "flag"),
    [
        ("UNICODE UTF-8", "utf-8", None),
        ("8859/15", "iso8859-15", None),
        ("8859/1", "iso8859-1", None),
        ("UNICODE UTF-8", "iso8859-15", "charset-fallback"),
        ("8859/1", "utf-8", "charset-fallback"),
        ("ASCII", "iso8859-15", "charset-fallback"),
        ("", "utf-8", "charset-undeclared"),
        ("", "iso8859-1", "charset-undeclared"),
        ("ISO IR87", "utf-8", "charset-unknown"),
    ],
)
def test_the_bytes_win_over_the_declaration(declared: str, actual: str, flag: str | None) -> None:
    """An identifier with an accent has one pseudonym whatever the encoding, and a contradiction is flagged."""
    raw = build(MSH.replace("UNICODE UTF-8", declared), ACCENTED, PV1, encoding=actual)
    parsed = parse(raw)
    assert one(parsed, Identity).ipp == pseudonym("ipp", "990000001", "Né700001".encode())
    assert {code for code in codes(parsed) if code.startswith("charset")} == ({flag} if flag else set())


def test_windows_bytes_are_read_as_windows() -> None:
    """Bytes 80 to 9F under a wrong declaration are those of Windows-1252."""
    assert charset.choose(["l’été".encode("cp1252")], "utf-8") == ("cp1252", charset.FALLBACK)


def test_ascii_is_never_flagged() -> None:
    """A message in ASCII is right under every declaration that is known."""
    for declared in ("", "ascii", "utf-8", "iso8859-15"):
        assert charset.choose([b"MSH|"], declared) == ("utf-8", ())


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("cut", [0, 1])
def test_utf16_becomes_utf8(order: str, cut: int) -> None:
    """The mark is left out, and half a character at the end is replaced."""
    data = "\ufeffMSH|Né\U0001f600".encode(order)
    assert charset.utf8(data[: len(data) - cut]).decode() == "MSH|Né" + ("\ufffd" if cut else "\U0001f600")
    assert charset.utf8(b"MSH|\xe9") == b"MSH|\xe9"


@pytest.mark.parametrize("declared", ["UNICODE UTF-16", "UNICODE", "UNICODE UTF-8"])
def test_utf16_that_says_so_is_not_flagged(declared: str) -> None:
    """A message in UTF-16 with accents gives the same identifiers and no remark about its character set."""
    raw = build(MSH.replace("UNICODE UTF-8", declared), ACCENTED, PV1).decode()
    parsed = parse(f"\ufeff{raw}".encode("utf-16-le"))
    assert one(parsed, Identity).ipp == pseudonym("ipp", "990000001", "Né700001".encode())
    assert not [code for code in codes(parsed) if code.startswith("charset")]
