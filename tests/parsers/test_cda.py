"""CDA R2: header, identifiers, INS, discretion; the fixtures and the official samples."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from lxml import etree
from rich.console import Console

from engine.errors import Flag, ParseError
from engine.facts import INS_NIR, INS_NONE, INS_TEST
from engine.parsers import cda, cda_reader
from tests.parsers.cda_documents import FILES, FIXTURES, N1, PATIENT, changed, codes


class TestHeader:
    """Facts of the header."""

    def test_everything(self) -> None:
        """Each fact of a synthetic discharge letter is found, and nothing is wrong with it."""
        document = cda.read(N1)
        assert document.flags == ()
        assert document.id == "1.2.250.1.999.42.10.1001"
        assert document.set_id == "1.2.250.1.999.42.11.500"
        assert (document.version, document.parents, document.replaces) == (1, (), "")
        assert (document.type_code, document.type_system) == ("11490-0", "2.16.840.1.113883.6.1")
        assert document.kind == "ldl-ses"
        assert (document.level, document.declared_level) == (1, 1)
        assert document.media_type == "application/pdf"
        assert document.patient_ids == (
            ("1.2.250.1.213.1.4.10", "290067599900261"),
            ("1.2.250.1.999.42.1", "IPP000777"),
        )
        assert (document.ins_root, document.matricule, document.ins_check.key_valid) == (
            INS_TEST,
            "290067599900261",
            True,
        )
        assert document.traits_complete
        assert document.custodian == "990000019"
        assert document.encounter_ids == (("1.2.250.1.999.42.2", "VEN0004242"),)
        assert document.encounter_code == "IMP"
        assert (document.encounter_low, document.encounter_high) == (b"20260305090000+0100", b"20260310150000+0100")
        assert document.created == b"20260310161500+0100"
        assert (document.service_low, document.service_high) == (b"20260305090000+0100", b"20260310150000+0100")
        assert document.confidentiality == "N"
        assert document.wrapper == ""

    def test_replacement(self) -> None:
        """A new version names its number and the document that it replaces."""
        document = cda.read((FIXTURES / "ldl_ses_n1_replacement.xml").read_bytes())
        assert document.version == 2
        assert document.replaces == "1.2.250.1.999.42.10.1001"
        assert document.set_id == cda.read(N1).set_id

    def test_replaced_uuid(self) -> None:
        """UUIDs are one thing in either case and with their prefix."""
        data = (FIXTURES / "ldl_ses_n1_replacement.xml").read_bytes()
        new = "urn:uuid:90E1C8EC-F951-4B26-A305-A34848818DD6"
        assert changed("1.2.250.1.999.42.10.1001", new, data).replaces == "90e1c8ec-f951-4b26-a305-a34848818dd6"

    def test_transformation_replaces_nothing(self) -> None:
        """A transformation (XFRM) has a parent and replaces nothing."""
        document = changed('"RPLC"', '"XFRM"', (FIXTURES / "ldl_ses_n1_replacement.xml").read_bytes())
        assert document.parents == (("XFRM", "1.2.250.1.999.42.10.1001"),)
        assert document.replaces == ""

    def test_orders(self) -> None:
        """Order numbers come first, then the accession numbers of imaging."""
        document = cda.read((FIXTURES / "cr_imagerie_n1.xml").read_bytes())
        assert document.orders == (("1.2.250.1.999.42.3", "DEM0000556"), ("1.2.250.1.999.42.4", "ACC0000777"))

    def test_recipients(self) -> None:
        """Mail addresses of the intended recipients are read, the patient's own is not."""
        recipient = (
            "</custodian><informationRecipient><intendedRecipient>"
            '<id root="1.2.250.1.71.4.2.1" extension="899990000018"/>'
            '<telecom value="mailto:Alix.Fictif@exemple.mssante.fr"/><telecom value="tel:+33100000000"/>'
            "</intendedRecipient></informationRecipient>"
        )
        data = N1.replace(b'<telecom nullFlavor="NASK"/>', b'<telecom value="mailto:x@patient.mssante.fr"/>', 1)
        document = changed("</custodian>", recipient, data)
        assert document.recipients == ("alix.fictif@exemple.mssante.fr",)
        assert document.recipient_ids == (("1.2.250.1.71.4.2.1", "899990000018"),)

    @pytest.mark.parametrize(
        ("extension", "finess"),
        [("1990000019", "990000019"), ("990000019", "990000019"), ("12A0000019", "2A0000019"), ("39900000190001", "")],
    )
    def test_custodian(self, extension: str, finess: str) -> None:
        """The custodian's FINESS loses its leading 1; a SIRET is no FINESS."""
        data = N1.replace(b"<custodian>", b"<custodian><!-- -->")
        start = data.index(b"<custodian>")
        data = data[:start] + data[start:].replace(b"1990000019", extension.encode(), 1)
        assert cda.read(data).custodian == finess

    def test_unknown_elements_are_passed_over(self) -> None:
        """What the model does not have is ignored with all it contains."""
        extra = '<x:note xmlns:x="urn:x"><id root="9.9.9"/><recordTarget/></x:note><realmCode code="FR"/>'
        assert changed('<realmCode code="FR"/>', extra) == cda.read(N1)

    def test_comments_in_the_header(self) -> None:
        """Comments and CDATA mean what XML says, wherever they stand and whatever they quote."""
        for odd in ("<!-- </author><id root='9.9.9'/> -->", "<?x </author> ?>"):
            assert changed("<time value", f"{odd}<time value") == cda.read(N1)
        assert changed("EXEMPLE", "<![CDATA[</family>]]>") == cda.read(N1)

    @pytest.mark.parametrize("name", ["author", "performer", "healthCareFacility", "legalAuthenticator"])
    def test_nested_namesakes(self, name: str) -> None:
        """An element that is passed over may hold a namesake: what follows is still read."""
        data = N1.decode()
        opening = re.search(rf"<{name}(?: [^>]*[^/])?>", data)
        assert opening is not None
        data = data.replace(opening[0], f'{opening[0]}<x><{name}><id root="9.9"/></{name}><{name}/></x>', 1)
        assert cda.read(data.encode()) == cda.read(N1)

    def test_prefixes(self) -> None:
        """The namespace counts, not the prefix."""
        text = re.sub(r"<(/?)([A-Z]|[a-z])", r"<\1hl7:\2", N1.decode()).replace('xmlns="', 'xmlns:hl7="')
        assert cda.read(text.encode()) == cda.read(N1)

    def test_missing_things(self) -> None:
        """A document without id, chain, version, code or patient is read, and each absence is told."""
        text = re.sub(r"<(id|setId|versionNumber|code) [^>]*>", "", N1.decode())
        document = cda.read(text.encode())
        assert (document.id, document.set_id, document.version, document.type_code) == ("", "", 0, "")
        assert set(codes(document)) >= {
            "id-missing",
            "set-id-missing",
            "version-missing",
            "code-missing",
            "patient-missing",
        }

    @pytest.mark.parametrize("value", ["0", "", "-1", "1.0", "un", "99999999999999"])
    def test_odd_versions(self, value: str) -> None:
        """A version that is no positive whole number is unknown, and told."""
        document = changed('<versionNumber value="1"/>', f'<versionNumber value="{value}"/>')
        assert document.version == 0
        assert codes(document) == ["version-missing"]

    def test_codes(self) -> None:
        """A code out of JDV_J07, or under another system, is read and told."""
        assert codes(changed('"11490-0"', '"99999-9"')) == ["code-unknown"]
        assert codes(changed('codeSystem="2.16.840.1.113883.6.1"', 'codeSystem="1.2.3"')) == ["code-system-unexpected"]


class TestIdentifiers:
    """Roots and extensions as senders write them."""

    def test_urn_prefix(self) -> None:
        """urn:oid: is taken off everywhere."""
        document = cda.read(N1.replace(b'root="', b'root="urn:oid:'))
        assert document.id == "1.2.250.1.999.42.10.1001"
        assert document.ins_root == INS_TEST
        assert document.custodian == "990000019"
        assert document.flags == ()

    def test_swapped(self) -> None:
        """Root and extension in each other's place are put back, and told."""
        document = changed(
            'root="1.2.250.1.213.1.4.10" extension="290067599900261"',
            'root="290067599900261" extension="1.2.250.1.213.1.4.10"',
        )
        assert (document.ins_root, document.matricule) == (INS_TEST, "290067599900261")
        assert document.flags == (Flag("id-swapped", f"{PATIENT}/id"),)

    def test_id_with_extension(self) -> None:
        """A document id with an extension is root^extension, which the DMP refuses."""
        document = changed('10.1001"/>', '10.1001" extension="A7"/>')
        assert document.id == "1.2.250.1.999.42.10.1001^A7"
        assert codes(document) == ["id-with-extension"]


class TestIns:
    """The INS of recordTarget and the traits."""

    @pytest.mark.parametrize(
        ("name", "root", "matricule", "flags"),
        [
            ("ldl_ses_n1_national_ins", INS_NIR, "290067599900261", []),
            ("ldl_ses_n1_corsica", INS_TEST, "285042A99900339", []),
            ("ldl_ses_n1_no_ins", INS_NONE, "", []),
            ("ldl_ses_n1_wrong_key", INS_TEST, "290067599900262", ["ins-key-wrong"]),
            ("ldl_ses_n1_sp_qualifier", INS_TEST, "290067599900261", ["qualifier-sp", "traits-incomplete"]),
        ],
    )
    def test_fixtures(self, name: str, root: int, matricule: str, flags: list[str]) -> None:
        """National, Corsican, absent, with a wrong key, with missing traits."""
        document = cda.read((FIXTURES / f"{name}.xml").read_bytes())
        assert (document.ins_root, document.matricule, codes(document)) == (root, matricule, flags)

    def test_lower_case_corsica(self) -> None:
        """A lower-case Corsican letter is read as its capital."""
        document = changed("285042A99900339", "285042a99900339", (FIXTURES / "ldl_ses_n1_corsica.xml").read_bytes())
        assert document.matricule == "285042A99900339"
        assert document.ins_check.key_valid

    @pytest.mark.parametrize("arc", ["2", "6", "7", "13"])
    def test_ins_c_is_no_ins(self, arc: str) -> None:
        """The obsolete INS-C and unknown neighbours never are an INS."""
        assert changed("1.2.250.1.213.1.4.10", f"1.2.250.1.213.1.4.{arc}").ins_root == INS_NONE

    def test_order_and_number(self) -> None:
        """A NIR wins over a NIA and a test INS; an INS that is not first, or not alone, is told."""
        nir = '<id root="1.2.250.1.213.1.4.8" extension="185057599900150"/>'
        document = changed('<id root="1.2.250.1.999.42.1"', f'{nir}<id root="1.2.250.1.999.42.1"')
        assert (document.ins_root, document.matricule, codes(document)) == (INS_NIR, "185057599900150", [])
        document = changed("<patientRole>", '<patientRole><id root="1.2.3.4" extension="A"/>')
        assert codes(document) == ["ins-not-first"]
        other = '<id root="1.2.250.1.213.1.4.10" extension="185057599900150"/>'
        assert codes(changed("<addr nullFlavor", f"{other}<addr nullFlavor")) == ["ins-several"]

    def test_empty_and_malformed(self) -> None:
        """An empty INS is none; one of another form is kept and told."""
        assert changed('extension="290067599900261"', 'extension=" "').ins_root == INS_NONE
        assert codes(changed("290067599900261", "2900675999002")) == ["ins-malformed"]

    @pytest.mark.parametrize(
        ("old", "new", "trait"),
        [
            ('<family qualifier="BR">EXEMPLE</family>', '<family qualifier="BR"> </family>', "birth-name"),
            ('<given qualifier="BR">CAMILLE</given>', "", "first-given"),
            ("<given>CAMILLE ROSE</given>", '<given nullFlavor="UNK"/>', "given-list"),
            ('<birthTime value="19900615"/>', '<birthTime nullFlavor="UNK"/>', "birth-date"),
            ('<administrativeGenderCode code="F"', "<administrativeGenderCode", "sex"),
            ("<county>75999</county>", "", "birthplace"),
        ],
    )
    def test_each_trait(self, old: str, new: str, trait: str) -> None:
        """Each of the six traits is missed when it is absent, empty or null."""
        document = changed(old, new)
        assert document.traits_missing == (trait,)
        assert document.flags == (Flag("traits-incomplete", f"{PATIENT}/patient"),)

    def test_traits_without_ins(self) -> None:
        """Without an INS, incomplete traits are no fault."""
        document = changed("<county>75999</county>", "", (FIXTURES / "ldl_ses_n1_no_ins.xml").read_bytes())
        assert document.traits_missing == ("birthplace",)
        assert document.flags == ()

    def test_guardian_is_not_the_patient(self) -> None:
        """The names of a guardian are not those of the patient."""
        guardian = (
            '<guardian><guardianPerson><name><family qualifier="BR">TUTEUR</family></name></guardianPerson></guardian>'
        )
        data = N1.replace(b'<family qualifier="BR">EXEMPLE</family>', b"")
        assert changed("<birthplace>", f"{guardian}<birthplace>", data).traits_missing == ("birth-name",)

    def test_sex_and_doubles(self) -> None:
        """A sex that INSi never returns and a second patient are told."""
        assert codes(changed('code="F"', 'code="UN"')) == ["ins-sex-unknown"]
        assert "patient-double" in codes(changed("</recordTarget>", "</recordTarget><recordTarget/>"))


class TestDiscretion:
    """Nothing of a patient gets out."""

    def test_repr(self) -> None:
        """The repr of a document, rich's included, shows its kind and its level only."""
        document = cda.read(N1)
        out = StringIO()
        Console(file=out).print(document)
        for text in (repr(document), str(document), out.getvalue()):
            assert "290067599900261" not in text
            assert "42.10" not in text
            assert "ldl-ses" in text

    def test_errors(self) -> None:
        """No error quotes what it met."""
        for text in (b"SECRETNAME &", b"&SECRETNAME;", b"</SECRETNAME>"):
            with pytest.raises(ParseError) as caught:
                cda.read(N1.replace(b"EXEMPLE", text))
            assert "SECRETNAME" not in str(caught.value)
            assert caught.value.__cause__ is None


def test_fixtures_are_valid(samples: Path) -> None:
    """The fixtures are valid against the official schema, when it is here."""
    schema = samples.parent / "schemas" / "cda" / "CDA_extended.xsd"
    if not schema.is_file():
        pytest.skip("the official CDA schema is not beside the samples")
    valid = etree.XMLSchema(etree.parse(schema))
    assert len(FILES) >= 15
    for path in FILES:
        root = etree.parse(path).getroot()
        if not root.tag.endswith("}ClinicalDocument"):
            root = etree.fromstring(etree.tostring(next(root.iter("{urn:hl7-org:v3}ClinicalDocument"))))
        assert valid.validate(root), f"{path.name}: {valid.error_log.last_error}"


# File -> (type code, level, last arc of the INS root, right key), as measured on the official samples.
OFFICIAL = {
    "BIO-CR-BIO_2021.01_CDA-R2-Niveau-1.xml": ("11502-2", 1, 10, True),
    "BIO-CR-BIO_2024.01_TSH_1.xml": ("11502-2", 3, 10, True),
    "BIO-TROD_2024.01_COVID-19.xml": ("96173-0", 3, 10, True),
    "DOC_NON_STRUCTURE_CDA-R2-N1.xml": ("11502-2", 1, 10, True),
    "IMG_CR_IMG_2024.01.xml": ("18748-4", 3, 10, True),
    "IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml": ("18748-4", 1, 10, True),
    "LDL-SES_2022.01.xml": ("11490-0", 3, 10, True),
    "OBP-SNE_2024.01.xml": ("57075-4", 3, 8, False),
    "VSM_1.4_2022.01.xml": ("SYNTH", 3, 10, True),
    "eP-MED-DM_2024.01_PosoNonStruct.xml": ("57833-6", 3, 10, True),
}


def test_official_samples(samples: Path) -> None:
    """The official samples are read with their type, level and INS, all traits there, and no fault but a wrong key."""
    for path in sorted((samples / "cda").glob("*.xml")):
        document = cda.read(path.read_bytes())
        assert document == cda._judge(cda_reader.Reader(path.read_bytes(), 2048, quick=False).read())
        found = (document.type_code, document.level, document.ins_root, document.ins_check.key_valid)
        assert found == OFFICIAL.get(path.name, found), path.name
        assert document.declared_level == document.level, path.name
        assert document.traits_complete, path.name
        assert set(codes(document)) <= {"ins-key-wrong"}, path.name
