"""The CDA of the test message: what CI-SIS asks of a header, and a body of level 1."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree
from msgspec import structs

from engine.evidence.cda_writer import write_cda
from engine.evidence.settings import Author, Message, Patient
from engine.facts import INS_TEST
from engine.parsers import cda

from .establishment import FINESS, sender, settings, trial

PDF = b"%PDF-1.4\n%%EOF\n"
ROOT = Path(__file__).resolve().parents[2]
NAMES = {"h": "urn:hl7-org:v3"}


@pytest.fixture(scope="session")
def schema() -> etree.XMLSchema:
    """The CDA schema of the ANS: ``JAUGE_SCHEMAS``, else beside the checkout."""
    folder = Path(os.environ.get("JAUGE_SCHEMAS") or ROOT.parent / "shared" / "reference" / "schemas")
    path = folder / "cda" / "CDA_extended.xsd"
    if not path.is_file():
        pytest.skip("the CDA schema is not here: set JAUGE_SCHEMAS to its folder")
    return etree.XMLSchema(etree.parse(path))


def document(**changes: object) -> bytes:
    """A document with these settings changed."""
    one = sender()
    return write_cda(trial(), one, settings(one, **changes), PDF)


class TestSchema:
    """The document is valid."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"message": Message(label='Essai <PS4.1> & "l\'œuvre"', type_code="34112-3")},
            {"patient": Patient(matricule="180032A12345652", sex="M", birth="1980-03-01", family="D'ARTAGNAN & CIE")},
        ],
    )
    def test_is_valid_whatever_the_settings(self, schema: etree.XMLSchema, changes: dict[str, object]) -> None:
        """The official schema finds nothing wrong, with names full of marks too."""
        assert schema.validate(etree.fromstring(document(**changes))), schema.error_log


class TestMeaning:
    """Our own reader reads it as every other CDA."""

    def test_is_of_level_1_with_the_test_ins_and_its_traits(self) -> None:
        """Level 1, PDF, the INS under the test root with every trait, the establishment as custodian."""
        found = cda.read(document())
        assert (found.level, found.media_type, found.type_code) == (1, "application/pdf", "11490-0")
        assert (found.ins_root, found.matricule) == (INS_TEST, "279035121518989")
        assert found.custodian == FINESS
        assert not found.flags

    def test_its_header_is_that_of_a_scanned_document(self) -> None:
        """The three templates of an unstructured document and no other, one signature, one act, one stay."""
        root = etree.fromstring(document())
        templates = [one.get("root") for one in root.findall("h:templateId", NAMES)]
        assert templates == ["2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.3.6.1.4.1.19376.1.2.20"]
        for path in ("legalAuthenticator", "custodian", "documentationOf", "componentOf", "author", "setId"):
            assert len(root.findall(f"h:{path}", NAMES)) == 1
        assert root.find("h:effectiveTime", NAMES).get("value") == "20260310161500+0100"  # type: ignore[union-attr]
        assert root.find("h:id", NAMES).get("extension") is None  # type: ignore[union-attr]  # the DMP takes OIDs alone

    def test_the_author_of_the_settings_is_the_author(self) -> None:
        """A national identifier given is used as it is; without one, an internal identifier of the establishment."""
        one = structs.replace(sender(), author=Author(identifier="899990000017", family="FICTIF", given="Alix"))
        assert b'extension="899990000017"' in write_cda(trial(), one, settings(one), PDF)
        assert f'extension="3{FINESS}/PS41"'.encode() in document()

    def test_two_tests_share_no_identifier(self) -> None:
        """Each document has an id and a setId of its own, well-formed OIDs not longer than XDS allows."""
        first, second = (etree.fromstring(write_cda(trial(seed), sender(), settings(), PDF)) for seed in (1, 2))
        ids = {root.find(f"h:{name}", NAMES).get("root") for root in (first, second) for name in ("id", "setId")}  # type: ignore[union-attr]
        assert len(ids) == 4
        assert all(one is not None and one.startswith("2.25.") and len(one) <= 64 for one in ids)


def test_the_source_of_an_establishment_never_changes() -> None:
    """The OID made of a FINESS is the same in every test; one of the settings wins."""
    assert trial(1).source == trial(2).source
    assert trial(one=structs.replace(sender(), oid="1.2.250.1.999.42")).source == "1.2.250.1.999.42"
