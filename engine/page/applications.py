"""The page of the applications: which are connected to which reference (P1.1, P1.3), and able to take the INS."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from engine.metrics.snapshot import ApplicationValue, Reference
from engine.page.overview import lines
from engine.page.view import View

Link = Literal["observed", "declared", "missing", "outside"]

LINKS: Final[dict[Link, str]] = {
    "observed": "observée",
    "declared": "déclarée",
    "missing": "non connectée",
    "outside": "hors périmètre",
}
REFERENCES: Final[dict[Reference, str]] = {"identity": "Identités", "movement": "Séjours et mouvements"}
_INS: Final = {"observed": "observée", "declared": "déclarée", "": "non prouvée"}


class Row(Struct, frozen=True):
    """One application."""

    name: str
    links: dict[Reference, Link]
    ins: str
    ins_link: Link
    last_seen: int
    recent: bool

    @property
    def wanting(self) -> int:
        """How many of its cells keep a point away."""
        wanted = sum(link == "missing" for link in self.links.values())
        return wanted + (self.ins_link == "missing")


def link(value: ApplicationValue) -> Link:
    """How an application is connected to a reference."""
    if not value.in_scope:
        return "outside"
    if value.observed:
        return "observed"
    return "declared" if value.declared else "missing"


def rows(view: View) -> list[Row]:
    """Every application of the establishment, those that keep a point away first."""
    found: dict[str, dict[Reference, ApplicationValue]] = {}
    for value in view.snapshot.applications:
        if value.establishment == view.finess:
            found.setdefault(value.application, {})[value.reference] = value
    made = [_row(name, values) for name, values in found.items()]
    return sorted(made, key=lambda row: (-row.wanting, row.name.casefold()))


def _row(name: str, values: dict[Reference, ApplicationValue]) -> Row:
    identity = values.get("identity")
    ins: Link = "outside"
    proof = "hors périmètre"
    if identity is not None and identity.in_scope:
        ins = identity.ins_proof or "missing"
        proof = _INS[identity.ins_proof]
    return Row(
        name,
        {reference: link(value) for reference, value in values.items()},
        proof,
        ins,
        max(value.last_seen for value in values.values()),
        any(value.recent for value in values.values()),
    )


def words(view: View) -> dict[str, object]:
    """Everything the template takes."""
    return {
        "rows": rows(view),
        "references": REFERENCES,
        "links": LINKS,
        "unlisted": view.snapshot.unlisted,
        "lines": [each for each in lines(view) if each.indicator.id in {"P1.1", "P1.3"}],
    }
