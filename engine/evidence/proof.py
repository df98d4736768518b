"""What is proven of a test, held against the files of the register once more: nothing is believed because the state says so."""

from __future__ import annotations

import hashlib
from typing import Literal

from msgspec import Struct

from engine.errors import ParseError
from engine.evidence.mail_text import Letter, letter
from engine.evidence.message import entries
from engine.evidence.record import REPLY, REPORT, SENT, Part, Record
from engine.evidence.register import Register
from engine.evidence.reply import header, match, parse, parts
from engine.evidence.settings import Declaration, Ps41
from engine.facts import INS_TEST
from engine.parsers import xdm

Mark = Literal["yes", "no", "unknown"]

_DAY = 86_400


class Proof(Struct, frozen=True):
    """Everything that the evidence file says."""

    record: Record
    settings: Ps41
    mailbox: Declaration | None
    now: int
    message: Letter
    headers: tuple[tuple[str, str], ...]  # of the message, as it was sent
    parts: tuple[Part, ...]  # of the message as it is kept
    intact: bool  # sent.eml is what was sent, and holds what the state says
    sound: bool  # its archive passes our reader: nothing wrong, one CDA
    level: int  # of the CDA
    reply: Letter | None
    reply_ids: tuple[tuple[str, str], ...]  # Message-ID, In-Reply-To, References of the reply, those that are there
    reply_intact: bool
    report: Letter | None

    @property
    def sent(self) -> Mark:
        """Whether one message with an archive IHE_XDM was sent."""
        if not (self.intact and self.sound):
            return "no"
        if self.record.sent_at or self.answered == "yes":
            return "yes"
        return "unknown" if self.record.left and self.record.stage != "bounced" else "no"

    @property
    def answered(self) -> Mark:
        """Whether the reply came."""
        if self.reply is not None:
            return "yes" if self.reply_intact else "no"
        return "unknown" if self.record.awaiting else "no"

    @property
    def declared(self) -> Mark:
        """Whether an organisational mailbox is declared."""
        return "yes" if self.mailbox is not None else "no"

    @property
    def complete(self) -> bool:
        """Whether the three criteria are met."""
        return self.sent == self.answered == self.declared == "yes"

    @property
    def expires_at(self) -> int:
        """First instant at which the proof is too old, seconds since 1970-01-01 UTC."""
        return self.record.trial.at + self.settings.valid_days * _DAY


def prove(register: Register, record: Record, settings: Ps41, *, now: float) -> Proof:
    """Read the files of a test again. Raises :class:`ConfigError` when one is gone."""
    sender = settings.sender(record.trial.finess)
    raw = register.file(record, SENT)
    mail = parse(raw)
    archive, found = b"", []
    for part in parts(mail) if mail is not None else ():
        name = part.get_filename()
        content = part.get_payload(decode=True) if name else None
        if name and isinstance(content, bytes):
            media_type = part.get_content_type()
            found.append(Part(name, len(content), hashlib.sha256(content).hexdigest(), media_type))
            if xdm.looks_like(content):
                archive = content
                found += entries(content)
    sound, level = _sound(archive)
    reply = register.file(record, REPLY) if record.reply is not None else b""
    answer = parse(reply) if reply else None
    names = ("Message-ID", "In-Reply-To", "References")
    return Proof(
        record=record,
        settings=settings,
        mailbox=sender.mailbox if sender is not None else None,
        now=int(now),
        message=letter(raw),
        headers=tuple((name, header(mail, name)) for name in mail if name.lower() not in _MIME)
        if mail is not None
        else (),
        parts=tuple(found),
        intact=hashlib.sha256(raw).hexdigest() == record.sha256 and tuple(found) == record.parts,
        sound=sound,
        level=level,
        reply=letter(reply) if reply else None,
        reply_ids=tuple((name, value) for name in names if answer is not None and (value := header(answer, name))),
        reply_intact=record.reply is not None
        and hashlib.sha256(reply).hexdigest() == record.reply.sha256
        and match(reply, [record], reply_hours=settings.reply_hours) is not None,
        report=letter(register.file(record, REPORT)) if record.report is not None else None,
    )


_MIME = frozenset({"mime-version", "content-type", "content-transfer-encoding"})


def _sound(archive: bytes) -> tuple[bool, int]:
    """Whether an archive is what the evidence file says of it, and the level of its CDA."""
    try:
        read = xdm.read(archive)
    except ParseError:
        return False, 0
    held = [document.cda for document in read.documents if document.cda is not None]
    right = (
        len(read.documents) == len(read.sets) == len(held) == 1
        and held[0].ins_root == INS_TEST
        and all(problem.severity == "info" for problem in read.problems)
        and any(problem.code == "xdm-pdf-copy" for problem in read.problems)
    )
    return right, held[0].level if held else 0
