"""Movements become stays (PAM-FR 2.2 to 2.6)."""

from __future__ import annotations

from itertools import permutations

import pytest

from engine.facts import Movement
from engine.ledger.stays import Stay, stays
from tests.ledger.build import OTHER_IPP, VISIT, at, movement
from tests.ledger.facts import handle


def fold(*found: Movement) -> list[Stay]:
    """The stays of one venue; the same whatever the order."""
    expected = stays(VISIT, sorted(found, key=str))
    for order in list(permutations(found))[:24]:
        again = stays(VISIT, sorted(order, key=str))
        assert [(s.entry, s.exit, s.patient_class, s.unit) for s in again] == [
            (s.entry, s.exit, s.patient_class, s.unit) for s in expected
        ]
    return expected


A01 = movement("A01", "2026-03-02 10:00", 1)
A03 = movement("A03", "2026-03-05 14:00", 2)


def test_an_admission_and_a_discharge_make_a_stay() -> None:
    """A01 then A03: one stay with its two dates."""
    (stay,) = fold(A01, A03)
    assert (stay.entry, stay.exit, stay.patient_class) == (at("2026-03-02 10:00"), at("2026-03-05 14:00"), "I")


def test_a_stay_without_discharge_is_open() -> None:
    """A01 alone: no exit."""
    (stay,) = fold(A01)
    assert stay.exit == 0


def test_a_cancelled_discharge_leaves_the_stay_open() -> None:
    """A13 cancels the A03 whose ZBE-1 it carries."""
    (stay,) = fold(A01, A03, movement("A13", "2026-03-05 14:00", 2, recorded="2026-03-05 15:00", original="A03"))
    assert stay.exit == 0


def test_a_discharge_after_a_cancelled_one_counts() -> None:
    """A03, A13, A03: the exit is the last one's."""
    cancel = movement("A13", "2026-03-05 14:00", 2, recorded="2026-03-05 15:00", original="A03")
    (stay,) = fold(A01, A03, cancel, movement("A03", "2026-03-06 09:00", 3))
    assert stay.exit == at("2026-03-06 09:00")


def test_a_cancellation_without_movement_number_cancels_the_last_exit_before_it() -> None:
    """A13 without ZBE-1 cancels the exit recorded before it, not the one recorded after."""
    cancel = movement("A13", "2026-03-05 14:00", None, recorded="2026-03-05 15:00")
    (stay,) = fold(A01, A03, cancel, movement("A03", "2026-03-06 09:00", 3))
    assert stay.exit == at("2026-03-06 09:00")
    (stay,) = fold(A01, A03, cancel)
    assert stay.exit == 0


@pytest.mark.parametrize(("level", "preadmitted"), [("V", False), ("A", False), ("", False), ("A", True)])
def test_a_cancelled_admission_is_no_stay(level: str, preadmitted: bool) -> None:
    """A11 with each of its three outcomes: nothing is counted, with or without a pre-admission."""
    cancel = movement("A11", "2026-03-02 10:00", 1, recorded="2026-03-02 11:00", level=level, preadmitted=preadmitted)
    assert fold(A01, cancel) == []
    plan = movement("A05", "2026-03-01 10:00", 9, preadmitted=True)
    assert fold(plan, A01, cancel) == []


def test_an_admission_after_a_cancelled_one_opens_the_venue_again() -> None:
    """A05, A01, A11 back to pre-admitted, then A01 with a new ZBE-1."""
    plan = movement("A05", "2026-03-01 10:00", 9)
    cancel = movement("A11", "2026-03-02 10:00", 1, recorded="2026-03-02 11:00", preadmitted=True)
    (stay,) = fold(plan, A01, cancel, movement("A01", "2026-03-03 08:00", 4), A03)
    assert stay.entry == at("2026-03-03 08:00")


def test_a_class_change_follows_pv1_2() -> None:
    """A04 (E) then A06: the stay is an inpatient one; an A07 makes it outpatient."""
    emergency = movement("A04", "2026-03-02 05:00", 1, patient_class="E")
    (stay,) = fold(emergency, movement("A06", "2026-03-02 10:00", 5), A03)
    assert stay.patient_class == "I"
    (stay,) = fold(A01, movement("A07", "2026-03-03 10:00", 5, patient_class="E"))
    assert stay.patient_class == "E"


def test_a_class_change_is_cancelled_by_the_opposite_event() -> None:
    """A07 with ZBE-4 = CANCEL cancels the A06 it names and changes no class."""
    emergency = movement("A04", "2026-03-02 05:00", 1, patient_class="E")
    change = movement("A06", "2026-03-02 10:00", 5)
    undo = movement(
        "A07", "2026-03-02 10:00", 5, recorded="2026-03-02 12:00", action="CANCEL", original="A06", patient_class="E"
    )
    leave = movement("A03", "2026-03-02 18:00", 6, patient_class="E")
    (stay,) = fold(emergency, change, undo, leave)
    assert (stay.patient_class, stay.exit) == ("E", at("2026-03-02 18:00"))


def test_a_class_change_from_a_preadmission_opens_the_venue() -> None:
    """A05 (O) then A06: admitted as an inpatient, without any A01."""
    (stay,) = fold(
        movement("A05", "2026-03-01 10:00", 9, patient_class="O"), movement("A06", "2026-03-02 09:00", 1), A03
    )
    assert (stay.entry, stay.patient_class) == (at("2026-03-02 09:00"), "I")


def test_a_preadmission_alone_is_no_stay() -> None:
    """A05 announces; A38 takes the announcement back."""
    plan = movement("A05", "2026-03-01 10:00", 9)
    assert fold(plan) == []
    assert fold(plan, movement("A38", "2026-03-01 12:00", 9)) == []


def test_a_correction_moves_the_discharge() -> None:
    """Z99 with ZBE-6 = A03 changes its date; the last correction wins."""
    first = movement("Z99", "2026-03-05 16:30", 2, recorded="2026-03-05 17:00", original="A03")
    last = movement("Z99", "2026-03-04 16:30", 2, recorded="2026-03-06 17:00", original="A03")
    (stay,) = fold(A01, A03, last, first)
    assert stay.exit == at("2026-03-04 16:30")


def test_a_class_corrected_without_trace_was_never_another() -> None:
    """Z99 with C in ZBE-9: the movements recorded before it follow, those recorded after keep their own class."""
    emergency = movement("A04", "2026-03-02 05:00", 1, patient_class="E")
    moved = movement("A02", "2026-03-02 08:00", 5, patient_class="E")
    left = movement("A03", "2026-03-02 18:00", 6, patient_class="E")
    corrected = movement("Z99", "2026-03-02 05:00", 1, recorded="2026-03-03 09:00", original="A04", nature="CHMS")
    (stay,) = fold(emergency, moved, left, corrected)
    assert stay.patient_class == "I"
    early = movement("Z99", "2026-03-02 05:00", 1, recorded="2026-03-02 06:00", original="A04", nature="C")
    (stay,) = fold(emergency, early, movement("A07", "2026-03-02 09:00", 7, patient_class="O"))
    assert stay.patient_class == "O"


def test_a_correction_without_c_changes_no_class() -> None:
    """Z99 without C in ZBE-9 moves and renames, it does not change the class."""
    corrected = movement("Z99", "2026-03-02 10:00", 1, recorded="2026-03-03 09:00", original="A01", patient_class="O")
    (stay,) = fold(A01, corrected, A03)
    assert stay.patient_class == "I"


def test_a_correction_of_a_movement_never_seen_stands_for_it() -> None:
    """The engine was not there at the A03; its Z99 tells the exit."""
    (stay,) = fold(A01, movement("Z99", "2026-03-05 16:30", 2, recorded="2026-03-05 17:00", original="A03"))
    assert stay.exit == at("2026-03-05 16:30")


def test_a_historic_movement_takes_its_place_by_its_time() -> None:
    """An A02 inserted late, in the past, is not the last place."""
    now = movement("A02", "2026-03-04 10:00", 7, unit="NEW")
    late = movement("A02", "2026-03-03 10:00", 8, unit="OLD", recorded="2026-03-05 10:00", historic=True)
    (stay,) = fold(A01, now, late)
    assert stay.unit == "NEW"
    assert stay.units == {"6268", "NEW", "OLD"}


def test_a_cancelled_transfer_was_not() -> None:
    """A12 cancels the A02 it names."""
    moved = movement("A02", "2026-03-04 10:00", 7, unit="NEW")
    (stay,) = fold(A01, moved, movement("A12", "2026-03-04 10:00", 7, recorded="2026-03-04 11:00", original="A02"))
    assert stay.unit == "6268"


@pytest.mark.parametrize(("event", "cancel"), [("Z80", "Z81"), ("Z84", "Z85")])
def test_a_change_of_responsibility_moves(event: str, cancel: str) -> None:
    """The events of the first versions of PAM-FR change the UF like an A02, and are cancelled like one."""
    moved = movement(event, "2026-03-04 10:00", 7, unit="NEW")
    (stay,) = fold(A01, moved)
    assert (stay.unit, stay.exit) == ("NEW", 0)
    (stay,) = fold(A01, A03, moved)
    assert (stay.units, stay.exit) == ({"6268", "NEW"}, A03.when)
    (stay,) = fold(A01, moved, movement(cancel, "2026-03-04 10:00", 7, recorded="2026-03-04 11:00", original=event))
    assert stay.unit == "6268"


def test_a_leave_does_not_end_a_stay() -> None:
    """A21 and A22: still there."""
    (stay,) = fold(A01, movement("A21", "2026-03-03 10:00", 7), movement("A22", "2026-03-04 10:00", 8))
    assert (len([stay]), stay.exit) == (1, 0)


def test_a_venue_opened_again_is_another_stay() -> None:
    """Séances without venue numbers of their own: A01, A03, A01, A03 under one PV1-19."""
    one = (
        movement("A01", "2026-03-02 08:00", 1, patient_class="R"),
        movement("A03", "2026-03-02 12:00", 2, patient_class="R"),
    )
    two = (
        movement("A01", "2026-03-04 08:00", 3, patient_class="R"),
        movement("A03", "2026-03-04 12:00", 4, patient_class="R"),
    )
    found = fold(*one, *two)
    assert [(stay.entry, stay.exit) for stay in found] == [
        (at("2026-03-02 08:00"), at("2026-03-02 12:00")),
        (at("2026-03-04 08:00"), at("2026-03-04 12:00")),
    ]


def test_an_update_after_the_exit_does_not_open_the_venue() -> None:
    """A08 after A03: still one stay, still ended."""
    (stay,) = fold(A01, A03, movement("A08", "2026-03-06 09:00", None, action=""))
    assert stay.exit == at("2026-03-05 14:00")


def test_a_discharge_whose_admission_was_never_seen_is_a_stay() -> None:
    """The engine started during the stay: the entry is PV1-44, or unknown."""
    (stay,) = fold(A03)
    assert (stay.entry, stay.exit) == (0, at("2026-03-05 14:00"))
    (stay,) = fold(movement("A03", "2026-03-05 14:00", 2, entry=at("2026-03-01 09:00")))
    assert stay.entry == at("2026-03-01 09:00")


def test_the_patient_is_the_one_of_the_movement_recorded_last() -> None:
    """Whatever the time of its effect."""
    corrected = movement("Z99", "2026-03-02 10:00", 1, recorded="2026-03-07 09:00", original="A01", ipp=OTHER_IPP)
    (stay,) = fold(A01, A03, corrected)
    assert stay.ipp == OTHER_IPP


def test_a_movement_cancelled_before_it_came_stays_cancelled() -> None:
    """The cancellation may overtake its movement."""
    cancel = movement("A13", "2026-03-05 14:00", 2, recorded="2026-03-05 13:59", original="A03")
    (stay,) = fold(cancel, A01, A03)
    assert stay.exit == 0


def test_a_death_is_known_from_any_message() -> None:
    """PID-30 or ZFM-2 on the discharge."""
    (stay,) = fold(A01, movement("A03", "2026-03-05 14:00", 2, death=True))
    assert stay.death
    assert handle("visit", 1) == stay.venue
