"""The alerts, by promtool: in each situation of ``cases_*.py``, exactly the alerts it names, with their labels."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus.cases import CASES, Case
from tests.prometheus.series import ENGINE, healthy, without, written

FOLDER = Path(__file__).parents[2] / "config" / "prometheus"
FILES = sorted(path for path in FOLDER.glob("*.yml") if path.name != "prometheus.yml")
GROUPS: dict[Path, list[dict[str, Any]]] = {
    path: yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for path in FILES
}
RULES = {path: [rule for group in groups for rule in group["rules"]] for path, groups in GROUPS.items()}
ALERTS = {rule["alert"]: rule for rules in RULES.values() for rule in rules if "alert" in rule}
RECORDING = FOLDER / "recording.yml"
RECORDS = {rule["record"]: rule for rule in RULES[RECORDING]}


def asked(rules: list[dict[str, Any]]) -> set[str]:
    """The metrics that rules ask for, recorded ones and what those ask for too."""
    found: set[str] = set()
    for rule in rules:
        names = set(re.findall(r"[a-z_0-9:]*jauge_[a-z_0-9:]+|\bup\b", rule["expr"], re.IGNORECASE))
        found |= names | asked([RECORDS[each] for each in names if ":" in each])
    return found


def groups(case: Case) -> list[dict[str, Any]]:
    """The rules that are looked at, what is recorded first: all, or the file of the alert and what it asks for."""
    own = [
        group
        for path, rules in RULES.items()
        if path != RECORDING and (case.whole or any(rule["alert"] == case.about for rule in rules))
        for group in GROUPS[path]
    ]
    metrics = asked([rule for group in own for rule in group["rules"]])
    recorded = [
        {**group, "rules": [rule for rule in group["rules"] if rule["record"] in metrics]}
        for group in GROUPS[RECORDING]
    ]
    return [*recorded, *own]


def series(case: Case) -> list[dict[str, str]]:
    """The input of promtool: the healthy hospital, and what happens to it."""
    metrics = asked([rule for group in groups(case) for rule in group["rules"]])
    found = {
        key: value
        for key, value in healthy().items()
        if key.partition("{")[0] in metrics and not (case.gone and key.startswith(case.gone))
    }
    found |= case.series
    if case.down[0]:
        found = {
            key: without(value, *case.down) if ENGINE in key and not key.startswith("up{") else value
            for key, value in found.items()
        }
    return written(found, case.end, case.step)


def expected(case: Case) -> list[dict[str, Any]]:
    """What ALERTS holds of the alerts that fire."""
    samples = []
    for alert, labels in case.fires:
        every = {
            "alertname": alert,
            "alertstate": "firing",
            "job": "jauge",
            **ALERTS[alert]["labels"],
            **labels,
        }
        inside = ", ".join(f'{key}="{value}"' for key, value in sorted(every.items()))
        samples.append({"labels": f"ALERTS{{{inside}}}", "value": 1})
    return samples


def run(
    promtool: str, folder: Path, rules: list[dict[str, Any]], test: dict[str, Any], interval: int
) -> subprocess.CompletedProcess[str]:
    """``promtool test rules`` over groups of rules, looked at in this order."""
    (folder / "rules.json").write_text(json.dumps({"groups": rules}), encoding="utf-8")
    document = {
        "rule_files": ["rules.json"],
        "evaluation_interval": f"{interval}s",
        "group_eval_order": [group["name"] for group in rules],
        "tests": [{"interval": f"{interval}s", **test}],
    }
    (folder / "tests.json").write_text(json.dumps(document), encoding="utf-8")
    return subprocess.run(
        [promtool, "test", "rules", folder / "tests.json"], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("case", CASES, ids=[f"{case.about}: {case.says}" for case in CASES])
def test_fires_when_it_should_and_only_then(case: Case, promtool: str, tmp_path: Path) -> None:
    """The alerts of each situation and no other, each with its instance and what it is about."""
    query = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{case.end}s", "exp_samples": expected(case)}
    test = {"input_series": series(case), "promql_expr_test": [query]}
    done = run(promtool, tmp_path, groups(case), test, case.step)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    """No alert goes without its tests, both ways; no test is about an alert that is gone."""
    assert {case.about for case in CASES if case.loud} == set(ALERTS)
    assert {case.about for case in CASES if not case.loud} == set(ALERTS)
