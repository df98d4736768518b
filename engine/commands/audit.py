"""``jauge audit``: every subject judged again from its facts must give the same tallies and totals, to the unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from engine.assembly import read_ledger
from engine.config import Config
from engine.ledger.ledger import Difference, StaleError
from engine.metrics import periods
from engine.metrics.rules.verdict import Verdict

__all__ = ["STALE", "StaleError", "audit", "table"]

STALE: Final = (
    "the settings of the counting changed since the engine last counted (indicators, proof, establishments, correspondents): restart the engine, "
    "it counts everything again"
)


def audit(config: Config) -> list[Difference]:
    """Recount everything from the facts; what differs from the tallies. Raises :class:`StaleError` when they are those of other settings."""
    ledger, _ = read_ledger(config)
    try:
        return ledger.audit()
    finally:
        ledger.close()


def table(found: Sequence[Difference], console: Console) -> None:
    """The table of ``jauge audit`` when something differs."""
    table = Table("Count", "Establishment", "Unit", "Day", "Outcome", "Tallied", "Recounted")
    for difference in found[:100]:
        what = difference.what
        if isinstance(what, Verdict):
            words = (what.indicator, what.establishment, what.unit, periods.iso(what.day), what.outcome)
        else:
            words = (what.name, what.establishment, "", "", what.label)
        table.add_row(*words, str(difference.tallied), str(difference.recounted))
    console.print(table)
