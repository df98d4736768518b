"""The first page: where the establishment stands, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from engine.ledger.tallies import Sum
from engine.metrics.catalogue import Indicator
from engine.metrics.snapshot import FeedState, IndicatorValue
from engine.page import charts, numbers
from engine.page.charts import Chart
from engine.page.todo import Task, tasks
from engine.page.view import WORDS, State, View


class Line(Struct, frozen=True):
    """One indicator on one line."""

    indicator: Indicator
    state: State
    words: str
    value: str  # "61,4 %", "oui", "non"
    official: IndicatorValue
    rolling: IndicatorValue
    target: float | None
    own_target: bool
    chart: Chart | None
    pace: str  # the value of the period in progress, at this pace; empty when it is not known
    pace_state: State
    reasons: tuple[tuple[str, int], ...]  # the greatest, label and how many
    computed: bool


class Summary(Struct, frozen=True):
    """The five seconds."""

    met: int  # indicators at their target
    targets: int  # indicators that have one and something to measure
    feeds: Mapping[FeedState, int]
    first: Task | None


def lines(view: View) -> list[Line]:
    """Every indicator, in the order of the catalogue."""
    rates = [indicator.id for indicator in view.plain if indicator.period == "months"]
    days = view.readings.days(rates, view.finess, view.rolling)
    return [line(view, indicator, days.get(indicator.id, {})) for indicator in view.plain]


def line(view: View, indicator: Indicator, days: Mapping[int, Sum]) -> Line:
    """One of them. ``days``: those of the rolling window."""
    official, rolling = view.value(indicator.id, "official"), view.value(indicator.id, "rolling")
    state = view.state(official)
    target = view.target(indicator.id)
    pace = view.snapshot.projected.get((indicator.id, view.finess)) if indicator.period == "months" else None
    labels = {reason.code: reason.label for reason in indicator.reasons}
    worst = sorted(official.missed.items(), key=lambda item: -item[1])[:3]
    return Line(
        indicator=indicator,
        state=state,
        words=WORDS[state],
        value=value_of(indicator, official),
        official=official,
        rolling=rolling,
        target=target,
        own_target=view.own_target(indicator.id),
        chart=charts.chart(days, view.rolling),
        pace="" if pace is None else numbers.share(pace),
        pace_state="empty" if pace is None else "free" if target is None else "met" if pace >= target else "under",
        reasons=tuple((labels.get(code, code), n) for code, n in worst if n),
        computed=view.computed(indicator.id),
    )


def value_of(indicator: Indicator, value: IndicatorValue) -> str:
    """A value as it is read: a rate, or yes or no."""
    if indicator.kind == "existence" and value.denominator:
        return "oui" if value.numerator else "non"
    return numbers.percent(value.numerator, value.denominator)


def summary(view: View, found: list[Line], todo: list[Task]) -> Summary:
    """What is said above everything."""
    judged = [each.state for each in found if each.state in {"met", "under"}]
    return Summary(judged.count("met"), len(judged), feeds(view), todo[0] if todo else None)


def feeds(view: View) -> Counter[FeedState]:
    """How many feeds of the establishment are in each state."""
    mine = {feed.name for feed in view.config.feeds if feed.establishment == view.finess}
    return Counter(feed.state(view.now) for feed in view.snapshot.feeds if feed.name in mine)


def words(view: View) -> dict[str, object]:
    """Everything the template takes."""
    found, todo = lines(view), tasks(view)
    rates = [each for each in found if each.indicator.kind == "rate"]
    groups: dict[str, list[Line]] = {}
    for each in rates:
        groups.setdefault(each.indicator.programme, []).append(each)
    return {
        "summary": summary(view, found, todo),
        "groups": groups,
        "existence": [each for each in found if each.indicator.kind == "existence"],
        "todo": todo,
        "ending": numbers.month(view.rolling.last),
    }
