"""The name of an establishment beside its numbers, by promtool: the name of now, the last one while an engine is away, else the FINESS."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.dashboards import frame
from tests.grafana.interpolation import substituted
from tests.prometheus.series import ENGINE, HOUR, MINUTE, OTHER_ENGINE, Value, const, name, without, written
from tests.prometheus.test_alerts import run

HOSPITAL, CLINIC, OLD = "990000001", "990000019", "990000027"
VALUES: dict[str, str | list[str]] = {"instance": [ENGINE, OTHER_ENGINE]}


def _info(establishment: str, word: str, instance: str = ENGINE) -> str:
    return name("jauge_establishment_info", instance=instance, establishment=establishment, name=word)


def _window(establishment: str, window: str, instance: str = ENGINE) -> str:
    return name("jauge_window_start_timestamp_seconds", instance=instance, establishment=establishment, window=window)


def _answered(folder: Path, expr: str, series: dict[str, Value], expected: list[tuple[dict[str, str], float]]) -> None:
    """Asks two hours after the start, on a dashboard that shows the latest hour, and compares."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: scripts/tools brings it")
    samples = [
        {"labels": "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}", "value": value}
        for labels, value in expected
    ]
    query = {"expr": substituted(expr, VALUES, HOUR), "eval_time": f"{2 * HOUR}s", "exp_samples": samples}
    test = {"input_series": written(series, 2 * HOUR, MINUTE), "promql_expr_test": [query]}
    done = run(promtool, folder, [{"name": "none", "rules": []}], test, MINUTE)
    assert done.returncode == 0, done.stdout + done.stderr


def _site() -> dict[str, Value]:
    """A hospital that has another name since half an hour, a clinic whose engine is away, an engine of before the names."""
    away = (30 * MINUTE, 0.0)
    return {
        _info(HOSPITAL, "Ancien CH"): without(const(1), *away),
        _info(HOSPITAL, "CH Fictif"): without(const(1), 2 * HOUR, 30 * MINUTE),
        _info(CLINIC, "Clinique fictive", OTHER_ENGINE): without(const(1), *away),
        _window(CLINIC, "rolling", OTHER_ENGINE): without(const(1_700_000_000), *away),
        _window(OLD, "rolling"): const(1_700_000_000),
        _window(OLD, "official"): const(1_700_000_000),
        _window(HOSPITAL, "rolling"): const(1_700_000_000),
        _window(HOSPITAL, "official"): const(1_700_000_000),
    }


def test_each_establishment_has_one_name(tmp_path: Path) -> None:
    """The name of now and not the former one, the last one of an engine that is away, the FINESS where an engine tells none: value 1 each."""
    expr = f"group by (establishment, name) ({frame.names()}) * sum by (establishment, name) ({frame.names()})"
    expected = [
        ({"establishment": HOSPITAL, "name": "CH Fictif"}, 1.0),
        ({"establishment": CLINIC, "name": "Clinique fictive"}, 1.0),
        ({"establishment": OLD, "name": OLD}, 1.0),
    ]
    _answered(tmp_path, expr, _site(), expected)


def test_a_name_changes_no_number(tmp_path: Path) -> None:
    """A number keeps its value and its labels, gains the name, and is there once, even while two names are told at once."""
    both = {_info(HOSPITAL, "Ancien CH"): const(1), _info(HOSPITAL, "CH Fictif"): const(1)}
    rate = name("jauge_indicator_ratio", indicator="DS1.1", establishment=HOSPITAL)
    labels = {"job": "jauge", "instance": ENGINE, "indicator": "DS1.1", "establishment": HOSPITAL}
    for curve in (False, True):
        expr = f"count without (name) ({frame.named('jauge_indicator_ratio', curve=curve)})"
        _answered(tmp_path, expr, {**both, rate: const(0.25)}, [(labels, 1.0)])
        one = {_info(HOSPITAL, "CH Fictif"): const(1), rate: const(0.25)}
        expected = [({**labels, "name": "CH Fictif"}, 0.25)]
        _answered(tmp_path, frame.named("jauge_indicator_ratio", curve=curve), one, expected)
