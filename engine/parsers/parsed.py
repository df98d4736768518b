"""What reading one message gives, whatever its format."""

from __future__ import annotations

from msgspec import Struct

from engine.errors import Flag
from engine.facts import AnyFact


class Parsed(Struct, frozen=True, gc=False):
    """One message: who sent it to whom, its facts and what was odd in it. ``control_id`` is clear, for memory only.

    A trace of a submission has neither sender nor receiver; its control id is what makes it the same message again.
    """

    sender: str  # "APP@FACILITY": MSH-3.1@MSH-4.1, see engine.parsers.names; "" of a trace
    receiver: str  # MSH-5.1@MSH-6.1; "" of a trace
    control_id: bytes  # MSH-10
    at: int  # MSH-7, seconds UTC, 0 when unknown
    processing: str  # MSH-11.1: P, T, D; "" when absent
    message: str  # "ADT^A01"; "ACK" alone when it has no event; "ITI-41", "ITI-41 response", "log" ...
    facts: tuple[AnyFact, ...]  # of an HL7 message: exactly one Sent among them, the last; of a trace: none
    flags: tuple[Flag, ...]

    def __repr__(self) -> str:
        return f"Parsed({self.message!r}, {len(self.facts)} facts, {len(self.flags)} flags)"
