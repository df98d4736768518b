"""The reading of any HL7 v2 message."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.facts import AnyFact, Identity, Movement, Outcome, Sent
from engine.parsers import hl7
from engine.parsers.context import default
from engine.parsers.parsed import Parsed
from tests.parsers.messages import EVN, MSH, NAMES, PID, PV1, ZBE, build, codes, field, fixture, one, parse, pseudonym
from tests.parsers.mutations import corpus, mutated

CONTENTS = {"identity", "movement", "document", "order", "appointment", "acknowledgement", "other"}
CONTEXT = default()
CORPUS = corpus()


def outcome(raw: bytes) -> Parsed | str:
    """What parsing gives: facts, or the code of its refusal."""
    try:
        return hl7.parse(raw, CONTEXT)
    except ParseError as error:
        assert error.code in hl7.CODES
        assert error.code != "internal"
        return error.code


def check(found: Parsed | str) -> None:
    """What holds for every result."""
    if isinstance(found, str):
        return
    assert [isinstance(fact, Sent) for fact in found.facts].count(True) == 1
    sent = found.facts[-1]
    assert isinstance(sent, Sent)
    assert sent.content in CONTENTS
    assert {flag.code for flag in found.flags} <= set(hl7.CODES)


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_gives_one_sent_and_its_facts(name: str) -> None:
    """Each synthetic example is read, with CR, LF and CRLF alike."""
    raw = fixture(name)
    found = outcome(raw)
    check(found)
    assert isinstance(found, Parsed)
    assert found == outcome(raw.replace(b"\r", b"\n")) == outcome(raw.replace(b"\r", b"\r\n"))
    assert found == outcome(raw.rstrip(b"\r")) == outcome(b"\x0b" + raw + b"\x1c\r")


def test_every_official_sample_is_read(samples: Path) -> None:
    """The official messages give facts and no refusal."""
    paths = sorted((samples / "hl7").glob("*.er7"))
    assert paths
    for path in paths:
        found = outcome(path.read_bytes())
        check(found)
        assert isinstance(found, Parsed)


def test_official_documents_are_joined_by_their_answers(samples: Path) -> None:
    """The ZAM of the samples answer to the laboratory report, the ACK to the imaging one."""
    read = {path.stem: hl7.parse(path.read_bytes(), CONTEXT) for path in (samples / "hl7").glob("*.er7")}
    report = one(read["oru_r01_lab_n3"], Sent).exchange
    for name in ("zam_z01_dmp_refused", "zam_z02_mss_received", "zam_z03_mss_read"):
        assert one(read[name], Outcome).exchange == report
    assert one(read["ack_mdm"], Outcome).exchange == one(read["mdm_t10_imaging_n1_replacement"], Sent).exchange
    assert one(read["adt_a03_discharge"], Movement).unit == "8782"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not-hl7"),
        (b"H|^~\\&|", "not-hl7"),
        (b"<xml/>", "not-hl7"),
        (build(MSH.replace("ADT^A01^ADT_A01", "")), "no-message-type"),
        (build(MSH.replace("ADT^A01^ADT_A01", '""')), "no-message-type"),
        (build(MSH.replace("ADT^A01^ADT_A01", "Admission")), "no-message-type"),
        (build(MSH, PID, MSH, PID), "several-messages"),
        (b"FHS|^~\\&\r" + build(MSH, PID), "batch"),
    ],
)
def test_what_is_not_read_has_a_stable_code(raw: bytes, code: str) -> None:
    """Each refusal has its own code, explained."""
    assert outcome(raw) == code


@pytest.mark.parametrize("type_", ["MDM^T02^MDM^T02^MDM_T02", "MDM_T02", " mdm ^ t02", "MDM^T02"])
def test_the_type_is_read_however_it_is_written(type_: str) -> None:
    """Doubled, joined, or with blanks."""
    raw = build(MSH.replace("ADT^A01^ADT_A01", type_), EVN, PID, "TXA|1|11490-0")
    assert parse(raw).message == "MDM^T02"


@pytest.mark.parametrize(
    ("number", "value", "flag"),
    [
        (7, "hier", "time-missing"),
        (10, "", "control-id-missing"),
        (11, "D", "not-production"),
        (11, "T^A", "not-production"),
    ],
)
def test_a_poor_envelope_is_flagged(number: int, value: str, flag: str) -> None:
    """Missing time or control id, and processing other than production."""
    parsed = parse(build(field(MSH, number, value), EVN, PID, PV1, ZBE))
    assert codes(parsed) == {flag}


def test_messages_without_control_id_are_not_one_exchange() -> None:
    """Their content keeps them apart."""
    header = field(MSH, 10, "")
    first, second = parse(build(header, EVN, PID, PV1, ZBE)), parse(build(header, EVN, PID, PV1, field(ZBE, 1, "2")))
    assert one(first, Sent).exchange != one(second, Sent).exchange


def test_odd_application_names_become_other_and_stay_apart() -> None:
    """A name that may not be shown is still a scope of its own."""
    raws = [
        build(field(MSH, 3, name), EVN, PID, PV1, ZBE)
        for name in ("Identité Un", "Identité Deux", "185057599900150", "^1.2.250.9^ISO", "")
    ]
    parsed = [parse(raw) for raw in raws]
    assert [one(found, Sent).sender for found in parsed] == ["other@HX", "other@HX", "other@HX", "1.2.250.9@HX", "@HX"]
    assert len({one(found, Sent).exchange for found in parsed}) == 5
    assert one(parsed[0], Sent).exchange == pseudonym("control", "Identité Un@HX", b"G000101")


def test_the_digest_tells_a_resend_from_a_reused_number() -> None:
    """Same content, same digest; one changed character, another."""
    raw = build(MSH, EVN, PID, PV1, ZBE)
    assert one(raw, Sent).digest == one(raw.replace(b"\r", b"\n"), Sent).digest
    assert one(raw, Sent).digest != one(raw.replace(b"LOUIS", b"LOUIX"), Sent).digest


def test_nothing_clear_is_in_facts_or_flags() -> None:
    """No identifier, name or address of a message is found in what it gives."""
    marks = [
        b"700001",
        b"185057599900150",
        b"ESSAI",
        b"LOUIS",
        b"26000123",
        b"260004567",
        b"900001",
        b"G000101",
        b"L000501",
        b"medecin",
    ]
    for raw in CORPUS:
        found = outcome(raw)
        assert isinstance(found, Parsed)
        shown = repr(found.facts).encode() + repr(found.flags).encode() + repr(found).encode()
        assert not [mark for mark in marks if mark in shown]


def test_errors_carry_no_value() -> None:
    """The text of a refusal is a code and a place."""
    with pytest.raises(ParseError) as caught:
        parse(build(MSH, "PID_PERDU|700001|ESSAI"))
    assert str(caught.value) == "segment-missing at PID"
    assert caught.value.__cause__ is None


def test_a_defect_of_the_reader_is_a_code_too() -> None:
    """Nothing but ParseError leaves the parser, even when a pseudonym cannot be made."""

    def broken(kind: str, scope: str, value: bytes) -> bytes:
        raise OSError(scope)

    context = hl7.Context(establishment="990000001", domain="d", pseudonym=broken, zone=default().zone)
    with pytest.raises(ParseError) as caught:
        hl7.parse(build(MSH, EVN, PID, PV1, ZBE), context)
    assert caught.value.code == "internal"


def test_null_identifiers_have_no_pseudonym() -> None:
    """No pseudonym is ever asked for an empty value or for the null."""
    asked: list[bytes] = []

    def spy(kind: str, scope: str, value: bytes) -> bytes:
        asked.append(value)
        return b"0" * 16

    context = hl7.Context(establishment="990000001", domain="d", pseudonym=spy, zone=default().zone)
    null = build(MSH, EVN, 'PID|||""^^^HX^PI~""^^^^INS|||||||||||||||""', field(PV1, 19, '""'), field(ZBE, 1, '""'))
    merge = build(MSH.replace("A01", "A40"), EVN, PID, 'MRG|""^^^HX^PI||""||""')
    for raw in (null, merge):
        hl7.parse(raw, context)
    assert b"" not in asked
    assert b'""' not in asked


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(raw: bytes) -> None:
    """Bytes without MSH are not HL7; with MSH in front they give facts or a code."""
    check(outcome(raw))
    check(outcome(b"MSH|^~\\&|A|B|C|D|20260302||ADT^A01|1|P|2.5\rPID|" + raw))


@given(st.sampled_from(CORPUS), st.integers(0, 2**32))
def test_damaged_messages_give_facts_or_a_code(raw: bytes, seed: int) -> None:
    """Cut, reordered, repeated, re-delimited, re-encoded: nothing but facts or a code, the same each time."""
    damaged = mutated(raw, random.Random(seed))
    found = outcome(damaged)
    check(found)
    assert found == outcome(damaged)


@given(st.permutations([EVN, PID, PV1, ZBE, "ZFA|ACTIF||||||||INO", "ZFD||||N", "PD1||U", "ZFM|8"]))
def test_the_order_of_segments_does_not_matter(segments: list[str]) -> None:
    """Facts are the same in any order of the segments."""
    found = parse(build(MSH, *segments))
    usual = parse(build(MSH, EVN, PID, PV1, ZBE, "ZFA|ACTIF||||||||INO", "ZFD||||N", "PD1||U", "ZFM|8"))

    def facts_of(parsed: Parsed) -> tuple[AnyFact, ...]:
        return parsed.facts[:-1]

    assert facts_of(found) == facts_of(usual)
    assert [type(fact) for fact in found.facts] == [Identity, Movement, Sent]


@given(
    st.sampled_from(["|^~\\&", "#!%$@", "|^˜\\&", "§^~\\&"]), st.sampled_from(["adt_a01_admission", "adt_a40_merge"])
)
def test_delimiters_do_not_matter(separators: str, name: str) -> None:
    """A message written with other delimiters gives the same facts."""
    raw = fixture(name).decode()
    other = raw.translate(str.maketrans("|^~\\&", separators)).encode()
    assert parse(other).facts[:-1] == parse(raw.encode()).facts[:-1]
    assert isinstance(parse(raw.encode()).facts[0], Identity)
