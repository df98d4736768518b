"""CDA R2: level of the body, and what a body embeds."""

from __future__ import annotations

import base64
import re
import tracemalloc

import pytest

from engine.parsers import cda
from tests.parsers.cda_documents import BODY, FIXTURES, N1, N3, changed, codes


class TestLevel:
    """The level is what the body is."""

    @pytest.mark.parametrize(
        ("name", "level", "declared", "flags"),
        [
            ("ldl_ses_n1", 1, 1, []),
            ("ldl_ses_n2", 2, 3, ["level-mismatch"]),
            ("ldl_ses_n3", 3, 3, []),
            ("cr_bio_n3", 3, 3, []),
            ("ldl_ses_declared_n1_found_n3", 3, 1, ["level-mismatch"]),
            ("ldl_ses_n3_autopresentable", 3, 3, ["wrapped-stylesheet"]),
            ("ldl_ses_n1_signed", 1, 1, ["wrapped-signature"]),
        ],
    )
    def test_fixtures(self, name: str, level: int, declared: int, flags: list[str]) -> None:
        """By the body, with a remark when the templates say otherwise; wrapped or not."""
        document = cda.read((FIXTURES / f"{name}.xml").read_bytes())
        assert (document.level, document.declared_level, codes(document)) == (level, declared, flags)

    @pytest.mark.parametrize(
        ("inside", "level"),
        [
            (b"<section><entry/></section>", 3),
            (b"<section><component><section><entry typeCode='DRIV'/></section></component></section>", 3),
            (b"<section><!-- <entry/> --></section>", 2),
            (b"<section><!-- a --><entry/><!-- b --></section>", 3),
            (b"<section><text><![CDATA[<entry/>]]></text></section>", 2),
            (b"<section><text><![CDATA[<entry/>]]></text><entry/></section>", 3),
            (b"<section><?x <entry/> ?></section>", 2),
            (b"<section><entryRelationship/></section>", 2),
            (b"<section><x:entry xmlns:x='urn:x'/></section>", 2),
            (b"<section xmlns:h='urn:hl7-org:v3'><h:entry/></section>", 3),
            (b"<x xmlns='urn:x'><section><entry/></section></x>", 2),
        ],
    )
    def test_what_an_entry_is(self, inside: bytes, level: int) -> None:
        """An entry of a section makes level 3: not one in a comment, in CDATA, or of another namespace."""
        body = b"<component><structuredBody><component>" + inside + b"</component></structuredBody></component>"
        assert cda.read(BODY.sub(lambda _: body, N3)).level == level

    def test_no_body_and_two_bodies(self) -> None:
        """Without a body, or with two, there is no level."""
        assert codes(cda.read(BODY.sub(b"", N1))) == ["body-missing"]
        for data in (N1, N3):
            second = (
                "<component><nonXMLBody/></component>" if data is N3 else "<component><structuredBody/></component>"
            )
            document = changed("</ClinicalDocument>", f"{second}</ClinicalDocument>", data)
            assert document.level == 0
            assert "body-double" in codes(document)

    def test_header_after_the_body(self) -> None:
        """A header that follows the body is read all the same."""
        text = N3.decode()
        patient = re.search(r"<recordTarget>.*</recordTarget>", text, re.DOTALL)
        assert patient is not None
        moved = text.replace(patient[0], "").replace("</ClinicalDocument>", f"{patient[0]}</ClinicalDocument>")
        assert cda.read(moved.encode()) == cda.read(N3)

    def test_templates(self) -> None:
        """XDS-SD beside a model, no model, no CI-SIS header: each is told."""
        xds_sd = f'<templateId root="{cda.XDS_SD}"/>'
        assert codes(changed("<id ", f"{xds_sd}<id ", N3)) == ["xds-sd-beside-model"]
        assert codes(changed('<templateId root="1.2.250.1.213.1.1.1.29" extension="2022.01"/>', "", N3)) == [
            "model-template-missing"
        ]
        assert codes(changed('<templateId root="1.2.250.1.213.1.1.1.1"/>', "")) == ["header-template-missing"]


class TestEmbedded:
    """What a level-1 body embeds: the faults that the official schematron does not see."""

    @pytest.mark.parametrize(
        ("media_type", "content", "flags"),
        [
            ("application/pdf", b"%PDF-1.7", []),
            ("application/pdf", b"PK\x03\x04", ["body-wrong-type"]),
            ("text/rtf", b"{\\rtf1 }", []),
            ("text/rtf", b"%PDF-1.7", ["body-wrong-type"]),
            ("image/jpeg", b"\xff\xd8\xff\xe0", []),
            ("image/tiff", b"II*\x00", []),
            ("image/tiff", b"MM\x00*", []),
            ("image/tiff", b"\xff\xd8\xff", ["body-wrong-type"]),
            ("text/plain", "Éléments".encode(), []),
            ("text/plain", b"\x00\x01", ["body-wrong-type"]),
            ("application/msword", b"\xd0\xcf\x11\xe0", ["body-wrong-media-type"]),
            ("application/pdf", b"", ["body-empty"]),
        ],
    )
    def test_types(self, media_type: str, content: bytes, flags: list[str]) -> None:
        """Five media types, and bytes that are what they announce."""
        data = N1.replace(b"application/pdf", media_type.encode())
        document = changed("JVBERi0xLjQKJSVFT0YK", base64.b64encode(content).decode(), data)
        assert (document.level, document.media_type, codes(document)) == (1, media_type, flags)

    @pytest.mark.parametrize(
        "text",
        [
            "JVBERi0x\r\n  LjQKJSVFT0YK\n",
            "<!-- -->JVBERi0xLjQKJSVFT0YK",
            "<![CDATA[JVBERi0xLjQK]]>JSVFT0YK",
            "JVBERi0xLjQK&#10;JSVFT0YK",
        ],
    )
    def test_ways_of_writing(self, text: str) -> None:
        """Wrapped lines, comments, CDATA and character references are the same base64."""
        assert changed("JVBERi0xLjQKJSVFT0YK", text) == cda.read(N1)

    @pytest.mark.parametrize("text", ["JVBER", "JVBERi0xLjQK*", "JVBERi0xLg==JVBE", "J=VB", "à"])
    def test_not_base64(self, text: str) -> None:
        """Cut, padded in the middle, or other characters: told."""
        assert codes(changed("JVBERi0xLjQKJSVFT0YK", text)) == ["body-not-base64"]

    def test_representation(self) -> None:
        """A body that does not say B64 is told, and not decoded."""
        assert codes(changed('representation="B64"', "")) == ["body-not-b64-representation"]

    def test_thirty_megabytes(self) -> None:
        """A level-1 body of 30 MB is read, on one line or wrapped, at the cost of one decoded copy at most."""
        for encode in (base64.b64encode, base64.encodebytes):
            data = N1.replace(b"JVBERi0xLjQKJSVFT0YK", encode(b"%PDF-1.7" + bytes(30 << 20)))
            tracemalloc.start()
            document = cda.read(data)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert (document.level, document.flags) == (1, ())
            assert peak < 30 << 20
