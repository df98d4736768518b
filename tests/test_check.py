"""``jauge check``: what files are, and what is wrong with them."""

from __future__ import annotations

import base64
import json
import os
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from engine import check as checking
from engine.check_document import NOBODY
from engine.errors import Flag
from engine.parsers import cda, deep, hl7

ROOT = Path(__file__).resolve().parent.parent
CDA = ROOT / "fixtures" / "cda"
LETTER = (CDA / "ldl_ses_n1_national_ins.xml").read_bytes()
CODES = checking.CODES | cda.CODES | hl7.CODES | deep.CODES

HEADER = "MSH|^~\\&|DPI|CH|PFI|CH|20260310161500||{type}|M1|P|{version}|||||FRA|UNICODE UTF-8"
PERSON = "PID|1||{ins}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS~IPP000777^^^CH&1.2.250.1.999.42.1&ISO^PI||EXEMPLE^CAMILLE"


def admission() -> bytes:
    """An admission of an invented person."""
    return "\r".join(
        [
            HEADER.format(type="ADT^A01^ADT_A01", version="2.5"),
            "EVN||20260305090000",
            PERSON.format(ins="290067599900261"),
            "PV1|1|I|UF01||||||||||||||||VEN0004242",
            "ZBE|MVT1|20260305090000||INSERT|N|A01|^^^^^^^^^UF01||HMS",
        ],
    ).encode()


def carrying(*documents: bytes, status: str = "VALI", ins: str = "290067599900261", version: str = "2.6") -> bytes:
    """A message that carries documents of an invented person."""
    return "\r".join(
        [
            HEADER.format(type="MDM^T02^MDM_T02", version=version),
            "EVN||20260310161500",
            PERSON.format(ins=ins) + "|" * 27 + status,
            "PV1|1|I|UF01||||||||||||||||VEN0004242",
            "TXA|1|11490-0|TEXT|20260310161500||||||||1.2.250.1.999.42.10.1002|||||AU",
            *(
                f"OBX|{place}|ED|11490-0^Lettre^LN||^text^XML^Base64^{base64.b64encode(document).decode()}||||||F"
                for place, document in enumerate(documents, 1)
            ),
            "OBX|9|CWE|DESTDMP^DMP^MetaDMPMSS||Y^^expandedYes-NoIndicator||||||F",
        ],
    ).encode()


def shown(folder: Path, data: bytes, *, name: str = "a.er7", **options: bool) -> list[dict[str, object]]:
    """The JSON objects for one file."""
    path = folder / name
    path.write_bytes(data)
    return [checking.to_json(result) for result in checking.check([path], **options)]


class TestDocuments:
    """CDA files."""

    def test_object(self, tmp_path: Path) -> None:
        """A lone CDA is one object with exactly these keys."""
        (found,) = shown(tmp_path, LETTER, name="a.xml")
        assert found == {
            "file": str(tmp_path / "a.xml"),
            "format": "cda",
            "ok": True,
            "problems": [],
            "type_code": "11490-0",
            "kind": "ldl-ses",
            "level": 1,
            "ins": {"present": True, "oid": "1.2.250.1.213.1.4.8", "test": False, "key_valid": True, "qualified": True},
        }

    def test_test_ins(self) -> None:
        """A test INS is one only where it is allowed."""
        path = CDA / "ldl_ses_n1.xml"
        for allowed in (False, True):
            (result,) = checking.check([path], allow_test_ins=allowed)
            assert result.document is not None
            ins = result.document.ins
            assert (ins.present, ins.test, ins.oid) == (True, True, "1.2.250.1.213.1.4.10")
            assert ins.qualified is allowed

    def test_no_ins_and_wrong_key(self) -> None:
        """No INS is not qualified; a wrong key is a problem that refuses nothing."""
        (none,) = checking.check([CDA / "ldl_ses_n1_no_ins.xml"], allow_test_ins=True)
        assert none.document is not None
        assert none.document.ins == NOBODY
        (wrong,) = checking.check([CDA / "ldl_ses_n1_wrong_key.xml"], allow_test_ins=True)
        assert wrong.document is not None
        assert (wrong.ok, wrong.document.ins.key_valid, wrong.document.ins.qualified) == (True, False, True)
        assert [flag.code for flag in wrong.problems] == ["ins-key-wrong"]

    @pytest.mark.parametrize("before", ["", " ", "\r\n\r\n"])
    def test_utf16(self, tmp_path: Path, before: str) -> None:
        """A CDA in UTF-16 is known, though its root comes after white space."""
        text = before + LETTER.decode().replace("UTF-8", "UTF-16", 1).partition("?>")[2].lstrip()
        (found,) = shown(tmp_path, f"\ufeff{text}".encode("utf-16-le"), name="a.xml")
        assert (found["format"], found["ok"], found["kind"]) == ("cda", True, "ldl-ses")

    def test_broken(self, tmp_path: Path) -> None:
        """A CDA that is cut is a CDA that cannot be read."""
        (found,) = shown(tmp_path, LETTER[:-9], name="a.xml")
        assert (found["format"], found["ok"], found["level"]) == ("cda", False, 0)
        assert found["problems"] == [{"code": "xml-truncated", "where": f"byte {LETTER.index(b'</ClinicalDocument>')}"}]

    def test_stray_value(self, tmp_path: Path) -> None:
        """Something that is no document type is not shown where the type goes."""
        (found,) = shown(tmp_path, LETTER.replace(b'"11490-0"', b'"CAMILLE"'), name="a.xml")
        assert found["type_code"] == ""
        assert found["problems"] == [{"code": "code-unknown", "where": "/ClinicalDocument/code"}]


class TestMessages:
    """HL7 messages and batches."""

    def test_admission(self, tmp_path: Path) -> None:
        """A message without document is one object without document keys."""
        (found,) = shown(tmp_path, admission())
        assert set(found) == {"file", "format", "ok", "problems", "message"}
        assert (found["format"], found["ok"], found["message"]) == ("hl7", True, "ADT^A01")

    def test_documents(self, tmp_path: Path) -> None:
        """Documents inside are listed with their place, each as a CDA."""
        (found,) = shown(tmp_path, carrying(LETTER, (CDA / "ldl_ses_n3.xml").read_bytes()))
        assert (found["format"], found["ok"], found["message"]) == ("hl7", True, "MDM^T02")
        first, second = found["documents"]
        assert (first["where"], first["format"], first["ok"], first["problems"]) == ("OBX[1]-5", "cda", True, [])
        assert (first["type_code"], first["kind"], first["level"]) == ("11490-0", "ldl-ses", 1)
        assert first["ins"]["qualified"]
        assert (second["where"], second["level"]) == ("OBX[2]-5", 3)
        assert not second["ins"]["qualified"]  # its INS is of another authority than the message's

    @pytest.mark.parametrize(
        ("status", "ins", "qualified"),
        [
            ("VALI", "290067599900261", True),
            ("QUAL", "290067599900261", True),
            ("PROV", "290067599900261", False),
            ("VALI~DOUT", "290067599900261", False),
            ("", "290067599900261", False),
            ("VALI", "185057599900150", False),
            ("VALI", "", False),
        ],
    )
    def test_qualified(self, tmp_path: Path, status: str, ins: str, qualified: bool) -> None:
        """In a message, qualified asks for PID-32 and for the same INS in PID and in the CDA."""
        (found,) = shown(tmp_path, carrying(LETTER, status=status, ins=ins))
        assert found["documents"][0]["ins"]["qualified"] is qualified

    def test_corrected_birth(self, tmp_path: Path) -> None:
        """ZFD-4 = Y unqualifies."""
        data = carrying(LETTER).replace(b"\rPV1", b"\rZFD||||Y\rPV1")
        (found,) = shown(tmp_path, data)
        assert not found["documents"][0]["ins"]["qualified"]

    def test_unreadable_document(self, tmp_path: Path) -> None:
        """A document that cannot be read makes its message not ok; the others are still read."""
        (found,) = shown(tmp_path, carrying(b"<ClinicalDocument", LETTER))
        assert (found["ok"], found["message"]) == (False, "MDM^T02")
        assert [one["ok"] for one in found["documents"]] == [False, True]
        assert found["documents"][0]["problems"][0]["code"] == "xml-truncated"

    def test_incoming_mail(self, tmp_path: Path) -> None:
        """A mail that came in may carry something else than a CDA; a CDA in it is shown."""
        profile = b"UNICODE UTF-8|||1.1^CISIS_CDA_HL7_LPS"
        for document, count in ((b"PK", 0), (LETTER, 1)):
            (found,) = shown(tmp_path, carrying(document).replace(b"UNICODE UTF-8", profile))
            assert found["ok"]
            assert len(found.get("documents", [])) == count

    def test_document_problems_stay_with_it(self, tmp_path: Path) -> None:
        """What is wrong with a document is told at the document, not twice."""
        (found,) = shown(tmp_path, carrying(LETTER.replace(b'"11490-0"', b'"99999-9"')))
        assert found["documents"][0]["problems"] == [{"code": "code-unknown", "where": "/ClinicalDocument/code"}]
        assert "code-unknown" not in {problem["code"] for problem in found["problems"]}

    @pytest.mark.parametrize("name", ["a.er7", "a.hl7", "a.txt", "noext"])
    def test_several(self, tmp_path: Path, name: str) -> None:
        """Several messages, framed, in a batch, or one after the other, are as many objects, whatever the name."""
        one, two = admission(), carrying(LETTER)
        for data in (
            one + b"\r" + two,
            b"\x0b" + one + b"\x1c\r\x0b" + two + b"\x1c\r",
            b"FHS|^~\\&\rBHS|^~\\&\r" + one + b"\r" + two + b"\rBTS|2\rFTS|1\r",
            b"\xef\xbb\xbf" + one.replace(b"\r", b"\r\n") + b"\r\n" + two.replace(b"\r", b"\r\n"),
        ):
            found = shown(tmp_path, data, name=name)
            assert [(each["message"], each["ok"]) for each in found] == [("ADT^A01", True), ("MDM^T02", True)]

    @pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("name", ["a.er7", "a.dat"])
    def test_utf16(self, tmp_path: Path, order: str, name: str) -> None:
        """A file that was saved as Unicode by Windows is read as the same one in UTF-8."""
        data = admission() + b"\r" + carrying(LETTER)
        same = f"\ufeff{data.decode()}".encode(order)
        assert shown(tmp_path, same, name=name) == shown(tmp_path, data, name=name)
        found = shown(tmp_path, same, name=name)
        assert [one["message"] for one in found] == ["ADT^A01", "MDM^T02"]
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / name).write_bytes(same)
        assert [result.message for result in checking.check([folder])] == ["ADT^A01", "MDM^T02"]

    def test_empty_batch(self, tmp_path: Path) -> None:
        """A batch without message is read, and told."""
        (found,) = shown(tmp_path, b"FHS|^~\\&\rBHS|^~\\&\rBTS|0\rFTS|1\r")
        assert (found["format"], found["ok"]) == ("hl7", True)
        assert found["problems"] == [{"code": "batch-empty", "where": "FHS"}]

    def test_unreadable_message(self, tmp_path: Path) -> None:
        """A message that cannot be read has one coded problem; the next one is read."""
        found = shown(tmp_path, b"MSH|^~\\&|A\r" + admission())
        assert [each["ok"] for each in found] == [False, True]
        assert found[0]["problems"][0]["code"] in hl7.CODES


class TestFiles:
    """Which files are read."""

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is read in order, without hidden files and without what is nothing of ours."""
        (tmp_path / "b").mkdir()
        (tmp_path / ".hidden").mkdir()
        for name, data in {
            "z.xml": LETTER,
            "a.ER7": admission(),
            "b/consent": admission(),
            "b/notes": b"not a message",
            "b/readme.md": b"MSH is a segment",
            "b/schema.xsd": b"<xs:schema/>",
            "b/other.txt": b"not a message",
            ".hidden/c.er7": admission(),
            ".d.er7": admission(),
        }.items():
            (tmp_path / name).write_bytes(data)
        found = [(Path(each.file).name, each.format, each.ok) for each in checking.check([tmp_path])]
        assert found == [
            ("a.ER7", "hl7", True),
            ("z.xml", "cda", True),
            ("consent", "hl7", True),
            ("other.txt", "unknown", False),
        ]

    @pytest.mark.parametrize(
        "data", [b"", b"hello", b"<html/>", b"<a", b"%PDF-1.7", b"H|^~\\&|hprim", b"\x00\xff" * 20]
    )
    def test_unknown(self, tmp_path: Path, data: bytes) -> None:
        """A file that is named is always read; what is nothing of ours is said so."""
        (found,) = shown(tmp_path, data, name="a.md")
        assert (found["format"], found["ok"]) == ("unknown", False)
        assert [problem["code"] for problem in found["problems"]] == ["unknown-format"]
        assert set(found) == {"file", "format", "ok", "problems"}

    def test_absent(self, tmp_path: Path) -> None:
        """A file that cannot be opened is an object too."""
        (result,) = checking.check([tmp_path / "absent.er7"])
        assert (result.ok, result.problems) == (False, (Flag("file-unreadable", "file"),))

    @pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX only")
    def test_odd_names(self, tmp_path: Path) -> None:
        """Accents, spaces and bytes that are no UTF-8 in a name can be printed."""
        for name in ("Glycémie mole.xml.xml".encode(), b"caf\xe9.xml"):
            (tmp_path / os.fsdecode(name)).write_bytes(LETTER)
        for result in checking.check([tmp_path]):
            json.dumps(checking.to_json(result), ensure_ascii=False).encode()


class TestDeep:
    """Structural validation by hl7apy."""

    def test_places(self) -> None:
        """What the standard requires and what it does not have are told at their place, without values."""
        flags = deep.validate(admission().replace(b"|VEN0004242", b"|VEN0004242" + b"|" * 60 + b"SECRET"))
        assert all(flag.code in deep.CODES for flag in flags)
        assert "SECRET" not in repr(flags)
        missing = deep.validate(admission().replace(b"PV1|1|I", b"PV1|1|"))
        assert Flag("structure-missing", "PV1-2") in missing

    def test_unexpected_segment(self) -> None:
        """A segment of the standard in a message that does not have it is told."""
        assert Flag("structure-unexpected", "TXA") in deep.validate(admission() + b"\rTXA|1|a|b")

    def test_french_message(self) -> None:
        """HL7 itself does not know ZAM: its structure is not checked, and that is told."""
        data = HEADER.format(type="ZAM^Z01^ZAM_Z01", version="2.6").encode() + b"\rMSA|AA|M1"
        assert deep.validate(data) == (Flag("structure-not-checked", "MSH-9"),)

    @given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda text: admission() + text.encode())))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever the bytes, coded flags without their values."""
        assert {flag.code for flag in deep.validate(data)} <= set(deep.CODES)

    def test_in_check(self, tmp_path: Path) -> None:
        """--deep adds remarks; the message stays ok."""
        data = admission().replace(b"PV1|1|I", b"PV1|1|")
        (found,) = shown(tmp_path, data, deep=True)
        assert found["ok"]
        assert {"code": "structure-missing", "where": "PV1-2"} in found["problems"]


def test_sentences_between_messages(tmp_path: Path) -> None:
    """A file that explains its messages in words: they are read, the words are passed over; anything else is not prose."""
    message = admission()
    found = shown(tmp_path, "Une phrase : accentuée.\n\n".encode() + message + b"\n\nAcquittement :\n\n" + message)
    assert next((each["format"], each["ok"]) for each in found) == ("text", True)
    assert [each["message"] for each in found if each["format"] == "hl7"] == ["ADT^A01", "ADT^A01"]
    assert all(each["ok"] for each in found)
    assert not all(each["ok"] for each in shown(tmp_path, b"H|^~\\&|x\n" + message))


def test_render(tmp_path: Path) -> None:
    """The table for people has a line for each message and document, and shows no value of any."""
    for name, data in {
        "a.er7": carrying(LETTER, b"<a"),
        "b.er7": admission(),
        "c.xml": LETTER,
        "d.txt": b"[red]x",
    }.items():
        (tmp_path / name).write_bytes(data)
    out = StringIO()
    checking.render(list(checking.check([tmp_path])), Console(file=out, width=200))
    text = out.getvalue()
    for expected in (
        "MDM^T02",
        "ADT^A01",
        "OBX[2]-5",
        "Lettre de liaison à la sortie",
        "N1",
        "NIR, qualified",
        "fhir-array: A JSON array is no FHIR resource: send a Bundle",  # what each code means, below the table
        "4 read, 2 not readable",
    ):
        assert expected in text
    for value in ("290067599900261", "IPP000777", "EXEMPLE", "VEN0004242"):
        assert value not in text


def test_official_samples(samples: Path) -> None:
    """Every official sample is read; only the one that holds a placeholder instead of its document is not."""
    results = list(checking.check([samples], deep=True, allow_test_ins=True))
    assert {result.format for result in results} == {"cda", "hl7"}
    assert {flag.code for result in results for flag in result.problems} <= set(CODES)
    for result in results:
        for document in (*result.documents, *([result.document] if result.document else [])):
            if document.ok:
                assert document.level in {1, 3}
                assert document.ins.present
                assert document.ins.qualified
                assert document.type_code
            else:
                assert [flag.code for flag in document.problems] == ["document-not-xml"]
