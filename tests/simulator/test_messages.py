"""What is sent can be read: by python-hl7, by lxml, and by the engine's own parsers."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections import Counter

import hl7  # type: ignore[import-untyped]
import pytest
from lxml import etree

from engine.errors import ParseError
from engine.parsers import hl7 as parser
from engine.parsers.context import Context
from engine.parsers.dtm import Zone
from engine.simulator.hospital import Hospital
from engine.simulator.traffic import Envelope
from tests.simulator.conftest import TODAY


def text_of(payload: bytes) -> str:
    """The text of a message, CR between segments, whatever its accident."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = payload.decode("iso8859-15")
    if "\r" not in text:
        return text.replace("\n", "\r")
    return text.replace("\r\n", "\r").replace("\n", "")


def readable(envelope: Envelope) -> bool:
    """Whether the message is not one of the deliberately bad ones."""
    return envelope.payload.startswith(b"MSH") and envelope.payload.count(b"|") > 12


@pytest.fixture(scope="session")
def small() -> Hospital:
    """300 stays, for the slow readers."""
    return Hospital(5, 300, TODAY)


def test_python_hl7_reads_every_message(small: Hospital) -> None:
    """Every message but the bad ones is an HL7 message with a kind and a control id."""
    kinds: Counter[str] = Counter()
    for envelope in filter(readable, small):
        message = hl7.parse(text_of(envelope.payload).replace("\u02dc", "~"))
        kinds[str(message.segment("MSH")[9]).split("^")[0]] += 1
        assert str(message.segment("MSH")[10])
    assert set(kinds) == {"ADT", "ORU", "MDM", "ZAM", "ACK", "OML", "ORM", "SIU"}


def test_every_event_of_the_reference_is_told(hospital: Hospital) -> None:
    """The movements of PAM-FR that a hospital of 2,000 stays meets."""
    kinds = {text_of(each.payload[:400]).split("|")[8] for each in hospital if readable(each)}
    told = {kind.split("^")[1] for kind in kinds if kind.startswith("ADT")}
    expected = "A01 A02 A03 A04 A05 A06 A07 A08 A11 A12 A13 A14 A15 A16 A21 A22 A25 A26 A28 A31 A38 A40 A44 A45 A47 A49 A54 Z99"
    assert told == set(expected.split())


def test_lxml_reads_every_document(small: Hospital) -> None:
    """Every base64 body is a CDA whose level is one that was decided; the unreadable ones are those announced."""
    broken = levels = 0
    for envelope in filter(readable, small):
        for line in text_of(envelope.payload).split("\r"):
            if "|ED|" not in line or "^XML^Base64^" not in line:
                continue
            data = line.split("^XML^Base64^")[1].split("|")[0]
            try:
                root = etree.fromstring(b64decode(data + "=" * (-len(data) % 4)))
            except etree.XMLSyntaxError:
                broken += 1
                continue
            assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
            levels += 1
    assert levels > 500
    assert 0 < broken < levels / 20


def test_the_parsers_refuse_nothing_but_the_bad_ones(hospital: Hospital) -> None:
    """Every message gives facts, but those that nobody can read: as many as the hospital says."""

    def pseudonym(kind: str, scope: str, value: bytes) -> bytes:
        return hashlib.blake2b(value, key=f"{kind}|{scope}".encode()[:64], digest_size=16).digest()

    context = Context("990000001", "990000001", pseudonym, Zone("Europe/Paris"))
    refused: list[bytes] = []
    for envelope in hospital:
        try:
            parser.parse(envelope.payload, context)
        except ParseError:
            refused.append(envelope.payload)
    assert not [payload for payload in refused if readable(Envelope("", 0, payload))]
    assert len(set(refused)) == hospital.truth().unreadable


def test_duplicates_are_counted(hospital: Hospital) -> None:
    """The hospital knows how often it sent the same bytes again."""
    counted = Counter((each.feed, each.payload) for each in hospital)
    assert sum(count - 1 for count in counted.values()) == hospital.truth().duplicates > 100


def test_control_ids_are_used_again_for_other_contents(hospital: Hospital) -> None:
    """The trap of 9.24: some (sender, control id) carry several contents."""
    contents: dict[tuple[str, ...], set[bytes]] = {}
    for envelope in filter(readable, hospital):
        head = text_of(envelope.payload[:300]).split("|")
        contents.setdefault((head[2], head[3], head[9]), set()).add(envelope.payload)
    assert sum(len(each) > 1 for each in contents.values()) > 50


def test_nothing_real_is_in_a_message(hospital: Hospital) -> None:
    """Invented structures only, and the INS of the hospital's own people."""
    for envelope in hospital:
        assert b"1204567" not in envelope.payload  # the structure of the official samples
