"""A drawing of a dashboard with the answers of its queries, as HTML: for whoever changes one, and has no Grafana at hand.

It is this project's own and shows places, titles, values, words and colours as the JSON says them; it is not Grafana, whose pixels differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from tests.grafana.interpolation import Answer, Values

Ask = Callable[[Any, Values], Answer]
"""A target and the values of the variables -> what Prometheus says."""

_ZONE = ZoneInfo("Europe/Paris")
_WIDTH, _HEIGHT, _GAP = 66, 30, 8
_PALETTE = "#73bf69 #f2cc0c #8ab8ff #ff780a #f2495c #5794f2 #b877d9 #705da0 #37872d #fade2a".split()

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")


class Series(Struct, frozen=True):
    """One series of an answer, its name and what the panel says of it."""

    name: str
    points: list[tuple[float, float]]
    settings: dict[str, Any]

    @property
    def last(self) -> float | None:
        """Its latest number."""
        return next((value for _, value in reversed(self.points) if value == value), None)


def number(value: float, decimals: int) -> str:
    """A number as French readers write it."""
    return f"{value:,.{decimals}f}".replace(",", "\u202f").replace(".", ",")


def shown(value: float | None, unit: str, decimals: int | None, now: float) -> str:
    """A value with its unit, more or less as Grafana writes it."""
    if value is None:
        return ""
    if unit == "percentunit":
        return f"{number(100 * value, 1 if decimals is None else decimals)}\u202f%"
    if unit.startswith("suffix:"):
        return f"{number(value, 1 if decimals is None else decimals)}\u00a0{unit.removeprefix('suffix:').strip()}"
    if unit.startswith("time:"):
        return datetime.fromtimestamp(value / 1000, _ZONE).strftime("%d/%m/%Y")
    if unit == "dateTimeFromNow":
        if value / 1000 > now:
            return f"dans {shown(value / 1000 - now, 's', 0, now)}"
        return f"il y a {shown(now - value / 1000, 's', 0, now)}"
    if unit == "bool_yes_no":
        return "oui" if value else "non"
    for names, base in ((("o", "Kio", "Mio", "Gio", "Tio"), 1024.0),) if unit == "bytes" else ():
        power = 0
        while abs(value) >= base and power < len(names) - 1:
            value, power = value / base, power + 1
        return f"{number(value, 1 if decimals is None else decimals)} {names[power]}"
    if unit == "s":
        for size, name in (
            (86_400 * 7, "semaines"),
            (86_400, "jours"),
            (3_600, "h"),
            (60, "min"),
            (1, "s"),
            (1e-3, "ms"),
        ):
            if abs(value) >= size:
                return f"{number(value / size, 1 if decimals is None else decimals)} {name}"
        return f"{number(value * 1e6, 0)} µs"
    return number(value, decimals if decimals is not None else 0 if value == round(value) else 2)


def dashboard(
    board: Any, values: Values, ask: Ask, span: tuple[float, float], note: str, words: Mapping[str, str] = {}
) -> str:
    """The whole page. ``words``: what a person reads of a value of a variable, where it is not the value."""
    placed, height, shift = [], 0, 0
    for panel in board["panels"]:
        place = dict(panel["gridPos"])
        place["y"] += shift
        copies = _repeated(panel, place, values)
        shift += (max(where["y"] for _, where, _ in copies) - place["y"]) if copies else 0
        for each, where, held in copies:
            placed.append(_panel(each, where, held, ask, span))
            height = max(height, where["y"] + where["h"])
    variables = "".join(
        f'<span class="variable"><b>{escape(each["label"])}</b>{escape(_choice(each, values, words))}</span>'
        for each in board["templating"]["list"]
    )
    return (
        f'<!doctype html><html lang="fr"><meta charset="utf-8"><title>{escape(board["title"])}</title><style>{STYLE}</style>'
        f'<header><h1>{escape(board["title"])}</h1>{variables}<span class="made">{escape(note)}</span></header>'
        f'<main style="height:{height * (_HEIGHT + _GAP) + 12}px">{"".join(placed)}</main></html>'
    )


def _choice(variable: Any, values: Values, words: Mapping[str, str]) -> str:
    held = values[variable["name"]]
    if isinstance(held, str):
        return words.get(held, held)
    return "Tous" if len(held) > 1 else "".join(words.get(each, each) for each in held)


def _repeated(panel: Any, place: dict[str, int], values: Values) -> list[tuple[Any, dict[str, int], Values]]:
    """A panel once for each value of the variable that repeats it, or once."""
    name = panel.get("repeat")
    if not name:
        return [(panel, place, values)]
    across = min(panel["maxPerRow"], len(values[name]))
    width = 24 // across
    return [
        (
            panel | {"title": each},
            place | {"x": index % across * width, "w": width, "y": place["y"] + index // across * place["h"]},
            {**values, name: [each]},
        )
        for index, each in enumerate(values[name])
    ]


def _panel(panel: Any, place: dict[str, int], values: Values, ask: Ask, span: tuple[float, float]) -> str:
    box = (
        f"left:{place['x'] * _WIDTH}px;top:{place['y'] * (_HEIGHT + _GAP)}px;width:{place['w'] * _WIDTH - _GAP}px;"
        f"height:{place['h'] * (_HEIGHT + _GAP) - _GAP}px"
    )
    if panel["type"] == "row":
        return f'<div class="row" style="{box}">⌄ {escape(panel["title"])}</div>'
    answers = [(target, ask(target, values)) for target in panel["targets"]]
    draw = {"stat": _stat, "bargauge": _bars, "timeseries": _lines, "state-timeline": _states, "table": _table}[
        panel["type"]
    ]
    body = draw(panel, answers, place, span)
    if not body:
        body = f'<div class="nothing">{escape(panel["fieldConfig"]["defaults"].get("noValue", "No data"))}</div>'
    return f'<div class="panel" style="{box}"><h2>{escape(panel["title"])}</h2><div class="body">{body}</div></div>'


# ---- what the panel says of a series or a column


def _settings(panel: Any, name: str, reference: str) -> dict[str, Any]:
    """The defaults of the panel, and what its overrides change for this name."""
    found = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        if {
            "byName": matcher["options"] == name,
            "byRegexp": bool(re.search(matcher["options"].strip("/"), name)),
            "byFrameRefID": matcher["options"] == reference,
        }[matcher["id"]]:
            found |= {each["id"]: each["value"] for each in override["properties"]}
    return found


def _series(panel: Any, answers: Iterable[tuple[Any, Answer]]) -> list[Series]:
    found = []
    for target, answer in answers:
        for row in answer.rows:
            legend = target["legendFormat"]
            name = re.sub(r"\{\{(\w+)\}\}", lambda match, row=row: row["metric"].get(match[1], ""), legend)
            points = row["values"] if answer.past else [row["value"]]
            settings = _settings(panel, name, target["refId"])
            name = settings.get("displayName", name)
            found.append(Series(name, [(float(at), float(value)) for at, value in points], settings))
    return [each for each in found if each.last is not None]


def _mapped(value: Any, settings: dict[str, Any]) -> tuple[str, str] | None:
    for mapping in settings.get("mappings", ()):
        if mapping["type"] == "range":
            low = mapping["options"]["from"]
            if isinstance(value, float) and value >= low:
                return "", mapping["options"]["result"].get("color", "")
            continue
        key = f"{value:g}" if isinstance(value, float) else str(value)
        if key in mapping["options"]:
            return mapping["options"][key]["text"], mapping["options"][key].get("color", "")
    return None


def _text(value: float, settings: dict[str, Any], now: float) -> str:
    mapped = _mapped(value, settings)
    return (mapped and mapped[0]) or shown(value, settings["unit"], settings.get("decimals"), now)


def _colour(value: float, settings: dict[str, Any]) -> str:
    mapped = _mapped(value, settings)
    if mapped and mapped[1]:
        return mapped[1]
    if settings["color"]["mode"] == "fixed":
        return str(settings["color"]["fixedColor"])
    colour = ""
    for step in settings["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return colour


def _ink(colour: str) -> str:
    """Black or white, whichever is read on this colour."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#000" if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else "#fff"


# ---- the kinds of panels


def _stat(panel: Any, answers: Any, place: dict[str, int], span: tuple[float, float]) -> str:
    series = _series(panel, answers)
    solid = panel["options"]["colorMode"] != "value"
    size = min(44, int(panel["gridPos"]["h"] * 11), int(place["w"] * _WIDTH / max(1, len(series)) / 5))
    tiles = []
    for each in series:
        assert each.last is not None
        text, colour = escape(_text(each.last, each.settings, span[1])), _colour(each.last, each.settings)
        style = f"background:{colour};color:{_ink(colour)}" if solid else f"color:{colour}"
        mode = panel["options"]["textMode"]
        name = f"<small>{escape(each.name)}</small>" if len(series) > 1 or mode == "value_and_name" else ""
        if mode == "name":
            name, text = "", escape(each.name)
        fit = max(14, min(size, int(1.6 * place["w"] * _WIDTH / max(1, len(series)) / max(4, len(text)))))
        tiles.append(f'<div style="{style}">{name}<b style="font-size:{fit}px">{text}</b></div>')
    return f'<div class="stats">{"".join(tiles)}</div>' if tiles else ""


def _bars(panel: Any, answers: Any, place: dict[str, int], span: tuple[float, float]) -> str:
    series = _series(panel, answers)
    for transformation in panel.get("transformations", ()):
        series = series[: transformation["options"]["limitField"]]
    most = panel["fieldConfig"]["defaults"].get("max") or max((each.last or 0 for each in series), default=1) or 1
    rows = []
    for each in series:
        assert each.last is not None
        colour = _colour(each.last, each.settings)
        part = max(0.0, min(100.0, 100 * each.last / most))
        rows.append(
            f'<div><span>{escape(each.name)}</span><div class="line"><i><u style="width:{part:.1f}%;background:{colour}"></u></i>'
            f'<b style="color:{colour}">{escape(_text(each.last, each.settings, span[1]))}</b></div></div>'
        )
    return f'<div class="bars">{"".join(rows)}</div>' if rows else ""


def _lines(panel: Any, answers: Any, place: dict[str, int], span: tuple[float, float]) -> str:
    series = _series(panel, answers)
    if not series:
        return ""
    custom = panel["fieldConfig"]["defaults"]["custom"]
    stacked = custom["stacking"]["mode"] == "normal"
    times = sorted({at for each in series for at, _ in each.points})
    below = dict.fromkeys(times, 0.0)
    curves = []
    for index, each in enumerate(series):
        points = [(at, value) for at, value in each.points if value == value]
        base = [(at, below[at]) for at, _ in points]
        if stacked:
            points = [(at, value + below[at]) for at, value in points]
            below |= dict(points)
        fixed = each.settings["color"]["mode"] == "fixed"
        colour = each.settings["color"]["fixedColor"] if fixed else _PALETTE[index % len(_PALETTE)]
        curves.append((each, points, base, colour))
    top = max([custom.get("axisSoftMax", 0.0), *(value for _, points, _, _ in curves for _, value in points)]) or 1.0
    wide, high, left = place["w"] * _WIDTH - 30, place["h"] * (_HEIGHT + _GAP) - 56, 86
    if panel["options"]["legend"]["showLegend"]:
        high -= 17 * -(-len(series) // max(1, wide // 230)) + 4
    start, end = span

    def xy(point: tuple[float, float]) -> str:
        x = left + (wide - left) * (point[0] - start) / max(1.0, end - start)
        return f"{x:.1f},{8 + (high - 26) * (1 - point[1] / top):.1f}"

    defaults = panel["fieldConfig"]["defaults"]
    marks = []
    for step in range(5):
        value = top * step / 4
        y = xy((start, value)).split(",")[1]
        text = escape(shown(value, defaults["unit"], 1 if value < 10 else 0, end))
        marks.append(
            f'<line x1="{left}" x2="{wide}" y1="{y}" y2="{y}" stroke="#25272c"/><text x="{left - 6}" y="{y}" dy="4" text-anchor="end">{text}</text>'
        )
    for step in range(5):
        at = start + (end - start) * step / 4
        x = xy((at, 0)).split(",")[0]
        clock = datetime.fromtimestamp(at, UTC).astimezone(_ZONE).strftime("%H:%M:%S")
        marks.append(
            f'<text x="{x}" y="{high - 4}" text-anchor="{("start", "middle", "middle", "middle", "end")[step]}">{clock}</text>'
        )
    paths, legend = [], []
    for each, points, base, colour in curves:
        dash = each.settings.get("custom.lineStyle", {}).get("dash")
        style = f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""
        line = " ".join(map(xy, points))
        if stacked:
            paths.append(
                f'<polygon points="{line} {" ".join(map(xy, reversed(base)))}" fill="{colour}" fill-opacity=".45"/>'
            )
        paths.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{custom["lineWidth"]}"{style}/>'
        )
        value = escape(_text(each.last or 0.0, each.settings, end))
        legend.append(f'<span><u style="background:{colour}"></u>{escape(each.name)} : {value}</span>')
    below_graph = f'<div class="legend">{"".join(legend)}</div>' if panel["options"]["legend"]["showLegend"] else ""
    return f'<div class="graph"><svg viewBox="0 0 {wide} {high}" >{"".join(marks + paths)}</svg>{below_graph}</div>'


def _states(panel: Any, answers: Any, place: dict[str, int], span: tuple[float, float]) -> str:
    rows = []
    start, end = span
    for each in _series(panel, answers):
        bands = []
        for (at, value), following in zip(each.points, [*each.points[1:], (end, 0.0)], strict=True):
            if bands and bands[-1][0] == value:
                bands[-1][2] = following[0]
            else:
                bands.append([value, at, following[0]])
        cells = "".join(
            f'<u style="position:absolute;text-decoration:none;left:{100 * (a - start) / (end - start):.1f}%;width:{100 * (b - a) / (end - start):.1f}%;'
            f'height:100%;background:{_colour(value, each.settings)};color:#fff;font-size:11px;padding-left:3px;overflow:hidden;white-space:nowrap">'
            f"{escape(_text(value, each.settings, end))}</u>"
            for value, a, b in bands
        )
        rows.append(
            f'<div style="display:flex;flex:1;max-height:30px;margin:1px 0"><span style="width:110px;font-size:12px">{escape(each.name)}</span>'
            f'<i style="position:relative;flex:1;font-style:normal">{cells}</i></div>'
        )
    return f'<div style="flex:1;display:flex;flex-direction:column">{"".join(rows)}</div>' if rows else ""


def _table(panel: Any, answers: Any, place: dict[str, int], span: tuple[float, float]) -> str:
    rows = _merged([(target["refId"], answer.rows) for target, answer in answers])
    organise = panel["transformations"][-1]["options"]
    names = organise["renameByName"]
    order = sorted(organise["indexByName"], key=organise["indexByName"].__getitem__)
    for sort in panel["options"].get("sortBy", ()):
        key = next(name for name, title in names.items() if title == sort["displayName"])
        filled = [row for row in rows if row.get(key) is not None]
        filled.sort(key=lambda row, key=key: row[key], reverse=bool(sort.get("desc")))
        rows = filled + [row for row in rows if row.get(key) is None]
    if not rows:
        return ""
    settings = {name: _settings(panel, names[name], "") for name in order}
    order = [name for name in order if not settings[name].get("custom.hideFrom.viz")]
    head = "".join(
        f'<th class="{"n" if name.startswith("Value") else ""}" style="{_cell_width(settings[name])}">{escape(names[name])}</th>'
        for name in order
    )
    body = ["".join(_cell(row.get(name), settings[name], span[1]) for name in order) for row in rows]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{cells}</tr>' for cells in body)}</table>"


def _cell_width(settings: dict[str, Any]) -> str:
    return f"width:{settings['custom.width']}px" if "custom.width" in settings else ""


def _merged(frames: Sequence[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Rows joined by the labels that every query has, as Grafana's merge does."""
    full = [(reference, rows) for reference, rows in frames if rows]
    labels = [set(rows[0]["metric"]) for _, rows in full]
    key = sorted(set.intersection(*labels)) if labels else []
    merged: dict[tuple[str, ...], dict[str, Any]] = {}
    for reference, rows in full:
        name = f"Value #{reference}" if len(frames) > 1 else "Value"
        for row in rows:
            value = float(row["value"][1])
            cells = merged.setdefault(tuple(row["metric"][label] for label in key), {})
            cells |= row["metric"] | {name: value}
    return list(merged.values())


def _cell(value: Any, settings: dict[str, Any], now: float) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, str):
        mapped = _mapped(value, settings)
        link = ' style="color:#6e9fff"' if settings.get("links") else ""
        return f"<td{link}>{escape(mapped[0] if mapped else value)}</td>"
    text, colour = escape(_text(value, settings, now)), _colour(value, settings)
    kind = settings.get("custom.cellOptions", {}).get("type", "auto")
    if kind == "color-background":
        return f'<td style="background:{colour};color:{_ink(colour)}">{text}</td>'
    if kind == "gauge":
        part = max(0.0, min(100.0, 100 * value / settings.get("max", 100)))
        return f'<td><span class="meter"><u style="width:{part:.0f}%;background:{colour}"></u></span><span style="color:{colour}">{text}</span></td>'
    return f'<td class="n"{f" style=color:{colour}" if kind == "color-text" else ""}>{text}</td>'
