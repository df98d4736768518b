"""``jauge rates``: every indicator, read from the store, beside a running engine or without one."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, Final

import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

from engine.assembly import connections_of, directory_of, proofs_of, read_store, seen_of, standings_of
from engine.commands.audit import STALE
from engine.config import Config
from engine.inventory import Inventory
from engine.inventory import load as load_inventory
from engine.metrics import existence, periods, values
from engine.metrics import remedies as tables
from engine.metrics.catalogue import Catalogue
from engine.metrics.remedies import Remedies
from engine.metrics.snapshot import ApplicationValue, Directory, IndicatorValue, WindowName

_WINDOWS: Final[tuple[WindowName, ...]] = ("official", "rolling")


class Refusal(Struct, frozen=True):
    """How many subjects of one indicator are missed for one code of the DMP's refusals, and what to do about it."""

    indicator: str
    establishment: str
    window: str
    code: str
    count: int
    label: str  # French
    advice: str  # French


class Official(Struct, frozen=True):
    """What the programme says of one indicator that is met or not (``official_values`` of the configuration)."""

    indicator: str
    establishment: str
    met: bool


class Rates(Struct, frozen=True):
    """Every indicator of every establishment on a day."""

    day: str
    indicators: tuple[IndicatorValue, ...]
    applications: tuple[ApplicationValue, ...]
    unlisted: tuple[str, ...]
    pending: int
    refusals: tuple[Refusal, ...] = ()  # the `rejected` of the indicators, by code
    official: tuple[Official, ...] = ()
    directory: Directory = Directory()
    stale: bool = False  # the engine counted under other settings: the figures are the old ones


def rates(config: Config, today: date | None = None) -> Rates:
    """The rates of a day (default: today)."""
    remedies = tables.load(config.dmp_errors)
    ledger, _, correspondents = read_store(config)
    equipped = correspondents.directory.equipped
    try:
        inventory = load_inventory(config.inventory) if config.inventory else Inventory()
        connections = connections_of(config, ledger, inventory, time.time())
        found: list[IndicatorValue] = []
        applications: list[ApplicationValue] = []
        unknown: dict[str, int] = {}
        proofs = proofs_of(standings_of(config).read())
        day = 0
        for establishment in config.establishments:
            day = today.toordinal() if today else periods.today_of(time.time(), establishment.time_zone)
            windows = periods.windows(day, config.indicators.months)
            seen = seen_of(config, correspondents, _instant(today, establishment.time_zone))
            found += values.indicators(ledger.sums, establishment.finess, windows, equipped)
            found += existence.indicators(
                ledger.sums, establishment.finess, windows, seen, proofs.get(establishment.finess)
            )
            unknown[establishment.finess] = existence.unknown_addresses(ledger.sums, establishment.finess, windows)
            if config.inventory:
                found += connections.indicators(establishment.finess, windows)
                applications += connections.applications(establishment.finess)
        unlisted = connections.unlisted if config.inventory else ()
        refusals = tuple(refusal for value in found for refusal in _refusals(value, remedies))
        official = tuple(
            Official(indicator, establishment.finess, met)
            for establishment in config.establishments
            for indicator, met in establishment.official_values.items()
        )
        return Rates(
            periods.iso(day),
            tuple(found),
            tuple(applications),
            unlisted,
            ledger.journal.pending,
            refusals,
            official,
            directory_of(correspondents, unknown),
            ledger.stale,
        )
    finally:
        ledger.close()


def _instant(today: date | None, zone: str) -> float:
    """The end of a day that was asked for, else now."""
    return periods.start_of_day(today.toordinal() + 1, zone) if today else time.time()


def _refusals(value: IndicatorValue, remedies: Remedies) -> Iterator[Refusal]:
    """The codes of one indicator, the most frequent first."""
    for code, count in sorted(value.rejected.items(), key=lambda item: (-item[1], item[0])):
        said = remedies[code]
        yield Refusal(value.indicator, value.establishment, value.window, said.code, count, said.label, said.advice)


def percent(value: IndicatorValue) -> str:
    """A rate with one decimal, cut and not rounded: 79.96 % is never shown as 80.0 %."""
    if not value.denominator:
        return "-"
    return f"{value.numerator * 1000 // value.denominator / 10:.1f} %"


def table(found: Rates, catalogue: Catalogue, targets: dict[tuple[str, str], float], console: Console) -> None:
    """The tables of ``jauge rates``, one establishment after the other: nothing is cut in a terminal of 80 columns."""
    if found.stale:
        console.print(f"Old figures: {STALE}.", style="bold")
    for finess in dict.fromkeys(value.establishment for value in found.indicators):
        for window in _WINDOWS:
            _rated(found, finess, window, catalogue, targets, console)
        _existence(found, finess, catalogue, console)
        for window in _WINDOWS:
            _refused(found, finess, window, catalogue, console)
        _connected(found, finess, console)
    known = found.directory
    if known.updated_at:
        console.print(
            f"Directory of {periods.utc(known.updated_at)}: {known.equipped + known.unequipped} correspondents, {known.equipped} equipped; "
            f"{sum(known.unknown.values())} addresses were written to that it does not know."
        )
    if known.faults:
        console.print(f"{known.faults} lines of the directory are at fault: jauge check-config tells which.")
    if found.unlisted:
        console.print(f"Seen in the flows, not in the inventory: {', '.join(found.unlisted)}")
    if found.pending:
        console.print(f"{found.pending} messages are not counted yet.")


def _table(title: str, columns: Sequence[str], words: Collection[str], caption: str | None = None) -> Table:
    """An empty table. The columns of ``words`` may take several lines; the others are never cut."""
    made = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column not in words)
    return made


def _rated(
    found: Rates,
    finess: str,
    window: WindowName,
    catalogue: Catalogue,
    targets: dict[tuple[str, str], float],
    console: Console,
) -> None:
    """The rates of one window, each indicator with its variants next to it, in the order of the catalogue."""
    made = _table(
        f"{finess}, {window} period, on {found.day}",
        ("Indicator", "Rate", "", "Target", "Missed, by reason"),
        words={"Indicator", "Missed, by reason"},
        caption="target none: the official texts held give none",
    )
    places = {entry.id: place for place, entry in enumerate(catalogue)}
    for value in sorted(found.indicators, key=lambda value: places[value.indicator]):
        entry = catalogue[value.indicator]
        if entry.kind == "existence" or (value.establishment, value.window) != (finess, window):
            continue
        target = targets.get((value.indicator, finess), catalogue.target(value.indicator))
        made.add_row(
            f"{value.indicator} {entry.title}",
            f"{value.numerator}/{value.denominator}",
            percent(value),
            "none" if target is None else f"{target * 100:g} %",
            ", ".join(f"{reason}={n}" for reason, n in value.missed.items() if n),
        )
    console.print(made)


def _existence(found: Rates, finess: str, catalogue: Catalogue, console: Console) -> None:
    """What is met or not, once for both windows, with the official value beside."""
    made = _table(
        f"{finess}, met or not",
        ("Indicator", "Observed", "Official", "Why not, and what to do"),
        words={"Indicator", "Why not, and what to do"},
        caption="official: official_values of the configuration; never mixed with what is observed",
    )
    official = {(each.indicator, each.establishment): each.met for each in found.official}
    for value in found.indicators:
        entry = catalogue[value.indicator]
        if entry.kind != "existence" or (value.establishment, value.window) != (finess, "official"):
            continue
        said = official.get((value.indicator, finess))
        reason = next((reason for reason in entry.reasons if value.missed.get(reason.code)), None)
        made.add_row(
            f"{value.indicator} {entry.title}",
            "yes" if value.numerator else "no",
            "-" if said is None else "yes" if said else "no",
            f"{reason.label}. {reason.advice}" if reason else "",
        )
    console.print(made)


def _refused(found: Rates, finess: str, window: WindowName, catalogue: Catalogue, console: Console) -> None:
    """The refusals of the DMP by code, of the indicators themselves; their variants have the same.

    Where the plain name asks for a weaker proof than the DMP's yes, those of ``_accepted`` stand for it.
    """
    here = [each for each in found.refusals if (each.establishment, each.window) == (finess, window)]
    plain = {each.indicator for each in here}
    shown = []
    for each in here:
        origin = catalogue[each.indicator].variant_of
        if not origin or (each.indicator == f"{origin}_accepted" and origin not in plain):
            shown.append(each)
    if not shown:
        return
    made = _table(
        f"{finess}, {window} period: rejected by the DMP, by code",
        ("Code", "Indicator", "Number", "What it means, and what to do"),
        words={"What it means, and what to do"},
    )
    for each in shown:
        made.add_row(each.code, each.indicator, str(each.count), f"{each.label}. {each.advice}")
    console.print(made)


def _connected(found: Rates, finess: str, console: Console) -> None:
    """The applications of the inventory, seen from both references."""
    here = [line for line in found.applications if line.establishment == finess]
    if not here:
        return
    made = _table(
        f"{finess}, applications of the inventory",
        ("Application", "Reference", "Counted", "Last seen", "INS", "State"),
        words={"Application", "State"},
        caption="INS: by what the application is known to be able of it",
    )
    for line in here:
        made.add_row(
            line.application,
            line.reference,
            "yes" if line.in_scope else "no",
            periods.utc(line.last_seen)[:10] if line.last_seen else "never",
            line.ins_proof or "no",
            _state(line),
        )
    console.print(made)


def _state(line: ApplicationValue) -> str:
    if not line.connected:
        return "not connected"
    by = " and ".join(word for word, said in (("declared", line.declared), ("observed", line.observed)) if said)
    return f"connected ({by})" + ("" if line.recent or not line.observed else ", not seen recently")


def to_json(found: Rates) -> dict[str, Any]:
    """The object of ``jauge rates --json``."""
    plain: dict[str, Any] = msgspec.to_builtins(found)
    for item, value in zip(plain["indicators"], found.indicators, strict=True):
        item["ratio"] = value.ratio
    return plain
