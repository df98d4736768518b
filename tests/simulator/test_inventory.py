"""The synthetic inventory is one that the engine takes."""

from __future__ import annotations

from pathlib import Path

from engine.inventory import load
from engine.simulator.hospital import Hospital


def test_the_engine_reads_the_inventory(hospital: Hospital, tmp_path: Path) -> None:
    """Every line is known, and the scopes of P1.1 and P1.3 are those of the truth."""
    path = tmp_path / "applications.csv"
    path.write_text(hospital.inventory(), encoding="utf-8")
    inventory = load(path, ("990000001",))
    rates = hospital.truth().rates
    assert sum(each.in_scope_p1_1 for each in inventory.applications) == rates["P1.1", "official"].denominator
    assert sum(each.in_scope_p1_3 for each in inventory.applications) == rates["P1.3", "official"].denominator


def test_the_two_scopes_differ(hospital: Hospital) -> None:
    """A third party's application is out of P1.1 only; one without contract out of P1.3 only, in-house in both."""
    apps = {each.name: each for each in hospital.landscape.applications}
    assert apps["PACS"].missed_identity(count_test_ins=True) is None
    assert apps["PACS"].missed_movement() == ""
    assert apps["Labo de ville"].missed_movement() is None
    assert apps["Cancerologie"].missed_movement() == ""
    assert apps["Chimiotherapie"].missed_identity(count_test_ins=True) == ""
    assert apps["Chimiotherapie"].missed_movement() == "not_connected"
    assert apps["Sterilisation"].missed_identity(count_test_ins=True) == "not_connected"
    assert apps["Bloc"].missed_movement() == "not_acknowledged"
    assert apps["Pharmacie"].missed_identity(count_test_ins=True) == "ins_not_proven"
