"""The short way through ordinary ADT, against the general way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.facts import Movement
from engine.parsers import admission, hl7
from engine.parsers.context import Context, default
from engine.parsers.parsed import Parsed
from tests.parsers.messages import EVN, MSH, PID, PV1, ZBE, adt, build, field, fixture, one
from tests.parsers.mutations import corpus, mutated

CONTEXT = default()
AUTHORITIES = default(authorities=frozenset({"HX"}))
CORPUS = [raw for raw in corpus() if b"|ADT^" in raw]
ZFA, ZFD, ZFM = "ZFA|ACTIF|20260302|||||||INO|20260302", "ZFD|||Y|N|INSI", "ZFM|8|"


def general(raw: bytes, context: Context) -> Parsed | None:
    """What the general way says; ``None`` for a refusal."""
    try:
        return hl7.read(raw, context)
    except ParseError:
        return None


def agree(raw: bytes, context: Context = CONTEXT) -> bool:
    """Whether both ways agree, cold and warm; true when the short way gives up."""
    fresh = admission.reader(context)
    cold, warm = fresh(raw), fresh(raw)
    kept = admission_of(context)(raw)
    return cold == warm == kept and (cold is None or cold == general(raw, context))


def admission_of(context: Context) -> admission.Short:
    """The short way that parse itself keeps for a context."""
    if context.memo.reader is None:
        context.memo.reader = admission.reader(context)
    reader: admission.Short = context.memo.reader
    return reader


@pytest.mark.parametrize(
    "name",
    [
        "adt_a01_admission",
        "adt_a02_historic_insert",
        "adt_a03_discharge",
        "adt_a04_emergency",
        "adt_a06_to_inpatient",
        "adt_a11_venue_cancelled",
        "adt_a12_historic_cancel",
        "adt_a13_discharge_cancelled",
        "adt_a28_waiting_number",
        "adt_a31_billing_nir",
        "adt_a31_corsican_homonym",
        "adt_z99_class_corrected",
        "adt_z99_discharge_corrected",
    ],
)
def test_ordinary_messages_take_the_short_way(name: str) -> None:
    """The messages that make nine tenths of a feed do not need the general way."""
    raw = fixture(name)
    assert admission.reader(CONTEXT)(raw) is not None
    assert agree(raw)
    assert agree(raw, AUTHORITIES)


@pytest.mark.parametrize(
    "raw",
    [
        fixture("adt_a40_merge"),
        fixture("adt_a44_dossier_moved"),
        fixture("adt_a03_shifted_zbe"),
        fixture("oru_r01_lab_to_dmp"),
        fixture("adt_a01_admission").replace(b"\rZFA", b"\n\rZFA"),
        adt("A01", PID, PV1),
        adt("A17", PID, PV1, PID, PV1),
        adt("A01", PID, PV1, ZBE, "une suite de texte"),
        adt("A01", PID.replace("700001", "É700001"), PV1, ZBE),
        build(field(MSH, 7, "1999"), EVN, PID, PV1, ZBE),
        b"",
        b"MSH|^~\\&|",
        b"MSH|^~\\&|\r",
    ],
)
def test_odd_messages_take_the_general_way(raw: bytes) -> None:
    """The short way gives up rather than guess."""
    assert admission.reader(CONTEXT)(raw) is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_other_line_ends_take_the_short_way_too(end: bytes) -> None:
    """LF and CRLF are brought to CR."""
    raw = fixture("adt_a01_admission")
    other = raw.replace(b"\r", end)
    for text in (other, other.rstrip(), other + end):
        assert admission.reader(CONTEXT)(text) == hl7.read(text, CONTEXT) == hl7.read(raw, CONTEXT)


def test_copies_of_one_event_differ_by_their_envelope_alone() -> None:
    """A copy for another application has its own Sent and the same other facts."""
    reader = admission.reader(CONTEXT)
    first = reader(adt("A01", PID, PV1, ZBE))
    copy = adt("A01", PID, PV1, ZBE, control="G000777").replace(b"|DPI|", b"|LABO|")
    second = reader(copy)
    assert first is not None
    assert second is not None
    assert second == hl7.read(copy, CONTEXT)
    assert second.facts[:-1] == first.facts[:-1]
    assert second.facts[-1] != first.facts[-1]


def test_the_same_body_under_another_event_is_another_fact() -> None:
    """What is remembered depends on the event and on the character set."""
    reader = admission.reader(CONTEXT)
    raws = [adt(event, PID.replace("LOUIS", "LOUÏS"), PV1, ZBE) for event in ("A01", "A02", "A31")]
    raws += [raw.replace(b"UNICODE UTF-8", b"8859/1") for raw in raws]
    for raw in raws * 2:
        assert reader(raw) == hl7.read(raw, CONTEXT)


def test_a_message_without_evn_is_not_remembered() -> None:
    """Its facts are dated by its own MSH-7."""
    reader = admission.reader(CONTEXT)
    for date in ("20260302101500", "20260303101500"):
        raw = build(field(MSH, 7, date), PID, PV1, ZBE)
        assert reader(raw) == hl7.read(raw, CONTEXT)


def test_memories_are_bounded() -> None:
    """Thousands of different patients do not make the reader grow for ever, nor change its results."""
    reader = admission.reader(CONTEXT)
    for number in range(5000):
        raw = adt("A01", PID.replace("700001", f"7{number:05}"), PV1, field(ZBE, 1, f"{number}"))
        if number % 500 == 0:
            assert reader(raw) == hl7.read(raw, CONTEXT)
        else:
            reader(raw)
    cells = [cell.cell_contents for cell in reader.__closure__ or ()]
    inner = [c for cell in cells if callable(cell) and hasattr(cell, "__closure__") for c in cell.__closure__ or ()]
    memories = [c for c in cells + [c.cell_contents for c in inner] if isinstance(c, dict)]
    assert memories
    assert all(len(memory) <= 4096 for memory in memories)


values = st.sampled_from(
    [
        "",
        '""',
        "N",
        "Y",
        "V",
        "A",
        "I",
        "E",
        "9",
        "A03",
        "C",
        "HM",
        "03",
        "x",
        "É",
        "\\F\\",
        " ",
        "20260302",
        "2026",
        "1^^^HX^PI",
        "1~2",
        "6268",
        "VALI~HOMA",
        "L",
    ],
)


@given(
    st.sampled_from(["A01", "A02", "A03", "A04", "A05", "A11", "A13", "A21", "A28", "A31", "Z99"]),
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 52), values), max_size=5),
    st.booleans(),
)
def test_both_ways_agree_on_any_field(event: str, changes: list[tuple[int, int, str]], foreign: bool) -> None:
    """Whatever stands in any field of any segment, the short way agrees or gives up."""
    segments = [MSH.replace("ADT^A01^ADT_A01", f"ADT^{event}"), EVN, PID, PV1, ZBE, ZFA, ZFD, ZFM]
    for at, number, value in changes:
        if at or number > 2:
            segments[at] = field(segments[at], number, value)
    assert agree(build(*segments), AUTHORITIES if foreign else CONTEXT)


@given(st.sampled_from(CORPUS), st.integers(0, 2**32))
def test_both_ways_agree_on_damaged_messages(raw: bytes, seed: int) -> None:
    """Whatever accident befell a message, the short way agrees or gives up."""
    assert agree(mutated(raw, random.Random(seed)))


def test_the_movement_of_the_short_way_is_complete() -> None:
    """Every field has its value at its place."""
    raw = adt(
        "A03", field(PID, 30, "Y"), field(field(PV1, 5, "PRE1"), 45, "20260305140000"), field(ZBE, 6, "A03"), "ZFM||9"
    )
    found = admission.reader(CONTEXT)(raw)
    assert found is not None
    moved = one(found, Movement)
    assert (moved.original, moved.preadmitted, moved.death, moved.level, moved.treatment) == (
        "A03",
        True,
        True,
        "V",
        "03",
    )
    assert moved.exit > moved.entry > 0
