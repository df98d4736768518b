"""HL7 v2 as spoken in French hospitals: one message in, its facts out.

``parse`` is a pure function of the bytes and of the context. Ordinary admissions go through a lean reader
(``engine.parsers.admission``); everything else, and everything odd, through the readers below. Both give the same result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from engine.errors import ParseError
from engine.facts import Sent
from engine.parsers import (
    acks,
    activities,
    admission,
    batch,
    cda,
    charset,
    documents,
    envelope,
    er7,
    merges,
    movements,
    patient,
    payloads,
    requests,
)
from engine.parsers.context import Context
from engine.parsers.format import Format
from engine.parsers.movements import Reading
from engine.parsers.parsed import Parsed

__all__ = ["CODES", "FORMAT", "REJECTIONS", "Context", "Parsed", "parse"]

CODES: Final[dict[str, str]] = {
    **cda.CODES,
    **er7.CODES,
    **charset.CODES,
    **envelope.CODES,
    **patient.CODES,
    **movements.CODES,
    **merges.CODES,
    **documents.CODES,
    **payloads.CODES,
    **requests.CODES,
    **acks.CODES,
    **activities.CODES,
    "internal": "The reader itself failed on this message: it was put aside. Please report it, with a message made anonymous.",
}
"""Every code that :func:`parse` raises or flags, and what it means."""

REJECTIONS: Final = frozenset(
    {
        "bad-delimiters",
        "batch",
        "internal",
        "no-message-type",
        "not-hl7",
        "segment-missing",
        "several-messages",
        "too-large",
        "truncated",
    }
)
"""Those of :data:`CODES` that keep a whole message from being read."""

_BATCH: Final = frozenset({b"FHS", b"BHS"})
# An empty batch is legal (HL7 v2.5 2.10.3); anything else without a message is something that cannot be read.
_EMPTY_BATCH: Final = re.compile(rb"(?:(?:FHS|BHS|BTS|FTS)(?:[|!-/:-@\[-`{-~][^\r\n]*)?(?:[\r\n]+|\Z))+")


def parse(raw: bytes, context: Context) -> Parsed:
    """Read one message. Raises :class:`ParseError` and nothing else, whatever the bytes."""
    try:
        reader = context.memo.reader
        if reader is None:
            reader = context.memo.reader = admission.reader(context)
        found: Parsed | None = reader(raw)
        return read(raw, context) if found is None else found
    except ParseError:
        raise
    except Exception:  # noqa: BLE001
        # A promise of the parsers. The cause is cut: it could hold a value from the message.
        raise ParseError("internal", "message") from None


def read(raw: bytes, context: Context) -> Parsed:
    """Read one message by the general way only. Raises :class:`ParseError`."""
    message = er7.Message(raw)
    header = envelope.read(message, context)
    reading = _read(message, header, context)
    who = reading.patient
    corrected = any(getattr(fact, "birth_corrected", False) for fact in reading.facts)
    sent = Sent(
        at=header.at,
        exchange=header.exchange,
        digest=message.digest(),
        sender=header.parties.sender,
        receiver=header.parties.receiver,
        content=reading.content,
        ins=who.shows_ins and not corrected,
        ins_root=who.numbers.ins_root,
    )
    return Parsed(
        sender=header.parties.sender,
        receiver=header.parties.receiver,
        control_id=header.control_id,
        at=header.at,
        processing=header.processing,
        message=header.message,
        facts=(*reading.facts, sent),
        flags=header.flags + reading.flags,
    )


def _read(message: er7.Message, header: envelope.Envelope, context: Context) -> Reading:
    kind = header.kind
    if kind == "ADT":
        return movements.read(message, header, context)
    if kind in {"ORU", "MDM"}:
        return documents.read(message, header, context)
    if kind == "ACK":
        return acks.technical(message, header, context)
    if kind == "ZAM":
        return acks.business(message, header, context)
    if kind in activities.ORDERS:
        return activities.orders(message, header, context)
    if kind in activities.APPOINTMENTS:
        return activities.appointments(message, header, context)
    who = patient.read(message.first(b"PID"), message.encoding, context)
    return Reading(facts=(), content="other", patient=who, flags=who.flags)


def _recognises(head: bytes) -> bool:
    return head[:3] == b"MSH" or head[:3] in _BATCH


def _split(payload: bytes) -> Iterable[bytes]:
    if payload[:3] in _BATCH:
        found = list(batch.split(payload))
        if found or _EMPTY_BATCH.fullmatch(payload):
            return found
    return (payload,)


FORMAT: Final = Format(name="hl7", title="HL7 v2", recognises=_recognises, parse=parse, split=_split)
