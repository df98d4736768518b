"""``jauge contradictions``: every trace of a submission that a stronger trace contradicts.

The stronger one holds (docs/rules.md section 7), so a contradiction changes no rate; it says that a platform's log, an audit or
an acknowledgement cannot be trusted as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from engine.assembly import read_ledger
from engine.config import Config
from engine.ledger.patient import View
from engine.metrics import periods

# Kinds of report (engine.parsers.kinds), in the words of those who write them.
_KINDS: Final = {
    "ldl-ses": "lettre de liaison",
    "prescription": "ordonnance de sortie",
    "cr-operatoire": "compte rendu opératoire",
    "cr-bio": "compte rendu de biologie",
    "cr-imagerie": "compte rendu d’imagerie",
}
_OTHER: Final = "autre document"

HELP: Final = (
    "The trace that holds is the stronger one. No visit number is kept: to see the stay, look the document up by its type and day in "
    "the application that made it, then run `jauge explain` with the visit number it shows."
)


class Line(Struct, frozen=True, order=True):
    """One contradiction. No identifier in it."""

    establishment: str
    day: str  # local day of the attempt
    type_code: str
    kind: str  # French
    trace: str  # the weaker one
    said: str  # "accepted" or "refused"
    said_at: str
    holds: str  # the trace that holds; it said the opposite


def contradictions(config: Config) -> list[Line]:
    """Every contradiction of the store, by establishment and day."""
    zones = {establishment.finess: establishment.time_zone for establishment in config.establishments}
    ledger, _ = read_ledger(config)
    try:
        return sorted(line for view in ledger.views() for line in lines(view, zones))
    finally:
        ledger.close()


def lines(view: View, zones: dict[str, str]) -> Iterator[Line]:
    """The contradictions of a patient. ``zones``: establishment -> time zone."""
    for report in view.reports:
        for version in report.versions:
            for attempt in version.attempts:
                finess = attempt.sendings[0].document.establishment
                for one in attempt.contradictions:
                    yield Line(
                        finess,
                        periods.iso(periods.day_of(attempt.at, zones.get(finess, "Europe/Paris"))),
                        report.type_code,
                        _KINDS.get(report.kind, _OTHER),
                        one.trace,
                        "accepted" if one.accepted else "refused",
                        periods.utc(one.at),
                        one.strongest,
                    )


def to_json(found: Sequence[Line]) -> dict[str, Any]:
    """The object of ``jauge contradictions --json``."""
    return {"contradictions": msgspec.to_builtins(found)}


def table(found: Sequence[Line], console: Console) -> None:
    """The table of ``jauge contradictions``."""
    if not found:
        console.print("no trace contradicts another")
        return
    table = Table(title=f"Contradictions: {len(found)}", caption=HELP)
    for column in ("FINESS", "Day", "Document", "Weaker trace says", "Holds"):
        table.add_column(column, overflow="fold", no_wrap=column in {"FINESS", "Day", "Holds"})
    for line in found:
        document = f"{line.type_code or '?'} {line.kind}"
        table.add_row(line.establishment, line.day, document, f"{line.trace}: {line.said} {line.said_at}", line.holds)
    console.print(table)
