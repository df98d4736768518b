"""What Grafana does with a query before it sends it: its variables, its own intervals, and the values of a variable."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.e2e.prometheus import Prometheus

FOLDER = Path(__file__).resolve().parents[2] / "config" / "grafana" / "dashboards"
SCRAPE = 1
"""Seconds between two scrapes, as a data source of these tests would say (``timeInterval``)."""

_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)(?::(\w+))?\})")
_LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")
_ALL = "$__all"

Values = Mapping[str, str | list[str]]
"""What each variable holds: one value, or those of a variable that takes several."""


def boards() -> dict[str, Any]:
    """The committed dashboards, by uid."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def variables(board: Any) -> dict[str, Any]:
    """The variables of a dashboard, by name."""
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def panels(board: Any) -> list[Any]:
    """The panels that show something, in order."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def used(text: str) -> set[str]:
    """The variables that a text names, Grafana's own (``__range``) among them."""
    return {found[1] or found[2] for found in _NAME.finditer(text)}


def special(value: str) -> str:
    """A value inside a regular expression of PromQL, as the Prometheus data source escapes it."""
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))


def substituted(text: str, values: Values, seconds: int) -> str:
    """A query with its variables; ``seconds``: how much time the dashboard shows. A variable that is not known raises."""
    own = {
        "__interval": f"{SCRAPE}s",
        "__rate_interval": f"{4 * SCRAPE}s",
        "__range": f"{seconds}s",
        "__range_s": str(seconds),
    }

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name in own:
            return own[name]
        held = values[name]
        if isinstance(held, str):
            return held.replace("\\", "\\\\").replace("'", "\\\\'")
        escaped = [special(each) for each in held]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    return _NAME.sub(value, text)


def choices(variable: Any, prometheus: Prometheus, values: Values) -> list[str]:
    """Every value that a variable offers; those of a query are asked of Prometheus, with the variables chosen before it."""
    return list(texts(variable, prometheus, values))


def texts(variable: Any, prometheus: Prometheus, values: Values) -> dict[str, str]:
    """The same, each with the words that a person reads."""
    if variable["type"] == "datasource":
        return {"prometheus": "prometheus"}
    if variable["type"] == "custom":
        words = {option["value"]: option["text"] for option in variable["options"]}
        return {each: words[each] for each in custom(variable["query"])}
    assert variable["type"] == "query"
    query = substituted(variable["query"]["query"], values, 3_600)
    if found := _LABEL_VALUES.fullmatch(query):
        assert variable["query"]["qryType"] == 1
        hour = {"start": str(time.time() - 3_600)}  # the times that the dashboard shows, as Grafana says them
        return {each: each for each in prometheus.api(f"label/{found[2]}/values", **{"match[]": found[1]}, **hour)}
    found = _QUERY_RESULT.fullmatch(query)
    assert found, query
    assert variable["query"]["qryType"] == 3
    return grouped(variable["regex"], map(written, prometheus.query(found[1])))


def written(row: dict[str, Any]) -> str:
    """A series as Grafana's query_result writes it: labels in order of their names, nothing escaped, value, milliseconds."""
    labels = ",".join(f'{key}="{value}"' for key, value in row["metric"].items() if key != "__name__")
    at, value = row["value"]
    return f"{row['metric'].get('__name__', '')}{{{labels}}} {value} {at * 1000}"


def grouped(regex: str, lines: Iterable[str]) -> dict[str, str]:
    """What the regular expression of a variable makes of series: its group ``value`` -> its group ``text``; a value comes once."""
    pattern = re.compile(regex.strip("/").replace("(?<", "(?P<"))
    found = [match for line in lines if (match := pattern.search(line))]
    return {match["value"]: match["text"] for match in reversed(found)}


def custom(query: str) -> list[str]:
    r"""The values of a closed list, as Grafana reads it: ``text : value`` between commas; ``\,`` is a comma."""
    texts = [text.strip().replace("\\,", ",") for text in re.findall(r"(?:\\,|[^,])+", query)]
    pairs = [re.fullmatch(r"(.+)\s:\s(.+)", text) for text in texts]
    return [pair[2] if pair else text for pair, text in zip(pairs, texts, strict=True)]


def opened(board: Any, prometheus: Prometheus) -> dict[str, str | list[str]]:
    """The values of a dashboard that was just opened: the defaults, and everything where the default is everything."""
    held: dict[str, str | list[str]] = {}
    for name, variable in variables(board).items():
        offered = choices(variable, prometheus, held)
        chosen = variable.get("current", {}).get("value", offered[0])
        held[name] = offered if chosen == [_ALL] else chosen
    return held


def selections(board: Any, prometheus: Prometheus) -> Iterator[tuple[str, dict[str, str | list[str]]]]:
    """The dashboard just opened, then every value of every variable alone; each with its name."""
    held = opened(board, prometheus)
    yield "opened", held
    for name, variable in variables(board).items():
        for each in choices(variable, prometheus, held):
            yield f"{name}={each}", held | {name: [each] if variable["multi"] else each}


class Answer(Struct, frozen=True):
    """What Prometheus said to one target of a panel: the rows of its API, and whether they have a past."""

    rows: list[dict[str, Any]]
    past: bool

    @property
    def empty(self) -> bool:
        """Whether there is no number at all in it."""
        pairs = [pair for row in self.rows for pair in (row["values"] if self.past else [row["value"]])]
        return all(value == "NaN" for _, value in pairs)


def asked(target: Any, values: Values, prometheus: Prometheus, start: float, end: float) -> Answer:
    """The answer to a target over these times; what Prometheus refuses is an ``AssertionError``."""
    query = substituted(target["expr"], values, round(end - start))
    if target["instant"]:
        return Answer(prometheus.query(query, end), past=False)
    return Answer(prometheus.query_range(query, start, end, max(SCRAPE, round((end - start) / 200))), past=True)
