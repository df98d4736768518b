"""Every format of a payload that says itself what it is. Lines of a log do not: the feed's mapping reads them (``engine.parsers.log``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.errors import ParseError
from engine.parsers import atna, charset, fhir, hl7, mail, syslog, xds
from engine.parsers.context import Context
from engine.parsers.format import HEAD, Format
from engine.parsers.parsed import Parsed

FORMATS: Final[tuple[Format, ...]] = (hl7.FORMAT, atna.FORMAT, syslog.FORMAT, mail.FORMAT, fhir.FORMAT, xds.FORMAT)
"""In the order they are asked: the header of a mail could be taken for that of a SOAP message. The last word is HL7's: it says why a payload is none of them."""


def of(payload: bytes) -> Format:
    """The format of a payload; HL7's when nobody recognises it."""
    return opened(payload)[0]


def opened(payload: bytes) -> tuple[Format, bytes]:
    """The format of a payload, and the payload as its parser reads it: in UTF-8 when it was saved in UTF-16."""
    head = payload[:HEAD]
    found = next((one for one in FORMATS if one.recognises(head)), None)
    if found is not None:
        return found, payload
    plain = charset.utf8(payload)
    return (hl7.FORMAT if plain is payload else of(plain)), plain


def parse(payload: bytes, context: Context) -> Parsed:
    """Read one payload. Raises :class:`ParseError` and nothing else, whatever the bytes."""
    if payload[:3] == b"MSH":  # the hot path
        return hl7.parse(payload, context)
    try:
        known, plain = opened(payload)
        return known.parse(plain, context)
    except ParseError:
        raise
    except Exception:  # noqa: BLE001  # as in hl7.parse: the cause could hold a value
        raise ParseError("internal", "message") from None


def split(payload: bytes) -> Iterable[bytes]:
    """The messages of a payload: itself, or those of a batch; maybe none."""
    if payload[:3] == b"MSH":
        return (payload,)
    known, plain = opened(payload)
    return known.split(plain)
