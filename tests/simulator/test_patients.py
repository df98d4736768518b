"""The invented people and their INS."""

from __future__ import annotations

import pytest

from engine.simulator.hospital import Hospital
from engine.simulator.patients import Identity, key


@pytest.mark.parametrize(
    ("matricule", "expected"),
    [("1850575999001", 50), ("2900675999002", 61), ("285042A999003", 39), ("192112B999004", 78), ("2590599999005", 40)],
)
def test_the_key_is_that_of_the_reference(matricule: str, expected: int) -> None:
    """97 - (N mod 97), Corsica read as 19 and 18."""
    assert key(matricule) == expected


def test_everybody_is_plainly_invented(hospital: Hospital) -> None:
    """Family names say so, and every matricule is of commune 999, which does not exist."""
    assert all(person.family.startswith(("ESSAI-", "TEST-")) for person in hospital.people)
    assert all(person.matricule[7:10] == "999" for person in hospital.people)
    assert len({person.matricule[:13] for person in hospital.people}) == len(hospital.people)


def test_every_kind_of_identity_is_there(hospital: Hospital) -> None:
    """All four roots, Corsica, wrong keys, without INS, removed, changed, opposed, closed."""
    people = hospital.people
    assert {person.last.root for person in people} == {0, 8, 9, 10, 11}
    assert {person.matricule[5:7] for person in people} >= {"2A", "2B", "75"}
    assert any(key(person.matricule[:13]) != int(person.matricule[13:]) for person in people)
    events = {identity.event for person in people for identity in person.face.timeline}
    assert events == {"", "A31", "A47"}
    assert {person.last.dmp for person in people} == {"ACTIF", "FERME", "INEXISTANT", ""}
    assert {person.last.feeding for person in people} == {"INO", "IO", "NA", ""}


def test_an_identity_is_that_of_its_time(hospital: Hospital) -> None:
    """A message shows what the reference said when it was recorded, and statements follow each other in time."""
    for person in hospital.people:
        times = [identity.since for identity in person.face.timeline]
        assert times == sorted(set(times))
        assert person.face.identity(0) == person.face.timeline[0]
        assert person.face.identity(hospital.clock.now * 2) == person.last


@pytest.mark.parametrize(
    ("status", "qualified"),
    [("VALI", True), ("QUAL", True), ("VALI~HOMA", True), ("PROV", False), ("RECUP", False), ("VALI~DOUT", False)],
)
def test_qualified_is_said_by_the_status(status: str, qualified: bool) -> None:
    """VALI or QUAL, and nothing against it (RNIV)."""
    assert Identity(0, status, "185057599900150", 8, "", "").qualified is qualified


def test_a_corrected_birth_date_forbids_the_qualification() -> None:
    """ZFD-4 = Y."""
    assert not Identity(0, "VALI", "185057599900150", 8, "", "", corrected=True).qualified
