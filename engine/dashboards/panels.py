"""Panels of a Grafana dashboard, as Grafana's JSON: the classic schema, whose types are those of @grafana/schema 13.

Every panel has a unit and a description, asks the data source ``${datasource}``, and says with words what it says with a colour.
Colours are those of Okabe and Ito, told apart by everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

Json = dict[str, Any]

GOOD: Final = "#2f86d9"
WATCH: Final = "#e69f00"
BAD: Final = "#d55e00"
PLAIN: Final = "#8e8e8e"
HUES: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8e8e8e")
"""Blue, orange, green, pink, sky, vermilion, yellow, grey: in this order, neighbours differ in lightness too."""

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_REFERENCES: Final = "ABCDEFGHIJKLMNOP"


class Query(Struct, frozen=True):
    """One question to Prometheus. ``legend``: the name of a series, with ``{{label}}``."""

    expr: str
    legend: str = ""


class Column(Struct, frozen=True):
    """One column of a table: a value (``expr``), its title, unit, and what changes for it (``custom``, ``mappings``, ``links`` ...)."""

    title: str
    expr: str
    unit: str
    width: int = 0
    properties: Mapping[str, Any] = {}


def steps(base: str, *above: tuple[float, str]) -> Json:
    """Thresholds: a colour, and another from each value on."""
    found = [{"color": base, "value": None}, *({"color": colour, "value": value} for value, colour in above)]
    return {"mode": "absolute", "steps": found}


def words(said: Mapping[str, tuple[str, str] | str]) -> list[Json]:
    """Mappings of values to words: ``{"1": ("oui", colour)}``, or a word alone."""
    options: Json = {}
    for index, (value, word) in enumerate(said.items()):
        text, colour = (word, "") if isinstance(word, str) else word
        options[value] = {"text": text, "index": index} | ({"color": colour} if colour else {})
    return [{"type": "value", "options": options}]


def override(name: str, *, pattern: bool = False, **properties: Any) -> Json:
    """What changes for one series or column, by its name; ``pattern``: by a regular expression. ``custom__width`` is ``custom.width``."""
    return {
        "matcher": {"id": "byRegexp" if pattern else "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def hidden(*titles: str) -> list[Json]:
    """Columns of which only the links of their row make use. Grafana knows it since 12.2; before, it shows them, narrow."""
    return [override(title, custom__hideFrom__viz=True, custom__width=100) for title in titles]


def fixed(colour: str) -> Json:
    """Always this colour."""
    return {"mode": "fixed", "fixedColor": colour}


def by_query(*colours: str) -> list[Json]:
    """The series of the first query have the first colour, those of the second the second ..."""
    return [
        {
            "matcher": {"id": "byFrameRefID", "options": reference},
            "properties": [{"id": "color", "value": fixed(colour)}],
        }
        for reference, colour in zip(_REFERENCES, colours, strict=False)
    ]


def named(labels: Mapping[str, str], colours: Sequence[str] = HUES) -> list[Json]:
    """Series named by a code get its words, and a colour each."""
    return [
        override(code, displayName=label, color=fixed(colours[index % len(colours)]))
        for index, (code, label) in enumerate(labels.items())
    ]


def link(title: str, url: str, *, blank: bool = False) -> Json:
    """A link of a value: ``${__field.labels.x}`` or ``${__data.fields.x}`` in the address."""
    return {"title": title, "url": url, "targetBlank": blank}


def stat(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    thresholds: Json | None = None,
    mappings: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
    links: Sequence[Json] = (),
    decimals: int | None = None,
    solid: bool = False,
    spark: bool = False,
    nothing: str = "",
    columns: bool = False,
    said: str = "auto",
) -> Json:
    """Large numbers. ``solid``: the colour fills the tile; ``spark``: with the line of the past; ``columns``: beside each other.

    ``said``: ``value_and_name`` or ``name`` where the name of the only series matters.
    """
    made = _panel("stat", title, description, queries, instant=not spark)
    made["options"] = {
        "colorMode": "background_solid" if solid else "value",
        "graphMode": "area" if spark else "none",
        "justifyMode": "auto",
        "orientation": "vertical" if columns else "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": _LATEST,
        "showPercentChange": False,
        "textMode": said,
        "wideLayout": True,
    }
    shown = thresholds or steps(GOOD)
    return _configured(made, unit, shown, mappings, overrides, links, decimals, nothing)


def bars(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    thresholds: Json | None = None,
    overrides: Sequence[Json] = (),
    links: Sequence[Json] = (),
    most: float | None = None,
    decimals: int | None = None,
    nothing: str = "",
    limit: int = 0,
) -> Json:
    """Horizontal bars, one a series, its name above it. ``most``: the full length."""
    made = _panel("bargauge", title, description, queries, instant=True)
    made["options"] = {
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 60,
        "minVizHeight": 14,
        "minVizWidth": 8,
        "namePlacement": "top",
        "orientation": "horizontal",
        "reduceOptions": _LATEST,
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "text",
    }
    if limit:
        made["transformations"] = [{"id": "limit", "options": {"limitField": limit}}]
    _configured(made, unit, thresholds or steps(GOOD), (), overrides, links, decimals, nothing)
    made["fieldConfig"]["defaults"]["min"] = 0
    if most is not None:
        made["fieldConfig"]["defaults"]["max"] = most
    return made


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    thresholds: Json | None = None,
    overrides: Sequence[Json] = (),
    links: Sequence[Json] = (),
    stacked: bool = False,
    colour: str = "",
    least: float | None = 0,
    most: float | None = None,
    legend: bool = True,
    decimals: int | None = None,
) -> Json:
    """Values over time. ``stacked``: on top of each other; ``colour``: of a single series; ``least``, ``most``: of the axis, where data allow."""
    made = _panel("timeseries", title, description, queries, instant=False)
    shown: Json = {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True}
    made["options"] = {
        "legend": shown if legend else {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    _configured(made, unit, thresholds or steps(GOOD), (), overrides, links, decimals, "")
    defaults = made["fieldConfig"]["defaults"]
    defaults["color"] = fixed(colour) if colour else {"mode": "palette-classic"}
    defaults["custom"] = {
        "drawStyle": "line",
        "fillOpacity": 45 if stacked else 8,
        "lineInterpolation": "linear",
        "lineWidth": 1 if stacked else 2,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
    }
    if thresholds:
        defaults["custom"]["thresholdsStyle"] = {"mode": "dashed"}
    if least is not None:
        defaults["custom"]["axisSoftMin"] = least
    if most is not None:
        defaults["custom"]["axisSoftMax"] = most
    return made


def states(
    title: str,
    description: str,
    *queries: Query,
    mappings: Sequence[Json],
    links: Sequence[Json] = (),
    unit: str = "none",
) -> Json:
    """One band a series, cut where its state changes."""
    made = _panel("state-timeline", title, description, queries, instant=False)
    made["options"] = {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    _configured(made, unit, steps(PLAIN), mappings, (), links, None, "")
    made["fieldConfig"]["defaults"]["custom"] = {"fillOpacity": 80, "lineWidth": 0}
    return made


def table(
    title: str,
    description: str,
    keys: Mapping[str, str],
    *columns: Column,
    last: Mapping[str, str] = {},
    sort: tuple[str, bool] | None = None,
    overrides: Sequence[Json] = (),
    nothing: str = "",
) -> Json:
    """Rows by their labels (``keys``: label -> title of its column), one column a query, then the labels that matter less (``last``).

    ``sort``: a title, and whether downwards. Each query must keep these labels and no others (``max by (...)``), but for some that may bring more of them (a title, a name): rows
    are joined by the labels that every query has.
    """
    made = _panel("table", title, description, [Query(column.expr) for column in columns], instant=True)
    values = ["Value"] if len(columns) == 1 else [f"Value #{_REFERENCES[index]}" for index in range(len(columns))]
    renamed = dict(keys) | dict(last) | {value: column.title for value, column in zip(values, columns, strict=True)}
    order = {name: index for index, name in enumerate([*keys, *values, *last])}
    organise = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed}
    made["transformations"] = [
        *([{"id": "merge", "options": {}}] if len(columns) > 1 else []),
        {"id": "organize", "options": organise},
    ]
    made["options"] = {"cellHeight": "sm", "frameIndex": 0, "showHeader": True}
    if sort:
        made["options"]["sortBy"] = [{"displayName": sort[0], "desc": sort[1]}]
    own = [
        override(column.title, **({"unit": column.unit} | _width(column.width) | dict(column.properties)))
        for column in columns
    ]
    _configured(made, "none", steps(PLAIN), (), [*own, *overrides], (), None, nothing)
    made["fieldConfig"]["defaults"]["custom"] = {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "filterable": True,
        "inspect": False,
    }
    return made


SOLID_CELL: Final[Json] = {"type": "color-background", "mode": "basic"}
TEXT_CELL: Final[Json] = {"type": "color-text"}
BAR_CELL: Final[Json] = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}


def row(title: str) -> Json:
    """A heading over the panels that follow."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


Line = tuple[int, Sequence[tuple[int, Json]]]
"""Panels beside each other: their height, and each with its width (24 is the whole)."""


def grid(*content: Json | Line) -> list[Json]:
    """Panels with their ids and places, line under line; a row takes one unit of height."""
    placed: list[Json] = []
    y = 0
    for each in content:
        height, across = (1, [(24, each)]) if isinstance(each, dict) else each
        assert sum(width for width, _ in across) <= 24, [panel["title"] for _, panel in across]
        x = 0
        for width, panel in across:
            place = {"x": x, "y": y, "w": width, "h": height}
            placed.append({"id": len(placed) + 1, "gridPos": place} | panel)
            x += width
        y += height
    return placed


_LATEST: Final[Json] = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _width(width: int) -> Json:
    return {"custom.width": width} if width else {}


def _panel(kind: str, title: str, description: str, queries: Iterable[Query], *, instant: bool) -> Json:
    targets = [
        {
            "refId": _REFERENCES[index],
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "format": "table" if kind == "table" else "time_series",
            "instant": instant,
            "range": not instant,
            "legendFormat": query.legend or "__auto",
        }
        for index, query in enumerate(queries)
    ]
    return {"type": kind, "title": title, "description": description, "datasource": SOURCE, "targets": targets}


def _configured(
    made: Json,
    unit: str,
    thresholds: Json,
    mappings: Sequence[Json],
    overrides: Sequence[Json],
    links: Sequence[Json],
    decimals: int | None,
    nothing: str,
) -> Json:
    defaults: Json = {
        "color": {"mode": "thresholds"},
        "mappings": list(mappings),
        "thresholds": thresholds,
        "unit": unit,
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    if links:
        defaults["links"] = list(links)
    if nothing:
        defaults["noValue"] = nothing
    made["fieldConfig"] = {"defaults": defaults, "overrides": list(overrides)}
    return made
