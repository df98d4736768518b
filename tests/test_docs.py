"""The documentation as a contract: its links lead somewhere, its commands exist, every page is listed, the site builds."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
import yaml

from engine import cli, service
from engine.facts import HL7, TRACES
from engine.metrics.families import FAMILIES
from engine.page import markdown
from engine.privacy import PURPOSES
from tests.test_house import ROOT, files

PAGES = files(".md")
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_WORDS_OF_SHELL = {"|", "||", "&&", ";", ">", ">>", "<", "2>&1", "&"}


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page, as ``/aide`` and the site give them."""
    return frozenset(heading.anchor for heading in markdown.render(page.read_text(encoding="utf-8"), "/aide").headings)


class TestLinks:
    """From page to page."""

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_every_link_leads_somewhere(self, page: Path) -> None:
        """A link to a file of the project, or to a section of a page, finds it."""
        for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", prose(page)):
            if "://" in target or target.startswith("mailto:"):
                continue
            name, _, anchor = unquote(target).partition("#")
            there = (page.parent / name).resolve() if name else page
            assert there.exists(), target
            if anchor and there.suffix == ".md":
                assert anchor in anchors(there), target

    def test_every_page_is_listed(self) -> None:
        """docs/index.md links each page of docs/, and each page in French is linked from docs/fr/index.md."""
        for index in (DOCS / "index.md", DOCS / "fr" / "index.md"):
            linked = {(index.parent / name).resolve() for name in re.findall(r"\]\(([^)#\s]+)", prose(index))}
            pages = {page for page in index.parent.rglob("*.md") if page != index}
            assert sorted(str(page.relative_to(ROOT)) for page in pages - linked) == []

    def test_every_page_is_on_the_site(self) -> None:
        """The contents of the site (toctree) name each page once."""
        text = (DOCS / "index.md").read_text(encoding="utf-8")
        listed = [
            name
            for _, block in _FENCE.findall(text.replace("```{toctree}", "```toctree"))
            for name in block.split("\n")
        ]
        pages = sorted(str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md"))
        assert sorted(name for name in listed if name and not name.startswith(":")) == [
            p for p in pages if p != "index"
        ]


class TestAlerts:
    """docs/fr/alertes.md and config/prometheus/ tell of the same alerts."""

    def test_every_alert_has_its_section_and_its_severity(self) -> None:
        """A section has the name of an alert, says its severity, what to check and whom to call; there is no other section."""
        text = (DOCS / "fr" / "alertes.md").read_text(encoding="utf-8")
        written = dict(re.findall(r"^## (Jauge\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
        rules = {
            rule["alert"]: rule["labels"]["severity"]
            for file in sorted((ROOT / "config" / "prometheus").glob("*.yml"))
            for group in yaml.safe_load(file.read_text(encoding="utf-8")).get("groups", ())
            for rule in group["rules"]
            if "alert" in rule
        }
        assert written.keys() == rules.keys()
        summary = text.split("## Toutes les alertes")[1].split("\n## ")[0]
        assert sorted(re.findall(r"\(#(\w+)\)", summary)) == sorted(name.lower() for name in rules)
        for name, section in written.items():
            assert f"Gravité : `{rules[name]}`." in section, name
            for words in ("**Ce que cela veut dire.**", "**Est-ce grave ?**", "**Que vérifier, dans l’ordre**"):
                assert words in section, f"{name}: {words}"
            assert "**Qui appeler** :" in section, name


def shown(page: Path) -> Iterator[str]:
    """Every command line that a page shows: in blocks of shell, and between back quotes."""
    text = page.read_text(encoding="utf-8")
    for language, block in _FENCE.findall(text):
        if language in {"sh", "bash", "console", "shell"}:
            yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`((?:jauge|scripts/)[^`]*)`", prose(page))
    yield from re.findall(r"« ?(jauge [^»]*?) ?»", prose(page))


def invocations(line: str) -> Iterator[list[str]]:
    """The words of each ``jauge ...`` and ``scripts/... `` in a command line, to the end of that command."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # the first line of a text between quotes that goes on
        words = line.split()
    for number, word in enumerate(words):
        first = number == 0 or words[number - 1] in _WORDS_OF_SHELL | {"--", "nice"} or "=" in words[number - 1]
        if first and (word == "jauge" or word.endswith("/jauge") or re.search(r"(^|/)scripts/\w+$", word)):
            rest = words[number + 1 :]
            end = next(
                (n for n, other in enumerate(rest) if other in _WORDS_OF_SHELL or other.endswith(";")), len(rest)
            )
            yield [word, *rest[:end]]


def wrong(words: list[str]) -> str:
    """What is wrong with a call of ``jauge``; empty when nothing is. ``...``, FILE and <name> stand for anything."""
    command: click.Command = cli.main
    while isinstance(command, click.Group) and words:
        name = words[0]
        if name in {"...", "…", "COMMAND"} or name.startswith("-"):
            return ""
        if name not in command.commands:
            return f"no command {name}"
        command, words = command.commands[name], words[1:]
    options = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        flag = word.split("=")[0].rstrip(",.")
        if flag.startswith("-") and flag not in options | {"--help", "-h", "-", "--"}:
            return f"no option {flag}"
    return ""


class TestNames:
    """What a page calls by its name is there."""

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_every_metric_named_exists(self, page: Path) -> None:
        """A ``jauge_...`` in a page is a metric, or what a histogram makes of it."""
        known = {family.name for family in FAMILIES}
        named = set(re.findall(r"\b(jauge_[a-z0-9_]*[a-z0-9])\b(?![*_:]|\.\.\.)", page.read_text(encoding="utf-8")))
        stems = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
        assert sorted(stems - known) == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_every_setting_named_exists(self, page: Path) -> None:
        """A ``section.name`` of the configuration, in a page, is a setting of docs/configuration.md."""
        manual = (DOCS / "configuration.md").read_text(encoding="utf-8")
        for section, names in re.findall(
            r"`(indicators|limits|http|log|mssante|ps41)\.([a-z_.]+)`", page.read_text("utf-8")
        ):
            part = manual.split(f"## `{section}`")[1]
            told = f"| `{names.removeprefix('senders.')}" in part or f"## `{section}.{names}`" in manual
            assert told, f"{section}.{names}"


class TestSettings:
    """What a reader may paste into jauge.yaml."""

    @pytest.mark.parametrize("page", [page for page in PAGES if page.is_relative_to(DOCS)], ids=lambda page: page.name)
    def test_every_piece_of_configuration_is_right(self, page: Path, tmp_path: Path) -> None:
        """Put beside what it leaves out, it names settings and values that exist; only its files are not there."""
        for block in (
            textwrap.dedent(text) for language, text in _FENCE.findall(page.read_text("utf-8")) if language == "yaml"
        ):
            if not re.search(r"^(- name|feeds|ps41|store|http|establishments):", block, re.MULTILINE):
                continue
            text = "feeds:\n" + textwrap.indent(block, "  ") if block.startswith("- name:") else block
            if "establishments:" not in text:
                text += "\nestablishments: [{finess: '990000001', name: CH, mssante_domains: [ch-fictif.mssante.fr]}]\n"
            if "store:" not in text:
                text += "\nstore: jauge.db\nkeys: keys\n"
            if "feeds:" not in text:
                text += "\nfeeds: [{name: his, listener: mllp, establishment: '990000001'}]\n"
            file = tmp_path / "jauge.yaml"
            file.write_text(text, encoding="utf-8")
            problems = [str(problem) for problem in service.config_problems(file)]
            assert [line for line in problems if "there is no such" not in line and "cannot be read" not in line] == []


class TestCommands:
    """What a reader may copy."""

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_every_command_shown_exists(self, page: Path) -> None:
        """A ``jauge ...`` names a command and options that exist; a ``scripts/...`` a program, and options that it knows."""
        for line in shown(page):
            for first, *words in invocations(line):
                if "scripts/" not in first:
                    assert wrong(words) == "", line
                    continue
                script = ROOT / first[first.index("scripts/") :]
                assert os.access(script, os.X_OK), line
                text = script.read_text(encoding="utf-8")
                for word in words:
                    if word.startswith("--"):
                        assert word.split("=")[0] in text, line

    def test_a_command_that_does_not_exist_is_seen(self) -> None:
        """The check above can fail."""
        assert wrong(["rates", "--json"]) == ""
        assert wrong(["rate"]) == "no command rate"
        assert wrong(["ps41", "send", "--dry"]) == "no option --dry"
        line = "runuser -u jauge -- /opt/jauge/.venv/bin/jauge rates --config x > y && scripts/test -x"
        assert [words[0].rpartition("/")[2] for words in invocations(line)] == ["jauge", "test"]


_NUMBERS = {
    word: number
    for words in (
        "zero one two three four five six seven eight nine ten",
        "zéro un deux trois quatre cinq six sept huit neuf dix",
    )
    for number, word in enumerate(words.split())
}


def counted() -> Iterator[tuple[str, str, int]]:
    """Each number of things that a page tells: the page, where the number stands in it, how many things there are."""
    alerts = sum(
        "alert" in rule
        for file in (ROOT / "config" / "prometheus").glob("*.yml")
        for group in yaml.safe_load(file.read_text(encoding="utf-8")).get("groups", ())
        for rule in group["rules"]
    )
    yield "README.md", r"\*\*(\w+) alerts\*\*", alerts
    dashboards = len(list((ROOT / "config" / "grafana").rglob("*.json")))
    yield "README.md", r"\*\*(\w+) dashboards\*\*", dashboards
    yield "docs/grafana.md", r"(\w+) dashboards, in French", dashboards
    questions = len(re.findall(r'= ask\("', (ROOT / "engine" / "cli_site.py").read_text(encoding="utf-8")))
    for page, place in (
        ("README.md", r"# (\w+) questions;"),
        ("docs/commands.md", r"asks (\w+) questions"),
        ("docs/operations.md", r"asks (\w+) questions"),
        ("docs/fr/installer.md", r"(\w+) questions \(en anglais\)"),
    ):
        yield page, place, questions
    for page, place in (
        ("docs/operations.md", r"(\w+) small files, mode 0400"),
        ("docs/fr/exploiter.md", r"(\w+) petits fichiers"),
        ("docs/fr/exploiter.md", r"(\w+) fichiers de 32 octets"),
        ("docs/fr/donnees-personnelles.md", r"`keys`, (\w+) fichiers"),
    ):
        yield page, place, len(PURPOSES)
    yield "docs/rules.md", r"reaches Jauge by (\w+) traces", len(set(TRACES) - {HL7})
    ps41 = (DOCS / "fr" / "ps41.md").read_text(encoding="utf-8")
    yield "docs/fr/ps41.md", r"## En (\w+) commandes", _FENCE.findall(ps41)[0][1].count("jauge ")
    packages = json.loads((ROOT / "tests" / "node" / "package.json").read_text(encoding="utf-8"))
    yield "README.md", r"(\w+) packages of npm", len(packages["devDependencies"])
    for name, place, source in (
        ("crash", r"\((\w+) kills under load\)", r"KILLS = ([\d_]+)"),
        ("truth", r"([\d,]+) stays with every way", r"Hospital\(1, ([\d_]+)"),
        ("canary", r"([\d,]+) messages with marked", r'feed="his"\) == ([\d_]+)'),
    ):
        said = re.search(source, (ROOT / "tests" / "e2e" / f"test_{name}.py").read_text(encoding="utf-8"))
        assert said, name
        yield "README.md", place, int(said[1])


class TestCounts:
    """A number of things is how many there are."""

    def test_as_many_as_there_are(self) -> None:
        """What a page says, in digits or in a word, is what is found where the things are."""
        said = {}
        for page, place, count in counted():
            found = re.search(place, (ROOT / page).read_text(encoding="utf-8"))
            word = found[1].replace(",", "").lower() if found else "nothing"
            if word != str(count) and _NUMBERS.get(word) != count:
                said[page, place] = f"{word}, and there are {count}"
        assert not said


class Site(HTMLParser):
    """What one page of the site points to, loads, and holds."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects."""
        found = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := found.get(name))}
        if tag == "a" and (href := found.get("href")):
            self.links.append(href)
        if src := found.get("src"):
            self.loads.append(src)
        if tag == "link" and (href := found.get("href")) and found.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loads.append(href)


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_site_builds(tmp_path: Path) -> None:
    """scripts/docs makes every page without a warning; links lead somewhere; nothing is loaded from elsewhere."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    site = tmp_path / "site"
    ran = subprocess.run(
        [ROOT / "scripts" / "docs", site], capture_output=True, text=True, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    pages = {file.resolve(): Site(file) for file in site.rglob("*.html")}
    for page in DOCS.rglob("*.md"):
        assert (site / page.relative_to(DOCS)).with_suffix(".html").resolve() in pages
    for file, shown_page in pages.items():
        for load in shown_page.loads:
            assert (file.parent / load.partition("?")[0]).resolve().is_file(), load
        for link in shown_page.links:
            if "://" in link:
                continue
            name, _, anchor = unquote(link).partition("#")
            there = (file.parent / name).resolve() if name else file
            assert there.exists(), link
            assert not anchor or there not in pages or anchor in pages[there].anchors, link
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\([\"']?(https?:)?//", text), style.name
    assert '<html class="no-js" lang="fr"' in (site / "fr" / "index.html").read_text(encoding="utf-8")
