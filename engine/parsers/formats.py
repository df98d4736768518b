"""Every format of a payload that says itself what it is. Lines of a log do not: the feed's mapping reads them (``engine.parsers.log``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.errors import ParseError
from engine.parsers import atna, fhir, hl7, mail, syslog, xds
from engine.parsers.context import Context
from engine.parsers.format import HEAD, Format
from engine.parsers.parsed import Parsed

FORMATS: Final[tuple[Format, ...]] = (hl7.FORMAT, atna.FORMAT, syslog.FORMAT, mail.FORMAT, fhir.FORMAT, xds.FORMAT)
"""In the order they are asked: the header of a mail could be taken for that of a SOAP message. The last word is HL7's: it says why a payload is none of them."""


def of(payload: bytes) -> Format:
    """The format of a payload; HL7's when nobody recognises it."""
    head = payload[:HEAD]
    return next((one for one in FORMATS if one.recognises(head)), hl7.FORMAT)


def parse(payload: bytes, context: Context) -> Parsed:
    """Read one payload. Raises :class:`ParseError` and nothing else, whatever the bytes."""
    if payload[:3] == b"MSH":  # the hot path
        return hl7.parse(payload, context)
    try:
        return of(payload).parse(payload, context)
    except ParseError:
        raise
    except Exception:  # noqa: BLE001  # as in hl7.parse: the cause could hold a value
        raise ParseError("internal", "message") from None


def split(payload: bytes) -> Iterable[bytes]:
    """The messages of a payload: itself, or those of a batch; maybe none."""
    return (payload,) if payload[:3] == b"MSH" else of(payload).split(payload)
