"""The evidence file and what goes with it: true to the files, right when they are not, safe whatever the reply says."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from msgspec import structs

from engine.errors import ConfigError
from engine.evidence.dossier import write_dossier
from engine.evidence.proof import Proof, prove
from engine.evidence.record import REPLY, SENT, Record
from engine.evidence.register import Register

from .establishment import FINESS, NAME, NOW, ROBOT, SENDER, begun, failure, reply, sender, sent, settings, submission

PDF = f"preuve-PS4.1-{FINESS}.pdf"
DAY = 86_400


def answered(folder: Path, html: str = "") -> tuple[Register, Record]:
    """A test that was answered."""
    register, record = sent(folder)
    return register, register.received(record, reply(record, html=html), "thread", at=NOW + 130, dated=NOW + 120)


def proven(register: Register, record: Record, **changes: object) -> Proof:
    """The proof of a test, an hour later."""
    return prove(register, record, settings(**changes), now=NOW + 3_600)


def text_of(path: Path) -> str:
    """The text of a PDF, its blanks made one."""
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext is not here: scripts/tools brings it (poppler-utils)")
    found = subprocess.run([program, "-layout", path, "-"], capture_output=True, check=True).stdout.decode()
    return re.sub(r"\s+", " ", found)


class TestFolder:
    """What is handed in."""

    def test_mails_are_those_of_the_register_and_the_sums_are_right(self, tmp_path: Path) -> None:
        """The raw mails, to the octet; SHA256SUMS names every file; all for their owner only."""
        register, record = answered(tmp_path / "ps41")
        output = tmp_path / "preuve"
        written = write_dossier(proven(register, record), register, output)
        assert [path.name for path in written] == [PDF, "message-envoye.eml", "reponse-recue.eml", "SHA256SUMS"]
        assert (output / "message-envoye.eml").read_bytes() == register.file(record, SENT)
        assert (output / "reponse-recue.eml").read_bytes() == register.file(record, REPLY)
        for line in (output / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split("  ")
            assert digest == hashlib.sha256((output / name).read_bytes()).hexdigest()
        assert {stat.S_IMODE(path.stat().st_mode) for path in output.iterdir()} == {0o600}

    def test_may_be_written_again(self, tmp_path: Path) -> None:
        """Over what an earlier time wrote, nothing half-written left."""
        register, record = answered(tmp_path / "ps41")
        for _ in range(2):
            write_dossier(proven(register, record), register, tmp_path / "preuve")
        assert len(list((tmp_path / "preuve").iterdir())) == 4

    def test_a_folder_that_cannot_be_written_is_said(self, tmp_path: Path) -> None:
        """The folder and the mend."""
        register, record = answered(tmp_path / "ps41")
        (tmp_path / "preuve").write_text("a file")
        with pytest.raises(ConfigError, match="cannot be written"):
            write_dossier(proven(register, record), register, tmp_path / "preuve")


class TestWords:
    """What the file says."""

    def test_says_everything_that_the_programme_asks(self, tmp_path: Path) -> None:
        """Establishment, indicator, sender, recipient, date, Message-ID, every answer of the server, every file with its SHA-256, the reply."""
        register, record = answered(tmp_path / "ps41")
        proof = proven(register, record)
        write_dossier(proof, register, tmp_path)
        text = text_of(tmp_path / PDF)
        assert proof.complete
        bare = text.replace(" ", "")
        for part in record.parts:
            assert part.name in text
            assert part.sha256[:32] in bare
            assert part.sha256[32:] in bare
        assert record.submission is not None
        for answer in record.submission.answers:
            assert " · ".join(answer.text.split("\n")) in text
        for words in (
            "Preuve complète : l’indicateur est atteint",
            "Capacité technique de l’établissement d’envoyer et de recevoir un message test",
            NAME,
            FINESS,
            SENDER,
            ROBOT,
            "10/03/2026 à 16:15:00 (UTC+01:00)",
            record.trial.message_id,
            record.sha256,
            "TLSv1.3",
            "Votre message de test a bien été reçu.",
            "secretariat@ch-fictif.mssante.fr",
            "Camille Fictif, cadre",
            "sha256sum -c SHA256SUMS",
            "Page 1 / 4",
            "09/09/2026",
        ):
            assert words in text, words

    def test_is_a_pdf_a_with_its_fonts_in_it(self, tmp_path: Path) -> None:
        """Declared PDF/A-1b: XMP, sRGB, no font left out, in French."""
        register, record = answered(tmp_path / "ps41")
        write_dossier(proven(register, record), register, tmp_path)
        content = (tmp_path / PDF).read_bytes()
        assert content.startswith(b"%PDF-1.4")
        assert b"<pdfaid:part>1</pdfaid:part>" in content
        assert b"/OutputIntents" in content
        program = shutil.which("pdffonts")
        if program:
            lines = subprocess.run(
                [program, tmp_path / PDF], capture_output=True, check=True, text=True
            ).stdout.splitlines()[2:]
            assert lines
            assert all(re.search(r"\byes +yes +yes\b", line) for line in lines)

    def test_whatever_the_reply_says_it_is_printed_safely(self, tmp_path: Path) -> None:
        """Scripts are left out, what no font has is a question mark, a long text runs over several pages."""
        html = "<script>alert(1)</script><p>à 0 € \u202ecaché 😀 漢字\x07</p>" + "<p>ligne</p>" * 200
        register, record = answered(tmp_path / "ps41", html)
        write_dossier(proven(register, record), register, tmp_path)
        text = text_of(tmp_path / PDF)
        assert "alert(1)" not in text
        assert "à 0 € caché ? ??" in text
        assert text.count("ligne") >= 200

    def test_a_name_of_any_length_is_printed(self, tmp_path: Path) -> None:
        """Long words and long names wrap; nothing is cut."""
        one = structs.replace(sender(), mailbox=structs.replace(sender().mailbox, service="Œ" * 120))  # type: ignore[type-var]
        register, record = sent(tmp_path / "ps41", one=one)
        write_dossier(prove(register, record, settings(one), now=NOW), register, tmp_path)
        assert text_of(tmp_path / PDF).replace(" ", "").count("Œ") >= 120


class TestIncomplete:
    """What is not proven is not said to be."""

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            ("", "Aucune réponse n’a été reçue à ce jour."),
            ("ps41-recipient", "Le serveur n’a pas accepté le message (ps41-recipient)."),
            ("ps41-unconfirmed", "l’envoi n’est pas certain"),
        ],
    )
    def test_without_reply(self, tmp_path: Path, error: str, words: str) -> None:
        """Each way of not being answered has its words."""
        register, record = begun(tmp_path / "ps41")
        record = register.submitted(record, submission(error))
        proof = proven(register, record)
        write_dossier(proof, register, tmp_path)
        text = text_of(tmp_path / PDF)
        assert not proof.complete
        assert "Preuve incomplète" in text
        assert words in text

    def test_a_failure_report_is_shown(self, tmp_path: Path) -> None:
        """The report stands where the reply would."""
        register, record = sent(tmp_path / "ps41")
        record = register.received(record, failure(record), "thread", at=NOW + 9, dated=NOW + 9, failure=True)
        write_dossier(proven(register, record), register, tmp_path)
        text = text_of(tmp_path / PDF)
        assert "Un avis d’échec de remise a été reçu" in text
        assert "Votre message n’a pas pu être remis." in text.replace("'", "’")
        assert (tmp_path / "avis-echec.eml").exists()

    def test_an_old_proof_says_that_it_is(self, tmp_path: Path) -> None:
        """Complete, and too old."""
        register, record = answered(tmp_path / "ps41")
        write_dossier(prove(register, record, settings(), now=NOW + 184 * DAY), register, tmp_path)
        assert "Preuve expirée" in text_of(tmp_path / PDF)

    @pytest.mark.parametrize("name", [SENT, REPLY])
    def test_a_file_that_was_changed_proves_nothing(self, tmp_path: Path, name: str) -> None:
        """One octet of a mail of the register, and the criterion is not met any more."""
        register, record = answered(tmp_path / "ps41")
        path = tmp_path / "ps41" / record.trial.id / name
        content = path.read_bytes()
        path.write_bytes(content.replace(b"Bonjour", b"Bonsoir", 1))
        proof = proven(register, record)
        assert not proof.complete
        assert (proof.sent, proof.answered) == (("no", "yes") if name == SENT else ("yes", "no"))

    def test_a_reply_that_answers_nothing_proves_nothing(self, tmp_path: Path) -> None:
        """A mail that somebody put there, with a state to go with it, is matched again like any other."""
        register, record = sent(tmp_path / "ps41")
        record = register.received(record, b"From: x@y.z\r\n\r\nrien", "thread", at=NOW, dated=NOW)
        assert proven(register, record).answered == "no"
