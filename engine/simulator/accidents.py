"""What else passes on the wire and must not count: rehearsals, mail from outside, the unreadable."""

from __future__ import annotations

from random import Random
from typing import Final

from engine.simulator import render, render_documents
from engine.simulator.applications import AIRE, DPI, LABEXT, PFI, RIS, SGL, TLR
from engine.simulator.clock import DAY, HOUR, MINUTE, Clock
from engine.simulator.patients import Person, Registry
from engine.simulator.production import Production
from engine.simulator.render_cda import BIOLOGY, IMAGING, LETTER, Document, cda
from engine.simulator.stays import Reference
from engine.simulator.traffic import DOCUMENTS, FEEDS, LATIN9, Traffic

_HPRIM: Final = b"H|~^\\&|||LABO^LABO ESSAI||ORU|||HX||P|H2.1~C|20260301\rP|1|700001||ESSAI-LIEN~LOUIS\rL|1|||\r"


class Accidents:
    """Adds to a hospital's traffic what real taps also hold."""

    def __init__(
        self,
        random: Random,
        clock: Clock,
        traffic: Traffic,
        registry: Registry,
        reference: Reference,
        production: Production,
    ) -> None:
        self.random = random
        self.clock = clock
        self.traffic = traffic
        self.registry = registry
        self.reference = reference
        self.production = production

    def happen(self, people: list[Person], stays: int) -> None:
        """All of them, in numbers that follow the number of stays."""
        for _ in range(stays // 60 + 1):
            self._rehearse(people)
        for _ in range(stays // 40 + 1):
            self._from_outside(people)
        for _ in range(stays // 60 + 1):
            self._teleradiology(people)
        for _ in range(stays // 50 + 1):
            self._external_laboratory()
        for _ in range(stays // 50 + 3):
            self._unreadable()
        self._introduce(people)

    def _moment(self) -> int:
        return self.clock.now - self.random.randint(HOUR, 150 * DAY)

    def _rehearse(self, people: list[Person]) -> None:
        """A whole stay of an invented patient in training mode, and a letter for a real stay: neither counts."""
        traffic, rng = self.traffic, self.random
        traffic.processing = rng.choice("TD")
        entry = self._moment() - 12 * DAY
        ghost = self.registry.person(entry, entry + DAY)
        stay = self.reference.stay(ghost, entry, entry + 2 * DAY, "I", "6268")
        self.reference.tell(stay, "A01", entry, "I")
        self.reference.tell(stay, "A03", stay.exit, "I", leaving=stay.exit)
        self.production.letter(stay, ghost)
        self.production.biology(ghost, stay, entry + 5 * HOUR)
        real = [each for person in people for each in person.stays if each.counted and each.visit and not each.reports]
        if real:
            stay = rng.choice(real)
            self.production.letter(stay, stay.owner)
        unplugged = traffic.landscape.by_endpoint["STERI@HX"]
        at = entry + HOUR
        shown = ghost.shown(ghost.face, at)
        traffic.rehearse(
            render.Adt(event="A31", recorded=at, recorded_text=self.clock.text(at), shown=shown), unplugged
        )
        traffic.processing = "P"

    def _from_outside(self, people: list[Person]) -> None:
        """A letter or an examination of another hospital, come by MSSanté (LPS volet)."""
        rng = self.random
        person, at = rng.choice(people), self._moment()
        identity = person.face.identity(at)
        number = self.production.desk.number()
        stamped = self.clock.stamped(at - HOUR)
        document = Document(
            root=f"1.2.250.1.999.43.10.{number}",
            extension="",
            chain=f"1.2.250.1.999.43.11.{number}",
            version=1,
            parent="",
            type_code=rng.choice((LETTER, BIOLOGY, IMAGING)),
            created=stamped,
            person=person,
            ins_root=identity.root,
            matricule=identity.matricule,
            ipp="EXT42",
            service_start=self.clock.stamped(at - DAY),
            service_stop="",
            encounter=None,
            orders=(),
            recipients=(),
            finess="990000019",
            level=rng.choice((1, 3)),
            large=False,
        )
        head = render.Head(PFI, DPI, self.clock.text(at), self.traffic.control(PFI), "UNICODE UTF-8")
        shown = person.shown(person.face, at)
        self.traffic.landscape.sent_by(PFI, shown.ins_root, shown.qualified)
        segments = render_documents.incoming(head, shown, document.type_code, cda(document))
        self.traffic.post(DOCUMENTS, at + 1, segments)
        if rng.random() < 0.6:
            self.traffic.acknowledge(head, "T02", "AA", at + 2, at + 2)

    def _teleradiology(self, people: list[Person]) -> None:
        """The answer to a teleradiology request: not a report."""
        person, at = self.random.choice(people), self._moment()
        head = render.Head(TLR, RIS, self.clock.text(at), self.traffic.control(TLR), LATIN9.label)
        shown = person.shown(person.face, at)
        number = f"TLR{self.production.desk.number()}"
        self.traffic.post(DOCUMENTS, at + 1, render_documents.teleradiology(head, shown, number), LATIN9)

    def _external_laboratory(self) -> None:
        """A report of a laboratory that is not the hospital's (``external_senders``)."""
        at = self._moment() - DAY
        person = self.registry.person(at - DAY, at)
        self.reference.announce(person, at - 3 * HOUR, certain=True)
        self.production.biology(person, None, at + 30 * MINUTE, sender=LABEXT)

    def _introduce(self, people: list[Person]) -> None:
        """The INS is shown at least once, beyond doubt, to every application that takes the reference."""
        at = self.clock.now - 2 * HOUR
        known = [each for each in people if each.last.qualified and each.last.root in (8, 9) and not each.complicated]
        if not known:
            return
        landscape, person = self.traffic.landscape, known[0]
        shown = person.shown(person.face, at)
        for application in landscape.applications:
            if application.diet in ("all", "identity") and not application.ins_roots & {8, 9}:
                news = render.Adt(event="A31", recorded=at, recorded_text=self.clock.text(at), shown=shown)
                self.traffic.introduce(news, application)
        if not landscape.aire.ins_roots & {8, 9}:
            head = render.Head(AIRE, SGL, self.clock.text(at), self.traffic.control(AIRE), LATIN9.label)
            number = f"P{self.production.desk.number()}"
            self.traffic.post(DOCUMENTS, at + 1, render.order(head, shown, "", "", "O", number, "LAB"), LATIN9)
            landscape.sent_by(AIRE, shown.ins_root, shown.qualified)

    def _unreadable(self) -> None:
        """Something nobody can read: noise, another format, a message cut before its kind."""
        rng, counts = self.random, self.traffic.counts
        payload = rng.choice(
            (
                bytes(rng.choice(range(0x80, 0x100)) for _ in range(rng.randint(40, 400))),
                _HPRIM.replace(b"700001", str(rng.randint(1, 10**9)).encode()),
                b"MSH|^~\\&|GAM|HX|DPI|HX|2026%08d" % rng.randint(0, 10**8 - 1),
                b"<?xml version='1.0'?><message numero='%d'/>" % rng.randint(0, 10**9),
            )
        )
        self.traffic.post_raw(rng.choice(FEEDS), self._moment(), payload)
        counts.unreadable += 1
