"""A document that crossed the interface engine, and its submission under an id of the platform's own: one version, whatever the trace."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from engine.facts import HL7, TRANSACTION, AnyFact, Document
from engine.parsers import fhir, xds
from engine.parsers.context import default
from tests.ledger.test_traces import version, view
from tests.parsers import fhir_resources, messages, xds_messages

CDA = fhir_resources.CDA
PLATFORM = "1.2.250.1.999.42.10.8888"


def message() -> tuple[AnyFact, ...]:
    """The HL7 message that carried the letter."""
    pid = messages.PID.replace("185057599900150", fhir_resources.INS).replace("700001", fhir_resources.IPP)
    raw = messages.oru(messages.document(base64.b64encode(CDA).decode()), messages.mark("DESTDMP", "Y"))
    return messages.parse(raw.replace(messages.PID.encode(), pid.encode())).facts


def iti65() -> tuple[AnyFact, ...]:
    """Its ITI-65, and the answer of the DMP."""
    asked = fhir_resources.asked() + fhir_resources.data(fhir_resources.request(unique=PLATFORM))
    said = fhir_resources.answered() + fhir_resources.data(fhir_resources.response("201 Created"))
    return fhir.parse(asked, default()).facts + fhir.parse(said, default()).facts


def iti41() -> tuple[AnyFact, ...]:
    """Its ITI-41, and the answer of the DMP."""
    attached = xds_messages.inline("Document01", CDA)
    objects = xds_messages.entry(unique_id=PLATFORM), xds_messages.submission_set()
    asked = xds_messages.plain(*objects, documents=attached)
    return (
        xds.parse(asked, default()).facts
        + xds.parse(xds_messages.answer(xds_messages.registry("Success")), default()).facts
    )


@pytest.mark.parametrize("trace", [iti65, iti41])
def test_an_id_of_the_platforms_own_meets_the_message_of_the_cda(trace: Callable[[], tuple[AnyFact, ...]]) -> None:
    """The metadata call the document by another id than its CDA: message and submission are one version, and the DMP's yes holds."""
    submitted = trace()
    (named,) = (fact for fact in submitted if isinstance(fact, Document))
    (carried,) = (fact for fact in message() if isinstance(fact, Document))
    assert named.id != carried.id == named.alias
    found = version(view(*message(), *submitted))
    (attempt,) = found.attempts
    assert attempt.accepted
    assert {sending.document.trace for sending in attempt.sendings} == {HL7, TRANSACTION}
