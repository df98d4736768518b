"""PS4.1 end to end: ``jauge ps41`` with an operator's SMTP server, a robot that answers as the national one does, and a real Dovecot.

The SMTP server and the mailbox let nobody in without a certificate of their authority.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from engine.cli import main
from engine.evidence.record import REPLY
from engine.evidence.register import Register
from engine.evidence.reply import header, parse
from tests.e2e.dovecot import PASSWORD, USER, Dovecot, find
from tests.evidence.smtp_server import Certificates, Handler, Served

FINESS = "990000019"
ROBOT = "reponse.automatique-test@patient.mssante.fr"
CONFIG = """\
store: var/jauge.db
keys: var/keys
establishments:
  - {{finess: "{finess}", name: Centre hospitalier fictif, mssante_domains: [ch-fictif.mssante.fr]}}
feeds:
  - {{name: his, listener: mllp, establishment: "{finess}", port: 0}}
ps41:
  senders:
    - establishment: "{finess}"
      sender: journal@ch-fictif.mssante.fr
      smtp:
        host: localhost
        port: {smtp}
        tls: {{ca: ca.pem, certificate: client.crt, key: client.key}}
        timeout_seconds: 30
      imap:
        host: localhost
        port: {imap}
        tls: {{ca: ca.pem, certificate: client.crt, key: client.key}}
        user: {user}
        password_file: password
        poll_seconds: 1
      {mailbox}
"""
MAILBOX = "mailbox: {address: secretariat@ch-fictif.mssante.fr, service: Secrétariat, responsible: Cadre, declared: 2026-01-15}"


def robot(raw: bytes, *, thread: bool = True) -> bytes:
    """The automatic reply to a message, as the national robot might write it."""
    mail = parse(raw)
    assert mail is not None
    assert header(mail, "Subject").startswith("XDM/1.0/DDM")
    ids = f"In-Reply-To: {header(mail, 'Message-ID')}\r\nReferences: {header(mail, 'Message-ID')}\r\n" if thread else ""
    return (
        f"From: Mon espace santé <{ROBOT}>\r\nTo: {header(mail, 'From')}\r\nDate: {header(mail, 'Date')}\r\n"
        f"Subject: Réponse automatique\r\nMessage-ID: <r1@patient.mssante.fr>\r\n{ids}Auto-Submitted: auto-replied\r\n"
        'MIME-Version: 1.0\r\nContent-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
        "<html><body><p>Bonjour,</p><p>Votre message de test a bien été reçu.</p></body></html>\r\n"
    ).encode()


class Place:
    """One establishment: its configuration, its mailbox, its operator."""

    def __init__(self, folder: Path, dovecot: Dovecot, authority: trustme.CA) -> None:
        self.folder, self.dovecot = folder, dovecot
        self.certificates = Certificates(folder, authority)
        password = folder / "password"
        password.write_text(f"{PASSWORD}\n", encoding="utf-8")
        password.chmod(0o600)
        self.handler = Handler()
        self.configure(1)

    @property
    def config(self) -> Path:
        """jauge.yaml."""
        return self.folder / "jauge.yaml"

    @property
    def register(self) -> Register:
        """What the commands keep."""
        return Register(self.folder / "var" / "ps41")

    def configure(self, port: int, mailbox: str = MAILBOX) -> None:
        """Write jauge.yaml for an SMTP server of that port."""
        text = CONFIG.format(finess=FINESS, smtp=port, imap=self.dovecot.port, user=USER, mailbox=mailbox)
        self.config.write_text(text, encoding="utf-8")

    def serve(self) -> Served:
        """The operator's SMTP server: STARTTLS, and a client certificate."""
        return Served(self.handler, transport="starttls", context=self.certificates.context(mutual=True))

    def jauge(self, *words: str) -> Result:
        """``jauge ps41 ...``."""
        return CliRunner().invoke(main, ["ps41", *words, "-c", str(self.config)], catch_exceptions=False)

    def started(self, *words: str) -> subprocess.Popen[bytes]:
        """The same in a process that may be killed."""
        command = [sys.executable, "-m", "engine.cli", "ps41", *words, "-c", str(self.config)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Of the operator: servers and clients."""
    return trustme.CA()


@pytest.fixture
def place(tmp_path: Path, authority: trustme.CA) -> Iterator[Place]:
    """An establishment whose mailbox is a real Dovecot that wants a certificate and a password."""
    program = find()
    if program is None:
        pytest.skip("Dovecot is not here: scripts/tools brings it")
    with Dovecot(program, authority, mutual=True) as dovecot:
        yield Place(tmp_path, dovecot, authority)


class TestTheWay:
    """From the message to the evidence file."""

    def test_from_the_message_to_the_evidence(self, place: Place) -> None:
        """Sent, answered among other mails, proven: four commands, and what they write holds."""
        place.dovecot.deliver(b"From: alix@cabinet-fictif.mssante.fr\r\nSubject: autre\r\n\r\nautre")
        place.handler.taken = lambda raw: place.dovecot.deliver(b"From: x@y.z\r\n\r\nbruit", robot(raw))
        assert place.jauge("status").exit_code == 1
        with place.serve() as served:
            place.configure(served.smtp.port)
            sent = place.jauge("send", "--yes")
        assert sent.exit_code == 0, sent.output
        assert "250 2.0.0 Ok: queued" in sent.output
        before = place.dovecot.flags()
        watched = place.jauge("watch", "--timeout", "60")
        assert watched.exit_code == 0, watched.output
        assert place.dovecot.flags() == before  # nothing was marked as read

        output = place.folder / "preuve"
        written = place.jauge("evidence", "--output", str(output))
        assert written.exit_code == 0, written.output
        assert {path.name for path in output.iterdir()} == {
            "preuve-PS4.1-990000019.pdf",
            "message-envoye.eml",
            "reponse-recue.eml",
            "SHA256SUMS",
        }
        assert (output / "message-envoye.eml").read_bytes() == place.handler.mails[0][2]  # to the octet
        assert place.handler.mails[0][:2] == ("journal@ch-fictif.mssante.fr", [ROBOT])
        check = shutil.which("sha256sum")
        if check:
            assert subprocess.run([check, "--quiet", "-c", "SHA256SUMS"], cwd=output, check=False).returncode == 0
        text = pdf_text(output / "preuve-PS4.1-990000019.pdf")
        (record,) = place.register.records()
        for words in (
            "Preuve complète",
            record.trial.message_id,
            ROBOT,
            "Votre message de test a bien été reçu.",
            record.sha256,
        ):
            assert words in text

        status = place.jauge("status", "--json")
        assert status.exit_code == 0
        (standing,) = json.loads(status.output)
        assert standing["valid"]
        assert not standing["awaiting_reply"]
        assert place.jauge("watch", "--timeout", "0").exit_code == 1  # nothing is awaited any more

    def test_a_reply_without_thread_is_known_by_the_robot(self, place: Place) -> None:
        """The robot's address, within the hours."""
        place.handler.taken = lambda raw: place.dovecot.deliver(robot(raw, thread=False))
        with place.serve() as served:
            place.configure(served.smtp.port)
            assert place.jauge("send", "--yes").exit_code == 0
        assert place.jauge("watch", "--timeout", "60").exit_code == 0
        (record,) = place.register.records()
        assert record.reply is not None
        assert record.reply.how == "sender"

    def test_the_first_message_asks_and_the_dry_run_sends_nothing(self, place: Place) -> None:
        """Without a yes nothing leaves, and nothing is kept; --dry-run shows everything."""
        with place.serve() as served:
            place.configure(served.smtp.port)
            dry = place.jauge("send", "--dry-run")
            asked = CliRunner().invoke(main, ["ps41", "send", "-c", str(place.config)], input="n\n")
        assert dry.exit_code == 0
        for words in (
            "XDM/1.0/DDM+Message de test PS4.1",
            "X-MSS-INS: N",
            "IHE_XDM/SUBSET01/METADATA.XML",
            "client certificate",
            ROBOT,
        ):
            assert words in dry.output
        assert asked.exit_code == 1
        assert not place.handler.mails
        assert not place.register.records()

    def test_without_a_declared_mailbox_the_proof_is_not_complete(self, place: Place) -> None:
        """The file is written, says what is missing, and the command says that it is not enough."""
        place.handler.taken = lambda raw: place.dovecot.deliver(robot(raw))
        with place.serve() as served:
            place.configure(served.smtp.port, mailbox="")
            assert place.jauge("send", "--yes").exit_code == 0
        assert place.jauge("watch", "--timeout", "60").exit_code == 0
        output = place.folder / "preuve"
        written = place.jauge("evidence", "--output", str(output))
        assert written.exit_code == 1
        assert "the proof is not complete yet; its PDF says what is missing" in written.output
        assert "Preuve incomplète" in pdf_text(output / "preuve-PS4.1-990000019.pdf")
        assert place.jauge("status").exit_code == 1


class TestTrouble:
    """What may go wrong, each with its code, nothing lost."""

    @pytest.mark.parametrize(
        ("words", "code"),
        [({"rcpt": "550 5.1.1 unknown"}, "ps41-recipient"), ({"data": "554 5.7.1 refused"}, "ps41-refused")],
    )
    def test_a_refusal_is_told_and_kept(self, place: Place, words: dict[str, str], code: str) -> None:
        """The code, its meaning, the server's own words; the next message may leave."""
        place.handler.words = words
        with place.serve() as served:
            place.configure(served.smtp.port)
            refused = place.jauge("send", "--yes")
            assert refused.exit_code == 1
            assert f"{code}: " in refused.output
            assert next(iter(words.values())).replace(" ", " ", 1) in refused.output
            place.handler.words = {}
            assert place.jauge("send", "--yes").exit_code == 0
        assert [record.stage for record in place.register.records()] == ["failed", "sent"]

    def test_a_certificate_that_is_not_the_operators(self, place: Place) -> None:
        """Refused by both servers: one code each, no traceback."""
        with place.serve() as served:
            place.configure(served.smtp.port)
            right = [(place.folder / name).read_bytes() for name in ("client.crt", "client.key")]
            for name in ("client.crt", "client.key"):
                (place.folder / name).unlink()
            place.certificates.client("client", trustme.CA())
            refused = place.jauge("send", "--yes")
            assert (refused.exit_code, "ps41-certificate: " in refused.output) == (1, True)
            for name, content in zip(("client.crt", "client.key"), right, strict=True):
                (place.folder / name).write_bytes(content)
            assert place.jauge("send", "--yes").exit_code == 0
        (place.folder / "password").write_text("autre\n")
        watched = place.jauge("watch", "--timeout", "60")
        assert (watched.exit_code, "imap-login: " in watched.output) == (1, True)

    def test_a_failure_report_ends_the_wait(self, place: Place) -> None:
        """The message came back: watch says so, and waits no longer."""

        def bounce(raw: bytes) -> None:
            mail = parse(raw)
            assert mail is not None
            place.dovecot.deliver(
                b"From: MAILER-DAEMON@ch-fictif.mssante.fr\r\nMIME-Version: 1.0\r\n"
                b'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n\r\n--B\r\n'
                b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--B\r\n"
                b"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: "
                + header(mail, "Message-ID").encode()
                + b"\r\n\r\n--B--\r\n"
            )

        place.handler.taken = bounce
        with place.serve() as served:
            place.configure(served.smtp.port)
            assert place.jauge("send", "--yes").exit_code == 0
        watched = place.jauge("watch", "--timeout", "60")
        assert (watched.exit_code, "not delivered" in watched.output) == (1, True)
        assert place.jauge("evidence", "--output", str(place.folder / "preuve")).exit_code == 1

    def test_a_send_that_is_killed_keeps_its_message(self, place: Place) -> None:
        """kill -9 while the server thinks: the message that was sent is in the register, and its reply proves it."""
        held, killed = threading.Event(), threading.Event()

        def think(raw: bytes) -> None:
            place.dovecot.deliver(robot(raw))
            held.set()
            killed.wait(60)

        place.handler.taken = think
        with place.serve() as served:
            place.configure(served.smtp.port)
            process = place.started("send", "--yes")
            assert held.wait(60)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed.set()
        (record,) = place.register.records()
        assert record.stage == "prepared"
        assert place.register.file(record, "sent.eml") == place.handler.mails[0][2]
        assert place.jauge("watch", "--timeout", "60").exit_code == 0
        assert place.jauge("evidence", "--output", str(place.folder / "preuve")).exit_code == 0

    def test_a_wait_survives_its_server_and_its_own_death(self, place: Place) -> None:
        """Dovecot killed and started again, ``watch`` killed and started again: the reply is found once it is there."""
        with place.serve() as served:
            place.configure(served.smtp.port)
            assert place.jauge("send", "--yes").exit_code == 0
        first = place.started("watch", "--timeout", "600")
        time.sleep(1)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        second = place.started("watch", "--timeout", "600")
        place.dovecot.kill()
        place.dovecot.start()
        place.dovecot.deliver(robot(place.handler.mails[0][2]))
        output, _ = second.communicate(timeout=100)
        assert second.returncode == 0, output
        (record,) = place.register.records()
        assert place.register.file(record, REPLY).startswith(b"From: Mon espace")


def pdf_text(path: Path) -> str:
    """The text of a PDF, its lines joined: long values wrap."""
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext is not here: scripts/tools brings it (poppler-utils)")
    found = subprocess.run([program, "-layout", path, "-"], capture_output=True, check=True).stdout.decode()
    return re.sub(r"\s+", " ", found)
