"""The fates of a report: each plot sends its messages and writes down, at once, what docs/rules.md makes of it.

Whatever would be ambiguous under the rules is not played: a version shows the same PID in all its sendings, only
accepted documents are deleted, nothing weighty happens near a bound of a window (see :meth:`Fates.settle`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Final

from engine.simulator.applications import DPI, Endpoint
from engine.simulator.clock import DAY, HOUR, MINUTE, Clock, windows
from engine.simulator.documents import Desk, Report, Version

_WEIGHTS: Final = {
    "accepted": 46, "tardy": 6, "twice": 3, "early": 4, "skewed": 2, "flipped": 2, "flopped": 2, "refused": 6, "healed": 3,
    "insisted": 1, "silent": 4, "bounced": 3, "rebounded": 2, "unaddressed": 5, "readdressed": 2, "replaced": 4,
    "spoiled": 2, "corrected": 2, "absent": 3, "completed": 2, "unqualified": 2, "mismatched": 3, "broken": 3, "mended": 2,
    "deleted": 3, "withdrawn": 1, "kept": 2, "resubmitted": 2, "copied": 3,
}  # fmt: skip
_QUICK: Final = (
    "accepted",
    "early",
    "refused",
    "silent",
    "bounced",
    "unaddressed",
    "absent",
    "unqualified",
    "mismatched",
)
HISTORICAL: Final = (*_QUICK, "twice", "skewed", "erased")
"""Plots of one sending within hours: those a document of an earlier stay may have."""

_TRACED: Final[dict[str, dict[str, int]]] = {
    "log": {"faulted": 2, "recovered": 1, "unheard": 2},
    "capture": {"faulted": 2, "recovered": 1, "unheard": 2},
    "fhir": {"unheard": 2},
    "all": {"faulted": 2, "recovered": 1, "unheard": 2, "disputed": 4},
}
"""Plots that only the traces of a submission can tell, with their weights."""

_UNSURE: Final = 2 * HOUR


class Fates:
    """Plays one fate for one report."""

    def __init__(self, random: Random, clock: Clock, desk: Desk) -> None:
        self.random = random
        self.clock = clock
        self.desk = desk
        limit = windows(clock.today)["official"].last + timedelta(days=8)
        self.limit = clock.at(limit)  # from here on, accepted too late for the official period
        self.nights = frozenset(clock.turns(200))
        self.level = 1
        self.companion = 0

    def play(self, report: Report, at: int, *, level: int = 1, companion: int = 0, only: tuple[str, ...] = ()) -> None:
        """One fate, drawn at random (among ``only``, when given), that begins when the report is first sent."""
        self.level, self.companion = level, companion
        platform = self.desk.platform
        if self.desk.traffic.processing == "P" and platform.bypasses(report, at):
            report.direct, self.companion = True, 0
        weights = _WEIGHTS | _TRACED.get(platform.trace, {})
        quick = at > self.clock.now - 6 * DAY
        if at > self.clock.now - 30 * HOUR and not platform.plain:
            weights["silent"] *= 6  # of the last day, many answers are still awaited
        names = only or (_QUICK if quick else tuple(weights))
        if (
            report.stay is None or not report.stay.counted
        ):  # a late answer there may or may not be a historical document
            names = tuple(each for each in names if each != "tardy")
        name = self.random.choices(names, [weights.get(each, 3) for each in names])[0]
        name = platform.playable(name, report)
        if name in ("broken", "mended") and (report.volet == "1.2" or report.linked == "encounter"):
            name = "refused"  # only the CDA tells the type (1.2), or the stay: unreadable, it would tell nothing
        if name == "mended" and not report.mdm:
            name = "broken"
        plot: Callable[[Report, int], None] = getattr(self, f"_{name}")
        plot(report, self.settle(report, at))

    # ---- times

    def settle(self, report: Report, at: int) -> int:
        """The same moment, or a few hours later when it is too near a bound, or in the hour that comes twice."""
        bounds = [self.limit]
        for stay in report.owner.stays:
            bounds += [stay.entry, stay.exit + 30 * DAY] if stay.exit else [stay.entry]
        while any(abs(at - bound) < _UNSURE for bound in bounds) or self._doubtful(at):
            at += 2 * HOUR + 1
        return at

    def _doubtful(self, at: int) -> bool:
        return 1 <= self.clock.hour(at) <= 3 and self.clock.day(at) in self.nights

    def _pause(self, report: Report, at: int) -> int:
        return self.settle(report, at + self.random.randint(10 * MINUTE, 14 * HOUR))

    def _wait(self, report: Report, at: int, longest: int = 5_400) -> int:
        return self.settle(report, at + self.random.randint(60, longest)) - at

    def _late(self, report: Report, at: int) -> int:
        """Seconds to an answer that comes days later; after the official period's grace when that can be."""
        now = self.clock.now - 3 * HOUR
        if (
            at < self.limit - 10 * DAY
            and at > self.limit - 45 * DAY
            and now > self.limit + DAY
            and self.random.random() < 0.7
        ):
            if self.random.random() < 0.25 and at < self.limit - 2 * DAY:  # just in time
                return self.settle(report, self.limit - self.random.randint(3 * HOUR, 20 * HOUR)) - at
            latest = min(now, self.limit + DAY) if self.random.random() < 0.3 else now  # one day too late, or more
            return self.settle(report, self.random.randint(self.limit + 3 * HOUR, latest)) - at
        last = min(at + 40 * DAY, now)
        return self.settle(report, self.random.randint(min(at + 6 * DAY, last - HOUR), last)) - at

    # ---- small steps

    def _version(self, report: Report, at: int, accident: str = "", form: str = "cda") -> Version:
        created = 0 if not report.versions or report.versions[-1].form == "none" else at - 5 * MINUTE
        return self.desk.version(
            report, at, level=self.level, companion=self.companion, accident=accident, form=form, created=created
        )

    def _yes(self, report: Report, version: Version, at: int, request: str = "") -> int:
        wait = self._wait(report, at)
        version.way, version.accepted_at = "", at + wait
        if not self.desk.platform.submits(version):
            version.way, version.accepted_at = "not_answered", 0
        return self.desk.send(report, version, at, answers=((wait, True),), request=request)

    def _no(self, report: Report, version: Version, at: int) -> int:
        version.way = "rejected" if self.desk.platform.submits(version) else "not_answered"
        return self.desk.send(report, version, at, answers=((self._wait(report, at), False),))

    def _delete(self, report: Report, version: Version, at: int, answer: bool | None) -> int:
        answers = () if answer is None else ((self._wait(report, at), answer),)
        return self.desk.send(report, version, at, request="deletion", answers=answers)

    def _somehow(self, report: Report, version: Version, at: int) -> int:
        """Any simple way: the version is missed before the way matters."""
        draw = self.random.random()
        if draw < 0.35:
            return self._yes(report, version, at)
        if draw < 0.7:
            return self._no(report, version, at)
        if draw < 0.85:
            version.way = "not_answered"
            return self.desk.send(report, version, at)
        version.way = "not_addressed"
        return self.desk.send(report, version, at, dmp="N")

    # ---- plots: accepted in the end

    def _accepted(self, report: Report, at: int) -> None:
        self._yes(report, self._version(report, at), at)

    def _tardy(self, report: Report, at: int) -> None:
        version = self._version(report, at)
        wait = self._late(report, at)
        version.way, version.accepted_at = "", at + wait
        self.desk.send(report, version, at, answers=((wait, True),))

    def _twice(self, report: Report, at: int) -> None:
        """Two positive answers to one sending."""
        version = self._version(report, at)
        wait = self._wait(report, at)
        version.way, version.accepted_at = "", at + wait
        self.desk.send(report, version, at, answers=((wait, True), (wait + self.random.choice((0, 240)), True)))

    def _early(self, report: Report, at: int) -> None:
        """The answer reaches the tap before the document."""
        version = self._version(report, at)
        version.way, version.accepted_at = "", at + 90
        self.desk.send(report, version, at, answers=((90, True),), early=True)

    def _skewed(self, report: Report, at: int) -> None:
        """The platform's clock is slow: its answer is dated before the sending."""
        version = self._version(report, at)
        version.way, version.accepted_at = "", at - 30
        self.desk.send(report, version, at, answers=((-30, True),))

    def _flipped(self, report: Report, at: int) -> None:
        """No, then yes; the two reach the tap in the wrong order."""
        version = self._version(report, at)
        second = self._wait(report, at + 2 * HOUR) + 2 * HOUR
        version.way, version.accepted_at = "", at + second
        self.desk.send(report, version, at, answers=((300, False), (second, True)), swapped=self.random.random() < 0.6)

    def _healed(self, report: Report, at: int) -> None:
        """Refused, sent again as it was, accepted."""
        version = self._version(report, at)
        self._yes(report, version, self._pause(report, self._no(report, version, at)))

    def _rebounded(self, report: Report, at: int) -> None:
        """The platform cannot take it, then can."""
        version = self._version(report, at)
        last = self.desk.send(report, version, at, technical=self.random.choice(("AE", "AR", "CR")))
        self._yes(report, version, self._pause(report, last))

    def _readdressed(self, report: Report, at: int) -> None:
        """First to the doctor alone, then to the DMP too."""
        version = self._version(report, at)
        last = self.desk.send(report, version, at, dmp="N")
        self._yes(report, version, self._pause(report, last))

    def _replaced(self, report: Report, at: int) -> None:
        last = self._yes(report, self._version(report, at), at)
        at = self._pause(report, last)
        self._yes(report, self._version(report, at), at)

    def _spoiled(self, report: Report, at: int) -> None:
        """Accepted; the version that should replace it is refused: the first stands."""
        last = self._yes(report, self._version(report, at), at)
        at = self._pause(report, last)
        self._no(report, self._version(report, at), at)

    def _corrected(self, report: Report, at: int) -> None:
        """Refused; a new version is accepted."""
        last = self._no(report, self._version(report, at), at)
        at = self._pause(report, last)
        self._yes(report, self._version(report, at), at)

    def _completed(self, report: Report, at: int) -> None:
        """Sent without its INS, then a new version with it."""
        version = self._version(report, at, accident="absent")
        last = self._somehow(report, version, at)
        at = self._pause(report, last)
        self._yes(report, self._version(report, at), at)

    def _mended(self, report: Report, at: int) -> None:
        """Not a CDA, then a new version that is one."""
        version = self._version(report, at, form="unreadable")
        last = self._somehow(report, version, at)
        at = self._pause(report, last)
        self._yes(report, self._version(report, at), at)

    def _kept(self, report: Report, at: int) -> None:
        """Accepted; the DMP refuses to delete it."""
        version = self._version(report, at)
        last = self._yes(report, version, at)
        self._delete(report, version, self._pause(report, last), False)

    def _resubmitted(self, report: Report, at: int) -> None:
        """Accepted, deleted, submitted again as it was, accepted."""
        version = self._version(report, at)
        last = self._yes(report, version, at)
        last = self._delete(report, version, self._pause(report, last), self.random.choice((True, None)))
        self._yes(report, version, self._pause(report, last), request="initial")

    def _copied(self, report: Report, at: int) -> None:
        """The interface engine sends the same document to the patient record too, under another control id."""
        version = self._version(report, at)
        self._yes(report, version, at)
        self.desk.send(report, version, at + 2, to=DPI if report.sender != DPI else Endpoint("ARCHIVE", "HX"))

    def _recovered(self, report: Report, at: int) -> None:
        """The submission fails on its way, a later one is accepted."""
        version = self._version(report, at)
        last = self.desk.send(report, version, at, technical="", fault=True)
        self._yes(report, version, self._pause(report, last))

    def _unheard(self, report: Report, at: int) -> None:
        """The platform acknowledges nothing by HL7, and submits all the same: accepted, refused, or no answer."""
        version = self._version(report, at)
        wait = self._wait(report, at)
        draw = self.random.random()
        version.way = "" if draw < 0.5 else "rejected" if draw < 0.75 else "not_answered"
        version.accepted_at = at + wait if not version.way else 0
        answers = () if version.way == "not_answered" else ((wait, not version.way),)
        self.desk.send(report, version, at, technical="", answers=answers)

    def _disputed(self, report: Report, at: int) -> None:
        """Two traces of one submission contradict each other: the stronger one says what happened."""
        version = self._version(report, at)
        wait, accepted = self._wait(report, at), self.random.random() < 0.5
        version.way, version.accepted_at = ("", at + wait) if accepted else ("rejected", 0)
        self.desk.send(report, version, at, answers=((wait, accepted),), disputed=True)

    # ---- plots: missed

    def _faulted(self, report: Report, at: int) -> None:
        """A SOAP fault, or no connection: the platform could not submit it, whether or not it had taken it."""
        version = self._version(report, at)
        version.way = "not_submitted"
        technical = self.random.choice(("", "AA"))
        version.acknowledged = technical == "AA" and not report.direct
        self.desk.send(report, version, at, technical=technical, fault=True)

    def _refused(self, report: Report, at: int) -> None:
        self._no(report, self._version(report, at), at)

    def _insisted(self, report: Report, at: int) -> None:
        """Refused twice."""
        version = self._version(report, at)
        self._no(report, version, self._pause(report, self._no(report, version, at)))

    def _flopped(self, report: Report, at: int) -> None:
        """Yes, then no. To one sending, the last answer holds; submitted twice, the second is refused and the first stands."""
        version = self._version(report, at)
        version.way = "rejected"
        if not self.desk.platform.plain:
            version.way, version.accepted_at = "", at + 300
        second = self._wait(report, at + 2 * HOUR) + 2 * HOUR
        self.desk.send(report, version, at, answers=((300, True), (second, False)), swapped=self.random.random() < 0.6)

    def _silent(self, report: Report, at: int) -> None:
        version = self._version(report, at)
        version.way = "not_answered"
        self.desk.send(report, version, at)

    def _bounced(self, report: Report, at: int) -> None:
        version = self._version(report, at)
        version.way = "not_submitted"
        self.desk.send(report, version, at, technical=self.random.choice(("AE", "AE", "AR", "CE")))

    def _unaddressed(self, report: Report, at: int) -> None:
        version = self._version(report, at)
        version.way = "not_addressed"
        self.desk.send(report, version, at, dmp=self.random.choice(("N", "N", "")))

    def _absent(self, report: Report, at: int) -> None:
        self._somehow(report, self._version(report, at, accident="absent"), at)

    def _unqualified(self, report: Report, at: int) -> None:
        self._somehow(report, self._version(report, at, accident="unqualified"), at)

    def _mismatched(self, report: Report, at: int) -> None:
        accident = self.random.choice(("bare", "other", "root"))
        self._somehow(report, self._version(report, at, accident=accident), at)

    def _broken(self, report: Report, at: int) -> None:
        self._somehow(report, self._version(report, at, form="unreadable"), at)

    def _deleted(self, report: Report, at: int) -> None:
        version = self._version(report, at)
        last = self._yes(report, version, at)
        self._delete(report, version, self._pause(report, last), self.random.choice((True, True, None)))
        version.way = "deleted"

    def _erased(self, report: Report, at: int) -> None:
        """Accepted and deleted within the hours that follow."""
        version = self._version(report, at)
        last = self._yes(report, version, at)
        self._delete(report, version, self.settle(report, last + 20 * MINUTE), True)
        version.way = "deleted"

    def _withdrawn(self, report: Report, at: int) -> None:
        """Accepted, replaced, and the replacement deleted: the whole chain is gone."""
        first = self._version(report, at)
        last = self._yes(report, first, at)
        at = self._pause(report, last)
        second = self._version(report, at)
        last = self._yes(report, second, at)
        self._delete(report, second, self._pause(report, last), True)
        first.way = second.way = "deleted"
