"""What needs doing: each reason for which points are missing, in the order of the points to win."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from engine.metrics.catalogue import Indicator
from engine.metrics.rules.verdict import AWAITING_ANSWER, REJECTED
from engine.metrics.snapshot import IndicatorValue
from engine.page import numbers
from engine.page.view import View

_LATER: Final = frozenset({AWAITING_ANSWER})
"""Reasons for which there is nothing to do: their points come, or go, by themselves."""


class Task(Struct, frozen=True):
    """One thing to do for one indicator."""

    indicator: Indicator
    reason: str
    code: str  # of the DMP's refusal; empty for any other reason
    label: str
    advice: str
    missed: int
    counted: int
    under: bool  # the indicator has a target, and is under it

    @property
    def gain(self) -> str:
        """What would be won."""
        if self.indicator.kind == "existence":
            return "de non à oui"
        return f"+{numbers.NO_BREAK}{numbers.points(self.missed, self.counted)}"

    @property
    def key(self) -> str:
        """A name of its own on the page."""
        return "-".join(filter(None, (self.indicator.id, self.reason, self.code))).lower()


def tasks(view: View) -> list[Task]:
    """Everything to do, over the last days: first the indicators that have a target and are under it."""
    found = [task for indicator in view.plain for task in of(view, indicator, view.value(indicator.id, "rolling"))]
    return sorted(found, key=lambda task: (not task.under, -task.missed / task.counted))


def of(view: View, indicator: Indicator, value: IndicatorValue) -> Iterator[Task]:
    """What is missing of one value, reason by reason in the order of the document's way; a refusal by its code."""
    under = view.state(value) == "under"
    for reason in indicator.reasons:
        missed = value.missed.get(reason.code, 0)
        if not missed or reason.code in _LATER:
            continue
        if reason.code != REJECTED or not value.rejected:
            yield Task(indicator, reason.code, "", reason.label, reason.advice, missed, value.denominator, under)
            continue
        for code, n in sorted(value.rejected.items(), key=lambda item: (-item[1], item[0])):
            remedy = view.remedies[code]
            label = f"{reason.label} : {numbers.inside(remedy.label)}"
            yield Task(indicator, reason.code, code, label, remedy.advice, n, value.denominator, under)
