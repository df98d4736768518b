"""P1.1 and P1.3: what the flows and the inventory say of the applications."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.inventory import Inventory, load
from engine.ledger import applications as registers
from engine.metrics.periods import windows
from engine.metrics.snapshot import ApplicationValue
from engine.metrics.values import Connections

FINESS = "990000001"
HEADER = (
    "application;domain;endpoints;controller;contract;computerised;declared_identity;declared_movement;declared_ins\n"
)
LINES = {
    "DPI": "DPI;dossier_medical;DPI@HX;establishment;yes;yes;no;no;no",
    "SGL": "SGL;production_medico_technique;SGL@LABO;establishment;yes;yes;no;no;no",
    "SUITE": "SUITE;dossier_de_soins;SUITE;establishment;yes;yes;yes;yes;yes",
    "LABEXT": "LABEXT;production_medico_technique;LABEXT@X;third_party;yes;yes;no;no;no",
    "PAPIER": "PAPIER;prescriptions;;establishment;yes;no;no;no;no",
    "TABLEUR": "TABLEUR;hors_perimetre;;establishment;yes;yes;no;no;no",
}


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """A small inventory, a line for each way of being counted or not."""
    file = tmp_path / "applications.csv"
    file.write_text(HEADER + "\n".join(LINES.values()) + "\n", encoding="utf-8")
    return load(file, (FINESS,))


def connections(inventory: Inventory, *seen: tuple[str, str, int], **more: object) -> Connections:
    """What some registers show."""
    options = {"proof": "acknowledged", "count_test_ins": False, "fresh_since": 50} | more
    return Connections({(kind, name): at for kind, name, at in seen}, inventory, **options)  # type: ignore[arg-type]


def value(found: Connections, application: str, reference: str) -> ApplicationValue:
    """One application from one reference."""
    (one,) = [v for v in found.applications(FINESS) if (v.application, v.reference) == (application, reference)]
    return one


def rate(found: Connections, indicator: str) -> tuple[int, int, dict[str, int]]:
    """Numerator, denominator, missed; the same in both windows."""
    rates = {
        (v.numerator, v.denominator, tuple(sorted(v.missed.items())))
        for v in found.indicators(FINESS, windows(739_000, 3))
        if v.indicator == indicator
    }
    ((numerator, denominator, missed),) = rates
    return numerator, denominator, dict(missed)


def test_the_two_indicators_do_not_count_the_same_lines(inventory: Inventory) -> None:
    """A third party's application is out of P1.1 and in P1.3; what is not computerised or out of the domains is in none."""
    found = connections(inventory)
    assert rate(found, "P1.1") == (1, 3, {"not_connected": 2})
    assert rate(found, "P1.3") == (1, 4, {"not_connected": 3})


def test_an_acknowledged_message_connects(inventory: Inventory) -> None:
    """An identity message connects to the identities only; P1.1 asks for the INS too."""
    seen = ((registers.ACKNOWLEDGED + "identity", "DPI@HX", 100), (registers.SEEN, "DPI@HX", 100))
    found = connections(inventory, *seen)
    assert value(found, "DPI", "identity").observed
    assert not value(found, "DPI", "movement").connected
    assert rate(found, "P1.1") == (1, 3, {"ins_not_proven": 1, "not_connected": 1})
    found = connections(inventory, *seen, (registers.INS_ACKNOWLEDGED, "DPI@HX", 100))
    assert rate(found, "P1.1")[0] == 2
    assert value(found, "DPI", "identity").ins_proof == "observed"


def test_a_test_ins_proves_nothing_in_production(inventory: Inventory) -> None:
    """Unless the site says so."""
    seen = (
        (registers.ACKNOWLEDGED + "identity", "DPI@HX", 100),
        (registers.INS_ACKNOWLEDGED + registers.TEST, "DPI@HX", 100),
    )
    assert rate(connections(inventory, *seen), "P1.1")[0] == 1
    assert rate(connections(inventory, *seen, count_test_ins=True), "P1.1")[0] == 2


def test_an_application_that_emits_the_ins_is_able_of_it(inventory: Inventory) -> None:
    """A message of its own that holds one."""
    found = connections(
        inventory, (registers.ACKNOWLEDGED + "identity", "SGL@LABO", 100), (registers.INS_EMITTED, "SGL@LABO", 100)
    )
    assert value(found, "SGL", "identity").ins_able


def test_a_message_without_acknowledgement_has_its_own_reason(inventory: Inventory) -> None:
    """Routed and never acknowledged; enough when the site says that acknowledgements do not pass here."""
    seen = ((registers.ROUTED + "movement", "DPI@HX", 100), (registers.ROUTED + "movement", "SGL@LABO", 100))
    assert rate(connections(inventory, *seen), "P1.3") == (1, 4, {"not_acknowledged": 2, "not_connected": 1})
    assert rate(connections(inventory, *seen, proof="routed"), "P1.3")[0] == 3


def test_a_declared_connection_counts_and_is_shown_apart(inventory: Inventory) -> None:
    """A module of a suite: nothing passes by the interface engine."""
    one = value(connections(inventory), "SUITE", "identity")
    assert (one.connected, one.declared, one.observed, one.ins_proof) == (True, True, False, "declared")


def test_a_quiet_application_stays_connected(inventory: Inventory) -> None:
    """Not seen within the freshness window: connected, and not recent."""
    for at, recent in ((40, False), (60, True)):
        found = connections(
            inventory, (registers.ACKNOWLEDGED + "movement", "DPI@HX", at), (registers.SEEN, "DPI@HX", at)
        )
        one = value(found, "DPI", "movement")
        assert (one.connected, one.recent) == (True, recent)


def test_applications_absent_from_the_inventory_are_listed(inventory: Inventory) -> None:
    """By their endpoint; a line without facility stands for every facility."""
    found = connections(
        inventory, (registers.SEEN, "GAM@HX", 1), (registers.SEEN, "SUITE@HX", 1), (registers.SEEN, "DPI@HX", 1)
    )
    assert found.unlisted == ("GAM@HX",)
