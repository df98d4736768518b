"""FHIR DocumentReference, R4 and R5: its elements, and what they say in one way whichever the version."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from engine.parsers import kinds
from engine.parsers.fhir_elements import (
    ABSENT,
    Attachment,
    Coding,
    Concept,
    Element,
    Extension,
    Identifier,
    Period,
    Reference,
    listed,
    present,
    read,
)
from engine.parsers.fhir_references import written

_DIGITS: Final = 6  # of a version number


class Relation(Element, frozen=True, gc=False, rename="camel"):
    """DocumentReference.relatesTo."""

    code: str | Concept | None = None
    target: Reference | None = None

    def replaces(self) -> bool:
        """Whether the target is replaced by this document."""
        codes = (self.code,) if isinstance(self.code, str) else self.code.codes() if self.code is not None else ()
        return "replaces" in codes


class Profile(Element, frozen=True, gc=False, rename="camel"):
    """DocumentReference.content.profile (R5)."""

    value_coding: Coding | None = None


class Content(Element, frozen=True, gc=False, rename="camel"):
    """DocumentReference.content."""

    attachment: Attachment | None = None
    format: Coding | None = None
    profile: tuple[Profile, ...] | None = None


class Circumstances(Element, frozen=True, gc=False, rename="camel"):
    """DocumentReference.context (R4)."""

    encounter: tuple[Reference, ...] | None = None
    period: Period | None = None
    source_patient_info: Reference | None = None
    related: tuple[Reference, ...] | None = None


class DocumentReference(Element, frozen=True, gc=False, rename="camel"):
    """DocumentReference."""

    id: str | None = None
    master_identifier: Identifier | None = None
    identifier: tuple[Identifier, ...] | None = None
    version: str | None = None
    status: str | None = None
    type: Concept | None = None
    subject: Reference | None = None
    date: str | None = None
    relates_to: tuple[Relation, ...] | None = None
    content: tuple[Content, ...] | None = None
    context: Raw = ABSENT
    period: Period | None = None
    contained: tuple[Raw, ...] | None = None
    extension: tuple[Extension, ...] | None = None


def document_names(reference: DocumentReference) -> tuple[str, str]:
    """uniqueId and entryUUID: ``masterIdentifier`` and ``identifier`` (R4), or two of ``identifier`` (R5)."""
    unique = written(reference.master_identifier)
    entry = ""
    for one in reference.identifier or ():
        text = written(one)
        if text.lower().startswith("urn:uuid:"):
            entry = entry or text
        elif text and not unique:
            unique = text
    return unique, entry


def circumstances(reference: DocumentReference, place: str) -> tuple[Circumstances, tuple[Reference, ...]]:
    """The context and what it says of the encounter: an object in R4, a list of references in R5."""
    data = reference.context
    if not present(data):
        return Circumstances(), ()
    where = f"{place}.context"
    if bytes(memoryview(data)[:1]) == b"[":
        return Circumstances(), listed(data, Reference, where)
    found = read(data, Circumstances, where)
    return found, (*(found.encounter or ()), *(found.related or ()))


def type_code(concept: Concept | None) -> str:
    """The code of JDV_J07 among the codings of DocumentReference.type, else the first one."""
    codes = concept.codes() if concept is not None else ()
    return next((code for code in codes if code in kinds.TABLE), codes[0] if codes else "")


def rendering(reference: DocumentReference, place: str) -> tuple[Content, str]:
    """The content that is the CDA, where there are several renderings."""
    contents = reference.content or ()
    for index, one in enumerate(contents):
        if one.attachment is not None and "xml" in (one.attachment.content_type or "").lower():
            return one, f"{place}.content[{index}]"
    return (contents[0] if contents else Content()), f"{place}.content[0]"


def format_code(chosen: Content) -> str:
    """The formatCode: ``format`` (R4) or a profile (R5)."""
    if chosen.format is not None:
        return chosen.format.code or ""
    codes = (one.value_coding.code for one in chosen.profile or () if one.value_coding is not None)
    return next((code for code in codes if code), "")


def version_number(text: str | None) -> int:
    """DocumentReference.version (R5) when it is a number, else 0."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0


def unique_id(resource: Raw | memoryview, place: str) -> str:
    """uniqueId of a DocumentReference, empty without."""
    return document_names(read(resource, DocumentReference, place))[0]
