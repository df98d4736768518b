"""SUN-ES volet 1, domains 2 and 3: biology reports (DS2.1) and imaging reports (DS3.1); docs/rules.md section 5."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.ledger.patient import View
from engine.ledger.reports import Report
from engine.metrics.periods import day_of
from engine.metrics.rules.proof import Proof, eligible, hidden, report_fate, verdict
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import RuleSettings, names_application

# kind of report -> indicator, and the CDA level it asks for: DS2.1 wants coded entries.
_RULES: Final = {"cr-bio": ("DS2.1", 3), "cr-imagerie": ("DS3.1", 1)}
_RATES: Final[tuple[Proof, ...]] = ("accepted", "taken", "sent")


def judge(view: View, settings: RuleSettings) -> Iterator[Verdict]:
    """The verdicts of every final report of the establishment's own laboratory and imaging."""
    for report in view.reports:
        unit = view.stays[report.stay].unit if report.stay is not None else ""
        yield from verdicts(report, view, settings, unit)


def verdicts(report: Report, view: View, settings: RuleSettings, unit: str) -> Iterator[Verdict]:
    """The verdicts of one report; none when it is not one that is counted. ``unit``: the UF of its stay."""
    rule = _RULES.get(report.kind)
    if rule is None or not report.final:
        return
    indicator, level = rule
    rules = settings.establishment(report.establishment)
    if names_application(rules.external_senders, report.sender):
        return
    zone = rules.time_zone
    day = day_of(report.created, zone)
    person = view.persons[report.person]
    for proof in _RATES:
        fate = report_fate(report, person, settings, level=level, proof=proof)
        if proof == "accepted":
            fate = hidden(fate, view, report.person, report.created)
        names = [f"{indicator}_{proof}"]
        if proof == rules.proof:
            names += [indicator, f"{indicator}_eligible"] if eligible(person, settings) else [indicator]
        for name in names:
            yield verdict(name, report.establishment, unit, day, fate, settings, zone)
