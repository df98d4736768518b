"""Dates of HL7 v2 and CDA."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers import dtm
from engine.parsers.dtm import Zone

PARIS = Zone("Europe/Paris")


def utc(*parts: int) -> int:
    """Seconds of a UTC date."""
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"20260302101500", utc(2026, 3, 2, 9, 15)),
        (b"202603021015", utc(2026, 3, 2, 9, 15)),
        (b"2026030210", utc(2026, 3, 2, 9)),
        (b"20260302", utc(2026, 3, 1, 23)),
        (b"202603", utc(2026, 2, 28, 23)),
        (b"2026", utc(2025, 12, 31, 23)),
        (b"20260302101500.1234", utc(2026, 3, 2, 9, 15)),
        (b"20260302101500+0000", utc(2026, 3, 2, 10, 15)),
        (b"20260302101500-0400", utc(2026, 3, 2, 14, 15)),
        (b"20260302101500Z", utc(2026, 3, 2, 10, 15)),
        (b" 20260302101500 ", utc(2026, 3, 2, 9, 15)),
    ],
)
def test_every_precision_is_read(text: bytes, expected: int) -> None:
    """A date is read at any precision, with or without offset."""
    assert PARIS.seconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'""',
        b"hier",
        b"20261302",
        b"20260230101500",
        b"20260302246000",
        b"99991231235959",
        b"00010101",
        b"2026-03-02",
        b"2" * 99,
    ],
)
def test_what_is_no_date_is_zero(text: bytes) -> None:
    """Unreadable text and placeholders give 0, first and second time."""
    assert PARIS.seconds(text) == 0
    assert PARIS.seconds(text) == 0


def test_the_night_of_october_is_read_as_its_first_occurrence() -> None:
    """An hour that happens twice is the summer one; the hours around it are right."""
    assert PARIS.seconds(b"20261025013000") == utc(2026, 10, 24, 23, 30)
    assert PARIS.seconds(b"20261025023000") == utc(2026, 10, 25, 0, 30)
    assert PARIS.seconds(b"20261025033000") == utc(2026, 10, 25, 2, 30)


def test_an_overseas_site_has_its_own_time() -> None:
    """Local time without offset is that of the zone."""
    assert Zone("Indian/Reunion").seconds(b"20260302101500") == utc(2026, 3, 2, 6, 15)


@given(st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(2199, 12, 30)))  # noqa: DTZ001
def test_the_cache_changes_nothing(moment: datetime) -> None:
    """A warm zone and a fresh one agree with zoneinfo on every second."""
    text = moment.strftime("%Y%m%d%H%M%S").encode().rjust(14, b"0")
    expected = int(moment.replace(microsecond=0, fold=0, tzinfo=ZoneInfo("Europe/Paris")).timestamp())
    assert PARIS.seconds(text) == expected
    assert PARIS.seconds(text) == expected
    assert Zone("Europe/Paris").seconds(text) == expected


@given(st.binary(max_size=40))
def test_no_bytes_make_it_fail(text: bytes) -> None:
    """Any bytes give a number."""
    assert isinstance(PARIS.seconds(text), int)


class TestIso:
    """ISO 8601 as XML Schema, RFC 3339, FHIR and logs write it."""

    AT = utc(2026, 3, 10, 15, 20, 5)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("2026-03-10T16:20:05.120+01:00", AT),
            ("2026-03-10T15:20:05Z", AT),
            ("2026-03-10t15:20:05.999999z", AT),
            ("2026-03-10 16:20:05,120+0100", AT),
            ("2026-03-10_16:20:05", AT),
            ("2026-03-10T16:20:05+01", AT),
            ("2026-03-10T16:20:05", AT),
            ("20260310T162005", AT),
            ("20260310T152005Z", AT),
            ("2026-03-10T16:20+01:00", AT - 5),
            ("  2026-03-10T16:20:05-00:00 ", AT + 3600),
            ("2026-03-10T16:20:60", AT + 54),
            ("", 0),
            ("2026-03-10", 0),
            ("2026-03-10T16", 0),
            ("2026-02-30T10:00:00Z", 0),
            ("2026-03-10T24:00:00Z", 0),
            ("2026-03-10T16:20:05+99:99", 0),
            ("2026-03-10T16:20:05+01:", 0),
            ("2026-03-10T16:20:05Z+01:00", 0),
            ("2026-03-10+01:00", 0),
            ("0001-01-01T00:00:00Z", 0),
            ("٢٠٢٦-03-10T16:20:05Z", 0),
            ("2026-03-10T16:20:05" + "0" * 1000, 0),
        ],
    )
    def test_instants(self, text: str, seconds: int) -> None:
        """With an offset, in UTC, in the feed's local time; what is none is 0."""
        assert dtm.iso(text, PARIS) == seconds

    @pytest.mark.parametrize(
        ("text", "told", "seconds"),
        [
            ("2026", dtm.YEAR, utc(2025, 12, 31, 23)),
            ("2026-03", dtm.YEAR, utc(2026, 2, 28, 23)),
            ("2026-03-10", dtm.DAY, utc(2026, 3, 9, 23)),
            ("20260310", dtm.DAY, utc(2026, 3, 9, 23)),
            ("2026-03-10T16:20", dtm.MINUTE, AT - 5),
            ("2026-03-10T16:20:05", dtm.SECOND, AT),
        ],
    )
    def test_what_must_be_told(self, text: str, told: int, seconds: int) -> None:
        """A date tells no time, a year no day: whoever asks says what it must tell at least."""
        for least in (dtm.YEAR, dtm.DAY, dtm.MINUTE, dtm.SECOND):
            assert dtm.iso(text, PARIS, least) == (seconds if least <= told else 0)

    @given(st.text(max_size=40) | st.from_regex(dtm._ISO, fullmatch=True))
    def test_never_raises(self, text: str) -> None:
        """Whatever the text, a number."""
        assert isinstance(dtm.iso(text, PARIS, dtm.YEAR), int)

    @given(
        st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
        st.sampled_from(["seconds", "milliseconds", "microseconds"]),
    )
    def test_what_python_writes(self, moment: datetime, precision: str) -> None:
        """Any moment of these centuries, at any precision."""
        assert dtm.iso(moment.isoformat(timespec=precision), PARIS) == (
            moment - datetime(1970, 1, 1, tzinfo=UTC)
        ) // timedelta(seconds=1)
