"""The hospital's clock and the two windows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.simulator.clock import DAY, Clock, windows


def test_the_official_window_is_the_last_three_complete_months() -> None:
    """Three calendar months that end the day before the month of today, across a year's end too."""
    assert windows(date(2026, 5, 20))["official"] == (date(2026, 2, 1), date(2026, 4, 30))
    assert windows(date(2026, 1, 1))["official"] == (date(2025, 10, 1), date(2025, 12, 31))


def test_the_rolling_window_is_as_long_and_ends_today() -> None:
    """As many days as the official one, today included."""
    both = windows(date(2026, 5, 20))
    assert both["rolling"].last == date(2026, 5, 20)
    assert both["rolling"].last - both["rolling"].first == both["official"].last - both["official"].first


@pytest.mark.parametrize("zone", ["Europe/Paris", "Indian/Reunion", "America/Cayenne", "Asia/Kathmandu"])
def test_texts_are_local_whatever_the_second(zone: str) -> None:
    """The cached way of writing a time is the standard library's, on DST nights too."""
    clock = Clock(zone, date(2026, 11, 21))
    start = int(datetime(2026, 10, 24, 20, tzinfo=UTC).timestamp())
    for seconds in range(start, start + DAY, 397):
        local = datetime.fromtimestamp(seconds, UTC).astimezone(clock.zone)
        assert clock.stamped(seconds) == local.strftime("%Y%m%d%H%M%S%z")
        assert (clock.day(seconds), clock.hour(seconds)) == (local.date(), local.hour)


def test_turns_are_the_days_on_which_the_offset_changes() -> None:
    """The last Sundays of March and October in France; none where there is no summer time."""
    today = date(2026, 11, 21)
    assert Clock("Europe/Paris", today).turns(300) == [date(2026, 10, 25), date(2026, 3, 29)]
    assert Clock("Indian/Reunion", today).turns(300) == []


def test_now_is_the_morning_of_today() -> None:
    """Nothing is dated after the present, whatever the hour of the day a demonstration is run at: 06:00 local."""
    clock = Clock("Europe/Paris", date(2026, 5, 20))
    assert clock.text(clock.now) == "20260520060000"
    assert clock.day(clock.now - 7 * 3_600) == date(2026, 5, 20) - timedelta(days=1)
