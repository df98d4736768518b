"""Every page over what the engine may hold: there, whole, escaped, and of nobody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from engine.code_words import sentences
from engine.codes import codes
from engine.metrics.snapshot import ApplicationValue, Feed, IndicatorValue, Snapshot
from engine.page.rendering import prose
from engine.standing import Standing
from tests.page.build import CATALOGUE, CLINIC, HOSPITAL, NOW, TODAY, Site

PLAIN = ("/", "/flux", "/applications", "/ps41")
EVERY = (*PLAIN, *(f"/indicateurs/{name}" for name in CATALOGUE.ids))
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"
LINKED = {"a": "href", "link": "href", "script": "src", "img": "src", "use": "href", "form": "action", "iframe": "src"}
_VOID = {"meta", "link", "br", "hr", "img", "input"}


class Looked(HTMLParser):
    """What a page is made of: its tags closed in their order, its links, its ids, and what a strict policy forbids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.forbidden: list[str] = []
        self.headings: list[int] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        found = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        if LINKED.get(tag) in found:
            self.links.append(found[LINKED[tag]])
        if "id" in found:
            self.ids.append(found["id"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.forbidden += [name for name in found if name == "style" or name.startswith("on")]
        self.forbidden += [tag] * (
            tag in {"style", "object", "embed", "base"} or (tag == "script" and "src" not in found)
        )

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag that closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """The end of the last one that is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """What is read."""
        self.words += data


def look(text: str) -> Looked:
    """A page, looked at: well closed, each id once, nothing that the policy forbids, headings that go down by one."""
    found = Looked(text)
    assert not found.forbidden
    assert len(found.ids) == len(set(found.ids))
    assert found.headings[0] == 1
    assert all(after <= before + 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hospital with something of everything, and days; looked at by many tests, changed by none."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.count(
        *(
            ("DS1.1", unit, TODAY - day, outcome, day % 5 + 1)
            for day in range(100)
            for unit in ("6268", "")
            for outcome in ("met", "not_produced", "rejected:XDSUnknownPatientId")
        )
    )
    yield made
    made.close()


@pytest.mark.parametrize("path", EVERY)
def test_every_page_is_there(site: Site, path: str) -> None:
    """Each page is whole HTML, in French, with a title, and says of when its data are, in both windows."""
    for query in ({}, {"fenetre": "glissante"}, {"etablissement": HOSPITAL}):
        text = site.get(path, **query)
        found = look(text)
        assert '<html lang="fr">' in text
        assert "Données du 22/11/2025 à 14:02" in found.words


def test_an_empty_engine_has_pages(tmp_path: Path) -> None:
    """On the first day, before anything came, every page is there and says that there is nothing."""
    site = Site(tmp_path)
    site.snapshot = Snapshot(taken_at=NOW)
    for path in EVERY:
        look(site.get(path))
    assert "Rien à mesurer encore." in site.get("/")
    assert "Aucun inventaire" in site.get("/applications")
    site.close()


def test_every_link_leads_somewhere(site: Site) -> None:
    """From the first page on, each address is a page of ours, of the help, or a place on the same page; none is elsewhere."""
    waiting, seen = ["/"], set[str]()
    while waiting:
        address = waiting.pop()
        parts = urlsplit(address)
        answer = site.pages.answer(parts.path, dict(parse_qsl(parts.query)))
        assert answer is not None, address
        assert answer.status == 200, address
        if not answer.content_type.startswith("text/html"):
            continue
        found = look(answer.body.decode())
        for link in found.links:
            target = urlsplit(link)
            assert not target.scheme, link
            assert not target.netloc, link
            if link.startswith("#"):
                assert link[1:] in found.ids, link
            elif not link.startswith(("/aide", "/metrics")) and link not in seen:
                seen.add(link)
                waiting.append(link)
    assert {f"/indicateurs/{name}?fenetre=officielle" for name in CATALOGUE.ids if "_" in name} <= seen


def test_what_is_not_ours_is_left_to_others(site: Site) -> None:
    """A path that is no page is nobody's; an indicator or an establishment that does not exist is said to be unknown."""
    assert site.pages.answer("/aide", {}) is None
    assert site.pages.answer("/page/../pages.py", {}) is None
    assert site.pages.answer("/page/base.html", {}) is None
    for path, query in (("/indicateurs/DS9.9", {}), ("/indicateurs/", {}), ("/", {"etablissement": "123456789"})):
        answer = site.pages.answer(path, query)
        assert answer is not None
        assert answer.status == 404
        look(answer.body.decode())


def test_static_files_are_kept_by_the_browser(site: Site) -> None:
    """Style, script and fonts have an address of their own for each content, and come from the engine."""
    for name in ("page.css", "page.js", "icon.svg", "OpenSans-Regular.ttf", "OpenSans-Semibold.ttf"):
        answer = site.pages.answer(f"/page/{name}", {"v": "x"})
        assert answer is not None
        assert "immutable" in dict(answer.headers)["Cache-Control"]
    css = site.pages.answer("/page/page.css", {})
    assert css is not None
    assert not re.findall(rb"https?:|//|@import", css.body.replace(b"/*", b"").replace(b"*/", b""))
    assert set(re.findall(rb'url\("([^"]+)"\)', css.body)) == {b"OpenSans-Regular.ttf", b"OpenSans-Semibold.ttf"}


def test_names_are_written_as_they_are(tmp_path: Path) -> None:
    """Whatever an establishment, an application, an endpoint, a unit or a code is called, it is text."""
    site = Site(tmp_path, {HOSPITAL: "CH <b>&amp; 'fils'"})
    site.count(("DS1.1", HOSTILE, TODAY, "not_produced", 1))
    site.snapshot = structs.replace(
        site.snapshot,
        indicators=tuple(
            IndicatorValue("DS1.1", HOSPITAL, window, 0, 2, {HOSTILE: 1, "rejected": 1}, {HOSTILE: 1})
            for window in ("official", "rolling")
        ),
        applications=(ApplicationValue(HOSTILE, "identity", True, establishment=HOSPITAL),),
        unlisted=(HOSTILE,),
        feeds=(Feed("his", 1, rejected={HOSTILE: 1}, flags={HOSTILE: 1}),),
    )
    pages = {
        path: site.get(path, fenetre="glissante") for path in ("/", "/flux", "/applications", "/indicateurs/DS1.1")
    }
    for text in pages.values():
        assert "<script>" not in text
        assert "<b>" not in text
    assert look(pages["/applications"]).words.count(HOSTILE) == 2
    assert HOSTILE in look(pages["/indicateurs/DS1.1"]).words
    assert HOSTILE in look(pages["/flux"]).words
    assert "CH <b>&amp; 'fils'" in look(pages["/"]).words
    site.close()


def test_codes_are_told_in_french(tmp_path: Path) -> None:
    """What a code means, beside it, in the language of the page; every code is one link away."""
    site = Site(tmp_path)
    given = Feed("his", 1, rejected={"not-hl7": 1}, flags={"log-status-unknown": 2})
    site.snapshot = structs.replace(site.snapshot, feeds=(given,))
    text = site.get("/flux")
    page = look(text)
    assert "Ce qu’il veut dire, et que faire" in page.words
    assert 'lang="en"' not in text
    for code in ("not-hl7", "log-status-unknown"):
        assert look(f"<h1>{prose(sentences()[code])}</h1>").words in page.words
        assert codes()[code] not in page.words
    assert {"/aide/codes#messages-non-lus", "/aide/codes#remarques"} <= set(page.links)
    site.close()


def test_words_of_the_catalogue_are_prose() -> None:
    """Closing marks stay with their word, backquotes are code, and everything else is text."""
    assert prose("Ajouter « x » à `a<b` : oui ; <i>") == (
        "Ajouter «\u00a0x\u00a0» à <code>a&lt;b</code>\u00a0: oui\u00a0; &lt;i&gt;"
    )


def test_several_establishments_are_never_put_together(tmp_path: Path) -> None:
    """The first page lists them side by side; each has pages of its own, and the links stay with it."""
    site = Site(tmp_path, {HOSPITAL: "CH Un", CLINIC: "CH Deux"})
    site.snapshot = structs.replace(
        site.snapshot,
        indicators=(
            IndicatorValue("D2.2", HOSPITAL, "official", 1, 4, {"not_cda": 3}),
            IndicatorValue("D2.2", CLINIC, "official", 3, 4, {"not_cda": 1}),
        ),
    )
    group = look(site.get("/"))
    assert "25,0\u00a0%" in group.words
    assert "75,0\u00a0%" in group.words
    assert "50,0\u00a0%" not in group.words
    assert f"/indicateurs/D2.2?etablissement={CLINIC}" in group.links
    one = look(site.get("/", etablissement=CLINIC))
    assert "75,0\u00a0%" in one.words
    assert "25,0\u00a0%" not in one.words
    inside = [link for link in one.links if link.startswith(("/indicateurs", "/flux", "/applications", "/ps41"))]
    assert inside
    assert (
        {CLINIC}
        <= {dict(parse_qsl(urlsplit(link).query)).get("etablissement", "") for link in inside}
        <= {CLINIC, HOSPITAL}
    )
    site.close()


def test_an_old_snapshot_is_said_to_be_old(site: Site) -> None:
    """When the engine has said nothing for longer than it ever should, the page says since when."""
    site.now = NOW + 600.0
    assert "moteur muet depuis 10\u00a0min" in look(site.get("/")).words
    site.now = float(NOW)
    assert "muet depuis" not in look(site.get("/")).words


finesses = st.sampled_from([HOSPITAL, CLINIC])
counts = st.dictionaries(
    st.sampled_from(["not_produced", "rejected", "not_cda", "awaiting_answer", "no_test", "of_a_newer_rule"]),
    st.integers(0, 9**9),
    max_size=4,
)
values = st.builds(
    lambda indicator, finess, window, met, missed, codes: IndicatorValue(
        indicator, finess, window, met, met + sum(missed.values()), missed, codes
    ),
    st.sampled_from([*CATALOGUE.ids, "DS9.9"]),
    finesses,
    st.sampled_from(["official", "rolling"]),
    st.integers(0, 9**9),
    counts,
    st.dictionaries(st.sampled_from(["XDSUnknownPatientId", "other", "of.our-own"]), st.integers(0, 99), max_size=2),
)
times = st.sampled_from([0, NOW - 86_400 * 400, NOW - 60, NOW + 86_400])
snapshots = st.builds(
    Snapshot,
    taken_at=st.sampled_from([float(NOW), NOW - 1e6]),
    indicators=st.lists(values, max_size=30).map(tuple),
    applications=st.lists(
        st.builds(
            ApplicationValue,
            st.text(max_size=20),
            st.sampled_from(["identity", "movement"]),
            st.booleans(),
            declared=st.booleans(),
            observed=st.booleans(),
            last_seen=times,
            ins_proof=st.sampled_from(["observed", "declared", ""]),
            in_scope=st.booleans(),
            establishment=finesses,
        ),
        max_size=6,
    ).map(tuple),
    unlisted=st.lists(st.text(max_size=20), max_size=70).map(tuple),
    feeds=st.lists(
        st.builds(
            Feed,
            st.sampled_from(["his", "lab", "gone"]),
            st.integers(0, 9**12),
            last_message_at=times,
            silence_limit=st.sampled_from([0, 60]),
        ),
        max_size=3,
        unique_by=lambda feed: feed.name,
    ).map(tuple),
    standings=st.lists(
        st.builds(Standing, finesses, times, times, times, times, st.booleans(), st.booleans()),
        max_size=2,
        unique_by=lambda each: each.establishment,
    ).map(tuple),
    projected=st.dictionaries(st.tuples(st.sampled_from(CATALOGUE.ids), finesses), st.floats(0, 1)),
    targets=st.dictionaries(st.tuples(st.sampled_from(CATALOGUE.ids), finesses), st.floats(0.01, 1)),
    official=st.dictionaries(st.tuples(st.sampled_from(["P4.3", "PS4.1"]), finesses), st.booleans()),
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two establishments and three feeds, whose snapshot each example replaces."""
    made = Site(tmp_path_factory.mktemp("two"), {HOSPITAL: "CH Un", CLINIC: "CH Deux"}, ("his", "lab", "other"))
    yield made
    made.close()


@given(found=snapshots, path=st.sampled_from(EVERY), finess=st.sampled_from(["", HOSPITAL, CLINIC]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
def test_whatever_the_engine_holds(two: Site, found: Snapshot, path: str, finess: str) -> None:
    """No snapshot keeps a page from being made, well formed and without anything that the policy forbids."""
    two.snapshot = found
    look(two.get(path, **({"etablissement": finess} if finess else {})))
