"""Times of a log: names, patterns, offsets, and everything that is no time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers import log_times
from engine.parsers.dtm import Zone

PARIS = Zone("Europe/Paris")
AT = 1_772_442_900  # 2026-03-02T10:15:00+01:00


def seconds(form: str, text: str) -> int:
    """One time, read."""
    read = log_times.reader(form)
    assert read is not None
    return read(text, PARIS)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("iso8601", "2026-03-02T10:15:00+01:00"),
        ("iso8601", "2026-03-02T09:15:00Z"),
        ("iso8601", "2026-03-02T09:15:00.123456789Z"),
        ("iso8601", "2026-03-02 10:15:00"),
        ("iso8601", "2026-03-02 10:15:00,999"),
        ("iso8601", "20260302T101500"),
        ("iso8601", "2026-03-02T10:15"),
        ("epoch", "1772442900"),
        ("epoch", "1772442900.999"),
        ("epoch-ms", "1772442900999"),
        ("hl7", "20260302101500"),
        ("hl7", "20260302091500+0000"),
        ("%d/%m/%Y %H:%M:%S", "02/03/2026 10:15:00"),
        ("%d/%m/%y %H:%M", "02/03/26 10:15"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-03-02 09:15:00 +0000"),
        ("[%d/%b/%Y:%H:%M:%S %z]", "[02/Mar/2026:10:15:00 +0100]"),
        ("%Y %j %H:%M", "2026 061 10:15"),
    ],
)
def test_ways_of_writing(form: str, text: str) -> None:
    """The same moment, in many ways; a local time is the feed's, fractions are dropped."""
    assert seconds(form, text) == AT


def test_summer_and_winter() -> None:
    """A local time follows the zone's summer time; the hour that happens twice is the first."""
    assert seconds("iso8601", "2026-07-02T10:15:00") == seconds("iso8601", "2026-07-02T10:15:00+02:00")
    assert seconds("iso8601", "2026-10-25T02:30:00") == seconds("iso8601", "2026-10-25T02:30:00+02:00")


def test_day_alone() -> None:
    """A date is its midnight."""
    assert seconds("iso8601", "2026-03-02") == seconds("iso8601", "2026-03-02T00:00:00")


@pytest.mark.parametrize("form", ["iso8601", "epoch", "epoch-ms", "hl7", "%d/%m/%Y %H:%M:%S"])
@pytest.mark.parametrize(
    "text",
    ["", "hier", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z", "99991231235959", "9" * 18, "1e9", "-", "2026-13-01", "x" * 9999, "٢٠٢٦-03-02"],
)  # fmt: skip
def test_no_time(form: str, text: str) -> None:
    """What is no time, or a placeholder, is 0."""
    assert seconds(form, text) == 0


@pytest.mark.parametrize("form", ["", "%H:%M:%S", "%b %d %H:%M:%S", "%Y-%m", "%", "%Q", "isodate", "%Y%", "%Y %U"])
def test_forms_that_do_not_tell_the_day(form: str) -> None:
    """A pattern without year, month and day is none."""
    assert log_times.reader(form) is None


@given(
    st.sampled_from(["iso8601", "epoch", "epoch-ms", "hl7", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S %z"]),
    st.text(max_size=70),
)
def test_any_text(form: str, text: str) -> None:
    """Whatever the text, a time between 1900 and 2200, or 0."""
    assert -2_300_000_000 < seconds(form, text) < 7_300_000_000


@given(st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30)))  # noqa: DTZ001
def test_round_trip(moment: datetime) -> None:
    """Every second of three centuries, with an offset."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert seconds("iso8601", moment.isoformat()) == int(moment.timestamp())
    assert seconds("epoch", str(int(moment.timestamp()))) == int(moment.timestamp())
