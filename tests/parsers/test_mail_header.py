"""Header fields of a mail: folding, encoded words, parameters, dates."""

from __future__ import annotations

import email.header
import email.utils
from datetime import datetime, timedelta, timezone
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import mail_header
from engine.parsers.dtm import Zone

ZONE = Zone("Europe/Paris")


def read(raw: bytes) -> mail_header.Fields:
    """The fields of a header that is the whole payload."""
    return mail_header.read(raw, 0, len(raw))[0]


class TestFields:
    """What is a field, and where a header ends."""

    @pytest.mark.parametrize("end", ["\r\n", "\n"])
    def test_folded(self, end: str) -> None:
        """A value may run over lines that begin with a blank; line ends are CR LF or LF."""
        raw = f"Subject: un{end} deux{end}\ttrois{end}To:a@b{end}{end}To: body@x".encode()
        fields = read(raw)
        assert mail_header.first(fields, "subject") == "un deux trois"
        assert mail_header.first(fields, "to") == "a@b"
        assert mail_header.read(raw, 0, len(raw))[1] == raw.index(b"To: body")

    def test_repeated(self) -> None:
        """Every value of a name is kept, in order; names are compared without case."""
        assert read(b"To: a@b\nTO: c@d\n\n") == {"to": [b" a@b", b" c@d"]}

    def test_what_is_no_field_is_passed_over(self) -> None:
        """Lines without a name, and a line that an mbox file left."""
        fields = read(b"garbage without a name\nFrom: a@b\n>From somebody\n: nothing\nTo : c@d\n\n")
        assert set(fields) == {"from", "to"}

    def test_a_boundary_ends_a_header(self) -> None:
        """The empty line may have been lost."""
        raw = b"From: a@b\n--M1\nContent-Type: text/plain\n\nx"
        fields, after = mail_header.read(raw, 0, len(raw))
        assert set(fields) == {"from"}
        assert raw[after:].startswith(b"--M1")

    def test_without_end(self) -> None:
        """A payload that is a header and nothing else."""
        assert read(b"From: a@b") == {"from": [b" a@b"]}
        assert read(b"") == {}
        assert read(b"\r\nFrom: a@b") == {}

    def test_endless(self) -> None:
        """Lines without end, lines without number: refused, each with its code."""
        with pytest.raises(ParseError, match="mail-header-too-large"):
            read(b"X: " + b"a" * (mail_header.MAX_HEADER + 10))
        with pytest.raises(ParseError, match="mail-header-too-large"):
            read(b"X: a\n b\n" * mail_header.MAX_HEADER)
        with pytest.raises(ParseError, match="mail-header-too-many"):
            read(b"a:\n" * (mail_header.MAX_FIELDS + 1) + b"\n")


class TestText:
    """Bytes become text, whatever they are."""

    def test_undeclared(self) -> None:
        """UTF-8, else Windows-1252; control characters are blanks."""
        assert mail_header.text("é".encode()) == "é"
        assert mail_header.text(b"\xe9\x80") == "é€"
        assert mail_header.text(b"\x81\xff\x00") == "\x81ÿ"

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("=?utf-8?B?w4l0w6k=?=", "Été"),
            ("=?UTF-8?q?=C3=89t=C3=A9_chaud?=", "Été chaud"),
            ("=?iso-8859-1?Q?=C9t=E9?= fin", "Été fin"),
            ("=?iso-8859-15*fr?Q?=A4?=", "€"),
            ("=?utf-8?B?w4k=?= =?utf-8?B?dMOp?=", "Été"),
            ("=?utf-8?B?w4k=?= et =?utf-8?B?dMOp?=", "É et té"),
            ("=?utf-8?Q?=C3?=\t=?utf-8?Q?=89?=", "É"),
            ("=?utf-8?Q?=C3=89?= =?iso-8859-1?Q?t=E9?=", "Été"),
            ("=?no-such?Q?=C3=89?=", "É"),
            ("=?hex?Q?4141?=", "4141"),
            ("=?utf-8?B?w4l0w6k?=", "Été"),
            ("=?utf-8?Q??=", ""),
            ("=?", "=?"),
            ("a =?utf-8?X?a?= b", "a =?utf-8?X?a?= b"),
        ],
    )
    def test_encoded_words(self, written: str, read: str) -> None:
        """RFC 2047, and what mailers do to it: unknown charsets, characters cut in two, padding forgotten."""
        assert mail_header.words(written) == read

    @given(st.text(), st.sampled_from(["utf-8", "iso-8859-15"]))
    def test_encoded_words_as_the_standard_library(self, value: str, charset: str) -> None:
        """What the standard library encodes is read back as it was."""
        clean = "".join(value.split()).encode(charset, "ignore").decode(charset)
        clean = "".join(character for character in clean if character.isprintable())
        written = email.header.Header(clean, charset, maxlinelen=70).encode()
        assert mail_header.words(mail_header.text(written.encode())) == clean

    @given(st.text())
    def test_any_text(self, value: str) -> None:
        """Nothing raises, whatever the text."""
        mail_header.words(value)
        mail_header.words(f"=?{value}?Q?{value}?=")
        mail_header.parameters(value)
        mail_header.message_id(value)
        mail_header.without_comments(value)
        assert mail_header.date(value, ZONE) >= 0


class TestParameters:
    """Content-Type and Content-Disposition."""

    @pytest.mark.parametrize(
        ("value", "kind", "parameters"),
        [
            ("Text/Plain; Charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
            ('multipart/mixed; boundary="a;b=\\"c"', "multipart/mixed", {"boundary": 'a;b="c'}),
            (
                "multipart/mixed;boundary=----=_Part_1.2 ; x=y",
                "multipart/mixed",
                {"boundary": "----=_Part_1.2", "x": "y"},
            ),
            ("a/b; boundary = x", "a/b", {"boundary": "x"}),
            ('a/b; boundary="never closed', "a/b", {"boundary": "never closed"}),
            ("a/b; boundary*=us-ascii''x%20y", "a/b", {"boundary": "x y"}),
            ('a/b; boundary*0="x"; boundary*1="y"', "a/b", {"boundary": "xy"}),
            ("a; filename*1*=%C3%A9; filename*0*=utf-8''%C3%89t", "a", {"filename": "Été"}),
            ("a; name*=iso-8859-1'fr'%C9", "a", {"name": "É"}),
            ("a; name*=no-such''%C3%89", "a", {"name": "É"}),
            ("a; =x; ;b=c", "a", {"b": "c"}),
            ("", "", {}),
        ],
    )
    def test_parameters(self, value: str, kind: str, parameters: dict[str, str]) -> None:
        """RFC 2045 and RFC 2231, with blanks, without quotes, in pieces of any order."""
        assert mail_header.parameters(value) == (kind, parameters)

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
    def test_as_the_standard_library(self, value: str) -> None:
        """What the standard library writes as a parameter is read back as it was."""
        message = Message()
        message.add_header("Content-Disposition", "attachment", filename=value)
        assert mail_header.parameters(message["Content-Disposition"]) == ("attachment", {"filename": value})

    @given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60))
    def test_as_the_standard_library_with_any_character(self, value: str) -> None:
        """So is one that had to be encoded (RFC 2231)."""
        message = Message()
        message.add_header("Content-Disposition", "attachment", filename=("utf-8", "", value))
        assert mail_header.parameters(message["Content-Disposition"]) == ("attachment", {"filename": value})


class TestMessageId:
    """What names a mail."""

    @pytest.mark.parametrize(
        "value", ["<a.b@c>", " <a.b@c> (comment)", "a.b@c", "<a.b @c>", "x <a.b@c> <d@e>", "a.b@c d@e"]
    )
    def test_message_id(self, value: str) -> None:
        """The first one, without brackets nor blanks."""
        assert mail_header.message_id(value) == "a.b@c"

    def test_none(self) -> None:
        """Nothing is nothing."""
        assert mail_header.message_id("") == mail_header.message_id("<>") == ""


class TestDate:
    """RFC 5322 sections 3.3 and 4.3."""

    @pytest.mark.parametrize(
        "value",
        [
            "Tue, 10 Mar 2026 16:20:00 +0100",
            "Tue, 10 Mar 2026 16:20:00 +0100 (CET)",
            "10 Mar 2026 15:20:00 GMT",
            "10 mar 26 15:20:00 UT",
            "Tue, 10 Mar 2026 15:20 -0000",
            "Tue ,10  Mar  2026  10:20:00  EST",
            "Tue, 10 (mars) Mar 2026 (un (deux)) 15 : 20 : 00 Z",
            "mardi, 10 March 2026 16:20:00 CET",
            "Tue, 10-Mar-2026 16:20:00 +0100",
            "10 Mar 126 15:20:00 +0000",
            "Tue, 10 Mar 2026 16:20:00",
            "Tue, 10 Mar 2026 15:20:00.123 A",
        ],
    )
    def test_date(self, value: str) -> None:
        """Any writing of one moment, the obsolete ones too; without zone it is local."""
        assert mail_header.date(value, ZONE) == 1773156000

    @pytest.mark.parametrize(
        "value",
        ["", "x", "32 Mar 2026 10:00 +0100", "10 Xyz 2026 10:00 Z", "10 Mar 2026 25:00 Z", "10 Mar 0126 10:00 Z"],
    )
    def test_no_date(self, value: str) -> None:
        """What is none is 0."""
        assert mail_header.date(value, ZONE) == 0

    @given(st.integers(0, 7_000_000_000), st.integers(-14 * 60, 14 * 60))
    def test_as_the_standard_library(self, at: int, east: int) -> None:
        """What the standard library writes is read as the moment it was."""
        moment = datetime.fromtimestamp(at, timezone(timedelta(minutes=east)))
        assert mail_header.date(email.utils.format_datetime(moment), ZONE) == at
