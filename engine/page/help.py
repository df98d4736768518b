"""``/aide``: the pages of docs/fr, for the people of the hospital, served by the engine itself (no internet is needed)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine import resources
from engine.page import rendering
from engine.web.answer import Answer

if TYPE_CHECKING:
    from engine.page.markdown import Page

PREFIX: Final = "/aide"

ORDER: Final = (
    "index",
    "page",
    "installer",
    "brancher",
    "indicateurs",
    "ps41",
    "audit",
    "exploiter",
    "alertes",
    "codes",
    "donnees-personnelles",
)
"""The pages as they are listed; one that is not here comes after, by name."""

_CONTENTS_FROM: Final = 4
"""A page with fewer sections needs no list of them."""


class Help:
    """The pages, each read and made once, when it is first asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: of the Markdown files; None: those shipped."""
        self._folder = folder
        self._pages: dict[str, Page] = {}

    @cached_property
    def paths(self) -> Mapping[str, Path]:
        """Path of each page (``/aide``, ``/aide/alertes``) -> its file, in the order of the menu.

        Raises ``FileNotFoundError`` when the installation lacks them.
        """
        folder = self._folder or resources.help_folder()
        known = {name: number for number, name in enumerate(ORDER)}
        files = sorted(folder.glob("*.md"), key=lambda file: (known.get(file.stem, len(ORDER)), file.stem))
        return {PREFIX if file.stem == "index" else f"{PREFIX}/{file.stem}": file for file in files}

    def page(self, path: str) -> Page:
        """The page at this path. Raises ``KeyError`` when there is none."""
        from engine.page import markdown  # few engines are ever asked for help: their start does not wait for it

        if path not in self._pages:
            self._pages[path] = markdown.render(self.paths[path].read_text(encoding="utf-8"), PREFIX)
        return self._pages[path]

    def answer(self, path: str, query: Mapping[str, str]) -> Answer | None:
        """``/aide`` and ``/aide/<page>``; None for any other path. The query is not looked at."""
        path = path.rstrip("/")
        if path != PREFIX and not path.startswith(f"{PREFIX}/"):
            return None
        if path not in self.paths:
            return None
        page = self.page(path)
        sections = [heading for heading in page.headings if heading.level == 2]
        return rendering.render(
            "help.html",
            here=path,
            page=page,
            pages={other: self.page(other).title for other in self.paths},
            contents=sections if len(sections) >= _CONTENTS_FROM else (),
        )
