"""The page of PS4.1: what is proven of the test message, until when, and what to run next."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from engine.page.overview import line
from engine.page.view import View
from engine.standing import Standing

Step = Literal["done", "next", "later"]

SEND: Final = ("jauge ps41 send --dry-run", "jauge ps41 send")
WATCH: Final = ("jauge ps41 watch",)
EVIDENCE: Final = ("jauge ps41 evidence",)


class Stage(Struct, frozen=True):
    """One thing that the programme asks for."""

    title: str
    at: int  # when it was done, 0: never, or no date
    step: Step


class Next(Struct, frozen=True):
    """What to do now."""

    words: str
    commands: tuple[str, ...]


def standing(view: View) -> Standing | None:
    """That of the establishment; None when no test is configured for it."""
    return next((each for each in view.snapshot.standings if each.establishment == view.finess), None)


def stages(found: Standing, now: float) -> list[Stage]:
    """The three things, in order: the first that is missing is next."""
    sent = found.sent_at > 0
    proven = 0 < found.proven_at <= now < found.expires_at
    done = [
        ("Boîte aux lettres organisationnelle déclarée", 0, found.declared),
        ("Message de test envoyé, avec son archive IHE_XDM", found.sent_at, sent),
        ("Réponse automatique reçue, depuis moins d’un semestre", found.replied_at, proven),
    ]
    stages: list[Stage] = []
    for title, at, is_done in done:
        waiting = any(stage.step == "next" for stage in stages)
        stages.append(Stage(title, at, "done" if is_done else "later" if waiting else "next"))
    return stages


def advice(found: Standing | None, now: float) -> Next:
    """What to run next, and why."""
    if found is None:
        return Next("Aucun test n’est configuré pour cet établissement : remplir la section ps41 de jauge.yaml.", ())
    if not found.declared:
        return Next("Déclarer la boîte aux lettres organisationnelle (ps41.senders, mailbox) dans jauge.yaml.", ())
    if found.valid(now):
        if found.awaiting:
            return Next("La preuve est valable. Un test plus récent attend sa réponse.", WATCH)
        return Next("La preuve est valable. Écrire le dossier de preuve, s’il n’est pas déjà remis.", EVIDENCE)
    if found.awaiting:
        return Next(
            "Le message est parti : attendre la réponse automatique, puis écrire le dossier.", (*WATCH, *EVIDENCE)
        )
    if not found.sent_at:
        return Next("Relire le message de test, puis l’envoyer et attendre la réponse.", (*SEND, *WATCH))
    if found.proven_at:
        return Next("La preuve a plus d’un semestre : refaire le test.", (*SEND, *WATCH, *EVIDENCE))
    return Next(
        "Le dernier test n’a pas eu de réponse : voir pourquoi, puis le refaire.", ("jauge ps41 status", *SEND, *WATCH)
    )


def words(view: View) -> dict[str, object]:
    """Everything the template takes."""
    found = standing(view)
    return {
        "standing": found,
        "valid": found is not None and found.valid(view.now),
        "stages": stages(found, view.now) if found is not None else [],
        "next": advice(found, view.now),
        "line": line(view, view.catalogue["PS4.1"], {}),
        "official": view.snapshot.official.get(("PS4.1", view.finess)),
    }
