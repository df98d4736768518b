"""IHE_XDM.ZIP: the CDA of the test with its metadata, and a PDF copy of it.

Sources: IHE ITI TF-2 3.32 (layout, ZIP over mail), TF-3 4.2 (metadata), CI-SIS "Partage de documents" (codes). The PDF copy is a file beside
the CDA that no entry names: a receiver sees one document, and may pass over the copy (IHE ITI TF-2 3.32.4.1.2.1).
"""

from __future__ import annotations

import hashlib
import zipfile
from html import escape
from io import BytesIO
from typing import Final

from engine.evidence.cda_writer import FACILITIES, INS_TEST_ROOT, PROFESSIONALS, STRUCTURES, author_id
from engine.evidence.settings import Ps41, Sender
from engine.evidence.trial import Trial
from engine.parsers import kinds

FOLDER: Final = "IHE_XDM/SUBSET01"
CDA_NAME: Final = "DOC00001.XML"
PDF_NAME: Final = "DOC00001.PDF"

_CLASSES: Final = {"10": "Compte rendu", "11": "Synthèse"}
_UUID: Final = "urn:uuid:"


def write_xdm(trial: Trial, sender: Sender, settings: Ps41, cda: bytes, pdf: bytes) -> bytes:
    """The archive. Names are ISO 9660 level 1, its times those of the test."""
    files = {
        "INDEX.HTM": _index(trial, settings),
        "README.TXT": _readme(trial, sender),
        f"{FOLDER}/METADATA.XML": write_metadata(trial, sender, settings, cda),
        f"{FOLDER}/{CDA_NAME}": cda,
        f"{FOLDER}/{PDF_NAME}": pdf,
    }
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, trial.local.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 0  # no Unix rights, which mean nothing to the receiver
            archive.writestr(entry, content)
    return stream.getvalue()


def write_metadata(trial: Trial, sender: Sender, settings: Ps41, cda: bytes) -> bytes:
    """METADATA.XML: one submission set, one document entry. ``cda`` is the document as it is stored."""
    patient, kind = settings.patient, kinds.TABLE[settings.message.type_code]
    at = trial.utc.strftime("%Y%m%d%H%M%S")
    number = f"{patient.matricule}^^^&{INS_TEST_ROOT}&ISO^NH"
    author = sender.author
    person = f"{author_id(sender)}^{author.family}^{author.given}^^^^^^&{PROFESSIONALS}&ISO^D^^^IDNPS"
    institution = f"{trial.name.replace('^', ' ')}^^^^^&{STRUCTURES}&ISO^IDNST^^^1{trial.finess}"
    info = (
        f"PID-3|{number}",
        f"PID-5|{patient.family}^{patient.given}^^^^^L",
        f"PID-7|{patient.birth.replace('-', '')}",
        f"PID-8|{patient.sex}",
    )
    written = (_slot("authorInstitution", institution), _slot("authorPerson", person))
    codes = (
        ("93606bcf-9494-43ec-9b4e-a7748d1a838d", "", "".join(written)),
        (
            "41a5887f-8865-4c09-adf7-e362475b143a",
            kind.class_code,
            _coded("1.2.250.1.213.1.1.4.1", _class(kind.class_code)),
        ),
        ("f0306f51-975f-434e-a61c-c59651d33983", kind.code, _coded(kind.system, kind.label)),
        ("f4f85eac-e6cb-4883-b524-f2705394840f", "N", _coded("2.16.840.1.113883.5.25", "Normal")),
        (
            "a09d5840-386c-46f2-b5ad-9c3699a4309d",
            "urn:ihe:iti:xds-sd:pdf:2008",
            _coded("1.3.6.1.4.1.19376.1.2.3", "Document à corps non structuré en PDF/A-1"),
        ),
        (
            "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
            sender.facility,
            _coded("1.2.250.1.71.4.2.4", FACILITIES[sender.facility]),
        ),
        (
            "cccf5598-8b07-4b77-a05e-ae952c785ead",
            "ETABLISSEMENT",
            _coded("1.2.250.1.213.1.1.4.9", "Etablissement de santé"),
        ),
    )
    entry = (
        _slot("creationTime", at),
        _slot("languageCode", "fr-FR"),
        _slot("legalAuthenticator", person),
        _slot("serviceStartTime", at),
        _slot("sourcePatientId", number),
        _slot("sourcePatientInfo", *info),
        _slot("hash", hashlib.sha1(cda, usedforsecurity=False).hexdigest()),
        _slot("size", str(len(cda))),
        _slot("URI", CDA_NAME),
        _name(settings.message.label),
        *(_classification(f"c{n}", "Doc01", scheme, code, inside) for n, (scheme, code, inside) in enumerate(codes, 1)),
        _identifier("e1", "Doc01", "58a6f841-87b3-4a3e-92fd-a8ffeff98427", number, "XDSDocumentEntry.patientId"),
        _identifier("e2", "Doc01", "2e82c1f6-a085-4c72-9da3-8640a32e42ab", trial.document, "XDSDocumentEntry.uniqueId"),
    )
    submission = (
        _slot("submissionTime", at),
        _name(settings.message.label),
        f'<rim:Classification id="c20" classifiedObject="SubSet01" classificationNode="{_UUID}a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>',
        _classification("c21", "SubSet01", "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d", "", "".join(written)),
        _classification(
            "c22",
            "SubSet01",
            "aa543740-bdda-424e-8c96-df4873be8500",
            "97",
            _coded("1.2.250.1.213.2.2", "Type d'activité indifférencié"),
        ),
        _identifier("e3", "SubSet01", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", number, "XDSSubmissionSet.patientId"),
        _identifier(
            "e4", "SubSet01", "554ac39e-e3fe-47fe-b233-965d2a147832", trial.source, "XDSSubmissionSet.sourceId"
        ),
        _identifier(
            "e5", "SubSet01", "96fdda7c-d067-4183-912e-bf5ee74998a8", trial.submission, "XDSSubmissionSet.uniqueId"
        ),
    )
    stable = f"{_UUID}7edca82f-054d-47f2-a032-9b2a5b5186c1"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0" xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">
  <rim:RegistryObjectList>
    <rim:ExtrinsicObject id="Doc01" mimeType="text/xml" objectType="{stable}">
      {_lines(entry)}
    </rim:ExtrinsicObject>
    <rim:RegistryPackage id="SubSet01">
      {_lines(submission)}
    </rim:RegistryPackage>
    <rim:Association id="a1" associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember" sourceObject="SubSet01" targetObject="Doc01">
      {_slot("SubmissionSetStatus", "Original")}
    </rim:Association>
  </rim:RegistryObjectList>
</lcm:SubmitObjectsRequest>
""".encode()


def _index(trial: Trial, settings: Ps41) -> bytes:
    """XHTML Basic: what a person who opens the archive sees first."""
    patient, date = settings.patient, trial.local.strftime("%d/%m/%Y %H:%M")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML Basic 1.1//EN" "http://www.w3.org/TR/xhtml-basic/xhtml-basic11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr">
<head><title>{escape(settings.message.label)}</title></head>
<body>
<h1>{escape(settings.message.label)}</h1>
<p>{escape(trial.name)} (FINESS {trial.finess}), {date}</p>
<p>Patient de test : {escape(patient.family)} {escape(patient.given)}</p>
<ul>
<li><a href="{FOLDER}/{CDA_NAME}">Document CDA R2, niveau 1</a></li>
<li><a href="{FOLDER}/{PDF_NAME}">Copie PDF du document</a></li>
<li><a href="{FOLDER}/METADATA.XML">Métadonnées</a></li>
<li><a href="README.TXT">Lisez-moi</a></li>
</ul>
</body>
</html>
""".encode()


def _readme(trial: Trial, sender: Sender) -> bytes:
    lines = (
        f"Emetteur : {trial.name} (FINESS {trial.finess})",
        f"Adresse : {sender.sender}",
        "Logiciel : Jauge",
        "",
        "Archive IHE XDM d'un message de test de l'indicateur PS4.1 (programme SUN-ES).",
        "Le patient est fictif. Ouvrir INDEX.HTM dans un navigateur pour voir le contenu,",
        f"ou {PDF_NAME} dans {FOLDER} pour lire la copie du document.",
        "",
    )
    return "\r\n".join(lines).encode()


def _class(code: str) -> str:
    return _CLASSES.get(code, code)


def _lines(elements: tuple[str, ...]) -> str:
    return "\n      ".join(elements)


def _slot(name: str, *values: str) -> str:
    inside = "".join(f"<rim:Value>{escape(value)}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{inside}</rim:ValueList></rim:Slot>'


def _name(text: str) -> str:
    return f'<rim:Name><rim:LocalizedString xml:lang="fr-FR" value="{escape(text)}"/></rim:Name>'


def _coded(system: str, label: str) -> str:
    return _slot("codingScheme", system) + _name(label)


def _classification(name: str, of: str, scheme: str, code: str, inside: str) -> str:
    return (
        f'<rim:Classification id="{name}" classificationScheme="{_UUID}{scheme}" classifiedObject="{of}" '
        f'nodeRepresentation="{escape(code)}">{inside}</rim:Classification>'
    )


def _identifier(name: str, of: str, scheme: str, value: str, label: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{name}" registryObject="{of}" identificationScheme="{_UUID}{scheme}" '
        f'value="{escape(value)}">{_name(label)}</rim:ExternalIdentifier>'
    )
