"""ebRIM metadata of XDS, as events: document entries, submission set, associations, answers of a registry.

IHE ITI TF-3 sections 4.2 (metadata) and 4.2.4 (error codes). Only what is declared here is kept; above all, nothing is read of
``sourcePatientInfo``, of authors, of titles, nor of the free texts of an error.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from engine.errors import ParseError

CODES: Final[dict[str, str]] = {
    "registry-too-large": "More than 20,000 registry objects in one message; ask for less, or look at who sends this.",
}
"""Every code that :class:`Registry` raises, and what it means."""

REJECTIONS: Final = frozenset(CODES)

MAX_OBJECTS: Final = 20_000

TYPE_CODE: Final = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
CLASS_CODE: Final = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
FORMAT_CODE: Final = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
ENTRY_PATIENT: Final = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
ENTRY_ID: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
SET_PATIENT: Final = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_ID: Final = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
ON_DEMAND: Final = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"

_SIGNATURE_TYPE: Final = "E1762"
_SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
_SIGNATURE_CLASS: Final = "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"

_SLOTS: Final = frozenset(
    {
        "creationTime",
        "serviceStartTime",
        "serviceStopTime",
        "sourcePatientId",
        "hash",
        "size",
        "URI",
        "submissionTime",
        "OriginalStatus",
        "NewStatus",
        "SubmissionSetStatus",
        "PreviousVersion",
    }
)
_OBJECTS: Final = frozenset({"ExtrinsicObject", "RegistryPackage", "Association"})
_RESPONSES: Final = frozenset({"RegistryResponse", "AdhocQueryResponse"})


class RegistryObject(Struct):
    """One object: its XML attributes, slots (name -> values), codes (scheme -> code) and identifiers (scheme -> value), in clear."""

    name: str  # ExtrinsicObject, RegistryPackage or Association
    attributes: dict[str, str]
    slots: dict[str, list[str]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)  # what the object is classified as

    @property
    def id(self) -> str:
        """The id in its message: symbolic, or an entryUUID."""
        return self.attributes.get("id", "").strip()

    def slot(self, name: str) -> str:
        """First value of a slot, empty when it is absent."""
        return next((value for value in self.slots.get(name, ()) if value), "")

    @property
    def signature(self) -> bool:
        """Whether an entry is the signature of its lot (CI-SIS, DMP): it is never counted."""
        return (
            self.codes.get(TYPE_CODE) == _SIGNATURE_TYPE
            or self.codes.get(CLASS_CODE) == _SIGNATURE_CLASS
            or _SIGNATURE in (self.codes.get(FORMAT_CODE), self.attributes.get("mimeType"))
        )

    @property
    def on_demand(self) -> bool:
        """Whether an entry promises a document that is made when it is asked for."""
        return self.attributes.get("objectType", "").strip().lower() == ON_DEMAND

    def __repr__(self) -> str:
        return f"RegistryObject({self.name!r})"


class Attachment(Struct):
    """A ``Document`` of a request: the ``cid:`` of its part, or the span of its inline base64 with its own tags."""

    id: str
    start: int
    end: int = 0
    href: str = ""

    def __repr__(self) -> str:
        return f"Attachment({self.start}, {self.end})"


class Registry:
    """Hears a walk (``engine.parsers.soap_reader``) and keeps the registry objects, the attachments and the answer."""

    __slots__ = (
        "_loose",
        "_object",
        "_slot",
        "associations",
        "attachments",
        "entries",
        "errors",
        "packages",
        "status",
    )

    def __init__(self) -> None:
        self.entries: list[RegistryObject] = []
        self.packages: list[RegistryObject] = []
        self.associations: list[RegistryObject] = []
        self.attachments: list[Attachment] = []
        self.status = ""  # of a RegistryResponse or an AdhocQueryResponse
        self.errors: list[tuple[str, str]] = []  # (errorCode, severity), last parts of both
        self._object: list[RegistryObject] = []  # those that are open: a package may hold others
        self._slot: list[str] | None = None
        self._loose: dict[str, set[str]] = {}  # classifications that stand beside their object

    def __repr__(self) -> str:
        return f"Registry({len(self.entries)} entries, {len(self.attachments)} attachments)"

    @property
    def submission_sets(self) -> list[RegistryObject]:
        """The packages that have the uniqueId of a submission set or are classified as one; a folder is a package too."""
        return [
            package
            for package in self.packages
            if SET_ID in package.identifiers or SET_NODE in package.nodes | self._loose.get(package.id, set())
        ]

    @property
    def submission_set(self) -> RegistryObject | None:
        """The submission set, the first if there are several."""
        return next(iter(self.submission_sets), None)

    def start(self, path: list[str], attributes: dict[str, str], place: int) -> bool:
        """See :class:`engine.parsers.soap_reader.Sink`."""
        name = path[-1]
        if name in _OBJECTS:
            self._open(name, attributes, place)
        elif name == "Slot":
            self._slot = None
            # A classification has slots of its own (codingScheme, the author's).
            if self._object and path[-2] == self._object[-1].name and attributes.get("name") in _SLOTS:
                self._slot = self._object[-1].slots.setdefault(attributes["name"], [])
        elif name == "Value":
            return self._slot is not None
        elif name == "Classification":
            self._classify(attributes, inside=bool(self._object) and path[-2] == self._object[-1].name)
        elif name == "ExternalIdentifier":
            if self._object:
                scheme = attributes.get("identificationScheme", "").strip().lower()
                self._object[-1].identifiers.setdefault(scheme, attributes.get("value", "").strip())
        elif name == "Document":
            self._count(place)
            self.attachments.append(Attachment(attributes.get("id", "").strip(), place))
        elif name == "Include" and path[-2:-1] == ["Document"] and self.attachments:
            self.attachments[-1].href = attributes.get("href", "").strip()
        elif name == "RegistryError":
            self._count(place)
            self.errors.append((_last(attributes.get("errorCode", "")), _last(attributes.get("severity", ""))))
        elif name in _RESPONSES and not self.status:
            self.status = _last(attributes.get("status", ""))
        return False

    def end(self, path: list[str], text: str, place: int) -> None:
        """See :class:`engine.parsers.soap_reader.Sink`."""
        name = path[-1]
        if name == "Value" and self._slot is not None:
            self._slot.append(text.strip())
        elif name == "Slot":
            self._slot = None
        elif name in _OBJECTS:
            self._object.pop()
        elif name == "Document" and self.attachments:
            self.attachments[-1].end = place

    def _open(self, name: str, attributes: dict[str, str], place: int) -> None:
        self._count(place)
        found = RegistryObject(name, attributes)
        if name == "ExtrinsicObject":
            self.entries.append(found)
        elif name == "RegistryPackage":
            self.packages.append(found)
        else:
            self.associations.append(found)
        self._object.append(found)

    def _classify(self, attributes: dict[str, str], *, inside: bool) -> None:
        node = attributes.get("classificationNode", "").strip().lower()
        if node and inside:
            self._object[-1].nodes.add(node)
        elif node:
            self._loose.setdefault(attributes.get("classifiedObject", "").strip(), set()).add(node)
        elif inside:
            scheme = attributes.get("classificationScheme", "").strip().lower()
            self._object[-1].codes.setdefault(scheme, attributes.get("nodeRepresentation", "").strip())

    def _count(self, place: int) -> None:
        total = len(self.entries) + len(self.packages) + len(self.associations)
        if total + len(self.attachments) + len(self.errors) >= MAX_OBJECTS:
            raise ParseError("registry-too-large", f"byte {place}")


def _last(text: str) -> str:
    """The last part of a status, a severity or an error code written as a URN."""
    return text.strip().rpartition(":")[2]
