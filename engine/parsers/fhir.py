"""FHIR as a trace of submissions to the DMP: ITI-65 and ITI-105 requests, their responses, and audit events, in JSON.

A payload is one resource, a Bundle, or NDJSON (``FORMAT.split`` parts it); before it may stand the head of the HTTP message that it
came in, whose ``X-Request-Id`` joins a request to its response. A request and its response may also come in one Bundle of type
``collection``: an entry that is a request Bundle, then an entry that is its transaction-response (or OperationOutcome).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from msgspec import Raw, Struct

from engine.errors import Flag, ParseError
from engine.facts import AnyFact, Document
from engine.parsers import (
    fhir_audit,
    fhir_batch,
    fhir_document,
    fhir_elements,
    fhir_response,
    fhir_structure,
    fhir_submission,
    http_head,
    soap_reader,
    submissions,
)
from engine.parsers.context import Context
from engine.parsers.fhir_elements import BODY, MAX_ENTRIES, Bundle, crowded, peek, read
from engine.parsers.fhir_response import Reply
from engine.parsers.fhir_structure import validate
from engine.parsers.fhir_submission import Origin, Submission
from engine.parsers.format import Format
from engine.parsers.parsed import Parsed

__all__ = ["CODES", "FORMAT", "REJECTIONS", "parse", "validate"]

CODES: Final[dict[str, str]] = {
    **fhir_elements.CODES,
    **fhir_submission.CODES,
    **fhir_response.CODES,
    **fhir_audit.CODES,
    **fhir_structure.CODES,
    "fhir-not-a-submission": "A FHIR resource that is no part of a submission: nothing to count; send only those to spare the engine.",
}
"""Every code that :func:`parse` raises or flags, and what it means."""

REJECTIONS: Final = frozenset({*fhir_elements.CODES, "fhir-unjoined"})
"""Those of :data:`CODES` that keep a whole payload from being read."""

_FOUND: Final = "searchset"
# The start tag of a resource in XML: its namespace, by default or under the prefix of the element.
_XML: Final = re.compile(
    rb"<(?:([A-Za-z_][\w.-]{0,40}):)?[A-Z][A-Za-z]{1,64}(?=\s)[^>]{0,2000}?\sxmlns(?(1):\1|)\s*=\s*[\"']http://hl7\.org/fhir[\"']"
)
_LONGEST: Final = 1_000  # characters of an identity
# The others could be any text of the sender: no place begins with them.
_READ: Final = frozenset({"AuditEvent", "Bundle", "DocumentReference", "OperationOutcome"})


class Part(Struct, frozen=True):
    """One resource, read. ``identity`` (in clear, for memory only) makes it the same one as another; empty: its bytes do."""

    message: str
    facts: tuple[AnyFact, ...] = ()
    flags: tuple[Flag, ...] = ()
    at: int = 0
    identity: str = ""


def parse(payload: bytes, context: Context) -> Parsed:
    """Read one payload. Raises :class:`ParseError` and nothing else, whatever the bytes."""
    try:
        return _parse(payload, context)
    except ParseError:
        raise
    except Exception:  # noqa: BLE001  # as in hl7.parse: the cause could hold a value
        raise ParseError("internal", "message") from None


def _parse(payload: bytes, context: Context) -> Parsed:
    head = http_head.split(payload)
    body = fhir_batch.trimmed(head.body)
    ids = fhir_batch.ids(head.headers)
    origin = _origin(ids, http_head.date(head.headers), http_head.status(head.start), context)
    if not len(body) and origin.status:
        part = _answer(Reply(fhir_response.line(origin.status)), "FHIR response", "HTTP", origin, context)
    else:
        _begins(body)
        known = peek(body, BODY)
        kind = known.resource_type or ""
        part = _resource(body, kind, kind if kind in _READ else BODY, origin, context)
    name = part.identity[:_LONGEST].encode("utf-8", "replace") or hashlib.blake2b(body, digest_size=16).digest()
    return Parsed(
        sender="",
        receiver="",
        control_id=part.message.encode() + b"\0" + name,
        at=part.at,
        processing="",
        message=part.message,
        facts=part.facts,
        flags=part.flags,
    )


def _begins(body: memoryview) -> None:
    """Raise what is wrong before anything is decoded."""
    first = bytes(body[:1])
    if first == b"[":
        raise ParseError("fhir-array", BODY)
    if first == b"<":
        raise ParseError("fhir-xml", BODY)
    if first != b"{":
        raise ParseError("fhir-not-json", "byte 0")
    if crowded(body):
        raise ParseError("fhir-too-many", BODY)
    if fhir_batch.several(body):
        raise ParseError("fhir-too-many", "lines")


def _origin(ids: tuple[str, ...], at: int, status: int, context: Context) -> Origin:
    return Origin(ids, tuple(submissions.message_key(context, one) for one in ids), at, status)


def _resource(data: Raw | memoryview, kind: str, place: str, origin: Origin, context: Context) -> Part:
    """One resource, at the top or in a Bundle that parts it."""
    if not kind:
        raise ParseError("fhir-no-resource-type", "resourceType")
    if kind == "Bundle":
        return _bundle(read(data, Bundle, place), place, origin, context)
    if kind == "AuditEvent":
        found = fhir_audit.audit(data, place, context)
        return Part(f"AuditEvent {found.kind}".rstrip(), found.facts, found.flags, found.at, found.identity)
    if kind == "OperationOutcome":
        reply = fhir_response.alone(data, place, origin.status, context)
        return _answer(reply, "FHIR response", place, origin, context)
    if kind == "DocumentReference" and not origin.status:
        found_one = fhir_submission.alone(data, place, origin, context)
        if any(one.request == "deletion" for one in found_one.documents):
            return _submitted(found_one, "DocumentReference in error")
        return _submitted(found_one, "ITI-105" if found_one.documents else "DocumentReference")
    if origin.status and (origin.status >= 400 or kind == "DocumentReference"):
        unique = fhir_document.unique_id(data, place) if kind == "DocumentReference" else ""
        reply = Reply(fhir_response.line(origin.status), documents=(unique,) if unique else ())
        return _answer(reply, "FHIR response", place, origin, context)
    return _other()


def _bundle(found: Bundle, place: str, origin: Origin, context: Context) -> Part:
    if found.type == "transaction" and not origin.status:
        submission = fhir_submission.bundle(found, place, origin, context)
        if submission is not None:
            return _submitted(submission, "ITI-65")
        return _each(found, place, origin, context)
    if found.type == "transaction-response":
        reply = fhir_response.bundle(found, place, origin.status, context)
        return _answer(reply, "ITI-65 response", place, origin, context)
    if found.type in {"batch", "batch-response", "collection"} or (found.type == _FOUND and origin.status < 400):
        return _each(found, place, origin, context)
    if origin.status >= 400:
        return _answer(Reply(fhir_response.line(origin.status)), "FHIR response", place, origin, context)
    return _other()


def _each(found: Bundle, place: str, origin: Origin, context: Context) -> Part:
    """A Bundle each entry of which stands for itself; in a collection, a response answers the request before it.

    Of what a search found, only audit events are read (ITI-81): the documents that it lists were not submitted by it.
    """
    entries = found.entry or ()
    if len(entries) > MAX_ENTRIES:
        raise ParseError("fhir-too-many", f"{place}.entry")
    batch = found.type in fhir_batch.BATCHES
    ids = fhir_batch.batch_ids(found, dict(zip(http_head.CORRELATION, origin.ids, strict=False))) if batch else ()
    facts: list[AnyFact] = []
    flags: list[Flag] = []
    before: tuple[bytes, ...] = ()
    at = 0
    for index, entry in enumerate(entries):
        where = f"{place}.entry[{index}]"
        if found.type == _FOUND and peek(entry.resource, f"{where}.resource").resource_type != "AuditEvent":
            continue
        if batch:
            own = _origin(fhir_batch.numbered(ids, index), origin.at, 0, context)
        else:
            own = Origin(keys=before, at=origin.at)
        if found.type == "batch-response":
            part = _bundle(Bundle(type="transaction-response", entry=(entry,)), where, own, context)
        else:
            part = _entry(entry.resource, f"{where}.resource", own, context)
        if not batch:
            before = tuple(dict.fromkeys(one.exchange for one in part.facts if isinstance(one, Document))) or before
        facts += part.facts
        flags += part.flags
        at = at or part.at
    if not facts and not flags:
        return _other()
    return Part(f"FHIR {'batch' if batch else found.type}", tuple(facts), tuple(flags), at)


def _entry(data: Raw, place: str, own: Origin, context: Context) -> Part:
    """An entry of a batch or a collection: any resource but another of those."""
    known = peek(data, place)
    kind = known.resource_type or ""
    said = bytes(memoryview(known.type)[:32]).strip(b'"').decode("latin-1")
    if not kind or (kind == "Bundle" and said not in {"transaction", "transaction-response"}):
        return _other()
    if not own.ids and kind != "OperationOutcome" and said != "transaction-response":
        own = Origin(at=own.at)  # another request: the keys of the one before are not its own
    return _resource(data, kind, place, own, context)


def _submitted(found: Submission, message: str) -> Part:
    return Part(message, found.documents, found.flags, found.at, found.identity)


def _answer(reply: Reply, message: str, place: str, origin: Origin, context: Context) -> Part:
    """The outcome of a response, by its request's keys: the correlation id is the client's own id where there are two."""
    at = origin.at or reply.at
    identity = (*origin.ids[-1:], "")[0]
    keys = origin.keys[-1:] if origin.ids else origin.keys or reply.keys(context)
    if not keys:
        raise ParseError("fhir-unjoined", place)
    if reply.verdict.accepted is None:
        return Part(message, (), (Flag("fhir-response-unclear", place),), at, identity)
    return Part(message, tuple(reply.verdict.outcome(key, at) for key in keys), (), at, identity)


def _other() -> Part:
    return Part("FHIR", flags=(Flag("fhir-not-a-submission", "resourceType"),))


def _recognises(head: bytes) -> bool:
    message = http_head.split(head)
    first = bytes(fhir_batch.trimmed(message.body)[:1])
    if first in (b"{", b"["):
        return True
    if first == b"<" and _XML.match(head, max(soap_reader.root(head, len(head) - len(message.body)), 0)) is not None:
        return True  # to be told what it is
    kind = http_head.media_type(message.headers.get("content-type", ""))[0]
    return "fhir" in kind or (kind == "application/json" and not first)


FORMAT: Final = Format(name="fhir", title="FHIR", recognises=_recognises, parse=parse, split=fhir_batch.split)
