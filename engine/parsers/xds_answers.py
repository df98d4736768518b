"""What an XDS answer says: how a submission ended, or the DMP's own names of documents (ITI-18).

IHE ITI TF-3 4.2.4 (RegistryResponse, statuses, error codes); SOAP faults; HTTP errors. A success names no document: it is joined to its
request by ``wsa:RelatesTo`` or by the correlation id of HTTP. An answer rarely says when it was given: the Date of HTTP or
the Timestamp of its security header, else 0, and then the time of what it answers holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.errors import Flag, ParseError
from engine.facts import TRANSACTION, Entry, Outcome
from engine.parsers import ebrim, http_head, names, submissions, xds_message
from engine.parsers.parsed import Parsed

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.xds_message import Message

CODES: Final[dict[str, str]] = {
    # Refused.
    "response-status-unknown": "The answer of a registry without a status of ebXML (Success, Failure); nothing can be counted of it.",
    "response-without-relates-to": "An answer without wsa:RelatesTo or X-Request-ID: it cannot be joined to its request. Have it dumped.",
    # Remarks.
    "entry-not-nameable": "A document of an ITI-18 answer has no entryUUID or no uniqueId; nothing is learnt of it.",
    "partial-success": "The DMP answered PartialSuccess, which ITI-41 does not have; it is counted as a refusal.",
}
"""Every code that an answer is refused or flagged with, and what it means."""

REJECTIONS: Final = frozenset({"response-status-unknown", "response-without-relates-to"})

SOAP_FAULT: Final = "soap-fault"
HTTP_ERROR: Final = "http-error"
"""Codes of technical refusals: no public table has them."""

_ACCEPTED: Final = "Success"
_REFUSED: Final = frozenset({"Failure", "PartialSuccess"})


def answered(message: Message, context: Context, name: str) -> Parsed:
    """A RegistryResponse: the DMP's word on the request it relates to. Raises :class:`ParseError`."""
    registry = message.registry
    if registry.status != _ACCEPTED and registry.status not in _REFUSED:
        raise ParseError("response-status-unknown", "RegistryResponse/@status")
    accepted = registry.status == _ACCEPTED
    # Without a severity an error is an error (ebRS 3.0 section 2.1.8).
    errors = [code for code, severity in registry.errors if severity != "Warning"]
    first = next(iter(errors), "") or next((code for code, _ in registry.errors), "")
    code = names.code(first) if first else ""
    flags = list(message.flags)
    if registry.status == "PartialSuccess":
        flags.append(Flag("partial-success", "RegistryResponse/@status"))
    related = message.envelope.relates_to or message.correlation
    if not related:
        raise ParseError("response-without-relates-to", "Envelope/Header")
    at = _time(message)
    outcome = submissions.outcome(
        at=at,
        key=submissions.message_key(context, related),
        accepted=accepted,
        code="" if accepted else code or names.OTHER,
        trace=TRANSACTION,
        warning=code if accepted else "",
    )
    return _parsed(related, at, f"{name} response", outcome, flags)


def fault(message: Message, context: Context) -> Parsed:
    """A SOAP fault: the request was refused before the DMP judged it. Raises :class:`ParseError` when it relates to nothing."""
    related = message.envelope.relates_to or message.correlation
    return _technical(related, SOAP_FAULT, _time(message), context, message.flags)


def http_error(http: http_head.HttpMessage, relates_to: str, context: Context) -> Parsed:
    """An HTTP response of status 4xx or 5xx without SOAP fault. Raises :class:`ParseError` when it relates to nothing."""
    related = relates_to or xds_message.correlation(http.headers)
    return _technical(related, HTTP_ERROR, http_head.date(http.headers), context, ())


def found(message: Message, context: Context) -> Parsed:
    """An ITI-18 answer: for each document, its entryUUID beside its uniqueId. Nothing else is learnt of it."""
    at = _time(message)
    flags = list(message.flags)
    facts = []
    for number, entry in enumerate(message.registry.entries, 1):
        if entry.signature:
            continue
        unique_id = entry.identifiers.get(ebrim.ENTRY_ID, "")
        # The logical id is the same in all versions of the metadata; the id is that of this version (ITI TF-3 4.2.3.2.17).
        uuid = submissions.entry_id(context, entry.id)
        if uuid is None or not unique_id:
            flags.append(Flag("entry-not-nameable", f"ExtrinsicObject[{number}]"))
            continue
        own = submissions.patient(context, entry.identifiers.get(ebrim.ENTRY_PATIENT, ""))
        local = submissions.patient(context, *entry.slots.get("sourcePatientId", ()))
        document = submissions.document_id(context, unique_id)
        facts.append(Entry(at=at, ipp=local.ipp or own.ipp, ins=own.ins or local.ins, document=document, entry=uuid))
    related = message.envelope.relates_to or message.correlation or message.fingerprint()
    return Parsed(
        sender="",
        receiver="",
        control_id=_control(related),
        at=at,
        processing="",
        message="ITI-18 response",
        facts=tuple(facts),
        flags=tuple(flags),
    )


def _technical(related: str, code: str, at: int, context: Context, flags: tuple[Flag, ...]) -> Parsed:
    if not related:
        raise ParseError("response-without-relates-to", "Envelope/Header")
    outcome = submissions.outcome(
        at=at,
        key=submissions.message_key(context, related),
        accepted=False,
        code=code,
        layer="technical",
        trace=TRANSACTION,
    )
    return _parsed(related, at, "SOAP fault" if code == SOAP_FAULT else "HTTP error", outcome, list(flags))


def _parsed(related: str, at: int, name: str, outcome: Outcome, flags: list[Flag]) -> Parsed:
    return Parsed(
        sender="",
        receiver="",
        control_id=_control(related),
        at=at,
        processing="",
        message=name,
        facts=(outcome,),
        flags=tuple(flags),
    )


def _control(related: str) -> bytes:
    return b"response:" + related.encode("utf-8", "replace")


def _time(message: Message) -> int:
    return http_head.date(message.http.headers) or message.envelope.created
