"""The habit of a feed on public holidays, and what they teach of other days: nothing."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.metrics.habit import HOUR, LEAST, WEEKS, Habit
from engine.metrics.holidays import TERRITORIES, of_year
from engine.metrics.snapshot import Feed

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60
DAY = 24 * HOUR
WEEK = 7 * 24  # hours
CLOSED = {
    date(2026, 4, 6),
    date(2026, 5, 1),
    date(2026, 5, 8),
    date(2026, 5, 14),
    date(2026, 5, 25),
    date(2026, 11, 11),
}


def at(text: str) -> int:
    """The instant of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp())


def local(hour: int) -> datetime:
    """The local time at which an hour begins."""
    return datetime.fromtimestamp(hour * HOUR, UTC).astimezone(PARIS)


def past(now: int, brings: Callable[[datetime], int]) -> dict[int, int]:
    """What each hour of the weeks before an instant brought."""
    return {hour: n for hour in range(now // HOUR - WEEKS * WEEK, now // HOUR) if (n := brings(local(hour)))}


def open_at(when: datetime, closed: frozenset[date] | set[date] = CLOSED) -> bool:
    """Office hours of a hospital that rests on holidays."""
    return when.weekday() < 5 and 8 <= when.hour < 18 and when.date() not in closed


def office(when: datetime) -> int:
    """Twelve messages an hour: ten are fifty minutes."""
    return 12 * open_at(when)


def limit(brings: Callable[[datetime], int], now: str, last: str, territory: str = "national") -> int:
    """The limit of silence after a message, as told at an instant."""
    return Habit(past(at(now), brings), at(now) // HOUR, "Europe/Paris", territory).limit(at(last))


def test_a_silent_eleventh_of_november_is_no_alarm() -> None:
    """All day long; the morning after, fifty minutes of office hours are waited for."""
    last = "2026-11-10T17:59"
    found = limit(office, "2026-11-11T10:00", last)
    assert at(last) + found == pytest.approx(at("2026-11-12T08:50"), abs=2 * MINUTE)
    assert Feed("his", last_message_at=at(last), silence_limit=found).state(at("2026-11-11T23:59")) == "alive"


def test_a_silent_tuesday_is_an_alarm() -> None:
    """The same silence on the day before."""
    last = "2026-11-09T17:59"
    found = limit(office, "2026-11-10T10:00", last)
    assert Feed("his", last_message_at=at(last), silence_limit=found).state(at("2026-11-10T09:00")) == "late"


def test_a_feed_that_works_on_sundays_is_missed_on_a_holiday() -> None:
    """At the pace of a Sunday: five an hour, two hours; not at that of a Wednesday."""
    found = limit(lambda when: 5 if when.weekday() == 6 else 100, "2026-11-11T09:00", "2026-11-11T09:00")
    assert found == pytest.approx(2 * HOUR, abs=2)


@pytest.mark.parametrize(
    ("last", "next_batch", "territory"),
    [
        pytest.param(
            "2026-11-10T02:59",
            "2026-11-13T02:00",
            "national",
            id="Wednesday: Thursday's is Wednesday's, Friday's comes",
        ),
        pytest.param(
            "2026-04-30T02:59", "2026-05-05T02:00", "national", id="Friday: neither Saturday's comes, nor Monday's"
        ),
        pytest.param("2026-04-04T02:59", "2026-04-08T02:00", "national", id="Monday: nor Tuesday's"),
        pytest.param("2026-04-02T02:59", "2026-04-08T02:00", "alsace_moselle", id="Good Friday: all of Easter"),
    ],
)
def test_the_night_after_a_holiday_is_one_after_a_sunday(last: str, next_batch: str, territory: str) -> None:
    """Letters of the day before, sent at two in the morning: there are none of a holiday, and none is missed."""

    def nightly(when: datetime) -> int:
        before = when.date() - timedelta(days=1)
        return 120 * (when.hour == 2 and before.weekday() < 5 and before not in CLOSED)

    found = limit(nightly, last, last, territory)
    assert at(last) + found == pytest.approx(at(next_batch) + 5 * MINUTE, abs=2 * MINUTE)


def test_the_night_after_a_holiday_ends_at_six() -> None:
    """A feed that rests on Mondays: what is before six on 12 November is a Monday's, what is after is a Thursday's."""
    found = limit(lambda when: 12 * (when.weekday() != 0), "2026-11-12T00:00", "2026-11-12T00:00")
    assert found == pytest.approx(6 * HOUR + 50 * MINUTE, abs=2)


def test_the_night_before_a_saturday_is_none_before_a_monday() -> None:
    """What is prepared for the week, on Monday at five, is not missed on the Saturday after a Friday that is a holiday."""
    found = limit(lambda when: 120 * (when.weekday() == 0 and when.hour == 5), "2026-05-01T12:00", "2026-05-01T12:00")
    assert at("2026-05-01T12:00") + found == pytest.approx(at("2026-05-04T05:05"), abs=2 * MINUTE)


def test_the_weekday_after_a_holiday_keeps_its_habit() -> None:
    """The Wednesday that follows a silent 11 November is expected to bring what Wednesdays bring."""
    found = limit(office, "2026-11-18T10:00", "2026-11-18T10:00")
    assert found == pytest.approx(50 * MINUTE, abs=2)


def test_sunday_keeps_its_habit_when_holidays_are_worked() -> None:
    """Four holidays of May at the full pace of a weekday: the Sunday after is not expected to bring anything."""
    found = limit(lambda when: office(when) or 12 * (when.date() in CLOSED), "2026-05-30T10:00", "2026-05-29T17:59")
    assert at("2026-05-29T17:59") + found == pytest.approx(at("2026-06-01T08:50"), abs=2 * MINUTE)


def test_a_holiday_that_is_a_sunday_teaches_of_sundays() -> None:
    """1 November 2026 is the second Sunday of a new feed: two of them tell of the third."""
    counts = past(at("2026-11-02T00:00"), lambda when: {6: 2}.get(when.weekday(), 100))
    counts = {hour: n for hour, n in counts.items() if hour * HOUR >= at("2026-10-19T00:00")}
    habit = Habit(counts, at("2026-11-02T00:00") // HOUR, "Europe/Paris")
    assert habit.limit(at("2026-11-08T12:00")) == pytest.approx(5 * HOUR, abs=2)


MAY = at("2026-05-28T10:00")
HOLIDAY_HOURS = [hour for hour in range(MAY // HOUR - WEEKS * WEEK, MAY // HOUR) if local(hour).date() in CLOSED]


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(HOLIDAY_HOURS), st.integers(0, 5_000)), st.integers(-10 * DAY, 10 * DAY))
def test_what_a_holiday_brings_teaches_nothing(brought: dict[int, int], after: int) -> None:
    """Whatever came on the four holidays of May, the limits of every other moment are the same."""
    usual = past(MAY, lambda when: 1 + office(when))
    quiet = Habit(usual, MAY // HOUR, "Europe/Paris")
    assert Habit(usual | brought, MAY // HOUR, "Europe/Paris").limit(MAY + after) == quiet.limit(MAY + after)


@given(st.integers(2020, 2035), st.sampled_from(sorted(TERRITORIES)), st.integers(0, 12))
def test_no_holiday_is_an_alarm_and_the_day_after_is(year: int, territory: str, which: int) -> None:
    """From the last office hour before any holiday to the first one after it, and a quarter of an hour."""
    holidays = frozenset().union(*(of_year(near, territory) for near in (year - 1, year, year + 1)))
    days = sorted(of_year(year, territory))
    noon = at(f"{days[which % len(days)]}T12:00") // HOUR
    before = next(hour for hour in range(noon, noon - WEEK, -1) if open_at(local(hour), holidays))
    after = next(hour for hour in range(noon, noon + WEEK) if open_at(local(hour), holidays))
    counts = past(noon * HOUR, lambda when: 120 * open_at(when, holidays))
    last = (before + 1) * HOUR - 1
    found = Habit(counts, noon, "Europe/Paris", territory).limit(last)
    assert last + found == pytest.approx(max(after * HOUR + 5 * MINUTE, last + LEAST), abs=MINUTE)


@example({58: 12}, 248 * 96, "national")  # Wednesday at ten, and the next one is 11 November
@example({77: 5}, 255 * 96 + 12, "national")  # Thursday at five, on the night after it
@given(
    st.dictionaries(st.integers(0, WEEK - 1), st.integers(1, 12), max_size=4),
    st.integers(0, 365 * 24 * 4),
    st.sampled_from(sorted(TERRITORIES)),
)
def test_no_feed_loses_its_habit_by_a_holiday(brings: dict[int, int], quarters: int, territory: str) -> None:
    """One that has a limit in February, without a holiday near, has one at the same moment of every other week."""
    monday = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    weeks = [monday // HOUR - WEEK * n for n in range(1, WEEKS + 1)]
    counts = {first + place: n for first in weeks for place, n in brings.items()}
    habit = Habit(counts, monday // HOUR, "UTC", territory)
    last = monday + quarters * 15 * MINUTE
    february = monday - 3 * WEEK * HOUR + (last - monday) % (WEEK * HOUR)
    if habit.limit(february):
        assert habit.limit(last)
