"""The example of Alertmanager, by amtool: taken, and every alert goes where it should."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus.test_alerts import ALERTS

FILE = Path(__file__).parents[2] / "config" / "alertmanager" / "alertmanager.yml"
CONFIG: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def amtool() -> str:
    """The path of amtool, with which Alertmanager itself checks its configuration."""
    found = shutil.which("amtool")
    if not found:
        pytest.skip("amtool is not here: scripts/tools brings it")
    return found


def test_alertmanager_takes_the_configuration_and_its_template(amtool: str) -> None:
    """amtool finds nothing to say of either."""
    done = subprocess.run([amtool, "check-config", FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "astreinte"), ("warning", "exploitation"), ("info", "exploitation")]
)
def test_every_alert_goes_to_those_it_is_for(severity: str, receiver: str, amtool: str) -> None:
    """What is critical goes to the people on call, the rest to the team; no alert goes nowhere."""
    alerts = [name for name, rule in ALERTS.items() if rule["labels"]["severity"] == severity]
    assert alerts
    for alert in alerts[:3]:
        labels = [f"alertname={alert}", f"severity={severity}", "instance=jauge.ch-fictif.example:9464"]
        done = subprocess.run(
            [amtool, "config", "routes", "test", f"--config.file={FILE}", f"--verify.receivers={receiver}", *labels],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_people_hear_of_the_beginning_and_of_the_end() -> None:
    """Every receiver sends a mail for both; the one on call calls a webhook too, for both."""
    ways = {each["name"]: each for each in CONFIG["receivers"]}
    for receiver in ways.values():
        assert all(mail["send_resolved"] for mail in receiver["email_configs"])
    assert all(hook["send_resolved"] for hook in ways["astreinte"]["webhook_configs"])


def test_two_things_are_two_alerts() -> None:
    """Alerts are put together by everything that they may be about, so that each begins and ends in its own mails."""
    about = {"job", "instance", "establishment", "indicator", "feed", "application", "certificate"}
    assert about | {"alertname"} <= set(CONFIG["route"]["group_by"])
    assert about <= set(CONFIG["inhibit_rules"][-1]["equal"])


def test_inhibitions_name_alerts_that_exist() -> None:
    """A stopped engine silences its other alerts, by names that the rules have."""
    for rule in CONFIG["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            key, _, pattern = re.split(r"(=~|!~|!=|=)", matcher, maxsplit=1)
            if key != "alertname":
                continue
            for part in pattern.strip('"').split("|"):
                assert any(re.fullmatch(part, alert) for alert in ALERTS), part
