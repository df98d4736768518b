"""FHIR submissions: ITI-65 Provide Document Bundle, ITI-105 Simplified Publish, and a DocumentReference that is in error.

IHE MHD 4.2 (FHIR R4) as taken up by PDSm, and R5 where its elements differ. The submission set is the ``List``, a document the
``DocumentReference`` with its ``Binary``.
"""

from __future__ import annotations

import hashlib
from typing import Final

from msgspec import Raw, Struct

from engine.errors import Flag, ParseError
from engine.facts import Document
from engine.parsers import identifiers, kinds, submissions
from engine.parsers.context import Context
from engine.parsers.fhir_document import (
    DocumentReference,
    circumstances,
    document_names,
    format_code,
    rendering,
    type_code,
    version_number,
)
from engine.parsers.fhir_elements import (
    ABSENT,
    MAX_ENTRIES,
    Attachment,
    Bundle,
    Concept,
    Element,
    Entry,
    Extension,
    Identifier,
    Period,
    Reference,
    content,
    peek,
    present,
    read,
    seconds,
    sha1,
)
from engine.parsers.fhir_references import Home, identified, name, numbers, patient, written
from engine.parsers.submissions import Patient

CODES: Final[dict[str, str]] = {
    "fhir-content-missing": "The DocumentReference names a Binary that the bundle does not hold: the document is known by its metadata alone.",
    "fhir-content-unreadable": "The document in the bundle is no base64, or larger than the limit: it is known by its metadata alone.",
    "fhir-document-unnamed": "The DocumentReference has neither identifier nor hash, nor its document: it cannot be followed.",
    "fhir-document-updated": "A DocumentReference that the server has is changed (PUT without document): nothing was submitted.",
    "fhir-hash-not-sha1": "Attachment.hash is not a SHA-1: it is passed over.",
    "fhir-patient-unnamed": "No INS and no IPP can be read of the subject: use a logical or conditional reference.",
    "fhir-replaced-unknown": "The replaced document is named by the server's own reference alone: have relatesTo.target carry its identifier.",
    "fhir-set-unnamed": "The bundle has no submission set (List) with an identifier: an audit message cannot be tied to it.",
}
"""Remarks on a submission."""

_SET: Final = "submissionset"
_SOURCE_PATIENT: Final = ("ihe-sourcepatientid", "ihe-sourcepatientinfo")  # ends of the url of an extension, MHD


class SubmissionSet(Element, frozen=True, gc=False, rename="camel"):
    """List."""

    identifier: tuple[Identifier, ...] | None = None
    code: Concept | None = None
    subject: Reference | None = None
    date: str | None = None
    contained: tuple[Raw, ...] | None = None
    extension: tuple[Extension, ...] | None = None


class Binary(Element, frozen=True, gc=False, rename="camel"):
    """Binary."""

    data: Raw = ABSENT


class _Listed(Struct, frozen=True):
    """A DocumentReference among the entries of a bundle."""

    place: str
    entry: Entry
    reference: DocumentReference

    def names(self) -> tuple[str, ...]:
        """What another entry may call it."""
        own = (self.entry.full_url or "", f"DocumentReference/{self.reference.id}" if self.reference.id else "")
        return tuple(name(text) for text in own if text)


class Origin(Struct, frozen=True):
    """What the HTTP head said: the keys of the request it belongs to, when, and the status of a response (0: no response)."""

    ids: tuple[str, ...] = ()
    keys: tuple[bytes, ...] = ()
    at: int = 0
    status: int = 0


class Submission(Struct, frozen=True):
    """A request, taken apart. ``identity`` makes it the same request (in clear, for memory only); ``keys`` may be empty."""

    documents: tuple[Document, ...]
    keys: tuple[bytes, ...]
    at: int
    identity: str
    flags: tuple[Flag, ...]


def bundle(found: Bundle, place: str, origin: Origin, context: Context) -> Submission | None:
    """A transaction Bundle; None when it submits no document."""
    entries = found.entry or ()
    if len(entries) > MAX_ENTRIES:
        raise ParseError("fhir-too-many", f"{place}.entry")
    home = Home()
    listed: list[_Listed] = []
    sets: list[tuple[str, SubmissionSet]] = []
    for index, entry in enumerate(entries):
        where = f"{place}.entry[{index}].resource"
        kind = peek(entry.resource, where).resource_type or ""
        if kind == "DocumentReference":
            listed.append(_Listed(where, entry, read(entry.resource, DocumentReference, where)))
        elif kind == "List":
            sets.append((where, read(entry.resource, SubmissionSet, where)))
        if kind and entry.full_url:
            home.add(entry.full_url, entry.resource)
    if not listed:
        return None
    where, chosen = _submission_set(sets)
    flags: list[Flag] = []
    unique = _set_id(chosen)
    if not unique:
        flags.append(Flag("fhir-set-unnamed", where or f"{place}.entry"))
    keys = origin.keys
    own = written(found.identifier)
    if not keys and own:
        keys = (submissions.message_key(context, own),)
    if unique:
        keys = (*keys, submissions.set_key(context, unique))
    homes = (Home.contained(chosen.contained, where), home)
    who = patient(context, identified(chosen.subject, f"{where}.subject", *homes))
    who = patient(context, _extended(chosen.extension, f"{where}.extension", homes), who)
    at = seconds(chosen.date, context) or origin.at or seconds(found.timestamp, context)
    documents: list[Document] = []
    former = _former(listed)
    for number, one in enumerate(listed):
        if number in former:
            continue
        made, remarks = _document(one.reference, one.place, home, who, keys, at, len(documents), context, one.entry)
        flags += remarks
        if made is not None:
            documents.append(made)
    at = at or (documents[0].at if documents else 0)
    identity = (*origin.ids, own, unique, "")[0]
    return Submission(tuple(documents), keys, at, identity, tuple(flags))


def alone(resource: Raw | memoryview, place: str, origin: Origin, context: Context) -> Submission:
    """One DocumentReference: ITI-105, or the word that it is in error."""
    reference = read(resource, DocumentReference, place)
    entry = Entry(resource=Raw(resource))
    made, flags = _document(reference, place, Home(), Patient(), origin.keys, origin.at, 0, context, entry)
    identity = (*origin.ids, "")[0]
    return Submission(
        (made,) if made is not None else (), origin.keys, made.at if made is not None else 0, identity, tuple(flags)
    )


def set_id(resource: Raw, place: str) -> str:
    """uniqueId of the submission set that a List is; empty when it is none, or has none."""
    found = read(resource, SubmissionSet, place)
    return _set_id(found) if found.code is None or _SET in found.code.codes() else ""


def _former(listed: list[_Listed]) -> set[int]:
    """Those that another one replaces: the bundle tells them again (MHD, PDSm), it does not submit them."""
    names: dict[str, int] = {}
    for number, one in enumerate(listed):
        for text in one.names():
            names.setdefault(text, number)
    return {
        target
        for number, one in enumerate(listed)
        for relation in one.reference.relates_to or ()
        if relation.replaces() and relation.target is not None and relation.target.reference
        if (target := names.get(name(relation.target.reference), number)) != number
    }


def _document(
    reference: DocumentReference,
    place: str,
    home: Home,
    who: Patient,
    keys: tuple[bytes, ...],
    at: int,
    position: int,
    context: Context,
    entry_of: Entry,
) -> tuple[Document | None, list[Flag]]:
    """The fact of one DocumentReference, and what is odd in it."""
    flags: list[Flag] = []
    if reference.status == "superseded":
        return None, flags  # the other side of a replacement, which says so itself
    code = type_code(reference.type)
    if kinds.kind(code) in kinds.NEVER_COUNTED:
        return None, flags  # signature of the set, reference to images, document of the patient
    homes = (Home.contained(reference.contained, place), home)
    around, encounters = circumstances(reference, place)
    subject = patient(context, identified(reference.subject, f"{place}.subject", *homes))
    origin = around.source_patient_info
    subject = patient(context, identified(origin, f"{place}.context.sourcePatientInfo", *homes), subject)
    subject = patient(context, _extended(reference.extension, f"{place}.extension", homes), subject)
    subject = _completed(subject, who)
    if subject.ins is None and subject.ipp is None:
        flags.append(Flag("fhir-patient-unnamed", f"{place}.subject"))
    met = [one for other in encounters for one in identified(other, f"{place}.context.encounter", *homes)]
    visit, dossier = numbers(context, met)
    unique, entry = document_names(reference)
    chosen, where = rendering(reference, place)
    attachment = chosen.attachment or Attachment()
    digest = sha1(attachment.hash)
    if attachment.hash and not digest:
        flags.append(Flag("fhir-hash-not-sha1", f"{where}.attachment.hash"))
    deletion = reference.status == "entered-in-error"
    octets, remark = (None, "") if deletion else _octets(attachment, home, where, context)
    if octets is None and not deletion and entry_of.request is not None and entry_of.request.method == "PUT":
        return None, [Flag("fhir-document-updated", place)]
    if octets is not None and not digest:
        digest = hashlib.sha1(octets, usedforsecurity=False).hexdigest()
    if not unique and not entry and not digest:
        flags.append(Flag("fhir-document-unnamed", place))
    if remark:
        flags.append(Flag(remark, f"{where}.attachment"))
    target = _replaced(reference, place, homes, context)
    replaced, replaced_entry = target or ("", None)
    if target == ("", None):
        flags.append(Flag("fhir-replaced-unknown", f"{place}.relatesTo"))
    named = submissions.entry_id(context, entry) if entry else None
    period = around.period or reference.period or Period()
    created = seconds(reference.date, context)
    # A key of its own is the document itself: an answer that names it finds it.
    own = keys or (_own_key(unique, entry or digest, entry_of.resource, context),)
    made = submissions.document(
        context,
        at=at or created,
        keys=own,
        position=position,
        unique_id=unique,
        who=subject,
        visit=visit,
        dossier=dossier,
        version=version_number(reference.version),
        replaces=replaced,
        replaces_entry=replaced_entry,
        entry=named,
        digest=submissions.sha1(context, digest),
        request="deletion" if deletion else "initial" if target is None else "replacement",
        type_code=code,
        format_code=format_code(chosen),
        created=created,
        service_start=seconds(period.start, context),
        service_stop=seconds(period.end, context),
        content=octets,
    )
    return made, flags


def _own_key(unique: str, other: str, resource: Raw, context: Context) -> bytes:
    if unique:
        return submissions.document_id(context, unique)
    # The id of a resource that is created is its sender's, and serves again.
    number = other or hashlib.blake2b(resource, digest_size=16).hexdigest()
    return submissions.message_key(context, f"DocumentReference {number}")


def _submission_set(sets: list[tuple[str, SubmissionSet]]) -> tuple[str, SubmissionSet]:
    """The List of the submission set: the one that says so, else the one that does not say it is a folder."""
    for where, one in sets:
        if one.code is not None and _SET in one.code.codes():
            return where, one
    for where, one in sets:
        if one.code is None or "folder" not in one.code.codes():
            return where, one
    return "", SubmissionSet()


def _set_id(found: SubmissionSet) -> str:
    names = [(one, text) for one in found.identifier or () if (text := written(one))]
    # A List may also carry the entryUUID (use "official") and local names; the uniqueId is an OID, or at least "usual" (MHD 2:3.65.4.1.2.1).
    rank = [
        (text.lower().startswith("urn:uuid:"), not identifiers.is_oid(identifiers.root(text)), one.use != "usual")
        for one, text in names
    ]
    return names[rank.index(min(rank))][1] if names else ""


def _extended(extensions: tuple[Extension, ...] | None, place: str, homes: tuple[Home, ...]) -> list[Identifier]:
    found: list[Identifier] = []
    for one in extensions or ():
        if (one.url or "").lower().endswith(_SOURCE_PATIENT):
            if one.value_identifier is not None:
                found.append(one.value_identifier)
            found += identified(one.value_reference, place, *homes)
    return found


def _completed(subject: Patient, who: Patient) -> Patient:
    """What the document says of its patient, and what only its submission set says."""
    if subject.ins is not None:
        return Patient(subject.ipp or who.ipp, subject.ins, subject.ins_root)
    return Patient(subject.ipp or who.ipp, who.ins, who.ins_root)


def _octets(attachment: Attachment, home: Home, place: str, context: Context) -> tuple[bytes | None, str]:
    """The document itself, or why there is none: in the attachment, or in the Binary that it names; a FHIR document is not read."""
    data: Raw = attachment.data
    if not present(data):
        url = attachment.url or ""
        target = home.take(url) if url else None
        if target is None:
            # Another URL than one of the bundle is a document that stays where it is: nothing is missing.
            return None, "fhir-content-missing" if url[:4].lower() == "urn:" else ""
        kind = peek(target, place).resource_type
        if kind != "Binary":
            return None, "" if kind == "Bundle" else "fhir-content-missing"
        data = read(target, Binary, f"{place}.attachment").data
    octets = content(data, context.max_document_bytes)
    return octets, "" if octets is not None else "fhir-content-unreadable"


def _replaced(
    reference: DocumentReference, place: str, homes: tuple[Home, ...], context: Context
) -> tuple[str, bytes | None] | None:
    """uniqueId of the document that this one replaces, and its entryUUID where the reference is one; None: it replaces none."""
    replaces = False
    for relation in reference.relates_to or ():
        if not relation.replaces() or relation.target is None:
            continue
        replaces, target = True, relation.target
        unique, entry = "", None
        for one in identified(target, f"{place}.relatesTo.target", *homes):
            text = written(one)
            if text.lower().startswith("urn:uuid:"):
                entry = entry or submissions.entry_id(context, text)
            else:
                unique = unique or text
        if entry is None and target.reference:
            entry = submissions.entry_id(context, name(target.reference).rpartition("/")[2])
        if unique or entry is not None:
            return unique, entry
    return ("", None) if replaces else None
