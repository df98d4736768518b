"""The few elements of FHIR (R4, and R5 where it differs) that a trace of a submission needs; everything else is passed over unread.

JSON is decoded into typed structs (msgspec): what is not named here costs a scan and no memory. Nothing of a message gets into an
error: only the path of the element, made of names of the standard.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from typing import Any, Final, TypeVar

import pybase64
from msgspec import DecodeError, Raw, Struct, ValidationError, json

from engine.errors import ParseError
from engine.parsers import dtm
from engine.parsers.context import Context

CODES: Final[dict[str, str]] = {
    "fhir-array": "A JSON array is no FHIR resource: send a Bundle, or one resource a line (NDJSON).",
    "fhir-no-resource-type": "The JSON object has no resourceType: it is no FHIR resource. Look at what the feed is sent.",
    "fhir-not-json": "The JSON is malformed or cut at this place; look at who writes or relays it.",
    "fhir-not-utf8": "A text of the JSON is not in UTF-8, the only charset of FHIR.",
    "fhir-structure": "An element has not the type that FHIR gives it (a text for a list, for example): the sender must mend it.",
    "fhir-too-deep": "Objects are nested deeper than any FHIR resource needs.",
    "fhir-too-many": "More objects, entries or lines than one payload may hold: send smaller bundles.",
    "fhir-xml": "FHIR in XML is not read: have the sender use application/fhir+json.",
}
"""What keeps a payload from being read."""

MAX_OBJECTS: Final = 500_000
"""Objects of one payload: a bundle of 20 000 audit events has as many. Each takes about 200 bytes once decoded."""

MAX_ENTRIES: Final = 10_000
"""Entries of one bundle that is read as a whole; a submission has a handful."""

ABSENT: Final = Raw(b"")

_PLACE: Final = re.compile(r"at `\$((?:\.[A-Za-z]+|\[\.\.\.\]|\[[0-9]+\])*)`")
_BYTE: Final = re.compile(r"\(byte ([0-9]+)\)")
_STEP: Final = re.compile(r"\[\.\.\.\]")
_SHA1: Final = re.compile(r"[0-9A-Fa-f]{40}", re.ASCII)


class Element(Struct, frozen=True, gc=False, rename="camel"):
    """Base of the elements."""


class Coding(Element, frozen=True, gc=False, rename="camel"):
    """Coding."""

    system: str | None = None
    code: str | None = None


class Concept(Element, frozen=True, gc=False, rename="camel"):
    """CodeableConcept, or a Coding where another version of FHIR has that."""

    system: str | None = None
    code: str | None = None
    coding: tuple[Coding, ...] | None = None

    def codes(self) -> tuple[str, ...]:
        """Its codes, in order."""
        own = (self.code,) if self.code else ()
        return own + tuple(one.code for one in self.coding or () if one.code)


class Identifier(Element, frozen=True, gc=False, rename="camel"):
    """Identifier."""

    use: str | None = None
    type: Concept | None = None
    system: str | None = None
    value: str | None = None


class Reference(Element, frozen=True, gc=False, rename="camel"):
    """Reference: literal, logical, or both."""

    reference: str | None = None
    identifier: Identifier | None = None


class Extension(Element, frozen=True, gc=False, rename="camel"):
    """Extension, with the two kinds of value that IHE's own have here."""

    url: str | None = None
    value_identifier: Identifier | None = None
    value_reference: Reference | None = None


class Attachment(Element, frozen=True, gc=False, rename="camel"):
    """Attachment. ``data`` stays the JSON text that it is in the payload."""

    content_type: str | None = None
    url: str | None = None
    hash: str | None = None
    data: Raw = ABSENT


class Period(Element, frozen=True, gc=False, rename="camel"):
    """Period."""

    start: str | None = None
    end: str | None = None


class Contained(Element, frozen=True, gc=False, rename="camel"):
    """Any resource, as far as its name goes."""

    resource_type: str | None = None
    id: str | None = None
    type: Raw = ABSENT
    master_identifier: Identifier | None = None
    identifier: Raw = ABSENT


class Request(Element, frozen=True, gc=False, rename="camel"):
    """Bundle.entry.request."""

    method: str | None = None


class Response(Element, frozen=True, gc=False, rename="camel"):
    """Bundle.entry.response."""

    status: str | None = None
    location: str | None = None
    last_modified: str | None = None
    outcome: Raw = ABSENT


class Entry(Element, frozen=True, gc=False, rename="camel"):
    """Bundle.entry."""

    full_url: str | None = None
    resource: Raw = ABSENT
    request: Request | None = None
    response: Response | None = None


class Bundle(Element, frozen=True, gc=False, rename="camel"):
    """Bundle."""

    id: str | None = None
    type: str | None = None
    identifier: Identifier | None = None
    timestamp: str | None = None
    entry: tuple[Entry, ...] | None = None


_Of = TypeVar("_Of")
Json = bytes | memoryview | Raw


def read(data: Json, kind: type[_Of], place: str) -> _Of:
    """Decode one element; ``place`` is its own. Raises :class:`ParseError`."""
    try:
        return json.decode(data, type=kind)
    except ValidationError as error:
        # The message of msgspec ends with the path; what stands before it may show a value.
        found = _PLACE.search(str(error))
        raise ParseError("fhir-structure", place + (_STEP.sub("", found[1]) if found is not None else "")) from None
    except DecodeError as error:
        at = _BYTE.search(str(error))
        raise ParseError("fhir-not-json", f"byte {at[1]}" if at is not None and place == BODY else place) from None
    except UnicodeDecodeError:
        raise ParseError("fhir-not-utf8", place) from None
    except RecursionError:
        raise ParseError("fhir-too-deep", place) from None


BODY: Final = "body"
"""Place of a payload as a whole."""


def peek(data: Json, place: str) -> Contained:
    """The name of a resource. An absent one (no bytes, or ``null``) has none."""
    if present(data):
        return read(data, Contained, place)
    return Contained()


def present(data: Json) -> bool:
    """Whether an element is there at all."""
    return len(memoryview(data)) > 0 and bytes(memoryview(data)[:4]) != b"null"


def listed(data: Json, kind: type[_Of], place: str) -> tuple[_Of, ...]:
    """An element that repeats, or (another version of FHIR) does not."""
    if not present(data):
        return ()
    if bytes(memoryview(data)[:1]) == b"[":
        found: Any = read(data, tuple[kind, ...], place)  # type: ignore[valid-type]
        return tuple(found)
    return (read(data, kind, place),)


def crowded(body: memoryview) -> bool:
    """Whether the JSON has more objects than one payload may have."""
    # Counting in pieces: the whole would have to be copied.
    step, count = 1 << 20, 0
    for start in range(0, len(body), step):
        count += bytes(body[start : start + step]).count(b"{")
        if count > MAX_OBJECTS:
            return True
    return False


def seconds(text: str | None, context: Context) -> int:
    """Seconds since 1970-01-01 UTC of a FHIR date, dateTime or instant, at any precision; 0 when absent or unreadable.

    Without a zone (only a date may lack it) it is the local time of the feed.
    """
    return dtm.iso(text, context.zone, dtm.YEAR) if text else 0


def sha1(text: str | None) -> str:
    """The SHA-1 of an Attachment in hexadecimal; empty when it is none.

    FHIR says base64 of the 20 octets; some write the hexadecimal itself, or its base64.
    """
    if not text or len(text) > 64:
        return ""
    if _SHA1.fullmatch(text):
        return text.lower()
    try:
        octets = pybase64.b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return ""
    if len(octets) == 20:
        return octets.hex()
    hexadecimal = octets.decode("latin-1")
    return hexadecimal.lower() if _SHA1.fullmatch(hexadecimal) else ""


def content(data: Json, limit: int) -> bytes | None:
    r"""The octets of a base64Binary that is still JSON text; None when it is larger than ``limit`` or no base64.

    Decoded from where it stands: no copy but the result. White space and JSON escapes (``\/``) are allowed for.
    """
    view = memoryview(data)
    if len(view) < 2 or bytes(view[:1]) != b'"':
        return None
    view = view[1:-1]
    if len(view) * 3 // 4 > limit + (limit >> 3):
        return None
    try:
        octets = pybase64.b64decode(view, validate=True)
    except (Base64Error, ValueError):
        try:
            text = "".join(json.decode(data, type=str).split())
            octets = pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (Base64Error, ValueError, DecodeError):
            return None
    return octets if len(octets) <= limit else None
