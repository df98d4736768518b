"""What a document asks of MSSanté: its recipients and flags in the HL7 message, what the platform answers; and what became of each mail.

This is the hospital's own bookkeeping of docs/rules.md section 8: :class:`Order` is one HL7 message that carried a version, :class:`Sending` one mail
of it to one address. What they are worth is counted in ``truth_mail``. Whatever a seed draws here, the rest of the hospital stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from engine.simulator.clock import DAY, HOUR, Clock
from engine.simulator.correspondents import ARCHIVES, CITIZEN_DOMAIN, Correspondent, Directory, Receiver

if TYPE_CHECKING:
    from engine.simulator.documents import Report, Version
    from engine.simulator.patients import Person
    from engine.simulator.render_documents import Carried

MESSAGE_DAYS: Final = 7
_UNSURE: Final = 3 * HOUR


@dataclass(slots=True, frozen=True)
class Word:
    """What came back of a sending: a word of delivery, or of reading."""

    at: int
    yes: bool
    reading: bool = False
    address: str = ""  # "" when it names nobody: then it is said of every recipient


@dataclass(slots=True, eq=False, repr=False)
class Sending:
    """One mail to one address, with one document or none.

    ``versions``: all that the mail carries: what the platform says of any of them is said of the mail. ``problem``: what the document sent is missed for in DS4.1, in the words of its reasons; ``root`` is the authority of its INS.
    """

    at: int
    address: str
    words: list[Word]
    versions: tuple[Version, ...] = ()
    problem: str = ""
    root: int = 0


@dataclass(slots=True, eq=False, repr=False)
class Order:
    """One HL7 message that carried a version: what it asks of MSSanté, and what the platform said of it (ZAM Z02, Z03)."""

    at: int
    deletion: bool
    professional: bool  # DESTMSSANTEPS
    patient: bool  # DESTMSSANTEPAT
    receivers: tuple[Receiver, ...]  # of its PRT, or of its CDA
    citizen: str  # the address of the patient, "" when it has none
    drawn: tuple[bool, bool, bool] = (
        False,
        False,
        False,
    )  # what the desk would have asked: professional, patient, reading
    control: str = ""
    words: list[Word] = field(default_factory=list)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of its professional recipients."""
        return tuple(each.address for each in self.receivers if each.address)


def citizen(matricule: str) -> str:
    """The address of a patient in Mon espace santé."""
    return f"{matricule.lower()}@{CITIZEN_DOMAIN}" if matricule else ""


def bounds(person: Person) -> list[int]:
    """When a message to the patient begins or ceases to be one of a stay: nothing is sent near."""
    return [edge for stay in person.stays if stay.exit for edge in (stay.entry, stay.exit + MESSAGE_DAYS * DAY)]


def reachable(person: Person, matricule: str, at: int) -> bool:
    """Whether it is beyond doubt whose address this is, and what stay a message of that time belongs to."""
    told = {identity.matricule for identity in person.face.timeline if identity.matricule}
    retired = any(identity.retired for identity in person.face.timeline)
    known = all(stay.entry_known for stay in person.stays)
    near = any(abs(at - bound) < _UNSURE for bound in bounds(person))
    return known and not retired and told == {matricule} and not near


class Mailing:
    """Decides who each document is for. Draws from a source of its own."""

    def __init__(self, random: Random, clock: Clock, stays: int) -> None:
        self.random = random
        self.clock = clock
        self.directory = Directory(random, stays)

    # ---- recipients

    def address(self, report: Report, version: Version) -> None:
        """Decides who a new version is for, and whether the message (PRT) or the CDA says so."""
        rng = self.random
        if report.direct or version.form == "none":
            return
        before = [each for each in report.versions if each is not version and each.receivers]
        if before and rng.random() < 0.8:
            receivers = before[-1].receivers
        else:
            count = rng.choices((0, 1, 2, 3), (22, 58, 15, 5))[0]
            chosen = {id(each): each for each in (self.directory.choose(rng) for _ in range(count))}
            receivers = tuple(self._receiver(each) for each in chosen.values())
        version.receivers = receivers
        if report.volet == "1.2" or (version.form == "cda" and rng.random() < 0.12):
            version.told_by = "cda"
        elif receivers:
            version.told_by = "prt"

    def _receiver(self, who: Correspondent) -> Receiver:
        rng = self.random
        address = rng.choice(who.addresses) if who.addresses else who.other
        if who.number and who.listed and rng.random() < 0.15:
            address = ""  # by its number alone: the platform looks it up
        if rng.random() < 0.1:
            address = address.upper() if rng.random() < 0.5 else address.title()
        number = who.number if address == "" or rng.random() < 0.85 else ""
        return Receiver(number, address, who.structure)

    # ---- the HL7 message

    def order(self, report: Report, version: Version, at: int, message: Carried) -> Order:
        """Writes in a message what it asks of MSSanté, from what the desk drew; and remembers it."""
        shown = message.shown
        drawn = message.professional, message.patient, message.reading
        safe = bool(shown.matricule) and reachable(report.owner, shown.matricule, at)
        message.body = message.professional
        message.receivers = version.receivers if version.told_by == "prt" else ()
        receivers = version.receivers if version.told_by == "prt" or version.form == "cda" else ()
        deletion = message.request == "deletion"
        if deletion:  # it asks for no more than what it deletes had asked for
            message.professional = message.professional and any(each.professional for each in version.orders)
            message.patient = False
        # Without an address beside, any mailbox that the platform speaks of is the patient's. An address that the CDA alone names, and the
        # directory does not know, is not played beside a PRT for the patient.
        told = any(self.directory.at(each.address) for each in receivers)
        hidden = version.told_by == "cda" and any(each.address and self._unknown(each) for each in receivers)
        message.patient = message.patient and not hidden and (safe or (told and not shown.matricule))
        message.citizen = citizen(shown.matricule) if message.patient else ""
        order = Order(at, deletion, message.professional, message.patient, receivers, message.citizen, drawn)
        version.orders.append(order)
        return order

    def _unknown(self, receiver: Receiver) -> bool:
        who = self.directory.named(receiver)
        return who is not None and not who.listed

    def mailbox(self, order: Order) -> str:
        """The professional mailbox that the platform will speak of; "" for none by name, one of the hospital when it has nothing to say."""
        rng = self.random
        if not order.professional or order.deletion:
            return ARCHIVES
        boxes = [each.lower() for each in order.addresses if self.directory.at(each)]
        if not boxes and order.patient:
            return order.citizen
        if not boxes:  # looked up by its number
            found = [self.directory.numbered(each.number) for each in order.receivers]
            return next((each.addresses[0] for each in found if each is not None), ARCHIVES)
        if len(order.receivers) == 1 and not order.patient and rng.random() < 0.15:
            return ""
        return rng.choice(boxes)
