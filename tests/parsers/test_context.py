"""What a parser knows of its feed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.parsers.context import Context, Memo, default
from engine.parsers.encoding import DEFAULT
from tests.parsers.messages import DOMAIN, pseudonym

OWN = replace(default(), authorities=frozenset({"HX", "1.2.250.9999.1"}))


@pytest.mark.parametrize(
    ("written", "scope"),
    [
        (b"42", DOMAIN),
        (b"42^^^HX", DOMAIN),
        (b"42^^^HX&990000001&M^VN", DOMAIN),
        (b"42^^^&1.2.250.9999.1&ISO", DOMAIN),
        (b"42^^^AUTRE&1.2.250.9999.1&ISO", DOMAIN),
        (b"42^^^CLINIQUE&1.2.3&ISO^VN", f"{DOMAIN}|CLINIQUE"),
        (b"42^^^&1.2.3&ISO", f"{DOMAIN}|1.2.3"),
        (b" 42 ~43", DOMAIN),
    ],
)
def test_numbers_are_scoped_by_their_authority(written: bytes, scope: str) -> None:
    """The establishment's own authorities share its domain; another has a scope of its own."""
    assert OWN.number("visit", written, DEFAULT) == pseudonym("visit", scope, b"42")
    assert default().number("visit", written, DEFAULT) == pseudonym("visit", DOMAIN, b"42")


def test_movements_are_scoped_by_their_namespace() -> None:
    """An EI has its authority in its components."""
    assert OWN.entity("movement", b"9^HX^1.2.3^ISO", DEFAULT) == pseudonym("movement", DOMAIN, b"9")
    assert OWN.entity("movement", b"9^X^1.2.250.9999.1", DEFAULT) == pseudonym("movement", DOMAIN, b"9")
    assert OWN.entity("movement", b"9^X", DEFAULT) == pseudonym("movement", f"{DOMAIN}|X", b"9")
    assert OWN.entity("movement", b"9", DEFAULT) == pseudonym("movement", DOMAIN, b"9")


@pytest.mark.parametrize("written", [b"", b'""', b'""^^^HX', b"^^^HX&1&M^VN", b"  "])
def test_nothing_has_no_pseudonym(written: bytes) -> None:
    """Empty and null numbers are none."""
    assert default().number("visit", written, DEFAULT) is None
    assert default().entity("movement", written, DEFAULT) is None


def test_the_memory_is_no_part_of_the_value() -> None:
    """Two contexts that differ by their memory alone are equal, and the memory shows nothing."""
    first = default()
    second: Context = replace(first, memo=Memo())
    second.memo.reader = len
    assert first == second
    assert repr(second.memo) == "Memo()"
