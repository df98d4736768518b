"""The test message, to the last octet: archive, headers, text, attachments."""

from __future__ import annotations

import email.policy
import hashlib
from email.message import EmailMessage
from email.parser import BytesParser

import pytest

from engine.evidence.message import NotSoundError, build
from engine.evidence.settings import Message, Patient
from engine.parsers import xdm
from tests.parsers import ihe_xdm_checker

from .establishment import FINESS, NAME, ROBOT, SENDER, built, sender, settings, trial


def read(raw: bytes) -> EmailMessage:
    """As any mail reader does."""
    mail = BytesParser(policy=email.policy.default).parsebytes(raw)
    assert isinstance(mail, EmailMessage)
    return mail


def attached(raw: bytes) -> dict[str, bytes]:
    """Name -> content of the attachments."""
    return {str(part.get_filename()): part.get_content() for part in read(raw).iter_attachments()}


class TestArchive:
    """IHE_XDM.zip."""

    def test_our_reader_finds_nothing_wrong(self) -> None:
        """No problem but the remark that there is a PDF copy; one document, read as a CDA, of one submission set."""
        archive = xdm.read(attached(built().raw)["IHE_XDM.zip"], establishments=(FINESS,))
        assert [(one.code, one.severity) for one in archive.problems] == [("xdm-pdf-copy", "info")]
        (document,) = archive.documents
        assert document.cda is not None
        assert document.unique_id == document.cda.id == trial().document
        assert [one.unique_id for one in archive.sets] == [trial().submission]
        assert document.created == "20260310151500"  # UTC

    @pytest.mark.parametrize("type_code", ["11490-0", "34112-3", "34133-9"])
    def test_a_checker_written_from_the_standard_alone_agrees(self, type_code: str) -> None:
        """The independent checker of tests/parsers finds no rule of IHE broken, whatever the type of the document."""
        mail = built(message=Message(type_code=type_code, label="Essai & œuvre <1>"))
        assert ihe_xdm_checker.check(attached(mail.raw)["IHE_XDM.zip"]) == []

    def test_the_pdf_is_the_same_everywhere(self) -> None:
        """In the CDA, in the archive and beside it: one PDF/A."""
        mail = built()
        files = attached(mail.raw)
        archive = xdm.read(files.pop("IHE_XDM.zip"))
        (pdf,) = files.values()
        digests = {part.sha256 for part in mail.parts if part.name.lower().endswith(".pdf")}
        assert digests == {hashlib.sha256(pdf).hexdigest()}
        assert pdf.startswith(b"%PDF-1.4")
        assert b"<pdfaid:part>1</pdfaid:part>" in pdf
        assert archive.documents[0].cda is not None

    def test_what_would_be_wrong_is_never_sent(self) -> None:
        """A name that no metadata can hold is an error with the code and the place, before anything leaves."""
        one = sender()
        with pytest.raises(NotSoundError) as caught:
            build(trial(name="CH\x00Fictif"), one, settings(one))
        assert all(" at " in code for code in caught.value.codes)


class TestMail:
    """What is around it."""

    def test_headers_are_those_of_a_mssante_mail(self) -> None:
        """Sender, address of the robot, subject, Message-ID of our own domain, the date, the French headers, the receipt."""
        mail = read(built(message=Message(nil="12345-AB", headers={"X-Operateur": "essai"})).raw)
        assert mail["From"].addresses[0].addr_spec == SENDER
        assert mail["From"].addresses[0].display_name == NAME
        assert str(mail["To"]) == ROBOT
        assert str(mail["Subject"]) == "XDM/1.0/DDM+Message de test PS4.1 PAT-TROIS DOMINIQUE 28/03/1979"
        assert str(mail["Message-ID"]) == trial().message_id
        assert trial().message_id.endswith("@ch-fictif.mssante.fr>")
        assert mail["Date"].datetime == trial().local
        wanted = {"X-MSS-CODECDA": "11490-0", "X-MSS-INS": "N", "X-MSS-NIL": "12345-AB", "X-Operateur": "essai"}
        assert {name: str(mail[name]) for name in wanted} == wanted
        assert str(mail["Disposition-Notification-To"]) == SENDER

    def test_headers_that_are_not_wanted_are_not_there(self) -> None:
        """No receipt asked for, no number of the software."""
        mail = read(built(message=Message(receipt=False)).raw)
        assert mail["Disposition-Notification-To"] is None
        assert mail["X-MSS-NIL"] is None

    def test_two_attachments_with_names_that_everyone_reads(self) -> None:
        """The archive and the PDF, named in ASCII both ways (disposition and type)."""
        mail = read(built(patient=Patient(family="ŒUVRÉ-FICTIF", given="ANAÏS")).raw)
        found = [
            (part.get_content_type(), part.get_filename(), part.get_param("name")) for part in mail.iter_attachments()
        ]
        pdf = "20260310_Message-de-test-PS4-1_UVRE-FICTIF_ANAIS.pdf"
        assert found == [("application/zip", "IHE_XDM.zip", "IHE_XDM.zip"), ("application/pdf", pdf, pdf)]

    def test_nothing_on_the_way_has_a_reason_to_change_it(self) -> None:
        """Seven bits, CRLF, lines of 998 at most, no line that begins with a dot alone."""
        raw = built().raw
        lines = raw.split(b"\r\n")
        assert raw.isascii()
        assert b"\n" not in raw.replace(b"\r\n", b"")
        assert max(map(len, lines)) <= 998
        assert b"." not in lines

    def test_what_is_told_of_it_is_what_is_in_it(self) -> None:
        """The list of files, with those of the archive just after it, sizes and SHA-256, is that of the mail itself."""
        mail = built()
        files = attached(mail.raw)
        outside = {part.name: (part.size, part.sha256) for part in mail.parts if not part.inside}
        assert outside == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
        assert [part.name for part in mail.parts if part.inside] == [
            "INDEX.HTM",
            "README.TXT",
            "IHE_XDM/SUBSET01/METADATA.XML",
            "IHE_XDM/SUBSET01/DOC00001.XML",
            "IHE_XDM/SUBSET01/DOC00001.PDF",
        ]
        assert mail.sha256 == hashlib.sha256(mail.raw).hexdigest()

    def test_text_of_the_settings_is_its_text(self) -> None:
        """Paragraphs, accents and all."""
        mail = read(built(message=Message(body=("Essai à 0 €,", "œuvre n’est pas <b>html</b>."))).raw)
        body = mail.get_body(("plain",))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n").startswith("Essai à 0 €,\n\nœuvre n’est pas <b>html</b>.\n")
