"""The hospital's mail server: it composes mails with their XDM, hands copies to the journal, and takes in what comes back.

What a mail is worth is written down at once, on the versions it carries (:class:`~engine.simulator.mailing.Sending`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final

from engine.simulator import render_documents, render_receipts
from engine.simulator.applications import PFI
from engine.simulator.clock import DAY, HOUR, Clock
from engine.simulator.correspondents import CITIZEN_DOMAIN, OWN_DOMAIN, SENDERS
from engine.simulator.documents import Report, Version
from engine.simulator.mailing import Order, Sending, Word
from engine.simulator.patients import ROOT
from engine.simulator.render import Head
from engine.simulator.render_cda import OIDS
from engine.simulator.render_mail import Attachment, Mail, mail
from engine.simulator.render_xdm import Archive, Part, archive
from engine.simulator.traces import FORMATS
from engine.simulator.traffic import ANSWERS, MAIL, SENT, Envelope, Traffic

_ZIPS: Final = ("application/zip", "application/zip", "application/x-zip-compressed", "application/octet-stream")
_NAMES: Final = ("IHE_XDM.ZIP", "IHE_XDM.zip", "ihe_xdm.zip", "documents.zip")


@dataclass(slots=True)
class Item:
    """One document of a mail. ``problem`` and ``root`` as in :class:`Sending`."""

    version: Version
    part: Part
    problem: str
    root: int


@dataclass(slots=True, eq=False, repr=False)
class Letter:
    """A mail that left, and what came back of it, by recipient."""

    mail: Mail
    payload: bytes
    words: dict[str, list[Word]] = field(default_factory=dict)

    @property
    def at(self) -> int:
        """When it was sent."""
        return self.mail.at


class Letters:
    """Composes, sends, and receives."""

    def __init__(self, random: Random, clock: Clock, traffic: Traffic) -> None:
        self.random = random
        self.clock = clock
        self.traffic = traffic
        self.citizens: list[Sending] = []  # to patients
        self.others: list[Sending] = []  # to professionals, with nothing that names a document
        self._number = 0

    def number(self) -> int:
        """A new number, for a mail or a document."""
        self._number += 1
        return self._number

    # ---- what a mail carries

    def item(self, report: Report, version: Version, index: int = 0) -> Item:
        """A document as it crossed the interface engine, byte for byte."""
        document = version.documents[index] if version.documents else None
        ipp = document.ipp if document is not None else report.face.ipp(version.created)
        source = f"{ipp}^^^&{OIDS}.1&ISO^PI"
        shown = version.shown
        unique_id = f"{OIDS}.10.{version.number}"
        if document is not None:
            unique_id = document.root + (f"^{document.extension}" if document.extension else "")
        part = Part(
            unique_id=unique_id,
            type_code=report.type_code,
            class_code="10",
            format_code=FORMATS[document.level if document is not None else 1],
            created=_utc(version.created),
            service_start=_utc(report.service_start),
            content=version.payloads[index].encode(),
            patient=patient(shown.matricule, shown.ins_root) if version.root else source,
            source_patient=source,
        )
        problem = "mss_not_cda" if version.form != "cda" else version.identity
        return Item(version, part, problem, version.root)

    def zipped(self, items: tuple[Item, ...], at: int, *, lying: bool = False, style: str = "") -> Attachment:
        """The XDM of these documents. ``style``: lower, stored or damaged."""
        what = Archive(
            set_id=f"{OIDS}.21.{self.number()}",
            submitted=_utc(at),
            patient=items[0].part.patient,
            parts=tuple(each.part for each in items),
            copies=self.random.random() < 0.5,
            lying=lying,
            lower=style == "lower",
            stored=style == "stored",
        )
        content = archive(what, self.pdf())
        if style == "damaged":
            content = content[: len(content) * 2 // 3]
        return Attachment(name=self.random.choice(_NAMES), kind=self.random.choice(_ZIPS), content=content)

    def pdf(self) -> bytes:
        """A PDF that no other document is."""
        return b"%%PDF-1.4\n%% essai %d\n1 0 obj<</Type/Catalog>>endobj\n%%%%EOF\n" % self.number()

    # ---- sending

    def send(
        self,
        at: int,
        to: tuple[str, ...],
        items: tuple[Item, ...] = (),
        attachments: tuple[Attachment, ...] = (),
        *,
        professional: bool = True,
        deletion: bool = False,
        subject: str = "XDM/1.0/DDM+Document d'essai",
    ) -> Letter:
        """Sends one mail. ``items``: what the reader can name of it; nothing is written down of a ``deletion``."""
        rng = self.random
        shape = rng.choices(("to", "cc", "bcc", "envelope"), (70, 14, 8, 8))[0]
        headers: list[tuple[str, str]] = []
        if items and rng.random() < 0.7:
            headers = [("X-MSS-CODECDA", items[0].part.type_code), ("X-MSS-INS", "O"), ("X-MSS-NIL", "00000-00")]
        if shape == "envelope":
            headers.append(("X-Envelope-To", ", ".join(to)))
        names = {"to": (to, (), ()), "cc": (to[:1], to[1:], ()), "bcc": ((), (), to), "envelope": ((), (), ())}[shape]
        message_id = f"<{self.clock.text(at)}.{self.number()}@{OWN_DOMAIN}>"
        what = Mail(
            message_id=message_id,
            at=at,
            sender=self._sender(),
            to=tuple(self._written(each) for each in names[0]),
            cc=names[1],
            bcc=names[2],
            subject=subject,
            attachments=attachments,
            headers=tuple(headers),
            html=rng.random() < 0.3,
        )
        letter = Letter(what, mail(what), {each.lower(): [] for each in to})
        self.leave(MAIL, at, letter.payload)
        if rng.random() < 0.12:  # the copy of the Sent mailbox is the same mail
            what.headers = (("X-Mailer", "logiciel-fictif"), *what.headers)
            self.leave(SENT, at + rng.randint(1, 300), mail(what))
        if not deletion:
            self._remember(letter, to, items, professional=professional)
        return letter

    def _remember(self, letter: Letter, to: tuple[str, ...], items: tuple[Item, ...], *, professional: bool) -> None:
        versions = tuple({id(each.version): each.version for each in items}.values())
        for address in to:
            words = letter.words[address.lower()]
            if address.lower().endswith(CITIZEN_DOMAIN):
                self.citizens.append(Sending(letter.at, address, words, versions))
                continue
            if not items and professional:
                self.others.append(Sending(letter.at, address, words))
            for item in items:
                sending = Sending(letter.at, address, words, versions, item.problem, item.root)
                item.version.mailed.append(sending)

    def _sender(self) -> str:
        address = self.random.choice(SENDERS)
        return address if self.random.random() < 0.5 else f"CH Fictif <{address}>"

    def _written(self, address: str) -> str:
        draw = self.random.random()
        if draw < 0.1:
            address = address.upper()
        return f'"Docteur Fictif, Sacha" <{address}>' if 0.05 < draw < 0.3 else address

    def leave(self, feed: str, due: int, payload: bytes) -> None:
        """One payload on its way: now and then days late, now and then twice."""
        rng = self.random
        due += rng.randint(HOUR, 6 * DAY) if rng.random() < 0.04 else rng.randint(0, 30)
        self.traffic.envelopes.append(Envelope(feed, due, payload))
        if rng.random() < 0.015:
            self.traffic.envelopes.append(Envelope(feed, due + rng.choice((0, 5, HOUR, 2 * DAY)), payload))
            self.traffic.counts.duplicates += 1

    # ---- what comes back

    def delivery(self, letter: Letter, address: str, at: int, action: str, code: str, *, named: bool = True) -> None:
        """A delivery status notification: delivered, relayed, expanded, delayed or failed."""
        told = render_receipts.status(address.lower() if named else "", action, code, at)
        whole = self.random.random() < 0.4
        payload = render_receipts.delivery(letter.mail, at, self._name(), told, letter.payload, whole=whole)
        self.leave(MAIL, at, payload)
        if action == "delayed":
            return
        for box in (address.lower(),) if named else tuple(letter.words):
            letter.words[box].append(Word(at, action != "failed"))

    def reading(self, letter: Letter, address: str, at: int, said: str, error: str = "") -> None:
        """A message disposition notification; with an error it is no word of reading."""
        self.leave(MAIL, at, render_receipts.disposition(letter.mail, address.lower(), at, self._name(), said, error))
        if not error and "error" not in said.lower():
            letter.words[address.lower()].append(Word(at, True, reading=True))

    def platform(self, report: Report, order: Order, word: Word) -> None:
        """What the platform says by ZAM of the HL7 message: of its delivery (Z02) or of its reading (Z03)."""
        order.words.append(word)
        text = self.clock.text
        head = Head(PFI, report.sender, text(word.at + 20), self.traffic.control(PFI), "UNICODE UTF-8")
        event = "Z03" if word.reading else "Z02"
        code = "" if word.yes else "550^Boîte non disponible"
        segments = render_documents.zam(head, event, text(word.at), order.control, word.yes, code, word.address)
        self.leave(ANSWERS, word.at + 20, ("\r".join(segments) + "\r").encode())

    def _name(self) -> str:
        return f"<recu.{self.number()}@mx.exemple.mssante.fr>"


def patient(matricule: str, root: int) -> str:
    """A patient as the metadata of an XDM names him: a CX of the INS."""
    return f"{matricule}^^^&{ROOT}{root}&ISO^NH"


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%S")
