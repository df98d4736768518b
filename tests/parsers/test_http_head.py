"""The head of a dumped HTTP message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers import http_head

BODY = b"<a/>"


class TestSplit:
    """Where the head ends, if there is one."""

    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    def test_request(self, end: bytes) -> None:
        """A request line and its fields, with either end of line."""
        lines = (b"POST /repository HTTP/1.1", b"Host: dmp.example", b"CONTENT-TYPE: text/xml;", b"\tcharset=utf-8")
        headers, start, body = http_head.split(end.join(lines) + end * 2 + BODY)
        assert start == "POST /repository HTTP/1.1"
        assert headers == {"host": "dmp.example", "content-type": "text/xml; charset=utf-8"}
        assert bytes(body) == BODY

    def test_response_without_field(self) -> None:
        """A status line alone is a head."""
        for end in (b"\r\n\r\n", b"\n\n", b"\r\n", b""):
            found = http_head.split(b"HTTP/1.1 500 Oops" + end)
            assert (found.headers, found.start, bytes(found.body)) == ({}, "HTTP/1.1 500 Oops", b"")
            assert http_head.status(found.start) == 500
        assert bytes(http_head.split(b"HTTP/2 204\r\n\r\nx").body) == b"x"

    def test_fields_alone(self) -> None:
        """Fields without start line are a head when they name the content, even after blank lines."""
        found = http_head.split(b"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n--b")
        assert found.headers["content-type"] == "multipart/related"
        assert (found.start, bytes(found.body)) == ("", b"--b")
        other = b"Remark: this is text\n\nmore"
        assert tuple(http_head.split(other)) == ({}, "", other)

    @pytest.mark.parametrize(
        "payload", [b"", BODY, b"--uuid:b\r\nContent-Type: a\r\n\r\n", b"MSH|^~\\&|A", b'{"a": 1}\n\n']
    )
    def test_no_head(self, payload: bytes) -> None:
        """A body alone is a body alone."""
        assert tuple(http_head.split(payload)) == ({}, "", payload)

    def test_cut_and_endless_heads(self) -> None:
        """A head that is cut off has no body; one that never ends is no head."""
        cut = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Ty"
        assert tuple(http_head.split(cut)) == ({"host": "a"}, "POST / HTTP/1.1", b"")
        endless = b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000
        assert tuple(http_head.split(endless)) == ({}, "", endless)

    def test_the_first_of_a_name_holds(self) -> None:
        """A field that is repeated keeps its first value; a line that is no field is passed over."""
        assert http_head.fields(b"A: 1\r\na : 2\r\nno field\r\n: 3\r\nB:") == {"a": "1", "b": ""}

    @given(
        st.binary(max_size=200),
        st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"Content-Type: a\n", b"POST / HTTP/1.1\n"]),
    )
    def test_any_bytes(self, data: bytes, lead: bytes) -> None:
        """Nothing raises, and the body is the end of the payload."""
        found = http_head.split(lead + data)
        assert (lead + data).endswith(bytes(found.body))


class TestChunks:
    """Bodies as they were on the wire."""

    HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def read(self, body: bytes) -> bytes:
        """The body of a response in chunks."""
        return bytes(http_head.unchunked(http_head.split(self.HEAD + body)).body)

    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    def test_chunks(self, end: bytes) -> None:
        """Put together, whatever their extensions and what follows the last."""
        lines = (b"3 ;x=y", b"abc", b"9", b"\r\n3\r\nde\r\n", b"0", b"Trailer: 1", b"", b"")
        assert self.read(end.join(lines)) == b"abc\r\n3\r\nde\r\n"

    @pytest.mark.parametrize("end", range(4, 9))
    def test_cut(self, end: int) -> None:
        """A capture that was cut gives what is there."""
        assert self.read(b"3\r\nabc\r\n"[:end]) == b"abc"[: end - 3]

    @pytest.mark.parametrize("body", [b"<a/>", b"", b"--b\r\n", b"3\r\nabcd\r\n", b"3\r\nabc\r\nzz", b"FFFFFFFFF\r\n"])
    def test_one_piece(self, body: bytes) -> None:
        """A body that is in one piece already, or in something else, is left as it is."""
        assert self.read(body) == body

    def test_not_chunked(self) -> None:
        """Without the field nothing is looked at."""
        message = http_head.split(b"HTTP/1.1 200 OK\r\n\r\n0\r\n")
        assert http_head.unchunked(message) is message


class TestValues:
    """What header fields say."""

    def test_media_type(self) -> None:
        """Parameters may be quoted, escaped, and in any case."""
        kind, parameters = http_head.media_type('Multipart/Related; Boundary="a;\\"b"; start=<0.1>; type="text/xml"')
        assert kind == "multipart/related"
        assert parameters == {"boundary": 'a;"b', "start": "<0.1>", "type": "text/xml"}
        assert http_head.media_type("") == ("", {})

    def test_status(self) -> None:
        """Only a status line has a status."""
        assert http_head.status("HTTP/1.1 404 Not Found") == 404
        assert http_head.status("POST / HTTP/1.1") == http_head.status("") == 0

    @pytest.mark.parametrize(
        ("written", "seconds"),
        [
            ("Tue, 10 Mar 2026 15:20:05 GMT", 1773156005),
            ("10 Mar 2026 15:20:05 GMT", 1773156005),
            ("Tue, 31 Feb 2026 15:20:05 GMT", 0),
            ("Tue, 10 Mer 2026 15:20:05 GMT", 0),
            ("yesterday", 0),
            ("", 0),
        ],
    )
    def test_date(self, written: str, seconds: int) -> None:
        """The Date field in seconds, 0 when it is none."""
        assert http_head.date({"date": written}) == seconds
        assert http_head.date({}) == 0


def test_what_joins_a_response_to_its_request() -> None:
    """The ids of both header fields, each once; an empty one is none."""
    assert http_head.correlations({"x-correlation-id": "b", "x-request-id": "a", "via": "c"}) == ("a", "b")
    assert http_head.correlations({"x-request-id": "", "x-correlation-id": "b"}) == ("b",)
    assert http_head.correlations({"x-request-id": "a", "x-correlation-id": "a"}) == ("a",)
    assert http_head.correlations({}) == ()
