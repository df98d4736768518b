"""What every trace of a submission to the DMP says in the same words: keys, identifiers, patients, and the Document they make.

A trace names a document by its metadata (IHE ITI TF-3 section 4.2: DocumentEntry, SubmissionSet). The parsers of the traces
(``atna``, ``xds``, ``fhir``, ``log``) read their own format and build their facts here, so that two traces of one submission meet.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from engine.errors import ParseError
from engine.facts import INS_NONE, LOG, TRANSACTION, Document, Outcome
from engine.parsers import cda, identifiers, ins, kinds

if TYPE_CHECKING:
    from engine.parsers.context import Context

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SHA1: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)
# ITI TF-3 table 4.2.4.1-2 and CI-SIS ASS_A12: what is in these formats is a level-1 body.
_UNSTRUCTURED: Final = ("urn:ihe:iti:xds-sd:", "urn:ihe:iti-fr:xds-sd:")


class Patient:
    """The patient of a submission: INS and IPP as pseudonyms, either may be unknown."""

    __slots__ = ("ins", "ins_root", "ipp")

    def __init__(self, ipp: bytes | None = None, matricule: bytes | None = None, ins_root: int = INS_NONE) -> None:
        self.ipp = ipp
        self.ins = matricule
        self.ins_root = ins_root if matricule is not None else INS_NONE


def set_key(context: Context, unique_id: str) -> bytes:
    """Key of a submission set, by its uniqueId (OID, with or without ``urn:oid:``)."""
    return context.pseudonym("submission-set", "", _utf8(identifiers.document(unique_id)))


def message_key(context: Context, message_id: str) -> bytes:
    """Key of a request, by its ``wsa:MessageID`` (``urn:uuid:`` or anything), or by the correlation id of an HTTP request."""
    return context.pseudonym("soap-message", "", _utf8(identifiers.root(message_id)))


def control_key(context: Context, sender: str, control_id: str) -> bytes:
    """Key of an HL7 message, by its sender (``APP@FACILITY``) and MSH-10: the exchange that ACK and ZAM answer to."""
    return context.pseudonym("control", sender, _utf8(control_id))


def document_id(context: Context, unique_id: str) -> bytes:
    """Pseudonym of a document, by its uniqueId or CDA id: ``root`` or ``root^extension``, with or without ``urn:oid:``."""
    root, _, extension = unique_id.strip().partition("^")
    return context.pseudonym("document", "", _utf8(identifiers.document(root, extension)))


def entry_id(context: Context, text: str) -> bytes | None:
    """Pseudonym of an entryUUID; None for a symbolic id (``Document01``), which names nothing outside its own message."""
    bare = identifiers.root(text).lower()
    return context.pseudonym("entry", "", bare.encode()) if _UUID.fullmatch(bare) else None


def sha1(context: Context, text: str) -> bytes | None:
    """Pseudonym of a SHA-1 written in hexadecimal (any case); None when it is something else."""
    bare = text.strip().lower()
    return context.pseudonym("sha1", "", bare.encode()) if _SHA1.fullmatch(bare) else None


def patient(context: Context, *identifiers_cx: str) -> Patient:
    """The patient of CX values (``id^^^&oid&ISO^type``), INS and IPP in any order.

    In XDS metadata an INS has the type ``NH`` and is known by its root alone (CI-SIS; ``engine.parsers.ins.root``). Any
    other identifier is an IPP, in the domain or, when authorities are configured, in its own authority's.
    """
    found = Patient()
    for text in identifiers_cx:
        parts = text.strip().split("^")
        value = parts[0].strip()
        authority = (parts[3] if len(parts) > 3 else "").split("&")
        name, oid = authority[0].strip(), authority[1].strip() if len(authority) > 1 else ""
        found = _with(context, found, value, name, oid)
    return found


def identified(context: Context, value: str, root: str, into: Patient | None = None) -> Patient:
    """The same for one identifier with its root (an OID, with or without ``urn:oid:``), added to ``into``."""
    return _with(context, into or Patient(), value.strip(), "", identifiers.root(root))


def _with(context: Context, found: Patient, value: str, name: str, oid: str) -> Patient:
    if not value:
        return found
    authority = ins.root(oid or name)
    if authority != INS_NONE:
        pseudonym = context.pseudonym("ins", "", _utf8(value.upper()))
        return Patient(found.ipp, pseudonym, authority) if found.ins is None else found
    if found.ipp is not None or identifiers.root(oid).startswith(ins.ROOT_PREFIX):
        return found  # an INS-C, or the NIR of who opens the rights, is no number of the hospital's
    return Patient(context.pseudonym("ipp", context.scope(name, oid), _utf8(value)), found.ins, found.ins_root)


def declared_level(format_code: str, media_type: str = "") -> int:
    """1 when the formatCode says an unstructured body, 3 when it names a structured model, 0 when it is absent.

    A declaration only: the level that counts is read from the body (CI-SIS, CDA level 1 to 3).
    """
    if not format_code:
        return 0
    return 1 if format_code.startswith(_UNSTRUCTURED) else 3


def document(
    context: Context,
    *,
    at: int,
    keys: tuple[bytes, ...],
    control: bytes | None = None,
    position: int = 0,
    trace: str = TRANSACTION,
    unique_id: str = "",
    who: Patient,
    visit: bytes | None = None,
    dossier: bytes | None = None,
    set_id: str = "",
    version: int = 0,
    alias: str = "",
    replaces: str = "",
    replaces_entry: bytes | None = None,
    entry: bytes | None = None,
    digest: bytes | None = None,
    request: str = "initial",
    type_code: str = "",
    format_code: str = "",
    created: int = 0,
    service_start: int = 0,
    service_stop: int = 0,
    content: bytes | memoryview | None = None,
) -> Document | None:
    """One document of a submission; None when it is no report of the establishment (signature, KOS, patient's own).

    ``keys``: at least one, the surest first; a control id is none of them (it may serve again), it goes into ``control``. ``content``: the CDA itself when
    the trace carries it; what it says then wins over the metadata, but for its id: where the metadata give another one, the document has theirs and the id of the CDA is its
    alias (``alias`` is the TXA-12 where there is no CDA). It never raises: a content that cannot be read leaves the document named by its metadata alone.
    """
    header = _header(content, context) if content is not None else None
    code = (kinds.code(header.type_code) if header is not None else "") or kinds.code(type_code)
    kind = kinds.kind(code)
    if kind in kinds.NEVER_COUNTED:
        return None
    inside = document_id(context, header.id) if header is not None and header.id else None
    own_id = document_id(context, unique_id) if unique_id else inside
    other_id = document_id(context, alias) if alias else None
    if inside is not None and inside != own_id:
        other_id = inside
    set_id = set_id or (header.set_id if header is not None else "")
    parent = replaces or (header.replaces if header is not None else "")
    seconds, pseudonym = context.zone.seconds, context.pseudonym
    named = bool(set_id) or any(name is not None for name in (own_id, digest, entry, other_id, control))
    return Document(
        at=at,
        establishment=context.establishment,
        exchange=keys[0],
        position=position,
        ipp=who.ipp,
        ins=who.ins,
        ins_root=who.ins_root,
        status="",
        birth_corrected=False,
        visit=visit,
        dossier=dossier,
        encounter=encounter(header, context) if header is not None else None,
        id=own_id,
        chain=pseudonym("chain", "", _utf8(set_id)) if set_id else None,
        version=version or (header.version if header is not None else 0),
        replaces=document_id(context, parent) if parent else None,
        orders=(),
        request=request,
        final=True,
        type_code=code,
        kind=kind,
        body="cda" if header is not None else "unseen",
        level=header.level if header is not None else 0,
        declared_level=header.declared_level if header is not None else declared_level(format_code),
        created=(seconds(header.created) if header is not None else 0) or created,
        service_start=(seconds(header.service_low) if header is not None else 0) or service_start,
        service_stop=(seconds(header.service_high) if header is not None else 0) or service_stop,
        cda_ins=pseudonym("ins", "", _utf8(header.matricule)) if header is not None and header.matricule else None,
        cda_ins_root=header.ins_root if header is not None else INS_NONE,
        traits_complete=header is not None and header.traits_complete,
        custodian=header.custodian if header is not None else "",
        patient_class="",
        dmp="Y",
        mss_professional="",
        mss_patient="",
        recipients=(),
        ack_wanted=False,
        sender="",
        trace=trace,
        keys=keys[1:],
        control=control,
        alias=other_id,
        hash=digest,
        entry=entry,
        replaces_entry=replaces_entry,
        weak=not named,
    )


def outcome(
    *, at: int, key: bytes, accepted: bool, code: str = "", layer: str = "dmp", trace: str = LOG, warning: str = ""
) -> Outcome:
    """A trace's word of how a submission ended. ``code`` and ``warning`` are codes already cleaned by ``names.code``."""
    return Outcome(
        at=at,
        exchange=key,
        layer=layer,
        accepted=accepted,
        code=code,
        recipient=None,
        sender="",
        trace=trace,
        warning=warning,
    )


def _header(content: bytes | memoryview, context: Context) -> cda.Cda | None:
    try:
        return cda.read(content, cda.Limits(size=context.max_document_bytes))
    except ParseError:
        return None


def encounter(header: cda.Cda, context: Context) -> bytes | None:
    """Pseudonym of the venue of a CDA, when its root is one configured for the establishment."""
    for root, extension in header.encounter_ids:
        if extension and root in context.encounter_roots:
            return context.pseudonym("visit", context.domain, _utf8(extension))
    return None


def _utf8(text: str) -> bytes:
    return text.strip().encode("utf-8", "replace")
