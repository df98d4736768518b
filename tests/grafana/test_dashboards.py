"""The committed dashboards: made by the generator, and by the rules that a person who reads them counts on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from engine.cli import main
from engine.dashboards import __main__ as generator
from engine.metrics import catalogue
from engine.metrics.families import FAMILIES
from tests.grafana.interpolation import boards, custom, panels, used, variables

BOARDS = boards()
KINDS = {"stat", "bargauge", "timeseries", "table", "state-timeline", "row"}
OTHERS = {
    "ALERTS",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "scrape_duration_seconds",
}
"""Metrics of Prometheus itself and of any process."""
UNSHOWN: dict[str, str] = {}
"""Families on no panel, with the reason."""

_METRIC = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]*)(?=[{\[])|\b(jauge_[a-z0-9_]+)")
_OF_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def expressions(board: Any) -> Iterator[str]:
    """Every expression that a dashboard sends: of its panels, annotations and variables."""
    for panel in panels(board):
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in board["annotations"]["list"])
    for variable in variables(board).values():
        if variable["type"] == "query":
            yield variable["query"]["query"]


def strings(value: Any) -> Iterator[str]:
    """Every string inside, whatever it stands in."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in strings(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in strings(each))


def metrics(board: Any) -> set[str]:
    """The metrics that a dashboard asks for; a histogram under its own name."""
    histograms = {family.name for family in FAMILIES if family.kind == "histogram"}
    found = set()
    for expr in expressions(board):
        for match in _METRIC.finditer(expr.replace("label_values(", "")):
            name = match[1] or match[2]
            stem = _OF_HISTOGRAM.sub("", name)
            found.add(stem if stem in histograms else name)
    return found


class TestGenerator:
    """config/grafana/dashboards is what the generator makes."""

    def test_the_committed_files_are_the_generated_ones(self, tmp_path: Path) -> None:
        """Made again, they are the same bytes; no file is too many. (To write them: scripts/dashboards.)"""
        made = {path.name: path.read_bytes() for path in generator.write(tmp_path)}
        folder = Path(__file__).resolve().parents[2] / "config" / "grafana" / "dashboards"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == made

    def test_a_dashboard_that_is_no_more_goes(self, tmp_path: Path) -> None:
        """Writing takes away the file of a dashboard that the generator no longer makes, and nothing of others."""
        (tmp_path / "jauge-ancien.json").write_text("{}", encoding="utf-8")
        (tmp_path / "autre.json").write_text("{}", encoding="utf-8")
        generator.write(tmp_path)
        assert not (tmp_path / "jauge-ancien.json").exists()
        assert (tmp_path / "autre.json").exists()

    def test_the_addresses_never_change(self) -> None:
        """The uids are those that people have put in their bookmarks."""
        assert set(BOARDS) == {
            "jauge-vue-ensemble",
            "jauge-indicateur",
            "jauge-flux",
            "jauge-dmp",
            "jauge-mssante",
            "jauge-moteur",
        }
        assert {uid: board["uid"] for uid, board in BOARDS.items()} == {uid: uid for uid in BOARDS}

    def test_every_indicator_can_be_chosen(self) -> None:
        """The list of indicators is the catalogue's, with their titles, and says DS1.1 with a French title."""
        variable = variables(BOARDS["jauge-indicateur"])["indicateur"]
        known = {each.id: each.title for each in catalogue.load() if not each.variant_of}
        assert sorted(custom(variable["query"])) == sorted(known)
        assert {option["value"]: option["text"] for option in variable["options"]} == {
            indicator: f"{indicator} · {title}" for indicator, title in known.items()
        }

    def test_every_reason_has_its_words(self) -> None:
        """No code of a reason is shown as a code: the overview and the page of an indicator have the label of each."""
        labels = {reason.code: reason.label for each in catalogue.load() for reason in each.reasons}
        for uid in ("jauge-vue-ensemble", "jauge-indicateur"):
            text = generator.text(BOARDS[uid])
            missing = [code for code, label in labels.items() if f'"{code}"' not in text or label not in text]
            assert not missing, uid


@pytest.mark.parametrize("uid", BOARDS)
class TestRules:
    """What holds for each dashboard."""

    def test_one_source_and_no_job(self, uid: str) -> None:
        """Everything asks the data source that the person chose; no job, address or data source is written in."""
        board = BOARDS[uid]
        sources = [panel["datasource"] for panel in panels(board)]
        sources += [target["datasource"] for panel in panels(board) for target in panel["targets"]]
        sources += [annotation["datasource"] for annotation in board["annotations"]["list"]]
        sources += [variable["datasource"] for variable in variables(board).values() if variable["type"] == "query"]
        assert {(source["type"], source["uid"]) for source in sources} == {("prometheus", "${datasource}")}
        for expr in expressions(board):
            assert not re.search(r"\bjob\s*[=!]", expr), expr
            assert not re.search(r"instance\s*=~?\s*\"(?!\$instance\|?\")", expr), expr

    def test_every_panel_explains_itself(self, uid: str) -> None:
        """A kind that we know, a title of its own, a description and a unit, on the panel or on each of its columns of values."""
        titles = [panel["title"] for panel in panels(BOARDS[uid])]
        assert len(titles) == len(set(titles))
        for panel in panels(BOARDS[uid]):
            assert panel["type"] in KINDS, panel["title"]
            assert panel["title"].strip()
            assert panel["description"].strip().endswith((".", "»")), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            if panel["type"] == "table":
                units = {
                    override["matcher"]["options"]
                    for override in panel["fieldConfig"]["overrides"]
                    if any(each["id"] == "unit" for each in override["properties"])
                }
                names = panel["transformations"][-1]["options"]["renameByName"]
                assert {title for name, title in names.items() if name.startswith("Value")} <= units, panel["title"]

    def test_panels_do_not_overlap(self, uid: str) -> None:
        """Every panel is inside the 24 columns, beside the others, with an id of its own."""
        board = BOARDS[uid]
        places = [panel["gridPos"] for panel in board["panels"]]
        assert len({panel["id"] for panel in board["panels"]}) == len(places)
        for place in places:
            assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        for one, other in combinations(places, 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or below, (one, other)

    def test_every_variable_is_used(self, uid: str) -> None:
        """A variable that is named exists, one that exists is used, and each tells what it is."""
        board = BOARDS[uid]
        known = set(variables(board))
        named = {name for text in strings(board) for name in used(text) if not name.startswith("__")}
        assert named == known
        asking = {name for expr in expressions(board) for name in used(expr)}
        assert known - asking <= {"datasource"}
        for variable in variables(board).values():
            assert variable["label"]
            assert variable["description"]

    def test_every_metric_is_declared(self, uid: str) -> None:
        """A dashboard asks for metrics that the engine shows, by their names of today."""
        known = {family.name for family in FAMILIES}
        assert metrics(BOARDS[uid])
        assert metrics(BOARDS[uid]) <= known | OTHERS

    def test_counters_are_read_as_counters(self, uid: str) -> None:
        """A counter stands in rate or increase, over Grafana's own intervals; a total of all time says so by having no range at all."""
        counters = {family.name for family in FAMILIES if family.kind == "counter"}
        for expr in expressions(BOARDS[uid]):
            assert set(re.findall(r"\[([^\]]+)\]", expr)) <= {"$__rate_interval", "$__range"}, expr
            for call in re.findall(r"\b(?:rate|increase)\(([a-z0-9_]+)", expr):
                assert call in counters | OTHERS or call.endswith(("_bucket", "_sum", "_count")), call

    def test_links_lead_somewhere(self, uid: str) -> None:
        """Links go to dashboards that exist, or to the pages of the engine that the value comes from."""
        board = BOARDS[uid]
        urls = [text for text in strings(board) if text.startswith(("/d/", "http://"))]
        assert board["links"][0]["tags"] == board["tags"] == ["jauge"]
        assert "http://${instance}/" in urls
        for url in urls:
            if url.startswith("/d/"):
                assert url.split("?")[0].removeprefix("/d/") in BOARDS, url
                names = re.findall(r"&var-(\w+)=", url)
                assert set(names) <= set(variables(BOARDS[url.split("?")[0].removeprefix("/d/")])), url
            else:
                path = re.sub(r"^http://\$\{(?:instance|__(?:field\.labels|data\.fields)\.instance)\}", "", url)
                assert re.fullmatch(
                    r"/(flux|applications|ps41|indicateurs/\$\{[\w.]+\}(\?etablissement=\$\{[\w.]+\})?)?", path
                ), url

    def test_a_colour_never_speaks_alone(self, uid: str) -> None:
        """Colours are those that everybody tells apart, or none; what a state says with a colour it says with a sign and a word."""
        safe = set(generator.overview.p.HUES) | {"#2f86d9", "#e69f00", "#d55e00", "#8e8e8e", "transparent"}
        for panel in panels(BOARDS[uid]):
            for text in re.findall(r'"(?:color|fixedColor)": "([^"]+)"', generator.text(panel)):
                assert text in safe, (panel["title"], text)
            for mapping in re.findall(
                r'"color": "[^"]+",\s*"text": "([^"]+)"|"text": "([^"]+)",\s*"index": \d+,\s*"color"',
                generator.text(panel),
            ):
                assert re.match(r"[✔✖▲▼—]|aucune", "".join(mapping)), mapping

    def test_the_defaults_are_sensible(self, uid: str) -> None:
        """Seven days, again each minute, in the person's own time, weeks from Monday."""
        board = BOARDS[uid]
        assert board["time"] == {"from": "now-7d", "to": "now"}
        assert (board["refresh"], board["timezone"], board["weekStart"]) == ("1m", "browser", "monday")
        assert board["title"].startswith("Jauge · ")
        assert board["description"]


def test_every_metric_is_on_a_panel() -> None:
    """Every family of /metrics is on a dashboard, or in the list of those that are not, with the reason."""
    shown = {name for board in BOARDS.values() for name in metrics(board)}
    assert {family.name for family in FAMILIES} - shown == set(UNSHOWN)


@pytest.mark.parametrize(("web", "scheme"), [("127.0.0.1:9470", "http"), ("0.0.0.0:9470", "https")])
def test_links_of_a_new_engine_lead_to_its_page(tmp_path: Path, web: str, scheme: str) -> None:
    """The dashboards that ``jauge init`` writes beside a configuration have links to the page as it is served: over TLS when it is."""
    done = CliRunner().invoke(main, ["init", str(tmp_path / "s"), "--yes", "--web", web])
    assert done.exit_code == 0, done.output
    for path in (tmp_path / "s" / "grafana" / "dashboards").iterdir():
        links = [text for text in strings(json.loads(path.read_text(encoding="utf-8"))) if re.match("https?://", text)]
        assert {text.partition(":")[0] for text in links} == {scheme}


def test_provisioning_names_what_is_there() -> None:
    """The data source is a Prometheus with the interval of the shipped scrape job, and the provider reads a folder."""
    config = Path(__file__).resolve().parents[2] / "config"
    folder = config / "grafana" / "provisioning"
    scraped = yaml.safe_load((config / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["global"][
        "scrape_interval"
    ]
    (source,) = yaml.safe_load((folder / "datasources" / "jauge.yml").read_text(encoding="utf-8"))["datasources"]
    assert (source["type"], source["jsonData"]["timeInterval"]) == ("prometheus", scraped)
    (provider,) = yaml.safe_load((folder / "dashboards" / "jauge.yml").read_text(encoding="utf-8"))["providers"]
    assert (provider["type"], provider["folder"]) == ("file", "Jauge")
    assert provider["options"]["path"].startswith("/var/lib/grafana/")
