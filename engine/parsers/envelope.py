"""The envelope of a message (MSH): who sends, to whom, when, what kind.

HL7 v2.5 chapter 2, MSH; PAM-FR 3.1. The profile (MSH-21) is a hint only: many feeds do not send it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.parsers import names

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.encoding import Encoding
    from engine.parsers.er7 import Message, Segment

CODES: Final[dict[str, str]] = {
    "no-message-type": "MSH-9 does not hold a message type: nothing can be read of the rest. Correct the sender.",
    "control-id-missing": "MSH-10 is empty: the answers to this message cannot be joined to it.",
    "not-production": "MSH-11 is not P: the message is a test or is for training.",
    "time-missing": "MSH-7 is not a date: the message has no time.",
}

_TYPE: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_EVENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}", re.ASCII)

NOT_PRODUCTION: Final = Flag("not-production", "MSH-11")


class Parties(Struct, frozen=True):
    """Sender and receiver: ``shown`` as they may be seen, ``scope`` as pseudonyms of control ids are made."""

    sender: str
    sender_scope: str
    receiver: str
    receiver_scope: str


class Envelope(Struct, frozen=True):
    """MSH, read."""

    parties: Parties
    at: int
    kind: str  # MSH-9.1
    event: str  # MSH-9.2, "" when absent
    control_id: bytes
    processing: str
    profile: str  # MSH-21, every repetition, upper case, without white space
    exchange: bytes  # pseudonym of (sender, control id)
    flags: tuple[Flag, ...]

    @property
    def message(self) -> str:
        """``ADT^A01``, or ``ACK`` when there is no event."""
        return f"{self.kind}^{self.event}" if self.event else self.kind


@lru_cache(maxsize=1024)
def parties(sending: tuple[bytes, bytes], receiving: tuple[bytes, bytes], encoding: Encoding) -> Parties:
    """Names of MSH-3 and 4, MSH-5 and 6; the universal id stands for a missing name."""
    texts = [_name(field, encoding) for field in (*sending, *receiving)]
    shown = [names.application(text) for text in texts]
    return Parties(
        sender=f"{shown[0]}@{shown[1]}",
        sender_scope=f"{texts[0]}@{texts[1]}",
        receiver=f"{shown[2]}@{shown[3]}",
        receiver_scope=f"{texts[2]}@{texts[3]}",
    )


def _name(field: bytes, encoding: Encoding) -> str:
    return (encoding.value(encoding.component_of(field, 1)) or encoding.value(encoding.component_of(field, 2))).decode(
        "utf-8", "replace"
    )


def kind(field: bytes, encoding: Encoding) -> tuple[str, str]:
    """Type and event of MSH-9. Its doubled form (``MDM^T02^MDM^T02^MDM_T02``) and ``ADT_A01`` alone are understood.

    Raises :class:`ParseError` (``no-message-type``).
    """
    parts = [encoding.code(part) for part in encoding.components(encoding.repetitions(field)[0])[:2]]
    if len(parts) == 1:
        parts = parts[0].split("_", 1)
    if _TYPE.fullmatch(parts[0]) is None:
        raise ParseError("no-message-type", "MSH-9")
    event = parts[1] if len(parts) > 1 else ""
    return parts[0], event if _EVENT.fullmatch(event) else ""


def processing(field: bytes, encoding: Encoding) -> str:
    """MSH-11.1 (P, T, D); ``""`` when absent, ``other`` when odd."""
    code = encoding.code(encoding.component_of(field, 1))
    return code if len(code) < 2 and ((code.isalpha() and code.isascii()) or not code) else names.OTHER


def read(message: Message, context: Context) -> Envelope:
    """Read MSH. Raises :class:`ParseError` (``no-message-type``)."""
    header: Segment = message.segments[0]
    encoding = message.encoding
    type_, event = kind(header.field(9), encoding)
    if not event and type_ == "ADT":
        evn = message.first(b"EVN")
        event = evn.code(1) if evn is not None else ""
        event = event if _EVENT.fullmatch(event) else ""
    who = parties((header.field(3), header.field(4)), (header.field(5), header.field(6)), encoding)
    control_id = header.whole(10)
    mode = processing(header.field(11), encoding)
    at = context.zone.seconds(header.component(7, 1))
    flags = list(message.flags)
    if not at:
        flags.append(Flag("time-missing", "MSH-7"))
    if not control_id:
        flags.append(Flag("control-id-missing", "MSH-10"))
    if mode != "P":
        flags.append(NOT_PRODUCTION)
    return Envelope(
        parties=who,
        at=at,
        kind=type_,
        event=event,
        control_id=control_id,
        processing=mode,
        profile=encoding.code(header.field(21)),
        # Without a control id nothing can answer: the content itself keeps two such messages apart.
        exchange=context.pseudonym("control", who.sender_scope, control_id or b"\0" + message.digest()),
        flags=tuple(flags),
    )
