"""Lines and bars of the page, as the coordinates of an SVG: the rate of the days, and how much each of them counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from engine.ledger.tallies import Sum
from engine.metrics.periods import Window
from engine.page import numbers

WIDTH: Final = 1000
"""Units of a whole window, from left to right; from the top (100 %) to the bottom (0 %) there are :data:`HEIGHT`."""

HEIGHT: Final = 100
WEEK: Final = 7
"""Days of which each point of the line is the rate: one day alone counts too few, and a week has its Sunday."""


class Bar(Struct, frozen=True):
    """What one day counted. Lengths are in units of the chart, from the bottom."""

    x: float
    width: float
    met: float
    missed: float
    words: str


class Week(Struct, frozen=True):
    """A row of the table that says the same as the line."""

    first: int
    last: int
    met: int
    counted: int


class Chart(Struct, frozen=True):
    """A window seen day by day."""

    line: str  # path of the rate over the last seven days; it stops where nothing was counted
    end: tuple[float, float]  # its last point
    words: str  # what it shows, in a sentence
    bars: tuple[Bar, ...]
    most: int  # the greatest count of one day: the height of the bars' chart
    weeks: tuple[Week, ...]
    months: tuple[tuple[float, str], ...]  # where each month begins, and its name


def counted(sum_: Sum) -> int:
    """How many subjects a sum counts."""
    return sum_.met + sum(sum_.missed.values())


def chart(days: Mapping[int, Sum], window: Window) -> Chart | None:
    """The days of a window; None when nothing was counted."""
    of = {day: (found.met, counted(found)) for day, found in days.items() if counted(found)}
    if not of:
        return None
    points = list(_points(of, window))
    most = max(n for _, n in of.values())
    step = WIDTH / window.days
    bars = tuple(
        Bar(
            round((day - window.first) * step + step * 0.1, 1),
            round(step * 0.8, 1),
            round(met * HEIGHT / most, 1),
            round((n - met) * HEIGHT / most, 1),
            f"{numbers.day(day)} : {numbers.count(met)} sur {numbers.count(n)} ({numbers.percent(met, n)})",
        )
        for day, (met, n) in of.items()
    )
    path: list[str] = []
    before = 0
    for day, met, n in points:
        path.append(f"{'L' if path and day == before + 1 else 'M'}{_x(day, window)} {_y(met, n)}")
        before = day
    day, met, n = points[-1]
    months = tuple(
        (_x(day, window), numbers.month(day))
        for day in range(window.first, window.last + 1)
        if numbers.short_day(day).startswith("01/")
    )
    end = (_x(day, window), _y(met, n))
    return Chart(" ".join(path), end, _words(points), bars, most, tuple(_weeks(of, window)), months)


def _points(of: Mapping[int, tuple[int, int]], window: Window) -> Iterator[tuple[int, int, int]]:
    """Each day with what was met and counted in the seven days that it ends; days of the window only."""
    for day in range(window.first, window.last + 1):
        week = [of[each] for each in range(max(window.first, day - WEEK + 1), day + 1) if each in of]
        if week:
            yield day, sum(met for met, _ in week), sum(n for _, n in week)


def _x(day: int, window: Window) -> float:
    return round((day - window.first + 0.5) * WIDTH / window.days, 1)


def _y(met: int, n: int) -> float:
    return round(HEIGHT - met * HEIGHT / n, 1)


def _words(points: list[tuple[int, int, int]]) -> str:
    first, last = points[0], points[-1]
    lowest = min(points, key=lambda point: point[1] / point[2])
    highest = max(points, key=lambda point: point[1] / point[2])

    def say(point: tuple[int, int, int]) -> str:
        return f"{numbers.percent(point[1], point[2])} le {numbers.short_day(point[0])}"

    return (
        f"Taux sur sept jours, du {numbers.day(first[0])} au {numbers.day(last[0])} : {say(first)}, {say(last)} ; "
        f"au plus bas {say(lowest)}, au plus haut {say(highest)}."
    )


def _weeks(of: Mapping[int, tuple[int, int]], window: Window) -> Iterator[Week]:
    """Weeks back from the last day, in order; the first one may be shorter."""
    lasts = range(window.last, window.first - 1, -WEEK)
    for last in reversed(lasts):
        first = max(window.first, last - WEEK + 1)
        found = [of[day] for day in range(first, last + 1) if day in of]
        yield Week(first, last, sum(met for met, _ in found), sum(n for _, n in found))
