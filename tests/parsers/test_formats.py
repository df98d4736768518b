"""Formats that say themselves what they are, and files that were saved in UTF-16."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import atna, charset, fhir, formats, hl7, xds
from engine.parsers.context import default
from tests.parsers import fhir_resources, messages, xds_messages
from tests.parsers.audit_messages import audit

BUNDLE = fhir_resources.data(
    fhir_resources.bundle(
        fhir_resources.entry(fhir_resources.submission_set()), fhir_resources.entry(fhir_resources.document_reference())
    )
)
KNOWN = {
    "soap": (xds.FORMAT, xds_messages.plain(xds_messages.entry(), xds_messages.submission_set())),
    "fhir": (fhir.FORMAT, BUNDLE),
    "audit": (atna.FORMAT, audit()),
    "hl7": (hl7.FORMAT, messages.fixture("adt_a04_emergency")),
}


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", KNOWN)
def test_utf16_is_read_as_utf8(name: str, order: str) -> None:
    """A file that was saved as Unicode by Windows gives the facts of the same one in UTF-8."""
    known, payload = KNOWN[name]
    saved = f"\ufeff{payload.decode()}".encode(order)
    assert formats.of(payload) is formats.of(saved) is known
    (plain,) = formats.split(payload)
    (wide,) = formats.split(saved)
    assert formats.parse(wide, default()) == formats.parse(saved, default()) == formats.parse(plain, default())


@pytest.mark.parametrize("mark", ['"', "'"])
def test_the_declaration_follows(mark: str) -> None:
    """XML in UTF-16 that says so is XML in UTF-8 once it was brought to it; the word elsewhere stays."""
    text = f"\ufeff <?xml version='1.0' encoding = {mark}UTF-16{mark} ?><a encoding='UTF-16'/>"
    found = charset.utf8(text.encode("utf-16-le")).decode()
    assert found == f" <?xml version='1.0' encoding = {mark}UTF-8{mark} ?><a encoding='UTF-16'/>"
    _, soap = KNOWN["soap"]
    _, _, body = soap.decode().rpartition("?>")
    saved = f"\ufeff<?xml version='1.0' encoding='utf-16'?>{body}".encode("utf-16-be")
    assert formats.parse(saved, default()).facts


@given(st.sampled_from([b"\xff\xfe", b"\xfe\xff"]), st.binary(max_size=60))
def test_any_bytes_after_the_mark(mark: bytes, data: bytes) -> None:
    """Whatever follows a byte order mark is read or refused with a code."""
    for piece in formats.split(mark + data):
        with pytest.raises(ParseError):
            formats.parse(piece, default())
