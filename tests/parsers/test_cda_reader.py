"""CDA R2: encodings, refusals, limits; two ways to read, one answer."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Flag, ParseError
from engine.parsers import cda, cda_reader
from tests.parsers.cda_documents import FILES, N1, N3, WHERE, changed, codes, refusal


class TestEncoding:
    """UTF-8, and what else comes."""

    @pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii"])
    def test_other_encodings(self, encoding: str) -> None:
        """Another encoding that is declared is read, and told."""
        text = N1.decode().replace("UTF-8", encoding)
        document = cda.read(text.encode(encoding, "xmlcharrefreplace"))
        assert document.flags == (Flag("encoding-not-utf8", "byte 0"),)
        assert document.id == cda.read(N1).id
        assert document.level == 1

    def test_utf16_level_3(self) -> None:
        """A search of ASCII bytes is not trusted where bytes are not ASCII."""
        assert cda.read(N3.decode().replace("UTF-8", "utf-16").encode("utf-16")).level == 3

    @pytest.mark.parametrize("lead", [b"\xef\xbb\xbf", b"\r\n", b"  ", b"\xef\xbb\xbf\n"])
    def test_before_the_declaration(self, lead: bytes) -> None:
        """A byte order mark is nothing; white space before the declaration is told."""
        document = cda.read(lead + N1)
        assert codes(document) == (["white-space-before-xml"] if lead.strip(b"\xef\xbb\xbf") else [])
        assert document.id == cda.read(N1).id

    def test_line_ends(self) -> None:
        """CRLF changes nothing."""
        for data in (N1, N3):
            assert cda.read(data.replace(b"\n", b"\r\n")) == cda.read(data)

    def test_memoryview(self) -> None:
        """A memoryview is as good as bytes."""
        assert cda.read(memoryview(N1)) == cda.read(N1)


class TestRefused:
    """What is no readable CDA."""

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "xml-truncated"),
            (b"   ", "xml-truncated"),
            (b"MSH|^~\\&|", "xml-malformed"),
            (b"<html/>", "not-a-cda"),
            (b"<ClinicalDocument/>", "not-a-cda"),
            (b'<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>', "not-a-cda"),
            (N1[:3000], "xml-truncated"),
            (N1[:-5], "xml-truncated"),
            (N1 + b"<a/>", "xml-malformed"),
            (N1.replace("é".encode(), b"\xe9"), "xml-encoding"),
            (N1.replace(b"UTF-8", b"x-none"), "xml-encoding"),
            (N1.replace(b"EXEMPLE", b"&nom;"), "xml-entity"),
            (N1.replace(b"EXEMPLE", b"a & b"), "xml-malformed"),
            (N1.replace(b"</author>", b"</auteur>"), "xml-malformed"),
            (N3.replace(b"</entry>", b""), "xml-malformed"),
            (N3.replace(b"<entry>", b"<x:entry>"), "xml-malformed"),
        ],
    )
    def test_codes(self, data: bytes, code: str) -> None:
        """Cut, broken, mis-encoded, or something else: each has its code."""
        assert refusal(data) == code

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_doctype(self, encoding: str) -> None:
        """A DOCTYPE is refused before anything is expanded."""
        entities = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 12))
        text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY b0 "{"x" * 99}">{entities}]>'
        text += N1.decode().partition("?>")[2].replace("EXEMPLE", "&b11;")
        assert refusal(text.encode(encoding)) == "xml-doctype"

    def test_doctype_in_a_comment(self) -> None:
        """The word DOCTYPE in a comment is no DOCTYPE."""
        assert changed("<realmCode", "<!-- <!DOCTYPE x> --><realmCode") == cda.read(N1)
        assert cda.read(N1.replace(b"<Clin", b"<!-- <!DOCTYPE x> --><Clin", 1)) == cda.read(N1)

    def test_size(self) -> None:
        """A document above the limit is refused unread."""
        assert refusal(N1, cda.Limits(size=len(N1) - 1)) == "cda-too-large"
        assert cda.read(N1, cda.Limits(size=len(N1))) == cda.read(N1)

    @pytest.mark.parametrize(
        "place",
        [
            b"<realmCode",
            b"<assignedAuthor>",
            b"<patient>",
            b"<ClinicalDocument",
            b"<entry>",
            b"</entry>",
            b"</section>",
        ],
    )
    def test_depth(self, place: bytes) -> None:
        """Nesting above the limit is refused wherever it is; just under, it is read."""
        room = cda.DEFAULT.depth
        deep = b"<a>" * (room + 1) + b"</a>" * (room + 1)
        if place == b"<ClinicalDocument":
            head, _, tail = N3.partition(place)
            inside = (
                b'<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform">%s' + place + tail + b"</s:stylesheet>"
            )
            data = head + inside
        else:
            data = N3.replace(place, b"%s" + place, 1)
        assert refusal(data.replace(b"%s", deep)) == "xml-too-deep"
        shallow = b"<a>" * (room - 64) + b"</a>" * (room - 64)
        assert cda.read(data.replace(b"%s", shallow)).level == 3

    def test_wide_is_not_deep(self) -> None:
        """Many elements side by side are not depth."""
        many = b"<a></a>" * 3 * cda.DEFAULT.depth
        assert cda.read(N3.replace(b"</entry>", b"</entry>" + many)).level == 3


def scan(data: bytes, *, quick: bool) -> object:
    """What a reading finds, by the quick way (and its second reading when it asks for one) or by callbacks to the end."""
    try:
        reader = cda_reader.read(data, 64) if quick else cda_reader.Reader(data, 64, quick=False).read()
    except ParseError as error:
        return error.code
    found = {name: getattr(reader.found, name) for name in reader.found.__slots__ if name != "structured"}
    embedded = (reader.payload.valid, reader.payload.head) if reader.payload else None
    return found, bool(reader.found.structured), reader.entry, embedded, reader.wrapper


PIECES = [
    b"<author/>",
    b"<!-- </author> -->",
    b"<![CDATA[<entry/>]]>",
    b"<!--<entry/>-->",
    b"<entry/>",
    b"<addr><addr/></addr>",
    b"<nonXMLBody><text>QUJD</text></nonXMLBody>",
    b"<structuredBody/>",
    b"<?pi <entry> ?>",
    b'<x xmlns="urn:o"><entry/></x>',
    b'<a b="application/pdf">' + b"QUJD" * 2000 + b"</a>",
    b"\x0b",
    b"]]>",
]


@settings(max_examples=300)
@given(st.data())
def test_two_ways_one_answer(data: st.DataObject) -> None:
    """The quick way and the slow one say the same of any damaged document, and raise coded errors only."""
    text = bytearray(data.draw(st.sampled_from(FILES)).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(text)))
        what = data.draw(st.sampled_from(["cut", "byte", "piece", "double"]))
        if what == "cut":
            del text[place : place + data.draw(st.integers(1, 400))]
        elif what == "byte":
            text[place : place + 1] = data.draw(st.binary(max_size=2))
        else:
            start = text.find(b"<", place)
            end = text.find(b">", start)
            if 0 <= start < end:
                text[start:start] = data.draw(st.sampled_from(PIECES)) if what == "piece" else text[start : end + 1]
    quick, slow = scan(bytes(text), quick=True), scan(bytes(text), quick=False)
    assert quick == slow
    if isinstance(quick, str):
        assert quick in cda.CODES
    else:
        assert {flag.code for flag in cda.read(bytes(text)).flags} <= set(cda.CODES)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Whatever the bytes: a document or a coded error."""
    for text in (data, b"<" + data, N1[:200] + data, N1.replace(b"EXEMPLE", data)):
        with suppress(ParseError):
            cda.read(text)
            continue
        refusal(text)


def test_flag_places() -> None:
    """Each flag of the fixtures is a known code at an XPath or a byte."""
    for path in FILES:
        for flag in cda.read(path.read_bytes()).flags:
            assert flag.code in cda.CODES
            assert WHERE.fullmatch(flag.where)
