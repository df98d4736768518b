"""The evidence file of PS4.1, in French: what an auditor of the programme reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from engine import __version__
from engine.evidence.mail_text import Letter
from engine.evidence.proof import Mark, Proof
from engine.evidence.record import Part
from engine.evidence.sheet import Sheet
from engine.parsers import kinds

LABEL: Final = (
    "Capacité technique de l’établissement d’envoyer et de recevoir un message test vers/depuis la MSS citoyenne"
)
"""Official wording of the indicator (SUN-ES, volet 2, PS4.1)."""

THRESHOLD: Final = (
    "Au moins un message test avec pièce jointe (archive IHE_XDM contenant un document CDA R2 de niveau 1 au moins) envoyé à l’adresse de test, "
    "la réponse automatique reçue, et une boîte aux lettres organisationnelle opérationnelle où les messages des usagers sont reçus et lus."
)

_STEPS: Final = {
    "CONNECT": "Connexion",
    "EHLO": "EHLO",
    "STARTTLS": "STARTTLS",
    "AUTH": "AUTH",
    "MAIL FROM": "MAIL FROM (expéditeur)",
    "RCPT TO": "RCPT TO (destinataire)",
    "DATA": "DATA (message)",
    "QUIT": "QUIT",
}
_WORDS: Final = {
    "delivered": "avis de remise",
    "delayed": "avis de retard",
    "read": "accusé de lecture",
}
_HEADERS: Final = ("Disposition-Notification-To", "X-MSS-CODECDA", "X-MSS-INS", "X-MSS-NIL")


def write_proof(proof: Proof, files: Iterable[tuple[str, int, str]]) -> bytes:
    """The file. ``files``: those that go with it (name, size, SHA-256)."""
    trial = proof.record.trial
    made = datetime.fromtimestamp(proof.now, ZoneInfo(trial.zone))
    foot = f"PS4.1 · FINESS {trial.finess} · test {trial.id} · Jauge {__version__} · {made:%d/%m/%Y %H:%M}"
    sheet = Sheet(f"PS4.1, dossier de preuve, FINESS {trial.finess}", foot, made)
    _head(sheet, proof, made)
    _mailbox(sheet, proof)
    _message(sheet, proof)
    _attachments(sheet, proof)
    _reply(sheet, proof)
    _verify(sheet, proof, files)
    return sheet.written()


def _head(sheet: Sheet, proof: Proof, made: datetime) -> None:
    trial = proof.record.trial
    sheet.title_block(
        "PROGRAMME SUN-ES · VOLET 2 · DOMAINE PS4, ÉCHANGE ET PARTAGE",
        "Indicateur PS4.1 : dossier de preuve",
        f"{trial.name} · FINESS {trial.finess}",
    )
    if proof.complete:
        detail = (
            f"Message de test envoyé le {_when(proof, trial.at)}, réponse automatique reçue, boîte aux lettres organisationnelle déclarée. "
            f"Preuve valable jusqu’au {_day(proof, proof.expires_at - 1)} ({proof.settings.valid_days} jours : l’indicateur est semestriel)."
        )
        if proof.now < proof.expires_at:
            sheet.banner("yes", "Preuve complète : l’indicateur est atteint", detail)
        else:
            sheet.banner("no", "Preuve expirée : un nouveau test est nécessaire", detail)
    else:
        sheet.banner(
            "unknown" if "no" not in (proof.sent, proof.answered) and proof.mailbox else "no",
            "Preuve incomplète : l’indicateur n’est pas démontré",
            "Un critère au moins n’est pas rempli à la date de ce dossier ; il est signalé ci-dessous.",
        )
    sheet.section("Indicateur")
    sheet.facts(
        [
            ("Libellé officiel", LABEL),
            ("Seuil d’atteinte", THRESHOLD),
            ("Date du dossier", f"{made:%d/%m/%Y à %H:%M} ({trial.zone})"),
            ("Établi par", f"Jauge {__version__}, à partir des messages échangés, conservés octet pour octet"),
        ]
    )
    sheet.section("Critères")
    for title, mark, detail in (
        ("1. Message de test envoyé avec une archive IHE_XDM", proof.sent, _sent(proof)),
        ("2. Réponse automatique reçue", proof.answered, _answered(proof)),
        ("3. Boîte aux lettres organisationnelle déclarée", proof.declared, _declared(proof)),
    ):
        sheet.verdict(mark, title, detail)


def _sent(proof: Proof) -> str:
    record, submitted = proof.record, proof.record.submission
    if not proof.intact:
        return "Le message conservé n’est pas celui qui a été envoyé : son empreinte ou son contenu diffère."
    if not proof.sound:
        return "L’archive jointe n’est pas une archive IHE_XDM correcte."
    if submitted is not None and submitted.accepted:
        last = next((answer for answer in reversed(submitted.answers) if answer.step == "DATA"), None)
        word = f", réponse « {last.code} {_first(last.text)} »" if last is not None else ""
        return f"De {record.sender} à {record.recipient} ; accepté par le serveur {submitted.server} le {_when(proof, submitted.ended)}{word}."
    if proof.answered == "yes":
        return f"De {record.sender} à {record.recipient} ; la réponse, qui le désigne, prouve son envoi."
    if record.left:
        return "La connexion s’est interrompue avant la réponse du serveur : l’envoi n’est pas certain."
    code = submitted.error if submitted is not None else ""
    return f"Le serveur n’a pas accepté le message ({code})."


def _answered(proof: Proof) -> str:
    reply = proof.record.reply
    if reply is not None and proof.reply is not None:
        sender = dict(proof.reply.heads).get("De", "")
        how = (
            "elle cite l’identifiant du message"
            if reply.how == "thread"
            else "elle vient de l’adresse de test, dans le délai"
        )
        when = _when(proof, reply.dated or reply.at)
        return f"De {sender}, le {when} ; rapprochée du message de test : {how}."
    if proof.report is not None:
        return "Un avis d’échec de remise a été reçu : le message n’est pas arrivé."
    if proof.record.awaiting:
        return "Aucune réponse n’a été reçue à ce jour."
    return "Aucune réponse n’est attendue : le message n’est pas parti."


def _declared(proof: Proof) -> str:
    if proof.mailbox is None:
        return "Aucune boîte aux lettres organisationnelle n’est déclarée dans la configuration."
    return f"{proof.mailbox.address} ({proof.mailbox.service}), déclarée le {_french(proof.mailbox.declared)}."


def _message(sheet: Sheet, proof: Proof) -> None:
    record, heads = proof.record, dict(proof.headers)
    sheet.section("Message de test envoyé", 110)
    sheet.letter(_heads(proof, proof.message, record.trial.at), proof.message.text)
    rows = [
        ("Message-ID", record.trial.message_id),
        *((name, _explained(name, heads[name])) for name in _HEADERS if name in heads),
        ("Taille", f"{_octets(record.size)} (fichier message-envoye.eml)"),
        ("SHA-256", record.sha256),
    ]
    sheet.facts(rows, mono=["Message-ID", "SHA-256"])
    submitted = record.submission
    sheet.section("Réponses du serveur d’envoi (SMTP)", 40)
    if submitted is None:
        sheet.paragraph("Aucune : Jauge a été interrompu pendant l’envoi.")
        return
    sheet.facts(
        [
            ("Serveur", submitted.server),
            ("Chiffrement", submitted.protection or "aucun (serveur local)"),
            (
                "Session",
                f"du {_when(proof, submitted.began, seconds=True)} au {_when(proof, submitted.ended, seconds=True)}",
            ),
        ]
    )
    sheet.ln(2)
    rows_of = [
        (_STEPS.get(one.step, one.step), str(one.code), " · ".join(one.text.split("\n"))) for one in submitted.answers
    ]
    sheet.grid(("Commande", "Code", "Réponse du serveur"), rows_of, (44, 14, 116), mono=(1, 2))
    if submitted.error:
        sheet.paragraph(f"L’envoi a échoué : {submitted.error}.")


def _attachments(sheet: Sheet, proof: Proof) -> None:
    sheet.section("Pièces jointes et contenu de l’archive", 92)
    sheet.grid(
        ("Fichier", "Taille", "SHA-256"),
        [(_shown(part), _octets(part.size), _halves(part.sha256)) for part in proof.parts],
        (98, 22, 54),
        mono=(2,),
    )
    sheet.ln(2)
    kind = proof.settings.message.type_code
    code = dict(proof.headers).get("X-MSS-CODECDA", kind)
    sheet.room(58)
    sheet.pen(9.4, style="B")
    sheet.text_block("Contrôles de l’archive IHE_XDM, refaits à la date de ce dossier")
    sheet.ln(1)
    mark: Mark = "yes" if proof.sound else "no"
    for title, detail in (
        (
            "Structure",
            "Archive lisible et sûre ; INDEX.HTM, README.TXT et IHE_XDM/SUBSET01/METADATA.XML présents ; un lot de soumission, un document.",
        ),
        (
            "Intégrité",
            "Le fichier désigné par les métadonnées existe ; sa taille et son empreinte SHA-1 sont celles que les métadonnées annoncent.",
        ),
        (
            "Document",
            f"CDA R2 de niveau {proof.level or 1}, type {code} ({kinds.label(code)}) ; identifiant et type identiques dans le CDA et dans les "
            "métadonnées ; copie PDF présente.",
        ),
        (
            "Patient de test",
            "Matricule INS sous la racine de test 1.2.250.1.213.1.4.10, identique dans le CDA et dans les métadonnées : aucun patient réel.",
        ),
    ):
        sheet.verdict(mark, title, detail)


def _reply(sheet: Sheet, proof: Proof) -> None:
    record = proof.record
    if record.receipts:
        sheet.section("Autres avis reçus")
        sheet.paragraph(", ".join(_WORDS.get(word, word) for word in record.receipts).capitalize() + ".")
    for title, received, letter in (
        ("Avis d’échec reçu", record.report, proof.report),
        ("Réponse automatique reçue", record.reply, proof.reply),
    ):
        if received is None or letter is None:
            continue
        sheet.section(title, 125)
        sheet.letter(_heads(proof, letter, received.dated), letter.text + ("\n[...]" if letter.cut else ""))
        name = "reponse-recue.eml" if received is record.reply else "avis-echec.eml"
        sheet.facts(
            [
                ("Reçue par Jauge", _when(proof, received.at, seconds=True)),
                *(proof.reply_ids if received is record.reply else ()),
                ("Taille", f"{_octets(received.size)} (fichier {name})"),
                ("SHA-256", received.sha256),
            ],
            mono=["Message-ID", "In-Reply-To", "References", "SHA-256"],
        )


def _mailbox(sheet: Sheet, proof: Proof) -> None:
    sheet.section("Déclaration de la boîte aux lettres organisationnelle", 88)
    mailbox = proof.mailbox
    if mailbox is None:
        sheet.paragraph(
            "Aucune boîte aux lettres n’est déclarée (ps41.senders.mailbox dans la configuration de Jauge)."
        )
        return
    sheet.paragraph(
        f"L’établissement {proof.record.trial.name} (FINESS {proof.record.trial.finess}) déclare disposer de la boîte aux lettres organisationnelle "
        "MSSanté ci-dessous, opérationnelle, dans laquelle les messages des usagers peuvent être reçus et sont lus."
    )
    sheet.facts(
        [
            ("Adresse", mailbox.address),
            ("Service", mailbox.service),
            ("Responsable", mailbox.responsible),
            *([("Ouverte depuis le", _french(mailbox.open_since))] if mailbox.open_since else []),
            ("Déclarée le", _french(mailbox.declared)),
        ]
    )
    sheet.signature("Fait à :", "Le :", "Nom, fonction et signature :")


def _verify(sheet: Sheet, proof: Proof, files: Iterable[tuple[str, int, str]]) -> None:
    sheet.section("Vérifier ce dossier", 98)
    sheet.paragraph(
        "Les messages sont joints à ce dossier tels qu’ils ont été envoyés et reçus (format .eml, lisible par tout logiciel de messagerie). Leur empreinte "
        "SHA-256 est la suite de 64 caractères ci-dessous ; un seul octet changé en donnerait une autre."
    )
    sheet.grid(
        ("Fichier", "Taille", "SHA-256"),
        [(name, _octets(size), _halves(digest)) for name, size, digest in files],
        (98, 22, 54),
        mono=(2,),
    )
    sheet.ln(3)
    sheet.paragraph("Sous Linux ou macOS, dans le dossier qui contient les fichiers :")
    sheet.code(["sha256sum -c SHA256SUMS"])
    sheet.paragraph("Sous Windows, pour chaque fichier, puis comparer à la liste ci-dessus :")
    sheet.code(["certutil -hashfile message-envoye.eml SHA256"])
    sheet.paragraph("L’archive IHE_XDM se contrôle à nouveau, message par message, avec Jauge :")
    sheet.code(["jauge check message-envoye.eml"])


def _heads(proof: Proof, letter: Letter, at: int) -> list[tuple[str, str]]:
    """Those of a mail reader: the date in French, the attachments after the subject."""
    heads = [(word, _when(proof, at, seconds=True) if word == "Date" and at else value) for word, value in letter.heads]
    files = ", ".join(f"{part.name} ({_octets(part.size)})" for part in letter.attachments)
    return [*heads, ("Pièces jointes", files)] if files else heads


def _explained(name: str, value: str) -> str:
    """A header of MSSanté, with what it means."""
    meanings = {
        "Disposition-Notification-To": "accusé de lecture demandé",
        "X-MSS-CODECDA": kinds.label(value),
        "X-MSS-INS": {"N": "INS de test, non qualifiée", "O": "INS qualifiée"}.get(value, ""),
        "X-MSS-NIL": "numéro de référencement du logiciel",
    }
    return f"{value} ({meaning})" if (meaning := meanings.get(name)) else value


def _when(proof: Proof, at: int, *, seconds: bool = False) -> str:
    local = datetime.fromtimestamp(at, ZoneInfo(proof.record.trial.zone))
    offset = f"{local:%z}"
    return (
        f"{local:%d/%m/%Y} à {local:%H:%M:%S} (UTC{offset[:3]}:{offset[3:]})"
        if seconds
        else f"{local:%d/%m/%Y} à {local:%H:%M}"
    )


def _day(proof: Proof, at: int) -> str:
    return f"{datetime.fromtimestamp(at, ZoneInfo(proof.record.trial.zone)):%d/%m/%Y}"


def _french(day: str) -> str:
    return f"{date.fromisoformat(day):%d/%m/%Y}"


def _octets(size: int) -> str:
    return f"{size:,} o".replace(",", "\u00a0").replace(" o", "\u00a0o")


def _shown(part: Part) -> str:
    return f"      {part.name}" if part.inside else part.name


def _halves(digest: str) -> str:
    return f"{digest[:32]}\n{digest[32:]}"


def _first(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:120] if lines else ""
