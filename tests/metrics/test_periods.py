"""Local days are those of the time zone, on every night of the year; windows are those of docs/rules.md."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics import periods
from engine.metrics.periods import (
    closing,
    day_of,
    first_day,
    last_day,
    local_days,
    month_of,
    official,
    rolling,
    start_of_day,
    today_of,
    windows,
)

PARIS = "Europe/Paris"
# Where French hospitals are, then zones whose clocks change at midnight or on half hours.
FRENCH = (
    PARIS,
    "America/Guadeloupe",
    "America/Cayenne",
    "America/Miquelon",
    "Indian/Reunion",
    "Indian/Mayotte",
    "Pacific/Noumea",
    "Pacific/Tahiti",
)
HARD = ("Asia/Beirut", "America/Havana", "America/Santiago", "America/Asuncion", "Australia/Lord_Howe", "Pacific/Apia")
INSTANTS = st.integers(
    int(datetime(1975, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
)


def day(text: str) -> int:
    """Ordinal of an ISO date."""
    return date.fromisoformat(text).toordinal()


def at(text: str, zone: str = "UTC") -> int:
    """Epoch seconds of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


class TestDays:
    """An instant has one local day."""

    @given(INSTANTS, st.sampled_from(FRENCH + HARD))
    def test_agrees_with_the_standard_library(self, instant: int, zone: str) -> None:
        """Whatever the instant, the day is the one datetime gives."""
        expected = datetime.fromtimestamp(instant, ZoneInfo(zone)).date().toordinal()

        assert day_of(instant, zone) == expected

    @given(st.integers(day("1975-01-01"), day("2099-12-31")), st.sampled_from(FRENCH + HARD))
    def test_a_day_starts_where_the_former_ends(self, there: int, zone: str) -> None:
        """The second before the start of a day belongs to an earlier day, its first second to it or a later one."""
        start = start_of_day(there, zone)

        assert day_of(start - 1, zone) < there <= day_of(start, zone)

    def test_the_night_of_spring_has_23_hours(self) -> None:
        """30 March 2025 in Paris: the clocks jump from 2 to 3."""
        there = day("2025-03-30")

        assert start_of_day(there, PARIS) == at("2025-03-29T23:00:00")
        assert start_of_day(there + 1, PARIS) - start_of_day(there, PARIS) == 23 * 3600

    def test_the_night_of_autumn_has_25_hours(self) -> None:
        """26 October 2025 in Paris: an exit at the second 2:30 is still of that day, and so is 23:59:59."""
        there = day("2025-10-26")

        assert start_of_day(there + 1, PARIS) - start_of_day(there, PARIS) == 25 * 3600
        assert day_of(at("2025-10-26T01:30:00"), PARIS) == there
        assert day_of(start_of_day(there + 1, PARIS) - 1, PARIS) == there

    def test_every_hour_of_the_nights_when_clocks_change(self) -> None:
        """Each quarter of an hour around every change from 2000 to 2040 falls on the right day."""
        zone = ZoneInfo(PARIS)
        for year in range(2000, 2041):
            for month in (3, 10):
                last = date(year, month, 31)
                sunday = last - timedelta(days=(last.weekday() + 1) % 7)
                midnight = int(datetime(sunday.year, sunday.month, sunday.day, tzinfo=UTC).timestamp())
                for quarter in range(-8, 112):
                    instant = midnight + quarter * 900
                    expected = datetime.fromtimestamp(instant, zone).date().toordinal()
                    assert day_of(instant, PARIS) == expected

    @given(st.integers(-(10**14), 10**14), st.sampled_from(FRENCH))
    def test_a_bogus_instant_has_a_day_too(self, instant: int, zone: str) -> None:
        """An instant that no calendar knows gives the nearest day, never an error."""
        assert 1 <= day_of(instant, zone) <= date.max.toordinal()

    def test_bogus_dates_do_not_fill_the_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The midnights kept are bounded in number."""
        monkeypatch.setattr(periods, "_CACHED_DAYS", 50)
        days = periods.LocalDays(PARIS)
        for instant in range(0, 400 * 86_400, 86_400):
            days.day_of(instant)

        assert len(days._starts) <= 50

    def test_an_unknown_zone_is_refused(self) -> None:
        """A zone that the system does not know raises at once."""
        with pytest.raises(ZoneInfoNotFoundError):
            periods.LocalDays("Europe/Nulle-Part")

    def test_one_object_a_zone(self) -> None:
        """The days of a zone are computed once."""
        assert local_days(PARIS) is local_days(PARIS)

    def test_a_clock_reads_today(self) -> None:
        """One second before midnight in Paris is still today."""
        assert today_of(at("2025-06-30T23:59:59", PARIS) + 0.9, PARIS) == day("2025-06-30")


class TestMonths:
    """Months are counted in one integer."""

    @given(st.integers(day("1900-01-01"), day("2200-12-31")))
    def test_a_day_is_inside_its_month(self, there: int) -> None:
        """First and last day surround it, and the next month begins the day after."""
        month = month_of(there)

        assert first_day(month) <= there <= last_day(month)
        assert month_of(last_day(month)) == month
        assert month_of(last_day(month) + 1) == month + 1

    def test_december_and_january_are_neighbours(self) -> None:
        """2024-12 is one less than 2025-01."""
        assert month_of(day("2025-01-01")) - month_of(day("2024-12-31")) == 1


class TestClosing:
    """The month end that first accepts an acceptance."""

    @given(INSTANTS, st.integers(0, 366), st.sampled_from((PARIS, "America/Cayenne")))
    def test_is_the_earliest_month_end_that_is_late_enough(self, instant: int, grace: int, zone: str) -> None:
        """The definition, word for word: this month end accepts the day, the one before does not."""
        month = closing(instant, zone, grace)
        there = day_of(instant, zone)

        assert there <= last_day(month) + grace
        assert there > last_day(month - 1) + grace

    @pytest.mark.parametrize(
        ("accepted", "expected"),
        [
            ("2025-03-31T23:59:59", 2025 * 12 + 3),
            ("2025-04-07T23:59:59", 2025 * 12 + 3),
            ("2025-04-08T00:00:00", 2025 * 12 + 4),
            ("2025-01-07T12:00:00", 2024 * 12 + 12),
        ],
    )
    def test_seven_days_of_grace(self, accepted: str, expected: int) -> None:
        """The seventh day after the end still counts, the eighth does not, in local time."""
        assert closing(at(accepted, PARIS), PARIS, 7) == expected


class TestWindows:
    """The two windows that are shown."""

    @pytest.mark.parametrize(
        ("today", "first", "last"),
        [
            ("2025-04-01", "2025-01-01", "2025-03-31"),
            ("2025-04-30", "2025-01-01", "2025-03-31"),
            ("2025-03-31", "2024-12-01", "2025-02-28"),
            ("2024-03-31", "2023-12-01", "2024-02-29"),
            ("2025-01-01", "2024-10-01", "2024-12-31"),
        ],
    )
    def test_official_is_the_last_complete_months(self, today: str, first: str, last: str) -> None:
        """Three complete calendar months before today, the current month never among them."""
        window = official(day(today), 3)

        assert (periods.iso(window.first), periods.iso(window.last)) == (first, last)

    @given(st.integers(day("1990-01-01"), day("2150-12-31")), st.integers(1, 24))
    def test_rolling_is_as_long_and_ends_today(self, today: int, months: int) -> None:
        """Same number of days as the official window; today is inside."""
        fixed, moving = windows(today, months)

        assert moving.days == fixed.days
        assert moving.last == today
        assert fixed.last < today
        assert month_of(fixed.last) - month_of(fixed.first) == months - 1
        assert first_day(month_of(today)) == fixed.last + 1

    def test_only_the_official_window_closes(self) -> None:
        """An acceptance of the month after, beyond the grace, is late for the official window, never for the rolling."""
        fixed, moving = official(day("2025-04-20"), 3), rolling(day("2025-04-20"), 3)
        late = closing(at("2025-04-08T00:00:00", PARIS), PARIS, 7)
        timely = closing(at("2025-04-07T23:00:00", PARIS), PARIS, 7)

        assert (fixed.accepts(timely), fixed.accepts(late)) == (True, False)
        assert moving.accepts(late)
