"""The tables of docs/metrics.md, made of the declarations: a test holds that the page has them as they are now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from engine.metrics.catalogue import Catalogue, Indicator
from engine.metrics.families import FAMILIES

_PART: Final = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def metrics_table() -> str:
    """One line a metric: name and labels, type, meaning."""
    lines = ["| metric | type | meaning |", "|---|---|---|"]
    for family in FAMILIES:
        labels = "{" + ", ".join(family.labels) + "}" if family.labels else ""
        lines.append(f"| `{family.name}{labels}` | {family.kind} | {family.help} |")
    return "\n".join(lines)


def indicators_table(catalogue: Catalogue) -> str:
    """One line an entry of the catalogue: id, title, target, reasons."""
    lines = ["| id | titre | compte | cible | motifs, dans l’ordre |", "|---|---|---|---|---|"]
    for entry in catalogue:
        target = f"≥ {entry.target * 100:g} %" if entry.target is not None else "pas de cible officielle"
        target = "oui" if entry.kind == "existence" else target
        reasons = _reasons(catalogue, entry)
        lines.append(f"| {entry.id} | {entry.title} | {entry.unit_words[1]} | {target} | {reasons} |")
    return "\n".join(lines)


def _reasons(catalogue: Catalogue, entry: Indicator) -> str:
    """The closed list; that of a variant is told by what it lacks."""
    if not entry.variant_of:
        return " ".join(f"`{code}`" for code in catalogue.reasons(entry.id))
    own = catalogue.reasons(entry.id)
    lacks = ", ".join(f"`{code}`" for code in catalogue.reasons(entry.variant_of) if code not in own)
    return f"comme {entry.variant_of}" + (f", sans {lacks}" if lacks else "")


def reasons_table(catalogue: Catalogue) -> str:
    """One line a reason: code, label, what to do in general (an indicator may say more)."""
    lines = ["| motif | libellé | que faire |", "|---|---|---|"]
    said: dict[str, str] = {}
    for entry in catalogue:
        for reason in entry.reasons:
            said.setdefault(reason.code, f"| `{reason.code}` | {reason.label} | {reason.advice} |")
    return "\n".join([*lines, *said.values()])


def tables(catalogue: Catalogue) -> Mapping[str, str]:
    """Name of each table of the page -> its text."""
    return {
        "metrics": metrics_table(),
        "indicators": indicators_table(catalogue),
        "reasons": reasons_table(catalogue),
    }


def fill(page: str, catalogue: Catalogue) -> str:
    """The page with every ``<!-- table: name -->`` part made anew. Raises KeyError for a table nobody makes."""
    made = tables(catalogue)
    return _PART.sub(lambda part: f"{part[1]}{made[part[2]]}\n{part[3]}", page)
