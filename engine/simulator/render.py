"""Scenario objects to ER7 segments: ADT (PAM-FR), acknowledgements, orders, appointments, classic results.

Everything returns a list of segments as text; line ends and bytes are the traffic's business. Documents are in
``render_documents``, their CDA in ``render_cda``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.simulator.applications import Endpoint
from engine.simulator.patients import Shown

AUTHORITY: Final = "HX&990000001&M"
_STRUCTURES: Final = {
    "A02": "ADT_A02", "A03": "ADT_A03", "A05": "ADT_A05", "A06": "ADT_A06", "A07": "ADT_A06", "A11": "ADT_A09",
    "A12": "ADT_A12", "A14": "ADT_A05", "A15": "ADT_A15", "A16": "ADT_A16", "A21": "ADT_A21", "A22": "ADT_A21",
    "A25": "ADT_A21", "A26": "ADT_A21", "A28": "ADT_A05", "A31": "ADT_A05", "A38": "ADT_A38", "A40": "ADT_A39",
    "A44": "ADT_A43", "A45": "ADT_A45", "A47": "ADT_A30", "A49": "ADT_A30", "A52": "ADT_A52", "A53": "ADT_A52", "A54": "ADT_A54",
}  # fmt: skip
_CONSENT_EVENTS: Final = frozenset({"A01", "A04", "A05", "A28", "A31", "Z99"})
_ORIGIN_EVENTS: Final = frozenset({"A28", "A31"})
_CLASSLESS: Final = frozenset({"A28", "A31", "A40", "A44", "A45", "A47", "A49"})


class Head(NamedTuple):
    """What MSH says, but for its kind."""

    sender: Endpoint
    receiver: Endpoint
    at: str  # local time, YYYYMMDDHHMMSS
    control: str
    charset: str
    processing: str = "P"


@dataclass(slots=True, kw_only=True)
class Adt:
    """One ADT message, whatever application it goes to. Times are epoch seconds, texts are ready to be written."""

    event: str
    recorded: int
    recorded_text: str
    shown: Shown  # the person as PID shows it
    dossier: str = ""
    visit: str = ""
    klass: str = "N"
    unit: str = ""
    label: str = ""
    effect_text: str = ""
    movement: str = ""  # ZBE-1
    action: str = ""  # ZBE-4; "" without ZBE
    historic: str = "N"
    original: str = ""
    nature: str = "HMS"
    entry_text: str = ""
    exit_text: str = ""
    level: str = ""
    preadmission: str = ""
    treatment: str = ""
    closes: str = ""
    death_text: str = ""
    prior: str = ""  # MRG-1
    prior_dossier: str = ""  # MRG-3
    plain_unit: bool = False  # ZBE-7 is the code alone, without the XON structure
    shifted: bool = False  # the ANS sample's fault: an end date in ZBE-3 pushes the rest

    @property
    def ins_root(self) -> int:
        """Last arc of the INS authority that PID-3 shows, 0 without INS."""
        return self.shown.ins_root

    @property
    def qualified(self) -> bool:
        """Whether PID-3, PID-32 and ZFD-4 of this message make a qualified INS (but for the root)."""
        return self.shown.qualified


def fields(name: str, values: dict[int, str]) -> str:
    """A segment from its numbered fields; those not given are empty."""
    row = [""] * (max(values) + 1)
    row[0] = name
    for number, value in values.items():
        row[number] = value
    return "|".join(row).rstrip("|")


def msh(head: Head, kind: str, version: str, profile: str = "", mode: str = "|") -> str:
    """MSH; ``mode`` is MSH-15|MSH-16."""
    start = f"MSH|^~\\&|{head.sender.name}|{head.sender.facility}|{head.receiver.name}|{head.receiver.facility}"
    return f"{start}|{head.at}||{kind}|{head.control}|{head.processing}|{version}|||{mode}|FRA|{head.charset}|FR||{profile}".rstrip(
        "|"
    )


def identifier(value: str, kind: str) -> str:
    """A CX of the hospital's own authority; "" stays empty."""
    return f"{value}^^^{AUTHORITY}^{kind}" if value else ""


def pid(shown: Shown, dossier: str = "", death: str = "") -> str:
    """PID (PAM-FR 2.11): identifiers, birth name, birth place, dossier, death, status."""
    start = f"PID|1||{shown.identifiers}||{shown.name}||{shown.birth}|{shown.sex}|||{shown.address}|||||||"
    dead = f"{death}|Y" if death else "|"
    return f"{start}{identifier(dossier, 'AN')}|||||||||||{dead}|N|{shown.status}".rstrip("|")


def _pv1(message: Adt) -> str:
    values = {1: "1", 2: message.klass, 3: message.unit, 19: identifier(message.visit, "VN"), 21: message.treatment}
    values |= {41: message.closes, 44: message.entry_text, 45: message.exit_text, 51: message.level}
    if message.preadmission:
        values[5] = identifier(message.preadmission, "RI")
    return fields("PV1", values)


def _zbe(message: Adt) -> str:
    end = f"|{message.effect_text}" if message.shifted else ""
    unit = f"{message.label}^^^^^{AUTHORITY}^UF^^^{message.unit}" if message.unit else ""
    if message.plain_unit:
        unit = message.unit
    identity = f"{message.movement}^HX^990000001^M" if message.movement else ""
    what = f"{message.action}|{message.historic}|{message.original}"
    return f"ZBE|{identity}|{message.effect_text}|{end}|{what}|{unit}|{unit}|{message.nature}"


def adt(head: Head, message: Adt) -> list[str]:
    """One ADT: MSH EVN PID [MRG] PV1 [ZBE] [ZFA] [ZFD]."""
    event = message.event
    kind = f"ADT^{event}^{_STRUCTURES.get(event, 'ADT_A01')}"
    segments = [
        msh(head, kind, "2.5^FRA^2.11", "2.11^IHE_FRANCE-2.11-PAM"),
        f"EVN||{message.recorded_text}||||{message.effect_text}".rstrip("|"),
        pid(message.shown, message.dossier, message.death_text),
    ]
    if message.visit and event == "A45":
        segments.append(f"MRG|{message.prior}")
        segments.append(fields("PV1", {1: "1", 2: message.klass, 19: identifier(message.visit, "VN")}))
    elif message.prior or message.prior_dossier:
        segments.append(f"MRG|{message.prior}||{identifier(message.prior_dossier, 'AN')}".rstrip("|"))
    if event not in _CLASSLESS or event in _ORIGIN_EVENTS:
        segments.append("PV1|1|N" if event in _CLASSLESS else _pv1(message))
    if message.action:
        segments.append(_zbe(message))
    shown = message.shown
    if event in _CONSENT_EVENTS and (shown.dmp or shown.feeding):
        seen = message.recorded_text
        segments.append(f"ZFA|{shown.dmp}|{seen if shown.dmp else ''}|||||||{shown.feeding}|{seen}|IC|{seen}")
    if shown.corrected:
        segments.append(f"ZFD|||N|Y|INSI|{message.recorded_text}|CN")
    return segments


def acknowledgement(head: Head, event: str, code: str, control: str, *, bare: bool = False) -> list[str]:
    """A technical acknowledgement: ACK with MSA, and ERR when it refuses; ``bare``: MSH-9 is ACK alone."""
    version = "2.6" if event[0] == "T" or (event[0] == "Z" and event != "Z99") else "2.5"
    segments = [msh(head, "ACK" if bare else f"ACK^{event}^ACK", version), f"MSA|{code}|{control}"]
    if code[1] in "ER":
        segments.append("ERR||PID^1^3|101^Required field missing^messageErrorCondition|E")
    return segments


def order(head: Head, shown: Shown, visit: str, dossier: str, klass: str, number: str, section: str) -> list[str]:
    """An order of the patient record to the laboratory (OML^O21) or the radiology system (ORM^O01)."""
    kind = "OML^O21^OML_O21" if section == "LAB" else "ORM^O01^ORM_O01"
    service = "51990-0^Bilan^LN" if section == "LAB" else "24627-2^Scanner thoracique^LN"
    return [
        msh(head, kind, "2.5"),
        pid(shown, dossier),
        fields("PV1", {1: "1", 2: klass, 19: identifier(visit, "VN")}),
        f"ORC|NW|{number}^DPI|||||||{head.at}|||899999999992^MEDECIN^MAX",
        fields("OBR", {1: "1", 2: f"{number}^DPI", 4: service, 24: section}),
    ]


def appointment(head: Head, shown: Shown, visit: str, dossier: str, number: str, start: str, end: str) -> list[str]:
    """An appointment of the operating theatre (SIU^S12)."""
    what = {
        1: f"{number}^BLOC",
        2: f"{number}^BLOC",
        6: "NEW^Intervention programmée",
        11: f"^^^{start}^{end}",
        25: "Booked",
    }
    return [
        msh(head, "SIU^S12^SIU_S12", "2.5"),
        fields("SCH", what),
        pid(shown, dossier),
        fields("PV1", {1: "1", 2: "I", 19: identifier(visit, "VN")}),
        "RGS|1",
        f"AIL|1||BLOC1^SALLE 2^^HX||||{start}",
    ]


class Result(NamedTuple):
    """A classic result, without document."""

    visit: str
    dossier: str
    klass: str
    placer: str
    filler: str
    section: str  # LAB or RAD
    observed: str
    reported: str
    status: str  # F or P


def result(head: Head, shown: Shown, what: Result) -> list[str]:
    """A classic ORU^R01 of the laboratory (values) or of the radiology system (text)."""
    lab = what.section == "LAB"
    service = "51990-0^Bilan^LN" if lab else "24627-2^Scanner thoracique^LN"
    numbers = {2: f"{what.placer}^DPI", 3: f"{what.filler}^{head.sender.name}"}
    observation = {1: "1", 4: service, 7: what.observed, 22: what.reported, 24: what.section, 25: what.status}
    if lab:
        values = [
            f"OBX|1|NM|2823-3^Potassium^LN||4.1|mmol/L^^UCUM|3.5-5.1|N|||{what.status}|||{what.observed}",
            f"OBX|2|NM|2951-2^Sodium^LN||139|mmol/L^^UCUM|136-145|N|||{what.status}|||{what.observed}",
        ]
    else:
        values = [
            f"OBX|1|FT|18782-3^Compte rendu^LN||Pas d'anomalie décelée.\\.br\\Conclusion : examen normal.||||||{what.status}"
        ]
    return [
        msh(head, "ORU^R01^ORU_R01", "2.5"),
        pid(shown, what.dossier),
        fields("PV1", {1: "1", 2: what.klass, 19: identifier(what.visit, "VN")}),
        fields("ORC", {1: "RE", **numbers}),
        fields("OBR", observation | numbers),
        *values,
    ]
