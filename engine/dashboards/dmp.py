"""The DMP: what is submitted, what becomes of it, why it is refused, and how long it takes."""

from __future__ import annotations

from typing import Final

from engine.dashboards import frame as f
from engine.dashboards import panels as p
from engine.dashboards import queries as q
from engine.dashboards import wording as w
from engine.dashboards.panels import BAD, GOOD, HUES, PLAIN, WATCH, Column, Json, Query

_RESPONSES: Final = "jauge_dmp_responses_total"
_LEGEND: Final = "{{name}}"
_BY: Final = "establishment"


def make() -> Json:
    """The dashboard."""
    panels = p.grid(
        (4, _figures()),
        (10, [(14, _course()), (10, _codes())]),
        (9, [(14, _errors()), (10, _shares())]),
        (9, [(12, _publication()), (12, _answer())]),
        (5, _delays()),
    )
    return f.dashboard(
        f.DMP,
        "Jauge · DMP",
        "Les envois au DMP : combien, acceptés ou refusés, pourquoi, et en combien de temps.",
        [f.ESTABLISHMENT],
        panels,
    )


def _figures() -> list[tuple[int, Json]]:
    def share(title: str, description: str, outcome: str, thresholds: Json) -> Json:
        return p.stat(
            title,
            description,
            Query(f.named(q.share(_RESPONSES, "outcome", outcome)), _LEGEND),
            unit="percentunit",
            decimals=1,
            thresholds=thresholds,
            nothing="aucun envoi",
        )

    sent = p.stat(
        "Envois",
        "Envois au DMP sur la durée affichée, chacun une fois quelles que soient ses traces.",
        Query(f.named(q.total("jauge_dmp_submissions_total", _BY, f.SITE)), _LEGEND),
        unit="locale",
        decimals=0,
        thresholds=p.steps(PLAIN),
    )
    open_ = f"sum by ({_BY}) (jauge_dmp_submissions_total{{{f.SITE}}}) - sum by ({_BY}) ({_RESPONSES}{{{f.SITE}}})"
    waiting = p.stat(
        "Sans réponse",
        "Envois dont aucune trace ne porte la fin, depuis le début du suivi.",
        Query(f.named(f"clamp_min({open_}, 0)"), _LEGEND),
        unit="locale",
        thresholds=p.steps(PLAIN),
    )
    contradictions = p.stat(
        "Contradictions",
        "Traces qui disent le contraire d’une trace plus forte du même envoi, sur la durée affichée ; « jauge contradictions » les liste.",
        Query(f.named(q.total("jauge_dmp_contradictions_total", _BY, f.SITE)), _LEGEND),
        unit="locale",
        decimals=0,
        thresholds=p.steps(GOOD, (1, WATCH)),
        mappings=p.words({"0": "✔ aucune"}),
    )
    unnamed = p.stat(
        "Sans document nommé",
        "Envois acceptés dont aucune trace ne nomme le document : les vrais taux peuvent être plus hauts d’autant.",
        Query(f.named(f"sum by ({_BY}) (jauge_dmp_submissions_unnamed{{{f.SITE}}})"), _LEGEND),
        unit="locale",
        thresholds=p.steps(GOOD, (1, WATCH)),
        mappings=p.words({"0": "✔ aucun"}),
    )
    return [
        (4, sent),
        (
            4,
            share(
                "Acceptés",
                "Part des envois terminés que le DMP a acceptés.",
                "accepted",
                p.steps(BAD, (0.9, WATCH), (0.95, GOOD)),
            ),
        ),
        (
            4,
            share(
                "Refusés",
                "Part des envois terminés que le DMP a refusés.",
                "refused",
                p.steps(GOOD, (0.05, WATCH), (0.1, BAD)),
            ),
        ),
        (4, waiting),
        (4, contradictions),
        (4, unnamed),
    ]


def _course() -> Json:
    return p.lines(
        "Envois par heure, selon leur issue",
        "Acceptés, refusés, ou échoués avant que le DMP ne réponde.",
        Query(q.hourly(_RESPONSES, "outcome", f.SITE), "{{outcome}}"),
        unit="suffix: /h",
        decimals=1,
        stacked=True,
        overrides=p.named(w.OUTCOMES, (GOOD, BAD, WATCH)),
    )


def _codes() -> Json:
    errors = q.total("jauge_dmp_errors_total", "code, establishment", f.SITE)
    return p.table(
        "Pourquoi",
        "Codes des envois refusés ou échoués, sur la durée affichée ; ce que veut dire chacun, et que faire : config/dmp-errors.yaml.",
        {"code": "Code", "name": "Établissement", "establishment": "FINESS"},
        Column(
            "Envois",
            f"sort_desc({f.named(f'round({errors}) > 0')})",
            "locale",
            90,
            {"decimals": 0},
        ),
        sort=("Envois", True),
        overrides=[
            p.override("Code", mappings=p.words(w.refusals())),
            p.override("Établissement", custom__width=215),
            *p.hidden("FINESS"),
        ],
        nothing="aucun refus",
    )


def _errors() -> Json:
    seen = q.total("jauge_dmp_errors_total", "code", f.SITE)
    return p.lines(
        "Refus et échecs par heure",
        "Par code ; une marche qui monte d’un coup vient le plus souvent d’un changement de version ou de certificat.",
        Query(f"{q.hourly('jauge_dmp_errors_total', 'code', f.SITE)} and on (code) {seen} > 0", "{{code}}"),
        unit="suffix: /h",
        decimals=1,
        stacked=True,
        overrides=[*p.named(w.refusals(), HUES[:7]), p.override("other", color=p.fixed(PLAIN))],
    )


def _shares() -> Json:
    rate = f'sum by ({_BY}) (rate({_RESPONSES}{{{f.SITE}, outcome="refused"}}[$__rate_interval]))'
    every = f"sum by ({_BY}) (rate({_RESPONSES}{{{f.SITE}}}[$__rate_interval]))"
    return p.lines(
        "Part refusée",
        "Envois refusés parmi les envois terminés ; seuils à 5 % et 10 %.",
        Query(f.named(f"{rate} / ({every} > 0)", curve=True), _LEGEND),
        unit="percentunit",
        decimals=1,
        colour=HUES[5],
        thresholds=p.steps("transparent", (0.05, WATCH), (0.1, BAD)),
    )


def _quantiles(title: str, description: str, name: str) -> Json:
    return p.lines(
        title,
        description,
        Query(q.quantile(0.5, name, "", f.SITE), "La moitié en moins de"),
        Query(q.quantile(0.95, name, "", f.SITE), "95 % en moins de"),
        unit="s",
        overrides=[
            p.override("La moitié en moins de", color=p.fixed(HUES[0])),
            p.override("95 % en moins de", color=p.fixed(HUES[1])),
        ],
    )


def _publication() -> Json:
    return _quantiles(
        "De la sortie au DMP",
        "Délai entre la sortie du patient et la première acceptation d’un compte rendu du séjour ; 0 quand elle l’a précédée.",
        "jauge_document_publication_delay_seconds",
    )


def _answer() -> Json:
    return _quantiles("Réponse du DMP", "Délai entre l’envoi et la réponse du DMP.", "jauge_dmp_answer_delay_seconds")


def _delays() -> list[tuple[int, Json]]:
    def within(title: str, description: str, seconds: str) -> Json:
        name = "jauge_document_publication_delay_seconds"
        part = f'sum by ({_BY}) (increase({name}_bucket{{{f.SITE}, le="{seconds}"}}[$__range]))'
        every = f"sum by ({_BY}) (increase({name}_count{{{f.SITE}}}[$__range]))"
        return p.stat(
            title,
            description,
            Query(f.named(f"{part} / ({every} > 0)"), _LEGEND),
            unit="percentunit",
            decimals=1,
            thresholds=p.steps(BAD, (0.5, WATCH), (0.8, GOOD)),
            nothing="aucune publication",
        )

    mean = "jauge_dmp_answer_delay_seconds"
    summed = f"sum by ({_BY}) (increase({mean}_sum{{{f.SITE}}}[$__range]))"
    number = f"sum by ({_BY}) (increase({mean}_count{{{f.SITE}}}[$__range]))"
    answer = p.stat(
        "Réponse du DMP, en moyenne",
        "Sur la durée affichée.",
        Query(f.named(f"{summed} / ({number} > 0)"), _LEGEND),
        unit="s",
        decimals=1,
        thresholds=p.steps(PLAIN),
        nothing="aucune réponse",
    )
    return [
        (
            8,
            within(
                "Au DMP le jour de la sortie",
                "Comptes rendus acceptés moins de 24 heures après la sortie, sur la durée affichée.",
                "86400.0",
            ),
        ),
        (
            8,
            within(
                "Au DMP sous sept jours",
                "Comptes rendus acceptés moins de sept jours après la sortie, sur la durée affichée.",
                "604800.0",
            ),
        ),
        (8, answer),
    ]
