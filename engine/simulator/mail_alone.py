"""What mail alone carries: documents that never crossed the interface engine, and everything that is no sending.

Receipts and replies of the hospital's own, mail that comes in, mail to itself, to the test address or outside.
"""

from __future__ import annotations

from random import Random
from typing import Final

from engine.simulator.applications import DPI
from engine.simulator.clock import DAY, HOUR, Clock
from engine.simulator.correspondents import ARCHIVES, OWN_DOMAIN, SENDERS, TEST_ADDRESS, Receiver
from engine.simulator.documents import Report, Version
from engine.simulator.letters import Letters, patient
from engine.simulator.mailing import Mailing
from engine.simulator.mails import Mails
from engine.simulator.patients import Face, Identity, Person
from engine.simulator.render_cda import CONSULTATION, OIDS, Document, cda
from engine.simulator.render_mail import Attachment, Mail, mail
from engine.simulator.traffic import MAIL

_KINDS: Final = {
    "plain": 8, "numbered": 2, "nobody": 2, "replaced": 3, "late": 2, "pdf": 2, "differs": 2, "flawed": 2, "asked": 3, "erased": 2, "everybody": 2,
}  # fmt: skip
_INCOMING: Final = "dr.confrere@cabinet-fictif.mssante.fr"
_SISTER: Final = "courrier@ch-voisin.mssante.fr"


class MailAlone:
    """Adds it to a hospital's mail."""

    def __init__(self, mails: Mails, letters: Letters, mailing: Mailing, random: Random, clock: Clock) -> None:
        self.mails = mails
        self.letters = letters
        self.mailing = mailing
        self.random = random
        self.clock = clock

    def write(self, people: list[Person], stays: int) -> None:
        """All of it, in numbers that follow the number of stays."""
        known = [
            each
            for each in people
            if not each.stays and len(each.face.timeline) == 1 and each.last.matricule and not each.complicated
        ]
        for _ in range(stays // 12 + 4):
            kind = self.random.choices(list(_KINDS), list(_KINDS.values()))[0]
            if known:
                self._document(people, self.random.choice(known), kind)
        for _ in range(stays // 40 + 2):
            self._noise()

    # ---- documents that mail alone carries

    def _document(self, people: list[Person], person: Person, kind: str) -> None:
        rng = self.random
        at = self.clock.now - rng.randint(12 * HOUR, 150 * DAY)
        if kind == "nobody":
            person = Person(0, "ESSAI-INCONNU", "CAMILLE", "19800101", "F", "75999", "", 0, Face([(0, "")], [_UNKNOWN]))
            people.append(person)
        report = Report(rng.choice((CONSULTATION, "34112-3")), DPI, person, person.face, None, at - HOUR, at - 2 * HOUR)
        report.chain, report.mailed_alone = self.letters.number(), True
        first = self._version(report, at, kind)
        if kind != "erased":
            person.reports.append(report)
        to = (rng.choice(self.mailing.directory.reachable(rng).addresses),)
        if kind == "late":  # its first version was never seen
            self._version(report, at, kind)
            report.versions.pop(0)
            self._mail(report, report.versions[0], at + 60, to, kind)
            return
        self._mail(report, first, at, to, kind)
        later = at + rng.randint(1, 5) * HOUR
        if kind in ("replaced", "everybody") and later < self.clock.now - HOUR:
            version = self._version(report, later, kind) if kind == "replaced" else first
            other = rng.choice(self.mailing.directory.reachable(rng).addresses)
            self._mail(report, version, later, (other, to[0]) if other != to[0] else to, kind)

    def _version(self, report: Report, at: int, kind: str) -> Version:
        rng, person = self.random, report.owner
        identity = report.face.identity(at)
        if kind in ("numbered", "nobody"):
            identity = identity._replace(matricule="", root=0)
        shown = person.shown(report.face, at, identity)
        missed = "ins_absent" if not identity.root else "" if identity.qualified else "ins_not_qualified"
        if not missed and kind == "differs":
            missed = "ins_mismatch"
        number = 500_000 + self.letters.number()
        form = "unreadable" if kind == "pdf" else "cda"
        version = Version(number, form, 1, identity.root, missed, shown, at - HOUR if not report.versions else at - 60)
        before = report.versions[-1] if report.versions else None
        matricule = identity.matricule
        if kind == "differs":
            matricule = f"2900675999{rng.randint(2, 998):03d}61"
        document = Document(
            root=f"{OIDS}.10.{number}",
            extension="",
            chain=f"{OIDS}.11.{500_000 + report.chain}.1",
            version=len(report.versions) + 1,
            parent=f"{OIDS}.10.{before.number}" if before is not None else "",
            type_code=report.type_code,
            created=self.clock.stamped(version.created),
            person=person,
            ins_root=identity.root,
            matricule=matricule,
            ipp=report.face.ipp(at) if kind != "nobody" else "",
            service_start=self.clock.stamped(report.service_start),
            service_stop="",
            encounter=None,
            orders=(),
            recipients=self._recipients(version) if kind == "asked" else (),
            finess="990000001",
            level=1,
            large=False,
        )
        version.documents, version.payloads = (document,), (cda(document),)
        report.versions.append(version)
        return version

    def _recipients(self, version: Version) -> tuple[Receiver, ...]:
        """Whom the CDA of a mail is for: somebody that the directory knows, and an address that it does not."""
        found = self.mailing.directory.numbered(self.mailing.directory.equipped[0].number)
        listed = Receiver(found.number, "") if found is not None else Receiver("", "")
        version.receivers, version.told_by = (listed,), "mail"
        return listed, Receiver("", "dr.jamaisvu@inconnu-fictif.mssante.fr")

    def _mail(self, report: Report, version: Version, at: int, to: tuple[str, ...], kind: str) -> None:
        letters, document = self.letters, version.documents[0]
        item = letters.item(report, version)
        if kind == "pdf":
            item.part.mime, item.part.content = "application/pdf", letters.pdf()
        if kind == "nobody":
            item.part.patient = item.part.source_patient = ""
        if kind == "erased":
            item.part.action = "D"
        if kind == "replaced" and document.parent:
            item.part.replaces = document.parent
        if item.root:
            item.part.patient = patient(version.shown.matricule, version.root)
        zipped = letters.zipped((item,), at, lying=kind == "flawed")
        letter = letters.send(at, to, (item,), (zipped,), deletion=kind == "erased")
        for address in to:
            self.mails.come_back(letter, address, self.random.choice(("silent", "delivered", "read", "bounced")))

    # ---- what is no sending

    def _noise(self) -> None:
        """One of each: none of these is a sending to a correspondent or to a patient."""
        rng, letters, clock = self.random, self.letters, self.clock
        at = clock.now - rng.randint(2 * HOUR, 150 * DAY)
        pdf = Attachment(name="note.pdf", kind="application/pdf", content=letters.pdf())
        for address in (TEST_ADDRESS, ARCHIVES, "patient@exemple.invalid", "dupont@patient.mssante.fr"):
            letter = letters.send(at + rng.randint(0, HOUR), (address,), (), (pdf,), professional=False)
            self.mails.come_back(letter, address, rng.choice(("silent", "bounced", "delivered")))
        foreign = Mail(
            message_id=f"<{letters.number()}@cabinet-fictif.mssante.fr>", at=at, sender=_INCOMING, to=(SENDERS[0],)
        )
        received = mail(foreign)
        self._leave(at, received)
        self._leave(at, self._of(at, _SISTER, (_INCOMING,), "Envoi d'un autre établissement"))
        automatic = (("Auto-Submitted", "auto-replied"), ("In-Reply-To", foreign.message_id))
        self._leave(at, self._of(at, SENDERS[2], (_INCOMING,), "Réponse automatique : absence", automatic))
        self._leave(at, self._of(at, _INCOMING, (SENDERS[0],), "Absence", automatic))
        returned = (("Return-Path", "<>"),)
        self._leave(at, self._of(at, f"postmaster@{OWN_DOMAIN}", (_INCOMING,), "Information", returned))
        for subject in ("[KO Intégration système !][902] Envoi", "Undelivered: Envoi", "Message non distribué : Envoi"):
            self._leave(at, self._of(at, SENDERS[1], (_INCOMING,), subject, carried=received))

    def _of(
        self,
        at: int,
        sender: str,
        to: tuple[str, ...],
        subject: str,
        headers: tuple[tuple[str, str], ...] = (),
        carried: bytes = b"",
    ) -> bytes:
        name = f"<{self.letters.number()}@{sender.rpartition('@')[2]}>"
        what = Mail(message_id=name, at=at + 5, sender=sender, to=to, subject=subject, headers=headers, carried=carried)
        return mail(what)

    def _leave(self, at: int, payload: bytes) -> None:
        self.letters.leave(MAIL, at, payload)


_UNKNOWN: Final = Identity(0, "", "", 0, "", "")
