"""Feeds and interfaces: which feed is silent, how much it brings, what is turned away, and which application is connected to what."""

from __future__ import annotations

from typing import Final

from engine.dashboards import frame as f
from engine.dashboards import panels as p
from engine.dashboards import queries as q
from engine.dashboards import wording as w
from engine.dashboards.panels import BAD, GOOD, HUES, PLAIN, WATCH, Column, Json, Query

_BY: Final = "instance, feed"
_LAST: Final = f"jauge_feed_last_message_timestamp_seconds{{{f.FEED}}}"
_LIMIT: Final = f"jauge_feed_silence_limit_seconds{{{f.FEED}}}"
_SOME: Final[Json] = {"type": "range", "options": {"from": 1, "to": None, "result": {"color": GOOD, "index": 1}}}
_TO_PAGE: Final = [p.link("Les flux, sur la page du moteur", f.page("/flux", cells=True), blank=True)]


def make() -> Json:
    """The dashboard."""
    panels = p.grid(
        (4, _figures()),
        p.row("État des flux"),
        (9, [(14, _table()), (10, _states())]),
        (8, [(8, _silence()), (16, _volume())]),
        p.row("Débit de chaque flux"),
        (6, [(24, _each())]),
        p.row("Ce qui n’a pas été compté"),
        (9, [(8, _rejections()), (8, _flags()), (8, _repeats())]),
        p.row("Connexions"),
        (8, [(12, _connections()), (12, _troubles())]),
        p.row("Applications et référentiels"),
        (11, [(16, _applications()), (8, _unlisted())]),
    )
    return f.dashboard(
        f.FEEDS,
        "Jauge · Flux et interfaces",
        "Quels flux vivent, combien ils apportent, ce qui est écarté, et quelles applications sont connectées aux référentiels.",
        [f.FLUX],
        panels,
    )


def _figures() -> list[tuple[int, Json]]:
    def count(title: str, description: str, name: str, unit: str = "locale") -> Json:
        return p.stat(
            title,
            description,
            Query(f"sum(increase({name}{{{f.FEED}}}[$__range]))", title.lower()),
            unit=unit,
            decimals=0,
            thresholds=p.steps(PLAIN),
        )

    state = q.feed_state()
    late = p.stat(
        "À regarder",
        "Flux en retard, muets ou jamais vus, par rapport à leur propre habitude.",
        Query(f"count({state} > 0) or vector(0)", "flux"),
        unit="none",
        thresholds=p.steps(GOOD, (1, WATCH)),
        mappings=p.words({"0": "✔ aucun"}),
    )
    opened = p.stat(
        "Connexions ouvertes",
        "Maintenant, tous flux confondus.",
        Query(f"sum(jauge_feed_connections{{{f.FEED}}})", "connexions"),
        unit="locale",
        thresholds=p.steps(PLAIN),
    )
    return [
        (4, late),
        (
            4,
            count(
                "Messages reçus",
                "Sur la durée affichée, doublons et illisibles compris.",
                "jauge_messages_received_total",
            ),
        ),
        (
            4,
            count(
                "Illisibles ou refusés",
                "Mis de côté ou refusés, sur la durée affichée.",
                "jauge_messages_rejected_total",
            ),
        ),
        (4, count("Doublons", "Reçus de nouveau à l’identique, comptés une fois.", "jauge_messages_duplicate_total")),
        (
            4,
            count(
                "Hors production", "Lus, mais de test ou de formation (MSH-11).", "jauge_messages_not_production_total"
            ),
        ),
        (4, opened),
    ]


def _table() -> Json:
    def each(expr: str) -> str:
        return f"max by ({_BY}) ({expr})"

    return p.table(
        "Les flux",
        "Habitude : un silence plus long que celui-ci est inhabituel pour ce flux à cette heure de la semaine, d’après ses semaines passées ; "
        "vide tant qu’elle n’est pas connue.",
        {"feed": "Flux", "instance": "Moteur"},
        Column("État", q.feed_state(), "none", 130, {"mappings": w.FEED_STATES, "custom.cellOptions": p.SOLID_CELL}),
        Column("Dernier message", each(f"1000 * ({_LAST} > 0)"), "dateTimeFromNow", 160),
        Column("Silence", each(f"time() - ({_LAST} > 0)"), "s", 100, {"decimals": 0}),
        Column("Habitude", each(f"{_LIMIT} > 0"), "s", 100, {"decimals": 0}),
        Column(
            "Reçus",
            f"sum by ({_BY}) (increase(jauge_messages_received_total{{{f.FEED}}}[$__range]))",
            "locale",
            100,
            {"decimals": 0},
        ),
        Column(
            "Écartés",
            f"sum by ({_BY}) (increase(jauge_messages_rejected_total{{{f.FEED}}}[$__range]))",
            "locale",
            90,
            {"decimals": 0},
        ),
        sort=("État", True),
        overrides=[p.override("Moteur", links=_TO_PAGE)],
    )


def _states() -> Json:
    return p.states(
        "État au fil du temps",
        "Vivant, en retard, muet ou jamais vu, par rapport à l’habitude de chaque flux.",
        Query(q.feed_state(), "{{feed}}"),
        mappings=w.FEED_STATES,
    )


def _silence() -> Json:
    return p.bars(
        "Silence, rapporté à l’habitude",
        "1 : aussi long que le plus long silence habituel à cette heure de la semaine ; plus de 1 : en retard ; plus de 3 : muet. Les flux sans "
        "habitude connue n’y sont pas.",
        Query(f"max by ({_BY}) ((time() - ({_LAST} > 0)) / ({_LIMIT} > 0))", "{{feed}}"),
        unit="suffix: ×",
        decimals=2,
        most=3,
        thresholds=p.steps(GOOD, (1, WATCH), (3, BAD)),
        nothing="aucune habitude connue encore",
    )


def _volume() -> Json:
    return p.lines(
        "Messages par heure",
        "Reçus, tous les flux choisis ensemble.",
        Query(q.hourly("jauge_messages_received_total", "instance", f.FEED), "{{instance}}"),
        unit="suffix: /h",
        decimals=0,
        colour=HUES[0],
    )


def _each() -> Json:
    one = 'instance=~"$instance", feed=~"$flux"'
    made = p.lines(
        "$flux",
        "Messages reçus par heure sur ce flux : sa forme d’une semaine à l’autre est son habitude.",
        Query(q.hourly("jauge_messages_received_total", "feed", one), "reçus"),
        unit="suffix: /h",
        decimals=0,
        colour=HUES[0],
        legend=False,
    )
    return made | {"repeat": "flux", "repeatDirection": "h", "maxPerRow": 4}


def _rejections() -> Json:
    return p.bars(
        "Illisibles ou refusés, par code",
        "Sur la durée affichée. Le sens de chaque code, et que faire : docs/codes.md.",
        Query(f"sort_desc({q.total('jauge_messages_rejected_total', 'code', f.FEED)} > 0)", "{{code}}"),
        unit="locale",
        decimals=0,
        thresholds=p.steps(BAD),
        nothing="aucun",
        limit=8,
    )


def _flags() -> Json:
    return p.bars(
        "Remarques, par code",
        "Messages lus malgré un défaut, sur la durée affichée ; les huit codes les plus fréquents.",
        Query(f"sort_desc(topk(8, {q.total('jauge_message_flags_total', 'code', f.FEED)} > 0))", "{{code}}"),
        unit="locale",
        decimals=0,
        thresholds=p.steps(WATCH),
        nothing="aucune",
    )


def _repeats() -> Json:
    return p.lines(
        "Répétitions et hors production",
        "Par heure : doublons, numéros de message (MSH-10) réemployés pour un autre contenu, messages de test ou de formation.",
        Query(q.hourly("jauge_messages_duplicate_total", "instance", f.FEED), "Doublons"),
        Query(q.hourly("jauge_control_ids_reused_total", "instance", f.FEED), "Numéros réemployés"),
        Query(q.hourly("jauge_messages_not_production_total", "instance", f.FEED), "Hors production"),
        unit="suffix: /h",
        decimals=1,
        overrides=[
            p.override("Doublons", color=p.fixed(HUES[0])),
            p.override("Numéros réemployés", color=p.fixed(HUES[1])),
            p.override("Hors production", color=p.fixed(HUES[7])),
        ],
    )


def _connections() -> Json:
    return p.states(
        "Connexions de chaque flux",
        "Ouvertes ; aucune pour un flux qui lit des fichiers.",
        Query(f"max by ({_BY}) (jauge_feed_connections{{{f.FEED}}})", "{{feed}}"),
        mappings=[*p.words({"0": ("aucune", PLAIN)}), _SOME],
    )


def _troubles() -> Json:
    return p.lines(
        "Incidents de connexion",
        "Par heure : connexions refusées (trop nombreuses), fermées (silence), poignées de main TLS échouées ; et octets hors de tout message.",
        Query(q.hourly("jauge_connections_refused_total", "instance", f.FEED), "Refusées"),
        Query(q.hourly("jauge_connections_idle_closed_total", "instance", f.FEED), "Fermées sur silence"),
        Query(q.hourly("jauge_tls_failures_total", "instance", f.FEED), "TLS échoué"),
        Query(q.hourly("jauge_junk_bytes_total", "instance", f.FEED), "Octets perdus"),
        unit="suffix: /h",
        decimals=1,
        overrides=[
            p.override("Refusées", color=p.fixed(HUES[5])),
            p.override("Fermées sur silence", color=p.fixed(HUES[1])),
            p.override("TLS échoué", color=p.fixed(HUES[3])),
            p.override("Octets perdus", color=p.fixed(HUES[7])),
        ],
    )


def _applications() -> Json:
    counted = f"jauge_application_in_scope{{{f.MACHINE}}} == 1"

    def each(name: str) -> str:
        return f"max by (instance, application, reference) ({name}{{{f.MACHINE}}} and {counted})"

    cell = {"mappings": w.YES, "custom.cellOptions": p.TEXT_CELL}
    soft = {"mappings": w.YES_OR_NOTHING, "custom.cellOptions": p.TEXT_CELL}
    last = f"1000 * (jauge_application_last_message_timestamp_seconds{{{f.MACHINE}}} > 0)"
    able = f"jauge_application_ins_able{{{f.MACHINE}}}"

    def spread(expr: str) -> str:
        """What is said of the application alone, on the row of each reference."""
        pairs = f"0 * ({counted})"
        alone = f"max by (instance, job, application) ({expr})"
        return f"max by (instance, application, reference) ({pairs} + on (instance, job, application) group_left () {alone})"

    return p.table(
        "Applications connectées aux référentiels",
        "Identités (P1.1), séjours et mouvements (P1.3). Connectée : un message acquitté l’a prouvé (observée), ou l’inventaire le dit "
        "(déclarée). Seules celles du périmètre de l’indicateur, d’après l’inventaire.",
        {"application": "Application", "reference": "Référentiel"},
        Column("Connectée", each("jauge_application_connected"), "none", 110, cell),
        Column("Observée", each("jauge_application_observed"), "none", 100, soft),
        Column("Déclarée", each("jauge_application_declared"), "none", 100, soft),
        Column("INS", spread(able), "none", 90, soft),
        Column("Dernier message", spread(last), "dateTimeFromNow", 150),
        last={"instance": "Moteur"},
        sort=("Connectée", False),
        overrides=[
            p.override("Référentiel", mappings=p.words(w.REFERENCES)),
            p.override(
                "Moteur",
                links=[
                    p.link("Les applications, sur la page du moteur", f.page("/applications", cells=True), blank=True)
                ],
            ),
        ],
        nothing="aucun inventaire",
    )


def _unlisted() -> Json:
    return p.table(
        "Vues dans les flux, absentes de l’inventaire",
        "Chaque point d’échange (application@établissement) que l’inventaire ne nomme pas : l’y ajouter, ou l’y rattacher à une application. "
        "Combien : jauge_application_unlisted.",
        {"endpoint": "Point d’échange", "instance": "Moteur"},
        Column("Nombre", f"max by (instance, endpoint) (jauge_application_unlisted_info{{{f.MACHINE}}})", "locale", 90),
        nothing="aucun",
    )
