"""Mbox: the mails of a file, however it was cut into reads."""

from __future__ import annotations

import mailbox
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers.mbox import Splitter

FIRST = b"From jauge@ch-fictif.mssante.fr Tue Mar 10 16:20:05 2026\n"
MAILS = [
    b"Subject: 1\n\nOne\n",
    b"Subject: 2\n\nFrom the ward\n>From the ward\nbefore: From\n",
    b"Subject: 3\n\n\n\nLast\n",
]


def written(mails: list[bytes], first: bytes = FIRST) -> bytes:
    """An mbox, quoted so that it can be undone (mboxrd)."""
    quoted = [mail.replace(b"\n>From ", b"\n>>From ").replace(b"\nFrom ", b"\n>From ") for mail in mails]
    return b"".join(first + mail + b"\n" for mail in quoted)


def read(data: bytes, size: int, max_size: int = 1 << 20) -> list[bytes]:
    """The mails of reads of ``size`` bytes."""
    splitter = Splitter(max_size)
    found = [mail for at in range(0, len(data), size) for mail in splitter.feed(data[at : at + size])]
    return found + splitter.close()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
def test_mails_are_as_they_were(size: int) -> None:
    """The line between mails and the empty one before it are none of them; quoted lines are as they were written."""
    assert read(written(MAILS), size) == MAILS


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_lines_that_end_with_cr_lf(size: int) -> None:
    """An mbox with the ends of lines of the network is cut in the same places."""
    data = written(MAILS).replace(b"\n", b"\r\n")
    assert read(data, size) == [mail.replace(b"\n", b"\r\n") for mail in MAILS]


def test_a_from_within_a_paragraph_begins_no_mail() -> None:
    """Only after an empty line does a line begin the next mail."""
    assert read(FIRST + b"Subject: 1\n\nOne\nFrom two\n", 3) == [b"Subject: 1\n\nOne\nFrom two\n"]


def test_the_last_mail_needs_no_end() -> None:
    """A file that stops at once after the last word."""
    assert read(FIRST + b"Subject: 1\n\nOne", 3) == [b"Subject: 1\n\nOne"]
    assert read(FIRST, 3) == read(b"", 1) == []


@pytest.mark.parametrize("size", [1, 16, 1 << 20])
def test_a_mail_beyond_the_limit_ends_where_the_next_begins(size: int) -> None:
    """It is given cut, too large to be taken, or whole when it was read whole; the others are whole."""
    large = b"Subject: 0\n\n" + b"x\n" * 400
    found = read(written([MAILS[0], large, MAILS[1]]), size, max_size=200)
    assert [found[0], found[-1]] == [MAILS[0], MAILS[1]]
    assert len(found) == 3
    assert large.startswith(found[1])
    assert len(found[1]) > 200 - len(FIRST)


@given(
    st.lists(st.binary(max_size=12).map(lambda body: b"S: 1\n\n" + body.replace(b"\r", b"") + b".\n"), max_size=5),
    st.integers(1, 20),
)
def test_any_mails_in_any_reads(mails: list[bytes], size: int) -> None:
    """What was written is read, whatever the bodies and the reads."""
    assert read(written(mails), size) == mails


def test_the_standard_library_reads_the_same(tmp_path: Path) -> None:
    """Python's own reader of mbox, which takes no quote away, finds as many mails."""
    path = tmp_path / "x.mbox"
    path.write_bytes(written(MAILS))
    box = mailbox.mbox(path)
    assert box[0].as_bytes() == MAILS[0]
    assert len(box) == len(MAILS)
    box.close()


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes(data: bytes, size: int) -> None:
    """Whatever comes, the mails do not depend on the reads."""
    assert read(FIRST + data, size) == read(FIRST + data, 1 << 20)
