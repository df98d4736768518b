"""``scripts/bench [name ...] [--json]``: runs the benchmarks and prints ratios and budgets."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.result import Result

NAMES = ("reader", "document", "traces", "mail", "mail_smtp", "mllp", "relay", "scale")


def show(result: Result, console: Console) -> None:
    """Print one result for a person."""
    table = Table(title=result.title, title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("measured")
    table.add_column("value", justify="right")
    table.add_column("ratio", justify="right")
    for figure in result.figures:
        table.add_row(
            figure.name, f"{figure.value:,.4g} {figure.unit}", f"{figure.ratio:,.3g}x" if figure.ratio else ""
        )
    console.print(table)
    for budget in result.budgets:
        sign = ">=" if budget.at_least else "<="
        word = "[green]met[/]" if budget.met else "[red]NOT MET[/]"
        console.print(
            f"  {word}  {budget.name}: {budget.value:,.3g} {budget.unit} (budget {sign} {budget.limit:g} {budget.unit})"
        )
    for note in result.notes:
        console.print(f"  note: {note}", highlight=False)
    console.print()


def main() -> int:
    """Run what was asked. Exit code 0: all ran (a missed budget is printed, not an error); 1: one could not run."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="name", help=", ".join(NAMES) + " (all)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of tables")
    parser.add_argument("--stays", default="1000,1000000", help="scale: numbers of stays to compare (1000,1000000)")
    parser.add_argument("--pace", type=int, default=500, help="mllp: messages a second of the paced load (500)")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    if not options.json:
        console.print(
            f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}\n", highlight=False
        )
    if os.getloadavg()[0] > 0.5:
        print(
            f"this machine is busy (load {os.getloadavg()[0]:.1f}): times will be worse than they are", file=sys.stderr
        )
    failed = False
    for name in options.names or NAMES:
        try:
            result: Result = import_module(f"benchmarks.{name}").run(options)
        except Exception as error:  # noqa: BLE001 -- the other benchmarks still run
            failed = True
            print(f"{name}: could not run: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        if options.json:
            print(json.dumps(result.as_dict()), flush=True)
        else:
            show(result, console)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
