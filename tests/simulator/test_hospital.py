"""The hospital as a whole: deterministic, complete, and coherent."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from engine.simulator.clock import windows
from engine.simulator.hospital import Hospital
from engine.simulator.traffic import FEEDS
from tests.simulator.conftest import TODAY


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two hospitals of one seed send the same messages and have the same truth."""
    one, other = Hospital(7, 120, TODAY), Hospital(7, 120, TODAY)
    assert one.envelopes == other.envelopes
    assert one.truth() == other.truth()
    assert one.inventory() == other.inventory()


def test_another_seed_is_another_hospital() -> None:
    """Nothing but the seed decides."""
    assert Hospital(7, 40, TODAY).envelopes != Hospital(8, 40, TODAY).envelopes


def test_messages_are_sent_in_the_order_of_time(hospital: Hospital) -> None:
    """Sorted by due time, on the three feeds."""
    assert [each.due for each in hospital] == sorted(each.due for each in hospital)
    assert {each.feed for each in hospital} == set(FEEDS)


def test_shuffled_and_replayed_are_the_same_messages(hospital: Hospital) -> None:
    """Another order, nothing else; deterministic too."""
    shuffled = hospital.shuffled(3)
    assert shuffled != hospital.envelopes
    assert Counter(shuffled) == Counter(hospital.envelopes)
    assert shuffled == hospital.shuffled(3)
    assert hospital.replayed() == hospital.envelopes


def test_stays_of_every_class_are_there(hospital: Hospital) -> None:
    """2,000 venues: inpatient, emergency, outpatient, séances with and without own numbers, remote; some still open."""
    stays = [stay for person in hospital.people for stay in person.stays]
    assert len(stays) >= 2_000
    assert {stay.klass for stay in stays} == {"I", "E", "O", "R", "V"}
    assert any(not stay.exit for stay in stays if stay.klass == "I")
    assert any(not stay.visit for stay in stays)
    assert any(count > 1 for count in Counter(stay.visit for stay in stays if stay.klass == "R").values())


def test_exits_are_in_both_windows_and_outside(hospital: Hospital) -> None:
    """Before, in the official one only, in the rolling one only, today, around midnight, on the DST night."""
    clock = hospital.clock
    exits = [stay.exit for person in hospital.people for stay in person.stays if stay.counted]
    days = {clock.day(at) for at in exits}
    both = windows(TODAY)
    assert TODAY in days
    assert min(days) < both["official"].first < both["rolling"].first < both["official"].last < max(days)
    assert date(2026, 3, 29) in days
    texts = [clock.text(at)[8:12] for at in exits]
    assert any(text >= "2350" for text in texts)
    assert any(text < "0010" for text in texts)


def test_one_person_is_never_in_two_stays_at_once(hospital: Hospital) -> None:
    """Stays of one person follow each other, days apart: joins by patient and time have one answer."""
    for person in hospital.people:
        ended = [stay for stay in person.stays if stay.exit]
        for before, after in pairwise(ended):
            apart = timedelta(hours=12) if before.klass == "R" else timedelta(days=7)
            assert after.entry - before.exit >= apart.total_seconds()


def test_any_day_will_do() -> None:
    """The first of a month, a leap year, the days after a DST change: a hospital can be made on every day."""
    for today in (date(2026, 1, 1), date(2024, 2, 29), date(2026, 10, 26), date(2026, 3, 30), date(2025, 12, 31)):
        truth = Hospital(2, 60, today).truth()
        assert truth.rates["DS1.1", "official"].denominator


def test_a_tiny_hospital_works() -> None:
    """One stay is a hospital."""
    assert len(Hospital(1, 1, TODAY)) > 5
