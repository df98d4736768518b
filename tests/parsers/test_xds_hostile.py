"""XDS messages that nobody sends in good faith, and those that were damaged on their way."""

from __future__ import annotations

import base64
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codes import codes, rejections
from engine.errors import ParseError
from engine.parsers import formats
from engine.parsers.context import default
from tests.parsers import xds_messages as build

CONTEXT = default()
OBJECTS = (build.entry(), build.submission_set())
SMALL = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3.4"/></ClinicalDocument>'
REQUEST = build.post(build.mime(build.plain(*OBJECTS, documents=build.xop("Document01")), ("0.2", SMALL)))


def told(payload: bytes) -> str:
    """The code with which a payload is refused, empty when it has facts; any code is a declared one."""
    try:
        found = formats.parse(payload, CONTEXT)
    except ParseError as error:
        assert error.code in rejections()
        assert error.code != "internal"
        return error.code
    assert {flag.code for flag in found.flags} <= codes().keys()
    return ""


@pytest.mark.parametrize("payload", build.corpus())
def test_every_kind_of_message_is_recognised(payload: bytes) -> None:
    """Whatever its dump looks like, a message finds this parser and no other."""
    assert formats.of(payload).name == "xds"


@pytest.mark.parametrize(
    "payload",
    [
        b"MSH|^~\\&|A|B\r",
        build.CDA,
        b"<AuditMessage><EventIdentification/></AuditMessage>",
        b'{"resourceType": "Bundle"}',
        b'POST /Bundle HTTP/1.1\r\nContent-Type: application/fhir+json\r\n\r\n{"resourceType": "Bundle"}',
        b"HTTP/1.1 422 Unprocessable\r\nContent-Type: application/fhir+json\r\n\r\n{}",
        b"<Bundle xmlns='http://hl7.org/fhir'/>",
        b"<165>1 2026-03-10T15:20:05Z h a - - - x",
        b"",
        b"-- a remark",
        b"2026-03-10 level=info",
    ],
)
def test_what_is_another_format_is_left_to_it(payload: bytes) -> None:
    """Recognition takes nothing that is not SOAP, ebRIM or a multipart body."""
    assert formats.of(payload).name != "xds"


def test_cut_at_every_byte() -> None:
    """A request that was cut gives a code, or what can still be known of it; never a digest of half a document."""
    whole = build.parse(REQUEST).facts[0]
    said = set()
    for end in range(len(REQUEST)):
        try:
            found = build.parse(REQUEST[:end])
        except ParseError as error:
            assert error.code in rejections()
            said.add(error.code)
        else:
            said.update(build.codes(found) or ["whole"])
            for fact in found.facts:
                assert fact.hash in (None, whole.hash)  # type: ignore[union-attr]
    assert {"soap-truncated", "multipart-boundary-missing", "multipart-not-closed", "attachment-missing"} <= said


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'<!DOCTYPE a [<!ENTITY x "y">]>' + build.plain(*OBJECTS).partition(b"\n")[2], "soap-doctype"),
        (b"<s:Envelope>" + b"<a>" * 100_000, "soap-too-deep"),
        (b"<s:Envelope a='" + b"x" * 2_000_000 + b"'/>", "soap-too-large"),
        (build.plain(build.entry(unique_id="&x;")).replace(b"&amp;x;", b"&x;"), "soap-entity"),
        (build.plain(*OBJECTS).replace("é".encode(), b"\xe9"), "soap-encoding"),
        (build.plain(*OBJECTS)[:-10], "soap-truncated"),
        (build.plain(*OBJECTS) + build.plain(*OBJECTS), "soap-malformed"),
        (build.plain("<Association/>" * 20_001), "registry-too-large"),
        (build.answer(build.registry("Success"), relates=""), "response-without-relates-to"),
        (build.answer(build.fault(), relates=""), "response-without-relates-to"),
        (build.answer(build.registry("Queued")), "response-status-unknown"),
        (build.answer("<RegistryResponse/>"), "response-status-unknown"),
    ],
)
def test_what_is_refused(body: bytes, code: str) -> None:
    """Alone or as the root of a multipart body, with the same code."""
    assert told(body) == code
    assert told(build.post(build.mime(body))) == code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (build.post(b"no boundary"), "multipart-boundary-missing"),
        (build.post(b"--uuid:b1.example--\r\n"), "multipart-empty"),
        (build.post(build.mime(b"=ZZ", ("0.2", b""))), "soap-malformed"),
        (
            build.post(
                build.mime(build.mime(b"<a/>", boundary="in")).replace(b"application/xop+xml", b"multipart/related", 1)
            ),
            "multipart-nested",
        ),
        (build.post(b"--uuid:b1.example\r\n" + b"x" * 10_000_000), "multipart-header-too-large"),
        (build.respond("502 Bad Gateway", b"<html/>", "text/html"), "response-without-relates-to"),
        (
            b"--b\r\nContent-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n*\r\n--b--",
            "soap-part-undecodable",
        ),
    ],
)
def test_multipart_that_is_refused(payload: bytes, code: str) -> None:
    """Each with its code."""
    assert told(payload) == code


def test_base64_root() -> None:
    """A message whose first part is itself encoded is read."""
    coded = build.mime(b"", ("0.9", build.plain(*OBJECTS)), encoding="base64")
    payload = coded[coded.index(b"--uuid", 2) :]
    assert formats.parse(payload, CONTEXT).facts == build.parse(build.plain(*OBJECTS)).facts


def test_a_large_attachment_is_not_loaded_twice() -> None:
    """A part of 24 MiB costs one copy of itself at most; inline, its decoded bytes and little more."""
    start = build.CDA.index(b">", build.CDA.index(b'representation="B64"')) + 1
    pdf = base64.b64encode(b"%PDF-1.7\n" + bytes(18 << 20))
    large = build.CDA[:start] + pdf + build.CDA[build.CDA.index(b"<", start) :]
    for documents, parts in ((build.xop("Document01"), [("0.2", large)]), (build.inline("Document01", large), [])):
        payload = build.post(build.mime(build.plain(*OBJECTS, documents=documents), *parts))
        tracemalloc.start()
        try:
            found = build.parse(payload)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found.flags == ()
        assert found.facts[0].body == "cda"  # type: ignore[union-attr]
        assert peak < 1.3 * len(large)


@given(
    st.sampled_from(build.corpus()),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), min_size=1, max_size=4),
)
def test_any_damage(payload: bytes, accidents: list[tuple[float, int, bytes]]) -> None:
    """Whatever happens to a message: facts with declared flags, or a declared rejection."""
    for place, lost, found in accidents:
        at = int(place * len(payload))
        payload = payload[:at] + found + payload[at + lost :]
    told(payload)
