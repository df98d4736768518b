"""CDA R2 documents: the CI-SIS header, and a body of level 1, 2 or 3. Small, or of 300 kB like a scanned report."""

from __future__ import annotations

from base64 import b64encode
from typing import Final, NamedTuple

from engine.simulator.correspondents import Receiver
from engine.simulator.patients import ROOT, Person

OIDS: Final = "1.2.250.1.999.42"
ENCOUNTER_ROOT: Final = f"{OIDS}.2"

LETTER: Final = "11490-0"
PRESCRIPTION: Final = "57833-6"
OPERATION: Final = "34874-8"
BIOLOGY: Final = "11502-2"
IMAGING: Final = "18748-4"
CONSULTATION: Final = "11488-4"

LABELS: Final = {
    "11490-0": "Lettre de liaison à la sortie d'un établissement de soins",
    "57833-6": "Prescription de produits de santé",
    "34874-8": "CR opératoire",
    "11502-2": "CR d'examens biologiques",
    "18748-4": "CR d'imagerie médicale",
    "11488-4": "CR ou fiche de consultation ou de visite",
    "34112-3": "CR hospitalier (séjour)",
}
_MODELS: Final = {
    "11490-0": "1.2.250.1.213.1.1.1.29",
    "57833-6": "1.2.250.1.213.1.1.1.39",
    "11502-2": "1.2.250.1.213.1.1.1.55",
    "18748-4": "1.2.250.1.213.1.1.1.45",
}
_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
)
_SMALL: Final = b64encode(_PDF).decode()
_LARGE: Final = b64encode(_PDF[:-6] + bytes(range(256)) * 860 + b"\n%%EOF\n").decode()


class Document(NamedTuple):
    """What one CDA says. Times are ``YYYYMMDDHHMMSS+ZZZZ``."""

    root: str  # id
    extension: str  # "" for an id that is an OID alone
    chain: str  # setId
    version: int
    parent: str  # root of the replaced document, "" when it replaces none
    type_code: str
    created: str
    person: Person
    ins_root: int  # 0: recordTarget holds no INS
    matricule: str
    ipp: str
    service_start: str
    service_stop: str
    encounter: tuple[str, str] | None  # root, extension
    orders: tuple[str, ...]
    recipients: tuple[Receiver, ...]
    finess: str
    level: int
    large: bool


def cda(document: Document) -> str:
    """The whole document, with its XML declaration."""
    what = document
    label = LABELS[what.type_code]
    structured = what.level > 1
    model = _MODELS.get(what.type_code, "1.2.250.1.213.1.1.1.21") if structured else "1.3.6.1.4.1.19376.1.2.20"
    extension = f' extension="{what.extension}"' if what.extension else ""
    parent = f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{what.parent}"/></parentDocument></relatedDocument>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <realmCode code="FR"/>
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="2.16.840.1.113883.2.8.2.1"/>
  <templateId root="1.2.250.1.213.1.1.1.1"/>
  <templateId root="{model}"/>
  <id root="{what.root}"{extension}/>
  <code code="{what.type_code}" displayName="{label}" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>
  <title>{label} (essai)</title>
  <effectiveTime value="{what.created}"/>
  <confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="fr-FR"/>
  <setId root="{what.chain}"/>
  <versionNumber value="{what.version}"/>
{_patient(what)}{_author(what)}{_recipients(what)}{_authenticator(what)}{_orders(what)}{_service(what)}{parent if what.parent else ""}
{_encounter(what)}
  <component>{_structured(what) if structured else _scanned(what)}</component>
</ClinicalDocument>
"""


def _patient(what: Document) -> str:
    person = what.person
    ins = f'<id root="{ROOT}{what.ins_root}" extension="{what.matricule}"/>' if what.ins_root else ""
    gender = "Masculin" if person.sex == "M" else "Féminin"
    return f"""  <recordTarget><patientRole>
    {ins}<id root="{OIDS}.1" extension="{what.ipp}"/>
    <addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>
    <patient>
      <name><family qualifier="BR">{person.family}</family><given>{person.given} CAMILLE</given><given qualifier="BR">{person.given}</given></name>
      <administrativeGenderCode code="{person.sex}" displayName="{gender}" codeSystem="2.16.840.1.113883.5.1"/>
      <birthTime value="{person.birth}"/>
      <birthplace><place><addr><county>{person.commune}</county><city>VILLEFICTIVE</city></addr></place></birthplace>
    </patient>
  </patientRole></recordTarget>
"""


def _structure(what: Document) -> str:
    return f'<id root="1.2.250.1.71.4.2.2" extension="1{what.finess}"/><name>CH Fictif</name>'


_DOCTOR: Final = (
    '<id root="1.2.250.1.71.4.2.1" extension="899990000017"/>'
    "<assignedPerson><name><given>Alix</given><family>FICTIF</family></name></assignedPerson>"
)


def _author(what: Document) -> str:
    null = '<addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>'
    code = '<code code="G15_10/SM26" displayName="Médecin - Médecine générale" codeSystem="1.2.250.1.213.1.1.4.5"/>'
    doctor = _DOCTOR.replace("<assignedPerson>", f"{code}{null}<assignedPerson>")
    return (
        f'  <author><time value="{what.created}"/><assignedAuthor>{doctor}'
        f"<representedOrganization>{_structure(what)}</representedOrganization></assignedAuthor></author>\n"
        f"  <custodian><assignedCustodian><representedCustodianOrganization>{_structure(what)}"
        "</representedCustodianOrganization></assignedCustodian></custodian>\n"
    )


def _recipients(what: Document) -> str:
    return "".join(map(_recipient, what.recipients))


def _recipient(who: Receiver) -> str:
    person = "" if who.structure or not who.number else f'<id root="1.2.250.1.71.4.2.1" extension="{who.number}"/>'
    box = f'<telecom value="mailto:{who.address}"/>' if who.address else ""
    place = ""
    if who.structure and who.number:
        number = f'<id root="1.2.250.1.71.4.2.2" extension="{who.number}"/>'
        place = f"<receivedOrganization>{number}<name>CH voisin</name></receivedOrganization>"
    return (
        f"  <informationRecipient><intendedRecipient>{person}{box}{place}</intendedRecipient></informationRecipient>\n"
    )


def _authenticator(what: Document) -> str:
    return (
        f'  <legalAuthenticator><time value="{what.created}"/><signatureCode code="S"/>'
        f"<assignedEntity>{_DOCTOR}</assignedEntity></legalAuthenticator>\n"
    )


def _orders(what: Document) -> str:
    one = '  <inFulfillmentOf><order><id root="{}.5" extension="{}"/></order></inFulfillmentOf>\n'
    return "".join(one.format(OIDS, number) for number in what.orders)


def _service(what: Document) -> str:
    stop = f'<high value="{what.service_stop}"/>' if what.service_stop else ""
    setting = 'code="ETABLISSEMENT" displayName="Etablissement de santé" codeSystem="1.2.250.1.213.1.1.4.9"'
    return (
        f'  <documentationOf><serviceEvent><effectiveTime><low value="{what.service_start}"/>{stop}</effectiveTime>'
        f'<performer typeCode="PRF"><assignedEntity>{_DOCTOR}<representedOrganization>{_structure(what)}'
        f"<standardIndustryClassCode {setting}/></representedOrganization></assignedEntity></performer></serviceEvent></documentationOf>\n"
    )


def _encounter(what: Document) -> str:
    number = f'<id root="{what.encounter[0]}" extension="{what.encounter[1]}"/>' if what.encounter else ""
    return (
        f"  <componentOf><encompassingEncounter>{number}"
        f'<effectiveTime><low value="{what.service_start}"/></effectiveTime>'
        '<location><healthCareFacility><code code="SA01" displayName="Etablissement Public de santé" '
        'codeSystem="1.2.250.1.71.4.2.4"/></healthCareFacility></location></encompassingEncounter></componentOf>'
    )


def _scanned(what: Document) -> str:
    return f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{_LARGE if what.large else _SMALL}</text></nonXMLBody>'


def _structured(what: Document) -> str:
    """Level 2 is sections without a single entry, whatever the templates declare."""
    entry = (
        '<entry><observation classCode="OBS" moodCode="EVN"><code code="2823-3" codeSystem="2.16.840.1.113883.6.1"/>'
        '<statusCode code="completed"/><value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="PQ" value="4.1" '
        'unit="mmol/L"/></observation></entry>'
    )
    copy = (
        '<component><section><templateId root="1.2.250.1.213.1.1.2.243"/><code code="55108-5" codeSystem="2.16.840.1.113883.6.1"/>'
        '<title>Copie PDF</title><text/><entry><observationMedia classCode="OBS" moodCode="EVN"><value mediaType="application/pdf" '
        f'representation="B64">{_LARGE}</value></observationMedia></entry></section></component>'
    )
    return (
        '<structuredBody><component><section><code code="42349-1" codeSystem="2.16.840.1.113883.6.1"/><title>Motif</title>'
        f"<text>Texte d'essai, rédigé pour l'épreuve.</text>{entry if what.level == 3 else ''}</section></component>"
        f"{copy if what.large and what.level == 3 else ''}</structuredBody>"
    )
