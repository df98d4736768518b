"""One indicator: its rate against its target, the reasons of what is missing, each establishment, and the other readings of it."""

from __future__ import annotations

from typing import Final

from engine.dashboards import frame as f
from engine.dashboards import panels as p
from engine.dashboards import queries as q
from engine.dashboards import wording as w
from engine.dashboards.panels import BAD, GOOD, HUES, PLAIN, Column, Json, Query
from engine.metrics.catalogue import Catalogue

_THIS: Final = 'indicator="$indicateur"'
_ONE: Final = f"{f.WINDOW}, {_THIS}"
_PAGE: Final = "/indicateurs/{indicator}?etablissement={establishment}"
_DEFAULT: Final = "D2.2"


def make(catalogue: Catalogue) -> Json:
    """The dashboard."""
    titles = w.titles(catalogue)
    names = {_DEFAULT: titles[_DEFAULT]} | titles
    indicator = f.listed(
        "indicateur", "Indicateur", "Indicateur du programme ; ses variantes sont en bas du tableau.", names
    )
    reasons = w.reasons(catalogue)
    panels = p.grid(
        (4, _figures()),
        (11, [(14, _course()), (10, _reasons(reasons))]),
        (10, [(14, _missing(reasons)), (10, _refused())]),
        (7, [(11, _establishments()), (13, _variants())]),
        (4, _bounds()),
    )
    return f.dashboard(
        f.INDICATOR,
        "Jauge · Un indicateur",
        "Un indicateur : son taux et sa cible, pourquoi des points manquent, chaque établissement, et ses autres lectures.",
        [f.ESTABLISHMENT, indicator, f.PERIOD],
        panels,
    )


def _figures() -> list[tuple[int, Json]]:
    ratio, goal = q.ratio(_THIS), q.goal(_THIS)
    legend = "{{name}}"
    rate = p.stat(
        "Taux",
        "Sur la fenêtre choisie. Bleu : à la cible de l’établissement ; vermillon : dessous ; gris : pas de cible connue.",
        Query(f.named(f"{ratio} >= {goal}"), legend),
        Query(f.named(f"{ratio} < {goal}"), legend),
        Query(f.named(f"{ratio} unless {goal}"), legend),
        unit="percentunit",
        decimals=1,
        solid=True,
        overrides=p.by_query(GOOD, BAD, PLAIN),
        links=[p.link("L’explication, sur la page du moteur", f.page(_PAGE), blank=True)],
        nothing="rien à mesurer",
    )
    target = p.stat(
        "Cible",
        "Celle du site (indicators.targets), sinon celle du programme ; au moins.",
        Query(f.named(goal), legend),
        unit="percentunit",
        decimals=0,
        thresholds=p.steps(PLAIN),
        nothing="aucune publiée",
    )
    gap = p.stat(
        "Écart à la cible",
        "Taux moins cible, en points.",
        Query(f.named(q.gap(_THIS)), legend),
        unit="suffix: pts",
        decimals=1,
        thresholds=p.steps(BAD, (0, GOOD)),
        nothing="sans cible",
    )
    to_win = p.stat(
        "À regagner",
        "Sujets (séjours, documents …) qui manquent encore pour atteindre la cible.",
        Query(f.named(q.to_win(_THIS)), legend),
        unit="locale",
        thresholds=p.steps(GOOD, (1, BAD)),
        mappings=p.words({"0": "✔ rien"}),
        nothing="sans cible",
    )
    met = p.stat(
        "Numérateur",
        "Sujets qui remplissent l’indicateur.",
        Query(f.named(f"jauge_indicator_numerator{{{_ONE}}}"), legend),
        unit="locale",
        thresholds=p.steps(PLAIN),
    )
    counted = p.stat(
        "Dénominateur",
        "Sujets que l’indicateur compte.",
        Query(f.named(f"jauge_indicator_denominator{{{_ONE}}}"), legend),
        unit="locale",
        thresholds=p.steps(PLAIN),
    )
    projected = p.stat(
        "Fin de mois, à ce rythme",
        "Taux de la période officielle qui finit avec ce mois, si la suite ressemble aux quatre semaines d’avant les sept derniers jours.",
        Query(f.named(f"jauge_indicator_projected_ratio{{{f.SITE}, {_THIS}}}"), legend),
        unit="percentunit",
        decimals=1,
        thresholds=p.steps(HUES[4]),
        nothing="rien à projeter",
    )
    return [(4, rate), (3, target), (3, gap), (3, to_win), (3, met), (4, counted), (4, projected)]


def _course() -> Json:
    def each(name: str, window: str = "") -> str:
        chosen = f', window="{window}"' if window else ""
        return f.named(f"{name}{{{f.SITE}, {_THIS}{chosen}}}", curve=True)

    dashed = {"custom.lineStyle": {"fill": "dash", "dash": [8, 6]}, "custom.fillOpacity": 0}
    return p.lines(
        "Le taux et sa cible",
        "Jours glissants, période officielle, projection de fin de mois, et la cible (tirets).",
        Query(each("jauge_indicator_ratio", "rolling"), "Jours glissants · {{name}}"),
        Query(each("jauge_indicator_ratio", "official"), "Période officielle · {{name}}"),
        Query(each("jauge_indicator_projected_ratio"), "Fin de mois · {{name}}"),
        Query(f.named(f"jauge_indicator_target_ratio{{{_ONE}}}", curve=True), "Cible · {{name}}"),
        unit="percentunit",
        decimals=1,
        most=1,
        overrides=[
            p.override("/^Jours glissants/", pattern=True, color=p.fixed(HUES[0])),
            p.override("/^Période officielle/", pattern=True, color=p.fixed(HUES[2])),
            p.override("/^Fin de mois/", pattern=True, color=p.fixed(HUES[4]), **dashed),
            p.override("/^Cible/", pattern=True, color=p.fixed(BAD), **dashed),
        ],
    )


def _reasons(reasons: dict[str, str]) -> Json:
    return p.bars(
        "Pourquoi des points manquent",
        "Sujets comptés et non remplis, par motif ; chacun n’en a qu’un, le premier rencontré sur le chemin du document.",
        Query(f"sort_desc(sum by (reason) (jauge_indicator_missed{{{_ONE}}}) > 0)", "{{reason}}"),
        unit="locale",
        thresholds=p.steps(BAD),
        overrides=[p.override(code, displayName=label) for code, label in reasons.items()],
        nothing="rien ne manque",
    )


def _missing(reasons: dict[str, str]) -> Json:
    return p.lines(
        "Ce qui manque, au fil du temps",
        "Sujets non remplis de la fenêtre choisie, par motif.",
        Query(f"sum by (reason) (jauge_indicator_missed{{{_ONE}}}) > 0", "{{reason}}"),
        unit="locale",
        stacked=True,
        overrides=p.named(reasons),
    )


def _refused() -> Json:
    return p.table(
        "Refusés par le DMP : les codes",
        "Parmi les sujets dont le motif est « Rejeté par le DMP », le code du refus. Vide quand rien n’est refusé.",
        {"code": "Code", "name": "Établissement", "establishment": "FINESS"},
        Column(
            "Sujets",
            f"sort_desc({f.named(f'sum by (code, establishment) (jauge_indicator_rejected{{{_ONE}}})')})",
            "locale",
            90,
        ),
        sort=("Sujets", True),
        overrides=[
            p.override("Code", mappings=p.words(w.refusals())),
            p.override("Établissement", custom__width=215),
            *p.hidden("FINESS"),
        ],
        nothing="aucun refus",
    )


def _establishments() -> Json:
    def each(expr: str) -> str:
        return f"max by (instance, establishment) ({expr})"

    explained = f.page("/indicateurs/VARIABLE?etablissement={establishment}", cells=True).replace(
        "VARIABLE", "${indicateur}"
    )
    return p.table(
        "Chaque établissement",
        "Les établissements ne sont jamais additionnés : un groupement regarde la liste, et le plus bas. Valeur officielle : ce que dit le "
        "programme d’un indicateur par oui ou non, quand le site l’a recopié (official_values).",
        {"name": "Établissement", "establishment": "FINESS", "instance": "Moteur"},
        Column("Taux", each(q.ratio(_THIS)), "percentunit", 75, {"decimals": 1}),
        Column("Cible", each(q.goal(_THIS)), "percentunit", 65, {"decimals": 0}),
        Column("Numérateur", f.named(each(f"jauge_indicator_numerator{{{_ONE}}}")), "locale", 95),
        Column("Dénominateur", each(f"jauge_indicator_denominator{{{_ONE}}}"), "locale", 110),
        Column(
            "Officiel",
            each(f"jauge_official_value{{{f.SITE}, {_THIS}}}"),
            "none",
            80,
            {"mappings": w.YES, "custom.cellOptions": p.SOLID_CELL},
        ),
        sort=("Taux", False),
        overrides=[
            p.override("Établissement", links=[p.link("L’explication, sur la page du moteur", explained, blank=True)]),
            *p.hidden("FINESS", "Moteur"),
        ],
    )


def _variants() -> Json:
    which = 'indicator=~"${indicateur}_.+"'

    def each(expr: str) -> str:
        return f"max by (instance, establishment, indicator) ({expr})"

    return p.table(
        "Ses autres lectures",
        "Les variantes de l’indicateur, publiées sous leur propre nom : autre preuve, autre dénominateur. Elles n’ont pas de cible officielle.",
        {"indicator": "Variante", "title": "Libellé"},
        Column("Taux", q.titled(q.ratio(which)), "percentunit", 75, {"decimals": 1}),
        Column("Numérateur", f.named(each(f"jauge_indicator_numerator{{{f.WINDOW}, {which}}}")), "locale", 95),
        Column("Dénominateur", each(f"jauge_indicator_denominator{{{f.WINDOW}, {which}}}"), "locale", 110),
        last={"name": "Établissement", "establishment": "FINESS", "instance": "Moteur"},
        sort=("Variante", False),
        overrides=[
            p.override("Variante", custom__width=120),
            p.override("Établissement", custom__width=215),
            *p.hidden("FINESS", "Moteur"),
        ],
        nothing="aucune variante",
    )


def _bounds() -> list[tuple[int, Json]]:
    first = p.stat(
        "Premier jour de la fenêtre",
        "La fenêtre choisie commence ce jour-là, à minuit, heure de l’établissement.",
        Query(f"1000 * min(jauge_window_start_timestamp_seconds{{{f.WINDOW}}})", "début"),
        unit="time:DD/MM/YYYY",
        thresholds=p.steps(PLAIN),
    )
    last = p.stat(
        "Dernier jour de la fenêtre",
        "Compris.",
        Query(f"1000 * (max(jauge_window_end_timestamp_seconds{{{f.WINDOW}}}) - 1)", "fin"),
        unit="time:DD/MM/YYYY",
        thresholds=p.steps(PLAIN),
    )
    proof = p.stat(
        "Preuve retenue",
        "Ce que l’établissement prend pour preuve d’un envoi au DMP ; les autres preuves sont parmi les variantes.",
        Query(f"count by (proof) (jauge_indicator_proof_info{{{f.SITE}}})", "{{proof}}"),
        unit="none",
        thresholds=p.steps(PLAIN),
        overrides=[p.override(code, displayName=label) for code, label in w.PROOFS.items()],
        said="name",
    )
    return [(6, first), (6, last), (12, proof)]
