"""What reading one HL7 v2 message gives."""

from __future__ import annotations

from msgspec import Struct

from engine.errors import Flag
from engine.facts import AnyFact


class Parsed(Struct, frozen=True, gc=False):
    """One message: who sent it to whom, its facts and what was odd in it. ``control_id`` is clear, for memory only."""

    sender: str  # "APP@FACILITY": MSH-3.1@MSH-4.1, see engine.parsers.names
    receiver: str  # MSH-5.1@MSH-6.1
    control_id: bytes  # MSH-10
    at: int  # MSH-7, seconds UTC, 0 when unknown
    processing: str  # MSH-11.1: P, T, D; "" when absent
    message: str  # "ADT^A01"; "ACK" alone when it has no event
    facts: tuple[AnyFact, ...]  # exactly one Sent among them, the last
    flags: tuple[Flag, ...]

    def __repr__(self) -> str:
        return f"Parsed({self.message!r}, {len(self.facts)} facts, {len(self.flags)} flags)"
