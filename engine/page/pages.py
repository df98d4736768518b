"""The pages that people read: a path to an answer, from the snapshot of this instant.

It runs in the threads of the web server. Of the engine it sees the snapshot, which nothing changes, and the store through
connections of its own (:mod:`engine.page.readings`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from engine.config import Config
from engine.establishment import Establishment
from engine.metrics.catalogue import Catalogue
from engine.metrics.remedies import Remedies
from engine.metrics.snapshot import Snapshot, WindowName
from engine.page import applications, feeds, indicator, overview, ps41, rendering
from engine.page.readings import Readings
from engine.page.view import STALE, WORDS, View
from engine.web.answer import Answer

INDICATORS: Final = "/indicateurs/"


class Entry(Struct, frozen=True):
    """One page of the menu: its path, its template, and the words it takes."""

    title: str
    template: str
    words: Callable[[View], dict[str, object]]


MENU: Final = {
    "/": Entry("Indicateurs", "overview.html", overview.words),
    "/flux": Entry("Flux", "feeds.html", feeds.words),
    "/applications": Entry("Applications", "applications.html", applications.words),
    "/ps41": Entry("PS4.1", "ps41.html", ps41.words),
}


class Pages:
    """The section of the web that is the page."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        config: Config,
        catalogue: Catalogue,
        remedies: Remedies,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``clock``: seconds since 1970-01-01 UTC."""
        self._snapshot: Final = snapshot
        self._config: Final = config
        self._catalogue: Final = catalogue
        self._remedies: Final = remedies
        self._clock: Final = clock
        self._readings: Final = Readings(config.store)

    def answer(self, path: str, query: Mapping[str, str]) -> Answer | None:
        """The page of a path, for the establishment that the query names (``etablissement``); None: the path is not ours."""
        if path.startswith(rendering.STATIC):
            return rendering.static(path)
        if path == "/favicon.ico":
            return rendering.static("/page/icon.svg")
        if path not in MENU and not path.startswith(INDICATORS):
            return None
        establishment = self._establishment(query.get("etablissement", ""))
        snapshot = self._snapshot()
        if establishment is None:
            if "etablissement" in query:
                return self._page(
                    "missing.html", self._view(snapshot, self._config.establishments[0]), path, {}, status=404
                )
            if path == "/":
                views = [self._view(snapshot, each) for each in self._config.establishments]
                return self._page("group.html", views[0], path, {"views": views, "words": WORDS, "group": True})
            establishment = self._config.establishments[0]
        view = self._view(snapshot, establishment)
        if path.startswith(INDICATORS):
            return self._indicator(view, path, query)
        entry = MENU[path]
        return self._page(entry.template, view, path, entry.words(view))

    def _establishment(self, finess: str) -> Establishment | None:
        """The one that is asked for, or the only one."""
        every = self._config.establishments
        if not finess:
            return every[0] if len(every) == 1 else None
        return next((each for each in every if each.finess == finess), None)

    def _view(self, snapshot: Snapshot, establishment: Establishment) -> View:
        now = max(self._clock(), snapshot.taken_at)
        return View(snapshot, now, establishment, self._config, self._catalogue, self._remedies, self._readings)

    def _indicator(self, view: View, path: str, query: Mapping[str, str]) -> Answer:
        name = path.removeprefix(INDICATORS)
        if name not in self._catalogue:
            return self._page("missing.html", view, path, {}, status=404)
        found = self._catalogue[name]
        window: WindowName = "rolling" if query.get("fenetre") == "glissante" else "official"
        words = {"indicator": found} | indicator.words(view, found, window)
        return self._page("indicator.html", view, path, words)

    def _page(self, template: str, view: View, path: str, words: Mapping[str, object], *, status: int = 200) -> Answer:
        several = len(self._config.establishments) > 1
        context: dict[str, object] = {
            "here": path,
            "menu": {address: entry.title for address, entry in MENU.items()},
            "view": view,
            "query": f"?etablissement={view.finess}" if several and not words.get("group") else "",
            "establishments": self._config.establishments if several else (),
            "stale_after": int(STALE),
        }
        return rendering.render(template, status=status, **context, **words)
