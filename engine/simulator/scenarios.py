"""How each kind of stay is told: routes in, twists on the way, corrections afterwards.

Every function leaves the :class:`Stay` as it really was in the end; the messages may wander before they say so.
"""

from __future__ import annotations

from random import Random
from typing import Final

from engine.simulator.clock import DAY, HOUR, MINUTE, Clock
from engine.simulator.patients import Face, Person
from engine.simulator.stays import Reference, Stay

_TWISTS: Final = {
    "": 52, "transfer_cancelled": 5, "leave": 3, "expected": 3, "class_cancelled": 3, "class_wrong": 4, "class_thrice": 1,
    "exit_moved": 5, "exit_again": 4, "exit_open": 4, "unseen": 2, "turned_out": 2, "class_out": 2, "historic": 4,
    "readmitted": 3, "venue_cancelled": 3, "renumbered": 2, "unnumbered": 3, "updated": 2, "death": 2, "unit_fixed": 3,
}  # fmt: skip
_THEATRE: Final = "BLOC1"

Bearers = list[tuple[int, Person, Face]]


class Scenarios:
    """Tells stays to the reference, each in one of the ways met in real feeds."""

    def __init__(self, random: Random, clock: Clock, reference: Reference) -> None:
        self.random = random
        self.clock = clock
        self.reference = reference
        self._early = 90 * MINUTE  # how long before its exit a stay may be said to be over too soon

    # ---- inpatients

    def inpatient(
        self, person: Person, entry: int, leaving: int, *, only: bool, last: bool, bearers: Bearers | None = None
    ) -> Stay:
        """An inpatient stay; ``only`` and ``last`` say whether the patient has other stays, and later ones.

        ``bearers``: whose it is believed to be, and since when, when that is not simply its patient.
        """
        rng = self.random
        twist = rng.choices(list(_TWISTS), list(_TWISTS.values()))[0]
        if (twist == "unseen" and not only) or (twist == "exit_open" and not last) or not leaving:
            twist = ""
        unit = rng.choice(("6268", "NEPH", "CARD", "GER1"))
        stay = self.reference.stay(person, entry, leaving, "I", unit)
        if bearers:
            stay.bearers = bearers
        if twist == "unnumbered":
            stay.visit = ""
        if twist == "unseen":
            stay.entry_known = False
            self._leave(stay, "I")
            self.reference.identity(person, person.face, "A31", stay.ticked + 90)
            return stay
        self._early = self.random.randint(70, 95) * MINUTE
        if twist in ("exit_again", "exit_open") and leaving - entry > 5 * DAY:
            self._early = rng.randint(1, 2) * DAY + rng.randint(0, 3) * HOUR
        klass, wrong = self._enter(stay, twist)
        self._live(stay, twist, klass)
        if leaving:
            self._end(stay, twist, stay.klass if not wrong else klass)
        if leaving and wrong:
            self._correct(stay, wrong, "A04", "I")
        return stay

    def _enter(self, stay: Stay, twist: str) -> tuple[str, str]:
        """The entry: the class that the messages say from now on, and the movement to correct after the exit."""
        rng, tell = self.random, self.reference.tell
        entry = stay.entry
        if twist == "class_wrong":
            movement = tell(stay, "A04", entry, "O")
            if rng.random() < 0.5:
                return "O", movement
            self._correct(stay, movement, "A04", "I")
            return "I", ""
        if twist == "class_thrice":
            movement = tell(stay, "A01", entry, "I")
            self._correct(stay, movement, "A01", "O")
            self._correct(stay, movement, "A01", "I")
            return "I", ""
        if twist == "class_out":
            movement = tell(stay, "A01", entry, "I")
            self._correct(stay, movement, "A01", "O")
            stay.klass = "O"
            return "O", ""
        if twist == "readmitted":
            self._readmitted(stay)
            return "I", ""
        if twist == "venue_cancelled":
            lost = self.reference.visit()
            movement = tell(stay, "A01", entry - 50 * MINUTE, "I", recorded=entry - 45 * MINUTE, visit=lost)
            number = "" if rng.random() < 0.3 else movement
            self.reference.cancel(stay, "A11", "A01", number, "I", effect=entry - 50 * MINUTE, level="V", visit=lost)
            tell(stay, "A01", entry, "I", level="V")
            return "I", ""
        self._route(stay, twist)
        return "I", ""

    def _route(self, stay: Stay, twist: str) -> None:
        """The usual ways in: directly, announced, through the emergency department, from an external pre-admission."""
        rng, tell = self.random, self.reference.tell
        entry = stay.entry
        way = rng.choices(("direct", "announced", "emergency", "external"), (55, 18, 22, 5))[0]
        if twist == "unnumbered" and way == "external":
            way = "direct"
        if way == "announced":
            tell(stay, "A05", entry, "I", recorded=entry - rng.randint(1, 20) * DAY)
            if rng.random() < 0.2:
                tell(stay, "A14", entry, "I", recorded=stay.ticked + HOUR)
        if way == "emergency":
            tell(stay, "A04", entry, "E", unit="URG0")
            tell(stay, "A06", entry + rng.randint(25, 38) * MINUTE, "I", recorded=entry + 39 * MINUTE, nature="HM")
        elif way == "external":
            tell(stay, "A05", entry, "O", recorded=entry - rng.randint(1, 9) * DAY)
            tell(stay, "A06", entry, "I", nature="HM")
        else:
            tell(stay, "A01", entry, "I")

    def _readmitted(self, stay: Stay) -> None:
        """Pre-admitted, admitted, cancelled back to pre-admitted (PV1-5), admitted for good by a new movement."""
        tell, entry = self.reference.tell, stay.entry
        planned = stay.dossier + "P"
        tell(stay, "A05", entry, "I", recorded=entry - DAY, preadmission=planned)
        movement = tell(stay, "A01", entry - 50 * MINUTE, "I", recorded=entry - 48 * MINUTE, preadmission=planned)
        self.reference.cancel(stay, "A11", "A01", movement, "I", effect=entry - 50 * MINUTE, preadmission=planned)
        tell(stay, "A01", entry, "I", preadmission=planned)

    def _correct(self, stay: Stay, movement: str, event: str, klass: str) -> None:
        """A change of class without trace: the venue never was in the former class (PAM-FR 5.4)."""
        nature = self.random.choice(("C", "HMC", "HMSC"))
        recorded = stay.ticked + self.random.randint(5, 15) * MINUTE
        self.reference.fix(stay, event, movement, stay.entry, klass, nature=nature, recorded=recorded)

    def _moments(self, stay: Stay, count: int) -> list[int]:
        """Moments inside the stay, in order, at least ten minutes apart; fewer when it is short."""
        start, end = stay.entry + 45 * MINUTE, (stay.exit or self.clock.now) - self._early - 20 * MINUTE
        slots = (end - start) // (12 * MINUTE)
        if slots < count:
            return []
        return sorted(start + slot * 12 * MINUTE for slot in self.random.sample(range(slots), count))

    def _live(self, stay: Stay, twist: str, klass: str) -> None:
        """What happens between the entry and the exit."""
        rng, tell, cancel = self.random, self.reference.tell, self.reference.cancel
        moments = self._moments(stay, 4)
        if not moments:
            return
        a, b, c, d = moments
        if rng.random() < 0.16:
            tell(stay, "A02", a, klass, unit=_THEATRE)
            tell(stay, "A02", b, klass)
            stay.operated = True
        elif rng.random() < 0.35:
            stay.unit = rng.choice(("NEPH", "CARD", "GER1"))
            tell(stay, "A02", a, klass, nature=rng.choice(("HMS", "H", "L", "SM")))
        if twist == "transfer_cancelled":
            movement = tell(stay, "A02", c, klass, unit=rng.choice((_THEATRE, "6268")))
            cancel(stay, "A12", "A02", movement, klass, effect=c)
        elif twist == "leave":
            tell(stay, "A21", c, klass)
            tell(stay, "A22", d, klass)
        elif twist == "expected":
            movement = tell(stay, "A16", c, klass)
            if rng.random() < 0.4:
                cancel(stay, "A25", "A16", movement, klass, effect=c)
            movement = tell(stay, "A15", d, klass)
            cancel(stay, "A26", "A15", movement, klass, effect=d)
        elif twist == "class_cancelled":
            movement = tell(stay, "A07", c, "O", nature="HM")
            cancel(stay, "A06", "A07", movement, "I", effect=c)
        elif twist == "turned_out":
            tell(stay, "A07", d, "O", nature="HM")
            stay.klass = "O"
        elif twist == "renumbered":
            old, new = stay.dossier, self.reference.dossier()
            at = max(c, stay.ticked + 60)
            stay.numbers.append((at, new))
            self.reference.renumber(stay, at, old)
        elif twist == "updated":
            self._updated(stay, c, klass)
        elif twist == "unit_fixed":
            movement = tell(stay, "A02", c, klass, unit="6268")
            self.reference.fix(stay, "A02", movement, c + 5 * MINUTE, klass)

    def _updated(self, stay: Stay, at: int, klass: str) -> None:
        """An A08, which PAM-FR excludes and real feeds send: it changes nothing here; and a change of physician."""
        self.reference.tell(stay, "A08", at, klass, action="", movement="")
        self.reference.tell(stay, "A54", at + 5 * MINUTE, klass)

    def _leave(self, stay: Stay, klass: str, *, death: bool = False) -> str:
        closes = self.random.choice(("", "D"))
        return self.reference.tell(stay, "A03", stay.exit, klass, leaving=stay.exit, closes=closes, death=death)

    def _end(self, stay: Stay, twist: str, klass: str) -> None:
        """The exit, in one go or not."""
        rng, tell, cancel = self.random, self.reference.tell, self.reference.cancel
        if twist == "exit_moved":
            shift = rng.choice((-70 * MINUTE, DAY, 2 * DAY, 3 * HOUR))
            first = stay.exit + (shift if stay.exit + shift < self.clock.now else -70 * MINUTE)
            movement = tell(stay, "A03", first, klass, leaving=first)
            fix = self.reference.fix
            if rng.random() < 0.3:
                fix(stay, "A03", movement, stay.exit + 31 * MINUTE, klass, leaving=stay.exit + 31 * MINUTE)
            recorded, historic = stay.ticked + 600, rng.random() < 0.3
            fix(stay, "A03", movement, stay.exit, klass, recorded=recorded, historic=historic, leaving=stay.exit)
        elif twist in ("exit_again", "exit_open"):
            early = stay.exit - self._early
            movement = tell(stay, "A03", early, klass, leaving=early)
            number = movement if rng.random() < 0.6 else ""
            cancel(stay, "A13", "A03", number, klass, effect=early)
            if twist == "exit_open":
                stay.exit = 0
            else:
                tell(stay, "A03", stay.exit, klass, leaving=stay.exit, recorded=max(stay.exit, stay.ticked) + 60)
        else:
            self._leave(stay, klass, death=twist == "death")
        if twist == "historic":
            self._forgotten(stay, klass)

    def _forgotten(self, stay: Stay, klass: str) -> None:
        """A transfer inserted after the exit (ZBE-5 = Y), at its true time; sometimes it was to the theatre."""
        moments = self._moments(stay, 1)
        if moments:
            unit = self.random.choice((_THEATRE, _THEATRE, "CARD", "NEPH"))
            self.reference.tell(
                stay, "A02", moments[0] + 61, klass, unit=unit, recorded=stay.ticked + HOUR, historic=True
            )
            stay.operated = stay.operated or unit == _THEATRE

    # ---- the others

    def passage(self, person: Person, entry: int, leaving: int, klass: str) -> Stay:
        """Emergency (E), consultation (O) or remote follow-up (V): arrival, exit."""
        rng, tell = self.random, self.reference.tell
        stay = self.reference.stay(person, entry, leaving, klass, {"E": "URG0", "O": "CONS", "V": "TELE"}[klass])
        movement = tell(stay, "A04", entry, klass)
        if klass == "E" and rng.random() < 0.08:  # admitted by mistake: the A06 is cancelled by an A07
            movement = tell(stay, "A06", entry + 20 * MINUTE, "I", unit="CARD")
            self.reference.cancel(stay, "A07", "A06", movement, "E", effect=entry + 20 * MINUTE)
        elif klass == "O" and rng.random() < 0.06:
            self.reference.fix(stay, "A04", movement, entry + MINUTE, "O", recorded=stay.ticked + 60)
        tell(stay, "A03", leaving, klass, leaving=leaving)
        return stay

    def sessions(self, person: Person, entry: int, count: int) -> list[Stay]:
        """A series of séances: one dossier, each its own venue number, or all the same."""
        rng, tell = self.random, self.reference.tell
        own = rng.random() < 0.6
        told: list[Stay] = []
        start = entry
        for index in range(count):
            if start + 5 * HOUR > self.clock.now:
                break
            stay = self.reference.stay(person, start, start + 4 * HOUR, "R", "SEA1")
            if told:
                stay.dossier = told[0].dossier
                if not own:
                    stay.visit = told[0].visit
                stay.ticked = max(stay.ticked, told[-1].ticked)
            entering = tell(stay, "A01", start, "R", level="V")
            closes = "D" if index == count - 1 else "N"
            leaving = tell(stay, "A03", stay.exit, "R", level="V", leaving=stay.exit, closes=closes)
            told.append(stay)
            if rng.random() < 0.05:  # an old séance is deleted: its exit, then its entry
                cancel = self.reference.cancel
                cancel(stay, "A13", "A03", leaving, "R", effect=stay.exit, historic=True)
                cancel(stay, "A11", "A01", entering, "R", effect=start, historic=True, level="V")
                stay.exit = 0
            start += rng.randint(2, 5) * DAY
        return told

    def nothing(self, person: Person, entry: int) -> None:
        """What never became a stay: announced only, announced and cancelled, admitted and cancelled."""
        rng, tell, cancel = self.random, self.reference.tell, self.reference.cancel
        stay = self.reference.stay(person, entry, 0, "I", "6268")
        way = rng.choice(("announced", "renounced", "admitted", "preadmitted"))
        if way in ("announced", "renounced"):
            movement = tell(stay, "A05", entry, "I", recorded=entry - 3 * DAY)
            if way == "renounced":
                cancel(stay, "A38", "A05", movement, "I", effect=entry, recorded=entry - DAY)
            return
        planned = stay.dossier + "P" if way == "preadmitted" else ""
        announced = ""
        if planned:
            announced = tell(stay, "A05", entry, "I", recorded=entry - 2 * DAY, preadmission=planned)
        movement = tell(stay, "A01", entry, "I", preadmission=planned)
        level = "" if planned else rng.choice(("", "A", "V"))
        cancel(stay, "A11", "A01", movement, "I", effect=entry, level=level, preadmission=planned)
        if planned and rng.random() < 0.5:
            cancel(stay, "A38", "A05", announced, "I", effect=entry)
