"""An invented establishment that proves PS4.1, for the tests: its settings, one test of it, and the mails that answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from random import Random
from typing import Any

from engine import __version__
from engine.evidence.message import build
from engine.evidence.record import Answer, Built, Record, Submission
from engine.evidence.register import Register
from engine.evidence.settings import Declaration, Message, Patient, Ps41, Sender, Smtp
from engine.evidence.trial import Trial, new_trial, subject

FINESS = "990000019"
NAME = "Centre hospitalier d'Œuvre & Fictif"
SENDER = "sorties@ch-fictif.mssante.fr"
ROBOT = "reponse.automatique-test@patient.mssante.fr"
NOW = 1_773_155_700  # 2026-03-10 16:15 in Paris
MAILBOX = Declaration(
    address="secretariat@ch-fictif.mssante.fr",
    service="Secrétariat médical central",
    responsible="Camille Fictif, cadre",
    declared="2026-01-15",
    open_since="2025-11-03",
)


def uuids(seed: int = 1) -> Callable[[], uuid.UUID]:
    """UUIDs that are the same in every run."""
    random = Random(seed)
    return lambda: uuid.UUID(int=random.getrandbits(128), version=4)


def sender(**changes: Any) -> Sender:
    """The entry of the establishment."""
    values = {
        "establishment": FINESS,
        "sender": SENDER,
        "smtp": Smtp(host="127.0.0.1", port=587, transport="plain"),
        "mailbox": MAILBOX,
    }
    return Sender(**values | changes)


def settings(one: Sender | None = None, **changes: Any) -> Ps41:
    """The section ``ps41``."""
    return Ps41(senders=(one or sender(),), **changes)


def trial(seed: int = 1, *, at: int = NOW, one: Sender | None = None, name: str = NAME) -> Trial:
    """One test."""
    return new_trial(one or sender(), name, "Europe/Paris", now=at, new_uuid=uuids(seed))


def built(seed: int = 1, *, message: Message | None = None, patient: Patient | None = None) -> Built:
    """Its message."""
    one = sender()
    return build(trial(seed), one, settings(one, message=message or Message(), patient=patient or Patient()))


def begun(folder: Path, seed: int = 1, *, at: int = NOW, one: Sender | None = None) -> tuple[Register, Record]:
    """A test in the register, its message not sent yet."""
    entry = one or sender()
    choices = settings(entry)
    test, register = trial(seed, at=at, one=entry), Register(folder)
    mail = build(test, entry, choices)
    return register, register.begin(test, mail, entry.sender, choices.address, subject(test, choices), __version__)


def sent(folder: Path, seed: int = 1, *, at: int = NOW, one: Sender | None = None) -> tuple[Register, Record]:
    """A test that the server took."""
    register, record = begun(folder, seed, at=at, one=one)
    return register, register.submitted(record, submission(at=at))


def submission(error: str = "", *, at: int = NOW) -> Submission:
    """What a server said."""
    answers = (
        Answer("CONNECT", 220, "smtp.ch-fictif.example ESMTP"),
        Answer("EHLO", 250, "smtp.ch-fictif.example\nSIZE 26214400\nDSN"),
        Answer("MAIL FROM", 250, "2.1.0 Ok"),
        Answer("RCPT TO", 250, "2.1.5 Ok"),
        Answer("DATA", 554 if error else 250, "5.7.1 No" if error else "2.0.0 Ok: queued as 4cXyZ01abc"),
    )
    return Submission("smtp.ch-fictif.example:587", "TLSv1.3 TLS_AES_256_GCM_SHA384", answers, at + 1, at + 2, error)


def reply(record: Record, *, thread: bool = True, origin: str = ROBOT, seconds: int = 120, html: str = "") -> bytes:
    """What the national robot might answer: nobody publishes its wording."""
    mail = EmailMessage()
    mail["From"] = f"Réponse automatique <{origin}>"
    mail["To"] = record.sender
    mail["Date"] = format_datetime(
        record.trial.local.fromtimestamp(record.trial.at + seconds, record.trial.local.tzinfo)
    )
    mail["Subject"] = "Réponse automatique : message de test reçu"
    mail["Message-ID"] = f"<reponse-{record.trial.id}@patient.mssante.fr>"
    if thread:
        mail["In-Reply-To"] = mail["References"] = record.trial.message_id
    mail["Auto-Submitted"] = "auto-replied"
    if html:
        mail.set_content(html, subtype="html")
    else:
        mail.set_content("Bonjour,\n\nVotre message de test a bien été reçu.\n")
    return mail.as_bytes()


def failure(record: Record, action: str = "failed") -> bytes:
    """A delivery report (RFC 3464), as Postfix writes it."""
    return f"""From: MAILER-DAEMON@ch-fictif.mssante.fr (Mail Delivery System)
To: {record.sender}
Subject: Undelivered Mail Returned to Sender
Date: Tue, 10 Mar 2026 16:16:00 +0100
Message-ID: <dsn-1@ch-fictif.mssante.fr>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Votre message n'a pas pu être remis.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; smtp.ch-fictif.example

Final-Recipient: rfc822; {record.recipient}
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 unknown

--B
Content-Type: message/rfc822

From: {record.sender}
Message-ID: {record.trial.message_id}
Subject: essai

texte
--B--
""".encode()
