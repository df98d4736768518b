"""ADT: identities and movements."""

from __future__ import annotations

import pytest

from engine.errors import ParseError
from engine.facts import Identity, Movement, Sent
from engine.parsers.dtm import Zone
from tests.parsers.messages import (
    DOMAIN,
    EVN,
    MSH,
    PID,
    PV1,
    ZBE,
    adt,
    build,
    codes,
    facts,
    field,
    fixture,
    one,
    parse,
    pseudonym,
)

AT = Zone("Europe/Paris").seconds


def movement(event: str, *segments: str) -> Movement:
    """The movement of an ADT."""
    return one(adt(event, *segments), Movement)


def test_an_admission_says_all_it_holds() -> None:
    """Every field of the identity and of the movement of the reference example."""
    parsed = parse(fixture("adt_a01_admission"))
    identity, found, sent = parsed.facts
    assert isinstance(identity, Identity)
    assert isinstance(found, Movement)
    assert isinstance(sent, Sent)
    ins, ipp = pseudonym("ins", "", b"185057599900150"), pseudonym("ipp", DOMAIN, b"700001")
    assert identity == Identity(AT(b"20260302101500"), ipp, ins, 8, True, "VALI", False, "ACTIF", "INO")
    assert found == Movement(
        at=AT(b"20260302101500"),
        when=AT(b"20260302100000"),
        establishment=DOMAIN,
        ipp=ipp,
        ins=ins,
        visit=pseudonym("visit", DOMAIN, b"260004567"),
        dossier=pseudonym("dossier", DOMAIN, b"26000123"),
        movement=pseudonym("movement", DOMAIN, b"900001"),
        event="A01",
        action="INSERT",
        historic=False,
        original="",
        patient_class="I",
        treatment="03",
        unit="6268",
        nature="HMS",
        entry=AT(b"20260302100000"),
        exit=0,
        level="V",
        preadmitted=False,
        death=False,
    )
    assert (sent.sender, sent.receiver, sent.content) == ("GAM@HX", "DPI@HX", "movement")
    assert sent.exchange == pseudonym("control", "GAM@HX", b"G000101")
    assert (parsed.message, parsed.processing, parsed.control_id, parsed.flags) == ("ADT^A01", "P", b"G000101", ())


@pytest.mark.parametrize(
    ("name", "event", "action", "historic", "original", "nature", "unit", "patient_class"),
    [
        ("adt_a04_emergency", "A04", "INSERT", False, "", "HMS", "8782", "E"),
        ("adt_a06_to_inpatient", "A06", "INSERT", False, "", "HM", "NEPH", "I"),
        ("adt_a03_discharge", "A03", "INSERT", False, "", "HMS", "6268", "I"),
        ("adt_z99_discharge_corrected", "Z99", "UPDATE", False, "A03", "HMS", "6268", "I"),
        ("adt_a13_discharge_cancelled", "A13", "CANCEL", False, "A03", "HMS", "6268", "I"),
        ("adt_z99_class_corrected", "Z99", "UPDATE", False, "A04", "CHM", "REA1", "I"),
        ("adt_a02_historic_insert", "A02", "INSERT", True, "", "HMS", "REA1", "I"),
        ("adt_a12_historic_cancel", "A12", "CANCEL", True, "A02", "HMS", "NEPH", "I"),
        ("adt_a11_venue_cancelled", "A11", "CANCEL", False, "A01", "HMS", "SEA1", "R"),
        ("adt_a03_shifted_zbe", "A03", "INSERT", False, "", "HMS", "8782", "I"),
    ],
)
def test_each_movement_of_the_reference_is_read(
    name: str,
    event: str,
    action: str,
    historic: bool,
    original: str,
    nature: str,
    unit: str,
    patient_class: str,
) -> None:
    """ZBE of every kind, the shifted one included."""
    found = one(fixture(name), Movement)
    assert (found.event, found.action, found.historic, found.original) == (event, action, historic, original)
    assert (found.nature, found.unit, found.patient_class) == (nature, unit, patient_class)
    assert found.when
    assert found.movement is not None


def test_a_venue_only_cancellation_is_known_by_its_level() -> None:
    """PV1-51 tells what an A11 cancels."""
    assert one(fixture("adt_a11_venue_cancelled"), Movement).level == "V"


@pytest.mark.parametrize("shift", [-1, 0, 1, 2])
def test_a_shifted_zbe_is_put_back_around_its_action(shift: int) -> None:
    """Fields after the action follow it."""
    head, rest = "ZBE|900001^HX|20260302100000".split("|"), "UPDATE|Y|A02|X^^^^^HX^UF^^^6268||HM".split("|")
    zbe = "|".join(head + [""] * (1 + shift) + rest)
    found = parse(adt("Z99", PID, PV1, zbe))
    moved = one(found, Movement)
    assert (moved.action, moved.historic, moved.original, moved.unit, moved.nature) == (
        "UPDATE",
        True,
        "A02",
        "6268",
        "HM",
    )
    assert ("movement-shifted" in codes(found)) == (shift != 0)


def test_delete_is_cancel_and_case_is_nothing() -> None:
    """DELETE is read as CANCEL, in any case."""
    assert movement("A12", PID, PV1, field(ZBE, 4, "delete")).action == "CANCEL"


def test_an_unknown_action_is_flagged() -> None:
    """A ZBE without a known action is kept with none."""
    parsed = parse(adt("A02", PID, PV1, field(ZBE, 4, "MOVE")))
    assert one(parsed, Movement).action == ""
    assert "movement-action-unknown" in codes(parsed)


@pytest.mark.parametrize(
    ("event", "changes", "expected"),
    [
        ("A01", {}, b"20260302100000"),
        ("A01", {2: ""}, b"20260301080000"),
        ("A03", {2: ""}, b"20260305140000"),
        ("A02", {2: ""}, b"20260302100000"),
        ("A02", {2: "demain"}, b"20260302100000"),
    ],
)
def test_the_date_of_effect_falls_back(event: str, changes: dict[int, str], expected: bytes) -> None:
    """ZBE-2, else the date of PV1 that the event is about, else EVN-6."""
    zbe = ZBE
    for number, value in changes.items():
        zbe = field(zbe, number, value)
    stay = field(field(PV1, 44, "20260301080000"), 45, "20260305140000")
    assert movement(event, PID, stay, zbe).when == AT(expected)


def test_without_evn_the_message_dates_everything() -> None:
    """EVN may be missing."""
    found = one(build(MSH, PID, PV1, field(ZBE, 2, "")), Movement)
    assert found.at == AT(b"20260302101500")
    assert found.when == AT(b"20260302100000")  # PV1-44
    assert one(build(MSH, PID, field(PV1, 44, ""), field(ZBE, 2, "")), Movement).when == AT(b"20260302101500")


def test_a_movement_without_zbe_is_kept_and_flagged() -> None:
    """PAM-FR requires ZBE; plain HL7 feeds do not have it."""
    parsed = parse(adt("A01", PID, PV1))
    found = one(parsed, Movement)
    assert (found.action, found.movement, found.when) == ("", None, AT(b"20260302100000"))
    assert "movement-without-zbe" in codes(parsed)


@pytest.mark.parametrize(
    ("unit_field", "place", "unit"),
    [
        ("Chirurgie^^^^^HX^UF^^^6268", "9999", "6268"),
        ("6268", "9999", "6268"),
        ("Chirurgie^^^^^HX^UF", "9999", "9999"),
        ("", "9999^101^A", "9999"),
        ("", "^^^HX", ""),
        ("Un libellé beaucoup trop long pour un code", "", ""),
        ("^^^^^^^^^185057599900150", "", ""),
    ],
)
def test_the_unit_is_a_code(unit_field: str, place: str, unit: str) -> None:
    """ZBE-7.10, else ZBE-7 without structure, else PV1-3.1; never a label, never somebody's number."""
    assert movement("A02", PID, field(PV1, 3, place), field(ZBE, 7, unit_field)).unit == unit


@pytest.mark.parametrize(
    ("segments", "death"),
    [
        ((PID,), False),
        ((field(PID, 30, "Y"),), True),
        ((field(PID, 29, "20260305"),), True),
        ((field(PID, 29, '""'),), False),
        ((field(PID, 30, "N"),), False),
        ((PID, "ZFM||9"), True),
        ((PID, "ZFM||8"), False),
    ],
)
def test_death_is_read_where_france_writes_it(segments: tuple[str, ...], death: bool) -> None:
    """PID-29, PID-30 or ZFM-2 = 9."""
    assert movement("A03", *segments, PV1, ZBE).death is death


@pytest.mark.parametrize(
    ("extra", "dmp", "feeding", "corrected"),
    [
        ("ZFA|ACTIF|20260302|||||||INO", "ACTIF", "INO", False),
        ("ZFA|FERMÉ||||||||IO^opposé", "FERME", "IO", False),
        ("ZFA|INEXISTANT||||||||NA", "INEXISTANT", "NA", False),
        ('ZFA|""||||Y', "", "", False),
        ("ZFD||||Y", "", "", True),
        ("ZFD||||N", "", "", False),
        ("ZFP|", "", "", False),
    ],
)
def test_dmp_status_opposition_and_corrected_birth(extra: str, dmp: str, feeding: str, corrected: bool) -> None:
    """ZFA-1, ZFA-9 and ZFD-4."""
    found = one(adt("A31", PID, "PV1||N", extra), Identity)
    assert (found.dmp, found.feeding, found.birth_corrected) == (dmp, feeding, corrected)


@pytest.mark.parametrize("value", ["26000999^^^HX^PN", '""', ""])
def test_preadmission_is_a_valued_number(value: str) -> None:
    """PV1-5 counts when it holds a number."""
    assert movement("A01", PID, field(PV1, 5, value), ZBE).preadmitted is value.startswith("2")


def test_a_movement_without_venue_nor_dossier_is_no_movement() -> None:
    """Nothing could be done with it; the identity stays."""
    parsed = parse(adt("A01", field(PID, 18, '""'), field(PV1, 19, ""), ZBE))
    assert facts(parsed, Movement) == []
    assert len(facts(parsed, Identity)) == 1
    assert "venue-missing" in codes(parsed)


@pytest.mark.parametrize(
    ("event", "content", "moved"), [("A08", "identity", 1), ("A31", "identity", 0), ("A10", "identity", 1)]
)
def test_events_around_movements(event: str, content: str, moved: int) -> None:
    """A08 and tracking say something of the venue but are no movement message; A31 is about the person alone."""
    parsed = parse(adt(event, PID, field(PV1, 11, "BLOC1"), "ZFP|"))
    assert one(parsed, Sent).content == content
    assert len(facts(parsed, Movement)) == moved
    if event == "A10":
        assert one(parsed, Movement).unit == "BLOC1"


@pytest.mark.parametrize(
    ("event", "action"), [("Z80", "INSERT"), ("Z81", "CANCEL"), ("Z84", "INSERT"), ("Z85", "CANCEL")]
)
def test_a_change_of_responsibility_is_a_movement(event: str, action: str) -> None:
    """The events of the first versions of PAM-FR are read like an A02 or an A12, their ZBE included."""
    parsed = parse(adt(event, PID, PV1, field(ZBE, 4, action)))
    found = one(parsed, Movement)
    like = one(parse(adt("A02", PID, PV1, field(ZBE, 4, action))), Movement)
    assert (found.event, found.action) == (event, action)
    assert (found.movement, found.when, found.unit, found.visit) == (like.movement, like.when, like.unit, like.visit)
    assert one(parsed, Sent).content == "identity"  # it proves nothing of who receives the admissions


def test_swapped_beds_move_two_patients() -> None:
    """An A17 has two groups."""
    second = field(PID, 3, "700002^^^HX^PI"), field(PV1, 19, "260004568")
    parsed = parse(adt("A17", PID, PV1, *second))
    assert [fact.ipp for fact in facts(parsed, Movement)] == [
        pseudonym("ipp", DOMAIN, n) for n in (b"700001", b"700002")
    ]


def test_segments_may_come_in_any_order() -> None:
    """Segments are taken by name."""
    assert one(adt("A01", ZBE, PV1, PID), Movement) == one(adt("A01", PID, PV1, ZBE), Movement)


def test_unknown_events_are_identities() -> None:
    """An event that is not known is not refused."""
    parsed = parse(adt("A62", PID))
    assert one(parsed, Sent).content == "identity"


def test_the_event_may_be_in_evn() -> None:
    """MSH-9.2 is the truth; EVN-1 stands in when it is missing."""
    raw = build(MSH.replace("ADT^A01^ADT_A01", "ADT"), EVN.replace("EVN|", "EVN|A01"), PID, PV1, ZBE)
    assert parse(raw).message == "ADT^A01"


def test_an_adt_without_patient_is_refused() -> None:
    """It was cut on the way; bed status alone has no patient."""
    with pytest.raises(ParseError) as caught:
        parse(adt("A01", PV1, ZBE))
    assert (caught.value.code, caught.value.where) == ("segment-missing", "PID")
    assert one(parse(adt("A20", "NPU|6268^101^A|U")), Sent).content == "other"
