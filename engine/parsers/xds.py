"""XDS messages dumped by the platform that feeds the DMP: requests and answers of ITI-41, ITI-42, ITI-57, answers of ITI-18.

``docs/rules.md`` section 7, trace ``transaction``. A message is known by what its SOAP body holds, and where two transactions
hold the same (ITI-42 and ITI-57) by its action; never by its address: the DMP's suppliers use one for several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from engine.errors import Flag, ParseError
from engine.parsers import http_head, multipart, soap_reader, xds_answers, xds_message, xds_requests
from engine.parsers.format import Format
from engine.parsers.parsed import Parsed

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.xds_message import Message

CODES: Final[dict[str, str]] = {
    "soap-not-a-submission": "A SOAP message that submits, deletes and answers nothing that is counted; it was passed over.",
}
"""Every code that :func:`parse` flags besides those of the parsers that it calls, and what it means."""

_ROOTS: Final = frozenset(
    {
        b"Envelope",
        b"ProvideAndRegisterDocumentSetRequest",
        b"SubmitObjectsRequest",
        b"RegistryResponse",
        b"AdhocQueryResponse",
    }
)
_NAME: Final = re.compile(rb"<(?:[^\s<>/:]{1,64}:)?([A-Za-z]{1,64})(?=[\s/>])")
_JSON: Final = re.compile(r".*[/+]json|.*fhir.*")
_SECOND: Final = b"\nHTTP/1."
_LOOK: Final = 1 << 20  # how far from its end a dump may hold the response

# The end of an action -> its transaction; the longest first, as one ends like the other.
_TRANSACTIONS: Final = (
    ("ProvideAndRegisterDocumentSet", "ITI-41"),
    ("UpdateDocumentSet", "ITI-57"),
    ("RegisterDocumentSet", "ITI-42"),
)


def parse(payload: bytes, context: Context) -> Parsed:
    """Read one message. Raises :class:`ParseError` with a code of the ``REJECTIONS`` of the parsers named above, and nothing else.

    Any other SOAP message gives no facts and the flag ``soap-not-a-submission``.
    """
    http = http_head.unchunked(http_head.split(payload))
    if http.body.obj is not payload:  # put together from chunks: places are then those of the body
        payload = bytes(http.body.obj)
    failed = http_head.status(http.start) >= 400
    try:
        message = xds_message.read(payload, http)
    except ParseError:
        if failed:  # a page for people, or nothing
            return xds_answers.http_error(http, "", context)
        raise
    return _dispatch(message, context, failed=failed)


def _dispatch(message: Message, context: Context, *, failed: bool) -> Parsed:
    body = message.envelope.body
    name = _transaction(message.action)
    if body == "ProvideAndRegisterDocumentSetRequest":
        return xds_requests.provide(message, context, "ITI-41")
    if body == "SubmitObjectsRequest" and (name or not message.action):
        if name == "ITI-57" or (not name and xds_requests.updates(message)):
            return xds_requests.update(message, context)
        return xds_requests.provide(message, context, "ITI-42")
    if body == "RegistryResponse":
        return xds_answers.answered(message, context, name or "ITI-41")
    if body == "Fault":
        return xds_answers.fault(message, context)
    if failed:
        return xds_answers.http_error(message.http, message.envelope.relates_to, context)
    if body == "AdhocQueryResponse":
        return xds_answers.found(message, context)
    return Parsed(
        sender="",
        receiver="",
        control_id=(message.envelope.message_id or message.fingerprint()).encode("utf-8", "replace"),
        at=0,
        processing="",
        message="SOAP",
        facts=(),
        flags=(*message.flags, Flag("soap-not-a-submission", "Envelope/Body")),
    )


def _transaction(action: str) -> str:
    """The transaction of a ``wsa:Action``; empty when it is none of ours."""
    bare = action.strip().rpartition(":")[2].removesuffix("Response").removesuffix("-").removesuffix("-b")
    return next((name for end, name in _TRANSACTIONS if bare.endswith(end)), "")


def _recognises(head: bytes) -> bool:
    http = http_head.split(head)
    kind, _ = http_head.media_type(http.headers.get("content-type", ""))
    if _JSON.fullmatch(kind) is not None:
        return False
    if kind in {"multipart/related", "application/soap+xml"} or http_head.status(http.start) >= 400:
        return True
    start = len(head) - len(http.body)
    if multipart.begins(http.body):
        return True
    first = soap_reader.root(head, start)
    if first < 0:
        return False
    # A DOCTYPE is refused by the parser of what comes after it.
    found = _NAME.search(head, first) if head.startswith(b"<!DOCTYPE", first) else _NAME.match(head, first)
    return found is not None and found[1] in _ROOTS


def _split(payload: bytes) -> Iterable[bytes]:
    """A request, and the response that a platform may have dumped after it in the same file."""
    at = payload.rfind(_SECOND, max(len(payload) - _LOOK, 0))
    if at > 0 and payload[max(at - 256, 0) : at].rstrip().endswith((b"--", b"Envelope>")):
        return (payload[: at + 1], payload[at + 1 :])
    return (payload,)


FORMAT: Final = Format(
    name="xds", title="XDS (ITI-41, ITI-57, ITI-18)", recognises=_recognises, parse=parse, split=_split
)
