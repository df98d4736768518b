"""Stays: what really happened, and the movements by which the admission office (GAM) tells it.

A :class:`Stay` is the truth (class in force at the exit, exit, patient in the end). The :class:`Reference` writes the
ADT messages of one stay and of the identities; the scenarios that use it are in ``scenarios``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from engine.simulator.applications import Endpoint
from engine.simulator.clock import MINUTE, Clock
from engine.simulator.patients import Face, Identity, Person
from engine.simulator.render import Adt
from engine.simulator.traffic import Traffic

if TYPE_CHECKING:
    from engine.simulator.documents import Report

WARDS: Final = {
    "6268": "Chirurgie",
    "NEPH": "Néphrologie",
    "CARD": "Cardiologie",
    "GER1": "Gériatrie",
    "URG0": "Urgences",
    "CONS": "Consultations",
    "SEA1": "Séances",
    "TELE": "Télésurveillance",
    "BLOC1": "Bloc opératoire",
}
_TREATMENT: Final = {"I": "03", "E": "10", "O": "07", "R": "19", "V": ""}


@dataclass(slots=True, eq=False, repr=False)
class Stay:
    """One venue as it really was, once everything is corrected. Times are epoch seconds."""

    owner: Person
    visit: str  # PV1-19, "" when the site gives none
    dossier: str
    entry: int
    exit: int  # 0: still open
    klass: str  # in force at the exit
    unit: str
    bearers: list[tuple[int, Person, Face]]  # whose it was believed to be, since when
    numbers: list[tuple[int, str]] = field(default_factory=list)  # the dossier's numbers, since when (A49)
    operated: bool = False  # an operation is known
    reports: list[Report] = field(default_factory=list)
    ticked: int = 0  # when its last message was recorded
    entry_known: bool = True

    @property
    def counted(self) -> bool:
        """Whether it is one of the stays of the indicators: inpatient, and ended."""
        return bool(self.exit) and self.klass == "I"

    def bearer(self, at: int) -> tuple[Person, Face]:
        """The person and the file it was believed to be of, at that time."""
        found = self.bearers[0]
        for bearer in self.bearers:
            if bearer[0] <= at:
                found = bearer
        return found[1], found[2]

    def number(self, at: int) -> str:
        """The dossier number in use at that time."""
        found = self.dossier
        for since, number in self.numbers:
            if since <= at:
                found = number
        return found


class Reference:
    """The admission office: the only source of identities and movements."""

    sender: Final = Endpoint("GAM", "HX")

    def __init__(self, random: Random, clock: Clock, traffic: Traffic) -> None:
        self.random = random
        self.clock = clock
        self.traffic = traffic
        self._movement = 900_000
        self._visit = 260_000_000
        self._dossier = 26_000_000

    def visit(self) -> str:
        """A new venue number."""
        self._visit += 1
        return str(self._visit)

    def dossier(self) -> str:
        """A new dossier number."""
        self._dossier += 1
        return str(self._dossier)

    def movement(self) -> str:
        """A new movement number (ZBE-1)."""
        self._movement += 1
        return str(self._movement)

    def stay(self, owner: Person, entry: int, leaving: int, klass: str, unit: str) -> Stay:
        """A stay that nothing tells yet, borne by its owner's own file."""
        return Stay(owner, self.visit(), self.dossier(), entry, leaving, klass, unit, [(0, owner, owner.face)])

    def tell(
        self,
        stay: Stay,
        event: str,
        effect: int,
        klass: str,
        *,
        unit: str = "",
        action: str = "INSERT",
        movement: str | None = None,
        recorded: int = 0,
        nature: str = "HMS",
        original: str = "",
        historic: bool = False,
        level: str = "",
        preadmission: str = "",
        leaving: int = 0,
        closes: str = "",
        death: bool = False,
        visit: str | None = None,
    ) -> str:
        """Writes one movement; returns its ZBE-1. Recorded after its effect, and after the stay's message before."""
        recorded = max(recorded or effect + self.random.randint(20, 900), stay.ticked + 1)
        stay.ticked = recorded
        person, face = stay.bearer(recorded)
        number = self.movement() if movement is None else movement
        text = self.clock.text
        unit = unit or stay.unit
        message = Adt(
            event=event,
            recorded=recorded,
            recorded_text=text(recorded),
            shown=person.shown(face, recorded),
            dossier=stay.number(recorded),
            visit=stay.visit if visit is None else visit,
            klass=klass,
            unit=unit,
            label=WARDS.get(unit, unit),
            effect_text=text(effect),
            movement=number,
            action=action,
            historic="Y" if historic else "N",
            original=original,
            nature=nature,
            entry_text=text(stay.entry) if event not in ("A05", "A14") else "",
            exit_text=text(leaving) if leaving and self.random.random() < 0.9 else "",
            level=level,
            preadmission=preadmission,
            treatment=_TREATMENT.get(klass, ""),
            closes=closes,
            death_text=text(effect) if death else "",
            shifted=self.random.random() < 0.01,
            plain_unit=self.random.random() < 0.02,
        )
        self.traffic.reference(message)
        return number

    def cancel(
        self,
        stay: Stay,
        event: str,
        original: str,
        movement: str,
        klass: str,
        *,
        effect: int,
        recorded: int = 0,
        historic: bool = False,
        level: str = "",
        preadmission: str = "",
        visit: str | None = None,
    ) -> None:
        """Writes the cancellation of a movement (ZBE-4 = CANCEL); an empty ``movement`` leaves ZBE-1 empty."""
        self.tell(
            stay,
            event,
            effect,
            klass,
            action="CANCEL" if self.random.random() < 0.95 else "DELETE",
            movement=movement,
            original=original,
            recorded=recorded,
            historic=historic,
            level=level,
            preadmission=preadmission,
            visit=visit,
        )

    def fix(
        self,
        stay: Stay,
        original: str,
        movement: str,
        effect: int,
        klass: str,
        *,
        nature: str = "HMS",
        recorded: int = 0,
        leaving: int = 0,
        historic: bool = False,
    ) -> None:
        """Writes the correction of a movement (Z99, ZBE-4 = UPDATE)."""
        self.tell(
            stay,
            "Z99",
            effect,
            klass,
            action="UPDATE",
            movement=movement,
            original=original,
            nature=nature,
            recorded=recorded,
            leaving=leaving,
            historic=historic,
        )

    # ---- identities

    def identity(
        self, person: Person, face: Face, event: str, recorded: int, seen: Identity | None = None, prior: str = ""
    ) -> None:
        """Writes an identity message (A28, A31, A40, A47): no movement."""
        erased = event == "A47" and seen is not None and not seen.matricule
        shown = person.shown(face, recorded, seen, erased)
        text = self.clock.text(recorded)
        self.traffic.reference(Adt(event=event, recorded=recorded, recorded_text=text, shown=shown, prior=prior))

    def announce(self, person: Person, first: int, certain: bool = False) -> None:
        """The creation of the identity, now and then (the other times the first admission tells it), and its changes."""
        if certain or self.random.random() < 0.5:
            self.identity(person, person.face, "A28", first - self.random.randint(30 * MINUTE, 40 * MINUTE))
        for change in person.face.timeline[1:]:
            self.identity(person, person.face, change.event, change.since, change, change.retired)
        for since, number in person.face.numbers[1:]:
            former = person.face.ipp(since - 1)
            if number != former:
                self.identity(person, person.face, "A47", since, prior=f"{former}^^^HX&990000001&M^PI")

    def attach(self, stay: Stay, at: int, former: Face) -> None:
        """A44 (or A45): the dossier (the venue) belongs to its true owner, as known at ``at``."""
        shown = stay.owner.shown(stay.owner.face, at)
        venue = bool(stay.visit) and self.random.random() < 0.3
        message = Adt(event="A45" if venue else "A44", recorded=at, recorded_text=self.clock.text(at), shown=shown)
        message.klass = stay.klass
        message.visit, message.dossier = (stay.visit, "") if venue else ("", stay.number(at))
        message.prior = f"{former.ipp(at)}^^^HX&990000001&M^PI"
        self.traffic.reference(message)

    def renumber(self, stay: Stay, at: int, old: str) -> None:
        """A49: the dossier has another number."""
        person, face = stay.bearer(at)
        message = Adt(event="A49", recorded=at, recorded_text=self.clock.text(at), shown=person.shown(face, at))
        message.dossier, message.prior_dossier = stay.number(at), old
        stay.ticked = max(stay.ticked, at)
        self.traffic.reference(message)
