"""Document types of the CI-SIS (value set JDV_J07) and what each is for the indicators.

Source: ANS, JDV_J07-XdsTypeCode-CISIS version 20260629 (labels), ASS_X04 version 20240426 and ASS_X16 version 20240223 (classes).
A kind is read from the type code alone, never from the class: senders get classes wrong (ANS examples included).
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

LOINC: Final = "2.16.840.1.113883.6.1"
TRE_A05: Final = "1.2.250.1.213.1.1.4.12"
ASTM: Final = "ASTM"

KINDS: Final[dict[str, str]] = {
    "ldl-ses": "Lettre de liaison à la sortie",
    "prescription": "Ordonnance",
    "cr-operatoire": "Compte rendu opératoire",
    "cr-bio": "Compte rendu de biologie",
    "cr-imagerie": "Compte rendu d'imagerie",
    "signature": "Signature du lot",
    "kos": "Référence d'objets d'imagerie",
    "patient": "Document du patient",
    "other": "Autre document",
}
"""Every kind, and a short French name for people."""

NEVER_COUNTED: Final = frozenset({"signature", "kos", "patient"})
"""Kinds that are no report of the establishment, whatever the indicator."""


class Type(Struct, frozen=True):
    """One document type: its coding system (OID, or ``ASTM``), kind, class, official label; ``current`` when JDV_J07 has it."""

    code: str
    system: str
    kind: str
    class_code: str  # TRE_A03; "" when the class tables do not give it
    label: str  # official French label; "" for codes that left JDV_J07 before the versions read
    current: bool


# code|class|label, by class then code.
_CURRENT: Final = """\
11488-4|10|CR ou fiche de consultation ou de visite
11490-0|10|Lettre de liaison à la sortie d'un établissement de soins
11502-2|10|CR d'examens biologiques
11505-5|10|CR d'acte thérapeutique (autre)
11506-3|10|CR ou fiche de suivi de soins par auxiliaire médical
15507-7|10|CR de passage aux urgences
15508-5|10|CR d'accouchement
28617-9|10|Bilan bucco-dentaire
28653-4|10|Document du secteur social / médico-social
29274-8|10|Mesures de signes vitaux
34112-3|10|CR hospitalier (séjour)
34120-6|10|Bilan par professionnel de santé
34749-2|10|CR de consultation pré-anesthésique
34794-8|10|CR de réunion de concertation pluridisciplinaire
34874-8|10|CR opératoire
34875-5|10|Évaluation postopératoire et note de suivi
47420-5|10|CR de bilan fonctionnel
51969-4|10|CR de génétique moléculaire
59283-2|10|CR d'examen de l'enfant
60568-3|10|CR d'anatomie et de cytologie pathologiques
70004-7|10|CR d'acte diagnostique (autre)
75482-0|10|CR d'acte thérapeutique à visée préventive
75492-9|10|CR d'acte diagnostique à visée préventive ou de dépistage
75496-0|10|Demande d'acte de télémédecine
77436-4|10|CR d'anesthésie
78513-9|10|CR de consultation en ophtalmologie
78601-2|10|CR d'entretien pharmaceutique
83981-1|10|Lettre de liaison à la sortie d'une structure sociale ou médico-sociale
85208-7|10|CR de télémédecine
89233-1|10|CR de grossesse
93024-8|10|CR de consultation pharmaceutique
96349-6|10|Lettre d'adressage
BIL_AUTO|10|CR de bilan d'évaluation de la perte d'autonomie
DOCPAT03|10|CR déposé par le patient
DOCPAT05|10|CR de biologie déposé par le patient
DOCPAT06|10|CR de prévention déposé par le patient
18761-7|11|Note de transfert (dont lettre de liaison à l'entrée en établissement de soins)
34133-9|11|Synthèse d'épisode de soins
34842-5|11|Grille d'évaluation médico-social
56445-0|11|Bilan médicamenteux (Officine)
57055-6|11|Synthèse antepartum
57057-2|11|Synthèse Salle de Naissance Mère
57075-4|11|Synthèse Salle de Naissance Enfant
60280-5|11|Fiche de retour du service des urgences
60591-5|11|Synthèse médicale
68599-0|11|Synthèse psychiatrique
68817-6|11|Bilan de santé et de prévention de l'enfant
74207-2|11|Document de liaison d'urgence
78341-5|11|Fiche de transfert vers le service des urgences
78489-2|11|Synthèse Enfant en Maternité
80820-4|11|Formulaire de conciliation médicamenteuse (Hôpital)
83836-7|11|Schéma dentaire
83901-9|11|Bilan psychologique
88348-8|11|Lettre de liaison d'entrée en structure sociale ou médico-sociale
89235-6|11|Synthèse Suites de Couches Mère
DOCPAT01|11|Synthèse déposée par le patient
DOCPAT08|11|Profil médical Mon espace santé
EXPORT_DUI|11|Export du Dossier Usager Informatisé
SYNTH|11|Synthèse
18748-4|31|CR d'imagerie médicale
52040-3|31|Document encapsulant une image d'illustration non DICOM
DOCPAT04|31|Imagerie déposée par le patient
IMG-KOS|31|Reference d'objets d'un examen d'imagerie
55115-0|42|Demande d'actes d'imagerie
57828-6|42|Prescription (autre)
57832-8|42|Prescription de soins
57833-6|42|Prescription de produits de santé
61357-0|42|Intervention pharmaceutique
75468-9|42|Renouvellement ordonnance par pharmacien correspondant
DOCPAT02|42|Traitement ou document de soins déposé par le patient
PRESC-AAT|42|Prescription arrêt de travail
PRESC-BIO|42|Prescription d'actes de biologie médicale
PRESC-INF|42|Prescription d'actes infirmiers
PRESC-KINE|42|Prescription d'actes de kinésithérapie
PRESC-ORTHOPHO|42|Prescription d'actes d'orthophonie
PRESC-ORTHOPTIE|42|Prescription d'actes d'orthoptie
PRESC-PEDI|42|Prescription d'actes de pédicurie
60593-1|43|Dispensation médicamenteuse
DISP_AUT|43|Dispensation (autre)
18776-5|44|Plan personnalisé de soins
77604-7|44|Planification thérapeutique
80771-9|44|Projet d'accueil individualisé
80788-3|44|Projet personnalisé d'accompagnement
83869-8|44|Plan personnalisé de prévention
PROT_ALD|44|Protocole de soins ALD
80565-5|45|CR d'administration de médicaments
11369-6|52|Historique des vaccinations
87273-9|52|Note de vaccination
89601-9|52|Certificat médical
96173-0|52|Test rapide d'orientation diagnostique
96874-3|52|COVID-19 Attestation de vaccination
CERT_DECL|52|Certificat, déclaration
DOCPAT07|52|Certificat déposé par le patient
REMB|60|Données de remboursement
74465-6|90|Questionnaire patient
EXPPAT_1|90|Volontés et droits du patient
EXPPAT_2|90|Autre document du patient
EXPPAT_3|90|Directives anticipées
51851-4|95|Document administratif
56446-8|95|Notification de rendez-vous
59284-0|95|Attestation de consentement
86531-1|95|Attestation de sortie
ATTEST-ASS-COMPL|95|Attestation assurance complémentaire
ATTEST-DROITS-AM|95|Attestation de droits à l'assurance maladie
ATTEST-HEBGT|95|Attestation d'hébergement
ATTEST-RESID|95|Attestation de résidence
AUTORIS-SOINS|95|Autorisation de soins et actes non usuels sanitaires
DOCPAT09|95|Document administratif déposé par le patient
FICHE-CONTACTS|95|Fiche contacts
PIECE-IDENTITE|95|Copie pièce d'identité
FEUILLE-DE-STYLE|99|Feuille de style
100967-9||Rythme cardiaque fœtal
101881-1||Carte d'implant
34876-3||Évaluation préopératoire et note de suivi
34895-3||Fiche d'information au patient
55751-2||Déclaration de problème de santé publique
68814-3||Note d'évaluation pédiatrique
83963-9||Synthèse environnementale
84067-8||Synthèse transfusionnelle
96163-1||Bilan de soins infirmiers
97694-4||Note d'évaluation en médecine maternelle et fœtale
E1762||Full Document
"""

# Codes that older senders still use: in the class tables or in an older JDV_J07, no longer in the current one.
_FORMER: Final = """\
10213-7|10|
11493-4|10|
11526-1|10|CR d'anatomie et de cytologie pathologiques
11528-7|10|
24611-6|10|
27899-4|10|
29554-3|10|
39256-3|10|
46241-6|10|
67851-6|10|CR d'admission
75497-8|10|
29551-9|42|
52063-5|42|
52521-2|42|
29550-1|43|
61358-8||Consentement chirurgical
61359-6||Consentement anesthésique
ATTEST-VITALE|95|Attestation de carte vitale
CONTACTS-URGENCE|95|
DOCPAT10|90|
"""

# Which codes are a discharge prescription is a setting (``indicators.prescription_codes``); these may be one.
_PRESCRIPTIONS: Final = frozenset(
    {"57833-6", "57828-6", "57832-8", "55115-0", "29551-9", "52063-5", "52521-2"},
)
_KIND: Final = {
    "11490-0": "ldl-ses",
    "34874-8": "cr-operatoire",
    "11502-2": "cr-bio",
    "18748-4": "cr-imagerie",
    "E1762": "signature",
    "IMG-KOS": "kos",
}


_FORM: Final = re.compile(r"[0-9]{1,7}-[0-9]|PRESC-[A-Z]{2,12}|DOCPAT[0-9]{1,3}|EXPPAT_[0-9]{1,3}", re.ASCII)


def kind(type_code: str) -> str:
    """Kind of a document (a key of :data:`KINDS`), from its type code of JDV_J07; ``other`` when it is no other."""
    code = type_code.strip().upper()
    found = _KIND.get(code)
    if found is not None:
        return found
    if code in _PRESCRIPTIONS or code.startswith("PRESC-"):
        return "prescription"
    return "patient" if code.startswith(("DOCPAT", "EXPPAT_")) else "other"


def code(text: str) -> str:
    """A type code as it may be kept: one of the known types, a LOINC code, or one of the national families; else ``""``.

    Anything else could be a value that strayed there.
    """
    return text if text in TABLE or text.upper() in _KIND or _FORM.fullmatch(text) else ""


def required_level(kind_of_document: str) -> int:
    """Lowest CDA level that counts: 3 for a biology report (DS2.1), 1 for the others, 0 for what is never counted."""
    if kind_of_document in NEVER_COUNTED:
        return 0
    return 3 if kind_of_document == "cr-bio" else 1


def label(type_code: str) -> str:
    """Official French label of a type code; the code itself when it is not in the table."""
    found = TABLE.get(type_code)
    return found.label or type_code if found is not None else type_code


def _system(code: str) -> str:
    if code == "E1762":
        return ASTM
    return LOINC if code[0].isdigit() else TRE_A05


def _table() -> dict[str, Type]:
    table = {}
    for text, current in ((_CURRENT, True), (_FORMER, False)):
        for line in text.splitlines():
            code, class_code, official = line.split("|")
            table[code] = Type(code, _system(code), kind(code), class_code, official, current)
    return table


TABLE: Final[dict[str, Type]] = _table()
"""Every known document type by its code."""
