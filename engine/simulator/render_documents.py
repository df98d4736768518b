"""Documents in HL7 (CI-SIS volet, versions 2.1, 2.0 and 1.2): MDM, ORU, the platform's business acknowledgements (ZAM)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from engine.simulator.correspondents import Receiver
from engine.simulator.patients import Shown
from engine.simulator.render import Head, fields, identifier, msh, pid
from engine.simulator.render_cda import LABELS

VOLETS: Final = {"2.1": "2.1^CISIS_CDA_HL7_V2", "2.0": "2.0^CISIS_CDA_HL7_V2", "1.2": "1.2^CISIS_CDA_HL7_V1"}
INCOMING: Final = "1.1^CISIS_CDA_HL7_LPS"
TELERADIOLOGY: Final = "1.0^CISIS_TLR_HL7_V2"
EVENTS: Final = {"initial": "T02", "replacement": "T10", "deletion": "T04"}
_CONTROLS: Final = {"initial": "NW", "replacement": "RO", "deletion": "CA"}
_STATUSES: Final = {"initial": "F", "replacement": "C", "deletion": "D"}
_FLAGS: Final = (
    ("MASQUE_PS", "Masqué aux professionnels de Santé"),
    ("INVISIBLE_PATIENT", "Document Non Visible par le patient"),
    ("INVISIBLE_REP_LEGAUX", "Non visible par les représentants Légaux du patient"),
    ("CONNEXION_SECRETE", "Connexion Secrete"),
    ("MODIF_CONF_CODE", "Modification Confidentiality Code"),
    ("DESTDMP", "Destinataire DMP"),
    ("DESTMSSANTEPS", "Destinataire (PS)"),
    ("DESTMSSANTEPAT", "Destinataire Patient"),
    ("ACK_RECEPTION", "Accusé de réception"),
    ("ACK_LECTURE_MSS", "Accusé de lecture"),
)
_OLD_NAMES: Final = {
    "INVISIBLE_REP_LEGAUX": "INVISIBLE_REPRENSANTS_LEGAUX",
    "MODIF_CONF_CODE": "MODIF_CONFIDENTIALITYCODE",
}
_ZAM: Final = {
    "Z01": ("ACK_RECEPTION_DMP", "Accusé de réception DMP"),
    "Z02": ("ACK_RECEPTION_MSS", "Accusé de réception MSSanté"),
    "Z03": ("ACK_LECTURE_MSS", "Accusé de lecture"),
}
SUBMISSION_SET: Final = "SUBMISSION_SET"
"""Code of the OBX in which a sender that decides it writes the submission set."""
DOCTOR_BOX: Final = "max.medecin@exemple.mssante.fr"
_BODY: Final = b64encode("Cher confrère, vous trouverez ci-joint le document d'essai.".encode()).decode()


@dataclass(slots=True, kw_only=True)
class Carried:
    """One message that carries one document, or two renderings of it (N1 and N3, in an ORU)."""

    volet: str  # 2.1, 2.0, 1.2
    mdm: bool
    request: str  # initial, replacement, deletion
    type_code: str
    payloads: tuple[str, ...]  # the CDA texts, or anything else that will not be readable
    shown: Shown
    visit: str
    dossier: str
    klass: str
    entry_text: str
    created_text: str
    identity: str  # TXA-12
    parent: str  # TXA-13
    placer: str
    filler: str
    dmp: str  # DESTDMP: Y, N, "" when the flag is absent
    professional: bool  # DESTMSSANTEPS
    patient: bool  # DESTMSSANTEPAT
    acknowledge: bool  # ACK_RECEPTION
    reading: bool  # ACK_LECTURE_MSS
    receivers: tuple[Receiver, ...] = ()
    citizen: str = ""  # the address of the patient, where it is written to
    body: bool = False  # with the text of the mail
    submission_set: str = ""  # uniqueId of the submission set, where the sender decides it


def document(head: Head, what: Carried) -> list[str]:
    """The whole message, in the dialect of its version of the volet."""
    old = what.volet != "2.1"
    kind = f"MDM^{EVENTS[what.request]}^MDM_T02" if what.mdm else "ORU^R01^ORU_R01"
    if what.mdm and head.control.endswith("07"):  # seen: MSH-9 written twice over
        kind = f"MDM^{EVENTS[what.request]}^{kind}"
    segments = [msh(head, kind, "2.6" if what.mdm else "2.5", VOLETS[what.volet])]
    if what.mdm:
        segments.append(f"EVN||{head.at}")
    segments.append(pid(what.shown, what.dossier))
    segments.append(fields("PV1", {1: "1", 2: what.klass, 19: identifier(what.visit, "VN"), 44: what.entry_text}))
    if what.shown.corrected:
        segments.append(f"ZFD|||N|Y|INSI|{head.at}|CN")
    label = f"{what.type_code}^{LABELS[what.type_code]}^LN"
    exam = "51990-0^Bilan^LN" if what.volet == "1.2" and not what.mdm else label
    if not (what.mdm and old):
        numbers = {
            2: f"{what.placer}^DPI" if what.placer else "",
            3: f"{what.filler}^{head.sender.name}" if what.filler else "",
        }
        segments.append(fields("ORC", {1: "SC" if old else _CONTROLS[what.request], **numbers}))
        times = {7: what.created_text, 22: what.created_text} if not what.mdm else {}
        segments.append(fields("OBR", {1: "1", **numbers, 4: exam, 25: "" if what.mdm else "F"} | times))
    if what.mdm:
        segments.append(_txa(what, old))
    for index, payload in enumerate(what.payloads):
        data = b64encode(payload.encode()).decode()
        form = "text" if what.mdm else "TEXT"
        segments.append(f"OBX|{index + 1}|ED|{exam}||^{form}^XML^Base64^{data}||||||{_STATUSES[what.request]}")
        segments += _participants(head, what, old)
    return segments + _flags(what, len(what.payloads))


def _txa(what: Carried, old: bool) -> str:
    values = {1: "1", 2: what.type_code, 3: "TEXT", 4: what.created_text, 12: what.identity, 13: what.parent}
    return fields("TXA", values | {17: "LA" if old else "AU"})


def _participants(head: Head, what: Carried, old: bool) -> list[str]:
    system = "HL70912" if old else "participation"
    doctor = "899999999992^MEDECIN^MAX^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    if what.volet == "1.2":
        return [f"PRT||UC||REPLY^Reply To|||||||||||^^X.400^{DOCTOR_BOX}"]
    place = f"{head.sender.name} HX^^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^990000019"
    segments = [f"PRT||UC||SB^Send by^{system}|{doctor}|||{place}"]
    segments += [_receiver(each, system) for each in what.receivers]
    if what.citizen:
        number, name = what.shown.matricule, what.shown.name.split("^")
        person = (
            f"{number}^{name[0]}^{name[1]}^^^^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.{what.shown.ins_root}&ISO^L^^^INS"
        )
        segments.append(f"PRT||UC||RCT^Result Copies To^{system}|{person}||||||||||^^X.400^{what.citizen}")
    return segments


def _receiver(who: Receiver, system: str) -> str:
    values = {2: "", 3: "UC", 4: f"RCT^Result Copies To^{system}", 15: f"^^X.400^{who.address}" if who.address else ""}
    if who.structure:
        values[8] = f"CH VOISIN^^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^{who.number}"
    else:
        values[5] = f"{who.number}^DESTINATAIRE^SACHA^^^^^^ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    return fields("PRT", {number: value for number, value in values.items() if value})


def _flags(what: Carried, documents: int) -> list[str]:
    values = {"DESTDMP": what.dmp, "DESTMSSANTEPS": _yes(what.professional), "DESTMSSANTEPAT": _yes(what.patient)}
    values |= {"ACK_RECEPTION": _yes(what.acknowledge), "ACK_LECTURE_MSS": _yes(what.reading)}
    kind = "CWE" if what.mdm else "CE"
    system = {"2.1": "^MetaDMPMSS", "2.0": "^MetaDMPMSS", "1.2": ""}[what.volet]
    answer = {"2.1": "^^expandedYes-NoIndicator", "2.0": "^^HL70136", "1.2": ""}[what.volet]
    mail = f"|ED|CORPSMAIL_PS^Corps du mail pour un PS{system}||^text^^Base64^{_BODY}||||||F"
    rows: list[str] = []
    for code, label in _FLAGS:
        value = values.get(code, "N")
        if code.startswith("ACK_"):
            if what.volet == "1.2":
                continue
            if what.volet == "2.0" and code == "ACK_RECEPTION" and what.body:
                rows.append(mail)
        if not value:
            continue
        name = _OLD_NAMES.get(code, code) if what.volet == "1.2" else code
        rows.append(f"|{kind}|{name}^{label}{system}||{value}{answer}||||||F")
    if what.volet == "2.1" and what.body:
        rows.append(mail)
    if what.submission_set:
        rows.append(f"|ST|{SUBMISSION_SET}^Identifiant du lot^MetaDMPMSS||{what.submission_set}||||||F")
    return [f"OBX|{documents + 1 + index}{row}" for index, row in enumerate(rows)]


def _yes(value: bool) -> str:
    return "Y" if value else "N"


def zam(
    head: Head, event: str, when: str, control: str, accepted: bool, code: str = "", address: str = ""
) -> list[str]:
    """A business acknowledgement: Z01 (DMP), Z02 (mail delivered), Z03 (mail read) of the message ``control``."""
    name, label = _ZAM[event]
    answer = "Y" if accepted else "N"
    segments = [
        msh(head, f"ZAM^{event}^ZAM_Z01", "2.6", VOLETS["2.1"]),
        f"EVN||{when}",
        f"OBX|1|CWE|{name}^{label}^AckMetierZAM|{control}|{answer}^^expandedYes-NoIndicator||||||F",
    ]
    if address:
        who = "LECTEUR_MSS^Lecteur du courriel MSSanté" if event == "Z03" else "DESTINATAIRE_MSS^Destinataire MSSanté"
        segments.append(f"OBX|2|XTN|{who}^AckMetierZAM||^^X.400^{address}||||||F")
    if not accepted:
        system = "DMP_ERROR_CODE" if event == "Z01" else "SMTPERRORCODE"
        segments.append(f"ERR|||207^Application error^messageErrorCondition|E|{code}^{system}")
    return segments


def incoming(head: Head, shown: Shown, type_code: str, payload: str) -> list[str]:
    """A document that came by MSSanté from elsewhere: never the establishment's own (MSH-21 of the LPS volet)."""
    data = b64encode(payload.encode()).decode()
    label = f"{type_code}^{LABELS[type_code]}^LN"
    flag = "OBX|{}|CWE|{}^{}^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F"
    return [
        msh(head, "MDM^T02^MDM_T02", "2.6", INCOMING),
        f"EVN||{head.at}",
        pid(shown),
        "PV1|1|N",
        "ORC|NW",
        f"OBR|1|||{label}",
        f"TXA|1|{type_code}|TEXT||||||||||||||AU",
        f"OBX|1|ED|{label}||^text^XML^Base64^{data}||||||F",
        f"PRT||UC||SB^Send by^participation|||||||||||^^X.400^{DOCTOR_BOX}",
        f"OBX|2|ED|<{head.control}@exemple>^XDM/1.0/DDM+CR||^text^^Base64^{_BODY}||||||F",
        flag.format(3, "MASQUE_PS", "Masqué aux professionnels de Santé"),
        flag.format(4, "INVISIBLE_PATIENT", "Document Non Visible par le patient"),
    ]


def teleradiology(head: Head, shown: Shown, appointment: str) -> list[str]:
    """An answer to a teleradiology request: an ORU^R01 that is not a report."""
    return [
        msh(head, "ORU^R01^ORU_R01", "2.5.1", TELERADIOLOGY),
        pid(shown),
        fields("PV1", {1: "1", 2: "O", 19: f"{appointment}^^^TLR^VN"}),
        "ORC|SC",
        "OBR|1|||REPONSE_DEMANDE^Réponse à la demande^L||||||||||||||||||||RAD|F",
        "OBX|1|CE|REPONSE^Réponse^L||ACC^Acceptée^L||||||F",
    ]
