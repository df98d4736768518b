"""What every rule and every alert must be: sound to Prometheus, made of metrics that exist, in French, and with a page that says what to do."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from engine.metrics.families import FAMILIES
from tests.prometheus.cases import CASES
from tests.prometheus.series import ENGINE, HOSPITAL, MINUTE, OTHER_ENGINE, const, without, written
from tests.prometheus.series import name as series_name
from tests.prometheus.test_alerts import ALERTS, FILES, FOLDER, RULES, expected, groups, run, series

ROOT = Path(__file__).parents[2]
EVERY = [rule for rules in RULES.values() for rule in rules]
DECLARED = {family.name for family in FAMILIES} | {
    f"{family.name}_{part}" for family in FAMILIES if family.kind == "histogram" for part in ("bucket", "count", "sum")
}
RECORDED = {rule["record"] for rule in EVERY if "record" in rule}
NAMED = re.compile(r"[a-z_0-9:]*jauge_[a-z_0-9:]+", re.IGNORECASE)
WITHOUT_INSTANCE = {"JaugeAucunMoteur"}  # there is none: that is what it says
PLAIN = re.compile(
    r"\{\{ (?:\$labels\.(?P<label>\w+)|\$value \| (?:humanize|humanize1024|humanizeDuration|humanizePercentage)) \}\}"
)
TARGET = re.compile(
    r"\{\{ with printf \"(?P<metric>\w+)\{instance=%q,establishment=%q,indicator=%q,window=%q\}\" \$labels\.instance \$labels\.establishment "
    r"\$labels\.indicator \"(?:rolling|official)\" \| query \}\}\{\{ \. \| first \| value \| humanizePercentage \}\}\{\{ end \}\}"
)


def _info(word: str, instance: str = ENGINE) -> str:
    """The series of the name of the hospital."""
    return series_name("jauge_establishment_info", instance=instance, establishment=HOSPITAL, name=word)


NAME = re.compile(
    r" \(\{\{ with printf \"last_over_time\((?P<metric>\w+)\{instance=%q,establishment=%q\}\[1h\]\)\" \$labels\.instance "
    r"\$labels\.establishment \| query \}\}\{\{ \. \| first \| label \"name\" \}\}\{\{ else \}\}\{\{ \$labels\.establishment \}\}"
    r"\{\{ end \}\}\)$"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_prometheus_takes_every_file_of_rules(path: Path, promtool: str) -> None:
    """promtool finds nothing to say of it."""
    done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "duplicate" not in done.stdout + done.stderr


def test_prometheus_takes_the_configuration_and_finds_every_file(promtool: str) -> None:
    """The example loads all the rules, and scrapes under the name they wait for."""
    path = FOLDER / "prometheus.yml"
    done = subprocess.run([promtool, "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"{file.name}\n" in done.stdout + done.stderr for file in FILES)
    jobs = [job["job_name"] for job in yaml.safe_load(path.read_text(encoding="utf-8"))["scrape_configs"]]
    assert {f'job="{job}"' for job in jobs} == set(re.findall(r'job="[^"]*"', " ".join(rule["expr"] for rule in EVERY)))


def test_every_variant_of_access_in_the_example_is_taken(promtool: str, tmp_path: Path) -> None:
    """Token, password and TLS: each block, uncommented, is a configuration that Prometheus takes."""
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    head, *blocks = re.split(r"    # (?=Page )", text)
    assert len(blocks) == 3
    for block in blocks:
        bare = "".join(f"    {line[6:]}\n" for line in block.splitlines()[1:] if line.startswith("    # "))
        for name in re.findall(r"_file: (\S+)", bare):
            bare = bare.replace(name, str(tmp_path / "secret"))
        (tmp_path / "secret").write_text("", encoding="utf-8")
        (tmp_path / "prometheus.yml").write_text(
            head.replace("alerts-*.yml", "none-*.yml").replace("  - recording.yml\n", "") + bare
        )
        done = subprocess.run(
            [promtool, "check", "config", "--syntax-only", tmp_path / "prometheus.yml"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr + bare


def test_rules_ask_for_metrics_that_exist() -> None:
    """Each metric of a rule is declared by the engine, or recorded by another rule."""
    for rule in EVERY:
        notes = rule.get("annotations", {}).values()
        texts = [
            rule["expr"],
            *(found["metric"] for each in (TARGET, NAME) for text in notes for found in each.finditer(text)),
        ]
        unknown = set(NAMED.findall(" ".join(texts))) - DECLARED - RECORDED
        assert not unknown, rule.get("alert", rule.get("record"))


def test_recorded_series_are_named_by_level_metric_and_operation() -> None:
    """``level:metric:operation``, and the metric is one of the engine's."""
    stems = {family.name.removesuffix("_total") for family in FAMILIES}
    for name in RECORDED:
        level, metric, operation = name.split(":")
        assert level.split("_")[0] == "instance", name
        assert metric in stems, name
        assert operation, name


def test_no_rule_drops_the_instance() -> None:
    """What is summed or joined keeps the engine that it comes from: the link of an alert is on it."""
    for rule in EVERY:
        for kind, labels in re.findall(r"\b(by|without|on|ignoring) \(([^)]*)\)", rule["expr"]):
            kept = "instance" in labels if kind in {"by", "on"} else "instance" not in labels
            assert kept, rule.get("alert", rule.get("record"))
    for case in CASES:
        for alert, labels in case.fires:
            assert ("instance" in labels) is (alert not in WITHOUT_INSTANCE), alert


@pytest.mark.parametrize("alert", ALERTS)
class TestAlert:
    """What each alert says of itself."""

    def test_says_how_grave_it_is_and_after_how_long(self, alert: str) -> None:
        """A severity of three, what it is about, and a wait."""
        rule = ALERTS[alert]
        assert re.fullmatch(r"Jauge[A-Z][A-Za-z0-9]+", alert)
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["labels"]["component"]
        assert rule["for"]

    def test_says_in_french_what_it_is_and_what_to_do(self, alert: str) -> None:
        """A summary and a description in sentences, which name only labels that the alert has, and numbers."""
        notes = ALERTS[alert]["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url"}
        assert len(NAME.sub("", notes["summary"])) < 150
        assert notes["description"].endswith(".")
        assert "'" not in NAME.sub("", notes["summary"]) + PLAIN.sub("", notes["description"]), "the apostrophe is ’"
        for text in (NAME.sub("", each) for each in notes.values()):
            assert "{{" not in PLAIN.sub("", TARGET.sub("", text)), text
            used = {found["label"] for found in PLAIN.finditer(text) if found["label"]}
            for case in CASES:
                for name, labels in case.fires:
                    assert name != alert or used <= {*labels, *ALERTS[alert]["labels"]}

    def test_names_its_establishment(self, alert: str) -> None:
        """The title ends with the name when the alert is about an establishment, and only then; nobody reads a FINESS in its words."""
        notes = ALERTS[alert]["annotations"]
        about = [labels for case in CASES for name, labels in case.fires if name == alert]
        assert {bool(NAME.search(notes["summary"])) for _ in about} == {"establishment" in labels for labels in about}
        assert "$labels.establishment }}" not in NAME.sub("", notes["summary"]) + TARGET.sub("", notes["description"])

    def test_has_a_page_that_says_what_to_do(self, alert: str) -> None:
        """The link is the section of the alert on the engine's own help, and there is one."""
        url = ALERTS[alert]["annotations"]["runbook_url"]
        place = "127.0.0.1:9464" if alert in WITHOUT_INSTANCE else "{{ $labels.instance }}"
        assert url == f"http://{place}/aide/alertes#{alert.lower()}"
        page = (ROOT / "docs" / "fr" / "alertes.md").read_text(encoding="utf-8")
        assert re.search(rf"(?m)^##+ {alert}$", page)


def test_every_alert_waits_for_a_reason() -> None:
    """Above each ``for``, a comment says why that long."""
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for before, line in itertools.pairwise(lines):
            assert not line.lstrip().startswith("for: ") or before.lstrip().startswith("# "), f"{path.name}: {line}"


NAMED_SO = {
    "its engine tells the name": ({_info("CH Fictif"): const(1)}, "CH Fictif"),
    "no engine tells a name": ({}, HOSPITAL),
    "another engine does": ({_info("CH voisin", OTHER_ENGINE): const(1)}, HOSPITAL),
    "the engine is away since a quarter of an hour": (
        {_info("CH Fictif"): without(const(1), 15 * MINUTE, 0)},
        "CH Fictif",
    ),
}


@pytest.mark.parametrize("told", NAMED_SO)
def test_a_text_is_filled_in(told: str, promtool: str, tmp_path: Path) -> None:
    """A rate under its target: the title has the name of the establishment, else its FINESS; the description has the rate and the target."""
    case = next(each for each in CASES if each.about == "JaugeSousLaCible" and each.loud)
    names, word = NAMED_SO[told]
    (sample,) = expected(case)
    labels = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
    labels = {key: value for key, value in labels.items() if key not in {"alertname", "alertstate"}}
    notes = {
        "summary": f"DS1.1 est sous la cible ({word})",
        "description": "Lettres de liaison au DMP : 65% sur les derniers mois, cible 70%. La page de l’indicateur dit "
        "quels motifs font perdre le plus de points, et dans quelles unités.",
        "runbook_url": "http://jauge.ch-fictif.example:9464/aide/alertes#jaugesouslacible",
    }
    alert = {
        "eval_time": f"{case.end}s",
        "alertname": "JaugeSousLaCible",
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": notes}],
    }
    done = run(
        promtool,
        tmp_path,
        groups(case),
        {"input_series": [*series(case), *written(names, case.end, case.step)], "alert_rule_test": [alert]},
        case.step,
    )
    assert done.returncode == 0, done.stdout + done.stderr
