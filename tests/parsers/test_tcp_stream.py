"""One direction of a TCP connection, from segments in any state."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.parsers import tcp_stream
from engine.parsers.tcp_stream import TcpStream

START = 2**32 - 20
"""A sequence number that wraps within the first bytes."""


def segments(data: bytes, places: list[int]) -> list[tuple[int, bytes]]:
    """The data cut at these places, with sequence numbers behind a SYN."""
    marks = sorted({0, *(place % (len(data) + 1) for place in places), len(data)})
    return [((START + 1 + begin) % 2**32, data[begin:end]) for begin, end in pairwise(marks)]


def read(stream: TcpStream, found: list[tuple[int, bytes]]) -> list[bytes | int]:
    """Everything a stream gives for these segments."""
    pieces = [piece for sequence, data in found for piece in stream.feed(sequence, data)]
    return pieces + stream.close()


def joined(pieces: list[bytes | int]) -> bytes:
    """The bytes of pieces among which there is no gap."""
    assert all(isinstance(piece, bytes) for piece in pieces)
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


@given(
    data=st.binary(min_size=1, max_size=200),
    places=st.lists(st.integers(0, 200), max_size=10),
    again=st.lists(st.integers(0, 200), max_size=10),
    order=st.randoms(use_true_random=False),
)
def test_any_order_and_repetition_give_the_stream(
    data: bytes, places: list[int], again: list[int], order: object
) -> None:
    """Segments twice, cut elsewhere, overlapping and out of order, across the end of the sequence numbers: the bytes, once."""
    stream = TcpStream()
    stream.opened(START)
    found = segments(data, places) + segments(data, again)
    order.shuffle(found)  # type: ignore[attr-defined]
    assert joined(read(stream, found)) == data


def test_what_never_comes_is_a_gap() -> None:
    """A missing segment is told with its size, where it is missing; what is behind it is given."""
    stream = TcpStream()
    stream.opened(START)
    found = segments(b"abcdefghij", [3, 5, 8])
    del found[1]
    assert read(stream, found) == [b"abc", 2, b"fgh", b"ij"]


def test_the_middle_of_a_connection_begins_with_a_gap() -> None:
    """Without the SYN nobody knows what was before: a gap of no known size, then the bytes."""
    stream = TcpStream()
    assert read(stream, segments(b"abcdef", [3])) == [0, b"abc", b"def"]


def test_a_gap_is_not_waited_for_for_ever() -> None:
    """When too much waits behind a missing segment, the stream goes on without it: memory is bounded."""
    stream = TcpStream()
    stream.opened(0)
    piece = bytes(60_000)
    pieces: list[bytes | int] = []
    count = tcp_stream.MAX_WAITING // len(piece) + 2
    for number in range(count):
        pieces += stream.feed(11 + number * len(piece), piece)
    assert pieces[0] == 10
    assert sum(len(one) for one in pieces if isinstance(one, bytes)) == count * len(piece)
    assert stream.close() == []


def test_an_empty_segment_is_nothing() -> None:
    """A bare acknowledgement, or a keepalive, gives nothing."""
    assert TcpStream().feed(7, b"") == []
