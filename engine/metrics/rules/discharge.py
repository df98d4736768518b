"""SUN-ES volet 1, domain 1, discharge documents: DS1.1, DS1.2, DS1.3, DS1.4 (docs/rules.md section 5)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final

from engine.ledger.patient import View
from engine.ledger.reports import Report
from engine.ledger.stays import Stay
from engine.metrics.periods import day_of, start_of_day
from engine.metrics.rules.proof import Fate, Proof, best, eligible, fates, hidden, report_fate, verdict
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import EstablishmentRules, RuleSettings, names_application

_DAY: Final = 86_400
_PROOFS: Final[tuple[Proof, ...]] = ("accepted", "taken", "sent")
_UNDONE: Final = frozenset({"S15", "S17", "CA", "OC"})  # an appointment or an order that was taken back


class History:
    """What DS1.4 asks of a patient: the earlier stays, and every sending by its time."""

    def __init__(self, view: View, person: int, settings: RuleSettings) -> None:
        self._first = sorted(
            (stay.exit, index)
            for index, stay in enumerate(view.stays)
            if view.person_of_stay[index] == person and stay.exit and stay.patient_class in settings.classes
        )[:2]  # two: the stay that asks may be the first one itself
        found: list[tuple[int, Fate, int | None, int]] = []
        for report in view.reports:
            if report.person != person:
                continue
            since = report.service_start if report.stay is None else view.stays[report.stay].exit
            sendings = (sending for version in report.versions for sending in version.sendings)
            proof = settings.establishment(report.establishment).proof
            every = fates(report, view.persons[person], settings, level=0, proof=proof)
            for sending, fate in zip(sendings, every, strict=True):
                # An acceptance counts when it was given, a failure when it was sent.
                found.append((fate.at if fate.reason is None else sending.at, fate, report.stay, since))
        found.sort(key=lambda item: item[0])
        self._found = found
        self._times = [item[0] for item in found]

    def known(self, index: int, entry: int) -> bool:
        """Whether an earlier stay of a counted class had ended at this entry."""
        return any(exit_at <= entry and other != index for exit_at, other in self._first)

    def fates(self, index: int, entry: int, first: int, last: int) -> Iterator[Fate]:
        """Fates from ``entry`` to ``last`` of what belongs to an earlier stay, or to none and began before ``first``."""
        for position in range(bisect_left(self._times, entry), bisect_right(self._times, last)):
            _, fate, stay, since = self._found[position]
            old = 0 < since < first if stay is None else stay != index and 0 < since <= entry
            if old:
                yield fate
                if fate.reason is None:
                    return  # they come by time: no earlier acceptance follows


class CountedStay:
    """A stay inside the denominators, with what the rules ask about it."""

    def __init__(self, view: View, index: int, settings: RuleSettings, histories: dict[int, History]) -> None:
        self.view = view
        self.index = index
        self.stay: Stay = view.stays[index]
        self.settings = settings
        self.rules: EstablishmentRules = settings.establishment(self.stay.establishment)
        self._person = view.person_of_stay[index]
        self._histories = histories
        self.eligible = eligible(view.persons[self._person], settings)
        self.reports = view.reports_of(index)
        self.day = day_of(self.stay.exit, self.rules.time_zone)

    @property
    def history(self) -> History:
        """The stays and the sendings of the patient; made once for all the patient's stays."""
        found = self._histories.get(self._person)
        if found is None:
            found = self._histories[self._person] = History(self.view, self._person, self.settings)
        return found

    def verdict(self, indicator: str, fate: Fate) -> Verdict:
        """The verdict to tally for a fate."""
        stay, zone = self.stay, self.rules.time_zone
        return verdict(indicator, stay.establishment, stay.unit, self.day, fate, self.settings, zone)

    def fate(self, chosen: list[Report], proof: Proof) -> Fate:
        """The best fate among reports of a CDA of level 1 at least."""
        persons = self.view.persons
        found = best(
            report_fate(report, persons[report.person], self.settings, level=1, proof=proof) for report in chosen
        )
        return hidden(found, self.view, self._person, self.stay.entry) if proof == "accepted" else found

    def named(self, found: Verdict, indicator: str) -> Verdict:
        """The same verdict under another name."""
        return _named(found, indicator)

    def hidden(self, fate: Fate, until: int) -> Fate:
        """The same fate, unless an unknown document submitted since the entry may be what is missing."""
        return hidden(fate, self.view, self._person, self.stay.entry, until)

    def judge(self, indicator: str, chosen: list[Report]) -> Iterator[Verdict]:
        """The rate by the establishment's proof, the same without the patients who cannot be fed, and one for each proof."""
        for proof in _PROOFS:
            found = self.verdict(f"{indicator}_{proof}", self.fate(chosen, proof))
            yield found
            if proof == self.rules.proof:
                yield _named(found, indicator)
                if self.eligible:
                    yield _named(found, indicator + "_eligible")


def _named(verdict: Verdict, indicator: str) -> Verdict:
    return Verdict(indicator, verdict.establishment, verdict.unit, verdict.day, verdict.outcome, verdict.settled)


def counted(view: View, settings: RuleSettings) -> Iterator[CountedStay]:
    """The stays of the denominators: ended, of a counted class."""
    histories: dict[int, History] = {}
    for index, stay in enumerate(view.stays):
        if stay.exit and stay.patient_class in settings.classes:
            yield CountedStay(view, index, settings, histories)


def letter(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.1: the discharge letter (lettre de liaison de sortie, 11490-0)."""
    yield from subject.judge("DS1.1", [report for report in subject.reports if report.kind == "ldl-ses"])


def prescription(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.2: at least one discharge prescription (ordonnance de sortie)."""
    zone, exit_day = subject.rules.time_zone, subject.day
    chosen = [
        report
        for report in subject.reports
        if report.type_code in subject.settings.prescription_codes and abs(day_of(report.created, zone) - exit_day) <= 1
    ]
    for found in subject.judge("DS1.2", chosen):
        yield found
        if chosen and found.indicator == "DS1.2":
            yield _named(found, "DS1.2_prescribed")


def operation(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.3: the operating report (compte rendu opératoire, 34874-8), over the stays with an operation."""
    chosen = [report for report in subject.reports if report.kind == "cr-operatoire"]
    yield subject.verdict("DS1.3_all_stays", subject.fate(chosen, subject.rules.proof))
    if chosen or _theatre(subject):
        yield from subject.judge("DS1.3", chosen)


def _theatre(subject: CountedStay) -> bool:
    """Whether a theatre unit, or an order or an appointment of a theatre application, tells of an operation."""
    rules = subject.rules
    if rules.theatre_units & subject.stay.units:
        return True
    undone = {
        activity.number
        for activity in subject.view.activities.get(subject.index, ())
        if activity.control in _UNDONE and activity.number is not None
    }
    return any(
        names_application(rules.theatre_applications, activity.sender)
        for activity in subject.view.activities.get(subject.index, ())
        if activity.control not in _UNDONE and activity.number not in undone
    )


def history(subject: CountedStay) -> Iterator[Verdict]:
    """DS1.4: a document of an earlier stay fed during this one, for the patients who had already come."""
    stay, zone = subject.stay, subject.rules.time_zone
    if not subject.history.known(subject.index, stay.entry):
        return
    first = start_of_day(day_of(stay.entry, zone), zone)
    last = stay.exit + subject.settings.history_days * _DAY
    fate = best(subject.history.fates(subject.index, stay.entry, first, last))
    yield subject.verdict("DS1.4", subject.hidden(fate, last))


RULES: Final[tuple[Callable[[CountedStay], Iterator[Verdict]], ...]] = (letter, prescription, operation, history)
