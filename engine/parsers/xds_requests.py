"""What an XDS request says: documents that are submitted (ITI-41, ITI-42) or taken out of the DMP (ITI-57).

IHE ITI TF-2 3.41, 3.42, 3.57; TF-3 4.2; CI-SIS "Partage de documents de santé"; DMP: TD2.1, TD2.2, TD3.3c.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from engine.errors import Flag
from engine.facts import Document
from engine.parsers import ebrim, http_head, soap, submissions
from engine.parsers.ebrim import RegistryObject
from engine.parsers.parsed import Parsed

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.xds_message import Message

CODES: Final[dict[str, str]] = {
    "attachment-missing": "The request announces a document and does not carry it; it is known by its metadata alone.",
    "attachment-too-large": "The attached document is larger than the limit; raise the limit or look at who sends it.",
    "attachment-undecodable": "The attached document cannot be decoded; it is known by its metadata alone.",
    "cda-id-differs": "The uniqueId of the metadata is not the id of the attached CDA; both are kept.",
    "entry-on-demand": "The entry promises a document to be made later; nothing was submitted, it is not counted.",
    "entry-without-id": "The metadata of a document have no uniqueId, or a deletion no target that can be known again.",
    "hash-differs": "The hash of the metadata is not the SHA-1 of the attached bytes; a signature may have rewritten them.",
    "message-without-id": "Neither wsa:MessageID nor a submission set: no answer can be joined to this request.",
    "no-counted-document": "The request holds no document that counts: a signature, images or the patient's own documents alone.",
    "replaced-document-unknown": "The target of a replacement is neither an entryUUID nor a uniqueId.",
    "set-patient-differs": "The patient of a document is not the patient of its submission set.",
    "submission-set-without-id": "There is no submission set, or it has no uniqueId: audit messages cannot be joined to it.",
    "update-without-deletion": "The metadata of a document are changed (masking, archiving ...); nothing was submitted nor deleted.",
}
"""Every code that a request is flagged with, and what it means."""

_REPLACES: Final = frozenset({"RPLC", "XFRM_RPLC"})
_SIGNS: Final = "signs"
_UPDATES: Final = "UpdateAvailabilityStatus"
_REMOVED: Final = frozenset({"Deleted", "Deprecated"})
_UNIQUE_ID: Final = re.compile(r"(?:urn:oid:)?[0-2](?:\.[0-9]+){2,}(?:\^[^\s^]{1,64})?", re.ASCII | re.IGNORECASE)
_XML: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*<|\xff\xfe|\xfe\xff|<\x00|\x00<")
_SET: Final = "RegistryPackage"


def provide(message: Message, context: Context, name: str) -> Parsed:
    """Documents that are submitted: one fact for each entry that counts. ``name``: ``ITI-41`` or ``ITI-42``."""
    return _Request(message, context, name).provide()


def update(message: Message, context: Context) -> Parsed:
    """Documents that are taken out (availability status Deleted or Deprecated); any other update says nothing."""
    return _Request(message, context, "ITI-57").update()


class _Request:
    """One request being read."""

    def __init__(self, message: Message, context: Context, name: str) -> None:
        self.message = message
        self.context = context
        self.name = name
        self.flags = list(message.flags)
        self.set = message.registry.submission_set or RegistryObject(_SET, {})
        self.control, self.keys = self._keys()
        self.at = self._utc(self.set.slot("submissionTime"))
        associations = message.registry.associations
        self.replaced = {
            _source(one): one.attributes.get("targetObject", "") for one in associations if _kind(one) in _REPLACES
        }
        self.signing = {_source(one) for one in associations if _kind(one) == _SIGNS}

    def provide(self) -> Parsed:
        facts: list[Document] = []
        for number, entry in enumerate(self.message.registry.entries, 1):
            where = f"ExtrinsicObject[{number}]"
            if entry.signature or entry.id.casefold() in self.signing:
                continue
            if entry.on_demand:
                self.flags.append(Flag("entry-on-demand", where))
                continue
            fact = self._submitted(entry, where, len(facts))
            if fact is not None:
                facts.append(fact)
        if not facts:
            self.flags.append(Flag("no-counted-document", "RegistryObjectList"))
        return self._parsed(facts)

    def update(self) -> Parsed:
        facts: list[Document] = []
        who = self._patient(None)
        at = self.at or self._transport_time()
        for number, one in enumerate(self.message.registry.associations, 1):
            if _kind(one) != _UPDATES or one.slot("NewStatus").rpartition(":")[2] not in _REMOVED:
                continue
            target = one.attributes.get("targetObject", "").strip()
            entry = submissions.entry_id(self.context, target)
            unique_id = target if entry is None and _UNIQUE_ID.fullmatch(target) else ""
            if entry is None and not unique_id:
                self.flags.append(Flag("entry-without-id", f"Association[{number}]/@targetObject"))
                continue
            fact = submissions.document(
                self.context,
                at=at,
                keys=self.keys,
                position=len(facts),
                unique_id=unique_id,
                entry=entry,
                who=who,
                request="deletion",
            )
            if fact is not None:
                facts.append(fact)
        if not facts:
            self.flags.append(Flag("update-without-deletion", "RegistryObjectList"))
        return self._parsed(facts)

    def _submitted(self, entry: RegistryObject, where: str, position: int) -> Document | None:
        unique_id = entry.identifiers.get(ebrim.ENTRY_ID, "")
        content, digest = self._content(entry, where)
        target = self.replaced.get(entry.id.casefold())
        replaces, replaces_entry = self._target(target, where) if target is not None else ("", None)
        created = self._utc(entry.slot("creationTime"))
        fact = submissions.document(
            self.context,
            at=self.at or created or self._transport_time(),
            keys=self.keys,
            position=position,
            unique_id=unique_id,
            who=self._patient(entry, where),
            replaces=replaces,
            replaces_entry=replaces_entry,
            entry=submissions.entry_id(self.context, entry.id),
            digest=digest,
            request="initial" if target is None else "replacement",
            type_code=entry.codes.get(ebrim.TYPE_CODE, ""),
            format_code=entry.codes.get(ebrim.FORMAT_CODE, ""),
            created=created,
            service_start=self._utc(entry.slot("serviceStartTime")),
            service_stop=self._utc(entry.slot("serviceStopTime")),
            content=content,
        )
        if fact is not None and not unique_id:
            self.flags.append(Flag("entry-without-id", f"{where}/ExternalIdentifier"))
        elif fact is not None and fact.alias is not None:
            self.flags.append(Flag("cda-id-differs", f"{where}/ExternalIdentifier"))
        return fact

    def _content(self, entry: RegistryObject, where: str) -> tuple[bytes | memoryview | None, bytes | None]:
        """The attached XML, and the pseudonym of the document's SHA-1: as declared, else of the attached bytes."""
        declared = submissions.sha1(self.context, entry.slot("hash"))
        attached = self.message.attached(entry.id, self.context.max_document_bytes)
        if attached is None or attached.data is None:
            if attached is not None:
                code = "attachment-too-large" if attached.too_large else "attachment-undecodable"
                self.flags.append(Flag(code, where))
            elif self.name == "ITI-41":
                self.flags.append(Flag("attachment-missing", where))
            return None, declared
        content = attached.data if _XML.match(attached.data) is not None else None
        if not attached.whole:  # the digest of what was cut would name another document
            return content, declared
        found = hashlib.sha1(attached.data, usedforsecurity=False).hexdigest()
        measured = submissions.sha1(self.context, found)
        if declared is not None and declared != measured:
            self.flags.append(Flag("hash-differs", f"{where}/Slot"))
        return content, declared or measured

    def _target(self, target: str, where: str) -> tuple[str, bytes | None]:
        """What a replacement names: (a uniqueId, the pseudonym of an entryUUID), one of them at most."""
        entry = submissions.entry_id(self.context, target)
        unique_id = target.strip() if entry is None and _UNIQUE_ID.fullmatch(target.strip()) else ""
        if entry is None and not unique_id:
            self.flags.append(Flag("replaced-document-unknown", where))
        return unique_id, entry

    def _patient(self, entry: RegistryObject | None, where: str = "") -> submissions.Patient:
        """INS of the entry, else of its set, else of the security token; IPP of sourcePatientId, else any number left."""
        of_set = self.set.identifiers.get(ebrim.SET_PATIENT, "")
        own = entry.identifiers.get(ebrim.ENTRY_PATIENT, "") if entry is not None else ""
        if own and of_set:
            mine, theirs = (submissions.patient(self.context, cx) for cx in (own, of_set))
            if (mine.ins, mine.ipp) != (theirs.ins, theirs.ipp):
                self.flags.append(Flag("set-patient-differs", f"{where}/ExternalIdentifier"))
        named = submissions.patient(self.context, own, of_set, self.message.envelope.patient)
        local = submissions.patient(
            self.context, *(entry.slots.get("sourcePatientId", ()) if entry is not None else ())
        )
        if named.ins is not None:
            return submissions.Patient(local.ipp or named.ipp, named.ins, named.ins_root)
        return submissions.Patient(local.ipp or named.ipp, local.ins, local.ins_root)

    def _keys(self) -> tuple[str, tuple[bytes, ...]]:
        """What makes the message itself again, and its keys: MessageID, submission set, correlation id of HTTP."""
        envelope, context = self.message.envelope, self.context
        set_id = self.set.identifiers.get(ebrim.SET_ID, "")
        keys = []
        if envelope.message_id:
            keys.append(submissions.message_key(context, envelope.message_id))
        if set_id:
            keys.append(submissions.set_key(context, set_id))
        else:
            self.flags.append(Flag("submission-set-without-id", _SET))
        if self.message.correlation:
            keys.append(submissions.message_key(context, self.message.correlation))
        control = envelope.message_id or set_id or self.message.correlation
        if not keys:
            self.flags.append(Flag("message-without-id", "Envelope/Header"))
            control = self.message.fingerprint()
            keys.append(submissions.message_key(context, control))
        return control, tuple(dict.fromkeys(keys))

    def _utc(self, text: str) -> int:
        return soap.utc(self.context.zone, text)

    def _transport_time(self) -> int:
        return self.message.envelope.created or http_head.date(self.message.http.headers)

    def _parsed(self, facts: list[Document]) -> Parsed:
        return Parsed(
            sender="",
            receiver="",
            control_id=self.control.encode("utf-8", "replace"),
            at=self.at or next((fact.at for fact in facts if fact.at), 0) or self._transport_time(),
            processing="",
            message=self.name,
            facts=tuple(facts),
            flags=tuple(dict.fromkeys(self.flags)),
        )


def _kind(association: RegistryObject) -> str:
    return association.attributes.get("associationType", "").strip().rpartition(":")[2]


def _source(association: RegistryObject) -> str:
    return association.attributes.get("sourceObject", "").strip().casefold()


def updates(message: Message) -> bool:
    """Whether a request changes a document, or its availability: ITI-57, were its action unknown (ITI TF-2 3.57.4.1.3)."""
    return any(_kind(one) == _UPDATES or one.slot("PreviousVersion") for one in message.registry.associations)
