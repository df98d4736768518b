"""First version, replacement, deletion; preliminary or final."""

from __future__ import annotations

import pytest

from engine.facts import Document
from tests.parsers.messages import EVN, PID, PV1, build, codes, document, field, one, oru, parse


@pytest.mark.parametrize(
    ("order", "status", "request_", "flagged"),
    [
        ("NW", "F", "initial", False),
        ("RO", "C", "replacement", False),
        ("CA", "D", "deletion", False),
        ("SC", "C", "replacement", False),
        ("SC", "D", "deletion", False),
        ("NW", "D", "deletion", True),
        ("RO", "", "replacement", False),
        ("", "", "initial", False),
        ("CA", "F", "initial", True),
        ("NW", "W", "deletion", True),
    ],
)
def test_an_oru_is_read_by_its_result_status_first(order: str, status: str, request_: str, flagged: bool) -> None:
    """OBX-11, then ORC-1; a contradiction is flagged."""
    parsed = parse(oru(document(status=status), before=(f"ORC|{order}",)))
    assert one(parsed, Document).request == request_
    assert ("request-mismatch" in codes(parsed)) == flagged


@pytest.mark.parametrize(
    ("event", "order", "status", "parent", "request_", "flags"),
    [
        ("T02", "NW", "F", "", "initial", set()),
        ("T10", "RO", "C", "9.9.9", "replacement", set()),
        ("T10", "RO", "C", "", "replacement", {"parent-missing"}),
        ("T04", "CA", "D", "9.9.9", "deletion", set()),
        ("T10", "SC", "", "9.9.9", "replacement", set()),
        ("T04", "", "", "", "deletion", set()),
        ("T02", "NW", "C", "", "replacement", {"request-mismatch"}),
        ("T08", "", "", "", "replacement", set()),
    ],
)
def test_an_mdm_has_its_event_too(
    event: str, order: str, status: str, parent: str, request_: str, flags: set[str]
) -> None:
    """OBX-11, the event, ORC-1, in that order."""
    header = rf"MSH|^~\&|RIS|HX|PFI|HX|20260306080000||MDM^{event}^MDM_T02|R1|P|2.6|||||FRA|UNICODE UTF-8"
    txa = f"TXA|1|18748-4|TEXT|||||||||1.2.3.4|{parent}||||AU"
    parsed = parse(build(header, EVN, PID, PV1, f"ORC|{order}", txa, document(status=status)))
    assert one(parsed, Document).request == request_
    assert {code for code in codes(parsed) if code in {"parent-missing", "request-mismatch"}} == flags


@pytest.mark.parametrize(
    ("status", "final"), [("F", True), ("C", True), ("D", True), ("P", False), ("R", False), ("S", False), ("", True)]
)
def test_a_document_is_final_by_its_own_status(status: str, final: bool) -> None:
    """OBX-11 of the document tells."""
    assert one(oru(document(status=status)), Document).final is final


@pytest.mark.parametrize(
    ("header", "states", "expected"),
    [
        ("F", ["P", "F"], ("initial", True)),
        ("P", ["F"], ("initial", False)),
        ("", ["F", "P"], ("initial", False)),
        ("", ["F", "F"], ("initial", True)),
        ("C", ["F"], ("replacement", True)),
        ("F", ["C"], ("replacement", True)),
        ("X", ["F"], ("deletion", True)),
        ("", ["D", "D"], ("deletion", True)),
        ("", ["D", "F"], ("initial", True)),
    ],
)
def test_a_result_is_read_by_its_header_then_by_itself(
    header: str, states: list[str], expected: tuple[str, bool]
) -> None:
    """OBR-25, else OBX-11; one preliminary part makes the whole preliminary."""
    msh = r"MSH|^~\&|SGL|LABO|DPI|HX|20260305140000||ORU^R01|L1|P|2.5|||||FRA|UNICODE UTF-8"
    obr = field(field("OBR|1|P1|F1|NFS", 24, "LAB"), 25, header)
    found = one(build(msh, PID, PV1, obr, *(f"OBX|1|NM|K||4||||||{state}" for state in states)), Document)
    assert (found.request, found.final) == expected


def test_a_cancelled_notice_is_a_deletion() -> None:
    """T11 has no content; TXA-17 tells whether a document is finished."""
    header = r"MSH|^~\&|RIS|HX|PFI|HX|20260306080000||MDM^T11^MDM_T01|R1|P|2.6"
    found = one(build(header, EVN, PID, PV1, "TXA|1|18748-4|TEXT|||||||||1.2.3.4|||||IP"), Document)
    assert (found.request, found.final, found.body) == ("deletion", False, "none")
