"""Where a period is heading."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
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
    """Half until four weeks ago, then everything: the fourteen days to come are counted as met."""
    found = sums(tmp_path, {day: (10, 0) if day >= TODAY - 28 else (5, 5) for day in range(FIRST, TODAY + 1)})
    before, since, to_come = TODAY - 28 - FIRST, 29, LAST - TODAY
    expected = (before * 5 + (since + to_come) * 10) / (10 * (before + since + to_come))
    assert projected(found, "DS1.1", FINESS, TODAY, 3) == pytest.approx(expected)


def test_the_last_day_of_a_month_has_nothing_to_come(tmp_path: Path) -> None:
    """What the period holds is what it ends with, whatever the last weeks were."""
    days = dict.fromkeys(range(FIRST, LAST + 1), (1, 1)) | {LAST - 3: (0, 50)}
    found = sums(tmp_path, days)
    met = sum(met for met, _ in days.values())
    total = sum(map(sum, days.values()))
    assert projected(found, "DS1.1", FINESS, LAST, 3) == pytest.approx(met / total)


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
