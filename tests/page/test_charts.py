"""Days as lines and bars: what the picture says is what was counted."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from engine.ledger.tallies import Sum
from engine.metrics.periods import Window
from engine.page.charts import HEIGHT, WIDTH, chart

WINDOW = Window("rolling", 739_500, 739_591, today=739_591)

sums = st.builds(
    lambda met, missed: Sum(met, {"not_produced": missed} if missed else {}, {}), st.integers(0, 50), st.integers(0, 50)
)


@given(st.dictionaries(st.integers(WINDOW.first, WINDOW.last), sums))
def test_everything_stays_in_the_frame_and_adds_up(days: dict[int, Sum]) -> None:
    """Points and bars are within the chart, and the weeks of the table add up to the days, whatever was counted."""
    found = chart(days, WINDOW)
    met = sum(each.met for each in days.values())
    counted = met + sum(sum(each.missed.values()) for each in days.values())
    if found is None:
        assert not counted
        return
    numbers = [float(number) for number in re.findall(r"[0-9.]+", found.line)]
    assert all(0 <= x <= WIDTH for x in numbers[::2])
    assert all(0 <= y <= HEIGHT for y in numbers[1::2])
    assert all(0 < bar.met + bar.missed <= HEIGHT + 0.1 for bar in found.bars)
    assert (sum(week.met for week in found.weeks), sum(week.counted for week in found.weeks)) == (met, counted)
    assert [week.first for week in found.weeks][1:] == [week.last + 1 for week in found.weeks][:-1]


def test_nothing_counted_is_no_line() -> None:
    """Without anything counted there is no chart, rather than a line at zero."""
    assert chart({}, WINDOW) is None
    assert chart({WINDOW.first: Sum(0, {}, {})}, WINDOW) is None


def test_the_line_stops_where_nothing_was_counted() -> None:
    """Eight days without anything break the line; the rate of a day is that of the seven days that it ends."""
    found = chart(
        {
            WINDOW.first: Sum(1, {}, {}),
            WINDOW.first + 1: Sum(0, {"deleted": 1}, {}),
            WINDOW.last: Sum(3, {"deleted": 1}, {}),
        },
        WINDOW,
    )
    assert found is not None
    assert found.line.count("M") == 2
    assert found.line.startswith("M5.4 0.0 L16.3 50.0")
    assert found.words == (
        "Taux sur sept jours, du 06/09/2025 au 06/12/2025 : 100,0\u00a0% le 06/09, 75,0\u00a0% le 06/12 ; "
        "au plus bas 0,0\u00a0% le 13/09, au plus haut 100,0\u00a0% le 06/09."
    )
    assert found.bars[-1].words == "06/12/2025 : 3 sur 4 (75,0\u00a0%)"
