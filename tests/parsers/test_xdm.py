"""XDM archives: their documents, their layout and their files."""

from __future__ import annotations

import hashlib
import posixpath
import tracemalloc
import zipfile

import pytest

from engine.errors import ParseError
from engine.parsers import xdm, xdm_metadata
from tests.parsers import xdm_archives as build
from tests.parsers.xdm_archives import CDA, PDF, archive, entry, files, member, metadata, submission_set
from tests.parsers.xdm_reading import ENTRY, SIGNATURE, read, refusal, told


class TestDocument:
    """What is said of a document."""

    def test_everything(self) -> None:
        """The metadata, the file and its CDA."""
        found = read()
        assert told(found) == []
        assert not found.flawed
        assert not found.deletes
        (document,) = found.documents
        assert (document.unique_id, document.mime_type, document.uri) == (build.DOCUMENT, "text/xml", "DOC00001.XML")
        assert (document.type_code, document.type_system, document.class_code) == ("11490-0", build.LOINC, "10")
        assert (document.format_code, document.kind) == (build.SCANNED, "ldl-ses")
        assert (document.patient, document.source_patient) == (build.PATIENT, build.IPP)
        assert (document.hash, document.size) == (hashlib.sha1(CDA).hexdigest(), len(CDA))
        assert (document.created, document.service_start) == ("20260310151500", "20260305080000")
        assert (document.content, document.announced_cda, document.is_copy) == (CDA, True, False)
        assert document.cda is not None
        assert (document.cda.id, document.cda.set_id) == (build.DOCUMENT, "1.2.250.1.999.42.11.500")
        assert (document.where, document.action, document.replaces) == (ENTRY, "", "")
        (lot,) = found.sets
        assert (lot.unique_id, lot.patient, lot.source_id, lot.at) == (
            build.SET,
            build.PATIENT,
            "1.2.250.1.999.42",
            "20260310152000",
        )

    def test_nothing_personal_is_shown(self) -> None:
        """No representation of an archive shows an identifier."""
        found = read()
        metadata_read = xdm_metadata.read(metadata())
        shown = f"{found!r}{found.documents[0].__rich_repr__()}{found.sets[0].__rich_repr__()}{metadata_read!r}"
        shown += f"{metadata_read.entries[0].__rich_repr__()}"
        assert "290067599900261" not in shown
        assert "1.2.250.1.999" not in shown

    def test_from_a_memoryview(self) -> None:
        """A part of a mail need not be copied."""
        assert xdm.read(memoryview(build.valid())) == xdm.read(build.valid())

    def test_replacement(self) -> None:
        """What a document replaces is told by its CDA, else by the association to an OID."""
        newer = CDA.replace(
            b"<componentOf>",
            b'<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.3.4"/></parentDocument>'
            b"</relatedDocument><componentOf>",
        )
        found = read(entry(newer), submission_set(), member(), DOC00001_XML=newer)
        assert found.documents[0].replaces == "1.2.3.4"
        replaces = build.association(build.IHE + "RPLC", "Document01", "1.2.3.5")
        assert read(entry(), submission_set(), member(), replaces).documents[0].replaces == "1.2.3.5"
        entry_uuid = build.association(
            build.IHE + "RPLC", "Document01", "urn:uuid:00000000-0000-4000-8000-00000000e001"
        )
        assert read(entry(), submission_set(), member(), entry_uuid).documents[0].replaces == ""

    @pytest.mark.parametrize(
        ("written", "action", "deletes"),
        [
            (build.slot("action", "D"), "D", True),
            (build.slot("urn:ans:xdm:Action", "d"), "D", True),
            (build.slot("ACTION", "S"), "D", True),
            (build.slot("action", "C"), "C", False),
            (build.slot("action", "X"), "", False),
            (build.slot("actions", "D"), "", False),
            ('<Classification classificationScheme="urn:x:action" nodeRepresentation="D"/>', "D", True),
            (
                '<Classification classificationScheme="urn:uuid:0" nodeRepresentation="S"><Name><LocalizedString '
                'value="action"/></Name></Classification>',
                "D",
                True,
            ),
            (f'<Classification classificationScheme="urn:x">{build.slot("action", "D")}</Classification>', "D", True),
        ],
    )
    def test_action(self, written: str, action: str, deletes: bool) -> None:
        """The action is known in a slot or a classification, of the document or of its set, in any case."""
        of_entry = read(entry(more=written), submission_set(), member())
        of_set = read(entry(), submission_set(more=written), member())
        for found in (of_entry, of_set):
            assert (found.documents[0].action, found.deletes) == (action, deletes)
        assert of_entry.documents[0].cda is not None

    def test_action_beside(self) -> None:
        """A classification that stands beside its object is that object's."""
        beside = (
            '<Classification classificationScheme="urn:x:action" classifiedObject="Document01" nodeRepresentation="D"/>'
        )
        assert read(entry(), submission_set(), member(), beside).documents[0].action == "D"


class TestLayout:
    """Where things are."""

    @pytest.mark.parametrize(
        ("folder", "warned"),
        [
            ("IHE_XDM/SUBSET01", False),
            ("IHE_XDM/SS000001", False),
            ("ihe_xdm/subset01", False),
            ("IHE_XDM/A/B", False),
            ("IHE_XDM", False),
            ("KA202601/IHE_XDM/SUBSET01", True),
            ("./IHE_XDM/SUBSET01", False),
        ],
    )
    def test_folders(self, folder: str, warned: bool) -> None:
        """IHE_XDM is found anywhere, in any case, whatever its folders are called."""
        held = files(folder=folder, DOC00001_PDF=PDF)
        if warned:
            held = {f"KA202601/{name}" if "/" not in name else name: content for name, content in held.items()}
        data = archive(held)
        assert xdm.looks_like(data)
        found = xdm.read(data)
        assert found.documents[0].cda is not None
        assert told(found) == ([("xdm-wrapped", "zip")] if warned else [])

    def test_names_in_any_case(self) -> None:
        """metadata.xml, index.htm, readme.txt and the documents."""
        held = {name.lower(): content for name, content in files(DOC00001_PDF=PDF).items()}
        assert told(xdm.read(archive(held))) == []

    def test_several_sets(self) -> None:
        """Two folders are two sets; one cannot be read for the other."""
        second = CDA.replace(b"42.10.1001", b"42.10.1002")
        other = metadata(
            entry(second, unique_id="1.2.250.1.999.42.10.1002"), submission_set(unique_id="1.2.250.1.1"), member()
        )
        held = files(DOC00001_PDF=PDF) | {
            "IHE_XDM/SUBSET02/METADATA.XML": other,
            "IHE_XDM/SUBSET02/DOC00001.XML": second,
        }
        found = xdm.read(archive(held))
        assert [document.where for document in found.documents] == [ENTRY, "zip[6]/ExtrinsicObject[1]"]
        assert [lot.unique_id for lot in found.sets] == [build.SET, "1.2.250.1.1"]
        assert told(found) == [("xdm-pdf-missing", "zip[6]")]

    def test_missing_helps(self) -> None:
        """INDEX.HTM and README.TXT are asked for by IHE; without them an archive is read."""
        held = files(DOC00001_PDF=PDF)
        del held["INDEX.HTM"], held["README.TXT"]
        assert told(xdm.read(archive(held)), "warning") == [("xdm-index-missing", "zip"), ("xdm-readme-missing", "zip")]

    def test_other_files(self) -> None:
        """Other files are passed over: those of the folder are told, those elsewhere are nobody's business."""
        held = files(DOC00001_PDF=PDF, CDA_XSL=b"<x/>") | {"__MACOSX/._INDEX.HTM": b"x", "AUTORUN.INF": b"x"}
        assert told(xdm.read(archive(held))) == [("xdm-file-unlisted", "zip[6]")]

    def test_nested_archives_are_not_opened(self) -> None:
        """A bomb of archives in archives (42.zip) costs its own bytes and no more."""
        bomb = bytes(1 << 20)
        for _ in range(6):
            bomb = archive({f"{number}.ZIP": bomb for number in range(16)})
        held = files(DOC00001_PDF=PDF) | {"BOMB.ZIP": bomb, "B.GZ": b"\x1f\x8b\x08\x00"}
        tracemalloc.start()
        try:
            found = xdm.read(archive(held, zipfile.ZIP_STORED))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert told(found) == [("zip-nested", "zip[6]"), ("zip-nested", "zip[7]")]
        assert peak < 1 << 20

    @pytest.mark.parametrize(
        "held",
        [
            {"A.TXT": b"x"},
            {"METADATA.XML": metadata()},
            {"IHE_XDM/DOC00001.XML": CDA},
            {"XIHE_XDM/S/METADATA.XML": metadata()},
            {"IHE_XDM.ZIP": build.valid()},
        ],
    )
    def test_what_is_no_xdm(self, held: dict[str, bytes]) -> None:
        """A ZIP without METADATA.XML under IHE_XDM."""
        assert refusal(archive(held)) == ("xdm-none", "zip")
        assert not xdm.looks_like(archive(held))

    def test_unsafe_archives_still_look_like_one(self) -> None:
        """What is refused for a danger is an XDM that cannot be read, not an ordinary attachment."""
        data = build.forged(*build.raws(), build.Raw(b"../x", b"x"))
        assert xdm.looks_like(data)
        assert refusal(data) == ("zip-name-parent", "zip[5]")
        slashes = {name.replace("/", "\\"): content for name, content in files().items()}
        data = build.forged(*build.raws(slashes))
        assert xdm.looks_like(data)
        assert refusal(data) == ("zip-name-backslash", "zip[3]")
        assert not xdm.looks_like(build.valid()[:-30])

    def test_limits(self) -> None:
        """Limits are the caller's."""
        with pytest.raises(ParseError, match="zip-entry-too-large"):
            xdm.read(build.valid(), xdm.Limits(entry=1000))


class TestFiles:
    """What a URI leads to."""

    @pytest.mark.parametrize(
        ("uri", "path", "expected"),
        [
            ("doc00001.xml", "DOC00001.XML", ""),
            ("./DOC00001.XML", "DOC00001.XML", ""),
            ("A/DOC00001.XML", "A/DOC00001.XML", ""),
            ("../DOC00001.XML", "../DOC00001.XML", ""),
            ("../../DOC00001.XML", "../../DOC00001.XML", ""),
            ("LETTRE%20%C3%A9.XML", "LETTRE É.XML", ""),
            ("A%20B.XML", "A%20B.XML", ""),
            ("SUBSET01/DOC00001.XML", "DOC00001.XML", "xdm-file-fallback"),
            ("IHE_XDM/SUBSET01/DOC00001.XML", "DOC00001.XML", "xdm-file-fallback"),
            ("/IHE_XDM/SUBSET01/DOC00001.XML", "DOC00001.XML", "xdm-file-fallback"),
            ("SUBSET01\\DOC00001.XML", "DOC00001.XML", "xdm-file-fallback"),
            ("ELSEWHERE/DOC00001.XML", "DOC00001.XML", "xdm-file-fallback"),
            ("OTHER.XML", "DOC00001.XML", "xdm-file-missing"),
            (".", "DOC00001.XML", "xdm-file-missing"),
            ("../../../DOC00001.XML", "DOC00001.XML", "xdm-uri-outside"),
            ("%2e%2e/../../DOC00001.XML", "DOC00001.XML", "xdm-uri-outside"),
            ("file:///etc/passwd", "DOC00001.XML", "xdm-uri-outside"),
            ("http://pfi.example/DOC00001.XML", "DOC00001.XML", "xdm-uri-outside"),
            ("C:/DOC00001.XML", "DOC00001.XML", "xdm-uri-outside"),
        ],
    )
    def test_uri(self, uri: str, path: str, expected: str) -> None:
        """Relative to METADATA.XML, inside the archive; what is found elsewhere is found all the same."""
        held = files(entry(uri=uri), submission_set(), member(), DOC00001_XML=None, DOC00001_PDF=PDF)
        held[posixpath.normpath(f"IHE_XDM/SUBSET01/{path}")] = CDA
        found = xdm.read(archive(held))
        problems = [code for code, where in told(found) if where == f"{ENTRY}/URI"]
        assert problems == ([expected] if expected else [])
        missing = expected in {"xdm-file-missing", "xdm-uri-outside"}
        assert (found.documents[0].content == b"") == missing
        assert found.flawed == missing

    def test_a_missing_file(self) -> None:
        """Without file, hash and size are what the metadata say."""
        (document,) = read(DOC00001_XML=None).documents
        assert (document.hash, document.size) == (hashlib.sha1(CDA).hexdigest(), len(CDA))
        assert (document.content, document.cda, document.announced_cda) == (b"", None, True)

    def test_one_name_in_two_folders(self) -> None:
        """The last part of a path is no guide when two files have it."""
        held = files(entry(uri="X/DOC00001.XML"), submission_set(), member()) | {"A/DOC00001.XML": CDA}
        assert ("xdm-file-missing", f"{ENTRY}/URI") in told(xdm.read(archive(held)))

    def test_a_damaged_file(self) -> None:
        """A file whose bytes were damaged is missing, and said to be so at its place; the others are read."""
        entries = build.raws()
        entries[3].crc = 1
        found = xdm.read(build.forged(*entries))
        assert told(found, "error") == [("zip-crc", "zip[4]")]
        assert found.documents[0].content == b""
        entries[3].crc, entries[3].method, entries[3].packed = None, 12, b"BZh"
        assert told(xdm.read(build.forged(*entries)), "error") == [("zip-compression", "zip[4]")]

    def test_a_file_that_lies_about_its_size(self) -> None:
        """That is no accident: the archive is refused."""
        entries = build.raws()
        entries[3].size = 10
        assert refusal(build.forged(*entries)) == ("zip-size-lies", "zip[4]")

    def test_one_file_for_many_entries(self) -> None:
        """A file that a thousand entries name is inflated, hashed and read once."""
        page = CDA.replace(
            b"</ClinicalDocument>", b"<!--" + bytes(1 << 20).replace(b"\0", b"x") + b"--></ClinicalDocument>"
        )
        objects = "".join(entry(page, name=f"D{number}", unique_id=f"1.2.3.{number}") for number in range(500))
        tracemalloc.start()
        try:
            found = xdm.read(archive(files(objects, submission_set(), DOC00001_XML=page), zipfile.ZIP_STORED))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(found.documents) == 500
        assert len({id(document.content) for document in found.documents}) == 1
        assert peak < 40 << 20


class TestWhatIsNoDocument:
    """Entries that are in the metadata, and are not counted."""

    def test_pdf_copy(self) -> None:
        """A PDF of the same type, of the same name, or made from a CDA of the set is its copy; another PDF is a document."""
        same_type = entry(PDF, name="D2", uri="OTHER.PDF", mime="application/pdf", unique_id="1.2.3.4")
        same_name = entry(
            PDF, name="D2", uri="DOC00001.PDF", mime="application/pdf", unique_id="1.2.3.4", type_code="X"
        )
        other = entry(PDF, name="D2", uri="OTHER.PDF", mime="application/pdf", unique_id="1.2.3.4", type_code="51851-4")
        made = build.association(build.IHE + "XFRM", "D2", "Document01")
        for second, copy in ((same_type, True), (same_name, True), (other + made, True), (other, False)):
            found = read(entry(), second, submission_set(), member(), member("D2"), DOC00001_PDF=PDF, OTHER_PDF=PDF)
            assert [document.is_copy for document in found.documents] == [False, copy]
            assert told(found, "error") == []
            assert (("xdm-pdf-copy", "info") in {(one.code, one.severity) for one in found.problems}) or not copy

    def test_pdf_copies_are_told(self) -> None:
        """Whether the archive holds a copy of its CDA is worth knowing; the mail may hold it instead."""
        assert told(read(DOC00001_PDF=None)) == [("xdm-pdf-missing", "zip[3]")]
        assert [one.code for one in read().problems] == ["xdm-pdf-copy"]

    def test_signatures(self) -> None:
        """The signature of a lot is none of its documents, whether its codes or its association say so."""
        coded = entry(
            b"<Signature/>",
            name="Signature01",
            uri="SIGN.XML",
            unique_id="1.2.3.4",
            type_code="E1762",
            type_system="ASTM",
            class_code="urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1",
            format_code="http://www.w3.org/2000/09/xmldsig#",
        )
        plain = entry(b"<Signature/>", name="Signature01", uri="SIGN.XML", unique_id="1.2.3.4")
        for one, tie in ((coded, ""), (plain, SIGNATURE)):
            found = read(entry(), one, tie, submission_set(), member(), member("Signature01"), SIGN_XML=b"<Signature/>")
            assert [document.unique_id for document in found.documents] == [build.DOCUMENT]
            assert told(found) == []

    @pytest.mark.parametrize("code", ["IMG-KOS", "FEUILLE-DE-STYLE"])
    def test_image_references_and_style_sheets(self, code: str) -> None:
        """Neither is a document; their files are checked all the same."""
        one = entry(
            b"DICM", name="K", uri="KOS", mime="application/dicom", unique_id="1.2.3.4", type_code=code, size="9"
        )
        found = read(entry(), one, submission_set(), member(), member("K"), KOS=b"DICM")
        assert len(found.documents) == 1
        assert told(found) == [("xdm-size-differs", "zip[3]/ExtrinsicObject[2]/size")]
