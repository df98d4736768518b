"""The synthetic hospital: a seeded world, its traffic in the order it is sent, and the true value of every indicator.

>>> hospital = Hospital(seed=1, stays=50, today=date(2026, 5, 20))
>>> for envelope in hospital: ...                       # what goes over the wire
>>> hospital.truth().rates["DS1.1", "official"]         # what must be measured
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from engine.simulator.accidents import Accidents
from engine.simulator.applications import Landscape
from engine.simulator.clock import DAY, HOUR, MINUTE, Clock, windows
from engine.simulator.letters import Letters
from engine.simulator.mail_alone import MailAlone
from engine.simulator.mailing import Mailing
from engine.simulator.mails import Mails
from engine.simulator.patients import Person, Registry
from engine.simulator.platform import Platform, Trace
from engine.simulator.production import Production
from engine.simulator.scenarios import Bearers, Scenarios
from engine.simulator.stays import Reference, Stay
from engine.simulator.traces import Traces
from engine.simulator.traffic import FEEDS, MAILED, TRACED, Envelope, Traffic
from engine.simulator.truth import Truth, counters, truth
from engine.simulator.truth_mail import MailTruth

_HORIZON_DAYS = 160
_GAP_DAYS = 8
_KINDS = {"inpatient": 66, "emergency": 9, "consultation": 12, "sessions": 3, "remote": 1, "nothing": 5}


class Hospital:
    """Deterministic for its arguments. Iterating gives the messages in the order they are sent."""

    def __init__(
        self,
        seed: int,
        stays: int,
        today: date,
        zone: str = "Europe/Paris",
        establishment: str = "990000001",
        *,
        trace: Trace = "zam",
        set_ids: bool = False,
        mail: bool = False,
    ) -> None:
        self.establishment = establishment
        self.clock = Clock(zone, today)
        self.random = Random(seed)
        self.landscape = Landscape()
        self.traffic = Traffic(self.random, self.clock, self.landscape)
        self.reference = Reference(self.random, self.clock, self.traffic)
        self.registry = Registry(self.random, self.clock)
        self.scenarios = Scenarios(self.random, self.clock, self.reference)
        self.platform = Platform(trace, Random(seed ^ 0x5EED), self.clock, set_ids=set_ids)
        self.mailing = Mailing(Random(seed ^ 0x3A11), self.clock, stays)
        self.production = Production(self.random, self.clock, self.traffic, self.platform, self.mailing)
        self.people: list[Person] = []
        self._nights = self.clock.turns(_HORIZON_DAYS)
        self._edges = self._midnights()
        told = 0
        while told < stays:
            person = self._person(stays - told)
            told += len(person.stays)
        self._outpatients(stays // 5)
        Accidents(self.random, self.clock, self.traffic, self.registry, self.reference, self.production).happen(
            self.people, stays
        )
        Traces(self.platform, self.platform.random, self.clock, self.traffic).write()
        self.letters = Letters(Random(seed ^ 0x1E77), self.clock, self.traffic)
        self.mail = mail
        if mail:
            self._write_mail(stays)
        ordered = sorted(enumerate(self.traffic.envelopes), key=lambda each: (each[1].due, each[0]))
        self.envelopes = [envelope for _, envelope in ordered]

    def _write_mail(self, stays: int) -> None:
        random, letters = self.letters.random, self.letters
        mails = Mails(letters, self.mailing, self.platform, random, self.clock)
        mails.write(self.people)
        MailAlone(mails, letters, self.mailing, random, self.clock).write(self.people, stays)

    def __iter__(self) -> Iterator[Envelope]:
        return iter(self.envelopes)

    def __len__(self) -> int:
        return len(self.envelopes)

    def shuffled(self, seed: int) -> list[Envelope]:
        """The same messages in another order: the truth does not change."""
        other = list(self.envelopes)
        Random(seed).shuffle(other)
        return other

    def replayed(self) -> list[Envelope]:
        """Every message again, byte for byte, in the first order: the truth does not change."""
        return list(self.envelopes)

    @property
    def feeds(self) -> tuple[str, ...]:
        """The feeds it speaks on."""
        return (*FEEDS, *TRACED[self.platform.trace], *(MAILED if self.mail else ()))

    def inventory(self) -> str:
        """The inventory of the applications, in the format of config/applications.csv."""
        return self.landscape.inventory()

    def truth(self, today: date | None = None, count_test_ins: bool = True) -> Truth:
        """The true value of everything, on that day (default: the hospital's)."""
        mail = MailTruth(self.people, self.mailing.directory, self.letters.citizens, self.letters.others)
        rates = truth(self.clock, self.people, self.landscape, today or self.clock.today, count_test_ins, (mail.count,))
        counts = self.traffic.counts
        told = counters(self.platform)
        return Truth(rates, len(self.envelopes) - counts.passed, counts.unreadable, counts.duplicates, told)

    def _midnights(self) -> list[int]:
        """Where the windows begin and end: what happens minutes before and after must fall on the right side."""
        both = windows(self.clock.today)
        official, rolling = both["official"], both["rolling"]
        return [self.clock.at(day) for day in (official.first, rolling.first, official.last + timedelta(days=1))]

    # ---- people and their stays

    def _person(self, room: int) -> Person:
        """One person: its stays first (they bound everything else), then its identity, then its documents."""
        rng, clock = self.random, self.clock
        wanted = min(room, rng.choices((1, 2, 3, 4), (58, 24, 12, 6))[0])
        horizon = clock.now - _HORIZON_DAYS * DAY
        span = (clock.now - horizon) // DAY
        start = horizon + rng.randint(0, span if wanted == 1 else span // 2) * DAY
        kinds = rng.choices(list(_KINDS), list(_KINDS.values()), k=wanted)
        slots: list[tuple[str, int, int]] = []
        for index, kind in enumerate(kinds):
            if start > clock.now - DAY:
                break
            entry, leaving = self._slot(start, kind, index == wanted - 1)
            slots.append((kind, entry, leaving))
            if not leaving:
                break
            gone = leaving if kind != "sessions" else leaving + 40 * DAY
            start = gone + (_GAP_DAYS + int(rng.expovariate(1 / 18))) * DAY
        if not slots:
            slots = [("consultation", *self._slot(clock.now - 20 * DAY, "consultation", False))]
        first, last = slots[0][1], slots[-1][2] or clock.now
        person = self.registry.person(first, last)
        self.people.append(person)
        self._tell(person, slots)
        return person

    def _slot(self, start: int, kind: str, last: bool) -> tuple[int, int]:
        """Entry and exit, in local hours that make sense; exit 0 for a stay still open."""
        rng, clock = self.random, self.clock
        day = clock.day(start + DAY)
        entry = clock.at(day, rng.randint(7, 18), rng.randint(0, 59), rng.randint(0, 59))
        if entry > clock.now - 8 * HOUR:
            entry = clock.now - 30 * HOUR
        if kind != "inpatient":
            return entry, entry + rng.randint(90, 300) * MINUTE
        nights = rng.choices((0, 1, rng.randint(2, 5), rng.randint(6, 12), rng.randint(13, 25)), (18, 16, 41, 20, 5))[0]
        leaving = entry + rng.randint(6, 10) * HOUR if nights == 0 else self._exit(clock.day(entry + nights * DAY))
        edges = [edge for edge in self._edges if start + 3 * DAY < edge - nights * DAY < start + 40 * DAY]
        near = [night for night in self._nights if start + 3 * DAY < clock.at(night) - nights * DAY < start + 40 * DAY]
        if nights and near and rng.random() < 0.15:
            # Not in the hour that comes twice, nor so soon after it that a first exit, cancelled, would be in it: two
            # local times without offset cannot be put in order there, by anybody.
            leaving = clock.at(near[0], rng.choice((0, 1, 5, 23)), rng.randint(1, 58))
            entry = clock.at(clock.day(leaving - nights * DAY), 10, rng.randint(0, 59))
        elif nights and edges and rng.random() < 0.2:
            leaving = edges[0] + rng.choice((-1, 1)) * rng.randint(5, 500)
            entry = clock.at(clock.day(leaving - nights * DAY), 9, rng.randint(0, 59))
        if last and rng.random() < 0.02:  # today, before the present
            leaving = clock.at(clock.today, rng.choice((0, 1, 4)), rng.randint(1, 58))
            entry = leaving - rng.randint(2, 5) * DAY if leaving - entry > 30 * DAY else entry
        if leaving > clock.now - 30 * MINUTE:
            return entry, 0
        return entry, leaving

    def _exit(self, day: date) -> int:
        """An exit on that day: in the afternoon, or now and then on either side of midnight."""
        rng, clock = self.random, self.clock
        draw = rng.random()
        if draw < 0.05:
            return clock.at(day, 23, rng.randint(50, 59), rng.randint(0, 59))
        if draw < 0.10:
            return clock.at(day, 0, rng.randint(0, 9), rng.randint(0, 59))
        return clock.at(day, rng.randint(9, 18), rng.randint(0, 59), rng.randint(0, 59))

    def _tell(self, person: Person, slots: list[tuple[str, int, int]]) -> None:
        """Tells every stay, then the identity, then the documents of each stay."""
        inpatients: list[Stay] = []
        passages: list[Stay] = []
        plot = self._plot(slots)
        if plot:  # whatever the other file told, the DMP was the same all along: what is known at an entry is certain
            person.face.timeline = [each._replace(dmp=person.last.dmp) for each in person.face.timeline]
        if plot == "rekeyed":
            person.complicated = True
            person.face.numbers.append((slots[-1][1] + 31 * MINUTE, self.registry.ipp()))
        for index, (kind, entry, leaving) in enumerate(slots):
            last = index == len(slots) - 1
            if kind == "inpatient":
                bearers = self._bearers(person, plot, slots, index)
                stay = self.scenarios.inpatient(
                    person, entry, leaving, only=len(slots) == 1, last=last, bearers=bearers
                )
                self._merge(person, stay, plot, last)
                person.stays.append(stay)
                inpatients.append(stay)
            elif kind == "sessions":
                person.stays += self.scenarios.sessions(person, entry, self.random.randint(3, 8))
            elif kind == "nothing":
                self.scenarios.nothing(person, entry)
            else:
                klass = {"emergency": "E", "consultation": "O", "remote": "V"}[kind]
                stay = self.scenarios.passage(person, entry, leaving, klass)
                person.stays.append(stay)
                passages.append(stay)
        unseen = any(not stay.entry_known for stay in inpatients)
        person.complicated = person.complicated or (unseen and len(person.face.timeline) > 1)
        self.reference.announce(person, slots[0][1])
        self._write(person, inpatients, passages)

    def _write(self, person: Person, inpatients: list[Stay], passages: list[Stay]) -> None:
        for stay in passages:
            self.production.passage(stay, person)
        for stay in inpatients:
            self.production.inpatient(stay, person)
            earlier = [each for each in inpatients if each.counted and each.exit <= stay.entry]
            if stay.entry_known and self.random.random() < (0.55 if earlier else 0.08):
                self.production.history(person, stay, earlier)

    # ---- two files for one person, one stay in the wrong file

    def _plot(self, slots: list[tuple[str, int, int]]) -> str:
        if slots[-1][0] != "inpatient" or not slots[-1][2] or slots[-1][2] > self.clock.now - 5 * DAY:
            return ""
        plot = self.random.choices(("", "merged", "attached", "rekeyed"), (90, 5, 3, 2))[0]
        # An audit that names no document stays with the patient it names: another one than that of the stay, here.
        return plot if self.platform.measurable or plot != "attached" else ""

    def _bearers(self, person: Person, plot: str, slots: list[tuple[str, int, int]], index: int) -> Bearers | None:
        """For the last stay of a plot: who bears it at first, and until when."""
        if index != len(slots) - 1 or plot not in ("merged", "attached"):
            return None
        rng = self.random
        entry, leaving = slots[index][1], slots[index][2]
        turn = rng.choice((leaving - 40 * MINUTE, leaving + rng.randint(1, 3) * DAY))
        person.complicated = True
        if plot == "merged":
            return [(0, person, self.registry.plain(entry)), (turn, person, person.face)]
        stranger = self.registry.person(entry, leaving)
        stranger.complicated = True
        del stranger.face.timeline[1:]
        return [(0, stranger, stranger.face), (turn, person, person.face)]

    def _merge(self, person: Person, stay: Stay, plot: str, last: bool) -> None:
        """The message that puts the file right (A40, A44)."""
        if not last or plot not in ("merged", "attached"):
            return
        turn, former = stay.bearers[1][0], stay.bearers[0][2]
        if plot == "merged":
            prior = f"{former.ipp(turn)}^^^HX&990000001&M^PI"
            self.reference.identity(person, person.face, "A40", turn, prior=prior)
        elif turn > stay.exit or not stay.exit or self.random.random() < 0.7:  # else the next movement says it alone
            self.reference.attach(stay, turn, former)
        self.reference.identity(person, person.face, "A31", turn + 150)

    def _outpatients(self, count: int) -> None:
        """People without any stay, with examinations."""
        rng, clock = self.random, self.clock
        for _ in range(count):
            at = clock.now - rng.randint(20 * HOUR, _HORIZON_DAYS * DAY)
            if rng.random() < 0.2:
                at = rng.choice(self._edges) + rng.choice((-1, 1)) * rng.randint(1_300, 2_000)
                at = min(at, clock.now - 20 * HOUR)
            person = self.registry.person(at - 2 * DAY, at + 5 * DAY)
            self.people.append(person)
            self.reference.announce(person, at - DAY, certain=True)
            for _ in range(rng.randint(1, 2)):
                if rng.random() < 0.6:
                    self.production.biology(person, None, at)
                else:
                    self.production.imaging(person, None, at)
                at += 20 * MINUTE
