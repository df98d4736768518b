"""Reports, their versions and their sendings: what the hospital wrote, and what it knows of the fate of each.

The truth is written down here at the moment it is decided ("this letter is refused by the DMP"), in the words of
docs/rules.md section 3: :attr:`Version.identity`, :attr:`Version.way`, :attr:`Version.accepted_at`. The
:class:`Desk` turns the decisions into messages; the plots that use it are in ``fates``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from engine.simulator import render, render_documents
from engine.simulator.applications import DPI, PFI, Endpoint
from engine.simulator.clock import DAY, HOUR, Clock
from engine.simulator.correspondents import ARCHIVES, Receiver
from engine.simulator.mailing import Mailing, Order, Sending, Word
from engine.simulator.patients import Face, Identity, Person, Shown
from engine.simulator.platform import Platform, Request
from engine.simulator.render_cda import ENCOUNTER_ROOT, OIDS, Document, cda
from engine.simulator.traffic import ANSWERS, DOCUMENTS, LATIN9, UTF8, Traffic

if TYPE_CHECKING:
    from engine.simulator.stays import Stay

_ERRORS: Final = ("DMPClosed^DMP fermé", "DMPInvalidData^Métadonnées incorrectes", "DMPUnknown^DMP inexistant")
_BROKEN: Final = (
    "Document medical au format CDA niveau 1",
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><realmCode code=',
    "%PDF-1.4 essai",
)


@dataclass(slots=True, eq=False, repr=False)
class Version:
    """One CDA, and its fate. ``way`` is "" when it stands accepted, else the reason decided for it."""

    number: int  # makes its id
    form: str  # cda, unreadable, none
    level: int
    root: int  # INS authority in the message's PID-3, 0 without INS
    identity: str  # "", ins_absent, ins_not_qualified, ins_mismatch
    shown: Shown
    created: int
    companion: int = 0  # level of the second rendering in the same message (N1 beside N3)
    way: str = "not_addressed"
    accepted_at: int = 0
    sent_at: list[int] = field(default_factory=list)
    documents: tuple[Document, ...] = ()
    payloads: tuple[str, ...] = ()
    unseen: bool = False  # no trace ever showed its body
    acknowledged: bool = False  # taken by the platform, whose submission then failed
    set_ids: list[str] = field(default_factory=list)  # submission sets that its HL7 messages announce
    receivers: tuple[Receiver, ...] = ()  # who it is for, patient apart
    told_by: str = ""  # what says so: prt or cda
    orders: list[Order] = field(default_factory=list)  # the HL7 messages that carried it, as MSSanté sees them
    mailed: list[Sending] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Report:
    """A chain of versions. ``linked`` is how its messages tell the stay: visit, dossier, encounter, patient."""

    type_code: str
    sender: Endpoint
    owner: Person
    face: Face
    stay: Stay | None
    created: int
    service_start: int
    chain: int = 0  # makes its setId
    linked: str = "visit"
    volet: str = "2.1"
    mdm: bool = True
    placer: str = ""
    filler: str = ""
    klass: str = "I"
    large: bool = False
    final: bool = True
    own: bool = True  # the establishment's own production
    historical: bool = False
    mailed_alone: bool = False  # known by mail alone: no word of it ever reached the DMP's traces
    direct: bool = False  # no HL7 message carries it: only the traces of its submission are seen
    versions: list[Version] = field(default_factory=list)


class Desk:
    """Writes documents and their answers: the record, the laboratory, the radiology, and the platform (PFI)."""

    def __init__(self, random: Random, clock: Clock, traffic: Traffic, platform: Platform, mailing: Mailing) -> None:
        self.random = random
        self.clock = clock
        self.traffic = traffic
        self.platform = platform
        self.mailing = mailing
        self._number = 1_000

    def number(self) -> int:
        """A new number, for a document or an order."""
        self._number += 1
        return self._number

    # ---- versions

    def version(
        self,
        report: Report,
        at: int,
        *,
        level: int = 1,
        form: str = "cda",
        accident: str = "",
        companion: int = 0,
        created: int = 0,
    ) -> Version:
        """A new version, made from what is known of the patient when it is first sent (``at``).

        ``accident``: ``absent`` (the message forgets the INS), ``unqualified`` (it says PROV), ``bare`` and
        ``other`` and ``root`` (the CDA holds no INS, another one, one under another authority).
        """
        person, face = report.stay.bearer(at) if report.stay and not report.historical else (report.owner, report.face)
        identity = face.identity(at)
        if accident == "absent":
            identity = identity._replace(matricule="", root=0)
        elif accident == "unqualified":
            identity = identity._replace(status=self.random.choice(("PROV", "VALI~FICT", "RECUP")))
        shown = person.shown(face, at, identity)
        missed = "ins_absent" if not identity.root else "" if identity.qualified else "ins_not_qualified"
        if not missed and accident in ("bare", "other", "root"):
            missed = "ins_mismatch"
        version = Version(
            self.number(), form, level, identity.root, missed, shown, created or report.created, companion
        )
        self.mailing.address(report, version)
        if form == "unreadable":
            version.payloads = (self.random.choice(_BROKEN),)
        elif form == "cda":
            levels = (level, companion) if companion else (level,)
            version.documents = tuple(
                self._document(report, version, identity, person, face, at, each, accident) for each in levels
            )
            version.payloads = tuple(map(cda, version.documents))
            if self.random.random() < 0.03:  # what some editors put before the root
                version.payloads = tuple(_dressed(text) for text in version.payloads)
        steady = not any(at < change.since < at + 8 * DAY for change in face.timeline)
        plain = not (person.complicated or report.historical or identity.corrected or accident == "unqualified")
        if steady and plain and self.random.random() < 0.08:  # PID-32 absent: the last ADT says it
            version.shown = shown._replace(status="")
        report.versions.append(version)
        return version

    def _document(
        self,
        report: Report,
        version: Version,
        identity: Identity,
        person: Person,
        face: Face,
        at: int,
        level: int,
        accident: str,
    ) -> Document:
        rng, stamped, stay = self.random, self.clock.stamped, report.stay
        root, matricule = identity.root, identity.matricule
        if accident == "bare":
            root = 0
        elif accident == "other":
            matricule = f"2900675999{rng.randint(2, 998):03d}61"
        elif accident == "root" and root:
            root = 10 if root == 8 else 8
        number = version.number if level == version.level else self.number()
        cdas = [each for each in report.versions if each.form != "none"]
        parent = cdas[-1] if cdas else None
        extension = f"DOC{number}" if number % 9 == 0 and not parent and number % 2 else ""
        encounter: tuple[str, str] | None = None
        if stay is not None and stay.visit and report.linked == "encounter":
            encounter = (ENCOUNTER_ROOT, stay.visit)
        elif rng.random() < 0.3:  # the trap of the official samples: a doctor's number as encounter id
            encounter = ("1.2.250.1.71.4.2.1", "899990000017")
        return Document(
            root=f"{OIDS}.10" if extension else f"{OIDS}.10.{number}",
            extension=extension,
            chain=f"{OIDS}.11.{report.chain}.{level}",
            version=len(cdas) + 1,
            parent=_oid(parent) if parent is not None and "^" not in _txa(parent) else "",
            type_code=report.type_code,
            created=stamped(version.created),
            person=person,
            ins_root=root,
            matricule=matricule,
            ipp=face.ipp(at),
            service_start=stamped(report.service_start),
            service_stop=stamped(report.created)
            if report.created >= report.service_start and rng.random() < 0.7
            else "",
            encounter=encounter,
            orders=(report.placer,) if report.placer else (),
            recipients=version.receivers if version.told_by == "cda" else (),
            finess="990000001",
            level=level,
            large=report.large,
        )

    # ---- messages

    def send(
        self,
        report: Report,
        version: Version,
        at: int,
        *,
        request: str = "",
        dmp: str = "Y",
        technical: str = "AA",
        answers: tuple[tuple[int, bool], ...] = (),
        early: bool = False,
        swapped: bool = False,
        to: Endpoint = PFI,
        fault: bool = False,
        disputed: bool = False,
    ) -> int:
        """Sends one version; the platform acknowledges (``technical``, "" for nothing), the DMP answers.

        ``answers``: (seconds after the sending, accepted). ``early``: the answers reach the tap before the document.
        ``swapped``: they reach it in the wrong order. ``fault``: the submission fails on the way to the DMP. ``disputed``:
        two traces of it contradict each other. Returns the time of the last event.
        """
        asked = Request(report, version, at, request, dmp, technical, to, "", fault, disputed, answers)
        if report.direct:
            return self._straight(asked)
        rng, text = self.random, self.clock.text
        reused = self.traffic.reused_control(report.sender, at) if all(wait > 0 for wait, _ in answers) else None
        control = reused or self.traffic.control(report.sender)
        charset = self.traffic.charset(LATIN9 if report.volet == "1.2" else UTF8)
        moment = self.clock.stamped(at) if rng.random() < 0.05 else text(at)
        head = render.Head(report.sender, to, moment, control, charset.label, self.traffic.processing)
        follows = any(each.number < version.number and each.form != "none" for each in report.versions)
        asked.request = request = request or ("replacement" if follows else "initial")
        message = self._carried(report, version, request, dmp)
        order = self.mailing.order(report, version, at, message)
        order.control = control
        if self.platform.set_ids and dmp == "Y" and to == PFI:
            message.submission_set = self.platform.next_set()
            version.set_ids.append(message.submission_set)
        version.sent_at.append(at)
        self.traffic.landscape.sent_by(
            report.sender, version.root, _says_qualified(version.shown, self.traffic.processing)
        )
        due = at + 2 * HOUR if early else at + 1
        self.traffic.post(DOCUMENTS, due, render_documents.document(head, message), charset)
        event = render_documents.EVENTS[request] if report.mdm else "R01"
        last = at
        if technical:
            last = at + rng.randint(1, 5)
            self.traffic.acknowledge(head, event, technical, last, at)
        asked.control = control
        told = self.platform.take(asked) if self.traffic.processing == "P" else ()
        if self.traffic.processing != "P" and self.platform.plain:
            told = tuple((wait, accepted, "") for wait, accepted in answers)
        times = [at + wait for wait, _, _ in told]
        arrivals = times[::-1] if swapped else times
        for (wait, accepted, code), arrival in zip(told, arrivals, strict=True):
            error = f"{code}^Refus" if code else rng.choice(_ERRORS)
            self.answer(head, "Z01", at + wait, accepted, error, due=arrival)
            if self.platform.plain and self.traffic.processing == "P":
                self.platform.heard(accepted, error.partition("^")[0])
        last = max([last, *(at + wait for wait, _ in answers)])
        if (order.drawn[0] or order.drawn[1]) and rng.random() < 0.5:
            self._mailed(head, order, version.shown, last)
        if reused is None and last - at < DAY and rng.random() < 0.5:
            self.traffic.finished(report.sender, control, last + 2 * DAY)
        return last

    def _straight(self, asked: Request) -> int:
        """A sending that crosses no interface engine."""
        report, version, at = asked.report, asked.version, asked.at
        follows = any(each.number < version.number and each.form != "none" for each in report.versions)
        asked.request = asked.request or ("replacement" if follows else "initial")
        version.sent_at.append(at)
        self.platform.take(asked)
        return max([at, *(at + wait for wait, _ in asked.answers)])

    def answer(
        self, to: render.Head, event: str, at: int, accepted: bool, code: str, due: int = 0, box: str = ""
    ) -> None:
        """A business acknowledgement by the platform."""
        text = self.clock.text
        sent = max(at, due) + self.random.randint(1, 40)
        head = render.Head(PFI, to.sender, text(sent), self.traffic.control(PFI), "UNICODE UTF-8", to.processing)
        segments = render_documents.zam(head, event, text(at), to.control, accepted, code, box)
        self.traffic.post(ANSWERS, due + self.random.randint(1, 40) if due else sent, segments)

    def _mailed(self, head: render.Head, order: Order, shown: Shown, at: int) -> None:
        """MSSanté: delivered or not, read or not. It says nothing of the DMP."""
        rng = self.random
        professional, patient, reading = order.drawn
        if patient and shown.matricule:
            self._word(head, order, Word(at + 30, rng.random() < 0.8, address=order.citizen or ARCHIVES))
        if professional:
            box = self.mailing.mailbox(order)
            self._word(head, order, Word(at + 20, rng.random() < 0.9, address=box))
            if reading:
                self._word(head, order, Word(at + rng.randint(1, 30) * HOUR, True, reading=True, address=box))

    def _word(self, head: render.Head, order: Order, word: Word) -> None:
        order.words.append(word)
        event = "Z03" if word.reading else "Z02"
        self.answer(
            head, event, word.at, word.yes, "" if word.reading else "550^Boîte non disponible", box=word.address
        )

    def _carried(self, report: Report, version: Version, request: str, dmp: str) -> render_documents.Carried:
        rng, stay, text = self.random, report.stay, self.clock.text
        at = version.sent_at[0] if version.sent_at else version.created
        linked = report.linked
        dossier = stay.number(at) if stay is not None and linked in ("visit", "dossier") else ""
        parents = [each for each in report.versions if each.number < version.number and each.form != "none"]
        parent = parents[-1] if parents and request != "deletion" else None
        old = report.volet == "1.2"
        return render_documents.Carried(
            volet=report.volet,
            mdm=report.mdm,
            request=request,
            type_code=report.type_code,
            payloads=version.payloads,
            shown=version.shown,
            visit=stay.visit if stay is not None and linked == "visit" else "",
            dossier=dossier,
            klass=report.klass,
            entry_text=text(stay.entry) if stay is not None and linked == "visit" else "",
            created_text=text(version.created),
            identity=str(version.number) if old else _txa(version),
            parent=(str(parent.number) if old else _txa(parent)) if parent is not None else "",
            placer=report.placer,
            filler=report.filler,
            dmp=dmp,
            professional=rng.random() < 0.5,
            patient=rng.random() < 0.3,
            acknowledge=True,
            reading=rng.random() < 0.3,
        )

    def result(self, report: Report, version: Version, at: int, status: str) -> None:
        """A classic result (values or text, no document), to the patient record."""
        rng, text, stay = self.random, self.clock.text, report.stay
        charset = self.traffic.charset(LATIN9)
        control = self.traffic.control(report.sender)
        head = render.Head(report.sender, DPI, text(at), control, charset.label, self.traffic.processing)
        section = "LAB" if report.type_code == "11502-2" else "RAD"
        what = render.Result(
            visit=stay.visit if stay is not None else "",
            dossier=stay.number(at) if stay is not None else "",
            klass=report.klass,
            placer=report.placer,
            filler=report.filler,
            section=section,
            observed=text(report.service_start),
            reported=text(version.created),
            status=status,
        )
        version.sent_at.append(at)
        self.traffic.landscape.sent_by(
            report.sender, version.root, _says_qualified(version.shown, self.traffic.processing)
        )
        self.traffic.post(DOCUMENTS, at + 1, render.result(head, version.shown, what), charset)
        if rng.random() < 0.6:
            self.traffic.acknowledge(head, "R01", "AA", at + 2, at + 2)


def _says_qualified(shown: Shown, processing: str) -> bool:
    return processing == "P" and shown.qualified and bool(shown.status)


def _oid(version: Version) -> str:
    return f"{OIDS}.10.{version.number}"


def _txa(version: Version) -> str:
    """TXA-12: the OID alone, or ``ext^^root^ISO`` when the CDA id has an extension."""
    if version.documents and version.documents[0].extension:
        return f"{version.documents[0].extension}^^{version.documents[0].root}^ISO"
    return _oid(version)


def _dressed(text: str) -> str:
    """A byte order mark and a style sheet instruction before the root element."""
    declaration, _, rest = text.partition("\n")
    return f'\ufeff{declaration}\n<?xml-stylesheet type="text/xsl" href="CDA-FO.xsl"?>\n{rest}'
