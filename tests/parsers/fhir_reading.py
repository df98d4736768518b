"""Reads the FHIR payloads of the tests."""

from __future__ import annotations

from engine.facts import Document
from engine.parsers.context import default
from tests.parsers.fhir_resources import parse

CONTEXT = default()
OLD = "1.2.250.1.999.42.10.1000"
ENTRY = "urn:uuid:00000000-0000-4000-8000-0000000e0001"


def only(payload: bytes) -> Document:
    """The one document of a payload."""
    (found,) = parse(payload).facts
    assert isinstance(found, Document)
    return found


def pseudonym(kind: str, value: str, scope: str = "") -> bytes:
    """What the context of the tests makes of a value."""
    return CONTEXT.pseudonym(kind, scope, value.encode())
