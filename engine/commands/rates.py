"""``jauge rates``: every indicator, read from the store, beside a running engine or without one."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from engine.config import Config
from engine.inventory import Inventory
from engine.inventory import load as load_inventory
from engine.metrics import periods, values
from engine.metrics.catalogue import Catalogue
from engine.metrics.snapshot import ApplicationValue, IndicatorValue
from engine.service import connections_of, read_ledger


class Rates(Struct, frozen=True):
    """Every indicator of every establishment on a day."""

    day: str
    indicators: tuple[IndicatorValue, ...]
    applications: tuple[ApplicationValue, ...]
    unlisted: tuple[str, ...]
    pending: int


def rates(config: Config, today: date | None = None) -> Rates:
    """The rates of a day (default: today)."""
    ledger, _ = read_ledger(config)
    try:
        inventory = load_inventory(config.inventory) if config.inventory else Inventory()
        connections = connections_of(config, ledger, inventory, time.time())
        found: list[IndicatorValue] = []
        applications: list[ApplicationValue] = []
        day = 0
        for establishment in config.establishments:
            day = today.toordinal() if today else periods.today_of(time.time(), establishment.time_zone)
            windows = periods.windows(day, config.indicators.months)
            found += values.indicators(ledger.sums, establishment.finess, windows)
            if config.inventory:
                found += connections.indicators(establishment.finess, windows)
                applications += connections.applications(establishment.finess)
        unlisted = connections.unlisted if config.inventory else ()
        return Rates(periods.iso(day), tuple(found), tuple(applications), unlisted, ledger.journal.pending)
    finally:
        ledger.close()


def percent(value: IndicatorValue) -> str:
    """A rate with one decimal, cut and not rounded: 79.96 % is never shown as 80.0 %."""
    if not value.denominator:
        return "-"
    return f"{value.numerator * 1000 // value.denominator / 10:.1f} %"


def table(found: Rates, catalogue: Catalogue, targets: dict[tuple[str, str], float], console: Console) -> None:
    """The table of ``jauge rates``."""
    table = Table(title=f"Rates on {found.day}", caption="no target: the official texts held give none")
    for column in ("Indicator", "Establishment", "Label", "Window", "Rate", "Target", "Missed, by reason"):
        table.add_column(column, overflow="fold")
    for value in found.indicators:
        target = targets.get((value.indicator, value.establishment), catalogue.target(value.indicator))
        missed = ", ".join(f"{reason} {n}" for reason, n in value.missed.items() if n)
        table.add_row(
            value.indicator,
            value.establishment,
            catalogue[value.indicator].title,
            value.window,
            f"{value.numerator}/{value.denominator}  {percent(value)}",
            "no official target" if target is None else f"{target * 100:g} %",
            missed,
        )
    console.print(table)
    if found.applications:
        inventory = Table(title="Applications of the inventory")
        for column in ("Application", "Reference", "Counted", "State", "By", "Last seen", "Able of the INS"):
            inventory.add_column(column)
        for line in found.applications:
            by = [word for word, said in (("declared", line.declared), ("observed", line.observed)) if said]
            inventory.add_row(
                line.application,
                line.reference,
                "yes" if line.in_scope else "no",
                _state(line),
                " and ".join(by),
                periods.utc(line.last_seen) if line.last_seen else "never",
                line.ins_proof or "no",
            )
        console.print(inventory)
    if found.unlisted:
        console.print(f"Seen in the flows, not in the inventory: {', '.join(found.unlisted)}")
    if found.pending:
        console.print(f"{found.pending} messages are not counted yet.")


def _state(line: ApplicationValue) -> str:
    if not line.connected:
        return "not connected"
    return "connected" if line.recent or not line.observed else "connected, not seen recently"


def to_json(found: Rates) -> dict[str, Any]:
    """The object of ``jauge rates --json``."""
    plain: dict[str, Any] = msgspec.to_builtins(found)
    for item, value in zip(plain["indicators"], found.indicators, strict=True):
        item["ratio"] = value.ratio
    return plain
