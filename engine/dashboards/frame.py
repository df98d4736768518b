"""What every dashboard has: its address, variables, links to the others and to the engine's page, and the alerts as annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.dashboards.panels import BAD, SOURCE, Json

TAG: Final = "jauge"
OVERVIEW: Final = "jauge-vue-ensemble"
INDICATOR: Final = "jauge-indicateur"
FEEDS: Final = "jauge-flux"
DMP: Final = "jauge-dmp"
MSSANTE: Final = "jauge-mssante"
ENGINE: Final = "jauge-moteur"

MACHINE: Final = 'instance=~"$instance"'
SITE: Final = f'{MACHINE}, establishment=~"$etablissement"'
WINDOW: Final = f'{SITE}, window="$fenetre"'
FEED: Final = f'{MACHINE}, feed=~"$flux"'
"""Selectors, without braces: of an engine, of an establishment, of one window of it, of a feed."""

FIRING: Final = 'ALERTS{alertname=~"Jauge.+", alertstate="firing", instance=~"$instance|"}'
"""Alerts of Jauge that fire: those of the engine, and those of none (nothing answers any more)."""

_KEPT: Final = "${datasource:queryparam}&${instance:queryparam}&${__url_time_range}"

_INFO: Final = f"jauge_establishment_info{{{MACHINE}}}"
_WINDOW: Final = f"jauge_window_start_timestamp_seconds{{{MACHINE}}}"


def names(*, curve: bool = False) -> str:
    """One series of value 1 for each establishment, with its label ``name``: the FINESS itself where an engine tells no name.

    The name of now wins over those of the displayed time, which stand in while an engine is away. ``curve``: at each instant, that of then.
    """
    info, window = _INFO, _WINDOW
    if not curve:
        info = f"{_INFO} or on (establishment) last_over_time({_INFO}[$__range])"
        window = f"last_over_time({_WINDOW}[$__range])"
    finess = f'label_join({window} > bool 0, "name", "", "establishment")'
    return f"topk by (establishment) (1, {info} or on (establishment) {finess})"


def named(expr: str, *, curve: bool = False) -> str:
    """With the name of the establishment as a label, ``name``; ``curve``: of values over time."""
    return f"({expr}) * on (establishment) group_left (name) {names(curve=curve)}"


def page(path: str, *, cells: bool = False) -> str:
    """The address of a page of the engine that a value comes from; ``{label}`` in the path is that label of the value.

    ``cells``: the value stands in a table, where the labels are cells of the same row.
    """
    return "http://" + _filled("{instance}" + path, cells=cells)


def board(uid: str, *labels: tuple[str, str], cells: bool = False) -> str:
    """The address of a dashboard, for the same engine and times; ``labels``: (variable, label of the value that it takes)."""
    chosen = "".join(f"&var-{variable}={{{label}}}" for variable, label in labels)
    return f"/d/{uid}?{_KEPT}" + _filled(chosen, cells=cells)


def _filled(text: str, *, cells: bool) -> str:
    return text.replace("{", "${__data.fields." if cells else "${__field.labels.")


def dashboard(uid: str, title: str, description: str, variables: Sequence[Json], panels: list[Json]) -> Json:
    """The whole of one; ``variables`` come after the data source and the engine."""
    return {
        "annotations": {"list": [_ALERTS]},
        "description": description,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [_OTHERS, _PAGE],
        "panels": panels,
        "refresh": "1m",
        "schemaVersion": 39,
        "tags": [TAG],
        "templating": {"list": [_DATASOURCE, _INSTANCE, *variables]},
        "time": {"from": "now-7d", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "weekStart": "monday",
    }


def chosen(name: str, label: str, description: str, values: str, *, regex: str = "") -> Json:
    """A variable filled by Prometheus: several values, or all of them.

    ``values``: ``label_values(...)``; or ``query_result(...)``, of whose series the groups ``value`` and ``text`` of ``regex`` are the values and their words.
    """
    made = {"regex": regex} if regex else {}
    return made | {
        "name": name,
        "label": label,
        "description": description,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": values, "refId": "values", "qryType": 3 if regex else 1},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def listed(name: str, label: str, description: str, values: dict[str, str]) -> Json:
    """A variable with a closed list: value -> words. The first is taken unless told otherwise."""
    first = next(iter(values))
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "custom",
        "query": ", ".join(f"{_escaped(text)} : {value}" for value, text in values.items()),
        "options": [{"selected": value == first, "text": text, "value": value} for value, text in values.items()],
        "multi": False,
        "includeAll": False,
        "current": {"selected": True, "text": values[first], "value": first},
    }


def _escaped(text: str) -> str:
    return text.replace(",", "\\,")


ESTABLISHMENT: Final = chosen(
    "etablissement",
    "Établissement",
    "Nom dans la configuration du moteur, à défaut numéro FINESS ; les établissements ne sont jamais additionnés pour un taux.",
    f"query_result(group by (establishment, name) ({names()}))",
    regex=r'/establishment="(?<value>[^"]+)",name="(?<text>.+)"}/',
)
FLUX: Final = chosen(
    "flux",
    "Flux",
    "Nom du flux dans la configuration du moteur.",
    f"label_values(jauge_feed_last_message_timestamp_seconds{{{MACHINE}}}, feed)",
)
PERIOD: Final = listed(
    "fenetre",
    "Fenêtre",
    "Jours glissants : jusqu’à aujourd’hui. Période officielle : les derniers mois complets, ceux que le programme compte.",
    {"rolling": "Jours glissants", "official": "Période officielle"},
)

_DATASOURCE: Final[Json] = {
    "name": "datasource",
    "label": "Source",
    "description": "Le Prometheus qui interroge Jauge.",
    "type": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "multi": False,
    "includeAll": False,
}
_INSTANCE: Final = chosen(
    "instance",
    "Moteur",
    "Adresse du moteur Jauge, telle que Prometheus l’interroge.",
    "label_values(jauge_build_info, instance)",
)
_ALERTS: Final[Json] = {
    "name": "Alertes de Jauge",
    "datasource": SOURCE,
    "enable": True,
    "hide": False,
    "iconColor": BAD,
    "expr": f"{named(FIRING, curve=True)} or ignoring (name) {FIRING}",
    "step": "60s",
    "titleFormat": "{{alertname}}",
    "textFormat": "{{indicator}} {{feed}} {{name}}",
    "tagKeys": "severity",
}
_OTHERS: Final[Json] = {
    "title": "Tableaux de Jauge",
    "type": "dashboards",
    "tags": [TAG],
    "asDropdown": False,
    "icon": "external link",
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "tooltip": "Un autre tableau de Jauge, pour le même établissement et les mêmes dates",
}
_PAGE: Final[Json] = {
    "title": "Page du moteur",
    "type": "link",
    "url": "http://${instance}/",
    "tags": [],
    "asDropdown": False,
    "icon": "info",
    "includeVars": False,
    "keepTime": False,
    "targetBlank": True,
    "tooltip": "La page que sert le moteur choisi : les mêmes chiffres, expliqués (choisir un seul moteur)",
}
