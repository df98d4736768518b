"""IMAP as bytes: lines and literals, whole or in pieces; what answers say; names of mailboxes."""

from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import imap
from engine.parsers.imap import Fetched, Framer, Line

STREAM = (
    b"* OK ready\r\n* 1 FETCH (UID 5 BODY[] {14}\r\nA1 OK {3}\r\nx\r\n FLAGS (\\Seen))\r\n"
    b"* 2 FETCH (UID 6 BODY[] {0}\r\n)\r\n\r\nbare\nA1 OK done\r\n"
)


def read(pieces: list[bytes], max_line: int = 1000) -> list[Line | bytes]:
    """Everything that comes out, pieces of one literal put together."""
    framer = Framer(max_line)
    found: list[Line | bytes] = []
    for piece in pieces:
        for one in framer.feed(piece):
            if isinstance(one, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += one
            else:
                found.append(one)
    return found


def test_lines_and_literals() -> None:
    """A literal is as many bytes as were announced, whatever is in it; a bare line feed ends a line."""
    assert read([STREAM]) == [
        Line(b"* OK ready", -1),
        Line(b"* 1 FETCH (UID 5 BODY[] {14}", 14),
        b"A1 OK {3}\r\nx\r\n",
        Line(b" FLAGS (\\Seen))", -1),
        Line(b"* 2 FETCH (UID 6 BODY[] {0}", 0),
        Line(b")", -1),
        Line(b"", -1),
        Line(b"bare", -1),
        Line(b"A1 OK done", -1),
    ]


def test_byte_by_byte() -> None:
    """The same comes out however the stream is cut."""
    assert read([bytes([byte]) for byte in STREAM]) == read([STREAM])


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    """Whatever the bytes: lines and literals, the same for every cut."""
    places = [0, *sorted(cuts), len(data)]
    assert read([data[a:b] for a, b in itertools.pairwise(places)]) == read([data])


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_line_without_end(size: int) -> None:
    """A line beyond the limit ends the reading, whole or in pieces; one of exactly the limit does not."""
    assert read([b"x" * 1000 + b"\r\n"], 1001)[0] == Line(b"x" * 1000, -1)
    with pytest.raises(ParseError, match="imap-flood"):
        read([b"x" * size] * 2000)


def test_many_short_lines_cost_what_they_weigh() -> None:
    """Ten times a thousand lines in one piece come out: no call within a call for each, as aioimaplib does."""
    assert len(read([b"* 1 EXISTS\r\n" * 10_000])) == 10_000


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"1 FETCH (UID 5 RFC822.SIZE 100)"], [Fetched(5, 100)]),
        ([b"1 FETCH (RFC822.SIZE 100 UID 5)", b"2 FETCH (UID 6)"], [Fetched(5, 100), Fetched(6)]),
        ([b"1 FETCH (UID 5 BODY[] {3}", bytearray(b"abc"), b")"], [Fetched(5, -1, b"abc")]),
        ([b"1 FETCH (BODY[] {3}", bytearray(b"abc"), b" UID 5)"], [Fetched(5, -1, b"abc")]),
        ([b"1 fetch (uid 5 body[] {0}", bytearray(), b")"], [Fetched(5, -1, b"")]),
        ([b'1 FETCH (UID 5 BODY[] "a\\"b\\\\c")'], [Fetched(5, -1, b'a"b\\c')]),
        ([b"1 FETCH (UID 5 BODY[] NIL)"], [Fetched(5)]),
        ([b"1 FETCH (FLAGS (\\Seen))", b"2 EXPUNGE", b""], []),
        ([bytearray(b"UID 7"), b"1 FETCH (UID 0)", b"1 FETCH (UID 99999999999)", b"1 FETCH (UID -3)"], []),
        ([b"1 FETCH (UID 4294967296)", b"1 FETCH (XUID 4)", b"1 FETCH (UID 4294967295)"], [Fetched(4294967295)]),
    ],
)
def test_fetched(pieces: list[bytes | bytearray], expected: list[Fetched]) -> None:
    """The items may come in any order; what is no mail of this mailbox is left out."""
    assert imap.fetched(pieces) == expected


@given(st.lists(st.one_of(st.binary(), st.binary().map(bytearray), st.just(b"1 FETCH (UID 5 BODY[] {3}"))))
def test_fetched_survives(pieces: list[bytes | bytearray]) -> None:
    """Whatever the answer, mails or nothing."""
    assert all(0 < mail.uid <= imap.LARGEST for mail in imap.fetched(pieces))


def test_searched() -> None:
    """Numbers that can be UIDs, in order, each once."""
    assert imap.searched([b"3 1 2", b"", b"2 0 -1 x 99999999999 4294967295 (MODSEQ 9)"]) == [1, 2, 3, 4294967295]


def test_status() -> None:
    """The numbers of EXAMINE, in any case; what is no number is none."""
    lines = [b"FLAGS (\\Seen)", b"OK [UIDVALIDITY 12] x", b"ok [uidnext 4] y", b"OK [UNSEEN 99999999999]"]
    assert [imap.status(lines, word) for word in (b"UIDVALIDITY", b"UIDNEXT", b"UNSEEN", b"ABSENT")] == [12, 4, 0, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("INBOX", '"INBOX"'),
        ("Envoyés", '"Envoy&AOk-s"'),
        ("a & b", '"a &- b"'),
        ('"x\\y"', '"\\"x\\\\y\\""'),
        ("~peter/mail/台北/日本語", '"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'),  # RFC 3501 section 5.1.3
        ("📬", '"&2D3c7A-"'),
    ],
)
def test_names(name: str, expected: str) -> None:
    """Modified UTF-7, quoted."""
    assert imap.mailbox(name) == expected


@given(st.text(max_size=40))
def test_any_name(name: str) -> None:
    """Whatever the name, one quoted string of printable ASCII that says it: nothing ends the command line."""
    said = imap.mailbox(name)
    assert said.isascii()
    assert said.isprintable()
    inner = said[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    read_back = ""
    while inner:
        before, _, rest = inner.partition("&")
        shifted, _, inner = rest.partition("-")
        padded = shifted.replace(",", "/") + "=" * (-len(shifted) % 4)
        read_back += before + (base64.b64decode(padded).decode("utf-16-be") if shifted else "&" * bool(_))
    assert read_back == name


@pytest.mark.parametrize("text", ["é", "a\r\nb", "a\nb", "\0"])
def test_what_cannot_be_quoted(text: str) -> None:
    """What would end the line, or is not ASCII, is no quoted string."""
    with pytest.raises(ValueError, match="not a quoted string"):
        imap.quoted(text)
