"""The deep check of FHIR."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.parsers import fhir
from tests.parsers.fhir_resources import (
    asked,
    audit_event,
    binary,
    bundle,
    data,
    document_reference,
    entry,
    outcome,
    request,
    response,
)


def remarks(resource: Any) -> list[tuple[str, str]]:
    """Code and place of what is wrong."""
    return [(flag.code, flag.where) for flag in fhir.validate(data(resource))]


@pytest.mark.parametrize("resource", [request(), response(), outcome(), audit_event(), document_reference(), binary()])
def test_what_the_tests_build_is_right(resource: dict[str, Any]) -> None:
    """The payloads of these tests are FHIR."""
    assert remarks(resource) == []


def test_what_is_wrong_and_where() -> None:
    """Missing, unknown, of another type, or of a wrong value: the place, and for an unknown element its parent."""
    wrong = document_reference(subject={"reference": 7}, date="hier", content=[{}], DUPONT="Camille")
    assert set(remarks(wrong)) == {
        ("fhir-element-missing", "DocumentReference.content[0].attachment"),
        ("fhir-element-type", "DocumentReference.subject.reference"),
        ("fhir-element-value", "DocumentReference.date"),
        ("fhir-element-unexpected", "DocumentReference"),
    }


def test_places_in_a_bundle() -> None:
    """Each resource of a bundle is checked where it stands; one of an unknown type is said to be."""
    found = bundle(
        entry(document_reference(nonsense=1), "d1"), entry({"resourceType": "Nonsense"}), entry(binary(), "d0")
    )
    assert remarks(found) == [
        ("fhir-element-unexpected", "Bundle.entry[0].resource"),
        ("fhir-not-checked", "Bundle.entry[1].resource"),
    ]


def test_r5_is_right_too() -> None:
    """What R5 allows is no fault, although R4 does not."""
    event = {
        "resourceType": "AuditEvent",
        "code": {"coding": [{"code": "ITI-65"}]},
        "recorded": "2026-03-10T16:20:05Z",
        "agent": [{"who": {"display": "PFI"}}],
        "source": {"observer": {"display": "PFI"}},
    }
    assert remarks(event) == []


def test_no_value_gets_out() -> None:
    """Whatever is wrong, what is shown is made of names of the standard."""
    wrong = document_reference(
        subject={"display": 3, "EXEMPLE": 1},
        masterIdentifier={"value": ["290067599900261"]},
        content=[{"CAMILLE": "ROSE"}],
    )
    shown = str(fhir.validate(asked() + data(bundle(entry(wrong)))))
    assert not [word for word in ("EXEMPLE", "CAMILLE", "ROSE", "290067599900261") if word in shown]


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"7", b"{" * 100_000, b'{"resourceType":["a"]}', b'{"resourceType":"Bundle","total":NaN}'],
)
def test_what_cannot_be_checked(payload: bytes) -> None:
    """It says so."""
    assert [flag.code for flag in fhir.validate(payload)] == ["fhir-not-checked"]


def test_lines() -> None:
    """NDJSON is checked line by line."""
    lines = data(audit_event()) + b"\n" + data(audit_event(nonsense=1))
    assert [flag.code for flag in fhir.validate(lines)] == ["fhir-element-unexpected"]


@settings(max_examples=30)
@given(st.integers(0, 4000), st.binary(max_size=6))
def test_whatever_the_bytes(at: int, more: bytes) -> None:
    """It never raises, and gives only its own codes."""
    payload = data(request())
    assert {flag.code for flag in fhir.validate(payload[:at] + more + payload[at:])} <= fhir.CODES.keys()
