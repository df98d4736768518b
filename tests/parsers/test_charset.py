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
