"""The framer: bytes in, payloads out, however the stream was cut."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.parsers.mllp import CODES, HEAD_SIZE, Event, Framer, Junk, TooLarge, Truncated, frame

MESSAGE = b"MSH|^~\\&|GAM|HX|DPI|HX|20260302101500||ADT^A01^ADT_A01|G1|P|2.5\rPID|||1\r"

# Bytes that make trouble come often.
wire = st.lists(
    st.sampled_from(
        [b"\x0b", b"\x1c", b"\r", b"\n", b"MSH", b"MSH|", b"FHS", b"BHS", b"a", b"\x0bMSH", b"\x1c\r", b"xyz"]
    )
    | st.binary(max_size=3),
    max_size=40,
).map(b"".join)


def whole(data: bytes, max_size: int = 64) -> list[Event]:
    """Events of a stream that came in one read."""
    framer = Framer(max_size)
    return framer.feed(data) + framer.close()


def test_one_block_in_one_read() -> None:
    """A block gives its payload, without VT, FS and CR."""
    assert Framer().feed(frame(MESSAGE)) == [MESSAGE]


def test_several_blocks_in_one_read() -> None:
    """Blocks that come together come out in order."""
    assert Framer().feed(frame(b"a") + frame(b"b") + frame(MESSAGE)) == [b"a", b"b", MESSAGE]


def test_a_block_over_many_reads() -> None:
    """A block cut anywhere is put together again."""
    framer = Framer()
    block = frame(MESSAGE)
    events = [event for index in range(len(block)) for event in framer.feed(block[index : index + 1])]
    assert events == [MESSAGE]
    assert not framer.inside


def test_missing_carriage_return() -> None:
    """FS alone ends the block at once: a sender that forgets CR is answered, too."""
    framer = Framer()
    assert framer.feed(b"\x0bone\x1c") == [b"one"]
    assert framer.feed(b"\x0btwo\x1c\x0bthree\x1c\r") == [b"two", b"three"]


def test_line_ends_between_blocks_are_no_junk() -> None:
    """CR and LF between blocks carry nothing and are not counted."""
    assert whole(b"\r\n" + frame(b"a") + b"\n\r\n" + frame(b"b") + b"\r") == [b"a", b"b"]


def test_junk_is_counted() -> None:
    """Bytes outside any block are dropped and told with the next block, or at the end."""
    assert whole(b"GET /\r\n" + frame(b"a") + b"zz") == [Junk(5), b"a", Junk(2)]


def test_junk_in_two_reads_is_one_event() -> None:
    """Junk is told once, when it is over."""
    framer = Framer()
    assert framer.feed(b"abc") == []
    assert framer.junk == 3
    assert framer.feed(b"de" + frame(b"x")) == [Junk(5), b"x"]
    assert framer.junk == 0


def test_a_new_message_inside_a_block() -> None:
    """VT and MSH inside a block: the former message is given up, the new one is read."""
    assert whole(b"\x0bMSH|half" + frame(b"MSH|whole")) == [Truncated(8), b"MSH|whole"]


def test_doubled_start() -> None:
    """VT twice before a message is one start."""
    assert whole(b"\x0b\x0b\x0bMSH|x\x1c\r") == [b"MSH|x"]


def test_pasted_vertical_tab_is_data() -> None:
    """A vertical tab inside a text (a soft line break of a word processor) does not cut the message."""
    payload = b"MSH|^~\\&|A\rOBX|1|TX|||line\x0bnext line\r"
    assert whole(frame(payload)) == [payload]


def test_empty_block() -> None:
    """An empty block is an empty payload: its sender waits for an answer."""
    assert whole(frame(b"")) == [b""]


def test_too_large() -> None:
    """A block beyond the limit gives one event with its size and head; the next message is read."""
    framer = Framer(10_000)
    payload = MESSAGE + b"x" * 20_000
    (event,) = framer.feed(frame(payload))
    assert isinstance(event, TooLarge)
    assert (event.code, event.size, event.head) == ("too-large", len(payload), payload[:HEAD_SIZE])
    assert framer.feed(frame(b"next")) == [b"next"]


def test_the_limit_is_exact() -> None:
    """A payload of exactly the limit is taken, one byte more is not."""
    assert whole(frame(b"x" * 64)) == [b"x" * 64]
    assert whole(frame(b"x" * 65)) == [TooLarge(65, b"x" * 65)]


def test_too_large_is_not_buffered() -> None:
    """Beyond the limit nothing is kept but the head."""
    framer = Framer(1024 * 1024)
    framer.feed(b"\x0bMSH|")
    for _ in range(200):
        framer.feed(b"x" * 65536)
        assert framer.buffered <= 1024 * 1024
    assert framer.buffered == 0
    assert framer.feed(b"\x1c\r") == [TooLarge(4 + 200 * 65536, b"MSH|" + b"x" * (HEAD_SIZE - 4))]


def test_stream_that_ends_in_the_middle() -> None:
    """What never got its end is told as truncated, and the framer is as new."""
    framer = Framer()
    framer.feed(b"\x0bMSH|half")
    assert framer.inside
    assert framer.close() == [Truncated(8)]
    assert framer.feed(frame(b"a")) == [b"a"]


def test_large_message_is_copied_twice_at_most() -> None:
    """A message of 32 MB in small reads needs no more than twice its size, plus a margin."""
    size = 32 * 1024 * 1024
    piece = b"x" * 16384
    framer = Framer()
    tracemalloc.start()
    framer.feed(b"\x0b")
    for _ in range(size // len(piece)):
        framer.feed(piece)
    (event,) = framer.feed(b"\x1c\r")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(event, bytes)
    assert len(event) == size
    assert peak < 2.3 * size


def test_no_event_shows_a_message() -> None:
    """The text form of an event holds no byte of a message."""
    assert "SECRET" not in repr(TooLarge(9, b"SECRET"))


def test_codes_are_explained() -> None:
    """Each event's code has its sentence."""
    assert {Junk.code, TooLarge.code, Truncated.code} == set(CODES)


@given(data=wire, cuts=st.lists(st.integers(0, 120), max_size=8), max_size=st.integers(0, 40))
def test_same_events_however_cut(data: bytes, cuts: list[int], max_size: int) -> None:
    """Whole, byte by byte, or cut anywhere: the same events in the same order."""
    expected = whole(data, max_size)
    one_by_one = Framer(max_size)
    events = [event for byte in data for event in one_by_one.feed(bytes([byte]))] + one_by_one.close()
    assert events == expected
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = Framer(max_size)
    events = [event for start, end in pairwise(places) for event in pieces.feed(data[start:end])]
    assert events + pieces.close() == expected


@given(payloads=st.lists(st.binary(max_size=50).map(lambda data: data.translate(None, b"\x0b\x1c")), max_size=10))
def test_what_is_framed_comes_back(payloads: list[bytes]) -> None:
    """Framing and unframing any payload gives it back."""
    assert whole(b"".join(map(frame, payloads))) == payloads
