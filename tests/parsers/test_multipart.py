"""MIME multipart bodies of any shape."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import multipart
from tests.parsers.xds_messages import BOUNDARY, mime

ROOT = b"<Envelope/>"


def contents(found: multipart.Multipart, payload: bytes) -> list[bytes | None]:
    """What each part holds."""
    read = [part.content(payload) for part in found.parts]
    return [None if one is None else bytes(one) for one in read]


def refusal(payload: bytes, boundary: str = "") -> str:
    """The code with which a body is refused."""
    with pytest.raises(ParseError) as caught:
        multipart.read(payload, 0, boundary)
    assert caught.value.code in multipart.REJECTIONS
    assert caught.value.where.startswith("byte ")
    return caught.value.code


class TestParts:
    """What the parts are."""

    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    @pytest.mark.parametrize("encoding", ["binary", "8bit", "base64", "BASE64"])
    @pytest.mark.parametrize("boundary", ["", BOUNDARY])
    def test_both_line_ends_and_every_encoding(self, end: bytes, encoding: str, boundary: str) -> None:
        """The content is what was attached, to the byte, whether the boundary is declared or discovered."""
        content = b"\r\n\x00--\r\nABC\n\n"
        payload = mime(ROOT, ("0.2", content), ("0.3", b""), encoding=encoding, end=end)
        found = multipart.read(payload, 0, boundary)
        assert contents(found, payload) == [ROOT, content, b""]
        assert [part.id for part in found.parts] == ["0.1", "0.2", "0.3"]
        assert all(part.whole for part in found.parts)
        assert found.flags == ()

    def test_nothing_is_copied(self) -> None:
        """A part of 16 MiB is read in a few KiB."""
        payload = mime(ROOT, ("0.2", bytes(16 << 20)))
        tracemalloc.start()
        try:
            found = multipart.read(payload)
            content = found.parts[1].content(payload)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert content is not None
        assert len(content) == 16 << 20
        assert peak < 200_000

    def test_the_boundary_in_the_content(self) -> None:
        """It separates only as a whole line: not inside a line, not as the beginning of a longer word."""
        mark = b"--" + BOUNDARY.encode()
        content = b"x" + mark + b"\r\n" + mark + b"2\r\n" + mark + b"-\r\n " + mark + b"--\r\n"
        payload = mime(ROOT, ("0.2", content))
        assert contents(multipart.read(payload), payload) == [ROOT, content]

    def test_preamble_epilogue_and_padding(self) -> None:
        """What stands before the first boundary and after the last one is nothing; blanks may follow a boundary."""
        payload = (
            b"preamble\r\n--b \t\r\nContent-ID: <a>\r\n\r\nA\r\n--b--  \r\n--b\r\nContent-ID: <c>\r\n\r\nC\r\n--b--"
        )
        found = multipart.read(payload, 0, "b")
        assert contents(found, payload) == [b"A"]

    def test_parts_without_header_or_content(self) -> None:
        """A part may begin with the empty line, or hold nothing; one without either is passed over, and flagged."""
        payload = b"--b\r\n\r\nA\r\n--b\r\nContent-ID: <x>\r\n\r\n--b\r\n--b\r\nA: b\r\n--b--"
        found = multipart.read(payload, 0, "b")
        assert contents(found, payload) == [b"A", b""]
        assert [flag.code for flag in found.flags] == ["multipart-header-missing"] * 2

    def test_a_wrong_boundary_is_discovered(self) -> None:
        """A boundary that the body does not use gives way to the one of its first line."""
        payload = mime(ROOT)
        assert contents(multipart.read(payload, 0, "other"), payload) == [ROOT]

    def test_folded_header(self) -> None:
        """A header field may go on in the next line."""
        payload = b"--b\r\nContent-Type: text/xml;\r\n\tcharset=utf-8\r\nCONTENT-ID:\r\n <x@y>\r\n\r\nA\r\n--b--"
        part = multipart.read(payload).parts[0]
        assert part.headers["content-type"] == "text/xml; charset=utf-8"
        assert part.id == "x@y"

    def test_not_closed(self) -> None:
        """Without the last boundary the last part goes to the end, and is not said to be whole."""
        payload = mime(ROOT, ("0.2", b"abc"), closed=False)
        found = multipart.read(payload)
        assert contents(found, payload) == [ROOT, b"abc"]
        assert [part.whole for part in found.parts] == [True, False]
        assert [flag.code for flag in found.flags] == ["multipart-not-closed"]


class TestRoot:
    """Which part is the message."""

    def test_start(self) -> None:
        """The part that ``start`` names, else the first."""
        found = multipart.read(mime(ROOT, ("0.2", b"a")))
        assert found.root() is found.parts[0]
        assert found.root("<0.2>") is found.parts[1]
        assert found.root("<absent>") is found.parts[0]
        assert multipart.read(b"--b\r\n--b--").root() is None

    def test_content_ids_meet_their_urls(self) -> None:
        """``cid:`` URLs are percent-encoded, Content-IDs stand between angle brackets, either may lack it."""
        assert multipart.content_id("cid:a%40b") == multipart.content_id(" <a@b>") == multipart.content_id("a@b")
        assert multipart.content_id("CID:1") == multipart.content_id("<1>")

    def test_begins(self) -> None:
        """A body without head is multipart when a header of a part follows its first line."""
        assert multipart.begins(mime(ROOT))
        assert multipart.begins(b"\r\n--x\nCONTENT-ID: a")
        assert not multipart.begins(b"-- a remark\nSELECT 1")
        assert not multipart.begins(b"---\nkey: value")
        assert not multipart.begins(b"")


class TestHostile:
    """Bodies that nobody writes in good faith."""

    def test_no_boundary(self) -> None:
        """Neither declared nor discovered."""
        for payload in (b"", b"--", b"<a/>", b"\r\n\r\n", b"--b"):
            assert refusal(payload) == "multipart-boundary-missing"
        assert refusal(b"text", "b") == "multipart-boundary-missing"

    def test_nested(self) -> None:
        """A part that is multipart itself is refused: nothing descends."""
        inner = mime(ROOT, boundary="inner")
        payload = b"--b\r\nContent-Type: Multipart/Mixed; boundary=inner\r\n\r\n" + inner + b"\r\n--b--"
        assert refusal(payload) == "multipart-nested"

    def test_endless_header(self) -> None:
        """A header of 10 MB is refused without being read."""
        field = b"X: " + b"y" * 10_000_000
        assert refusal(b"--b\r\n" + field + b"\r\n\r\nA\r\n--b--") == "multipart-header-too-large"
        assert refusal(b"--b\r\n" + b"X: y\r\n" * 2_000_000) == "multipart-header-too-large"

    def test_too_many_parts(self) -> None:
        """More than a thousand parts are refused."""
        assert refusal(b"--b\r\n\r\nA\r\n" * 1_001 + b"--b--") == "multipart-too-many-parts"
        assert len(multipart.read(b"--b\r\n\r\nA\r\n" * 1_000 + b"--b--").parts) == 1_000

    @pytest.mark.parametrize("part", [b"--b\r\n", b"--b\r\nno header\r\n"])
    def test_too_many_parts_without_header(self, part: bytes) -> None:
        """Parts that are passed over count too: a million of them would be a million remarks."""
        assert refusal(part * 1_001 + b"--b--") == "multipart-too-many-parts"
        read = multipart.read(part * 1_000 + b"--b--")
        assert (len(read.parts), len(read.flags)) == (0, 1_000)

    def test_ten_megabytes_of_almost_boundaries(self) -> None:
        """Boundaries that are none cost one search."""
        payload = b"--b\r\n\r\n" + b"--b-" * 2_500_000 + b"\r\n--b--"
        assert len(multipart.read(payload, 0, "b").parts) == 1

    @given(
        st.lists(
            st.sampled_from([b"--b", b"--", b"\r\n", b"\n", b"\r", b"A: b", b":", b"\x00", b" ", b"QUJD"]), max_size=40
        )
    )
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """Parts inside the payload and in order, or a code."""
        payload = b"".join(pieces)
        try:
            found = multipart.read(payload, 0, "b")
        except ParseError as error:
            assert error.code in multipart.REJECTIONS
        else:
            spans = [edge for part in found.parts for edge in (part.start, part.end)]
            assert spans == sorted(spans)
            assert all(0 <= edge <= len(payload) for edge in spans)
            assert {flag.code for flag in found.flags} <= multipart.CODES.keys()
