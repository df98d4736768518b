"""The fates of mail: which documents are mailed to whom, in what form, and what comes back; and what is written to patients.

Played once everything else has happened, from a source of its own: no other truth depends on it, but for the documents that mail alone
carries (``mailed_alone``). What the rules would leave open is not played.
"""

from __future__ import annotations

from random import Random
from typing import Final

from engine.simulator.clock import DAY, HOUR, MINUTE, Clock
from engine.simulator.correspondents import ARCHIVES, CITIZEN_DOMAIN
from engine.simulator.documents import Report, Version
from engine.simulator.letters import Item, Letter, Letters, patient
from engine.simulator.mailing import MESSAGE_DAYS, Mailing, Order, Word, citizen, reachable
from engine.simulator.patients import Person
from engine.simulator.platform import Platform
from engine.simulator.render_cda import OIDS
from engine.simulator.render_mail import Attachment
from engine.simulator.stays import Stay

_FORMS: Final = {
    "xdm": 58, "flawed": 5, "lower": 5, "stored": 4, "renamed": 4, "wrong": 3, "unknown": 3, "pdf_entry": 4, "damaged": 3, "pdf": 4,
    "two": 4, "deletion": 3,
}  # fmt: skip
_FATES: Final = {
    "silent": 28, "delivered": 22, "read": 9, "read_alone": 6, "bounced": 8, "delayed": 4, "temporary": 4, "relayed": 2, "contested": 3,
    "flawed": 4, "flawed_alone": 3, "unnamed": 2, "zam_yes": 3, "zam_no": 3, "zam_read": 2, "zam_unread": 2,
}  # fmt: skip
_CITIZEN: Final = {"before": 2, "during": 5, "after": 5, "late": 3}
_SAID: Final = (
    "manual-action/MDN-sent-manually; displayed",
    "automatic-action/MDN-sent-automatically; processed",
    "automatic-action/MDN-sent-automatically; dispatched",
)
_CODES: Final = ("5.1.1", "5.2.2", "5.7.1", "5.4.4")


class Mails:
    """Plays them all."""

    def __init__(self, letters: Letters, mailing: Mailing, platform: Platform, random: Random, clock: Clock) -> None:
        self.letters = letters
        self.mailing = mailing
        self.platform = platform
        self.random = random
        self.clock = clock
        self._known: list[Person] = []

    def write(self, people: list[Person]) -> None:
        """Everything that is mailed of what crossed the interface engine, and the messages to patients."""
        self._known = [each for each in people if each.last.matricule and not each.complicated]
        for person in people:
            for report in person.reports:
                if not report.direct or self.platform.trace in ("capture", "fhir"):
                    for version in report.versions:
                        self._version(person, report, version)
            for stay in person.stays:
                if stay.counted and self.random.random() < 0.5:
                    self._message(person, stay)

    # ---- documents

    def _version(self, person: Person, report: Report, version: Version) -> None:
        rng = self.random
        if version.form == "none" or (version.form == "unreadable" and not report.mdm):
            return
        orders = [order for order in version.orders if not order.deletion]
        asked = next((order for order in orders if order.professional), None)
        if not orders and not report.direct:
            return
        begin = asked.at if asked else version.sent_at[0]
        at = begin + rng.randint(20, 20 * MINUTE)
        addresses = self._addresses(report, version)
        if rng.random() > (0.5 if asked or report.direct else 0.06) or at > self.clock.now - 6 * HOUR or not addresses:
            return
        self._document(person, report, version, at, addresses)

    def _addresses(self, report: Report, version: Version) -> tuple[str, ...]:
        """Where it goes: to those it is for, looked up when the document names them by number; now and then to others besides."""
        rng, directory = self.random, self.mailing.directory
        found: dict[str, None] = {}
        for receiver in version.receivers:
            who = directory.named(receiver)
            if who is not None and rng.random() < 0.9:
                found[(receiver.address or rng.choice(who.addresses)).lower()] = None
        if rng.random() < (0.06 if found else 0.3) or report.direct:
            found[rng.choice(directory.reachable(rng).addresses)] = None
        return tuple(found)

    def _document(self, person: Person, report: Report, version: Version, at: int, to: tuple[str, ...]) -> None:
        """One document in one mail to everybody, then what comes back from each."""
        rng, letters = self.random, self.letters
        form = rng.choices(list(_FORMS), list(_FORMS.values()))[0]
        items = self._items(person, report, version, form)
        if items is None:
            form, items = "xdm", tuple(letters.item(report, version, index) for index in range(len(version.payloads)))
        pdf = Attachment(name="courrier.pdf", kind="application/pdf", content=letters.pdf())
        attachments: tuple[Attachment, ...] = (pdf,)
        if form != "pdf":
            zipped = letters.zipped(items, at, lying=form == "flawed", style=form)
            attachments = (zipped, pdf) if rng.random() < 0.8 else (zipped,)
        if form in ("damaged", "pdf"):
            items = ()
        mixed = citizen(version.shown.matricule)
        if rng.random() < 0.06 and version.root and reachable(person, version.shown.matricule, at):
            to = (*to, mixed)
        if rng.random() < 0.05:
            to = (*to, ARCHIVES)
        letter = letters.send(at, to, items, attachments, deletion=form == "deletion")
        order = next((each for each in version.orders if each.professional and not each.deletion), None)
        for address in to:
            self._fate(letter, address, report, version, order)
        if rng.random() < 0.05:  # days later, the document is asked back; or the same again, under another Message-ID
            later = at + rng.randint(1, 3) * DAY
            if later < self.clock.now - HOUR:
                self._again(report, version, later, to, deletion=rng.random() < 0.6)

    def _items(self, person: Person, report: Report, version: Version, form: str) -> tuple[Item, ...] | None:
        """The documents of a mail in this form; None when this one cannot be sent so."""
        letters = self.letters
        items = tuple(letters.item(report, version, index) for index in range(len(version.payloads)))
        first = items[0]
        if form in ("renamed", "wrong", "unknown", "pdf_entry") and version.form != "cda":
            return None
        if form == "renamed":
            first.part.unique_id = f"{OIDS}.14.{letters.number()}"
            return (first,)
        if form in ("wrong", "unknown"):
            other = self._other(person, form)
            if not version.root or version.identity == "ins_not_qualified" or not other:
                return None
            first.part.patient = patient(other, version.root)
            first.problem = "ins_mismatch"
            return (first,)
        if form == "pdf_entry":
            first.part.mime, first.part.content = "application/pdf", letters.pdf()
            first.problem = "mss_not_cda"
            return (first,)
        if form == "two":
            return self._two(person, report, version, first)
        if form == "deletion":
            first.part.action = "D"
            return (first,)
        return items

    def _other(self, person: Person, form: str) -> str:
        """The INS of somebody else: of a patient of the hospital, or of nobody that it knows."""
        if form == "wrong":
            found = self.random.choice(self._known)
            return found.last.matricule if found is not person and not person.complicated else ""
        return f"1850175999{self.random.randint(2, 990):03d}42" if not person.complicated else ""

    def _two(self, person: Person, report: Report, version: Version, first: Item) -> tuple[Item, ...] | None:
        """Two documents of two reports in one mail."""
        for other in person.reports:
            if other is report or other.direct or not other.versions:
                continue
            second = other.versions[0]
            if all(order.deletion for order in second.orders):
                continue
            if second.form == "cda" and second.root == version.root and second.sent_at[0] < version.sent_at[0]:
                return first, self.letters.item(other, second)
        return None

    def _again(self, report: Report, version: Version, at: int, to: tuple[str, ...], *, deletion: bool) -> None:
        items = tuple(self.letters.item(report, version, index) for index in range(len(version.payloads)))
        if deletion:
            for item in items:
                item.part.action = "D"
        boxes = tuple(each for each in to if not each.endswith(CITIZEN_DOMAIN))
        if boxes:
            letter = self.letters.send(at, boxes, items, (self.letters.zipped(items, at),), deletion=deletion)
            self.letters.delivery(letter, boxes[0], at + 40, "delivered", "2.0.0")

    # ---- what comes back

    def _fate(self, letter: Letter, address: str, report: Report, version: Version, order: Order | None) -> None:
        rng = self.random
        who = self.mailing.directory.at(address)
        name = rng.choices(list(_FATES), list(_FATES.values()))[0]
        if who is not None and who.closed:
            name = "bounced"
        if name.startswith("zam"):
            if order is None or who is None or not self._speaks(version, order, address):
                name = "delivered"
            else:
                self._platform(report, order, address, name, letter.at)
                return
        self.come_back(letter, address, name)
        if name == "bounced" and who is not None and not who.closed and rng.random() < 0.35 and version.form == "cda":
            again = rng.choice(who.addresses)  # another mailbox of his, or the same
            self._resend(report, version, letter.at + rng.randint(1, 20) * HOUR, again)

    @staticmethod
    def _speaks(version: Version, order: Order, address: str) -> bool:
        """Whether the platform may speak of this mailbox: of one that is no recipient it would be the patient's.

        Nor when it has spoken of everybody at once.
        """
        if any(not word.address for word in order.words):
            return False
        told = any(address.lower() == each.lower() for each in order.addresses)
        return not order.patient or (told and version.told_by == "prt")

    def _resend(self, report: Report, version: Version, at: int, address: str) -> None:
        if at < self.clock.now - 3 * HOUR:
            items = tuple(self.letters.item(report, version, index) for index in range(len(version.payloads)))
            letter = self.letters.send(at, (address,), items, (self.letters.zipped(items, at),))
            self.come_back(letter, address, self.random.choice(("delivered", "silent", "bounced")))

    def _platform(self, report: Report, order: Order, address: str, name: str, at: int) -> None:
        """Nothing comes back by mail: the platform says it."""
        at += self.random.randint(60, 3 * HOUR)
        reading = name in ("zam_read", "zam_unread")
        self.letters.platform(report, order, Word(at, name in ("zam_yes", "zam_read"), reading, address))

    def come_back(self, letter: Letter, address: str, name: str) -> None:
        """The receipts of one recipient."""
        rng, letters = self.random, self.letters
        soon = letter.at + rng.randint(2, 600)
        later = min(letter.at + rng.randint(20 * MINUTE, 2 * DAY), max(soon + 60, self.clock.now - 10 * MINUTE))
        code = rng.choice(_CODES)
        if name in ("delivered", "read", "flawed"):
            letters.delivery(
                letter, address, soon, rng.choice(("delivered", "delivered", "relayed", "expanded")), "2.0.0"
            )
        if name in ("read", "read_alone"):
            letters.reading(letter, address, later, rng.choice(_SAID))
        elif name == "bounced":
            letters.delivery(letter, address, soon, "failed", code)
        elif name == "delayed":
            letters.delivery(letter, address, soon, "delayed", "4.4.1")
            letters.delivery(letter, address, later, "delivered", "2.0.0")
        elif name == "temporary":
            letters.delivery(letter, address, soon, "failed", "4.2.2")
            letters.delivery(letter, address, later, "delivered", "2.0.0")
        elif name == "relayed":
            letters.delivery(letter, address, soon, "relayed", "2.0.0")
            letters.delivery(letter, address, later, "failed", code)
        elif name == "contested":  # refused, and read all the same
            letters.delivery(letter, address, soon, "failed", code)
            letters.reading(letter, address, later, rng.choice(_SAID))
        elif name in ("flawed", "flawed_alone"):
            said = "automatic-action/MDN-sent-automatically; processed/error"
            if rng.random() < 0.4:
                letters.reading(letter, address, later, said.replace("error", "Error: 902^Intégration impossible"))
            else:
                letters.reading(letter, address, later, said, "902^Intégration impossible")
        elif name == "unnamed":
            letters.delivery(letter, address, soon, rng.choice(("failed", "delivered")), code, named=False)

    # ---- patients

    def _message(self, person: Person, stay: Stay) -> None:
        """A message to the patient, before, during or after a stay; with or without anything attached."""
        rng = self.random
        when = rng.choices(list(_CITIZEN), list(_CITIZEN.values()))[0]
        at = {
            "before": stay.entry - rng.randint(8, 120) * HOUR,
            "during": rng.randint(stay.entry, stay.exit),
            "after": stay.exit + rng.randint(4 * HOUR, MESSAGE_DAYS * DAY - 4 * HOUR),
            "late": stay.exit + MESSAGE_DAYS * DAY + rng.randint(4 * HOUR, 9 * DAY),
        }[when]
        identity = person.face.identity(at)
        if at > self.clock.now - 4 * HOUR or not reachable(person, identity.matricule, at):
            return
        letters, address = self.letters, citizen(identity.matricule)
        if rng.random() < 0.3:
            address = address.upper()
        items: tuple[Item, ...] = ()
        attachments: tuple[Attachment, ...] = ()
        sent = [
            (report, version)
            for report in stay.reports
            for version in report.versions
            if version.form == "cda"
            and version.orders
            and version.root
            and not report.direct
            and version.sent_at[0] < at
        ]
        draw = rng.random()
        if draw < 0.4 and sent:
            items = (letters.item(*sent[0]),)
            attachments = (letters.zipped(items, at),)
        elif draw < 0.6:
            attachments = (Attachment(name="conseils.pdf", kind="application/pdf", content=letters.pdf()),)
        subject = rng.choice(("[FIN] Votre séjour", "Votre rendez-vous", "XDM/1.0/DDM+Votre document"))
        letter = letters.send(at, (address,), items, attachments, professional=False, subject=subject)
        fate = rng.choice(
            ("silent", "silent", "delivered", "read", "read_alone", "bounced", "bounced", "temporary", "flawed_alone")
        )
        self.come_back(letter, address, fate)
        again = at + rng.randint(1, 3) * HOUR
        if fate == "bounced" and rng.random() < 0.3 and reachable(person, identity.matricule, again):
            self.come_back(letters.send(again, (address,), professional=False), address, "delivered")
