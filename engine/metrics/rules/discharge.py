"""SUN-ES volet 1, domain 1, discharge documents: DS1.1, DS1.2, DS1.3, DS1.4 (docs/rules.md section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from engine.ledger.patient import View
from engine.ledger.reports import Report
from engine.ledger.stays import Stay
from engine.metrics.periods import closing, day_of, start_of_day
from engine.metrics.rules import verdict as v
from engine.metrics.rules.proof import Fate, Proof, best, eligible, fates
from engine.metrics.rules.verdict import MET, Verdict
from engine.metrics.settings import EstablishmentRules, RuleSettings, names_application

_DAY: Final = 86_400
_WEAKER: Final[tuple[tuple[str, Proof], ...]] = (("_taken", "taken"), ("_sent", "sent"))


class CountedStay:
    """A stay inside the denominators, with what the rules ask about it."""

    def __init__(self, view: View, index: int, settings: RuleSettings, rules: EstablishmentRules) -> None:
        self.view = view
        self.index = index
        self.stay: Stay = view.stays[index]
        self.settings = settings
        self.rules = rules
        self.person = view.persons[view.person_of_stay[index]]
        self.eligible = eligible(self.person, settings)
        self.reports = view.reports_of(index)
        self.day = day_of(self.stay.exit, rules.time_zone)

    def verdict(self, indicator: str, fate: Fate) -> Verdict:
        """The verdict to tally for a fate."""
        settled = closing(fate.at, self.rules.time_zone, self.settings.grace_days) if fate.reason is None else 0
        return Verdict(indicator, self.stay.establishment, self.stay.unit, self.day, fate.reason or MET, settled)

    def fate(self, chosen: list[Report], proof: Proof) -> Fate:
        """The best fate among reports of a CDA of level 1 at least."""
        persons, owners = self.view.persons, self.view.person_of_report
        return best(
            fate
            for report in chosen
            for fate in fates(
                report, persons[owners[self.view.reports.index(report)]], self.settings, level=1, proof=proof
            )
        )

    def judge(self, indicator: str, chosen: list[Report]) -> Iterator[Verdict]:
        """The strict rate, the same without the patients who cannot be fed, and the two weaker rates."""
        strict = self.verdict(indicator, self.fate(chosen, "accepted"))
        yield strict
        if self.eligible:
            yield _named(strict, indicator + "_eligible")
        for suffix, proof in _WEAKER:
            yield self.verdict(indicator + suffix, self.fate(chosen, proof))


def _named(verdict: Verdict, indicator: str) -> Verdict:
    return Verdict(indicator, verdict.establishment, verdict.unit, verdict.day, verdict.outcome, verdict.settled)


def counted(view: View, settings: RuleSettings) -> Iterator[CountedStay]:
    """The stays of the denominators: ended, of a counted class."""
    for index, stay in enumerate(view.stays):
        if stay.exit and stay.patient_class in settings.classes:
            yield CountedStay(view, index, settings, settings.establishment(stay.establishment))


def letter(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.1: the discharge letter (lettre de liaison de sortie, 11490-0)."""
    yield from subject.judge("DS1.1", [report for report in subject.reports if report.kind == "ldl-ses"])


def prescription(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.2: at least one discharge prescription (ordonnance de sortie)."""
    zone, exit_day = subject.rules.time_zone, subject.day
    chosen = [
        report
        for report in subject.reports
        if report.type_code in subject.settings.prescription_codes
        and abs(day_of(report.created, zone) - exit_day) <= 1
    ]
    for verdict in subject.judge("DS1.2", chosen):
        yield verdict
        if chosen and verdict.indicator == "DS1.2":
            yield _named(verdict, "DS1.2_prescribed")


def operation(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.3: the operating report (compte rendu opératoire, 34874-8), over the stays with an operation."""
    chosen = [report for report in subject.reports if report.kind == "cr-operatoire"]
    every = subject.verdict("DS1.3_all_stays", subject.fate(chosen, "accepted"))
    yield every
    if chosen or _theatre(subject):
        yield from subject.judge("DS1.3", chosen)


def _theatre(subject: CountedStay) -> bool:
    rules = subject.rules
    if rules.theatre_units & subject.stay.units:
        return True
    return any(
        names_application(rules.theatre_applications, activity.sender)
        for activity in subject.view.activities[subject.index]
        if activity.control not in {"S15", "S17", "CA", "OC"}
    )


def history(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.4: a document of an earlier stay fed during this one, for the patients who had already come."""
    view, stay, settings = subject.view, subject.stay, subject.settings
    own = view.person_of_stay[subject.index]
    earlier = {
        index
        for index, other in enumerate(view.stays)
        if index != subject.index and view.person_of_stay[index] == own and 0 < other.exit <= stay.entry
    }
    if not any(view.stays[index].patient_class in settings.classes for index in earlier):
        return
    first = start_of_day(day_of(stay.entry, subject.rules.time_zone), subject.rules.time_zone)
    last = stay.exit + settings.history_days * _DAY
    found: list[Fate] = []
    for report, owner in zip(view.reports, view.person_of_report, strict=True):
        if owner != own:
            continue
        old = report.stay in earlier if report.stay is not None else 0 < report.service_start < first
        if old:
            found += _inside(report, subject, stay.entry, last)
    yield subject.verdict("DS1.4", best(found))


def _inside(report: Report, subject: CountedStay, first: int, last: int) -> Iterator[Fate]:
    """The fates of the sendings made, or accepted, during the interval."""
    sendings = (sending for version in report.versions for sending in version.sendings)
    all_fates = fates(report, subject.person, subject.settings, level=0, proof="accepted")
    for sending, fate in zip(sendings, all_fates, strict=True):
        if fate.reason is None:
            if first <= fate.at <= last:
                yield fate
        elif first <= sending.at <= last:
            yield fate


RULES: Final[tuple[Callable[[CountedStay], Iterator[Verdict]], ...]] = (letter, prescription, operation, history)
REASONS_OF_HISTORY: Final = tuple(reason for reason in v.WAY if reason not in {v.NOT_CDA, v.WRONG_LEVEL})
