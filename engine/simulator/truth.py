"""The true value of every indicator, summed over the scenario objects (never over the messages).

Independent of ``engine.metrics``: what each version of a document is worth was written down by the plot that played it;
here the stays and the reports of each window are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from engine.simulator.applications import Landscape
from engine.simulator.clock import DAY, Clock, Window, windows
from engine.simulator.documents import Report, Version
from engine.simulator.patients import Person
from engine.simulator.platform import PUBLIC, Platform
from engine.simulator.render_cda import BIOLOGY, IMAGING, LETTER, OPERATION, PRESCRIPTION
from engine.simulator.stays import Stay

ORDER: Final = (
    "not_produced", "not_cda", "wrong_level", "level_unknown", "ins_absent", "ins_test", "ins_not_qualified", "ins_mismatch",
    "not_addressed", "not_submitted", "awaiting_answer", "not_answered", "not_named", "rejected", "deleted",
)  # fmt: skip
"""Reasons along a document's way; ``accepted_late`` comes after."""

PUBLISHED: Final = frozenset({LETTER, OPERATION, BIOLOGY, IMAGING, "11488-4", "34112-3"})
_GRACE_DAYS: Final = 7
_HISTORY_DAYS: Final = 30
# What each weaker rate is content with: the ways that are no longer missed.
_CONTENT: Final = {
    "": frozenset[str](),
    "_accepted": frozenset[str](),
    "_sent": frozenset({"not_submitted", "awaiting_answer", "not_answered", "rejected"}),
    "_taken": frozenset({"awaiting_answer", "not_answered", "rejected"}),
}


@dataclass(slots=True)
class Rate:
    """One indicator over one window: ``numerator`` + the sum of ``missed`` = ``denominator``."""

    numerator: int = 0
    denominator: int = 0
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str) -> None:
        """Counts one subject: met ("") or missed for that reason."""
        self.denominator += 1
        if reason:
            self.missed[reason] += 1
        else:
            self.numerator += 1


@dataclass(slots=True)
class Submissions:
    """Attempts to feed the DMP, deletions apart; ``responses`` by outcome, ``errors`` by code of what was refused or failed."""

    attempts: int = 0
    responses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    contradictions: int = 0


@dataclass(slots=True)
class Truth:
    """Everything the hospital knows: ``rates`` by (indicator, window), counts of messages by one pass, and of submissions.

    ``messages``: those that are counted as received (a line of the log that says nothing of the DMP is passed over).
    """

    rates: dict[tuple[str, str], Rate]
    messages: int
    unreadable: int
    duplicates: int
    submissions: Submissions


@dataclass(slots=True)
class Judge:
    """Counts for one window."""

    clock: Clock
    window: Window
    today: date
    count_test_ins: bool
    rates: dict[str, Rate] = field(default_factory=dict)

    def add(self, indicator: str, reason: str) -> None:
        """Counts one subject of one indicator: met ("") or missed for that reason."""
        self.rates.setdefault(indicator, Rate()).add(reason)

    @property
    def _limit(self) -> date:
        return self.window.last + timedelta(days=_GRACE_DAYS)

    def _missed(self, version: Version, level: int, proof: str) -> str:
        """Why this version is missed, "" when it is not; ``level`` 0 asks for no format."""
        if level and version.form != "cda":
            return "not_cda"
        if version.unseen and level > 1:
            return "level_unknown"
        if version.level < level:
            return "wrong_level"
        if version.identity == "ins_absent":
            return "ins_absent"
        if version.root in (10, 11) and not self.count_test_ins:
            return "ins_test"
        if version.identity:
            return version.identity
        content = version.way in _CONTENT[proof] or (proof == "_taken" and version.acknowledged)
        return "" if content else self._way(version)

    def _way(self, version: Version) -> str:
        """The reason decided for a version; without an answer, whether its day is over."""
        if version.way == "not_answered" and self.today <= self.clock.day(version.sent_at[-1] + DAY):
            return "awaiting_answer"
        return version.way

    def _report(self, report: Report, level: int, proof: str = "") -> tuple[str, int]:
        """The reason of a report ("" when one of its versions is good), and when it was first accepted."""
        reasons = [(self._missed(version, level, proof), version) for version in report.versions]
        good = [version.accepted_at for reason, version in reasons if not reason]
        if good:
            return "", min(good)
        return max((reason for reason, _ in reasons), key=ORDER.index), 0

    def _best(self, reports: Iterable[Report], level: int, proof: str = "") -> str:
        """The reason of a subject that needs one good report among these, in time."""
        fates = [self._report(report, level, proof) for report in reports]
        if not fates:
            return "not_produced"
        good = [at for reason, at in fates if not reason]
        if not good:
            return max((reason for reason, _ in fates), key=ORDER.index)
        if proof in ("", "_accepted") and self.clock.day(min(good)) > self._limit:
            return "accepted_late"
        return ""

    def eligible(self, person: Person) -> bool:
        """Whether the DMP could take this person's documents today."""
        test = person.last.root in (10, 11) and not self.count_test_ins
        return person.eligible_but_root and not test

    def _variants(self, indicator: str, person: Person, judge: Callable[[str], str]) -> None:
        reason = judge("")
        self.add(indicator, reason)
        if self.eligible(person):
            self.add(f"{indicator}_eligible", reason)
        for proof in ("_accepted", "_sent", "_taken"):
            self.add(indicator + proof, judge(proof))

    # ---- stays

    def stay(self, stay: Stay) -> None:
        """Counts one stay that ended in the window."""
        owner = stay.owner

        def letters(proof: str) -> str:
            return self._best((each for each in stay.reports if each.type_code == LETTER), 1, proof)

        def discharge(proof: str) -> str:
            return self._best(prescribed, 1, proof)

        def operations(proof: str) -> str:
            return self._best((each for each in stay.reports if each.type_code == OPERATION), 1, proof)

        self._variants("DS1.1", owner, letters)
        prescribed = [
            each for each in stay.reports if each.type_code == PRESCRIPTION and self._at_discharge(each, stay)
        ]
        self._variants("DS1.2", owner, discharge)
        if prescribed:
            self.add("DS1.2_prescribed", discharge(""))
        if stay.operated:
            self._variants("DS1.3", owner, operations)
        self.add("DS1.3_all_stays", operations(""))
        self._history(stay)
        self._publication(stay)

    def _at_discharge(self, report: Report, stay: Stay) -> bool:
        return abs((self.clock.day(report.created) - self.clock.day(stay.exit)).days) <= 1

    def _history(self, stay: Stay) -> None:
        """DS1.4: something of an earlier stay was accepted between this entry and thirty days after this exit."""
        earlier = [each for each in stay.owner.stays if each.exit and each.exit <= stay.entry]
        if not stay.entry_known or not any(each.counted for each in earlier):
            return
        first, last = stay.entry, stay.exit + _HISTORY_DAYS * DAY
        reports = [report for each in earlier for report in each.reports if report.own]
        day = self.clock.day(first)
        alone = (each for each in stay.owner.reports if each.stay is None and each.own)
        reports += [each for each in alone if self.clock.day(each.service_start) < day]
        reasons: list[str] = []
        accepted: list[int] = []
        for report in reports:
            if report.type_code in (BIOLOGY, IMAGING) and all(version.form == "none" for version in report.versions):
                continue
            reason, at = self._report(report, 0)
            if not reason and first <= at <= last:
                accepted.append(at)
            if any(first <= at <= last for version in report.versions for at in version.sent_at):
                reasons.append(reason)
        if accepted:
            self.add("DS1.4", "accepted_late" if self.clock.day(min(accepted)) > self._limit else "")
        else:
            self.add("DS1.4", max(reasons, key=ORDER.index) if reasons else "not_produced")

    # ---- everything published (HOP'EN)

    def published(self, report: Report) -> bool:
        """Whether a report is one that should be in the DMP: letters, reports, discharge prescriptions."""
        if not report.own or not report.final or report.mailed_alone:
            return False
        if report.type_code != PRESCRIPTION:
            return report.type_code in PUBLISHED
        stay = report.stay
        return stay is not None and stay.counted and bool(stay.exit) and self._at_discharge(report, stay)

    def document(self, report: Report) -> None:
        """D2.2: counts one document made in the window, unless its patient has no DMP."""
        dmp = report.owner.dmp_at(report.stay.entry if report.stay is not None else report.created)
        if dmp in ("FERME", "INEXISTANT"):
            return
        self._by_proof("D2.2", dmp, lambda proof: self._best([report], 1, proof))

    def _publication(self, stay: Stay) -> None:
        """D6.1: counts one stay, unless its patient has no DMP."""
        dmp = stay.owner.dmp_at(stay.entry)
        if dmp in ("FERME", "INEXISTANT"):
            return
        chosen = [report for report in stay.reports if self.published(report)]

        def every(proof: str) -> str:
            reasons = [self._best([report], 1, proof) for report in chosen] or ["not_produced"]
            missed = [reason for reason in reasons if reason and reason != "accepted_late"]
            return min(missed, key=ORDER.index) if missed else max(reasons)  # late when one of them is

        self._by_proof("D6.1", dmp, every)
        self.add("D6.1_any", self._best(chosen, 1))

    def _by_proof(self, indicator: str, dmp: str, judge: Callable[[str], str]) -> None:
        reason = judge("")
        self.add(indicator, reason)
        if dmp == "ACTIF":
            self.add(f"{indicator}_active", reason)
        for proof in ("_accepted", "_sent", "_taken"):
            self.add(indicator + proof, judge(proof))

    # ---- reports

    def report(self, report: Report) -> None:
        """Counts one biology or imaging report made in the window."""
        indicator, level = ("DS2.1", 3) if report.type_code == BIOLOGY else ("DS3.1", 1)
        self._variants(indicator, report.owner, lambda proof: self._best([report], level, proof))


def counters(platform: Platform) -> Submissions:
    """What became of every attempt: one for each document (rendering) that a sending carries."""
    told = Submissions()
    for attempt in platform.attempts:
        documents = max(1, len(attempt.version.documents))
        told.contradictions += attempt.contradictions * documents
        if attempt.deletion:
            continue
        told.attempts += documents
        if attempt.outcome:
            told.responses[attempt.outcome] += documents
        if attempt.code:
            told.errors[attempt.code if attempt.code in PUBLIC else "other"] += documents
    return told


def truth(
    clock: Clock,
    people: list[Person],
    landscape: Landscape,
    today: date,
    count_test_ins: bool,
    others: Iterable[Callable[[Judge], None]] = (),
) -> dict[tuple[str, str], Rate]:
    """Every indicator and variant over both windows; ``others`` count what is told elsewhere."""
    rates: dict[tuple[str, str], Rate] = {}
    for name, window in windows(today).items():
        judge = Judge(clock, window, today, count_test_ins)
        for person in people:
            for stay in person.stays:
                if stay.counted and window.holds(clock.day(stay.exit)):
                    judge.stay(stay)
            for report in person.reports:
                counted = report.type_code in (BIOLOGY, IMAGING) and report.own and report.final
                if counted and window.holds(clock.day(report.created)):
                    judge.report(report)
                if judge.published(report) and window.holds(clock.day(report.created)):
                    judge.document(report)
        for application in landscape.applications:
            for indicator, reason in (
                ("P1.1", application.missed_identity(count_test_ins)),
                ("P1.3", application.missed_movement()),
            ):
                if reason is not None:
                    judge.add(indicator, reason)
        for count in others:
            count(judge)
        rates |= {(indicator, name): rate for indicator, rate in judge.rates.items()}
    return rates
