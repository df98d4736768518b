"""The configuration itself, and what was left of the example in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine import resources
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site
from engine.errors import ConfigError

CODES: Final = {
    "configuration-wrong": "A file of the configuration is wrong: the place is its file and line, and the mend is beside it.",
    "finess-example": "The FINESS is that of the shipped example: write the establishment's own.",
    "inventory-example": "The inventory of applications is the shipped example: P1.1 and P1.3 count applications that do not exist.",
}

_EXAMPLES: Final = ("990000001", "990000019")


def faults(problems: Sequence[ConfigError]) -> list[Finding]:
    """What is wrong in the files, as ``jauge check-config`` tells it."""
    found = Findings("configuration")
    for problem in problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        found.problem(place, "configuration-wrong", problem.message, problem.mend or "mend this line")
    return found.all


def configuration(site: Site) -> list[Finding]:
    """A configuration that is right: what still is of the example."""
    found = Findings("configuration")
    config = site.config
    found.ok(str(config.file), f"right: {len(config.feeds)} feed(s), {len(config.establishments)} establishment(s)")
    for establishment in config.establishments:
        if establishment.finess in _EXAMPLES:
            what = f"the FINESS {establishment.finess} is that of the example"
            found.warning("establishments", "finess-example", what, "write yours, here and in the feeds")
    if config.inventory is not None and _same(config.inventory.read_bytes(), "applications.csv"):
        do = f"write your applications in {config.inventory}"
        found.warning("inventory", "inventory-example", "the inventory is the shipped example", do)
    return found.all


def _same(data: bytes, shipped: str) -> bool:
    return data == resources.path(shipped).read_bytes()
