"""The page of one indicator: both windows, the days, and what is missing by reason, by unit and by refusal."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from engine.ledger.tallies import Sum
from engine.metrics.catalogue import Indicator
from engine.metrics.snapshot import IndicatorValue, WindowName
from engine.page import charts, numbers
from engine.page.charts import Chart
from engine.page.overview import Line, line, value_of
from engine.page.todo import Task, of
from engine.page.view import WORDS, State, View

MOST_UNITS = 60
"""Units shown, the ones with most to win first; a hospital has some hundreds, and a page is no export."""


class Tab(Struct, frozen=True):
    """One of the two windows, to choose from."""

    name: WindowName
    title: str
    days: str
    value: str
    state: State
    words: str
    met: int
    counted: int
    chosen: bool


class Missing(Struct, frozen=True):
    """One reason of the closed list."""

    code: str
    label: str
    advice: str
    n: int
    points: str
    part: str  # of everything that is missing, as a length: "37.5%"


class Unit(Struct, frozen=True):
    """One functional unit."""

    name: str
    met: int
    counted: int
    missed: tuple[int, ...]  # in the order of the columns


class Month(Struct, frozen=True):
    """One month of the official period."""

    name: str
    met: int
    counted: int


class Variant(Struct, frozen=True):
    """A second value, under its own name."""

    indicator: Indicator
    value: str
    met: int
    counted: int


def words(view: View, indicator: Indicator, window: WindowName) -> dict[str, object]:
    """Everything the template takes."""
    value = view.value(indicator.id, window)
    days = view.readings.days([indicator.id], view.finess, view.window(window))
    units = view.readings.units(indicator.id, view.finess, view.window(window)) or {}
    columns = [reason for reason in indicator.reasons if value.missed.get(reason.code)]
    rows = _units(units, [reason.code for reason in columns])
    return {
        "line": _line(view, indicator),
        "value": value,
        "tabs": tuple(tab(view, indicator, name, window) for name in ("official", "rolling")),
        "chart": chart(view, indicator, days, window),
        "months": _months(days.get(indicator.id, {})) if window == "official" else (),
        "missing": missing(indicator, value),
        "columns": columns,
        "units": rows[:MOST_UNITS],
        "more_units": max(0, len(rows) - MOST_UNITS),
        "refusals": refusals(view, indicator, value),
        "variants": _variants(view, indicator, window),
        "parent": view.catalogue[indicator.variant_of] if indicator.variant_of else None,
        "ending": numbers.month(view.rolling.last),
        "help": f"/aide/indicateurs#{(indicator.variant_of or indicator.id).lower().replace('.', '-')}",
    }


def tab(view: View, indicator: Indicator, name: WindowName, chosen: WindowName) -> Tab:
    """One window, with its value."""
    window, value = view.window(name), view.value(indicator.id, name)
    state = view.state(value)
    return Tab(
        name,
        "Période officielle" if name == "official" else f"{window.days} derniers jours",
        f"du {numbers.day(window.first)} au {numbers.day(window.last)}",
        value_of(indicator, value),
        state,
        WORDS[state],
        value.numerator,
        value.denominator,
        chosen=name == chosen,
    )


def chart(view: View, indicator: Indicator, days: Mapping[str, Mapping[int, Sum]], window: WindowName) -> Chart | None:
    """The days of the window; none for what has no days."""
    return charts.chart(days.get(indicator.id, {}), view.window(window))


def missing(indicator: Indicator, value: IndicatorValue) -> list[Missing]:
    """Every reason that costs something, the greatest first."""
    total = sum(value.missed.values())
    known = {reason.code: reason for reason in indicator.reasons}
    found = []
    for code, n in sorted(value.missed.items(), key=lambda item: -item[1]):
        if n:
            reason = known.get(code)
            label, advice = (reason.label, reason.advice) if reason else (code, "")
            points = numbers.points(n, value.denominator)
            found.append(Missing(code, label, advice, n, points, f"{100 * n / total:.2f}%"))
    return found


def refusals(view: View, indicator: Indicator, value: IndicatorValue) -> list[Task]:
    """The refusals of the DMP by code, the most frequent first, with what to do about each."""
    return sorted((task for task in of(view, indicator, value) if task.code), key=lambda task: -task.missed)


def _line(view: View, indicator: Indicator) -> Line:
    return line(view, indicator, {})


def _units(units: Mapping[str, Sum], columns: list[str]) -> list[Unit]:
    """Those where most is missing first."""
    rows = [
        Unit(name or "inconnue", found.met, charts.counted(found), tuple(found.missed.get(code, 0) for code in columns))
        for name, found in units.items()
        if charts.counted(found)
    ]
    return sorted(rows, key=lambda row: (row.met - row.counted, row.name))


def _months(days: Mapping[int, Sum]) -> list[Month]:
    months: dict[str, tuple[int, int]] = {}
    for day, found in days.items():
        met, n = months.get(numbers.month(day), (0, 0))
        months[numbers.month(day)] = met + found.met, n + charts.counted(found)
    return [Month(name, met, n) for name, (met, n) in months.items() if n]


def _variants(view: View, indicator: Indicator, window: WindowName) -> list[Variant]:
    found = []
    for other in view.catalogue:
        if other.variant_of == indicator.id:
            value = view.value(other.id, window)
            found.append(Variant(other, value_of(other, value), value.numerator, value.denominator))
    return found
