"""Every query of the dashboards, asked of a real Prometheus that watches a real engine: none fails, none is empty without a reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.metrics import catalogue
from tests.e2e.prometheus import Prometheus, find
from tests.grafana import drawing
from tests.grafana.interpolation import (
    Answer,
    Values,
    asked,
    boards,
    choices,
    grouped,
    opened,
    panels,
    selections,
    substituted,
    texts,
    variables,
    written,
)
from tests.grafana.scene import OWN_TARGETS, Scene, played

pytestmark = pytest.mark.skipif(
    find() is None or find("promtool") is None, reason="Prometheus is not installed (scripts/tools)"
)

Target = tuple[str, str, str]
"""A query of a panel: uid of the dashboard, title of the panel, letter of the query."""

NOT_IN_HEALTH: dict[Target, str] = {
    ("jauge-flux", "Les flux", "D"): "the habit of a feed is known after weeks",
    ("jauge-flux", "Silence, rapporté à l’habitude", "A"): "the habit of a feed is known after weeks",
    ("jauge-vue-ensemble", "Ce qui baisse", "A"): "nothing falls",
    ("jauge-vue-ensemble", "Ce qui baisse", "B"): "nothing falls",
}
"""Queries that a hospital which has just begun, and is well, leaves empty. They are answered by the past of HISTORY."""

FINESS, NAME = "990000001", "Centre hospitalier synthétique"
"""The establishment of the demonstration."""

_ENGINE = 'instance="127.0.0.1:9105",job="jauge"'
_THEN = 10 * 86_400
"""How long ago the past of HISTORY is."""


def history(now: float) -> str:
    """Ten minutes of another engine, ten days ago: a feed silent for longer than its habit, a rate that fell, an alert that fired."""
    begin = int(now) - _THEN
    at = range(begin, begin + 600, 15)
    rate = f'{_ENGINE},indicator="D2.2",establishment="990000001"'
    series: dict[str, tuple[str, Callable[[int], float]]] = {
        "jauge_feed_last_message_timestamp_seconds": (f'{_ENGINE},feed="his"', lambda _: begin - 7_200),
        "jauge_feed_silence_limit_seconds": (f'{_ENGINE},feed="his"', lambda _: 1_800),
        "jauge_indicator_ratio": (f'{rate},window="rolling"', lambda when: 0.9 - (when - begin) / 1_500),
        "jauge_indicator_info": (f'{_ENGINE},indicator="D2.2",title="Documents"', lambda _: 1),
        # An engine of before the names: its establishment is shown by its FINESS.
        "jauge_window_start_timestamp_seconds": (f'{_ENGINE},establishment="990000001",window="rolling"', lambda _: 1),
        "ALERTS": (
            f'{_ENGINE},alertname="JaugeFluxMuet",alertstate="firing",feed="his",severity="warning"',
            lambda _: 1,
        ),
    }
    lines = []
    for name, (labels, value) in series.items():
        lines.append(f"# TYPE {name} gauge")
        lines += [f"{name}{{{labels}}} {value(when)} {when}" for when in at]
    return "\n".join([*lines, "# EOF", ""])


def targets(board: Any) -> list[tuple[Target, Any]]:
    """The queries of the panels of a dashboard, each with its name."""
    return [
        ((board["uid"], panel["title"], target["refId"]), target)
        for panel in panels(board)
        for target in panel["targets"]
    ]


def _everything(scene: Scene, end: float) -> tuple[set[Target], set[Target], int]:
    """What was answered with a number for some selection, the panels that show one when just opened, and how much was asked."""
    answered: set[Target] = set()
    shown: set[Target] = set()
    count = 0
    for board in boards().values():
        for name, values in selections(board, scene.prometheus):
            for which, target in targets(board):
                count += 1
                if not asked(target, values, scene.prometheus, scene.start, end).empty:
                    answered.add(which)
                    if name == "opened":
                        shown.add((which[0], which[1], ""))
    return answered, shown, count


def _variables(prometheus: Prometheus) -> None:
    """Every variable offers something, and what the engine said of itself."""
    for uid, board in boards().items():
        held = opened(board, prometheus)
        for name, variable in variables(board).items():
            offered = choices(variable, prometheus, held)
            assert offered, (uid, name)
            assert all(offered), (uid, name)


def _names(prometheus: Prometheus, end: float) -> None:
    """A person reads the name of the configuration, and never the FINESS beside it: to choose, and of each series that has a name to be read."""
    count = 0
    for uid, board in boards().items():
        held = opened(board, prometheus)
        for variable in variables(board).values():
            if variable["name"] == "etablissement":
                assert texts(variable, prometheus, held) == {FINESS: NAME}, uid
        for panel in panels(board):
            columns = panel.get("transformations", [{}])[-1].get("options", {}).get("renameByName", {})
            assert ("establishment" in columns) <= ("name" in columns), panel["title"]
            for target in panel["targets"]:
                assert "{{establishment}}" not in target["legendFormat"], panel["title"]
                if "{{name}}" in target["legendFormat"]:
                    answer = asked(target, held, prometheus, end - 60, end)
                    assert {row["metric"]["name"] for row in answer.rows} <= {NAME}, panel["title"]
                    count += len(answer.rows)
    assert count


def _then(prometheus: Prometheus, now: float) -> None:
    """What was empty is not, where there is something to say: ten days ago."""
    end = now - _THEN + 300
    values: dict[str, str | list[str]] = {"datasource": "prometheus", "instance": ["127.0.0.1:9105"], "flux": ["his"]}
    values |= {"etablissement": ["990000001"], "fenetre": "rolling"}
    for board in boards().values():
        for which, target in targets(board):
            if which in NOT_IN_HEALTH:
                assert not asked(target, values, prometheus, end - 300, end).empty, which
    state = next(target for which, target in targets(boards()["jauge-flux"]) if which[1:] == ("Les flux", "A"))
    (row,) = asked(state, values, prometheus, end - 300, end).rows
    assert row["metric"]["feed"] == "his"
    assert row["value"][1] == "2", "silent for more than three times its habit"
    (fallen,) = [
        target for which, target in targets(boards()["jauge-vue-ensemble"]) if which[1:] == ("Ce qui baisse", "A")
    ]
    (row,) = asked(fallen, values, prometheus, end - 300, end).rows
    assert row["metric"]["name"] == "990000001", "an engine of before the names has its FINESS"
    for uid, board in boards().items():
        for annotation in board["annotations"]["list"]:
            query = substituted(annotation["expr"], values, 300)
            (alert,) = prometheus.query_range(query, end - 60, end, 15)
            assert alert["metric"]["alertname"] == "JaugeFluxMuet", uid
    (alerts,) = [target for which, target in targets(boards()["jauge-vue-ensemble"]) if which[1] == "Alertes en cours"]
    (row,) = asked(alerts, values, prometheus, end - 300, end).rows
    assert row["value"][1] == "1"


def _colours(prometheus: Prometheus, end: float) -> None:
    """On the wall, each rate stands once, in the colour that its target gives it: under, without, reached (the site's own target wins)."""
    board = boards()["jauge-vue-ensemble"]
    (panel,) = [panel for panel in panels(board) if panel["type"] == "bargauge"]
    values = opened(board, prometheus)
    under, without, reached = (
        {row["metric"]["indicator"] for row in asked(target, values, prometheus, end - 60, end).rows}
        for target in panel["targets"]
    )
    rates = {row["metric"]["indicator"]: float(row["value"][1]) for row in prometheus.query(_RATES, end)}
    known = catalogue.load()
    targets = {each: known.target(each) for each in rates} | OWN_TARGETS
    assert under == {each for each, rate in rates.items() if (goal := targets[each]) is not None and rate < goal}
    assert reached == {each for each, rate in rates.items() if (goal := targets[each]) is not None and rate >= goal}
    assert without == set(rates) - under - reached
    assert "DS1.1" in reached
    assert len(rates) == sum(each.kind == "rate" and not each.variant_of for each in known)


def _drawn(scene: Scene, end: float) -> None:
    """The preview of developers shows every panel of every dashboard, and says that it is one."""
    for board in boards().values():
        values = opened(board, scene.prometheus)

        def ask(target: Any, held: Values) -> Answer:
            return asked(target, held, scene.prometheus, scene.start, end)

        html = drawing.dashboard(board, values, ask, (scene.start, end), "an aperçu")
        assert "an aperçu" in html
        assert not [
            panel["title"]
            for panel in panels(board)
            if f"<h2>{panel['title']}</h2>" not in html and "repeat" not in panel
        ]


_RATES = 'jauge_indicator_ratio{window="rolling", indicator!~".+_.+", indicator!~"D6.2|P4.3|PS3.2|PS4.1"}'


@pytest.mark.timeout(900)
async def test_every_query_is_answered(tmp_path: Path) -> None:
    """With every value of every variable, as Grafana would ask: no query fails, every panel shows something when it is opened, and every
    query is answered for some choice, but for those that health leaves empty, which are answered where something is wrong.
    """
    now = time.time()
    async with played(tmp_path, stays=120, seconds=12, history=history(now)) as scene:
        end = time.time()
        _variables(scene.prometheus)
        _names(scene.prometheus, end)
        answered, shown, count = _everything(scene, end)
        assert count > 1_000
        every = {which for board in boards().values() for which, _ in targets(board)}
        assert every - answered <= set(NOT_IN_HEALTH)
        hidden = {panel[:2] for panel in NOT_IN_HEALTH}
        assert {which[:2] for which in every} - {which[:2] for which in shown} <= hidden
        _then(scene.prometheus, now)
        _colours(scene.prometheus, end)
        _drawn(scene, end)


def test_an_establishment_is_chosen_by_its_name() -> None:
    """The value is the FINESS and the words are the name, whatever signs are in it; of two names of one FINESS, the first."""
    regex = variables(boards()["jauge-dmp"])["etablissement"]["regex"]
    labels = [
        {"establishment": "990000001", "name": 'CH "Les Tilleuls", {site nord}'},
        {"establishment": "990000019", "name": "990000019"},
        {"establishment": "990000001", "name": "CH d’avant"},
    ]
    lines = [written({"metric": each, "value": [1_744_700_400, "1"]}) for each in labels]
    assert lines[1] == '{establishment="990000019",name="990000019"} 1 1744700400000'
    assert grouped(regex, lines) == {"990000001": 'CH "Les Tilleuls", {site nord}', "990000019": "990000019"}


def test_a_name_is_looked_for_word_for_word() -> None:
    """A value of a variable is put into a query as Grafana puts it: escaped in a regular expression, as it is elsewhere."""
    values: dict[str, str | list[str]] = {"a": ["x.y"], "b": ["x", "y|z"], "c": "D2.2"}
    assert substituted('{l=~"$a"}', values, 60) == '{l=~"x\\\\.y"}'
    assert substituted('{l=~"${b}", m="$c"}', values, 60) == '{l=~"(x|y\\\\|z)", m="D2.2"}'
    assert substituted("[$__range] [$__rate_interval]", values, 60) == "[60s] [4s]"
    with pytest.raises(KeyError):
        substituted("$absent", values, 60)
