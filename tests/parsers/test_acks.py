"""Technical and business acknowledgements."""

from __future__ import annotations

import pytest

from engine.errors import ParseError
from engine.facts import Document, Outcome, Sent
from engine.parsers.dtm import Zone
from tests.parsers.messages import build, codes, facts, fixture, one, parse, pseudonym

AT = Zone("Europe/Paris").seconds
SENT = pseudonym("control", "SGL@LABO", b"L000501")
BOX = pseudonym("address", "", b"max.medecin@exemple.mssante.fr")
PATIENT_BOX = pseudonym("address", "", b"185057599900150@patient.mssante.fr")
HEADER = r"MSH|^~\&|PFI|HX|SGL|LABO|20260305151001||{}|P1|P|2.6|||||FRA|UNICODE UTF-8"


@pytest.mark.parametrize(
    ("name", "layer", "accepted", "code", "recipient"),
    [
        ("ack_r01_accepted", "technical", True, "AA", None),
        ("zam_z01_accepted", "dmp", True, "", None),
        ("zam_z01_refused", "dmp", False, "DMPClosed", None),
        ("zam_z02_delivered", "mss-delivery", True, "", BOX),
        ("zam_z02_not_delivered", "mss-delivery", False, "550", PATIENT_BOX),
        ("zam_z03_read", "mss-reading", True, "", BOX),
    ],
)
def test_every_answer_of_the_reference_joins_its_document(
    name: str,
    layer: str,
    accepted: bool,
    code: str,
    recipient: bytes | None,
) -> None:
    """The answer names the exchange of the document it answers to."""
    parsed = parse(fixture(name))
    found = one(parsed, Outcome)
    assert (found.layer, found.accepted, found.code, found.recipient) == (layer, accepted, code, recipient)
    assert found.exchange == SENT == one(fixture("oru_r01_lab_to_dmp"), Document).exchange
    assert found.sender == "PFI@HX"
    assert found.at == AT(b"20260305151001" if layer == "technical" else b"20260305151130")
    assert one(parsed, Sent).content == "acknowledgement"


def test_a_refused_message_is_another_exchange() -> None:
    """MSA-2 tells which message is refused."""
    found = one(fixture("ack_r01_refused"), Outcome)
    assert (found.accepted, found.code) == (False, "AE")
    assert found.exchange == pseudonym("control", "SGL@LABO", b"L000502")


@pytest.mark.parametrize("kind", ["ACK^R01^ACK", "ACK", "ACK^A03^ADT_A03", "ack"])
@pytest.mark.parametrize(
    ("code", "accepted"), [("AA", True), ("CA", True), ("AE", False), ("AR", False), ("CE", False), ("CR", False)]
)
def test_every_code_and_every_spelling(kind: str, code: str, accepted: bool) -> None:
    """The six codes of both modes, whatever follows ACK."""
    assert one(build(HEADER.format(kind), f"MSA|{code} |L000501"), Outcome).accepted is accepted


@pytest.mark.parametrize(
    ("segment", "flag"),
    [("MSA|XX|L000501", "answer-unknown"), ("MSA|AA|", "answer-to-nothing"), ('MSA|AA|""', "answer-to-nothing")],
)
def test_an_ack_that_says_nothing_is_flagged(segment: str, flag: str) -> None:
    """It is an exchange without outcome."""
    parsed = parse(build(HEADER.format("ACK"), segment))
    assert facts(parsed, Outcome) == []
    assert codes(parsed) == {flag}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ERR|||207^x^y|E|DMPClosed^DMP fermé^DMPERRORCODE", "DMPClosed"),
        ("ERR|||207^x^y| E|903 ^INS absent", "903"),
        ("ERR|||207^x^y|E", "207"),
        ("ERR|||207^x^y|E|Monsieur Essai est inconnu", "other"),
        ("ERR|||207^x^y|E|185057599900150", "other"),
        ("ERR|||207^x^y|E|inconnu: é!", "other"),
        ("ERR", "other"),
        ("", "other"),
    ],
)
def test_only_codes_are_kept_of_an_error(error: str, code: str) -> None:
    """Text and numbers of people become other."""
    obx = "OBX|1|CWE|ACK_RECEPTION_DMP^Accusé^AckMétierZAM|L000501|N^^x||||||F"
    parsed = parse(build(HEADER.format("ZAM^Z01^ZAM_Z01"), "EVN||20260305", obx, *([error] if error else [])))
    assert one(parsed, Outcome).code == code
    assert ("answer-without-error" in codes(parsed)) == (code == "other")


def test_a_control_id_is_whole() -> None:
    """MSH-10, MSA-2 and OBX-4 are plain strings: a delimiter in them is part of the number."""
    expected = pseudonym("control", "SGL@LABO", b"L^5~1")
    assert one(build(HEADER.format("ACK"), "MSA|AA|L^5~1"), Outcome).exchange == expected
    assert one(build(HEADER.format("ZAM^Z01"), "OBX|1|CWE|ACK_RECEPTION_DMP|L^5~1|Y"), Outcome).exchange == expected
    assert (
        one(
            build(HEADER.format("ACK").replace("|P1|", "|L^5~1|").replace("PFI|HX", "SGL|LABO"), "MSA|AA|1"), Sent
        ).exchange
        == expected
    )


def test_the_code_of_the_answer_wins_over_the_event() -> None:
    """OBX-3 tells the layer; the event stands in."""
    obx = "OBX|1|CWE|ACK_RECEPTION_MSS|L000501|Y"
    assert one(build(HEADER.format("ZAM^Z01^ZAM_Z01"), obx), Outcome).layer == "mss-delivery"
    assert one(build(HEADER.format("ZAM^Z03"), obx.replace("ACK_RECEPTION_MSS", "LU")), Outcome).layer == "mss-reading"


def test_a_zam_without_evn_is_dated_by_its_message() -> None:
    """EVN-2 is the date of the event, MSH-7 stands in."""
    assert one(build(HEADER.format("ZAM^Z01"), "OBX|1|CWE|ACK_RECEPTION_DMP|L000501|Y"), Outcome).at == AT(
        b"20260305151001"
    )


@pytest.mark.parametrize(("kind", "where"), [("ACK", "MSA"), ("ZAM^Z01", "OBX")])
def test_an_answer_without_content_is_refused(kind: str, where: str) -> None:
    """It was cut on the way."""
    with pytest.raises(ParseError) as caught:
        parse(build(HEADER.format(kind)))
    assert (caught.value.code, caught.value.where) == ("segment-missing", where)
