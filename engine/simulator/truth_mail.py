"""The true value of D6.3, DS4.1 and DS4.2 (docs/rules.md section 8), counted over what the hospital knows that it sent, and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from engine.simulator.clock import DAY
from engine.simulator.correspondents import Correspondent, Directory
from engine.simulator.documents import Report
from engine.simulator.mailing import MESSAGE_DAYS, Sending, Word, citizen
from engine.simulator.patients import Person
from engine.simulator.stays import Stay
from engine.simulator.truth import PUBLISHED, Judge

ORDER: Final = (
    "not_produced", "no_message", "mss_not_requested", "mss_not_sent", "mss_not_cda", "ins_absent", "ins_test", "ins_not_qualified",
    "ins_mismatch", "mss_not_confirmed", "mss_refused",
)  # fmt: skip
"""Reasons along the way of a mail; ``ins_absent`` of DS4.2 comes before everything."""

INDICATORS: Final = (
    "D6.3", "D6.3_delivered", "DS4.1", "DS4.1_delivered", "DS4.1_directory", "DS4.2", "DS4.2_delivered",
)  # fmt: skip
EXISTING: Final = ("D6.2", "P4.3", "PS3.2")
"""What an establishment has, or has not."""

_FRESH: Final = 30 * DAY
_SENT, _DELIVERED, _REFUSED = "sent", "delivered", "refused"


def outcome(words: Iterable[Word]) -> str:
    """What became of a sending: sent (nothing came back), delivered or refused."""
    told = list(words)
    if any(word.reading and word.yes for word in told):
        return _DELIVERED
    delivery = [word for word in told if not word.reading]
    if not delivery:
        return _SENT
    last = max(delivery, key=lambda word: (word.at, not word.yes))
    return _DELIVERED if last.yes else _REFUSED


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _words(sending: Sending) -> list[Word]:
    """Everything that was said of a mail to one address: by receipts, and by the platform of the documents that it carries."""
    orders = [order for version in sending.versions for order in version.orders if not order.deletion]
    said = [
        word for order in orders for word in order.words if not word.address or _same(word.address, sending.address)
    ]
    return [*sending.words, *said]


class _Fate(NamedTuple):
    """What became of a sending, and why its document is none for DS4.1 ("" when it is one)."""

    at: int
    result: str
    problem: str
    root: int


class MailTruth:
    """Counts for a hospital, window by window."""

    def __init__(
        self,
        people: list[Person],
        directory: Directory,
        citizens: Iterable[Sending] = (),
        others: Iterable[Sending] = (),
    ) -> None:
        self.people = people
        self.directory = directory
        self._citizens: dict[str, list[tuple[int, str]]] = {}  # address -> (when, outcome)
        unnamed = [each for each in others if directory.at(each.address) is not None]
        self._others = [(each.at, outcome(each.words)) for each in unnamed]  # to correspondents
        for sending in (*citizens, *_ordered(people)):
            told = self._citizens.setdefault(sending.address.lower(), [])
            told.append((sending.at, outcome(_words(sending))))
        reports = [report for person in people for report in person.reports]
        fates = [fate for report in reports for _, sendings in self._sendings(report).values() for fate in sendings]
        self._others += [(fate.at, fate.result) for fate in fates]

    def count(self, judge: Judge) -> None:
        """Adds every rate of one window."""
        judge.add("D6.2", "")
        now = judge.clock.now
        every = [*self._others, *(each for told in self._citizens.values() for each in told)]
        seen = any(now - _FRESH <= at and result != _REFUSED for at, result in every)
        for name in ("P4.3", "PS3.2"):
            judge.add(name, "" if seen else "no_mail_seen")
        met: dict[int, dict[str, list[str]]] = {id(each): {} for each in self.directory.equipped}
        listed = set(met)
        for person in self.people:
            for report in person.reports:
                if _counted(report) and judge.window.holds(judge.clock.day(report.created)):
                    self._pairs(report, judge, met)
            for stay in person.stays:
                if stay.counted and judge.window.holds(judge.clock.day(stay.exit)):
                    self._stay(stay, judge)
        for who, reasons in met.items():
            for name in ("DS4.1", "DS4.1_delivered"):
                if reasons:
                    judge.add(name, _furthest(reasons[name]))
            if who in listed:
                judge.add("DS4.1_directory", _furthest(reasons["DS4.1"]) if reasons else "not_produced")

    # ---- pairs

    def _pairs(self, report: Report, judge: Judge, met: dict[int, dict[str, list[str]]]) -> None:
        asked = any(order.professional for version in report.versions for order in version.orders)
        for who, sendings in self._sendings(report).values():
            nothing = "mss_not_sent" if asked else "mss_not_requested"
            outcomes = [each.result for each in sendings]
            judge.add("D6.3", _best((_reason(each) for each in outcomes), nothing))
            judge.add("D6.3_delivered", _best((_reason(each, confirmed=True) for each in outcomes), nothing))
            kept = met.setdefault(id(who), {})
            strict = _best((_problem(each, judge) or _reason(each.result) for each in sendings), nothing)
            confirmed = _best(
                (_problem(each, judge) or _reason(each.result, confirmed=True) for each in sendings), nothing
            )
            kept.setdefault("DS4.1", []).append(strict)
            kept.setdefault("DS4.1_delivered", []).append(confirmed)

    def _sendings(self, report: Report) -> dict[int, tuple[Correspondent, list[_Fate]]]:
        """By correspondent, what became of each sending of a report."""
        found: dict[int, tuple[Correspondent, list[_Fate]]] = {}

        def of(who: Correspondent) -> list[_Fate]:
            return found.setdefault(id(who), (who, []))[1]

        for version in report.versions:
            if version.told_by == "mail":
                for who in map(self.directory.named, version.receivers):
                    if who is not None:
                        of(who)
            for receiver in {each: None for order in version.orders for each in order.receivers}:
                who = self.directory.named(receiver)
                if who is not None:
                    of(who)
            for sending in version.mailed:
                who = self.directory.at(sending.address)
                if who is not None:
                    of(who).append(_Fate(sending.at, outcome(_words(sending)), sending.problem, sending.root))
            for order in version.orders:
                if order.deletion or not order.professional:
                    continue
                for receiver in order.receivers:
                    who = self.directory.named(receiver)
                    if who is None:
                        continue
                    boxes = (receiver.address,) if receiver.address else who.addresses
                    words = [
                        each
                        for each in order.words
                        if not each.address or any(_same(each.address, box) for box in boxes)
                    ]
                    if words:
                        problem = "mss_not_cda" if version.form != "cda" else version.identity
                        of(who).append(_Fate(order.at, outcome(words), problem, version.root))
        return found

    # ---- stays

    def _stay(self, stay: Stay, judge: Judge) -> None:
        told = stay.owner.face.timeline
        matricules = {each.matricule for each in told if each.matricule}
        matricules -= {each.retired.partition("^")[0] for each in told}  # taken back by an A47
        if not matricules:
            judge.add("DS4.2", "ins_absent")
            judge.add("DS4.2_delivered", "ins_absent")
            return
        addresses = {citizen(each) for each in matricules}
        messages = [each for address in addresses for each in self._citizens.get(address, ())]
        outcomes = [result for at, result in messages if stay.entry <= at <= stay.exit + MESSAGE_DAYS * DAY]
        asked = any(order.patient for report in stay.reports for version in report.versions for order in version.orders)
        nothing = "mss_not_sent" if asked else "no_message"
        judge.add("DS4.2", _best(map(_reason, outcomes), nothing))
        judge.add("DS4.2_delivered", _best((_reason(each, confirmed=True) for each in outcomes), nothing))


def _counted(report: Report) -> bool:
    return report.own and report.final and report.type_code in PUBLISHED


def _ordered(people: list[Person]) -> Iterator[Sending]:
    """HL7 messages that asked to write to the patient, of which the platform said something for its address."""
    for person in people:
        for report in person.reports:
            for version in report.versions:
                for order in version.orders:
                    words = [word for word in order.words if word.address and _same(word.address, order.citizen)]
                    if words and not order.deletion:
                        yield Sending(order.at, order.citizen, words)


def _problem(fate: _Fate, judge: Judge) -> str:
    """Why what was sent is no CDA with a qualified INS."""
    if fate.problem not in ("mss_not_cda", "ins_absent") and fate.root in (10, 11) and not judge.count_test_ins:
        return "ins_test"
    return fate.problem


def _reason(result: str, *, confirmed: bool = False) -> str:
    if result == _REFUSED:
        return "mss_refused"
    return "mss_not_confirmed" if confirmed and result == _SENT else ""


def _best(reasons: Iterable[str], nothing: str) -> str:
    """Met by one sending, else the reason furthest along."""
    found = list(reasons)
    if not found:
        return nothing
    return "" if "" in found else _furthest(found)


def _furthest(reasons: Iterable[str]) -> str:
    """The same over the pairs of one correspondent."""
    found = list(reasons)
    return "" if "" in found else max(found, key=ORDER.index)
