"""Where a period is heading: its ratio at the end of the month, if the days to come are like the last ones."""

from __future__ import annotations

from typing import Final

from engine.ledger.distinct import DISTINCT
from engine.ledger.tallies import Sums
from engine.metrics import periods
from engine.metrics.periods import Window

RECENT_DAYS: Final = 28
"""Whole weeks, so that every day of the week weighs the same."""


def projected(sums: Sums, indicator: str, establishment: str, today: int, months: int) -> float | None:
    """Ratio of the ``months`` complete months that end with the month of ``today`` (epoch ordinal of a local day), or None.

    What was counted so far of the period, and for each day to come the average of the last :data:`RECENT_DAYS` whole days. None when that
    counts nothing, and for what is counted once in a window (distinct correspondents): days do not add up there.
    """
    if indicator in DISTINCT:
        return None
    month = periods.month_of(today)
    so_far = Window("rolling", periods.first_day(month - months + 1), today, month, today)
    recent = Window("rolling", today - RECENT_DAYS, today - 1, month, today)
    to_come = (periods.last_day(month) - today) / RECENT_DAYS
    met = counted = 0.0
    for window, weight in ((so_far, 1.0), (recent, to_come)):
        found = sums.totals(indicator, establishment, window)
        met += weight * found.met
        counted += weight * (found.met + sum(found.missed.values()))
    return met / counted if counted else None
