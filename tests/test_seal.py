"""Sealing: opens with the same key and the same context, and with nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.seal import CODES, OVERHEAD, Seal, SealError

SEAL = Seal(bytes(range(32)))
OTHER = Seal(bytes(range(1, 33)))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=20))
def test_round_trip(plain: bytes, about: bytes) -> None:
    """What was sealed opens again, at a fixed cost of bytes, and is not to be seen in the seal."""
    sealed = SEAL.seal(plain, about)
    assert SEAL.open(sealed, about) == plain
    assert len(sealed) == len(plain) + OVERHEAD
    assert len(plain) < 4 or plain not in sealed


def test_never_twice_the_same() -> None:
    """The same content sealed twice gives two seals: nobody can tell that they are equal."""
    assert len({SEAL.seal(b"x") for _ in range(100)}) == 100


@settings(max_examples=100, deadline=None)
@given(st.integers(0, OVERHEAD + 4), st.integers(1, 255))
def test_any_change_breaks_it(place: int, change: int) -> None:
    """One byte changed anywhere, and it does not open; the error is coded and holds nothing of the content."""
    sealed = bytearray(SEAL.seal(b"DUPON", b"his"))
    sealed[place] ^= change
    with pytest.raises(SealError) as raised:
        SEAL.open(bytes(sealed), b"his")
    assert raised.value.code in CODES
    assert "DUPON" not in str(raised.value)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes(data: bytes) -> None:
    """Bytes that are no seal are refused with a code, never anything else."""
    with pytest.raises(SealError):
        SEAL.open(data)


@pytest.mark.parametrize(
    ("sealed", "about", "code"),
    [
        (b"", b"", "not-sealed"),
        (SEAL.seal(b"x")[:-20], b"", "not-sealed"),
        (SEAL.seal(b"xxxxx")[:-1], b"", "seal-broken"),
        (OTHER.seal(b"x"), b"", "sealed-by-another-key"),
        (SEAL.seal(b"x", b"his"), b"lab", "seal-broken"),
    ],
    ids=("nothing", "cut short", "cut by a byte", "another key", "another place"),  # a seal is never twice the same
)
def test_codes(sealed: bytes, about: bytes, code: str) -> None:
    """A cut seal, another key's and another entry's are told apart."""
    with pytest.raises(SealError) as raised:
        SEAL.open(sealed, about)
    assert raised.value.code == code


def test_views() -> None:
    """A view of a larger buffer is sealed and opened without a copy of one's own."""
    sealed = SEAL.seal(memoryview(b"..MSH|..")[2:6])
    assert SEAL.open(memoryview(b"!" + sealed)[1:]) == b"MSH|"


def test_repr() -> None:
    """Printed, a seal shows the key's id only."""
    assert bytes(range(32)).hex() not in repr(SEAL)
