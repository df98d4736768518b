"""Draws the dashboards over the demonstration: ``python -m tests.grafana.preview FOLDER [uid ...]`` writes ``grafana-*.png`` there.

For whoever changes a dashboard: the engine, Prometheus and every query are real, the drawing is this project's own (tests/grafana/drawing.py).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import async_playwright

from tests.grafana import drawing
from tests.grafana.interpolation import Answer, Values, asked, boards, opened, texts, variables
from tests.grafana.scene import played

NOTE = "Aperçu dessiné par un script de Jauge, sur la démonstration : ce n’est pas Grafana"
STAYS, SECONDS = 400, 45.0
_CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


async def main(folder: Path, wanted: list[str]) -> None:
    """Plays, draws and photographs."""
    pages: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as place:
        async with played(Path(place), stays=STAYS, seconds=SECONDS) as scene:
            end = time.time()
            span = (scene.start, end)

            def ask(target: Any, values: Values) -> Answer:
                return asked(target, values, scene.prometheus, *span)

            for uid, board in boards().items():
                if not wanted or uid in wanted:
                    values = opened(board, scene.prometheus)
                    words: dict[str, str] = {}
                    for variable in variables(board).values():
                        words |= texts(variable, scene.prometheus, values)
                    pages[uid] = drawing.dashboard(board, values, ask, span, NOTE, words)
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        for uid, html in pages.items():
            page = await browser.new_page(viewport={"width": 1616, "height": 900})
            await page.set_content(html)
            path = folder / f"grafana-{uid.removeprefix('jauge-')}.png"
            await page.screenshot(path=path, full_page=True)
            with Image.open(path) as image:
                image.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                    path, optimize=True
                )
            sys.stdout.write(f"{path}\n")
            await page.close()
        await browser.close()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
