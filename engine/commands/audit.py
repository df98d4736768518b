"""``jauge audit``: every subject judged again from its facts must give the same tallies, to the unit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from engine.config import Config
from engine.ledger.ledger import Difference
from engine.metrics import periods
from engine.service import read_ledger


def audit(config: Config) -> list[Difference]:
    """Recount everything from the facts; what differs from the tallies."""
    ledger, _ = read_ledger(config)
    try:
        return ledger.audit()
    finally:
        ledger.close()


def table(found: Sequence[Difference], console: Console) -> None:
    """The table of ``jauge audit`` when something differs."""
    table = Table("Indicator", "Establishment", "Unit", "Day", "Outcome", "Tallied", "Recounted")
    for difference in found[:100]:
        v = difference.verdict
        table.add_row(
            v.indicator,
            v.establishment,
            v.unit,
            periods.iso(v.day),
            v.outcome,
            str(difference.tallied),
            str(difference.recounted),
        )
    console.print(table)
