"""The page of a real engine in a real Chromium: readable by everyone, in every light, on every screen, and alive."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.simulator.hospital import Hospital
from engine.simulator.listening import addresses, post, write
from engine.simulator.measured import read
from engine.simulator.traffic import Envelope
from tests.e2e.engine import free_port

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).resolve().parent.parent / "node" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()
PAGES = (
    "/",
    "/indicateurs/D2.2",
    "/indicateurs/DS1.1?fenetre=glissante",
    "/indicateurs/DS4.1",
    "/indicateurs/P1.1",
    "/flux",
    "/applications",
    "/ps41",
    "/indicateurs/inconnu",
)
PHONE, DESK, WALL = (360, 740), (1366, 768), (1920, 1080)
PATIENCE = 60_000  # ms

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.timeout(900),
]


class Running:
    """``jauge run`` in a process of its own, told to listen to a synthetic hospital of today."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hospital = Hospital(3, 40, datetime.now(ZoneInfo("Europe/Paris")).date(), "Europe/Paris", mail=True)
        http, self.ports = free_port(), {feed: free_port() for feed in addresses(self.hospital)[1]}
        self.url = f"http://127.0.0.1:{http}"
        path = write(folder, self.hospital, self.ports, http)
        with (folder / "engine.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "run", "--config", str(path)],
                stdout=log,
                stderr=log,
                env=os.environ,
            )
        self.sent = 0
        deadline = time.monotonic() + 120
        while True:
            assert self.process.poll() is None, "the engine ended"
            assert time.monotonic() < deadline, "the engine is not ready"
            try:
                self._get("/readyz")
            except OSError:
                time.sleep(0.1)
            else:
                return

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return str(answer.read().decode())

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """Sends these, and waits until they are counted and shown."""

        async def flow(name: str) -> None:
            async with post(name, self.folder, self.ports) as sender:
                for envelope in envelopes:
                    if envelope.feed == name:
                        await sender.send(envelope.payload)
                await sender.finish()

        async def every() -> None:
            await asyncio.gather(*(flow(name) for name in self.hospital.feeds))

        with ThreadPoolExecutor(1) as elsewhere:  # the browser's own loop runs in this thread
            elsewhere.submit(lambda: asyncio.run(every())).result()
        self.sent += len(envelopes)
        deadline = time.monotonic() + 120
        while True:
            page = read(self._get("/metrics"), self.hospital.establishment)
            if page.received >= self.sent and not page.pending:
                return
            assert time.monotonic() < deadline, "what was sent is not counted"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends the engine, politely."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An engine that has heard the first two thirds of what its hospital says."""
    made = Running(tmp_path_factory.mktemp("engine"))
    try:
        every = made.hospital.envelopes
        made.send(every[: len(every) * 2 // 3])
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


class Tab:
    """One page of the browser, with everything that went wrong in it."""

    def __init__(self, browser: Any, url: str, size: tuple[int, int] = DESK, **settings: Any) -> None:
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="fr-FR", **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.wrong: list[str] = []
        self.asked: set[str] = set()
        self.page.on(
            "console", lambda said: self.wrong.append(said.text) if said.type in {"error", "warning"} else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.add(request.url))
        self.url = url

    def open(self, path: str) -> Any:
        """The page at this path, with its style."""
        self.page.goto(self.url + path)
        self.page.evaluate("document.fonts.ready.then(() => true)")
        return self.page


@pytest.fixture
def tabs(browser: Any, running: Running) -> Iterator[Any]:
    """Opens tabs, and closes them."""
    opened: list[Tab] = []

    def make(size: tuple[int, int] = DESK, **settings: Any) -> Tab:
        opened.append(Tab(browser, running.url, size, **settings))
        return opened[-1]

    yield make
    for tab in opened:
        tab.context.close()


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: npm ci in tests/node")
@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "light"), (DESK, "light"), (DESK, "dark")], ids=["phone", "desk", "dark"]
)
def test_axe_finds_nothing(tabs: Any, size: tuple[int, int], scheme: str) -> None:
    """No violation of WCAG 2.2 A and AA, nor of the best practices, on any page, in either light, on either screen."""
    tab = tabs(size, color_scheme=scheme)
    axe = AXE.read_text(encoding="utf-8")
    found = []
    for path in PAGES:
        page = tab.open(path)
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.evaluate(axe)
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        result = page.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", tags)
        assert result["passes"]
        found += [
            (path, each["id"], [(node["target"], node["failureSummary"]) for node in each["nodes"][:3]])
            for each in result["violations"]
        ]
    assert not found


@pytest.mark.parametrize("size", [PHONE, (768, 1024), WALL], ids=["phone", "tablet", "wall"])
def test_nothing_sticks_out(tabs: Any, size: tuple[int, int]) -> None:
    """No page is wider than the screen: what is wide scrolls by itself. Nothing comes from elsewhere, and nothing goes wrong."""
    tab = tabs(size)
    for path in PAGES[:-1]:
        page = tab.open(path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    assert not tab.wrong
    assert all(url.startswith(tab.url) for url in tab.asked)


def test_by_keyboard(tabs: Any) -> None:
    """The first key leads to the skip link, which leads to the content; then every link is reached in its order, visibly."""
    page = tabs().open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "contenu"
    order = page.evaluate(
        "[...document.querySelectorAll('main a[href], main summary')].filter(each => each.checkVisibility())"
        ".map(each => each.textContent.trim())"
    )
    walked = []
    for _ in order:
        page.keyboard.press("Tab")
        walked.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert walked == order


def test_without_script(tabs: Any) -> None:
    """Everything is there without the script: numbers, days, and what to do."""
    page = tabs(java_script_enabled=False).open("/")
    assert page.locator("li.line").count() == 13
    assert page.locator(".task").count() > 0
    assert page.locator(".spark").count() > 0


def test_on_paper(tabs: Any, tmp_path: Path) -> None:
    """Printed on A4, the first page is a few sheets, with the tasks and their advice, and without the menu."""
    page = tabs().open("/")
    page.emulate_media(media="print")
    assert not page.locator("nav[aria-label=Pages]").is_visible()
    page.pdf(path=tmp_path / "page.pdf", format="A4", print_background=False)
    if not shutil.which("pdftotext"):
        pytest.skip("needs pdftotext: apt-get install poppler-utils")
    text = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, check=True
    ).stdout.decode()
    sheets = text.split("\f")[:-1]
    assert 1 < len(sheets) <= 8
    assert "Centre hospitalier synthétique" in sheets[0]
    assert all(sheet.strip() for sheet in sheets)
    assert "À faire, dans l’ordre des points à gagner" in text
    assert "Indicateurs    " not in sheets[0]


def test_numbers_move_by_themselves(tabs: Any, running: Running) -> None:
    """What is counted while the page is open comes into it: no reload, focus and scroll stay; when the engine ends, it is said."""
    tab = tabs()
    page = tab.open("/flux")
    page.evaluate("window.same = true")
    count = page.locator("table.feeds tbody tr").first.locator("td").nth(3)
    before = count.inner_text()
    page.locator("#remarques-par-code summary").click()
    page.locator("#remarques-par-code summary").focus()
    page.evaluate("window.scrollTo(0, 120)")
    every = running.hospital.envelopes
    running.send(every[len(every) * 2 // 3 :])
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("was => document.querySelectorAll('table.feeds tbody td')[3].innerText !== was", arg=before)
    assert page.evaluate("window.same")
    assert page.evaluate("window.scrollY") == 120
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.evaluate("document.getElementById('remarques-par-code').open")
    assert not tab.wrong
    running.stop()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("document.getElementById('fraicheur').innerText.includes('moteur muet depuis')")
    assert "Données du " in page.locator("#fraicheur").inner_text()
    assert "ne répond plus" in page.locator("#annonce").inner_text()
