"""What the demonstration shows in the terminal: a table that moves while the messages come in."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.simulator.measured import Difference, Page
from engine.simulator.truth import Rate, Truth
from engine.simulator.truth_mail import INDICATORS

TITLES: Final = {
    "P1.1": "Applications: identities",
    "P1.3": "Applications: movements",
    "D2.2": "Documents published",
    "D6.1": "Stays with all their documents",
    "DS1.1": "Discharge letters",
    "DS1.2": "Discharge prescriptions",
    "DS1.3": "Operating reports",
    "DS1.4": "Documents of earlier stays",
    "DS2.1": "Biology reports",
    "DS3.1": "Imaging reports",
    "D6.3": "Documents mailed",
    "DS4.1": "Correspondents served by mail",
    "DS4.2": "Patients written to",
}
_WIDE: Final = 110


def percent(rate: Rate) -> str:
    """One decimal, cut rather than rounded; a dash without denominator."""
    return f"{rate.numerator * 1000 // rate.denominator / 10:.1f} %" if rate.denominator else "-"


def _pair(rate: Rate) -> str:
    return f"{rate.numerator}/{rate.denominator}"


def _first_reason(rate: Rate) -> str:
    worst = max(rate.missed.items(), key=lambda each: (each[1], each[0]), default=("", 0))
    return f"{worst[0]} ({worst[1]})" if worst[1] else ""


def table(page: Page, truth: Truth, *, sent: int, speed: float, width: int = 80) -> RenderableType:
    """The rates of the official window beside the truth, and how the traffic goes."""
    wide = width >= _WIDE
    grid = Table(
        title="Documents in the DMP and by mail, applications: the last three complete months", title_justify="left"
    )
    grid.add_column("", no_wrap=True)
    grid.add_column("Indicator", no_wrap=True)
    for name in ("Measured", "", "Truth"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("", justify="center", no_wrap=True)
    if wide:
        grid.add_column("First cause of the missing points", no_wrap=True)
    for indicator, title in TITLES.items():
        mine, right = page.rates.get((indicator, "official"), Rate()), truth.rates.get((indicator, "official"), Rate())
        equal = (mine.numerator, mine.denominator, +mine.missed) == (right.numerator, right.denominator, +right.missed)
        mark = Text("✓", "bold green") if equal else Text("…", "dim")
        cells = (indicator, title, _pair(mine), Text(percent(mine), "bold"), _pair(right), mark)
        grid.add_row(*cells, *((_first_reason(mine),) if wide else ()))
    bar = Table.grid()
    bar.add_row(ProgressBar(total=max(truth.messages, 1), completed=sent, width=72))
    first = Text.assemble(f"{page.received} of {truth.messages} messages, ", (f"{speed:.0f}/s", "bold"))
    second = f"{page.duplicates} duplicates, {page.rejected} unreadable (put aside), {page.pending} still to be counted"
    return Group(grid, bar, first, Text(second, "dim"))


def bounds(page: Page, truth: Truth) -> RenderableType:
    """What is known when submissions name no document: each true rate lies between two measured ones."""
    grid = Table(
        title="Audit messages alone name patients, not documents: the true rate lies in between", title_justify="left"
    )
    grid.add_column("Indicator", no_wrap=True)
    for name in ("At least", "Truth", "At most"):
        grid.add_column(name, justify="right", no_wrap=True)
    for indicator in TITLES:
        if not indicator.startswith("D") or indicator in INDICATORS:
            continue
        mine, right = page.rates.get((indicator, "official"), Rate()), truth.rates.get((indicator, "official"), Rate())
        most = Rate(mine.numerator + mine.missed["not_named"], mine.denominator)
        cells = (f"{percent(mine)} ({_pair(mine)})", percent(right), f"{percent(most)} ({_pair(most)})")
        grid.add_row(indicator, *cells)
    return grid


def verdict(found: list[Difference], truth: Truth, rates: int, seconds: float, *, named: bool = True) -> Text:
    """The last word: equal (or, when submissions name no document, within the bounds), or what differs."""
    if not found and not named:
        what = (
            f"The truth of {rates} rates (2 windows) lies within what is measured, and what was sent and taken is the truth, "
            f"after {truth.messages} messages in {seconds:.0f} s."
        )
        return Text(what, "bold green")
    if not found:
        what = f"Every number of {rates} rates (2 windows) is the truth, after {truth.messages} messages in {seconds:.0f} s."
        return Text(what, "bold green")
    lines = [f"{len(found)} numbers are not the truth:"]
    lines += [
        f"  {each.indicator} {each.window} {each.what}: {each.measured}, truth {each.truth}" for each in found[:40]
    ]
    return Text("\n".join(lines), "bold red")
