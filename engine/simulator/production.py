"""Which reports, orders and appointments come with each stay and each person; how each joins its stay."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from engine.simulator import render
from engine.simulator.applications import AIRE, BLOC, DPI, LABEXT, RIS, SGL, Endpoint
from engine.simulator.clock import DAY, HOUR, MINUTE, Clock
from engine.simulator.documents import Desk, Report
from engine.simulator.fates import HISTORICAL, Fates
from engine.simulator.mailing import Mailing
from engine.simulator.patients import Person
from engine.simulator.platform import Platform
from engine.simulator.render_cda import BIOLOGY, CONSULTATION, IMAGING, LETTER, OPERATION, PRESCRIPTION
from engine.simulator.stays import Stay
from engine.simulator.traffic import DOCUMENTS, LATIN9, Traffic


class Production:
    """The clinical side of the hospital: writes what a stay gives rise to."""

    def __init__(self, random: Random, clock: Clock, traffic: Traffic, platform: Platform, mailing: Mailing) -> None:
        self.random = random
        self.clock = clock
        self.traffic = traffic
        self.desk = Desk(random, clock, traffic, platform, mailing)
        self.fates = Fates(random, clock, self.desk)

    # ---- reports

    def _report(
        self, type_code: str, sender: Endpoint, owner: Person, stay: Stay | None, created: int, start: int
    ) -> Report:
        rng = self.random
        report = Report(type_code, sender, owner, owner.face, stay, created, start, chain=self.desk.number())
        report.volet = rng.choices(("2.1", "2.0", "1.2"), (70, 20, 10))[0]
        report.mdm = rng.random() < {SGL: 0.0, RIS: 0.5, LABEXT: 0.0}.get(sender, 0.85)
        report.klass = stay.klass if stay is not None else "O"
        report.large = rng.random() < 0.006
        if sender in (SGL, RIS, LABEXT):
            report.placer, report.filler = f"P{self.desk.number()}", f"F{self.desk.number()}"
        if stay is not None and stay.visit and stay.counted and not owner.complicated and len(stay.bearers) == 1:
            report.linked = rng.choices(("visit", "dossier", "encounter", "patient"), (85, 5, 5, 5))[0]
        if self.traffic.processing == "P":
            owner.reports.append(report)
            if stay is not None:
                stay.reports.append(report)
        return report

    def _soon(self, created: int) -> int:
        """When it is first sent: within hours, now and then two days later."""
        rng = self.random
        return created + (rng.randint(5 * MINUTE, 6 * HOUR) if rng.random() < 0.9 else rng.randint(6 * HOUR, 2 * DAY))

    def _in_time(self, at: int) -> bool:
        return at < self.clock.now - 4 * HOUR

    def inpatient(self, stay: Stay, person: Person) -> None:
        """Everything that an inpatient stay gives rise to."""
        rng = self.random
        moved = len({id(bearer[1]) for bearer in stay.bearers}) > 1
        if rng.random() < 0.08:
            self._appointment(stay)
        if stay.exit:
            if rng.random() < 0.85:
                self.letter(stay, person)
            self._prescriptions(stay, person)
        if stay.exit and (rng.random() < 0.8 if stay.operated else rng.random() < 0.04):
            created = self._within(stay)
            sent = self._soon(created)
            if self._in_time(sent):
                report = self._report(OPERATION, rng.choice((BLOC, DPI)), person, stay, created, created - HOUR)
                stay.operated = True
                self.fates.play(report, sent, level=self._level())
        if not moved:
            self._examinations(
                stay, person, rng.choices((0, 1, 2, 3), (35, 35, 20, 10))[0], rng.choices((0, 1, 2), (65, 28, 7))[0]
            )

    def _level(self) -> int:
        return self.random.choices((1, 3, 2), (80, 17, 3))[0]

    def letter(self, stay: Stay, person: Person) -> None:
        """The discharge letter, in most cases written around the exit."""
        created = max(stay.entry + 30 * MINUTE, stay.exit + self.random.randint(-2 * HOUR, 30 * HOUR))
        sent = self._soon(created)
        if self._in_time(sent):
            report = self._report(LETTER, DPI, person, stay, created, stay.entry)
            if report.linked in ("dossier", "encounter") and self.random.random() < 0.4:
                report.created = stay.entry - self.random.randint(
                    HOUR, 3 * HOUR
                )  # dated from before: only the number tells
            self.fates.play(report, sent, level=self._level())
            if self.random.random() < 0.03:  # a second letter, with its own fate
                self.fates.play(self._report(LETTER, DPI, person, stay, created + 60, stay.entry), sent + 300)

    def _prescriptions(self, stay: Stay, person: Person) -> None:
        rng, clock = self.random, self.clock
        last = clock.day(stay.exit)
        days = [rng.choice((-1, 0, 0, 0, 1))] if rng.random() < 0.72 else []
        if rng.random() < 0.15:
            days.append(0)
        if rng.random() < 0.2:
            days.append(-rng.randint(2, 6))  # during the stay: not a discharge prescription
        if rng.random() < 0.06:
            days.append(rng.randint(2, 3))
        for offset in days:
            created = clock.at(
                last + timedelta(days=offset), rng.randint(8, 19), rng.randint(0, 59), rng.randint(0, 59)
            )
            if offset == 0 and rng.random() < 0.15:
                created = clock.at(last, rng.choice((0, 23)), rng.randint(1, 58))
            if created <= stay.entry + 5 * MINUTE:
                continue
            sent = created + rng.randint(5 * MINUTE, 4 * HOUR)
            if self._in_time(sent):
                report = self._report(PRESCRIPTION, DPI, person, stay, created, created)
                self.fates.play(report, sent, level=self._level())

    def _within(self, stay: Stay) -> int:
        end = stay.exit or self.clock.now
        return self.random.randint(stay.entry + 20 * MINUTE, max(stay.entry + 21 * MINUTE, end - 10 * MINUTE))

    # ---- laboratory and imaging

    def _examinations(self, stay: Stay, person: Person, bloods: int, images: int) -> None:
        for _ in range(bloods):
            self.biology(person, stay, self._within(stay))
        for _ in range(images):
            self.imaging(person, stay, self._within(stay))

    def passage(self, stay: Stay, person: Person) -> None:
        """What an emergency passage or a consultation gives rise to."""
        rng = self.random
        self._examinations(stay, person, int(rng.random() < 0.35), int(rng.random() < 0.3))
        if stay.klass == "O" and rng.random() < 0.35:
            created = stay.exit
            sent = self._soon(created)
            if self._in_time(sent):
                report = self._report(CONSULTATION, rng.choice((DPI, DPI, AIRE)), person, stay, created, stay.entry)
                self.fates.play(report, sent)

    def biology(self, person: Person, stay: Stay | None, created: int, sender: Endpoint = SGL) -> None:
        """One biology report, in one of the forms met."""
        rng = self.random
        sent = created + rng.randint(5 * MINUTE, 3 * HOUR)
        if not self._in_time(sent):
            return
        names = ("n3", "n1", "n2", "classic", "both", "classic_n3", "preliminary", "erased")
        form = rng.choices(names, (58, 9, 2, 12, 8, 6, 3, 2))[0]
        if form in ("classic_n3", "classic", "preliminary"):
            created = self.clock.at(self.clock.day(created), rng.randint(9, 15), rng.randint(0, 59))
            sent = created + rng.randint(5 * MINUTE, 3 * HOUR)
            if not self._in_time(sent) or (stay is not None and not stay.entry < created - HOUR):
                return
        if stay is not None and rng.random() < 0.3:
            self._order(stay, created - HOUR, "LAB")
        report = self._report(BIOLOGY, sender, person, stay, created, created - HOUR)
        report.own = sender == SGL
        if form == "erased":  # a deletion of something never seen: no report
            report.final = False
            version = self.desk.version(report, sent, level=3)
            self.desk.send(report, version, sent, request="deletion")
            version.way = "deleted"
            return
        if form in ("classic", "classic_n3", "preliminary"):
            self._classic(report, sent, form)
            if form != "classic_n3":
                return
            sent += 10 * MINUTE
        level = {"n1": 1, "n2": 2}.get(form, 3)
        self.fates.play(report, sent, level=level, companion=1 if form == "both" else 0)

    def _classic(self, report: Report, sent: int, form: str) -> None:
        report.final = form != "preliminary"
        report.linked = "visit"
        version = self.desk.version(report, sent, form="none", level=0)
        if form == "preliminary" or self.random.random() < 0.3:
            self.desk.result(report, version, sent - 200, "P")
        if form != "preliminary":
            self.desk.result(report, version, sent, "F")

    def imaging(self, person: Person, stay: Stay | None, created: int) -> None:
        """One imaging report, mostly of level 1."""
        rng = self.random
        sent = self._soon(created)
        if not self._in_time(sent):
            return
        if stay is not None and rng.random() < 0.2:
            self._order(stay, created - HOUR, "RAD")
        report = self._report(IMAGING, RIS, person, stay, created, created - 2 * HOUR)
        if rng.random() < 0.1:
            self._classic(report, sent, "classic")
        else:
            self.fates.play(report, sent, level=rng.choices((1, 3, 2), (75, 22, 3))[0])

    # ---- documents of earlier stays

    def history(self, person: Person, stay: Stay, earlier: list[Stay]) -> None:
        """Documents of earlier stays (or older, of no stay that is known), fed during this one."""
        rng = self.random
        for _ in range(rng.choices((1, 2, 3), (70, 25, 5))[0]):
            end = min(stay.exit or self.clock.now, self.clock.now - 6 * HOUR)
            sent = rng.randint(stay.entry + 2 * HOUR, max(stay.entry + 3 * HOUR, end + DAY))
            only: tuple[str, ...] = HISTORICAL
            if stay.exit and rng.random() < 0.2:  # weeks after the exit: still in time, or no longer
                sent = stay.exit + rng.randint(20, 55) * DAY + rng.randint(0, 20) * HOUR
                only = tuple(each for each in HISTORICAL if each != "erased")
            if not self._in_time(sent):
                continue
            old = rng.choice(earlier) if earlier and rng.random() < 0.65 else None
            if old is not None:
                created, start = old.exit + rng.randint(1, 20) * HOUR, old.entry
            else:  # years before everything
                created = stay.entry - rng.randint(700, 2_500) * DAY
                start = created - HOUR
            report = self._report(rng.choice((CONSULTATION, "34112-3")), DPI, person, old, created, start)
            report.historical, report.linked, report.volet = True, "visit", "2.1"
            self.fates.play(report, sent, level=self._level(), only=only)

    # ---- orders, appointments

    def _head(self, sender: Endpoint, to: Endpoint, at: int) -> render.Head:
        text = self.clock.text(at)
        return render.Head(sender, to, text, self.traffic.control(sender), LATIN9.label, self.traffic.processing)

    def _order(self, stay: Stay, at: int, section: str) -> None:
        """An order of the patient record, acknowledged or not: it is neither a report nor an operation."""
        person, face = stay.bearer(at)
        shown = person.shown(face, at)
        head = self._head(DPI, SGL if section == "LAB" else RIS, at)
        number = f"P{self.desk.number()}"
        segments = render.order(head, shown, stay.visit, stay.number(at), stay.klass, number, section)
        self.traffic.landscape.sent_by(DPI, shown.ins_root, shown.qualified and self.traffic.processing == "P")
        self.traffic.post(DOCUMENTS, at + 1, segments, LATIN9)

    def _appointment(self, stay: Stay) -> None:
        """An appointment of the theatre: the stay has an operation."""
        rng, text = self.random, self.clock.text
        at = stay.entry + rng.choice((-3 * DAY, -DAY, 30 * MINUTE))
        start = stay.entry + rng.randint(1, 3) * HOUR
        person, face = stay.bearer(at)
        shown = person.shown(face, at)
        head = self._head(BLOC, DPI, at)
        number = f"RDV{self.desk.number()}"
        segments = render.appointment(head, shown, stay.visit, stay.number(at), number, text(start), text(start + HOUR))
        self.traffic.landscape.sent_by(BLOC, shown.ins_root, shown.qualified and self.traffic.processing == "P")
        self.traffic.post(DOCUMENTS, at + 1, segments, LATIN9)
        stay.operated = True
