"""The engine itself: whether it is ready, its store, its certificates, its speed, and what it could not read or count."""

from __future__ import annotations

from typing import Final

from engine.dashboards import frame as f
from engine.dashboards import panels as p
from engine.dashboards import queries as q
from engine.dashboards.panels import BAD, GOOD, HUES, PLAIN, WATCH, Column, Json, Query

_LEGEND: Final = "{{instance}}"
_DAY: Final = 86400


def make() -> Json:
    """The dashboard."""
    panels = p.grid(
        (4, _health()),
        (8, [(8, _pending()), (8, _disk()), (8, _certificates())]),
        p.row("Vitesse"),
        (
            9,
            [
                (8, _speed("Lecture d’un message", "Des octets aux faits.", "jauge_parse_seconds")),
                (8, _commit()),
                (8, _flow()),
            ],
        ),
        p.row("Mis de côté, laissé de côté"),
        (4, _aside()),
        p.row("Processus"),
        (8, [(8, _processor()), (8, _memory()), (8, _files())]),
        (6, [(12, _versions()), (12, _scrapes())]),
    )
    return f.dashboard(
        f.ENGINE,
        "Jauge · Le moteur",
        "Le moteur lui-même : prêt ou non, son magasin, ses certificats, sa vitesse, ce qu’il a mis de côté.",
        [],
        panels,
    )


def _one(name: str) -> str:
    return f"max by (instance) ({name}{{{f.MACHINE}}})"


def _tile(title: str, description: str, expr: str, unit: str, thresholds: Json, **more: object) -> Json:
    return p.stat(title, description, Query(expr, _LEGEND), unit=unit, thresholds=thresholds, **more)  # type: ignore[arg-type]


def _health() -> list[tuple[int, Json]]:
    ready = _tile(
        "Prêt",
        "Les messages peuvent être acquittés et gardés (l’adresse /readyz).",
        _one("jauge_ready"),
        "none",
        p.steps(BAD, (1, GOOD)),
        mappings=p.words({"1": "✔ prêt", "0": "✖ pas prêt"}),
        nothing="✖ injoignable",
    )
    age = _tile(
        "Âge des chiffres",
        "Temps écoulé depuis que les valeurs ont été prises : il grandit quand le moteur est bloqué.",
        f"time() - {_one('jauge_snapshot_timestamp_seconds')}",
        "s",
        p.steps(GOOD, (120, WATCH), (600, BAD)),
        decimals=0,
    )
    since = _tile(
        "En marche depuis",
        "Dernier démarrage du moteur.",
        f"time() - {_one('jauge_start_timestamp_seconds')}",
        "s",
        p.steps(PLAIN),
        decimals=0,
    )
    certificate = _tile(
        "Premier certificat qui expire",
        "Temps qui reste au certificat qui expire le premier.",
        f"min by (instance) (jauge_certificate_expiry_timestamp_seconds{{{f.MACHINE}}}) - time()",
        "s",
        p.steps(BAD, (7 * _DAY, WATCH), (30 * _DAY, GOOD)),
        decimals=0,
        nothing="aucun certificat",
    )
    free = _tile(
        "Place libre",
        "Sur le disque du magasin.",
        _one("jauge_store_free_bytes"),
        "bytes",
        p.steps(BAD, (1e9, WATCH), (5e9, GOOD)),
        decimals=1,
        spark=True,
    )
    pending = _tile(
        "À compter",
        "Messages gardés et acquittés, pas encore dans les indicateurs.",
        _one("jauge_ledger_pending_messages"),
        "locale",
        p.steps(GOOD, (1_000, WATCH), (100_000, BAD)),
        mappings=p.words({"0": "✔ rien"}),
    )
    return [(4, ready), (4, age), (4, since), (4, certificate), (4, free), (4, pending)]


def _pending() -> Json:
    return p.lines(
        "Messages à compter",
        "Gardés et acquittés, pas encore dans les indicateurs : une bosse se résorbe, une pente non.",
        Query(_one("jauge_ledger_pending_messages"), _LEGEND),
        unit="locale",
        colour=HUES[0],
    )


def _disk() -> Json:
    return p.lines(
        "Taille du magasin",
        "Le fichier du magasin et ses journaux ; la place qui reste sur son disque est plus haut.",
        Query(_one("jauge_store_size_bytes"), _LEGEND),
        unit="bytes",
        colour=HUES[0],
    )


def _certificates() -> Json:
    remaining = f"max by (instance, certificate) (jauge_certificate_expiry_timestamp_seconds{{{f.MACHINE}}}) - time()"
    return p.bars(
        "Certificats : temps restant",
        "Par rôle dans la configuration ; à renouveler sous 30 jours, en urgence sous 7.",
        Query(f"sort({remaining})", "{{certificate}}"),
        unit="s",
        decimals=0,
        most=365 * _DAY,
        thresholds=p.steps(BAD, (7 * _DAY, WATCH), (30 * _DAY, GOOD)),
        nothing="aucun certificat",
    )


def _speed(title: str, description: str, name: str) -> Json:
    return p.lines(
        title,
        f"{description} La moitié, et 99 %, en moins de ce temps.",
        Query(q.quantile(0.5, name, "instance", f.MACHINE), "La moitié · {{instance}}"),
        Query(q.quantile(0.99, name, "instance", f.MACHINE), "99 % · {{instance}}"),
        unit="s",
        overrides=[
            p.override("/^La moitié/", pattern=True, color=p.fixed(HUES[0])),
            p.override("/^99 %/", pattern=True, color=p.fixed(HUES[1])),
        ],
    )


def _commit() -> Json:
    return _speed(
        "Écriture d’un lot",
        "Le temps de rendre un lot de messages durable, avant tout acquittement.",
        "jauge_commit_seconds",
    )


def _flow() -> Json:
    return p.lines(
        "Messages reçus",
        "Par heure, tous flux confondus.",
        Query(q.hourly("jauge_messages_received_total", "instance", f.MACHINE), _LEGEND),
        unit="suffix: /h",
        decimals=0,
        colour=HUES[0],
    )


def _aside() -> list[tuple[int, Json]]:
    none = p.words({"0": "✔ aucun"})
    alarm = p.steps(GOOD, (1, WATCH))
    return [
        (
            5,
            _tile(
                "Messages illisibles gardés",
                "Scellés, à relire une fois la cause corrigée.",
                _one("jauge_aside_messages"),
                "locale",
                alarm,
                mappings=none,
            ),
        ),
        (
            4,
            _tile(
                "Leur place",
                "Octets des messages illisibles gardés.",
                _one("jauge_aside_bytes"),
                "bytes",
                p.steps(PLAIN),
            ),
        ),
        (
            5,
            _tile(
                "Hors de l’inventaire",
                "Points d’échange vus dans les flux qu’aucune ligne de l’inventaire ne nomme.",
                _one("jauge_application_unlisted"),
                "locale",
                alarm,
                mappings=none,
            ),
        ),
        (
            5,
            _tile(
                "Faits laissés",
                "Depuis le démarrage, parce qu’un même patient en portait trop : un numéro donné à tout le monde.",
                _one("jauge_ledger_facts_dropped_total"),
                "locale",
                alarm,
                mappings=none,
            ),
        ),
        (
            5,
            _tile(
                "Étiquettes regroupées",
                "Valeurs réunies sous « other » depuis le démarrage (limits.label_values).",
                _one("jauge_label_values_dropped_total"),
                "locale",
                alarm,
                mappings=p.words({"0": "✔ aucune"}),
            ),
        ),
    ]


def _processor() -> Json:
    return p.lines(
        "Processeur",
        "Part d’un cœur ; 100 % : un cœur entier.",
        Query(f"sum by (instance) (rate(process_cpu_seconds_total{{{_SAME}}}[$__rate_interval]) {_OURS})", _LEGEND),
        unit="percentunit",
        colour=HUES[0],
    )


_SAME: Final = f.MACHINE
# Other jobs of the same Prometheus have process_* metrics too: only those of an engine are ours.
_OURS: Final = "and on (instance, job) jauge_build_info"


def _memory() -> Json:
    return p.lines(
        "Mémoire",
        "Mémoire résidente du processus.",
        Query(f"sum by (instance) (process_resident_memory_bytes{{{_SAME}}} {_OURS})", _LEGEND),
        unit="bytes",
        colour=HUES[0],
    )


def _files() -> Json:
    return p.lines(
        "Fichiers ouverts",
        "Fichiers et connexions du processus, rapportés à la limite du système ; seuil à 80 %.",
        Query(
            f"sum by (instance) (process_open_fds{{{_SAME}}} / process_max_fds{{{_SAME}}} {_OURS})",
            _LEGEND,
        ),
        unit="percentunit",
        decimals=1,
        colour=HUES[0],
        thresholds=p.steps("transparent", (0.8, BAD)),
    )


def _versions() -> Json:
    started = "on (instance, job) group_left () jauge_start_timestamp_seconds"
    return p.table(
        "Versions",
        "Version de Jauge et de Python de chaque moteur, et son dernier démarrage.",
        {"version": "Jauge", "python": "Python"},
        Column(
            "Démarré",
            f"1000 * max by (instance, version, python) (jauge_build_info{{{f.MACHINE}}} * {started})",
            "dateTimeFromNow",
            180,
        ),
        last={"instance": "Moteur"},
        overrides=[p.override("Moteur", links=[p.link("La page du moteur", f.page("/", cells=True), blank=True)])],
    )


def _scrapes() -> Json:
    return p.lines(
        "Temps d’une lecture par Prometheus",
        "Durée de chaque lecture de /metrics ; un trou : le moteur ne répondait pas.",
        Query(f"max by (instance) (scrape_duration_seconds{{{_SAME}}} {_OURS})", _LEGEND),
        unit="s",
        colour=HUES[0],
    )
