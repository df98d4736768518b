"""Orders and appointments."""

from __future__ import annotations

import pytest

from engine.facts import Activity, Sent
from engine.parsers.dtm import Zone
from tests.parsers.messages import DOMAIN, PID, PV1, build, facts, field, fixture, one, parse, pseudonym

AT = Zone("Europe/Paris").seconds
HEADER = r"MSH|^~\&|DPI|HX|SGL|LABO|20260304080000||{}|D1|P|2.5|||||FRA|UNICODE UTF-8|||{}"


def test_an_order_is_known_by_its_placer_number() -> None:
    """ORC-2, ORC-1 and the section of the first OBR."""
    parsed = parse(fixture("orm_o01_order"))
    found = one(parsed, Activity)
    assert (found.kind, found.control, found.section, found.sender) == ("order", "NW", "LAB", "DPI@HX")
    assert found.number == pseudonym("order", DOMAIN, b"P5501")
    assert found.visit == pseudonym("visit", DOMAIN, b"260004568")
    assert one(parsed, Sent).content == "order"


def test_an_appointment_is_known_by_its_placer_number() -> None:
    """SCH-1, the event and the planned time."""
    parsed = parse(fixture("siu_s12_appointment"))
    found = one(parsed, Activity)
    assert (found.kind, found.control, found.when) == ("appointment", "S12", AT(b"20260310090000"))
    assert found.number == pseudonym("appointment", DOMAIN, b"RDV100")
    assert one(parsed, Sent).content == "appointment"


def test_one_message_may_hold_several_orders() -> None:
    """One activity for each ORC; filler and OBR numbers stand in."""
    raw = build(
        HEADER.format("OML^O21", ""),
        PID,
        PV1,
        "ORC|NW|P1^DPI|||||^^^20260304090000",
        field("OBR|1|P1", 24, "LAB"),
        "ORC|CA||F2^SGL",
        field("OBR|2|||X", 36, "20260304100000"),
        "ORC|XO",
        "OBR|3|P3",
    )
    found = facts(parse(raw), Activity)
    assert [fact.number for fact in found] == [pseudonym("order", DOMAIN, number) for number in (b"P1", b"F2", b"P3")]
    assert [fact.control for fact in found] == ["NW", "CA", "XO"]
    assert found[0].when == AT(b"20260304090000")
    assert found[0].section == "LAB"
    assert found[1].when == AT(b"20260304100000")


@pytest.mark.parametrize("kind", ["ORM^O01", "OMG^O19", "OML^O33", "OMI^O23", "OMP^O09", "RDE^O11"])
def test_every_order_message_is_read(kind: str) -> None:
    """ORM, OMx and RDE; an order without ORC is known by its OBR."""
    assert one(build(HEADER.format(kind, ""), PID, "ORC|NW|1"), Activity).kind == "order"
    assert one(build(HEADER.format(kind, ""), PID, "OBR|1|1"), Activity).number == pseudonym("order", DOMAIN, b"1")


def test_teleradiology_requests_are_somebody_elses() -> None:
    """They are exchanges only: their PV1-19 is an appointment."""
    parsed = parse(build(HEADER.format("ORM^O01", "1.0^CISIS_TLR_HL7_V2"), PID, PV1, "ORC|NW|1"))
    assert facts(parsed, Activity) == []
    assert one(parsed, Sent).content == "order"


def test_other_messages_are_exchanges_only() -> None:
    """DFT, MFN, queries and unknown types give one Sent, which still shows the INS."""
    sent = parse(build(HEADER.format("DFT^P03", ""), "EVN||20260304080000", PID)).facts
    assert len(sent) == 1
    assert isinstance(sent[0], Sent)
    assert (sent[0].content, sent[0].ins) == ("other", True)
