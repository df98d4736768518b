"""MSH."""

from __future__ import annotations

import pytest

from engine.errors import ParseError
from engine.parsers import envelope, er7
from engine.parsers.context import default
from engine.parsers.encoding import DEFAULT
from tests.parsers.messages import MSH, PID, build, field


def read(header: str) -> envelope.Envelope:
    """The envelope of a message."""
    return envelope.read(er7.Message(build(header, PID)), default())


def test_the_envelope_is_read() -> None:
    """Sender, receiver, type, event, mode and profile."""
    found = read(MSH + "||2.11^ IHE_FRANCE-2.11-PAM~x")
    assert (found.parties.sender, found.parties.receiver) == ("GAM@HX", "DPI@HX")
    assert (found.message, found.processing, found.control_id) == ("ADT^A01", "P", b"G000101")
    assert found.profile.startswith("2.11^IHE_FRANCE-2.11-PAM")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"ADT^A01^ADT_A01", ("ADT", "A01")),
        (b"MDM^T02^MDM^T02^MDM_T02", ("MDM", "T02")),
        (b"ACK", ("ACK", "")),
        (b"ADT_A01", ("ADT", "A01")),
        (b"ZAM^Z01", ("ZAM", "Z01")),
        (b"adt^a01", ("ADT", "A01")),
        (b"ADT^0", ("ADT", "")),
        (b"ADT^A01~ADT^A02", ("ADT", "A01")),
    ],
)
def test_types_and_events(written: bytes, expected: tuple[str, str]) -> None:
    """MSH-9 in its known spellings."""
    assert envelope.kind(written, DEFAULT) == expected


@pytest.mark.parametrize("written", [b"", b'""', b"Admission", b"^A01", b"1"])
def test_no_type_is_a_refusal(written: bytes) -> None:
    """Without a type nothing can be read."""
    with pytest.raises(ParseError) as caught:
        envelope.kind(written, DEFAULT)
    assert caught.value.code == "no-message-type"


@pytest.mark.parametrize(
    ("written", "mode"), [("P", "P"), ("p", "P"), ("T^A", "T"), ("", ""), ("Production", "other"), ("é", "other")]
)
def test_the_processing_mode_is_a_letter(written: str, mode: str) -> None:
    """MSH-11.1."""
    assert read(field(MSH, 11, written)).processing == mode
