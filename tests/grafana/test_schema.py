"""The dashboards are of Grafana's own types: those of the package that Grafana publishes for its schema."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.grafana import schema
from tests.grafana.interpolation import boards

pytestmark = [pytest.mark.skipif(bool(schema.missing()), reason=schema.missing()), pytest.mark.timeout(900)]


def test_every_dashboard_and_panel_is_of_grafanas_types(tmp_path: Path) -> None:
    """The compiler, strict, has nothing to say: not of a dashboard, a variable, a link, a panel's options, fields or overrides."""
    assert schema.refusals(boards().values(), tmp_path) == []


def _panel(board: Any, kind: str) -> Any:
    return next(panel for panel in board["panels"] if panel["type"] == kind)


def _change(board: Any, change: dict[str, Any]) -> None:
    _panel(board, "table")["fieldConfig"]["overrides"][0]["properties"].append(change)


FAULTS: dict[str, Callable[[Any], Any]] = {
    "a key that a dashboard has not": lambda board: board.update(titel="x"),
    "a kind of variable that is none": lambda board: board["templating"]["list"][0].update(type="source"),
    "a refresh that is none": lambda board: board["templating"]["list"][1].update(refresh=7),
    "a kind of link that is none": lambda board: board["links"][0].update(type="dashboard"),
    "a kind of panel that is none": lambda board: _panel(board, "stat").update(type="number"),
    "a panel without description": lambda board: _panel(board, "stat").pop("description"),
    "an option that a panel has not": lambda board: _panel(board, "stat")["options"].update(colourMode="value"),
    "a value that an option has not": lambda board: _panel(board, "stat")["options"].update(colorMode="rainbow"),
    "an option that is left out": lambda board: _panel(board, "bargauge")["options"].pop("valueMode"),
    "thresholds of no mode": lambda board: _panel(board, "stat")["fieldConfig"]["defaults"]["thresholds"].update(
        mode="x"
    ),
    "a mapping of no type": lambda board: _panel(board, "stat")["fieldConfig"]["defaults"].update(
        mappings=[{"type": "x"}]
    ),
    "a style that lines have not": lambda board: _panel(board, "timeseries")["fieldConfig"]["defaults"][
        "custom"
    ].update(drawStyle="lines"),
    "an override of nothing": lambda board: _change(board, {"id": "custom.widht", "value": 100}),
    "a column hidden from nowhere": lambda board: _change(board, {"id": "custom.hideFrom.vis", "value": True}),
    "a regular expression that is no text": lambda board: board["templating"]["list"][2].update(regex=["x"]),
    "an override of the wrong type": lambda board: _change(board, {"id": "custom.width", "value": "100"}),
    "a query without format": lambda board: _panel(board, "stat")["targets"][0].pop("format"),
}


def test_a_broken_dashboard_is_refused(tmp_path: Path) -> None:
    """Each of these faults is found, alone, in a dashboard that is right otherwise."""
    broken = []
    for fault in FAULTS.values():
        board = copy.deepcopy(boards()["jauge-vue-ensemble"])
        fault(board)
        broken.append(board)
    lines = schema.source(broken).splitlines()
    said = schema.refusals(broken, tmp_path)
    at = {int(line.partition("(")[2].partition(",")[0]) for line in said}
    found = {
        int(match[1]) for number in at if (match := re.match(r"export const (?:board|panel)(\d+)", lines[number - 1]))
    }
    assert found == set(range(len(FAULTS))), [name for index, name in enumerate(FAULTS) if index not in found]
