"""ebRIM metadata: which objects, and what is kept of them."""

from __future__ import annotations

import pytest

from engine.errors import ParseError
from engine.parsers import ebrim, soap_reader
from tests.parsers.xds_messages import (
    AVAILABILITY,
    DELETED,
    DOCUMENT,
    IPP,
    PATIENT,
    SET,
    entry,
    inline,
    provide,
    registry,
    removal,
    signature,
    slot,
    submission_set,
    submit,
    xop,
)


def read(xml: str) -> ebrim.Registry:
    """The registry objects of a fragment."""
    found = ebrim.Registry()
    soap_reader.walk(xml.encode(), found)
    return found


class TestEntry:
    """A document entry."""

    def test_everything_that_is_read(self) -> None:
        """Codes by scheme, identifiers by scheme, slots by name, attributes."""
        found = read(submit(entry(hash="AB", size="3", URI="a.xml"))).entries[0]
        assert found.id == "Document01"
        assert found.codes == {
            ebrim.TYPE_CODE: "11490-0",
            ebrim.CLASS_CODE: "10",
            ebrim.FORMAT_CODE: "urn:ihe:iti:xds-sd:pdf:2008",
        }
        assert found.identifiers == {ebrim.ENTRY_PATIENT: PATIENT, ebrim.ENTRY_ID: DOCUMENT}
        assert found.slot("creationTime") == "20260310151500"
        assert found.slot("serviceStartTime") == "20260305080000"
        assert found.slot("serviceStopTime") == "20260310140000"
        assert found.slots["sourcePatientId"] == [IPP]
        assert (found.slot("hash"), found.slot("size"), found.slot("URI")) == ("AB", "3", "a.xml")
        assert not found.on_demand
        assert not found.signature

    def test_personal_data_is_not_read(self) -> None:
        """sourcePatientInfo, authors and titles are on no path; a repr shows nothing of what is."""
        found = read(submit(entry()))
        assert "sourcePatientInfo" not in found.entries[0].slots
        assert "codingScheme" not in found.entries[0].slots
        assert "290067599900261" not in f"{found!r}{found.entries!r}{found.entries[0]!r}"

    def test_prefixes_and_case(self) -> None:
        """Any prefix; schemes in any case."""
        text = submit(entry()).replace("<Slot", "<ns3:Slot").replace("</Slot", "</ns3:Slot")
        text = text.replace(ebrim.ENTRY_ID, ebrim.ENTRY_ID.upper())
        assert read(text).entries[0].identifiers[ebrim.ENTRY_ID] == DOCUMENT
        assert read(text).entries[0].slot("creationTime")

    def test_absent_slots(self) -> None:
        """hash, size and URI are often absent; a slot without a value says nothing."""
        found = read(
            submit(entry().replace("</ExtrinsicObject>", slot("hash", "") + slot("size") + "</ExtrinsicObject>"))
        ).entries[0]
        assert (found.slot("hash"), found.slot("size"), found.slot("URI")) == ("", "", "")

    @pytest.mark.parametrize(
        "one",
        [
            signature(),
            entry(type_code="E1762"),
            entry(format_code="http://www.w3.org/2000/09/xmldsig#"),
            entry(media_type="http://www.w3.org/2000/09/xmldsig#"),
            entry(class_code="urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"),
        ],
    )
    def test_signature(self, one: str) -> None:
        """The signature of a lot is known by any of its codes."""
        assert read(submit(one)).entries[0].signature

    def test_on_demand(self) -> None:
        """By the type of the object."""
        assert read(submit(entry(object_type="urn:uuid:34268E47-fdf5-41a6-ba33-82133c465248"))).entries[0].on_demand


class TestSet:
    """The submission set."""

    @pytest.mark.parametrize("beside", [True, False])
    def test_known_by_its_classification(self, beside: bool) -> None:
        """Inside the package or beside it; a folder is none."""
        folder = '<RegistryPackage id="Folder"><Classification classificationNode="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"/></RegistryPackage>'
        found = read(submit(folder, submission_set(beside=beside, unique_id=""))).submission_set
        assert found is not None
        assert found.id == "SubmissionSet01"
        assert found.slot("submissionTime") == "20260310152000"

    def test_known_by_its_identifier(self) -> None:
        """A package that has the uniqueId of a set is one, without any classification."""
        text = submit(submission_set()).replace("classificationNode", "unread")
        found = read(text).submission_set
        assert found is not None
        assert found.identifiers[ebrim.SET_ID] == SET

    def test_none(self) -> None:
        """No package, no set."""
        assert read(submit(entry())).submission_set is None

    def test_objects_inside_a_package(self) -> None:
        """A package may hold the others; what is said inside them is theirs."""
        text = submit(
            submission_set().replace(
                "</RegistryPackage>", f"<RegistryObjectList>{entry()}</RegistryObjectList></RegistryPackage>"
            )
        )
        found = read(text)
        assert found.entries[0].identifiers[ebrim.ENTRY_ID] == DOCUMENT
        assert found.packages[0].identifiers[ebrim.SET_ID] == SET
        assert ebrim.ENTRY_ID not in found.packages[0].identifiers


class TestRest:
    """Associations, attachments, answers."""

    def test_association(self) -> None:
        """With its type, its ends and its statuses."""
        found = read(submit(removal("urn:uuid:x"))).associations[0]
        assert found.attributes["associationType"] == AVAILABILITY
        assert found.attributes["targetObject"] == "urn:uuid:x"
        assert found.slot("NewStatus") == DELETED

    def test_attachments(self) -> None:
        """A part by its URL, or the span of the element itself."""
        text = provide(entry(), documents=xop("A", "cid:x%40y") + inline("B", b"abc"))
        first, second = read(text).attachments
        assert (first.id, first.href) == ("A", "cid:x%40y")
        assert (second.id, second.href) == ("B", "")
        data = text.encode()
        assert data[second.start : second.end].endswith(b">YWJj")
        assert data[second.end :].startswith(b"</ns4:Document>")

    def test_answer(self) -> None:
        """Status and errors by their last parts; codeContext and location are not kept."""
        found = read(registry("Failure", ("XDSRepositoryError", "Error"), ("urn:x:DMPOther", "Warning")))
        assert found.status == "Failure"
        assert found.errors == [("XDSRepositoryError", "Error"), ("DMPOther", "Warning")]

    def test_a_value_outside(self) -> None:
        """Values, slots and includes that stand nowhere are nobody's."""
        found = read(
            f"<a><Value>x</Value>{slot('hash', 'x')}<Include href='y'/><Classification/><ExternalIdentifier/></a>"
        )
        assert repr(found) == "Registry(0 entries, 0 attachments)"
        assert found.packages == []

    def test_too_many_objects(self) -> None:
        """Past 20,000 objects a message is refused."""
        many = "<Association/>" * ebrim.MAX_OBJECTS
        assert len(read(f"<a>{many}</a>").associations) == ebrim.MAX_OBJECTS
        with pytest.raises(ParseError) as caught:
            read(f"<a>{many}<Document/></a>")
        assert caught.value.code in ebrim.REJECTIONS
