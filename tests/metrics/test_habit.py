"""The habit of a feed, and the silence that is not usual."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.metrics.habit import ENOUGH, HOUR, LEAST, WEEKS, Habit
from engine.metrics.snapshot import Feed

PARIS = ZoneInfo("Europe/Paris")
MONDAY = int(datetime(2026, 3, 2, tzinfo=PARIS).timestamp())  # midnight; summer time comes four weeks later
WEEK = 7 * 24 * HOUR
DAY = 24 * HOUR


def week(at: int, brings: Callable[[datetime], int], *, weeks: float = 3) -> dict[int, int]:
    """What each hour brought in the weeks before an instant."""
    first = at // HOUR - int(weeks * 7 * 24)
    local = {hour: datetime.fromtimestamp(hour * HOUR, UTC).astimezone(PARIS) for hour in range(first, at // HOUR)}
    return {hour: n for hour, when in local.items() if (n := brings(when))}


def office(when: datetime) -> int:
    """A flow of office hours."""
    return 120 if when.weekday() < 5 and 8 <= when.hour < 18 else 0


def limit(counts: dict[int, int], now: int, last: int) -> int:
    """The limit after a message, as told at an instant."""
    return Habit(counts, now // HOUR, "Europe/Paris").limit(last)


def test_a_busy_feed_is_missed_after_a_quarter_of_an_hour() -> None:
    """Ten messages are five minutes' worth: the least silence holds."""
    last = MONDAY + 10 * HOUR
    assert limit(week(MONDAY, office), MONDAY, last) == LEAST


def test_a_slow_feed_is_given_the_time_of_ten_messages() -> None:
    """Two an hour, day and night: five hours."""
    assert limit(week(MONDAY, lambda _: 2), MONDAY, MONDAY) == pytest.approx(5 * HOUR, abs=2)


def test_a_night_is_not_a_silence() -> None:
    """The last message of the evening leaves the feed alive until the morning after."""
    last = MONDAY + 17 * HOUR + 3_590
    assert limit(week(MONDAY, office), MONDAY, last) == pytest.approx(14 * HOUR + 5 * 60, abs=60)


def test_a_week_end_is_not_a_silence() -> None:
    """From Friday evening to Monday morning."""
    last = MONDAY + 4 * DAY + 17 * HOUR + 3_590
    assert limit(week(MONDAY, office), MONDAY, last) == pytest.approx(2 * DAY + 14 * HOUR + 5 * 60, abs=60)


def test_an_archive_that_was_replayed_does_not_count() -> None:
    """One hour of thousands of messages changes nothing of what the other weeks tell."""
    counts = week(MONDAY, lambda _: 2)
    counts[MONDAY // HOUR - 7 * 24] += 100_000
    assert limit(counts, MONDAY, MONDAY) == pytest.approx(5 * HOUR, abs=2)


def test_the_hours_are_those_of_the_clock_on_the_wall() -> None:
    """After the change to summer time the feed wakes at the same local hour, one hour of UTC earlier."""
    now = int(datetime(2026, 3, 30, tzinfo=PARIS).timestamp())
    last = int(datetime(2026, 3, 30, 6, 0, tzinfo=PARIS).timestamp())
    assert limit(week(now, office), now, last) == pytest.approx(2 * HOUR + 5 * 60, abs=60)


def test_a_working_day_is_told_by_the_other_working_days_of_the_first_week() -> None:
    """After two whole working days the third is known; the week-end is not."""
    wednesday = MONDAY + 2 * DAY
    counts = week(wednesday, office, weeks=2 / 7)
    habit = Habit(counts, wednesday // HOUR, "Europe/Paris")
    assert habit.limit(wednesday + 10 * HOUR) == LEAST
    friday = wednesday + 2 * DAY + 17 * HOUR + 3_590
    assert habit.limit(friday) == pytest.approx(2 * DAY + 14 * HOUR + 5 * 60, abs=60)


@pytest.mark.parametrize("counts", [{}, {MONDAY // HOUR - 1: 50}, {MONDAY // HOUR - 24 * 21: 1}])
def test_nothing_is_said_of_a_feed_that_is_not_known(counts: dict[int, int]) -> None:
    """Nothing came, or too little, or since too short a time: no habit, so no alarm."""
    assert limit(counts, MONDAY, MONDAY) == 0


def test_nothing_is_said_of_a_feed_that_never_spoke() -> None:
    """Without a last message there is no silence to measure."""
    assert limit(week(MONDAY, office), MONDAY, 0) == 0


def test_what_is_older_than_the_weeks_looked_at_tells_nothing() -> None:
    """A feed that grew is judged by what it is."""
    counts = week(MONDAY, lambda _: 2, weeks=WEEKS)
    counts |= week(MONDAY - WEEKS * WEEK, lambda _: 5_000, weeks=2)
    assert limit(counts, MONDAY, MONDAY) == pytest.approx(5 * HOUR, abs=2)


@example({-1: 201, -337: 201}, -1)  # a minute of a busy hour is a third of what is missed
@given(
    st.dictionaries(st.integers(-60 * 24, 0), st.integers(1, 500)),
    st.integers(-WEEK, WEEK),
)
def test_the_limit_is_where_enough_messages_are_missing(counts: dict[int, int], after: int) -> None:
    """Never under the least; at the limit the usual week would have brought enough, and a second before it would not."""
    now = MONDAY // HOUR
    habit = Habit({now - 1 + hour: n for hour, n in counts.items()}, now, "Europe/Paris")
    last = MONDAY + after
    found = habit.limit(last)
    if not found:
        return

    def brought(end: int) -> float:
        """What the usual week brings from the last message to an instant, hour by hour."""
        hours = range(last // HOUR, end // HOUR + 1)
        seconds = {hour: min(end, (hour + 1) * HOUR) - max(last, hour * HOUR) for hour in hours}
        return sum(habit._usual.get(habit._place(hour)[0], 0.0) * part / HOUR for hour, part in seconds.items())

    assert found >= LEAST
    assert brought(last + found) > ENOUGH - 1e-6
    assert found == LEAST or brought(last + found - 1) < ENOUGH + 1e-6


class TestState:
    """How a feed stands."""

    @pytest.mark.parametrize(
        ("last", "limit", "state"),
        [
            (0, 0, "never"),
            (1_000, 0, "alive"),
            (9_100, 900, "alive"),
            (9_099, 900, "late"),
            (7_300, 900, "late"),
            (7_299, 900, "silent"),
        ],
    )
    def test_is_told_against_its_own_limit(self, last: int, limit: int, state: str) -> None:
        """Late past the limit, silent past three times the limit; without a habit, alive."""
        assert Feed("his", last_message_at=last, silence_limit=limit).state(10_000) == state
