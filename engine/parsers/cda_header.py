"""What is read in the header of a CDA: one table of paths, each with what to do when the element opens.

Sources: CI-SIS "Structuration minimale" 3.3-3.5 (elements, cardinalities), CDA R2 4.2. Elements that are not in the table are
passed over with all they contain: a consumer must ignore what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

NAMESPACE: Final = "urn:hl7-org:v3"
_PREFIX: Final = f"{NAMESPACE} "  # expat gives "namespace name"

Attributes = dict[str, str]
Pair = tuple[str, str]


class Found:
    """What the header says, as it was written; one attribute per element of interest."""

    __slots__ = (
        "accessions",
        "birth_time",
        "code",
        "code_system",
        "confidentiality",
        "counties",
        "created",
        "custodians",
        "encounter_code",
        "encounter_high",
        "encounter_low",
        "encounters",
        "events",
        "gender",
        "ids",
        "media_type",
        "names",
        "non_xml",
        "orders",
        "parents",
        "patients",
        "qualifier",
        "recipient_ids",
        "recipient_mails",
        "recipients",
        "records",
        "relation",
        "representation",
        "set_ids",
        "structured",
        "templates",
        "text",
        "version",
    )

    def __init__(self) -> None:
        self.templates: list[Pair] = []
        self.ids: list[Pair] = []
        self.code = self.code_system = self.created = self.confidentiality = self.version = ""
        self.set_ids: list[Pair] = []
        self.records = 0
        self.patients: list[Pair] = []
        self.names: list[tuple[str, str]] = []  # (part, qualifier) of the name parts that hold a text
        self.counties = 0
        self.gender = self.birth_time = ""
        self.custodians: list[Pair] = []
        self.recipient_ids: list[Pair] = []
        self.recipient_mails: list[str] = []
        self.recipients: list[tuple[int, int]] = []  # how many identifiers and addresses came before each
        self.orders: list[Pair] = []
        self.accessions: list[Pair] = []
        self.events: list[list[str]] = []  # [low, high] of each service event
        self.relation = ""
        self.parents: list[tuple[str, str, str]] = []
        self.encounters: list[Pair] = []
        self.encounter_code = self.encounter_low = self.encounter_high = ""
        self.structured = self.non_xml = 0
        self.media_type = self.representation = ""
        self.text = self.qualifier = ""  # the name part that is open


Action = Callable[[Found, Attributes], None]
Node = tuple[Action | None, dict[str, "Node"]]
Tree = dict[str, Node]

TEXT: Final[Tree] = {}
"""Marks an element whose text matters: compared by identity."""


def _pair(attributes: Attributes) -> Pair | None:
    root = attributes.get("root", "")
    extension = attributes.get("extension", "")
    return (root, extension) if root or extension else None


def _into(name: str) -> Action:
    """Append the (root, extension) of an identifier to a list; ``nullFlavor`` alone is no identifier."""

    def action(found: Found, attributes: Attributes) -> None:
        pair = _pair(attributes)
        if pair is not None:
            getattr(found, name).append(pair)

    return action


def _value(name: str, attribute: str = "value") -> Action:
    """Keep the first non-empty value of an attribute."""

    def action(found: Found, attributes: Attributes) -> None:
        value = attributes.get(attribute)
        if value and not getattr(found, name):
            setattr(found, name, value.strip())

    return action


def _code(found: Found, attributes: Attributes) -> None:
    if not found.code:
        found.code = attributes.get("code", "").strip()
        found.code_system = attributes.get("codeSystem", "").strip()


def _record(found: Found, attributes: Attributes) -> None:
    found.records += 1


def _part(part: str) -> Action:
    def action(found: Found, attributes: Attributes) -> None:
        found.text = part
        found.qualifier = "" if "nullFlavor" in attributes else attributes.get("qualifier", "")

    return action


def _recipient(found: Found, attributes: Attributes) -> None:
    found.recipients.append((len(found.recipient_ids), len(found.recipient_mails)))


def _mail(found: Found, attributes: Attributes) -> None:
    value = attributes.get("value", "").strip()
    scheme, _, address = value.partition(":")
    if scheme.lower() == "mailto" and "@" in address:
        found.recipient_mails.append(address.partition("?")[0].strip().lower())
    elif "@" in value and ":" not in value:
        found.recipient_mails.append(value.lower())


def _event(found: Found, attributes: Attributes) -> None:
    found.events.append(["", ""])


def _event_time(place: int) -> Action:
    def action(found: Found, attributes: Attributes) -> None:
        if found.events and not found.events[-1][place]:
            found.events[-1][place] = attributes.get("value", "").strip()

    return action


def _event_point(found: Found, attributes: Attributes) -> None:
    if attributes.get("value"):  # a point in time instead of an interval
        _event_time(0)(found, attributes)


def _encounter_point(found: Found, attributes: Attributes) -> None:
    if attributes.get("value") and not found.encounter_low:
        found.encounter_low = attributes["value"].strip()


def _relation(found: Found, attributes: Attributes) -> None:
    found.relation = attributes.get("typeCode", "").strip().upper()


def _parent(found: Found, attributes: Attributes) -> None:
    pair = _pair(attributes)
    if pair is not None:
        found.parents.append((found.relation, *pair))


_TABLE: Final[dict[str, Action | None]] = {
    "templateId": _into("templates"),
    "id": _into("ids"),
    "code": _code,
    "effectiveTime": _value("created"),
    "confidentialityCode": _value("confidentiality", "code"),
    "setId": _into("set_ids"),
    "versionNumber": _value("version"),
    "recordTarget": _record,
    "recordTarget/patientRole/id": _into("patients"),
    "recordTarget/patientRole/patient/name/family": _part("family"),
    "recordTarget/patientRole/patient/name/given": _part("given"),
    "recordTarget/patientRole/patient/administrativeGenderCode": _value("gender", "code"),
    "recordTarget/patientRole/patient/birthTime": _value("birth_time"),
    "recordTarget/patientRole/patient/birthplace/place/addr/county": _part("county"),
    "custodian/assignedCustodian/representedCustodianOrganization/id": _into("custodians"),
    "informationRecipient/intendedRecipient": _recipient,
    "informationRecipient/intendedRecipient/id": _into("recipient_ids"),
    "informationRecipient/intendedRecipient/receivedOrganization/id": _into("recipient_ids"),
    "informationRecipient/intendedRecipient/telecom": _mail,
    "informationRecipient/intendedRecipient/receivedOrganization/telecom": _mail,
    "inFulfillmentOf/order/id": _into("orders"),
    "documentationOf/serviceEvent": _event,
    "documentationOf/serviceEvent/effectiveTime": _event_point,
    "documentationOf/serviceEvent/effectiveTime/low": _event_time(0),
    "documentationOf/serviceEvent/effectiveTime/high": _event_time(1),
    "relatedDocument": _relation,
    "relatedDocument/parentDocument/id": _parent,
    "componentOf/encompassingEncounter/id": _into("encounters"),
    "componentOf/encompassingEncounter/code": _value("encounter_code", "code"),
    "componentOf/encompassingEncounter/effectiveTime": _encounter_point,
    "componentOf/encompassingEncounter/effectiveTime/low": _value("encounter_low"),
    "componentOf/encompassingEncounter/effectiveTime/high": _value("encounter_high"),
}
_TEXTS: Final = frozenset(path for path in _TABLE if path.endswith(("/family", "/given", "/county")))


def _tree() -> Tree:
    """The table as nested dictionaries, by the names that expat gives."""
    top: Tree = {}
    for path, action in _TABLE.items():
        steps = path.split("/")
        level = top
        for index, step in enumerate(steps):
            last = index == len(steps) - 1
            name = _PREFIX + step
            if name not in level:
                level[name] = (action if last else None, TEXT if last and path in _TEXTS else {})
            elif last:
                level[name] = (action, level[name][1])
            level = level[name][1]
    # Accession numbers of imaging orders: DICOM PS3.20 extension, in its own namespace.
    order = top[_PREFIX + "inFulfillmentOf"][1][_PREFIX + "order"][1]
    order["urn:dicom-org:ps3-20 accessionNumber"] = (_into("accessions"), {})
    return top


HEADER: Final[Tree] = _tree()
"""Children of ClinicalDocument that are read; the body is the business of ``engine.parsers.cda``."""


def close_text(found: Found, text: str) -> None:
    """A name part or a county closes: keep that it held something, never what."""
    if text.strip():
        if found.text == "county":
            found.counties += 1
        else:
            for qualifier in found.qualifier.upper().split() or [""]:
                found.names.append((found.text, qualifier))
    found.text = found.qualifier = ""
