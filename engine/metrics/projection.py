"""Where a period is heading: its ratio at the end of the month, if the days to come are like the last ones.

A letter follows its stay by some days: of the latest days, what is missing is mostly on its way, and a ratio that took it for lost would always
be too low (with a target of 98 %, for ever under it). They are therefore taken to end as the weeks before them did, or better if they already are.
"""

from __future__ import annotations

from typing import Final

from engine.ledger.distinct import DISTINCT
from engine.ledger.tallies import Sums
from engine.metrics import periods
from engine.metrics.periods import Window

RECENT_DAYS: Final = 28
"""Whole weeks, so that every day of the week weighs the same."""

SETTLING_DAYS: Final = 7
"""Before today: those whose letters may be on their way. A week, because one that takes longer is late, and a fall must not be hidden for long."""


def projected(sums: Sums, indicator: str, establishment: str, today: int, months: int) -> float | None:
    """Ratio of the ``months`` complete months that end with the month of ``today`` (epoch ordinal of a local day), or None.

    What the settled days of the period hold; for the unsettled ones what they count, with the share of the last :data:`RECENT_DAYS` settled days,
    or their own if it is higher; for each day to come the average of these. A store so young that it has no settled day is taken as it is. None
    when that counts nothing, and for what is counted once in a window (distinct correspondents): days do not add up there.
    """
    if indicator in DISTINCT:
        return None
    month = periods.month_of(today)
    first, unsettled = periods.first_day(month - months + 1), today - SETTLING_DAYS

    def between(start: int, stop: int) -> tuple[int, int]:
        """Met and counted from a day to the one before ``stop``."""
        found = sums.totals(indicator, establishment, Window("rolling", start, stop - 1, month, today))
        return found.met, found.met + sum(found.missed.values())

    usual_met, usual = between(unsettled - RECENT_DAYS, unsettled)
    met, counted = between(first, unsettled)
    latest_met, latest = between(max(first, unsettled), today + 1)
    share = usual_met / usual if usual else 0.0
    to_come = (periods.last_day(month) - today) / RECENT_DAYS
    total = counted + latest + to_come * usual
    return (met + max(latest_met, latest * share) + to_come * usual_met) / total if total else None
