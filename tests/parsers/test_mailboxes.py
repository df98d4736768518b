"""Lists of addresses, as mailers write them."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers.mailboxes import read

ATOM = st.text("abcdefghijklmnopqrstuvwxyz0123456789!#$%&*+-/=_{|}~", min_size=1, max_size=12)
DOMAIN = st.lists(st.text("abcdefghij0123456789", min_size=1, max_size=8), min_size=2, max_size=3).map(".".join)
ADDRESS = st.tuples(st.lists(ATOM, min_size=1, max_size=3).map(".".join), DOMAIN).map("@".join)
NAME = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a@b", ["a@b"]),
        ("Alix <A@B.fr>, b@c", ["a@b.fr", "b@c"]),
        ('"Fictif, Alix" <a@b>', ["a@b"]),
        ('"x@y" <a@b>', ["a@b"]),
        ('"a\\"<x@y>" <a@b>', ["a@b"]),
        ("Groupe: a@b, Bob <c@d>;", ["a@b", "c@d"]),
        ("G1: a@b; G2: c@d;, e@f", ["a@b", "c@d", "e@f"]),
        ("undisclosed-recipients:;", []),
        ("a@b (un (deux) \\) x@y), c@d", ["a@b", "c@d"]),
        ("<@x,@y:a@b>, c@d", ["a@b", "c@d"]),
        ("a . b @ c . d", ["a.b@c.d"]),
        ('"alix fictif"@b.fr', ["alixfictif@b.fr"]),
        ('"alix"@b.fr', ["alix@b.fr"]),
        ("a@b; c@d", ["a@b", "c@d"]),
        ("<a@b> <c@d>", ["a@b", "c@d"]),
        ("Alix a@b", ["a@b"]),
        ('"Alix" a@b', ["a@b"]),
        ('"a@b"', ["a@b"]),
        ("'a@b'", ["a@b"]),
        ("<a@b", ["a@b"]),
        ("Alix <a@b, Bob <c@d>", ["a@b", "c@d"]),
        ("mailto:a@b", ["a@b"]),
        ("=?utf-8?Q?Fictif, Alix?= <a@b>", ["a@b"]),
        ("=?utf-8?Q?a=40b.fr?=", ["a@b.fr"]),
        ("=?utf-8?Q?x=40y?= <a@b>", ["a@b"]),
        ("é@b.fr", ["é@b.fr"]),
        ("a@b@c", ["a@b@c"]),
        (",, ;,", []),
        ("<>", []),
        ("", []),
    ],
)
def test_addresses(text: str, addresses: list[str]) -> None:
    """RFC 5322, its obsolete forms, and what is written in their place."""
    assert read(text) == (addresses, 0)


@pytest.mark.parametrize("text", ["Alix Fictif", "@b", "a@", f"{'a' * 320}@b", "<Alix>"])
def test_no_address(text: str) -> None:
    """An entry that holds none is told."""
    assert read(text) == ([], 1)
    assert read(f"{text}, c@d") == (["c@d"], 1)


@given(st.lists(st.tuples(NAME, ADDRESS), max_size=8))
def test_as_the_standard_library_writes(pairs: list[tuple[str, str]]) -> None:
    """What the standard library writes is read back, whatever the names."""
    written = ", ".join(email.utils.formataddr(pair) for pair in pairs)
    assert read(written) == ([address for _, address in pairs], 0)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Nothing raises; what is given is an address."""
    found, unreadable = read(text)
    assert all("@" in address.strip("@") for address in found)
    assert unreadable >= 0


@pytest.mark.parametrize("piece", ["a@b, ", "<", "(", '"', "\\", "<a", "a@b <", ", ", " ", ". ", "@ ", ":", "=?", "('"])
def test_linear(piece: str) -> None:
    """A megabyte of anything is read at once: time that grew with its square would end the test."""
    read(piece * (1_000_000 // len(piece)))
