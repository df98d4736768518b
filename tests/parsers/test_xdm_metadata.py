"""XDM archives: what their metadata say, and what is wrong with them."""

from __future__ import annotations

import hashlib
import random

import pytest

from engine.parsers import xdm, xdm_metadata
from tests.parsers import xdm_archives as build
from tests.parsers.xdm_archives import CDA, N3, NATIONAL, PDF, archive, entry, files, member, metadata, submission_set
from tests.parsers.xdm_reading import ENTRY, letter, read, refusal, told


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
