"""METADATA.XML of an XDM archive: document entries and submission sets, as they were written.

IHE ITI TF-2 3.32 and TF-3 4.2 (metadata), read with the same registry objects as the traces of the DMP (``engine.parsers.ebrim``): any
prefix, and whatever stands around the objects (a bare SubmitObjectsRequest, a ProvideAndRegister request, a SOAP envelope).

The French metadata "action" (D: the mail asks to delete the document, C: it replaces another) has no published ebRIM syntax: a slot
or a classification whose name ends with "action" is taken for it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct

from engine.errors import ParseError
from engine.parsers import ebrim, identifiers, soap_reader
from engine.parsers.ebrim import RegistryObject

CODES: Final[dict[str, str]] = {
    "xdm-metadata-doctype": "METADATA.XML has a DOCTYPE, which is never expanded; it describes no document.",
    "xdm-metadata-malformed": "METADATA.XML is not well-formed, cut, or not in UTF-8; its documents cannot be told.",
    "xdm-metadata-too-large": "METADATA.XML has more elements, objects or levels than any real one; it was not read to its end.",
}
"""Every code that :func:`read` raises, and what it means."""

SET_SOURCE: Final = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
AUTHOR: Final = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"

_TOO_LARGE: Final = frozenset({"soap-too-deep", "soap-too-large", "registry-too-large"})
_PASSED: Final = frozenset({"ValueList", "Name"})
_INSIDE: Final = (["ExtrinsicObject"], ["RegistryPackage"], ["Association"])
_REPLACES: Final = frozenset({"RPLC", "XFRM_RPLC"})
_COPIES: Final = frozenset({"XFRM", "XFRM_RPLC"})
_ACTION: Final = "action"
_ACTIONS: Final = {"D": "D", "S": "D", "C": "C"}
_OID: Final = re.compile(r"(?:urn:oid:)?[0-2](?:\.[0-9]+){2,}(?:\^[^\s^]{1,64})?", re.ASCII | re.IGNORECASE)


class Entry(Struct, frozen=True):
    """A document entry. Every text is as written, "" when it is absent; OIDs are without ``urn:oid:``."""

    number: int  # its rank in METADATA.XML, from 1
    id: str
    object_type: str
    mime_type: str  # lower case, without parameters
    unique_id: str
    hash: str
    size: str
    uri: str
    patient: str  # CX
    source_patient: str  # CX, the first
    type_code: str
    type_system: str
    class_code: str
    format_code: str
    created: str  # DTM in UTC
    service_start: str
    institutions: tuple[str, ...]  # identifiers of the author's institutions (XON-10)
    action: str  # "D", "C" or ""
    replaces: str  # uniqueId of the document that an association says it replaces
    copy_of: str  # id of the entry that an association says it is made from
    signature: bool  # of the lot: never a document
    on_demand: bool
    member: bool  # an association puts it in a submission set

    def __repr__(self) -> str:
        return f"Entry({self.number})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # rich would print every field
        return [("number", self.number)]


class SubmissionSet(Struct, frozen=True):
    """A submission set. ``patient`` is a CX, ``at`` a DTM in UTC; "" when absent."""

    unique_id: str
    patient: str
    source_id: str
    at: str
    action: str = ""  # "D", "C" or ""

    def __repr__(self) -> str:
        return "SubmissionSet()"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Metadata(Struct, frozen=True):
    """What one METADATA.XML describes."""

    entries: tuple[Entry, ...]
    sets: tuple[SubmissionSet, ...]


class _Registry(ebrim.Registry):
    """Hears besides: coding systems, institutions of authors, the action, and classifications that stand beside their object."""

    __slots__ = ("_about", "_code", "_scheme", "_unread", "actions", "codes", "institutions", "systems")

    def __init__(self) -> None:
        super().__init__()
        # By object: its identity while it is open, else the id that a classification beside it names.
        self.codes: dict[tuple[int | str, str], str] = {}
        self.systems: dict[tuple[int | str, str], str] = {}
        self.institutions: dict[int | str, list[str]] = {}
        self.actions: dict[int | str, str] = {}
        self._about: int | str = ""
        self._scheme = self._code = ""  # of the classification that is open
        self._unread = ""  # name of the slot that is open, when the registry does not read it

    def start(self, path: list[str], attributes: dict[str, str], place: int) -> bool:
        """See :class:`engine.parsers.soap_reader.Sink`."""
        name = path[-1]
        if name == "Value":
            return self._slot is not None or bool(self._unread)
        if name in _PASSED:  # half of all elements
            return False
        wanted = super().start(path, attributes, place)
        if name == "Classification":
            self._scheme = attributes.get("classificationScheme", "").strip().lower()
            self._code = attributes.get("nodeRepresentation", "").strip()
            if path[-2:-1] in _INSIDE:
                self._about = id(self._object[-1])
            else:
                self._about = attributes.get("classifiedObject", "").strip()
                self.codes.setdefault((self._about, self._scheme), self._code)
            if self._scheme.endswith(_ACTION):
                self._act(self._code)
        elif name == "LocalizedString":
            label = attributes.get("value", "").strip().lower()
            if path[-3:-1] == ["Classification", "Name"] and label.endswith(_ACTION):
                self._act(self._code)
        elif name == "Slot":
            if path[-2:-1] in _INSIDE:
                self._about = id(self._object[-1])
            self._unread = attributes.get("name", "").strip() if self._slot is None else ""
        return wanted

    def end(self, path: list[str], text: str, place: int) -> None:
        """See :class:`engine.parsers.soap_reader.Sink`."""
        name = path[-1]
        if name in _PASSED:
            return
        if name == "Value" and self._unread:
            self._heard(text.strip(), inside=path[-4:-3] == ["Classification"])
            return
        if name == "Slot":
            self._unread = ""
        super().end(path, text, place)

    def _heard(self, text: str, *, inside: bool) -> None:
        if self._unread.lower().endswith(_ACTION):
            self._act(text)
        elif inside and self._unread == "codingScheme":
            self.systems.setdefault((self._about, self._scheme), identifiers.root(text))
        elif inside and self._unread == "authorInstitution" and self._scheme == AUTHOR:
            self.institutions.setdefault(self._about, []).append(_institution(text))

    def _act(self, code: str) -> None:
        action = _ACTIONS.get(code.strip().upper())
        if action is not None:
            self.actions.setdefault(self._about, action)

    def code(self, one: RegistryObject, scheme: str) -> tuple[str, str]:
        """Code and coding system of an object under a scheme, "" when absent."""
        code = one.codes.get(scheme, "") or self.codes.get((one.id, scheme), "")
        return code, self.systems.get((id(one), scheme), "") or self.systems.get((one.id, scheme), "")

    def action(self, one: RegistryObject) -> str:
        """What the mail asks for an object: "D", "C" or ""."""
        return self.actions.get(id(one), "") or self.actions.get(one.id, "")


def read(data: bytes) -> Metadata:
    """Read one METADATA.XML. Raises :class:`ParseError` with a code of :data:`CODES` at a byte, and nothing else."""
    registry = _Registry()
    try:
        soap_reader.walk(data, registry)
    except ParseError as error:
        if error.code == "soap-doctype":
            code = "xdm-metadata-doctype"
        else:
            code = "xdm-metadata-too-large" if error.code in _TOO_LARGE else "xdm-metadata-malformed"
        raise ParseError(code, error.where) from None
    sets = registry.submission_sets
    ties = _Ties(registry, {one.id for one in sets})
    return Metadata(
        entries=tuple(_entry(number, one, registry, ties) for number, one in enumerate(registry.entries, 1)),
        sets=tuple(
            SubmissionSet(
                unique_id=one.identifiers.get(ebrim.SET_ID, ""),
                patient=one.identifiers.get(ebrim.SET_PATIENT, ""),
                source_id=one.identifiers.get(SET_SOURCE, ""),
                at=one.slot("submissionTime"),
                action=registry.action(one),
            )
            for one in sets
        ),
    )


class _Ties:
    """What the associations say, by the id of the entry that they are about."""

    def __init__(self, registry: ebrim.Registry, sets: set[str]) -> None:
        self.members: set[str] = set()
        self.replaced: dict[str, str] = {}
        self.copied: dict[str, str] = {}
        self.signing: set[str] = set()
        for one in registry.associations:
            kind = one.attributes.get("associationType", "").strip().rpartition(":")[2]
            source = one.attributes.get("sourceObject", "").strip()
            target = one.attributes.get("targetObject", "").strip()
            if kind == "HasMember" and source in sets:
                self.members.add(target)
            elif kind == "signs":
                self.signing.add(source)
            if kind in _REPLACES and _OID.fullmatch(target):
                self.replaced[source] = target
            if kind in _COPIES:
                self.copied[source] = target


def _entry(number: int, one: RegistryObject, registry: _Registry, ties: _Ties) -> Entry:
    type_code, type_system = registry.code(one, ebrim.TYPE_CODE)
    institutions = registry.institutions.get(id(one), []) + registry.institutions.get(one.id, [])
    return Entry(
        number=number,
        id=one.id,
        object_type=one.attributes.get("objectType", "").strip(),
        mime_type=one.attributes.get("mimeType", "").partition(";")[0].strip().lower(),
        unique_id=one.identifiers.get(ebrim.ENTRY_ID, ""),
        hash=one.slot("hash"),
        size=one.slot("size"),
        uri=one.slot("URI"),
        patient=one.identifiers.get(ebrim.ENTRY_PATIENT, ""),
        source_patient=one.slot("sourcePatientId"),
        type_code=type_code,
        type_system=type_system,
        class_code=registry.code(one, ebrim.CLASS_CODE)[0],
        format_code=registry.code(one, ebrim.FORMAT_CODE)[0],
        created=one.slot("creationTime"),
        service_start=one.slot("serviceStartTime"),
        institutions=tuple(dict.fromkeys(filter(None, institutions))),
        action=registry.action(one),
        replaces=ties.replaced.get(one.id, ""),
        copy_of=ties.copied.get(one.id, ""),
        signature=one.signature or one.id in ties.signing,
        on_demand=one.on_demand,
        member=one.id in ties.members,
    )


def identifier(cx: str) -> tuple[str, str]:
    """Root and value of a CX (``id^^^&oid&ISO^type``), the value in upper case; a birth date may follow (DMP)."""
    parts = cx.split("^")
    authority = (parts[3] if len(parts) > 3 else "").split("&")
    return identifiers.root(authority[1] if len(authority) > 1 else ""), "".join(parts[0].split()).upper()


def _institution(xon: str) -> str:
    """The identifier of an XON: its tenth component."""
    parts = xon.split("^")
    return parts[9].strip() if len(parts) > 9 else ""
