"""Nothing personal gets out of mail either: addresses, subjects, texts, names of files, XDM and receipts full of marked values, whole and damaged."""

from __future__ import annotations

import random
import smtplib
import sqlite3
from email.message import EmailMessage
from pathlib import Path

from tests.e2e import marks
from tests.e2e.engine import RunningEngine, free_port
from tests.e2e.test_canary import GIVEN, IPP, MAIL, MARKS, NAME, PHONE, STREET, VISIT
from tests.messages import matricule
from tests.parsers import xdm_archives

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{{{host: 127.0.0.1, port: {{http}}}}}}
log: {{{{format: json, level: debug}}}}
indicators: {{{{count_test_ins: true}}}}
correspondents: directory.csv
establishments:
  - {{{{finess: "990000001", name: CH Fictif, mssante_domains: [ch-fictif.mssante.fr]}}}}
feeds:
  - {{{{name: his, listener: mllp, establishment: "990000001", host: 127.0.0.1, port: {{mllp}}}}}}
  - {{{{name: journal, listener: smtp, establishment: "990000001", port: {smtp}, recipients: [journal@jauge.example]}}}}
"""
COUNT = 250
BOX = f"{NAME.lower()}.{GIVEN.lower()}@cabinet-fictif.mssante.fr"


def archive(number: int, chance: random.Random) -> bytes:
    """An XDM of the patient, with names in its own files, maybe damaged."""
    contents = {
        name.replace("DOC", NAME[:8]) if number % 7 == 3 else name: content.replace(
            b"285017511867881", matricule(number).encode()
        )
        .replace(b"EXEMPLE", NAME.encode())
        .replace(b"IPP000777", f"{IPP}{number}".encode())
        for name, content in xdm_archives.files().items()
    }
    found = xdm_archives.archive(contents)
    if number % 5 == 1:
        return found[: chance.randrange(40, len(found))]
    if number % 5 == 2:
        place = chance.randrange(40, len(found))
        return found[:place] + NAME.encode() + found[place + len(NAME) :]
    return found


def sending(number: int, chance: random.Random) -> bytes:
    """A mail to a doctor and to the patient, with its XDM, a text and a PDF."""
    mail = EmailMessage()
    mail["From"] = f"{NAME} <sorties@ch-fictif.mssante.fr>"
    mail["To"] = f"{NAME} {GIVEN} <{BOX}>, {matricule(number)}@patient.mssante.fr"
    if number % 6 == 4:
        mail["Cc"] = f"{NAME.lower()}@patient.mssante.fr, {MAIL}"
    mail["Subject"] = f"XDM/1.0/DDM+Lettre de liaison {NAME} {GIVEN} 15/06/1990"
    mail["Message-ID"] = f"<{NAME.lower()}.{number}@ch-fictif.mssante.fr>"
    mail["Date"] = "Tue, 10 Mar 2026 16:20:00 +0100"
    mail.set_content(f"Bonjour {NAME}, {STREET}, {PHONE}, {MAIL}\n")
    mail.add_attachment(archive(number, chance), "application", "zip", filename=f"{NAME}_IHE_XDM.zip")
    mail.add_attachment(
        b"%PDF-1.4\n" + NAME.encode(), "application", "pdf", filename=f"20260310_LDL_{NAME}_{GIVEN}.pdf"
    )
    return damaged(bytes(mail), number, chance)


def receipt(number: int, chance: random.Random) -> bytes:
    """A refusal that quotes everything."""
    who = BOX if number % 2 else f"{matricule(number)}@patient.mssante.fr"
    text = (
        f"From: MAILER-DAEMON@{NAME.lower()}.mssante.fr\r\nTo: sorties@ch-fictif.mssante.fr\r\nReturn-Path: <>\r\n"
        f"Subject: Undelivered {NAME}\r\nMessage-ID: <dsn{number}@cabinet-fictif.mssante.fr>\r\nDate: Tue, 10 Mar 2026 16:21:00 +0100\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="R"\r\n\r\n'
        f"--R\r\n\r\n<{who}>: {NAME} unknown, {PHONE}\r\n--R\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; {NAME.lower()}.mssante.fr\r\n\r\nFinal-Recipient: rfc822;{who}\r\nAction: failed\r\n"
        f"Status: {'5.1.1' if number % 3 else NAME}\r\nDiagnostic-Code: smtp; 550 <{who}> {NAME} {STREET}\r\n\r\n"
        f"--R\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{NAME.lower()}.{number}@ch-fictif.mssante.fr>\r\nTo: {who}\r\n\r\n--R--\r\n"
    )
    return damaged(text.encode(), number, chance)


def damaged(mail: bytes, number: int, chance: random.Random) -> bytes:
    """One in five is cut, one has a name where none belongs."""
    mail = mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if number % 5 == 3:
        return mail[: chance.randrange(20, len(mail))] + b"\r\n"
    if number % 5 == 4:
        place = chance.randrange(10, len(mail))
        return mail[:place] + NAME.encode() + mail[place:]
    return mail


def test_no_mark_of_a_mail_is_found_anywhere(tmp_path: Path) -> None:
    """Logs, metrics, answers over SMTP, store files, commands: no name, address, subject, in any encoding."""
    chance = random.Random(17)
    smtp = free_port()
    answers: list[object] = []
    numbers = range(1, COUNT + 1)
    (tmp_path / "directory.csv").write_text(
        f"id;rpps;finess;address\n;;;{BOX}\n{NAME};;;{NAME.lower()}@hopital-fictif.mssante.fr\n;;;{MAIL}\n"
    )
    with RunningEngine(tmp_path, CONFIG.format(smtp=smtp)) as engine:
        engine.start()
        with smtplib.SMTP("127.0.0.1", smtp, timeout=60) as client:
            sender, journal = f"{NAME.lower()}@ch-fictif.mssante.fr", ["journal@jauge.example"]
            for number in numbers:
                answers += [client.sendmail(sender, journal, mail(number, chance)) for mail in (sending, receipt)]
            said = (f"RCPT TO:<{MAIL}>", f"VRFY {NAME}", f"{NAME} {MAIL}", f"MAIL FROM:<{MAIL}> {NAME}")
            answers += [client.docmd(command) for command in said]
            client.rset()
            client.docmd(f"MAIL FROM:<{MAIL}>")
            answers.append(client.docmd(f"RCPT TO:<{MAIL}>"))
        while engine.value("jauge_messages_received_total", feed="journal") < 2 * COUNT:
            engine.settle()
        engine.settle()
        shown = engine.metrics()
        page = marks.page(engine)
        assert sum(v for (name, _), v in shown.items() if name == "jauge_mailings_total") > COUNT
        assert sum(v for (name, labels), v in shown.items() if name == "jauge_mailing_outcomes_total") > COUNT / 4
        assert engine.stop() == 0
        words = (("rates",), ("audit",), ("rates", "--json"), ("explain", f"{VISIT}5"), ("check-config",))
        done = [engine.command(*each) for each in words]
    places = marks.written(tmp_path, besides={"directory.csv"})
    places |= {"metrics": page, "answers": repr(answers).encode(), **marks.said(done)}
    marks.unseen(MARKS, map(matricule, numbers), places)
    with sqlite3.connect(tmp_path / "var" / "jauge.db") as store:
        assert store.execute("SELECT count(*) FROM patients").fetchone()[0] > 50
    store.close()
