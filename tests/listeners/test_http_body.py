"""The body of an HTTP request, decompressed step by step."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.listeners.http_body import STEP, Body

LIMIT = 4 * STEP


def drained(body: Body) -> Body:
    """A body of which everything that was fed is decompressed, as far as the limit lets it."""
    while body.pending and len(body) <= LIMIT:
        before = len(body)
        body.step()
        assert len(body) - before <= STEP
    return body


@given(
    st.lists(st.integers(0, 2 * STEP), min_size=1, max_size=3),
    st.booleans(),
    st.integers(1, 100_000),
)
def test_members_and_pieces(sizes: list[int], random: bool, piece: int) -> None:
    """However it was compressed, and however it comes, it is what it was, and never more than a step at a time."""
    members = [os.urandom(size // 8) * 8 if random else bytes(size) for size in sizes]
    packed = b"".join(map(gzip.compress, members))
    body = Body(gzip=True, limit=6 * STEP)
    for at in range(0, len(packed), piece):
        body.feed(packed[at : at + piece])
        while body.pending:
            body.step()
    assert body.whole
    assert body.after(b"head ") == b"head " + b"".join(members)


@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 2 * STEP, LIMIT])
def test_the_end_of_a_step(size: int) -> None:
    """What zlib still holds when a step is full is asked for."""
    body = Body(gzip=True, limit=LIMIT)
    body.feed(gzip.compress(bytes(size)))
    assert drained(body).whole
    assert len(body) == size


def test_bomb() -> None:
    """What decompresses to 64 MiB is let go of one byte beyond the limit."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join([*(stream.compress(bytes(1 << 20)) for _ in range(64)), stream.flush()])
    body = Body(gzip=True, limit=LIMIT)
    body.feed(packed)
    assert len(drained(body)) == LIMIT + 1


def test_cut_and_damaged() -> None:
    """What has no end is not whole; what is no gzip is told."""
    packed = gzip.compress(os.urandom(1000))
    body = Body(gzip=True, limit=LIMIT)
    body.feed(packed[:-1])
    assert not drained(body).whole
    body = Body(gzip=True, limit=LIMIT)
    body.feed(b"no gzip at all")
    with pytest.raises(zlib.error):
        body.step()


def test_plain() -> None:
    """What is not compressed is kept as it comes."""
    body = Body(gzip=False, limit=LIMIT)
    assert body.whole
    body.feed(b"a")
    body.feed(b"b")
    assert not body.pending
    assert body.after(b"") == b"ab"
