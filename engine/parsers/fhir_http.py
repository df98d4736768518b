"""What a FHIR endpoint that only takes submissions says to HTTP requests: pure functions, no socket (FHIR R4 http.html; RFC 9110).

``judge`` looks at the head of a request; ``answer`` and ``refuse`` make the response, an OperationOutcome that carries codes and places,
never a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, json

from engine.parsers import http_head
from engine.receipt import Receipt

CODES: Final[dict[str, str]] = {
    "http-damaged-gzip": "The body of a request does not decompress; look at who compresses it, or have it sent as it is.",
    "http-empty": "A request without body; look at the sender's configuration.",
    "http-malformed": "What came on the connection is not HTTP/1.1; look at who connects, and whether TLS is expected on one side only.",
    "http-unauthorized": "A request without the bearer token of the feed (token_file), or with another one: configure the sender.",
    "http-unknown-path": "A request for another path than the feed's; configure the sender with the feed's `path`.",
    "http-wrong-method": "Another method than POST; the sender tries to read or change what this endpoint only takes.",
    "http-wrong-type": "Another content type than FHIR in JSON or NDJSON, or another compression than gzip; configure the sender.",
}
"""Why a request is refused before its body is looked at. They are counted beside the codes of messages."""

REJECTIONS: Final = frozenset(CODES)

Field = tuple[bytes, bytes]
"""A header field: lower-case name, value."""

#: What the peer must be told to come back after the store could not be written.
RETRY_SECONDS: Final = 30

_TYPES: Final = {
    "application/fhir+json": "application/fhir+json",
    "application/json": "application/fhir+json",
    "application/json+fhir": "application/fhir+json",  # FHIR DSTU 2, still sent
    "application/fhir+ndjson": "application/fhir+ndjson",
    "application/ndjson": "application/fhir+ndjson",
    "application/x-ndjson": "application/fhir+ndjson",
}
_RESOURCES: Final = ("", "/Bundle", "/AuditEvent", "/DocumentReference")
_METADATA: Final = "/metadata"
_IDS: Final = tuple(name.encode() for name in http_head.CORRELATION)
_NAMES: Final = {b"date": b"Date", b"x-request-id": b"X-Request-Id", b"x-correlation-id": b"X-Correlation-Id"}
_PRINTABLE: Final = re.compile(rb"[ -~]{1,200}")
# An expansion of 1 to 1 000 is the most that deflate can do.
_SMALL_GZIP: Final = 4_096


class Wanted(Struct, frozen=True):
    """A request whose body is wanted. ``head`` goes before the body: its correlation ids and its date, empty without an id."""

    head: bytes
    gzip: bool
    length: int | None  # Content-Length; None: chunked
    large: bool  # the body, or what it expands to, may be large


class Refusal(Struct, frozen=True):
    """A request that is not wanted: ``code`` of :data:`CODES` (or ``too-large``)."""

    status: int
    code: str
    issue: str  # of the value set issue-type
    fields: tuple[Field, ...] = ()


METADATA: Final = json.encode(
    {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "capability",
        "software": {"name": "Jauge"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {"type": name, "interaction": [{"code": "create"}]}
                    for name in ("AuditEvent", "Bundle", "DocumentReference")
                ],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }
)
"""Answer to ``GET [path]/metadata``, which clients ask for before they send anything."""


def judge(
    method: bytes, target: bytes, fields: Iterable[Field], path: str, limit: int, large: int
) -> Wanted | Refusal | bytes:
    """What to do with a request to the endpoint at ``path``; bytes: they are the answer.

    ``limit``: bytes of the largest body; ``large``: from how many on a body is large.
    """
    place = _place(target)
    if not place.startswith(path):
        return Refusal(404, "http-unknown-path", "not-found")
    rest = place[len(path) :].rstrip("/")
    if rest == _METADATA:
        return (
            METADATA
            if method in (b"GET", b"HEAD")
            else Refusal(405, "http-wrong-method", "not-supported", _allow(b"GET"))
        )
    if rest not in _RESOURCES:
        return Refusal(404, "http-unknown-path", "not-found")
    if method != b"POST":
        return Refusal(405, "http-wrong-method", "not-supported", _allow(b"POST"))
    known = dict(reversed([*fields]))
    kind = _TYPES.get(known.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1"))
    coding = known.get(b"content-encoding", b"identity").strip().lower()
    if kind is None or coding not in (b"identity", b"gzip", b"x-gzip", b""):
        return Refusal(415, "http-wrong-type", "not-supported", ((b"Accept-Post", b"application/fhir+json"),))
    length = int(known[b"content-length"]) if b"content-length" in known else None
    if length is None and b"transfer-encoding" not in known:
        length = 0
    if length is not None and length > limit:
        return Refusal(413, "too-large", "too-long")
    gzip = coding.endswith(b"gzip")
    heavy = length is None or length > (_SMALL_GZIP if gzip else large)
    return Wanted(_head(kind, known), gzip, length, heavy if gzip or length is not None else False)


def answer(receipt: Receipt) -> tuple[int, bytes, tuple[Field, ...]]:
    """Status, body and header fields that tell a peer what became of its payload."""
    place = f"{receipt.code} at {receipt.where}" if receipt.where else receipt.code
    if receipt.status == "accepted":
        return 200, outcome("information", "informational", "accepted"), ()
    if receipt.status == "duplicate":
        return 200, outcome("information", "duplicate", "duplicate: received before, not counted again"), ()
    if receipt.status == "aside":
        return 200, outcome("warning", "processing", f"put aside: {place}"), ()
    if receipt.status == "refused":
        return 422, outcome("error", "invalid", place), ()
    return unavailable(receipt.code)


def unavailable(code: str = "") -> tuple[int, bytes, tuple[Field, ...]]:
    """The answer while nothing can be promised: come back later."""
    body = outcome("error", "transient", f"unavailable: {code}" if code else "unavailable")
    return 503, body, ((b"Retry-After", b"%d" % RETRY_SECONDS),)


def refuse(refusal: Refusal) -> tuple[int, bytes, tuple[Field, ...]]:
    """The answer to a request that is not wanted."""
    return refusal.status, outcome("error", refusal.issue, refusal.code), refusal.fields


def outcome(severity: str, issue: str, diagnostics: str) -> bytes:
    """An OperationOutcome (FHIR R4)."""
    return json.encode(
        {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": severity, "code": issue, "diagnostics": diagnostics}],
        }
    )


UNAUTHORIZED: Final = Refusal(401, "http-unauthorized", "login", ((b"WWW-Authenticate", b'Bearer realm="jauge"'),))
EMPTY: Final = Refusal(400, "http-empty", "required")
TOO_LARGE: Final = Refusal(413, "too-large", "too-long")
DAMAGED: Final = Refusal(400, "http-damaged-gzip", "structure")
TIMED_OUT: Final = Refusal(408, "truncated", "timeout")


def malformed(status: int) -> Refusal:
    """The refusal of what is not HTTP, with the status that says how (400, 431, 501 ...)."""
    return Refusal(status, "http-malformed", "structure")


def bearer(fields: Iterable[Field]) -> bytes:
    """The bearer token of a request (RFC 6750 section 2.1); empty without."""
    for name, value in fields:
        if name == b"authorization":
            scheme, _, token = value.strip().partition(b" ")
            return token.strip() if scheme.lower() == b"bearer" else b""
    return b""


def _place(target: bytes) -> str:
    """The path of a request target, in origin form or in absolute form; without its query."""
    text = target.decode("latin-1").partition("?")[0]
    if "://" in text:
        text = "/" + text.partition("://")[2].partition("/")[2]
    return text


def _allow(method: bytes) -> tuple[Field, ...]:
    return ((b"Allow", method),)


def _head(kind: str, known: dict[bytes, bytes]) -> bytes:
    if not any(name in known for name in _IDS):
        return b""
    lines = [b"Content-Type: " + kind.encode()]
    lines += [
        b"%b: %b" % (written, value)
        for name, written in _NAMES.items()
        if (value := known.get(name, b"").strip()) and _PRINTABLE.fullmatch(value)
    ]
    return b"\r\n".join([*lines, b"", b""])
