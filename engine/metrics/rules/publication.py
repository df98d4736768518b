"""HOP'EN D2.2 and D6.1: what the establishment writes is in the DMP, counted by document and by stay (docs/rules.md section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from engine.ledger.patient import View
from engine.ledger.reports import Report
from engine.metrics.periods import day_of
from engine.metrics.rules.discharge import CountedStay
from engine.metrics.rules.proof import Fate, Proof, best, earlier_on_the_way, hidden, report_fate, verdict
from engine.metrics.rules.verdict import NOT_PRODUCED, Verdict
from engine.metrics.settings import RuleSettings, names_application

_PROOFS: Final[tuple[Proof, ...]] = ("accepted", "taken", "sent")
_EXAMINATIONS: Final = frozenset({"cr-bio", "cr-imagerie"})
_CLOSED: Final = frozenset({"FERME", "INEXISTANT"})
_ACTIVE: Final = "ACTIF"


def published(report: Report, view: View, settings: RuleSettings) -> bool:
    """Whether a report is one that should be in the DMP."""
    rules = settings.establishment(report.establishment)
    if not report.final or names_application(rules.external_senders, report.sender):
        return False
    if report.type_code in settings.published_codes or (not report.type_code and report.kind in _EXAMINATIONS):
        return True
    if report.type_code not in settings.prescription_codes or report.stay is None:
        return False
    stay = view.stays[report.stay]
    if not stay.exit or stay.patient_class not in settings.classes:
        return False
    zone = settings.establishment(stay.establishment).time_zone
    return abs(day_of(report.created, zone) - day_of(stay.exit, zone)) <= 1


def documents(view: View, settings: RuleSettings) -> Iterator[Verdict]:
    """D2.2 of every document of a patient."""
    for report in view.reports:
        unit = view.stays[report.stay].unit if report.stay is not None else ""
        yield from document(report, view, settings, unit)


def document(report: Report, view: View, settings: RuleSettings, unit: str) -> Iterator[Verdict]:
    """D2.2 of one document; nothing when it is not counted. ``unit``: the UF of its stay."""
    if not published(report, view, settings):
        return
    person = view.persons[report.person]
    if report.stay is None:
        dmp = person.dmp_at(report.created)
    else:  # the stay may have been moved to another patient since
        dmp = view.persons[view.person_of_stay[report.stay]].dmp_at(view.stays[report.stay].entry)
    if dmp in _CLOSED:
        return
    rules = settings.establishment(report.establishment)
    day = day_of(report.created, rules.time_zone)
    for proof in _PROOFS:
        fate = report_fate(report, person, settings, level=1, proof=proof)
        if proof == "accepted":
            fate = hidden(fate, view, report.person, report.created)
        names = [f"D2.2_{proof}"]
        if proof == rules.proof:
            names += ["D2.2", "D2.2_active"] if dmp == _ACTIVE else ["D2.2"]
        for name in names:
            yield verdict(name, report.establishment, unit, day, fate, settings, rules.time_zone)


def stay(subject: CountedStay) -> Iterator[Verdict]:
    """D6.1: every document of the stay is in the DMP."""
    view, settings = subject.view, subject.settings
    dmp = view.persons[view.person_of_stay[subject.index]].dmp_at(subject.stay.entry)
    if dmp in _CLOSED:
        return
    chosen = [report for report in subject.reports if published(report, view, settings)]
    for proof in _PROOFS:
        fates = [subject.fate([report], proof) for report in chosen] or [subject.fate([], proof)]
        every = subject.verdict(f"D6.1_{proof}", _all(fates))
        yield every
        if proof == subject.rules.proof:
            yield subject.named(every, "D6.1")
            if dmp == _ACTIVE:
                yield subject.named(every, "D6.1_active")
            yield subject.verdict("D6.1_any", best(fates, NOT_PRODUCED))


def _all(fates: Iterable[Fate]) -> Fate:
    """Proven when all are, and then when the last one was; else the fate least far along the way."""
    found = list(fates)
    missed = [fate for fate in found if fate.reason is not None]
    if missed:
        return min(missed, key=earlier_on_the_way)
    return max(found, key=lambda fate: fate.at)
