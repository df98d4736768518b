"""XDM archives: their documents, and everything that is wrong with them."""

from __future__ import annotations

import hashlib
import posixpath
import random
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codes import codes
from engine.errors import ParseError
from engine.parsers import xdm, xdm_metadata
from tests.parsers import ihe_xdm_checker
from tests.parsers import xdm_archives as build
from tests.parsers.xdm_archives import CDA, N3, NATIONAL, PDF, archive, entry, files, member, metadata, submission_set

ENTRY = "zip[3]/ExtrinsicObject[1]"
SIGNATURE = build.association(build.IHE + "signs", "Signature01", "SubmissionSet01")


def read(*objects: str, **others: bytes | None) -> xdm.Archive:
    """The archive of these metadata, with a PDF copy unless it is said otherwise."""
    return xdm.read(archive(files(*objects, **({"DOC00001_PDF": PDF} | others))))


def letter(**changes: str | bytes) -> xdm.Archive:
    """The archive of one letter whose entry is changed."""
    return read(entry(**changes), submission_set(), member())  # type: ignore[arg-type]


def told(found: xdm.Archive, severity: str = "") -> list[tuple[str, str]]:
    """Codes and places of the problems, the PDF copy apart."""
    return [
        (problem.code, problem.where)
        for problem in found.problems
        if problem.code != "xdm-pdf-copy" and severity in {"", problem.severity}
    ]


def refusal(data: bytes) -> tuple[str, str]:
    """Code and place with which an archive is refused."""
    with pytest.raises(ParseError) as caught:
        xdm.read(data)
    assert caught.value.code in codes()
    return caught.value.code, caught.value.where


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


class TestMetadata:
    """METADATA.XML, as senders write it."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", ""),
            (
                '<x:ProvideAndRegisterDocumentSetRequest xmlns:x="urn:ihe:iti:xds-b:2007">',
                "</x:ProvideAndRegisterDocumentSetRequest>",
            ),
            (
                '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>',
                "</s:Body></s:Envelope>",
            ),
        ],
    )
    @pytest.mark.parametrize("prefix", ["", "rim:", "ns3:"])
    def test_roots_and_prefixes(self, before: str, after: str, prefix: str) -> None:
        """Any prefix, whatever stands around the objects."""
        text = metadata().decode().partition("?>\n")[2]
        for name in ("ExtrinsicObject", "RegistryPackage", "Slot", "ValueList", "Value", "Classification", "Name"):
            text = text.replace(f"<{name} ", f"<{prefix}{name} ").replace(f"<{name}>", f"<{prefix}{name}>")
            text = text.replace(f"</{name}>", f"</{prefix}{name}>")
        assert xdm_metadata.read(f"\ufeff{before}{text}{after}".encode()) == xdm_metadata.read(metadata())

    def test_label_beside_its_set(self) -> None:
        """The classification that makes a set of a package may stand beside it; a folder is none."""
        folder = '<RegistryPackage id="F"><Classification classificationNode="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"/></RegistryPackage>'
        found = read(
            entry(), folder, submission_set(labelled=False, unique_id=""), build.label("SubmissionSet01"), member()
        )
        assert len(found.sets) == 1
        assert told(found) == [("xdm-attribute-missing", "zip[3]/RegistryPackage[1]/uniqueId")]

    def test_codes_beside_their_entry(self) -> None:
        """So may the codes of a document."""
        inside = build.coded("Document01", build.TYPE, "11490-0", build.LOINC)
        found = read(entry().replace(inside, ""), inside, submission_set(), member())
        assert told(found) == []
        assert found.documents[0].type_system == build.LOINC

    def test_what_a_package_holds(self) -> None:
        """Objects inside a package are objects; what comes after them is the package's own."""
        inner = submission_set(more=entry() + build.slot("action", "D"))
        found = read(inner, member())
        assert (found.documents[0].cda is not None, found.sets[0].action) == (True, "D")

    @pytest.mark.parametrize(
        ("content", "expected", "where"),
        [
            (metadata()[:-20], "xdm-metadata-malformed", r"zip[3]/byte"),
            (b"", "xdm-metadata-malformed", "zip[3]/byte 0"),
            (b"not XML", "xdm-metadata-malformed", "zip[3]/byte 0"),
            (metadata().decode().replace("libellé", "\xe9").encode("latin-1"), "xdm-metadata-malformed", "zip[3]/byte"),
            (
                b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
                "xdm-metadata-doctype",
                "zip[3]/byte 0",
            ),
            (b"<a>" * 100_000, "xdm-metadata-too-large", "zip[3]/byte"),
            (metadata("<Association/>" * 20_001), "xdm-metadata-too-large", "zip[3]/byte"),
            (random.Random(1).randbytes(5 << 20), "xdm-metadata-total", "zip"),
        ],
    )
    def test_metadata_that_cannot_be_read(self, content: bytes, expected: str, where: str) -> None:
        """Without any METADATA.XML that can be read there is no archive; the code and the place say why."""
        held = files() | {"IHE_XDM/SUBSET01/METADATA.XML": content}
        code, place = refusal(archive(held))
        assert code == expected
        assert place.startswith(where)

    def test_one_of_two_cannot_be_read(self) -> None:
        """What can be read is read."""
        found = xdm.read(archive(files() | {"IHE_XDM/SUBSET02/METADATA.XML": b"<a"}))
        assert len(found.documents) == 1
        assert ("xdm-metadata-malformed", "zip[5]/byte 0") in told(found, "error")

    def test_too_many_documents(self) -> None:
        """A thousand documents and one more are no mail's."""
        objects = "".join(entry(name=f"D{number}") for number in range(1001))
        assert refusal(archive(files(objects))) == ("xdm-too-many-documents", "zip[3]")

    def test_no_document_no_set(self) -> None:
        """Metadata that describe nothing."""
        assert told(read("<a/>"), "error") == [
            ("xdm-no-document", "zip[3]"),
            ("xdm-set-missing", "zip[3]/RegistryPackage"),
        ]

    def test_two_sets_in_one(self) -> None:
        """IHE allows one set in each METADATA.XML."""
        found = read(entry(), submission_set(), submission_set(name="S2", unique_id="1.2.3.4"), member())
        assert told(found) == [("xdm-set-several", "zip[3]/RegistryPackage")]
        assert len(found.sets) == 2


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


class TestChecks:
    """What an entry says, beside its file and its CDA."""

    @pytest.mark.parametrize(
        ("changes", "severity", "expected"),
        [
            ({"name": ""}, "error", [("xdm-attribute-missing", "id")]),
            ({"object_type": ""}, "error", [("xdm-attribute-missing", "objectType")]),
            ({"mime": ""}, "error", [("xdm-attribute-missing", "mimeType")]),
            ({"unique_id": ""}, "error", [("xdm-attribute-missing", "uniqueId")]),
            ({"digest": ""}, "error", [("xdm-attribute-missing", "hash")]),
            ({"size": ""}, "error", [("xdm-attribute-missing", "size")]),
            ({"uri": ""}, "error", [("xdm-attribute-missing", "URI")]),
            ({"patient": ""}, "warning", [("xdm-patient-missing", "patientId")]),
            ({"object_type": "urn:uuid:0"}, "error", [("xdm-object-type-unknown", "objectType")]),
            ({"size": "4"}, "error", [("xdm-size-differs", "size")]),
            ({"size": "4 o"}, "error", [("xdm-size-differs", "size")]),
            ({"size": "9" * 5000}, "error", [("xdm-size-differs", "size")]),
            ({"digest": "0" * 40}, "error", [("xdm-hash-differs", "hash")]),
            ({"digest": "zz"}, "error", [("xdm-hash-differs", "hash")]),
            ({"digest": hashlib.sha1(CDA).hexdigest().upper()}, "", []),
            ({"unique_id": "1.2.3.4"}, "error", [("xdm-id-differs", "uniqueId")]),
            ({"unique_id": f"urn:oid:{build.DOCUMENT}"}, "", []),
            ({"type_code": "11502-2"}, "error", [("xdm-type-differs", "typeCode")]),
            ({"type_system": "1.2.3"}, "error", [("xdm-type-differs", "typeCode")]),
            ({"type_system": f"urn:oid:{build.LOINC}"}, "", []),
            ({"class_code": "11"}, "warning", [("xdm-class-differs", "classCode")]),
            ({"format_code": "urn:asip:ci-sis:ldl-ses:2017"}, "warning", [("xdm-format-differs", "formatCode")]),
            ({"format_code": "urn:ihe:iti:xds-sd:text:2008"}, "warning", [("xdm-format-differs", "formatCode")]),
            ({"format_code": ""}, "warning", [("xdm-format-differs", "formatCode")]),
            ({"mime": "application/xml"}, "warning", [("xdm-mime-unexpected", "mimeType")]),
            ({"mime": "application/octet-stream"}, "warning", [("xdm-mime-unexpected", "mimeType")]),
            ({"mime": "application/xslt+xml"}, "warning", [("xdm-mime-unexpected", "mimeType")]),
            ({"mime": "Text/XML; charset=utf-8"}, "", []),
            ({"institution": "CH^^^^^&1.2&ISO^IDNST^^^1990000001"}, "info", [("xdm-institution-differs", "author")]),
            ({"institution": ""}, "", []),
        ],
    )
    def test_an_entry(self, changes: dict[str, str], severity: str, expected: list[tuple[str, str]]) -> None:
        """One change, one problem, at its place and of its severity."""
        name = changes.get("name", "Document01")
        found = read(entry(**changes), submission_set(), member(name))  # type: ignore[arg-type]
        problems = [one for one in told(found) if not one[0].endswith(("pdf-missing", "file-unlisted"))]
        problems = [one for one in problems if one[0] != "xdm-not-a-member"]
        assert problems == [(code, f"{ENTRY}/{where}") for code, where in expected]
        assert {problem.severity for problem in found.problems if problem.code in dict(expected)} == {severity} - {""}

    def test_content_announced_as_something_else(self) -> None:
        """A CDA is read whatever the metadata call it; a file that is none is not, unless it is announced as one."""
        assert letter(mime="application/octet-stream").documents[0].cda is not None
        found = read(entry(PDF, mime="application/dicom"), submission_set(), member(), DOC00001_XML=PDF)
        assert (found.documents[0].cda, found.documents[0].announced_cda) == (None, False)
        assert ("xdm-mime-unexpected", f"{ENTRY}/mimeType") in told(found, "warning")
        other = read(entry(b"<a/>", mime="image/svg+xml"), submission_set(), member(), DOC00001_XML=b"<a/>")
        assert told(other, "error") == []

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (CDA[:-20], ("xml-truncated", "zip[4]/byte")),
            (b"<a/>", ("not-a-cda", "zip[4]/*")),
            (PDF, ("xml-malformed", "zip[4]/byte")),
            (b"<!DOCTYPE a><a/>", ("xml-doctype", "zip[4]/byte")),
        ],
    )
    def test_a_cda_that_cannot_be_read(self, content: bytes, expected: tuple[str, str]) -> None:
        """Its own code, at its place in its file."""
        found = read(entry(content), submission_set(), member(), DOC00001_XML=content)
        ((code, where),) = told(found, "error")
        assert (code, where.startswith(expected[1])) == (expected[0], True)
        assert (found.documents[0].cda, found.documents[0].announced_cda) == (None, True)
        assert found.documents[0].content == content

    def test_levels(self) -> None:
        """A structured body has a structured format, never that of a scanned document."""
        right = entry(N3, unique_id="1.2.250.1.999.42.10.1004", format_code="urn:asip:ci-sis:ldl-ses:2017")
        assert told(read(right, submission_set(), member(), DOC00001_XML=N3)) == []
        wrong = right.replace("urn:asip:ci-sis:ldl-ses:2017", build.SCANNED)
        found = read(wrong, submission_set(), member(), DOC00001_XML=N3)
        assert told(found) == [("xdm-format-differs", f"{ENTRY}/formatCode")]

    def test_a_document_that_shows_itself(self) -> None:
        """A CDA in its style sheet may be application/xslt+xml, or text/xml."""
        own = (build.FIXTURES / "cda" / "ldl_ses_n3_autopresentable.xml").read_bytes()
        for mime in ("text/xml", "application/xslt+xml"):
            one = entry(own, mime=mime, format_code="urn:asip:ci-sis:ldl-ses:2017")
            found = read(one, submission_set(), member(), DOC00001_XML=own)
            assert "xdm-mime-unexpected" not in dict(told(found))

    def test_institution(self) -> None:
        """The custodian is the author's institution, or of the establishment."""
        elsewhere = letter(institution="CH^^^^^&1.2&ISO^IDNST^^^1990000001")
        assert told(elsewhere, "info") == [("xdm-institution-differs", f"{ENTRY}/author")]
        data = archive(files(entry(institution=""), submission_set(), member(), DOC00001_PDF=PDF))
        assert told(xdm.read(data, establishments={"990000001"})) == [("xdm-institution-differs", f"{ENTRY}/author")]
        assert told(xdm.read(data, establishments={"990000019"})) == []

    def test_members(self) -> None:
        """Each document is a member of the set."""
        assert told(read(entry(), submission_set()), "warning") == [("xdm-not-a-member", ENTRY)]

    def test_one_id_twice(self) -> None:
        """Two entries under one uniqueId are one document for who receives them."""
        two = read(entry(), entry(name="D2"), submission_set(), member(), member("D2"))
        assert told(two) == [("xdm-id-repeated", "zip[3]/ExtrinsicObject[2]/uniqueId")]

    def test_on_demand(self) -> None:
        """A promise is no document."""
        found = letter(object_type="urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248")
        assert found.documents == ()
        assert ("xdm-on-demand", ENTRY) in told(found, "error")


class TestPatient:
    """Whose archive it is."""

    def test_the_set_speaks_for_its_documents(self) -> None:
        """Without a patientId of its own, a document is that of its set's patient."""
        assert letter(patient="").documents[0].patient == build.PATIENT

    def test_document_and_set(self) -> None:
        """One patient in a set, and in the archive."""
        found = read(entry(), submission_set(patient=build.PATIENT.replace("61^", "62^")), member())
        assert told(found, "error") == [("xdm-patient-differs", f"{ENTRY}/patientId"), ("xdm-patients-several", "zip")]

    def test_writings_of_one_number(self) -> None:
        """Letter case, spaces and a birth date that follows are no difference."""
        corsican = CDA.replace(b"290067599900261", b"290062A99900188")
        number = "290062A99900188^^^&1.2.250.1.213.1.4.10&ISO^NH"
        entries = entry(corsican, patient=f"{number.lower().replace('nh', 'NH').replace('iso', 'ISO')}^^19900615")
        found = read(entries, submission_set(patient=number), member(), DOC00001_XML=corsican)
        assert told(found, "error") == []

    def test_not_of_the_cda(self) -> None:
        """The number of somebody else, or the same under another authority."""
        other = build.PATIENT.replace("61^", "62^")
        found = read(entry(patient=other), submission_set(patient=other), member())
        assert told(found, "error") == [("xdm-patient-not-of-cda", f"{ENTRY}/patientId")]
        national = read(
            entry(NATIONAL, unique_id="1.2.250.1.999.42.10.1002"), submission_set(), member(), DOC00001_XML=NATIONAL
        )
        assert told(national, "error") == [("xdm-patient-not-of-cda", f"{ENTRY}/patientId")]

    def test_another_number_than_the_ins(self) -> None:
        """The IPP will do only when the CDA has no INS."""
        found = read(entry(patient=build.IPP), submission_set(patient=build.IPP), member())
        assert told(found, "error") == [("xdm-patient-not-ins", f"{ENTRY}/patientId")]
        bare = (build.FIXTURES / "cda" / "ldl_ses_n1_no_ins.xml").read_bytes()
        without = read(entry(bare, patient=build.IPP), submission_set(patient=build.IPP), member(), DOC00001_XML=bare)
        assert not {code for code, _ in told(without) if code.startswith("xdm-patient")}


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


def test_the_independent_checker_agrees() -> None:
    """A good archive is good for the checker written from the IHE text too, and what it finds wrong is wrong here."""
    assert ihe_xdm_checker.check(build.valid()) == []
    for changes in (
        {"digest": "0" * 40},
        {"size": "1"},
        {"uri": "NOWHERE.XML"},
        {"unique_id": "1.2.3.4"},
        {"type_code": "11502-2"},
        {"patient": build.PATIENT.replace("61^", "62^")},
        {"object_type": "urn:uuid:0"},
        {"format_code": "urn:ihe:iti:xds-sd:text:2008"},
    ):
        data = archive(files(entry(**changes), submission_set(), member(), DOC00001_PDF=PDF))  # type: ignore[arg-type]
        assert ihe_xdm_checker.check(data)
        assert told(xdm.read(data))


def _damage(content: bytes, accidents: list[tuple[float, int, bytes]]) -> bytes:
    for place, lost, found in accidents:
        at = int(place * len(content))
        content = content[:at] + found + content[at + lost :]
    return content


ACCIDENTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), min_size=1, max_size=4)
DOCUMENTED = frozenset(codes())


def _read_or_refused(data: bytes) -> None:
    try:
        found = xdm.read(data)
    except ParseError as error:
        assert error.code in DOCUMENTED
        assert error.code != "internal"
    else:
        assert {problem.code for problem in found.problems} <= DOCUMENTED
        assert {problem.severity for problem in found.problems} <= {"error", "warning", "info"}
    xdm.looks_like(data)


@given(ACCIDENTS)
def test_any_damage_to_an_archive(accidents: list[tuple[float, int, bytes]]) -> None:
    """Whatever happens to its bytes: documents and declared problems, or a declared refusal."""
    _read_or_refused(_damage(VALID, accidents))


@given(st.sampled_from(["IHE_XDM/SUBSET01/METADATA.XML", "IHE_XDM/SUBSET01/DOC00001.XML"]), ACCIDENTS)
def test_any_damage_before_it_was_archived(name: str, accidents: list[tuple[float, int, bytes]]) -> None:
    """So for metadata and documents that were written wrong."""
    held = files(DOC00001_PDF=PDF)
    _read_or_refused(archive(held | {name: _damage(held[name], accidents)}))


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=4), st.text(max_size=30))
def test_any_names_and_uri(names: list[tuple[str, str]], uri: str) -> None:
    """So for any names of files and any URI."""
    changes: list[Callable[[], bytes]] = [name.encode for pair in names for name in pair]
    held = [*build.raws(files(entry(uri=uri.translate(_PRINTABLE)), submission_set(), member()))]
    try:
        held += [build.Raw(change(), b"x", flags=0x800) for change in changes]
    except UnicodeEncodeError:
        return
    _read_or_refused(build.forged(*held))


_PRINTABLE = dict.fromkeys((*range(32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF))
VALID = build.valid()
