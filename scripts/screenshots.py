"""Pictures of the page, made of a real engine that a synthetic hospital has filled: ``python scripts/screenshots.py FOLDER``."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from PIL import Image
from playwright.async_api import async_playwright

from engine.simulator.demo import STAYS, Demonstration
from engine.simulator.hospital import Hospital

# name, path, width, height, scheme, whole page
PICTURES = (
    ("page-overview", "/", 1440, 1000, "light", False),
    ("page-wall", "/", 1920, 1080, "dark", False),
    ("page-phone", "/", 390, 1200, "light", False),
    ("page-indicator", "/indicateurs/D2.2?fenetre=glissante", 1440, 1300, "light", False),
    ("page-feeds", "/flux", 1440, 900, "light", False),
    ("page-applications", "/applications", 1440, 900, "light", True),
)
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()


async def take(browser: Any, url: str, folder: Path) -> None:
    """Each picture, once the engine knows where the period is heading."""
    for name, path, width, height, scheme, whole in PICTURES:
        context = await browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="fr-FR"
        )
        page = await context.new_page()
        await page.goto(url + "/")
        while not await page.locator(".pace strong").count():
            await asyncio.sleep(2)
            await page.reload()
        await page.goto(url + path)
        await page.evaluate("document.fonts.ready.then(() => true)")
        picture = folder / f"{name}.png"
        await page.screenshot(path=picture, full_page=whole)
        await context.close()
        print(f"{picture}  {smaller(picture) // 1000} kB")


def smaller(picture: Path) -> int:
    """The same picture in 256 colours: a third of its bytes, and nobody sees it. Returns its size."""
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            picture, optimize=True
        )
    return picture.stat().st_size


async def main(folder: Path, chromium: str) -> None:
    """Fills an engine, takes the pictures."""
    hospital = Hospital(1, STAYS, datetime.now(ZoneInfo("Europe/Paris")).date(), "Europe/Paris", mail=True)
    with tempfile.TemporaryDirectory(prefix="jauge-screenshots-") as name:
        show = Demonstration(hospital, hospital.truth(), Path(name))
        try:
            await show.start()
            await show.run(0.0, None)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
                await take(browser, show.url, folder)
                await browser.close()
        finally:
            await show.stop()


if __name__ == "__main__":
    found = shutil.which("chromium")
    if not found:
        sys.exit("screenshots: needs Chromium (apt-get install chromium)")
    where = Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(where, found))
