"""Syslog: the header around an audit message, and the two framings of a stream."""

from __future__ import annotations

import contextlib
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import atna, formats, syslog
from engine.parsers.context import default
from engine.parsers.parsed import Parsed
from engine.parsers.syslog_frames import Event, Framer, Junk, TooLarge, Truncated, counted
from tests.parsers.audit_messages import AT, audit, fixture, frames
from tests.parsers.audit_messages import syslog as message

CONTEXT = default()
AUDIT = audit()
FACTS = atna.parse(AUDIT, CONTEXT).facts
PRETTY = fixture("iti-41.xml").strip()


def codes(parsed: Parsed) -> list[str]:
    """The remarks on a message."""
    return [flag.code for flag in parsed.flags]


class TestHeader:
    """What stands before the audit message."""

    @pytest.mark.parametrize(
        "payload",
        [
            message(AUDIT),
            message(AUDIT, bom=True),
            message(AUDIT, msgid="DICOM+RFC3881"),
            message(AUDIT, msgid="-"),
            message(AUDIT, structured='[a@1 b="c"][d@2 e="\\"]<AuditMess\\\\" f=""]'),
            message(AUDIT, structured="[not closed"),
            message(AUDIT) + b"\r\n\0",
            b"<110>1 - - - - - - " + AUDIT,
            b"<85>Mar 10 16:20:05 pfi pfi-dmp[4711]: " + AUDIT,
            b"<85>2026-03-10T16:20:05+01:00 pfi pfi-dmp[4711]: " + AUDIT,
            b"<85>" + AUDIT,
            b"pfi-dmp: " + AUDIT,
            message(PRETTY),
        ],
    )
    def test_forms(self, payload: bytes) -> None:
        """RFC 5424 with and without its options, RFC 3164, and less than that: the same facts."""
        parsed = syslog.parse(payload, CONTEXT)
        assert parsed.facts == FACTS
        assert not parsed.flags

    def test_it_is_recognised(self) -> None:
        """The priority at its beginning tells a syslog message; the general reader gives the same."""
        assert formats.of(message(AUDIT)) is syslog.FORMAT
        assert formats.parse(message(AUDIT), CONTEXT).facts == FACTS

    def test_utf16(self) -> None:
        """An audit message in UTF-16 after a header in ASCII."""
        assert syslog.parse(message(AUDIT.decode().encode("utf-16")), CONTEXT).facts == FACTS
        other = syslog.parse(message("hello".encode("utf-16"), msgid="-"), CONTEXT)
        assert codes(other) == ["syslog-not-audit"]

    @pytest.mark.parametrize(
        ("header", "at"),
        [
            (b"<85>1 2026-03-10T16:20:05.120+01:00 h a p IHE+RFC-3881 - ", AT),
            (b"<85>2026-03-10T15:20:05Z h a: ", AT),
            (b"<85>1 - h a p IHE+RFC-3881 - ", 0),
            (b"<85>Mar 10 16:20:05 h a: ", 0),
        ],
    )
    def test_time_of_the_header(self, header: bytes, at: int) -> None:
        """It stands in for a time that the audit message lacks, when it has a year."""
        parsed = syslog.parse(header + audit(time=None), CONTEXT)
        assert parsed.at == at
        assert codes(parsed) == ["audit-without-time"]

    def test_time_of_the_audit_message(self) -> None:
        """A relay's header may be of another day."""
        assert syslog.parse(message(AUDIT, time="2027-01-01T00:00:00Z"), CONTEXT).at == AT

    def test_control_characters_written_by_a_relay(self) -> None:
        """rsyslog puts a message of several lines on one, with #012 for a line feed, even inside a tag."""
        broken = PRETTY.replace(b" EventDateTime", b"\n\tEventDateTime")
        relayed = broken.replace(b"\n", b"#012").replace(b"\t", b"#011")
        assert syslog.parse(message(relayed), CONTEXT).facts == FACTS
        assert syslog.parse(message(PRETTY.replace(b"\n", b"\r\n").replace(b"\r", b"#015")), CONTEXT).facts == FACTS

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"<13>1 2026-03-10T16:20:05+01:00 h sshd 1 - - Accepted publickey",
            b"<13>Mar 10 16:20:05 h CRON[1]: (somebody) CMD",
            b"<13>1 - - - - - - <?xml version='1.0'?><other/>",
            b"<13>-- MARK --",
            b"<999999>",
            b"\xff\xfe\x00\x80",
            b"\0" * 10,
        ],
    )
    def test_anything_else_is_no_error(self, payload: bytes) -> None:
        """Other messages of a sender are read, and give nothing but a remark."""
        parsed = syslog.parse(payload, CONTEXT)
        assert parsed.facts == ()
        assert codes(parsed) == ["syslog-not-audit"]

    def test_a_file_of_messages(self) -> None:
        """A file of syslog messages, in lines or frames, is its messages; one message is itself, to the byte."""
        several = [message(AUDIT), message(PRETTY), message(b"hello", msgid="-")]
        assert list(formats.split(b"\n".join(several) + b"\n")) == several
        assert list(syslog.FORMAT.split(frames(*several))) == several
        assert list(formats.split(message(PRETTY) + b"\n")) == [message(PRETTY) + b"\n"]
        assert list(syslog.FORMAT.split(b"")) == [b""]

    def test_a_file_that_kept_its_count(self) -> None:
        """One message dumped from the wire with its count of octets is recognised, and read without it."""
        dumped = counted(message(AUDIT))
        assert formats.of(dumped).name == "syslog"
        assert list(formats.split(dumped)) == [message(AUDIT)]
        assert list(formats.split(dumped[:-1])) == [dumped[:-1]]

    def test_two_others_are_two(self) -> None:
        """Messages without an audit are told apart by their bytes: none of them counts as a reused control id."""
        one, two = (syslog.parse(b"<13>1 - - - - - - %d" % number, CONTEXT) for number in (1, 2))
        assert one.control_id != two.control_id

    @pytest.mark.parametrize("cut", [120, 300, -3])
    def test_cut(self, cut: int) -> None:
        """An audit message that lost its end, as over UDP, is rejected with its code; it is never taken for something else."""
        with pytest.raises(ParseError) as caught:
            syslog.parse(message(AUDIT)[:cut], CONTEXT)
        assert caught.value.code == "audit-truncated"

    def test_named_but_not_xml(self) -> None:
        """The MSGID announces an audit message and something else comes."""
        with pytest.raises(ParseError) as caught:
            syslog.parse(message(b"hello"), CONTEXT)
        assert caught.value.code == "audit-malformed"

    @given(
        st.binary(max_size=200)
        | st.tuples(st.integers(0, 1600), st.integers(0, 30), st.binary(max_size=6)).map(
            lambda cut: message(AUDIT)[: cut[0]] + cut[2] + message(AUDIT)[cut[0] + cut[1] :]
        )
        | st.lists(
            st.sampled_from([b"<85>", b"1 ", b"- ", b"[", b"]", b'"', b"\\", b"a=", b" ", b"<AuditMessage"])
        ).map(b"".join)
    )
    def test_whatever_the_bytes(self, payload: bytes) -> None:
        """Facts and declared remarks, or a code of the audit messages; nothing else is ever raised."""
        try:
            parsed = syslog.parse(payload, CONTEXT)
        except ParseError as error:
            assert error.code in atna.REJECTIONS
        else:
            assert set(codes(parsed)) <= (atna.CODES.keys() - atna.REJECTIONS) | syslog.CODES.keys()

    @pytest.mark.parametrize(
        "piece", [b"[", b'[a b="', b"[a]", b"\\", b"<?xml", b"<a:", b"<AuditMessage", b"#012", b"9", b" "]
    )
    def test_long_repetitions(self, piece: bytes) -> None:
        """A megabyte of what headers and prologs are made of is read in one pass, wherever it stands."""
        for before in (b"", b"<85>1 - - - - ", b"<85>1 - - - - - ", b"<85>1 - - - - - - ", b"<85>1 - - - - - - <?xml "):
            with contextlib.suppress(ParseError):
                assert syslog.parse(before + piece * (1_000_000 // len(piece)), CONTEXT).facts == ()


ONE = b"<85>1 - - - - - - one"
TWO = b"<85>1 - - - - - - two"


def whole(data: bytes, max_size: int = 2000) -> list[Event]:
    """Events of a stream that came in one read."""
    framer = Framer(max_size)
    return framer.feed(data) + framer.close()


class TestCounted:
    """RFC 6587 octet counting."""

    def test_frames(self) -> None:
        """Frames one after the other, whatever is inside."""
        odd = b"<1>\n<2>\0 12 <3>"
        assert whole(frames(ONE, odd, PRETTY_SYSLOG, TWO), 5000) == [ONE, odd, PRETTY_SYSLOG, TWO]

    def test_a_frame_that_ends_with_a_digit(self) -> None:
        """The next length follows at once, and is not taken for the rest of a number."""
        assert whole(frames(b"<1>9", b"<1>8", ONE)) == [b"<1>9", b"<1>8", ONE]

    def test_blanks_between_frames(self) -> None:
        """A line feed after a counted frame, as some senders add, is no junk."""
        assert whole(counted(ONE) + b"\n" + counted(TWO) + b"\r\n\0 ") == [ONE, TWO]

    def test_junk_between_frames(self) -> None:
        """What is no frame is counted, and reading goes on at the next one."""
        assert whole(counted(ONE) + b"xyz 12 abc" + counted(TWO)) == [ONE, Junk(8), TWO]

    def test_a_length_that_is_too_short(self) -> None:
        """A sender that counts characters instead of bytes: the rest of its message is junk, the next one is read."""
        assert whole(b"%d %b" % (len(ONE) - 2, ONE) + counted(TWO)) == [ONE[:-2], Junk(2), TWO]

    def test_a_frame_beyond_the_limit(self) -> None:
        """It is told and passed over exactly, whatever looks like a frame inside."""
        large = b"<1>" + frames(TWO) * 200
        assert whole(counted(large) + counted(ONE)) == [TooLarge(), ONE]

    @pytest.mark.parametrize("length", [b"9999999999", b"1" * 100_000, b"0", b"007"])
    def test_a_length_that_is_none(self, length: bytes) -> None:
        """Endless digits, zero, leading zeros: junk."""
        assert whole(counted(ONE) + length + b" <x" + counted(TWO)) == [ONE, Junk(len(length) + 2), TWO]

    def test_an_unfinished_frame(self) -> None:
        """The stream ends inside a frame: told, and not delivered."""
        assert whole(counted(ONE) + counted(TWO)[:-1]) == [ONE, Truncated(len(TWO) - 1)]

    def test_no_memory_for_what_is_too_large(self) -> None:
        """Of 900 MB announced nothing is kept while they pass."""
        framer = Framer(2000)
        framer.feed(b"900000000 <")
        block = b"x" * 1_000_000
        tracemalloc.start()
        for _ in range(900):
            framer.feed(block)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000
        assert not framer.buffered


class TestPlain:
    """RFC 6587 non-transparent framing."""

    def test_lines(self) -> None:
        """A line feed, with or without carriage return, or a NUL ends a message."""
        assert whole(ONE + b"\n" + TWO + b"\r\n" + ONE + b"\0" + TWO + b"\n\n") == [ONE, TWO, ONE, TWO]

    def test_a_message_is_delivered_at_its_end(self) -> None:
        """Not only when the next one comes."""
        framer = Framer()
        assert framer.feed(ONE + b"\n") == [ONE]
        assert framer.feed(message(AUDIT) + b"\n") == [message(AUDIT)]
        assert framer.feed(PRETTY_SYSLOG + b"\n") == [PRETTY_SYSLOG]
        assert not framer.inside

    def test_xml_of_several_lines(self) -> None:
        """A line feed inside XML is part of the message."""
        assert whole(PRETTY_SYSLOG + b"\n" + ONE + b"\n", 5000) == [PRETTY_SYSLOG, ONE]

    def test_a_new_message_ends_xml_that_was_cut(self) -> None:
        """XML without its end, then a new message on the next line: two messages, the first to be rejected by its reader."""
        cut = PRETTY_SYSLOG[:400]
        assert whole(cut + b"\n" + ONE + b"\n") == [cut, ONE]

    def test_the_last_message_needs_no_end(self) -> None:
        """A sender that closes right after its last byte has said everything."""
        assert whole(ONE + b"\n" + TWO) == [ONE, TWO]

    def test_junk_between_lines(self) -> None:
        """A line that does not begin with a priority is dropped and counted."""
        assert whole(ONE + b"\nhello <b>\n" + TWO + b"\n") == [ONE, Junk(8), TWO]

    @pytest.mark.parametrize("end", [b"\n", b"\0"])
    def test_a_line_beyond_the_limit(self, end: bytes) -> None:
        """It is told, and passed over up to its end."""
        assert whole(b"<1>" + b"x" * 3000 + end + ONE + b"\n") == [TooLarge(), ONE]

    def test_xml_beyond_the_limit(self) -> None:
        """Also when it has several lines: its end is that of the XML."""
        large = PRETTY_SYSLOG.replace(b"</AuditMessage>", b"<!-- " + b"x\n" * 2000 + b"--></AuditMessage>")
        assert whole(large + b"\n" + ONE + b"\n") == [TooLarge(), ONE]

    def test_a_count_is_no_line(self) -> None:
        """The framing is chosen once: what looks like the other one later is junk."""
        assert whole(ONE + b"\n" + counted(TWO)) == [ONE, Junk(2), TWO]
        assert whole(counted(ONE) + b"7 \n<85>abc") == [ONE, Junk(8)]


class TestChoice:
    """Which framing it is."""

    @pytest.mark.parametrize("junk", [b"", b"hello ", b"\n\n", b"GET / HTTP/1.1\r\n", b"1234567890 "])
    def test_by_the_first_frame(self, junk: bytes) -> None:
        """What comes before the first frame decides nothing."""
        size = len(junk.translate(None, b"\r\n\0 "))
        told = [Junk(size)] if size else []
        assert whole(junk + counted(ONE) + counted(TWO)) == [*told, ONE, TWO]
        assert whole(junk + ONE + b"\n" + TWO + b"\n") == [*told, ONE, TWO]

    def test_nothing_but_junk(self) -> None:
        """A peer that speaks something else."""
        framer = Framer()
        assert framer.feed(b"\x16\x03\x01" * 1000) == []
        assert framer.junk == 3000
        assert framer.close() == [Junk(3000)]


PRETTY_SYSLOG = message(PRETTY)

wire = st.lists(
    st.sampled_from(
        [
            b"<85>1 ",
            b"<",
            b"1",
            b"0",
            b"12 ",
            b"7 <1>abcd",
            b"40 <1>",
            b"9999999999 <",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b"a",
            b"<?xml",
            b"<AuditMessage>",
            b"</AuditMessage>",
            b"</a:AuditMessage >",
            b"#012",
            b"\n<",
            b"\n<8",
            b"\n<a",
            b"x" * 30,
        ]
    )
    | st.binary(max_size=3),
    max_size=30,
).map(b"".join)


@given(wire, st.lists(st.integers(0, 400), max_size=8), st.sampled_from([24, 64, 5000]))
def test_reads_do_not_matter(data: bytes, cuts: list[int], max_size: int) -> None:
    """A stream gives the same events whole, cut anywhere, and byte by byte."""
    expected = whole(data, max_size)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for pieces in ([data[a:b] for a, b in pairwise(places)], [bytes([byte]) for byte in data]):
        framer = Framer(max_size)
        events = [event for piece in pieces for event in framer.feed(piece)]
        assert events + framer.close() == expected
        assert framer.feed(b"") == []


@given(st.lists(st.binary(max_size=20).map(lambda rest: b"<85>" + rest), max_size=8))
def test_counted_round_trip(messages: list[bytes]) -> None:
    """Whatever is counted comes back, and no byte is junk."""
    assert whole(frames(*messages)) == messages


@given(wire)
def test_every_byte_is_accounted_for(data: bytes) -> None:
    """What is not in a message is junk, a separator, or of a frame that is told: nothing appears from nowhere."""
    events = whole(data, 5000)
    delivered = sum(len(event) for event in events if isinstance(event, bytes))
    junk = sum(event.size for event in events if isinstance(event, Junk))
    lost = sum(event.size for event in events if isinstance(event, Truncated))
    assert delivered + junk + lost <= len(data)
    assert all(data.find(event) >= 0 for event in events if isinstance(event, bytes))
