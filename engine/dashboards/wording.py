"""The French words of codes, for what the dashboards show: taken from the catalogue and from the table of the DMP's refusals."""

from __future__ import annotations

from typing import Final

from engine.dashboards.panels import BAD, GOOD, PLAIN, WATCH, Json, words
from engine.metrics import remedies
from engine.metrics.bounds import OTHER
from engine.metrics.catalogue import Catalogue, Indicator

OUTCOMES: Final = {
    "accepted": "Acceptés par le DMP",
    "refused": "Refusés par le DMP",
    "failed": "Échoués avant réponse",
}
CATEGORIES: Final = {
    "professional": "Professionnels",
    "citizen": "Patients (messagerie citoyenne)",
    "own": "L’établissement lui-même",
    "outside": "Hors MSSanté",
    "test": "Adresse de test",
}
MAIL_OUTCOMES: Final = {"delivered": "Remis", "read": "Lus", "refused": "Refusés"}
ARCHIVES: Final = {
    "valid": "Archive valide",
    "flawed": "Lue, avec des erreurs",
    "unreadable": "Illisible",
    "none": "Sans archive",
}
PROOFS: Final = {
    "accepted": "acceptation par le DMP",
    "taken": "prise en charge par la plateforme",
    "sent": "envoi seul",
}
REFERENCES: Final = {"identity": "Identités", "movement": "Séjours et mouvements"}

YES: Final = words({"1": ("✔ oui", GOOD), "0": ("✖ non", BAD)})
YES_OR_NOTHING: Final = words({"1": ("✔ oui", GOOD), "0": ("— non", PLAIN)})
MET: Final = words({"1": ("✔ à la cible", GOOD), "0": ("▼ sous la cible", BAD)})
FEED_STATES: Final = words(
    {"0": ("✔ vivant", GOOD), "1": ("▲ en retard", WATCH), "2": ("✖ muet", BAD), "3": ("— jamais vu", PLAIN)}
)


def titles(catalogue: Catalogue) -> dict[str, str]:
    """Indicator -> ``DS1.1 · Lettres de liaison au DMP``, without the variants."""
    return {each.id: f"{each.id} · {each.title}" for each in mains(catalogue)}


def mains(catalogue: Catalogue) -> list[Indicator]:
    """The indicators themselves, in the order of the catalogue, without the variants."""
    return [each for each in catalogue if not each.variant_of]


def reasons(catalogue: Catalogue) -> dict[str, str]:
    """Code of a reason -> its label, every one of the catalogue, each once."""
    return {reason.code: reason.label for each in catalogue for reason in each.reasons}


def refusals() -> dict[str, str]:
    """Code of a refusal by the DMP -> what it means; ``other`` for those of no table."""
    table = remedies.load()
    return {code: f"{code} : {table.label(code)}" for code in table.codes} | {
        OTHER: "Sans code, ou un code d’aucune table"
    }


def replaced(labels: dict[str, str]) -> list[Json]:
    """Mappings of a column of codes to their words."""
    return words(labels)
