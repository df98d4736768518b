"""The XDM of a mail, found by its content: each of its documents as a fact of no recipient yet.

``docs/rules.md`` section 8; Référentiel MSSanté #2. The PDF that MSSanté asks for beside the XDM, and any other part, is not decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import Flag, ParseError
from engine.facts import INS_NONE, Mailed
from engine.parsers import kinds, mail_header, recipients, submissions, xdm

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.mime import Mail, Part
    from engine.parsers.xdm import Archive, XdmDocument

CODES: Final[dict[str, str]] = {
    "mail-too-many-archives": "More than four XDM in one mail, where MSSanté allows one; this one was not read.",
}

MAX_ARCHIVES: Final = 4
"""MSSanté allows one in a mail. What they may inflate to is shared among them."""

VALID: Final = "valid"
FLAWED: Final = "flawed"
UNREADABLE: Final = "unreadable"
NONE: Final = "none"

_NAMED: Final = re.compile(r"ihe_xdm.*\.zip", re.IGNORECASE | re.DOTALL)
_SUBJECT: Final = "XDM/1.0/DDM"
_MOST: Final = 100  # flags of one archive


class Load(Struct, frozen=True):
    """What a mail carries. ``facts``: at least one; ``deletes``: it asks for a deletion, and carries nothing that is kept."""

    facts: tuple[Mailed, ...]
    flags: tuple[Flag, ...] = ()
    deletes: bool = False


def read(mail: Mail, at: int, message: bytes, context: Context) -> Load:
    """What the XDM of a mail says: a fact for each document, or one without document. Never raises."""
    blank = Mailed(
        at=at,
        establishment=context.establishment,
        message=message,
        recipient=b"",
        category="",
        ins=None,
        ins_root=INS_NONE,
        ipp=None,
        xdm=NONE,
    )
    found: list[Archive] = []
    flags: list[Flag] = []
    failed = False
    for part, archive in archives(mail, context.max_document_bytes):
        if isinstance(archive, ParseError):
            failed = True
            flags.append(Flag(archive.code, f"part {part.path} {archive.where}"))
        else:
            found.append(archive)
            flags += _remarks(part, archive)
    flawed = any(archive.flawed for archive in found)
    blank = replace(blank, xdm=state(bool(found), failed=failed, flawed=flawed))
    facts = [
        _document(document, blank, context)
        for archive in found
        for document in archive.documents
        if not document.is_copy and document.kind not in kinds.NEVER_COUNTED
    ]
    if not facts:
        patients = (one.patient for archive in found for one in archive.sets if one.patient)
        facts.append(_patient(blank, next(patients, ""), context))
    return Load(tuple(facts), tuple(flags), any(archive.deletes for archive in found))


def state(found: bool, *, failed: bool, flawed: bool) -> str:
    """What ``Mailed.xdm`` says: whether an XDM was read, another could not be, and one has errors."""
    if not found:
        return UNREADABLE if failed else NONE
    return FLAWED if failed or flawed else VALID


def archives(mail: Mail, limit: int) -> Iterator[tuple[Part, Archive | ParseError]]:
    """The XDM archives of a mail, with the part that holds each; a :class:`ParseError` in place of one that cannot be read.

    ``limit``: bytes that the ZIP files may take together, decoded. When no ZIP looks like an XDM, one that is named or announced as such is one.
    """
    held = [part for part in mail.parts if not part.kind.startswith("message/")]
    zips = list(_decoded([part for part in held if part.holds_zip()], limit))
    own = [(part, data) for part, data in zips if isinstance(data, ParseError) or xdm.looks_like(data)]
    if not own:
        announced = _SUBJECT in mail_header.words(mail_header.first(mail.fields, "subject")).upper()
        named = [part for part in held if _NAMED.search(part.name)]
        own = [(part, data) for part, data in zips if announced and part not in named] + list(_decoded(named, limit))
    limits = xdm.Limits()
    limits = replace(limits, size=limits.size // max(min(len(own), MAX_ARCHIVES), 1))
    for part, data in own[:MAX_ARCHIVES]:
        try:
            yield part, data if isinstance(data, ParseError) else xdm.read(data, limits)
        except ParseError as error:
            yield part, error
    for part, _ in own[MAX_ARCHIVES:]:
        yield part, ParseError("mail-too-many-archives", "zip")


def _decoded(parts: list[Part], limit: int) -> Iterator[tuple[Part, bytes | memoryview | ParseError]]:
    """Parts decoded, as far as all of them stay within the limit."""
    for part in parts:
        try:
            data, _ = part.decode(limit)
        except ParseError as error:
            yield part, error
            continue
        limit -= len(data)
        yield part, data


def _remarks(part: Part, archive: Archive) -> Iterator[Flag]:
    """What is wrong with an archive and with its CDA; what is only worth knowing is not told."""
    lead = f"part {part.path}"
    told = [Flag(one.code, f"{lead} {one.where}") for one in archive.problems if one.severity != "info"]
    for document in archive.documents:
        if document.cda is not None:
            told += [Flag(flag.code, f"{lead} {document.where}{flag.where}") for flag in document.cda.flags]
    yield from told[:_MOST]


def _patient(fact: Mailed, patient: str, context: Context) -> Mailed:
    who = submissions.patient(context, patient)
    return replace(fact, ins=who.ins, ins_root=who.ins_root, ipp=who.ipp)


def _document(document: XdmDocument, blank: Mailed, context: Context) -> Mailed:
    """One document: what its CDA says, else what the metadata say."""
    seconds, pseudonym = context.zone.seconds, context.pseudonym
    header = document.cda
    own_id = document.unique_id or (header.id if header is not None else "")
    alias = header.id if header is not None else ""
    fact = replace(
        _patient(blank, document.patient, context),
        document=submissions.document_id(context, own_id) if own_id else None,
        hash=submissions.sha1(context, document.hash) if document.content else None,
        replaces=submissions.document_id(context, document.replaces) if document.replaces else None,
        type_code=kinds.code(document.type_code),
        kind=document.kind,
        body="cda" if header is not None else "unreadable" if document.announced_cda else "other",
        created=seconds(f"{document.created}Z".encode()),
        service_start=seconds(f"{document.service_start}Z".encode()),
    )
    if header is None:
        return fact
    matricule = pseudonym("ins", "", _utf8(header.matricule)) if header.matricule else None
    named = submissions.document_id(context, alias) if alias else None
    return replace(
        fact,
        ins=fact.ins or matricule,
        ins_root=fact.ins_root if fact.ins is not None or matricule is None else header.ins_root,
        alias=named if named != fact.document else None,
        chain=pseudonym("chain", "", _utf8(header.set_id)) if header.set_id else None,
        version=header.version,
        type_code=kinds.code(header.type_code) or fact.type_code,
        level=header.level,
        created=seconds(header.created) or fact.created,
        service_start=seconds(header.service_low) or fact.service_start,
        cda_ins=matricule,
        cda_ins_root=header.ins_root,
        encounter=submissions.encounter(header, context),
        intended=recipients.of_cda(header, context),
    )


def _utf8(text: str) -> bytes:
    return text.strip().encode("utf-8", "replace")
