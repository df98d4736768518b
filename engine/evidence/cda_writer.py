"""The CDA R2 document of level 1 that the test message carries: the header that CI-SIS asks for, and a PDF as its body.

Source: CI-SIS "Structuration minimale de documents de santé" 3.3 to 3.5. The patient is a test patient under the test root of the INS;
generated anew for each test, with identifiers of its own.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Final

from engine.evidence.settings import Ps41, Sender
from engine.evidence.trial import Trial
from engine.parsers import kinds

INS_TEST_ROOT: Final = "1.2.250.1.213.1.4.10"
PROFESSIONALS: Final = "1.2.250.1.71.4.2.1"
STRUCTURES: Final = "1.2.250.1.71.4.2.2"

FACILITIES: Final = {"SA01": "Etablissement public de santé", "SA04": "Etablissement privé non PSPH"}
_GENDERS: Final = {"F": "Féminin", "M": "Masculin"}
_NO_ADDRESS: Final = '<addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>'


def author_id(sender: Sender) -> str:
    """PS_IdNat of the author: the one of the settings, else an internal identifier of the establishment (type 3)."""
    return sender.author.identifier or f"3{sender.establishment}/PS41"


def write_cda(trial: Trial, sender: Sender, settings: Ps41, pdf: bytes) -> bytes:
    """The document, UTF-8 with LF line ends. ``pdf`` is its body."""
    kind = kinds.TABLE[settings.message.type_code]
    now = trial.local.strftime("%Y%m%d%H%M%S%z")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <realmCode code="FR"/>
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="2.16.840.1.113883.2.8.2.1"/>
  <templateId root="1.2.250.1.213.1.1.1.1"/>
  <templateId root="1.3.6.1.4.1.19376.1.2.20"/>
  <id root="{trial.document}"/>
  <code code="{kind.code}" displayName="{escape(kind.label)}" codeSystem="{kind.system}"/>
  <title>{escape(settings.message.label)}</title>
  <effectiveTime value="{now}"/>
  <confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="fr-FR"/>
  <setId root="{trial.chain}"/>
  <versionNumber value="1"/>
{_patient(settings)}
{_author(trial, sender, now)}
  <documentationOf>
    <serviceEvent>
      <effectiveTime><low value="{now}"/></effectiveTime>
      <performer typeCode="PRF">
        <assignedEntity>
          {_person(sender)}
          <representedOrganization>
            {_structure(trial)}
            <standardIndustryClassCode code="ETABLISSEMENT" displayName="Etablissement de santé" codeSystem="1.2.250.1.213.1.1.4.9"/>
          </representedOrganization>
        </assignedEntity>
      </performer>
    </serviceEvent>
  </documentationOf>
  <componentOf>
    <encompassingEncounter>
      <effectiveTime><low value="{now}"/></effectiveTime>
      <location>
        <healthCareFacility>
          <code code="{sender.facility}" displayName="{FACILITIES[sender.facility]}" codeSystem="1.2.250.1.71.4.2.4"/>
        </healthCareFacility>
      </location>
    </encompassingEncounter>
  </componentOf>
  <component>
    <nonXMLBody>
      <text mediaType="application/pdf" representation="B64">{b64encode(pdf).decode()}</text>
    </nonXMLBody>
  </component>
</ClinicalDocument>
""".encode()


def _patient(settings: Ps41) -> str:
    """The traits of the INS are all there: the header asks for them beside a matricule."""
    patient = settings.patient
    family, given = escape(patient.family), escape(patient.given)
    return f"""  <recordTarget>
    <patientRole>
      <id root="{INS_TEST_ROOT}" extension="{patient.matricule}"/>
      {_NO_ADDRESS}
      <patient>
        <name>
          <family qualifier="BR">{family}</family>
          <family qualifier="CL">{family}</family>
          <given>{escape(patient.given_names)}</given>
          <given qualifier="BR">{given}</given>
          <given qualifier="CL">{given}</given>
        </name>
        <administrativeGenderCode code="{patient.sex}" displayName="{_GENDERS[patient.sex]}" codeSystem="2.16.840.1.113883.5.1"/>
        <birthTime value="{patient.birth.replace("-", "")}"/>
        <birthplace><place><addr><county>{patient.birthplace}</county><city>{escape(patient.birthplace_name)}</city></addr></place></birthplace>
      </patient>
    </patientRole>
  </recordTarget>"""


def _person(sender: Sender, addresses: str = "") -> str:
    author = sender.author
    return (
        f'<id root="{PROFESSIONALS}" extension="{author_id(sender)}"/>{addresses}<assignedPerson><name>'
        f"<given>{escape(author.given)}</given><family>{escape(author.family)}</family></name></assignedPerson>"
    )


def _structure(trial: Trial) -> str:
    return f'<id root="{STRUCTURES}" extension="1{trial.finess}"/><name>{escape(trial.name)}</name>'


def _author(trial: Trial, sender: Sender, now: str) -> str:
    structure = _structure(trial).replace("</name>", '</name><telecom nullFlavor="NASK"/><addr nullFlavor="NASK"/>')
    return f"""  <author>
    <time value="{now}"/>
    <assignedAuthor>
      {_person(sender, _NO_ADDRESS)}
      <representedOrganization>{structure}</representedOrganization>
    </assignedAuthor>
  </author>
  <custodian>
    <assignedCustodian>
      <representedCustodianOrganization>{structure}</representedCustodianOrganization>
    </assignedCustodian>
  </custodian>
  <legalAuthenticator>
    <time value="{now}"/>
    <signatureCode code="S"/>
    <assignedEntity>{_person(sender)}</assignedEntity>
  </legalAuthenticator>"""
