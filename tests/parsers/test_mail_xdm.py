"""A mail of the establishment: the documents of its XDM."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.facts import CITIZEN as CITIZENS
from engine.facts import PROFESSIONAL, Mailed
from engine.parsers import mail
from tests.parsers import xdm_archives as xdm
from tests.parsers.mail_reading import DOCUMENT, GOOD, PATIENT, archive, flagged, letter, parse, sent
from tests.parsers.mails import CITIZEN, CONTEXT, DOCTOR, PDF, attached, text
from tests.parsers.mails import mail as write
from tests.parsers.messages import pseudonym
from tests.parsers.test_mail import SECONDS


class TestXdm:
    """What a mail carries."""

    @pytest.mark.parametrize(
        ("kind", "name", "encoding"),
        [
            ("application/zip", "IHE_XDM.ZIP", "base64"),
            ("application/x-zip-compressed", "ihe_xdm.zip", "base64"),
            ("application/octet-stream", "piece.bin", "base64"),
            ("text/plain", "a.txt", "base64"),
            ("application/zip", "IHE_XDM.zip", "binary"),
        ],
    )
    def test_found_by_its_content(self, kind: str, name: str, encoding: str) -> None:
        """Whatever its name, media type or encoding."""
        content = GOOD if encoding == "base64" else xdm.archive(xdm.files(DOC00001_XML=xdm.CDA))
        (found,) = sent(write(text(), attached(content, kind, name, encoding)))
        assert (found.xdm, found.body) == ("valid", "cda")

    def test_another_zip_is_none(self) -> None:
        """An archive of pictures, a PDF: no document of the sending."""
        pictures = xdm.archive({"IHE_XDM.ZIP": b"x", "scan.jpg": b"y"})
        for part in (attached(pictures, name="photos.zip"), attached(PDF, "application/pdf", "a.pdf")):
            (found,) = sent(write(text(), part, Subject="Photos"))
            assert (found.xdm, found.document, found.body) == ("none", None, "")
            assert flagged(write(text(), part, Subject="Photos")) == []

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (GOOD[:-400], "zip-no-directory"),
            (xdm.archive({"a.txt": b"a"}), "xdm-none"),
            (b"nothing", "zip-no-directory"),
            (b"", "zip-no-directory"),
            (xdm.archive(xdm.files() | {"../evil": b"x"}), "zip-name-parent"),
            (xdm.archive(xdm.files() | {"IHE_XDM/SUBSET01/METADATA.XML": b"<x"}), "xdm-metadata-malformed"),
        ],
    )
    def test_unreadable(self, content: bytes, code: str) -> None:
        """An XDM by its name that cannot be read, or must not be: the mail is a sending without document."""
        found = parse(letter(content))
        assert [(fact.xdm, fact.document) for fact in found.facts if isinstance(fact, Mailed)] == [("unreadable", None)]
        assert [flag.code for flag in found.flags] == [code]
        assert found.flags[0].where.startswith("part 2 zip")

    def test_unreadable_by_its_subject(self) -> None:
        """A damaged ZIP of any name is an XDM when the subject says so, and no other one is there."""
        damaged = attached(GOOD[:-400], name="piece.zip")
        assert sent(write(text(), damaged))[0].xdm == "unreadable"
        assert sent(write(text(), damaged, Subject="Photos"))[0].xdm == "none"
        assert sent(write(text(), damaged, attached(GOOD)))[0].xdm == "valid"

    def test_too_large(self) -> None:
        """The limit of documents holds for all the archives of a mail."""
        tight = replace(CONTEXT, max_document_bytes=len(GOOD) + 10)
        assert mail.parse(letter(), tight).flags == ()
        twice = mail.parse(write(text(), attached(GOOD), attached(GOOD)), tight)
        assert [flag.code for flag in twice.flags] == ["mail-part-too-large"]
        assert [fact.xdm for fact in twice.facts if isinstance(fact, Mailed)] == ["flawed"]

    def test_too_many(self) -> None:
        """Four archives are read at most; the rest is told."""
        found = parse(write(text(), *[attached(GOOD)] * 6))
        assert [flag.code for flag in found.flags] == ["mail-too-many-archives"] * 2
        assert [flag.where for flag in found.flags] == ["part 6 zip", "part 7 zip"]
        assert [fact.xdm for fact in found.facts if isinstance(fact, Mailed)] == ["flawed"] * 4

    def test_flawed(self) -> None:
        """Read, with an error: the code and the place."""
        found = parse(letter(archive(digest="0" * 40)))
        assert [(flag.code, flag.where) for flag in found.flags] == [
            ("xdm-hash-differs", "part 2 zip[3]/ExtrinsicObject[1]/hash")
        ]
        assert [(fact.xdm, fact.body) for fact in found.facts if isinstance(fact, Mailed)] == [("flawed", "cda")]

    def test_several_documents(self) -> None:
        """A fact for each; a copy in PDF is none of them, a PDF of its own is."""
        first = xdm.entry(xdm.NATIONAL, unique_id=DOCUMENT, patient=PATIENT)
        copy = xdm.entry(
            PDF, name="Document02", uri="DOC00001.PDF", mime="application/pdf", unique_id="1.2.3.1", patient=PATIENT
        )
        other = xdm.entry(
            PDF,
            name="Document03",
            uri="DOC00002.PDF",
            mime="application/pdf",
            unique_id="1.2.3.2",
            patient=PATIENT,
            type_code="57833-6",
        )
        members = [xdm.member(), xdm.member("Document02"), xdm.member("Document03")]
        files = xdm.files(
            first,
            copy,
            other,
            xdm.submission_set(patient=PATIENT),
            *members,
            DOC00001_XML=xdm.NATIONAL,
            DOC00001_PDF=PDF,
            DOC00002_PDF=PDF,
        )
        found = sent(letter(xdm.archive(files), To=f"{DOCTOR}, {CITIZEN}"))
        assert [(fact.category, fact.body, fact.type_code, fact.level) for fact in found] == [
            (PROFESSIONAL, "cda", "11490-0", 1),
            (PROFESSIONAL, "other", "57833-6", 0),
            (CITIZENS, "cda", "11490-0", 1),
            (CITIZENS, "other", "57833-6", 0),
        ]

    def test_announced_as_a_cda(self) -> None:
        """What says it is a CDA and cannot be read is one that is unreadable, known by its metadata."""
        (found,) = sent(letter(archive(b"<ClinicalDocument")))
        assert (found.xdm, found.body, found.level, found.type_code) == ("flawed", "unreadable", 0, "11490-0")
        assert found.document == pseudonym("document", "", DOCUMENT.encode())
        assert found.created == SECONDS(b"20260310151500Z")

    def test_a_missing_file(self) -> None:
        """A document whose file is not in the archive has no hash."""
        objects = (xdm.entry(xdm.NATIONAL, patient=PATIENT), xdm.submission_set(patient=PATIENT), xdm.member())
        (found,) = sent(letter(xdm.archive(xdm.files(*objects, DOC00001_XML=None))))
        assert (found.xdm, found.body, found.hash) == ("flawed", "unreadable", None)

    def test_a_deletion(self) -> None:
        """A mail that asks to delete a document sends nothing."""
        raw = letter(archive(more=xdm.slot("action", "D")))
        assert parse(raw).message == "mail"
        assert sent(raw) == []
        assert flagged(raw)[-1:] == ["mail-deletes"]
