"""The test document as a person reads it: the body of the CDA, and the PDF beside it."""

from __future__ import annotations

from engine.evidence.settings import Ps41, Sender
from engine.evidence.sheet import Sheet
from engine.evidence.trial import Trial
from engine.parsers import kinds


def write_document(trial: Trial, sender: Sender, settings: Ps41) -> bytes:
    """One page, PDF/A-1b."""
    patient = settings.patient
    sheet = Sheet(settings.message.label, f"{trial.name} · document de test, patient fictif", trial.local)
    sheet.title_block(
        "DOCUMENT DE TEST · PATIENT FICTIF · SANS VALEUR MÉDICALE",
        settings.message.label,
        f"{trial.name} · FINESS {trial.finess} · {trial.local:%d/%m/%Y à %H:%M}",
    )
    sheet.section("Patient de test")
    year, month, day = patient.birth.split("-")
    sheet.facts(
        [
            ("Nom de naissance", patient.family),
            ("Prénoms de naissance", patient.given_names),
            ("Date de naissance", f"{day}/{month}/{year}"),
            ("Sexe", "Féminin" if patient.sex == "F" else "Masculin"),
            ("Lieu de naissance", f"{patient.birthplace_name} ({patient.birthplace})"),
            ("Matricule INS de test", f"{patient.matricule} (racine de test 1.2.250.1.213.1.4.10)"),
        ]
    )
    sheet.section("Objet")
    sheet.paragraph(
        "Ce document accompagne un message de test envoyé par messagerie sécurisée de santé (MSSanté) à l’adresse de réponse automatique de la "
        "messagerie citoyenne, au titre de l’indicateur PS4.1 du programme SUN-ES : « Capacité technique de l’établissement d’envoyer et de "
        "recevoir un message test vers/depuis la MSS citoyenne »."
    )
    sheet.paragraph(
        "Il est joint sous deux formes : un document CDA R2 de niveau 1 dans une archive IHE_XDM, et sa copie au format PDF. Il ne contient "
        "aucune donnée d’une personne réelle."
    )
    sheet.section("Document")
    sheet.facts(
        [
            ("Type", f"{kinds.label(settings.message.type_code)} ({settings.message.type_code})"),
            ("Identifiant unique", trial.document),
            ("Auteur", f"{sender.author.given} {sender.author.family}"),
            ("Établissement", f"{trial.name} (FINESS {trial.finess})"),
        ],
        mono=["Identifiant unique"],
    )
    return sheet.written()
