"""Where a period is heading."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ledger import schema, tallies
from engine.ledger.tallies import Sums
from engine.metrics import periods
from engine.metrics.projection import projected
from engine.metrics.rules.verdict import MET, Verdict

FINESS = "990000001"
TODAY = date(2026, 11, 16).toordinal()
LAST = date(2026, 11, 30).toordinal()
FIRST = date(2026, 9, 1).toordinal()


def sums(folder: Path, days: dict[int, tuple[int, int]], indicator: str = "DS1.1") -> Sums:
    """A store whose days hold so many met, and so many missed."""
    connection = schema.connect(folder / "store.sqlite")
    changes = {}
    for day, (met, missed) in days.items():
        settled = periods.closing_of_day(day, 7)
        changes[Verdict(indicator, FINESS, "", day, MET, settled)] = met
        changes[Verdict(indicator, FINESS, "", day, "not_produced", 0)] = missed
    connection.execute("BEGIN")
    tallies.write(connection, changes)
    connection.execute("COMMIT")
    return Sums(connection, FIRST - 100)


def test_a_steady_rate_ends_where_it_is(tmp_path: Path) -> None:
    """The same share every day of the period."""
    found = sums(tmp_path, dict.fromkeys(range(FIRST, TODAY + 1), (6, 4)))
    assert projected(found, "DS1.1", FINESS, TODAY, 3) == pytest.approx(0.6)


def test_a_rise_of_the_last_weeks_goes_on(tmp_path: Path) -> None:
    """Half until five weeks ago, then everything: the fourteen days to come are counted as met."""
    found = sums(tmp_path, {day: (10, 0) if day >= TODAY - 35 else (5, 5) for day in range(FIRST, TODAY + 1)})
    before, since, to_come = TODAY - 35 - FIRST, 36, LAST - TODAY
    expected = (before * 5 + (since + to_come) * 10) / (10 * (before + since + to_come))
    assert projected(found, "DS1.1", FINESS, TODAY, 3) == pytest.approx(expected)


def test_the_last_day_of_a_month_has_nothing_to_come(tmp_path: Path) -> None:
    """What the settled days hold is what they end with; the latest week, of which more is missing, ends like them."""
    days = dict.fromkeys(range(FIRST, LAST - 7), (3, 2)) | dict.fromkeys(range(LAST - 7, LAST + 1), (1, 9))
    days[FIRST] = (0, 50)
    settled = LAST - 7 - FIRST - 1
    expected = (settled * 3 + 8 * 10 * 0.6) / (settled * 5 + 50 + 8 * 10)
    assert projected(sums(tmp_path, days), "DS1.1", FINESS, LAST, 3) == pytest.approx(expected)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=8, max_size=8))
def test_letters_that_are_on_their_way_lower_nothing(
    tmp_path_factory: pytest.TempPathFactory, arrived: list[int]
) -> None:
    """However few of the letters of the latest week have come, the period heads where the weeks before it say."""
    days = dict.fromkeys(range(FIRST, TODAY - 7), (6, 4))
    days |= {TODAY - age: (n, 10 - n) for age, n in enumerate(arrived)}
    found = sums(tmp_path_factory.mktemp("store"), days)
    assert projected(found, "DS1.1", FINESS, TODAY, 3) == pytest.approx(0.6)


def test_letters_that_have_come_are_counted(tmp_path: Path) -> None:
    """A latest week that is better than the weeks before it counts as it is; the days to come are like those weeks."""
    days = dict.fromkeys(range(FIRST, TODAY - 7), (6, 4)) | dict.fromkeys(range(TODAY - 7, TODAY + 1), (9, 1))
    whole = LAST + 1 - FIRST
    expected = (0.6 * (whole - 8) + 0.9 * 8) / whole
    assert projected(sums(tmp_path, days), "DS1.1", FINESS, TODAY, 3) == pytest.approx(expected)


def test_a_fall_is_seen_after_a_week(tmp_path: Path) -> None:
    """What is still missing of a settled day is missing: the day that settles lowers the projection, and not before."""
    days = dict.fromkeys(range(FIRST, TODAY - 7), (10, 0)) | dict.fromkeys(range(TODAY - 7, TODAY + 2), (0, 10))
    found = sums(tmp_path, days)
    assert projected(found, "DS1.1", FINESS, TODAY, 3) == pytest.approx(1)
    whole = LAST + 1 - FIRST
    settled = TODAY + 1 - 7 - FIRST
    expected = (settled - 1 + (whole - settled) * 27 / 28) / whole
    assert projected(found, "DS1.1", FINESS, TODAY + 1, 3) == pytest.approx(expected)


def test_a_store_of_some_days_is_taken_as_it_is(tmp_path: Path) -> None:
    """Nothing is settled yet, and no share is known that the latest days could end with: they tell of themselves."""
    found = sums(tmp_path, dict.fromkeys(range(TODAY - 3, TODAY + 1), (3, 1)))
    assert projected(found, "DS1.1", FINESS, TODAY, 3) == pytest.approx(0.75)


def test_the_latest_days_of_the_month_before_are_not_in_a_period_of_one_month(tmp_path: Path) -> None:
    """On the third of the month, with a period of that month alone."""
    first = date(2026, 11, 1).toordinal()
    days = dict.fromkeys(range(FIRST, first), (1, 1)) | dict.fromkeys(range(first, first + 3), (8, 2))
    expected = (0.5 * 27 * 2 + 8 * 3) / (27 * 2 + 10 * 3)
    assert projected(sums(tmp_path, days), "DS1.1", FINESS, first + 2, 1) == pytest.approx(expected)


def test_days_before_the_period_are_not_in_it(tmp_path: Path) -> None:
    """Only as a pace of the last weeks, when the period has just begun."""
    found = sums(tmp_path, dict.fromkeys(range(FIRST - 60, FIRST), (0, 10)))
    assert projected(found, "DS1.1", FINESS, TODAY, 3) is None


def test_nothing_counted_heads_nowhere(tmp_path: Path) -> None:
    """Neither 0 nor 1."""
    assert projected(sums(tmp_path, {}), "DS1.1", FINESS, TODAY, 3) is None


def test_what_is_counted_once_in_a_window_is_not_projected(tmp_path: Path) -> None:
    """Correspondents do not add up day by day."""
    assert projected(sums(tmp_path, {TODAY - 3: (1, 1)}, "DS4.1"), "DS4.1", FINESS, TODAY, 3) is None


@given(st.dictionaries(st.integers(FIRST - 40, TODAY), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_lies_between_the_worst_and_the_best_day(
    tmp_path_factory: pytest.TempPathFactory, days: dict[int, tuple[int, int]]
) -> None:
    """A mean of what was seen, never outside it."""
    found = projected(sums(tmp_path_factory.mktemp("store"), days), "DS1.1", FINESS, TODAY, 3)
    shares = [met / (met + missed) for met, missed in days.values() if met + missed]
    if found is not None:
        assert min(shares) - 1e-9 <= found <= max(shares) + 1e-9
