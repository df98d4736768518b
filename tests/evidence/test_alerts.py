"""The alert rules of PS4.1, by promtool: when they fire, and when they do not."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from engine.metrics.families import FAMILIES

RULES = Path(__file__).parents[2] / "config" / "prometheus" / "alerts-ps41.yml"
HOSPITAL = "990000019"
DAY = 86_400
NOW = 200  # days after the epoch of promtool, at which the rules are looked at

# Name -> values of the seven series (sent, replied, proven, expires in days before NOW; awaiting, declared), and the alerts that fire.
CASES: dict[str, tuple[dict[str, float], set[str]]] = {
    "a fresh proof": ({"sent": 10, "replied": 10, "proven": 10, "declared": 1}, set()),
    "nothing yet": ({"declared": 1}, {"JaugePs41PreuveAbsente"}),
    "expires in ten days": (
        {"sent": 173, "replied": 173, "proven": 173, "declared": 1},
        {"JaugePs41PreuveBientotExpiree"},
    ),
    "expires in a month": ({"sent": 150, "replied": 150, "proven": 150, "declared": 1}, set()),
    "older than a semester": ({"sent": 184, "replied": 184, "proven": 184, "declared": 1}, {"JaugePs41PreuveExpiree"}),
    "sent, five hours without reply": ({"sent": 5 / 24, "awaiting": 1, "declared": 1}, {"JaugePs41SansReponse"}),
    "sent an hour ago": ({"sent": 1 / 24, "awaiting": 1, "declared": 1}, set()),
    "expired, a new test awaits": (
        {"sent": 1 / 24, "replied": 190, "proven": 190, "awaiting": 1, "declared": 1},
        {"JaugePs41PreuveExpiree"},
    ),
    "no mailbox": ({"sent": 10, "replied": 10, "proven": 10}, {"JaugePs41BoiteNonDeclaree"}),
}


def series(values: dict[str, float]) -> list[dict[str, str]]:
    """The input series of promtool: constant for two days before NOW."""
    shown = {
        f"{name}_timestamp_seconds": (NOW - values[name]) * DAY if name in values else 0
        for name in ("sent", "replied", "proven")
    }
    shown["expires_timestamp_seconds"] = (NOW - values["proven"] + 183) * DAY if "proven" in values else 0
    shown |= {"awaiting_reply": values.get("awaiting", 0), "mailbox_declared": values.get("declared", 0)}
    labels = f'{{establishment="{HOSPITAL}"}}'
    return [
        {"series": f"jauge_ps41_{name}{labels}", "values": f"{int(value)}x{NOW * 2}"} for name, value in shown.items()
    ]


@pytest.mark.parametrize("case", CASES)
def test_fires_when_it_should_and_only_then(case: str, promtool: str, tmp_path: Path) -> None:
    """The alerts of each situation, and no other; every text is filled in."""
    values, expected = CASES[case]
    names = re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8"))
    assert expected <= set(names)
    tests = [{"eval_time": f"{NOW}d", "alertname": name, "exp_alerts": []} for name in names if name not in expected]
    queries = [
        {
            "expr": f'ALERTS{{alertname="{name}", alertstate="firing"}}',
            "eval_time": f"{NOW}d",
            "exp_samples": samples(name),
        }
        for name in expected
    ]
    file = tmp_path / "tests.json"
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "12h",
        "tests": [
            {"interval": "12h", "input_series": series(values), "alert_rule_test": tests, "promql_expr_test": queries}
        ],
    }
    file.write_text(json.dumps(document))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def samples(name: str) -> list[dict[str, object]]:
    """What ALERTS holds of an alert that fires."""
    text = RULES.read_text(encoding="utf-8")
    severity = re.search(rf"alert: {name}\n.*?severity: (\w+)", text, re.DOTALL)
    assert severity is not None
    labels = {
        "alertname": name,
        "alertstate": "firing",
        "establishment": HOSPITAL,
        "indicator": "PS4.1",
        "severity": severity[1],
    }
    inside = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return [{"labels": f"ALERTS{{{inside}}}", "value": 1}]


def test_rules_are_sound_and_ask_for_metrics_that_exist(promtool: str) -> None:
    """promtool accepts the file, and every metric in it is one of ours."""
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    asked = set(re.findall(r"jauge_ps41_[a-z_]+", RULES.read_text(encoding="utf-8")))
    assert asked <= {family.name for family in FAMILIES}


def test_each_alert_says_in_french_what_to_do() -> None:
    """A summary with the establishment, and a description."""
    text = RULES.read_text(encoding="utf-8")
    assert text.count("- alert:") == text.count("summary:") == text.count("description:") == 5
    assert text.count("{{ $labels.establishment }}") == 5
