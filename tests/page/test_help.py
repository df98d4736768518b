"""/aide: every page is shown, and every link in it leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from engine import resources
from engine.metrics import catalogue
from engine.page import markdown, rendering
from engine.page.help import ORDER, Help

ROOT = Path(__file__).parents[2]
HELP = Help()
PATHS = list(HELP.paths)


class Links(HTMLParser):
    """What a page points to, what it loads, the anchors it has, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects."""
        self.tags.append(tag)
        found = dict(attrs)
        assert "style" not in found
        if tag == "a" and (href := found.get("href")):
            self.links.append(href)
        elif href := found.get("src") or (found.get("href") if tag == "link" else None):
            self.loads.append(href)
        if anchor := found.get("id"):
            self.anchors.append(anchor)

    def handle_data(self, data: str) -> None:
        """Collects."""
        self.words += data


@cache
def shown(path: str) -> Links:
    """One page as a browser would get it."""
    answer = HELP.answer(path, {})
    assert answer is not None
    return Links(answer.body.decode())


class TestPages:
    """What is served."""

    def test_every_page_is_listed(self) -> None:
        """Each file of docs/fr has a place in the menu, and each place has its file."""
        assert sorted(ORDER) == sorted(file.stem for file in resources.help_folder().glob("*.md"))

    @pytest.mark.parametrize("path", PATHS)
    def test_a_page_is_whole(self, path: str) -> None:
        """It has one title, the menu of all pages, and neither a comment of its source nor a sign of Markdown."""
        page = shown(path)
        assert page.tags.count("h1") == 1
        assert set(PATHS) <= set(page.links)
        assert "<!--" not in page.words
        assert not re.search(r"\]\(|^\|", page.words, re.MULTILINE)

    @pytest.mark.parametrize("path", PATHS)
    def test_nothing_comes_from_elsewhere(self, path: str) -> None:
        """No script, style, font or picture but those that the engine itself serves."""
        for address in shown(path).loads:
            assert rendering.static(address.partition("?")[0]) is not None, address

    def test_what_is_not_there_is_not_mine(self) -> None:
        """Another path, or a page that does not exist, is left to others; a slash at the end is the same page."""
        assert HELP.answer("/", {}) is None
        assert HELP.answer("/aidez", {}) is None
        assert HELP.answer("/aide/absente", {}) is None
        assert HELP.answer("/aide/../jauge", {}) is None
        assert HELP.answer("/aide/", {}) == HELP.answer("/aide", {})


class TestLinks:
    """Where links lead."""

    @pytest.mark.parametrize("path", PATHS)
    def test_every_link_leads_somewhere(self, path: str) -> None:
        """A link to another page of the help, or to a place in one, finds it; anchors are unique."""
        page = shown(path)
        assert len(set(page.anchors)) == len(page.anchors)
        for link in page.links:
            target, _, anchor = link.partition("#")
            if target.startswith("/aide") or not target:
                there = shown(target or path)
                assert not anchor or anchor in there.anchors, link
            else:
                assert re.match(r"https://|/", target), link

    def test_every_indicator_and_reason_has_its_place(self) -> None:
        """The page may send to ``/aide/indicateurs#ds1-1``, ``#ds1-1-eligible`` and ``#not-cda``: all are there."""
        known = catalogue.load()
        names = [*known.ids, *(reason.code for entry in known for reason in entry.reasons)]
        anchors = shown("/aide/indicateurs").anchors
        assert [name for name in names if markdown.slug(name) not in anchors] == []

    def test_every_alert_has_its_place(self) -> None:
        """The ``runbook_url`` of each alert leads to the section of its name."""
        rules = [
            rule
            for file in sorted((ROOT / "config" / "prometheus").glob("*.yml"))
            for group in yaml.safe_load(file.read_text(encoding="utf-8")).get("groups", ())
            for rule in group["rules"]
            if "alert" in rule and "runbook_url" in rule["annotations"]
        ]
        anchors = shown("/aide/alertes").anchors
        for rule in rules:
            _, found, anchor = rule["annotations"]["runbook_url"].partition("/aide/alertes#")
            assert found, rule["alert"]
            assert anchor in anchors, rule["alert"]

    def test_every_link_of_the_page_to_the_help_leads_somewhere(self) -> None:
        """What the templates of the page write (``/aide/...``) is there."""
        texts = [file.read_text(encoding="utf-8") for file in (ROOT / "engine" / "page" / "templates").glob("*.html")]
        written = {link for text in texts for link in re.findall(r'href="(/aide[^"{]*)"', text)}
        for link in written:
            target, _, anchor = link.partition("#")
            assert not anchor or anchor in shown(target).anchors, link
            assert target in PATHS, link


class TestMarkdown:
    """How the text becomes HTML."""

    def test_an_anchor_is_the_name_before_the_colon(self) -> None:
        """Without accents, apostrophes or capitals: it can be known from the name alone, and does not move with the title."""
        assert markdown.slug("DS1.1 : Lettres de liaison au DMP") == "ds1-1"
        assert markdown.slug("`not_cda` : Pas au format CDA R2") == "not-cda"
        assert markdown.slug("JaugeFluxMuet") == "jaugefluxmuet"
        assert markdown.slug("À l’épreuve de l’été ?") == "a-l-epreuve-de-l-ete"

    def test_two_headings_of_one_name_have_two_anchors(self) -> None:
        """The second has a number."""
        page = markdown.render("# A\n\n## B\n\n## B\n", "/aide")
        assert [heading.anchor for heading in page.headings] == ["a", "b", "b-2"]

    def test_html_is_text(self) -> None:
        """A tag in a page is shown, not obeyed; a picture is left out."""
        html = markdown.render("# T\n\n<script>x</script>\n\n![p](https://x.example/p.png)\n", "/aide").html
        assert html.count("<p>") == 1
        assert "&lt;script&gt;" in html
        assert "<img" not in html
        assert "x.example" not in html

    def test_links_are_those_of_the_help(self) -> None:
        """A page is a path, an address stays, code and English pages keep their words only."""
        html = markdown.render(
            "# T\n\n[a](ps41.md#b) [c](index.md) [d](../rules.md) [e](https://e.example/) [f](#g)\n", "/aide"
        ).html
        assert re.findall(r'href="([^"]*)"', html) == ["/aide/ps41#b", "/aide", "https://e.example/", "#g"]
        assert " d " in html

    def test_a_mark_is_invisible_and_code_is_kept(self) -> None:
        """The comments around made parts are dropped; the same line in a block of code is code."""
        html = markdown.render(
            "# T\n\n<!-- made: x -->\nA :\n<!-- end -->\n\n```sh\n<!-- kept -->\na : b\n```\n", "/aide"
        ).html
        assert "made" not in html
        assert "&lt;!-- kept --&gt;\na : b" in html

    def test_french_spacing(self) -> None:
        """No line begins with a colon, nor cuts a number."""
        space = "\N{NO-BREAK SPACE}"
        assert markdown.typography("« Oui » : 1 000 % ?") == f"«{space}Oui{space}»{space}: 1{space}000{space}%{space}?"
