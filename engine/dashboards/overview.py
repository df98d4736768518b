"""The overview, for the wall of a control room: each rate against its target, where points are lost, what falls, the feeds."""

from __future__ import annotations

import re
from typing import Final

from engine.dashboards import frame as f
from engine.dashboards import panels as p
from engine.dashboards import queries as q
from engine.dashboards import wording as w
from engine.dashboards.panels import BAD, GOOD, PLAIN, WATCH, Column, Json, Query
from engine.metrics.catalogue import Catalogue

_ALL: Final = q.INDICATORS
_ANY_FEED: Final = f.MACHINE
_LAST: Final = {"name": "Établissement", "establishment": "FINESS", "instance": "Moteur"}
_LINKS: Final = [
    p.override(
        "Indicateur",
        custom__width=95,
        links=[
            p.link(
                "Cet indicateur en détail",
                f.board(f.INDICATOR, ("indicateur", "indicator"), ("etablissement", "establishment"), cells=True),
            )
        ],
    ),
    p.override(
        "Établissement",
        custom__width=215,
        links=[
            p.link(
                "L’explication, sur la page du moteur",
                f.page("/indicateurs/{indicator}?etablissement={establishment}", cells=True),
                blank=True,
            )
        ],
    ),
    *p.hidden("FINESS", "Moteur"),
]


def make(catalogue: Catalogue) -> Json:
    """The dashboard."""
    panels = p.grid(
        (4, [(4, _met()), (4, _furthest()), (4, _feeds_count()), (4, _refusals()), (4, _alerts()), (4, _ready())]),
        (17, [(8, _bars(catalogue)), (16, _table())]),
        (4, [(24, _existence(catalogue))]),
        (12, [(12, _lost(catalogue)), (12, _falls())]),
        (9, [(12, _feeds()), (12, _dmp())]),
    )
    return f.dashboard(
        f.OVERVIEW,
        "Jauge · Vue d’ensemble",
        "Où en est l’établissement : chaque indicateur et sa cible, où se perdent les points, ce qui baisse, les flux.",
        [f.ESTABLISHMENT, f.PERIOD],
        panels,
    )


def _met() -> Json:
    ratio, goal = q.ratio(_ALL), q.goal(_ALL)
    return p.stat(
        "Les cibles",
        "Indicateurs qui ont une cible (du programme, ou fixée par le site), sur la fenêtre choisie ; un par établissement.",
        Query(f"count({ratio} >= {goal}) or vector(0)", "✔ à la cible"),
        Query(f"count({ratio} < {goal}) or vector(0)", "▼ sous la cible"),
        unit="none",
        thresholds=p.steps(PLAIN, (1, GOOD)),
        overrides=[p.override("▼ sous la cible", thresholds=p.steps(GOOD, (1, BAD)))],
    )


def _furthest() -> Json:
    return p.stat(
        "Le plus loin de sa cible",
        "Écart le plus défavorable entre un taux et sa cible, en points ; au-dessus de zéro, toutes les cibles sont atteintes.",
        Query(f"bottomk(1, {q.gap(_ALL)})", "{{indicator}}"),
        unit="suffix: pts",
        decimals=1,
        thresholds=p.steps(BAD, (0, GOOD)),
        links=[p.link("Cet indicateur en détail", f.board(f.INDICATOR, ("indicateur", "indicator")))],
        nothing="aucune cible",
        said="value_and_name",
    )


def _feeds_count() -> Json:
    state = q.feed_state(_ANY_FEED)
    return p.stat(
        "Flux",
        "En retard : silencieux depuis plus longtemps que d’habitude à cette heure de la semaine. Muet : trois fois plus. À regarder : l’un ou l’autre, ou jamais vu.",
        Query(f"count({state} == 0) or vector(0)", "✔ vivants"),
        Query(f"count({state} > 0) or vector(0)", "▲ à regarder"),
        unit="none",
        thresholds=p.steps(PLAIN, (1, GOOD)),
        overrides=[p.override("▲ à regarder", thresholds=p.steps(GOOD, (1, WATCH)))],
        links=[p.link("Les flux en détail", f.board(f.FEEDS))],
    )


def _refusals() -> Json:
    return p.stat(
        "Refus du DMP",
        "Part des envois terminés que le DMP a refusés, sur la durée affichée.",
        Query(f.named(q.share("jauge_dmp_responses_total", "outcome", "refused")), "{{name}}"),
        unit="percentunit",
        decimals=1,
        thresholds=p.steps(GOOD, (0.05, WATCH), (0.1, BAD)),
        links=[p.link("Les envois au DMP en détail", f.board(f.DMP))],
        nothing="aucun envoi",
    )


def _alerts() -> Json:
    return p.stat(
        "Alertes en cours",
        "Alertes de Jauge actives maintenant, d’après Prometheus ; elles sont aussi marquées sur les courbes.",
        Query(f"count({f.FIRING}) or vector(0)", "alertes"),
        unit="none",
        thresholds=p.steps(GOOD, (1, BAD)),
        mappings=p.words({"0": "✔ aucune"}),
    )


def _ready() -> Json:
    return p.stat(
        "Le moteur",
        "Prêt : les messages peuvent être acquittés et gardés. « injoignable » : Prometheus ne reçoit plus rien du moteur.",
        Query(f"min(jauge_ready{{{f.MACHINE}}})", "moteur"),
        unit="none",
        thresholds=p.steps(BAD, (1, GOOD)),
        mappings=p.words({"1": "✔ prêt", "0": "✖ pas prêt"}),
        links=[p.link("Le moteur en détail", f.board(f.ENGINE))],
        nothing="✖ injoignable",
    )


def _bars(catalogue: Catalogue) -> Json:
    rates = "|".join(re.escape(each.id).replace("\\", "\\\\") for each in w.mains(catalogue) if each.kind == "rate")
    which = f'indicator=~"{rates}"'
    ratio, goal = q.ratio(which), q.goal(which)
    legend = "{{indicator}} · {{title}}"

    def lowest(expr: str) -> Query:
        shown = f"({expr}) * on (instance, job, indicator) group_left (title) jauge_indicator_info"
        return Query(f"sort(min by (instance, indicator, title) ({shown}))", legend)

    return p.bars(
        "Les taux : ▼ sous la cible, puis sans cible, puis ✔ à la cible",
        "Le taux de chaque indicateur ; de plusieurs établissements choisis, le plus bas. La couleur suit la cible de l’établissement : "
        "vermillon sous la cible, gris sans cible connue, bleu à la cible.",
        lowest(f"{ratio} < {goal}"),
        lowest(f"{ratio} unless {goal}"),
        lowest(f"{ratio} >= {goal}"),
        unit="percentunit",
        most=1,
        decimals=1,
        overrides=p.by_query(BAD, PLAIN, GOOD),
        links=[
            p.link("Cet indicateur en détail", f.board(f.INDICATOR, ("indicateur", "indicator"))),
            p.link("L’explication, sur la page du moteur", f.page("/indicateurs/{indicator}"), blank=True),
        ],
    )


def _table() -> Json:
    def each(expr: str) -> str:
        return f"max {q.SUBJECT} ({expr})"

    ratio, goal = q.ratio(_ALL), q.goal(_ALL)
    return p.table(
        "Chaque indicateur et sa cible",
        "Taux de la fenêtre choisie, cible, écart en points, sujets (séjours, documents …) à regagner pour atteindre la cible, et taux de la "
        "période qui finit avec ce mois si la suite ressemble aux quatre semaines d’avant les sept derniers jours. Sans cible publiée ni fixée par le site : ni écart ni état.",
        {"indicator": "Indicateur", "title": "Libellé"},
        Column("Taux", f.named(q.titled(ratio)), "percentunit", 80, {"decimals": 1}),
        Column(
            "État",
            each(f"{ratio} >= bool {goal}"),
            "none",
            120,
            {"mappings": w.MET, "custom.cellOptions": p.SOLID_CELL},
        ),
        Column("Cible", f.named(each(goal)), "percentunit", 70, {"decimals": 0}),
        Column(
            "Écart",
            each(q.gap(_ALL)),
            "suffix: pts",
            95,
            {"decimals": 1, "thresholds": p.steps(BAD, (0, GOOD)), "custom.cellOptions": p.TEXT_CELL},
        ),
        Column("À regagner", each(q.to_win(_ALL)), "locale", 90),
        Column(
            "Fin de mois",
            each(f"jauge_indicator_projected_ratio{{{f.SITE}, {_ALL}}}"),
            "percentunit",
            90,
            {"decimals": 1},
        ),
        last=_LAST,
        sort=("Écart", False),
        overrides=_LINKS,
    )


def _existence(catalogue: Catalogue) -> Json:
    asked = [each for each in w.mains(catalogue) if each.kind == "existence"]
    which = "|".join(re.escape(each.id).replace("\\", "\\\\") for each in asked)
    expr = q.ratio(f'indicator=~"{which}"')
    return p.stat(
        "Les indicateurs par oui ou non",
        "Annuaire à jour, messagerie opérationnelle, message test vers la messagerie citoyenne : observés par Jauge.",
        Query(
            f"min by (instance, indicator, title) ({expr} * on (instance, job, indicator) group_left (title) jauge_indicator_info)",
            "{{indicator}} · {{title}}",
        ),
        unit="none",
        thresholds=p.steps(BAD, (1, GOOD)),
        mappings=p.words({"1": "✔ oui", "0": "✖ non"}),
        links=[p.link("L’explication, sur la page du moteur", f.page("/indicateurs/{indicator}"), blank=True)],
        columns=True,
    )


def _lost(catalogue: Catalogue) -> Json:
    lost = q.lost(_ALL)
    worst = f"topk(12, {lost})"
    missed = f"max by (instance, establishment, indicator, reason) (jauge_indicator_missed{{{f.WINDOW}, {_ALL}}})"
    return p.table(
        "Où se perdent les points",
        "Les douze motifs qui coûtent le plus : part du dénominateur, en points, et sujets concernés. Ce qu’il faut faire pour chacun est sur "
        "la page du moteur (colonne Établissement).",
        {"indicator": "Indicateur", "reason": "Motif"},
        Column(
            "Points perdus",
            f.named(worst),
            "suffix: pts",
            170,
            {"decimals": 1, "min": 0, "max": 100, "color": p.fixed(BAD), "custom.cellOptions": p.BAR_CELL},
        ),
        Column("Sujets", f"{missed} and {worst}", "locale", 70),
        last=_LAST,
        sort=("Points perdus", True),
        overrides=[p.override("Motif", mappings=p.words(w.reasons(catalogue))), *_LINKS],
    )


def _falls() -> Json:
    rate = f'jauge_indicator_ratio{{{f.SITE}, window="rolling", {_ALL}}}'
    fallen = f"100 * delta({rate}[$__range]) < -0.05"
    return p.table(
        "Ce qui baisse",
        "Taux sur jours glissants qui ont baissé pendant la durée affichée, en points ; les plus fortes baisses d’abord.",
        {"indicator": "Indicateur", "title": "Libellé"},
        Column(
            "Évolution",
            f.named(q.titled(fallen)),
            "suffix: pts",
            110,
            {
                "decimals": 1,
                "thresholds": p.steps(BAD, (-5, WATCH)),
                "custom.cellOptions": p.TEXT_CELL,
            },
        ),
        Column("Taux", f"max {q.SUBJECT} ({rate} and {fallen})", "percentunit", 90, {"decimals": 1}),
        last=_LAST,
        sort=("Évolution", False),
        overrides=_LINKS,
        nothing="✔ rien ne baisse",
    )


def _feeds() -> Json:
    last = f"jauge_feed_last_message_timestamp_seconds{{{_ANY_FEED}}}"
    return p.table(
        "Les flux",
        "État de chaque flux par rapport à sa propre habitude, dernier message, et messages reçus par heure.",
        {"feed": "Flux", "instance": "Moteur"},
        Column(
            "État",
            q.feed_state(_ANY_FEED),
            "none",
            130,
            {"mappings": w.FEED_STATES, "custom.cellOptions": p.SOLID_CELL},
        ),
        Column("Dernier message", f"1000 * max by (instance, feed) ({last} > 0)", "dateTimeFromNow", 170),
        Column(
            "Messages",
            q.hourly("jauge_messages_received_total", "instance, feed", _ANY_FEED),
            "suffix: /h",
            120,
            {"decimals": 0},
        ),
        sort=("État", True),
        overrides=[
            p.override("Flux", links=[p.link("Ce flux en détail", f.board(f.FEEDS, ("flux", "feed"), cells=True))]),
            p.override(
                "Moteur", links=[p.link("Les flux, sur la page du moteur", f.page("/flux", cells=True), blank=True)]
            ),
        ],
    )


def _dmp() -> Json:
    return p.lines(
        "Réponses du DMP",
        "Envois terminés par heure, selon leur issue : acceptés, refusés, ou échoués avant que le DMP ne réponde.",
        Query(q.hourly("jauge_dmp_responses_total", "outcome", f.SITE), "{{outcome}}"),
        unit="suffix: /h",
        overrides=p.named(w.OUTCOMES, (GOOD, BAD, WATCH)),
        stacked=True,
        decimals=1,
    )
