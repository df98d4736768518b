"""The body of an SMTP mail: where it ends, what is in it, whatever the cuts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers.smtp_data import Body

END = b"\r\n.\r\n"
ODD = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"a", b"bc"]), max_size=40).map(b"".join)


def read(*parts: bytes, limit: int = 1_000_000, head: bytes = b"") -> tuple[bytes, bytes] | None:
    """The mail and what follows it; None when it has no end."""
    body = Body(limit, head)
    for number, part in enumerate(parts):
        after = body.feed(part)
        if after is not None:
            return body.payload(), after + b"".join(parts[number + 1 :])
    return None


def model(stream: bytes) -> tuple[bytes, bytes] | None:
    """The same, word by word as RFC 5321 4.5.2 says it."""
    lines, rest = [], stream
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        if line == b".":
            return b"".join(lines), rest
        lines.append(line.removeprefix(b".") + end)


@pytest.mark.parametrize(
    ("stream", "mail"),
    [
        (b"a\r\n.\r\n", b"a\r\n"),
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n"),
        (b"a\r\n..\r\n..\r\n.\r\n", b"a\r\n.\r\n.\r\n"),
    ],
)
def test_transparency(stream: bytes, mail: bytes) -> None:
    """One dot is taken away at the beginning of a line; a line of one dot ends the mail."""
    assert read(stream + b"QUIT\r\n") == (mail, b"QUIT\r\n")
    assert model(stream + b"QUIT\r\n") == (mail, b"QUIT\r\n")


@pytest.mark.parametrize(
    "false_end",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\r\n.\n",
        b"\n.\r",
        b"\r.\n",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\r\n.\r\r\n",
        b"\r\n.\r\r\n",
    ],
)
def test_smuggling(false_end: bytes) -> None:
    """Nothing but CR LF . CR LF ends a mail: what follows another end is in the mail, and is no command."""
    smuggled = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nsecond\r\n"
    found = read(b"first" + false_end + smuggled + b".\r\nQUIT\r\n")
    assert found is not None
    mail, after = found
    assert after == b"QUIT\r\n"
    assert mail.endswith(smuggled)
    assert mail == b"first" + false_end.replace(b"\r\n.", b"\r\n") + smuggled


@given(ODD, st.lists(st.integers(0, 80), max_size=6))
def test_cuts(stream: bytes, places: list[int]) -> None:
    """The mail and its end do not depend on how the stream is cut, and are those of the standard."""
    whole = read(stream)
    assert whole == model(stream)
    cuts = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    assert read(*(stream[a:b] for a, b in pairwise(cuts))) == whole
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@given(ODD)
def test_sent_and_read(mail: bytes) -> None:
    """What a sender makes of lines with the standard's procedure is read back as they were."""
    lines = b"".join(b"." + line if line.startswith(b".") else line for line in split(mail))
    assert read(lines + b".\r\n") == (mail.removesuffix(b"\r\n") + b"\r\n" if mail else b"", b"")


def split(mail: bytes) -> list[bytes]:
    """Lines that end in CR LF, the last one too."""
    return [line + b"\r\n" for line in mail.removesuffix(b"\r\n").split(b"\r\n")] if mail else []


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_limit(cut: int) -> None:
    """Beyond the limit nothing is kept, the end is still found, and the size goes on."""
    stream = b"x" * 5000 + END + b"NOOP\r\n"
    for limit, kept in ((5002, b"x" * 5000 + b"\r\n"), (5001, b"")):
        body = Body(limit)
        parts = [stream[at : at + cut] for at in range(0, len(stream), cut)]
        while body.feed(parts.pop(0)) is None:
            pass
        assert body.payload() == kept
        assert body.too_large is (not kept)
        assert body.size == 5002


def test_head() -> None:
    """What is put before a mail is before it, and does not count."""
    assert read(b"a\r\n.\r\n", head=b"Return-Path: <>\r\n", limit=3) == (b"Return-Path: <>\r\na\r\n", b"")


def test_long_line() -> None:
    """A line of any length is a line."""
    line = b"y" * 3_000_000
    assert read(line[:7], line[7:], END, limit=4_000_000) == (line + b"\r\n", b"")
