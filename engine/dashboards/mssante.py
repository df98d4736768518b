"""MSSanté: the mails that leave, whether they arrive, their archives, the directory, and the test of PS4.1."""

from __future__ import annotations

from typing import Final

from engine.dashboards import frame as f
from engine.dashboards import panels as p
from engine.dashboards import queries as q
from engine.dashboards import wording as w
from engine.dashboards.panels import BAD, GOOD, HUES, PLAIN, WATCH, Column, Json, Query

_LEGEND: Final = "{{name}}"
_BY: Final = "establishment"
_DAY: Final = 86400


def make() -> Json:
    """The dashboard."""
    panels = p.grid(
        (4, _figures()),
        (9, [(12, _course()), (12, _outcomes())]),
        (8, [(8, _archives()), (8, _errors()), (8, _categories())]),
        p.row("Annuaire des correspondants"),
        (4, _directory()),
        p.row("PS4.1 : message test vers la messagerie citoyenne"),
        (5, [(24, _test())]),
    )
    return f.dashboard(
        f.MSSANTE,
        "Jauge · MSSanté",
        "Les courriels MSSanté : à qui, remis ou refusés, leur archive ; l’annuaire des correspondants ; la preuve de PS4.1.",
        [f.ESTABLISHMENT],
        panels,
    )


def _figures() -> list[tuple[int, Json]]:
    def sent(title: str, description: str, category: str) -> Json:
        return p.stat(
            title,
            description,
            Query(f.named(q.total("jauge_mailings_total", _BY, f'{f.SITE}, category="{category}"')), _LEGEND),
            unit="locale",
            decimals=0,
            thresholds=p.steps(PLAIN),
        )

    told = (
        f'sum by ({_BY}) (increase(jauge_mailing_outcomes_total{{{f.SITE}, outcome=~"delivered|refused"}}[$__range]))'
    )
    refused = f'sum by ({_BY}) (increase(jauge_mailing_outcomes_total{{{f.SITE}, outcome="refused"}}[$__range]))'
    return [
        (
            5,
            sent(
                "Aux professionnels",
                "Envois à une messagerie professionnelle, un par destinataire, sur la durée affichée.",
                "professional",
            ),
        ),
        (5, sent("Aux patients", "Envois à une messagerie citoyenne, sur la durée affichée.", "citizen")),
        (
            5,
            p.stat(
                "Refusés",
                "Part des envois dont la fin est connue que le serveur du destinataire a refusés.",
                Query(f.named(f"{refused} / ({told} > 0)"), _LEGEND),
                unit="percentunit",
                decimals=1,
                thresholds=p.steps(GOOD, (0.05, WATCH), (0.1, BAD)),
                nothing="aucun accusé",
            ),
        ),
        (
            5,
            p.stat(
                "Avec une archive valide",
                "Part des envois qui portent une archive IHE_XDM sans erreur.",
                Query(f.named(q.share("jauge_mailing_xdm_total", "state", "valid")), _LEGEND),
                unit="percentunit",
                decimals=1,
                thresholds=p.steps(BAD, (0.8, WATCH), (0.95, GOOD)),
                nothing="aucun envoi",
            ),
        ),
        (
            4,
            p.stat(
                "Hors de l’annuaire",
                "Adresses professionnelles utilisées sur les jours glissants que l’annuaire des correspondants ne connaît pas.",
                Query(f.named(f"sum by ({_BY}) (jauge_directory_unknown_addresses{{{f.SITE}}})"), _LEGEND),
                unit="locale",
                thresholds=p.steps(GOOD, (1, WATCH)),
                mappings=p.words({"0": "✔ aucune"}),
            ),
        ),
    ]


def _course() -> Json:
    return p.lines(
        "Envois par heure, selon le destinataire",
        "Un par destinataire, et une fois quel que soit le nombre de flux qui l’ont vu.",
        Query(q.hourly("jauge_mailings_total", "category", f.SITE), "{{category}}"),
        unit="suffix: /h",
        decimals=1,
        stacked=True,
        overrides=p.named(w.CATEGORIES),
    )


def _outcomes() -> Json:
    return p.lines(
        "Ce qui leur arrive, par heure",
        "D’après les accusés (DSN, MDN) et la plateforme (ZAM) : remis ou refusés ; un envoi lu est aussi remis.",
        Query(q.hourly("jauge_mailing_outcomes_total", "outcome", f.SITE), "{{outcome}}"),
        unit="suffix: /h",
        decimals=1,
        overrides=p.named(w.MAIL_OUTCOMES, (GOOD, HUES[2], BAD)),
    )


def _archives() -> Json:
    return p.bars(
        "Archives IHE_XDM",
        "Envois selon leur archive, sur la durée affichée. Passer un courriel dans « jauge check » dit ce qui ne va pas.",
        Query(f"sort_desc({q.total('jauge_mailing_xdm_total', 'state', f.SITE)})", "{{state}}"),
        unit="locale",
        decimals=0,
        overrides=p.named(w.ARCHIVES, (GOOD, WATCH, BAD, PLAIN)),
    )


def _errors() -> Json:
    return p.bars(
        "Refus, par code",
        "Sur la durée affichée : code étendu (RFC 3463, par exemple 5.1.1, adresse inconnue) ou code SMTP.",
        Query(f"sort_desc({q.total('jauge_mailing_errors_total', 'code', f.SITE)} > 0)", "{{code}}"),
        unit="locale",
        decimals=0,
        thresholds=p.steps(BAD),
        nothing="aucun refus",
    )


def _categories() -> Json:
    return p.bars(
        "Destinataires",
        "Envois selon le destinataire, sur la durée affichée.",
        Query(f"sort_desc({q.total('jauge_mailings_total', 'category', f.SITE)})", "{{category}}"),
        unit="locale",
        decimals=0,
        overrides=p.named(w.CATEGORIES),
    )


def _directory() -> list[tuple[int, Json]]:
    equipped = p.stat(
        "Correspondants",
        "De l’annuaire : équipés d’une messagerie sécurisée professionnelle, ou non.",
        Query(f"sum by (state) (jauge_directory_correspondents{{{f.MACHINE}}})", "{{state}}"),
        unit="locale",
        overrides=p.named({"equipped": "Équipés", "unequipped": "Non équipés"}, (GOOD, PLAIN)),
    )
    updated = p.stat(
        "Annuaire mis à jour",
        "Date à laquelle le fichier de l’annuaire a été écrit ; D6.2 le veut de moins de six mois.",
        Query(
            f"1000 * max by (instance) (jauge_directory_updated_timestamp_seconds{{{f.MACHINE}}} > 0)", "{{instance}}"
        ),
        unit="dateTimeFromNow",
        thresholds=p.steps(PLAIN),
        nothing="aucun annuaire",
    )
    faults = p.stat(
        "Lignes laissées de côté",
        "Lignes de l’annuaire qui n’ont pas pu être lues ; « jauge check-config » dit lesquelles, et comment les corriger.",
        Query(f"max by (instance) (jauge_directory_lines_at_fault{{{f.MACHINE}}})", "{{instance}}"),
        unit="locale",
        thresholds=p.steps(GOOD, (1, WATCH)),
        mappings=p.words({"0": "✔ aucune"}),
    )
    return [(10, equipped), (7, updated), (7, faults)]


def _test() -> Json:
    def each(name: str) -> str:
        return f"max by (instance, establishment) ({name}{{{f.SITE}}})"

    def date(name: str) -> str:
        return f"1000 * max by (instance, establishment) ({name}{{{f.SITE}}} > 0)"

    cell = {"mappings": w.YES, "custom.cellOptions": p.SOLID_CELL}
    waiting = p.words({"1": ("▲ oui", WATCH), "0": ("— non", PLAIN)})
    day = "time:DD/MM/YYYY"
    left = f"max by (instance, establishment) ((jauge_ps41_expires_timestamp_seconds{{{f.SITE}}} > 0) - time())"
    return p.table(
        "La preuve",
        "Valable : un message test est parti, sa réponse est arrivée, une boîte organisationnelle est déclarée, depuis moins d’un semestre.",
        {"name": "Établissement", "establishment": "FINESS", "instance": "Moteur"},
        Column("Valable", f.named(each("jauge_ps41_proof_valid")), "none", 100, cell),
        Column("Boîte déclarée", each("jauge_ps41_mailbox_declared"), "none", 130, cell),
        Column(
            "Attend la réponse",
            each("jauge_ps41_awaiting_reply"),
            "none",
            150,
            {"mappings": waiting, "custom.cellOptions": p.TEXT_CELL},
        ),
        Column("Dernier envoi", date("jauge_ps41_sent_timestamp_seconds"), day, 130),
        Column("Dernière réponse", date("jauge_ps41_replied_timestamp_seconds"), day, 140),
        Column("Prouvé le", date("jauge_ps41_proven_timestamp_seconds"), day, 120),
        Column("Jusqu’au", date("jauge_ps41_expires_timestamp_seconds"), day, 120),
        Column(
            "Encore",
            left,
            "s",
            110,
            {
                "decimals": 0,
                "thresholds": p.steps(BAD, (0, WATCH), (14 * _DAY, GOOD)),
                "custom.cellOptions": p.TEXT_CELL,
            },
        ),
        overrides=[
            p.override(
                "Moteur", links=[p.link("PS4.1, sur la page du moteur", f.page("/ps41", cells=True), blank=True)]
            )
        ],
        nothing="PS4.1 n’est pas configuré (ps41.senders)",
    )
