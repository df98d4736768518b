"""The site of these pages: Sphinx, MyST and the theme Furo. ``scripts/docs`` builds it, without any network."""  # noqa: INP001 (a file of Sphinx, no package)

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Jauge"
author = "The Jauge project"
project_copyright = "Apache-2.0"
release = version = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
language = "en"

# The anchors of a page are those that the engine gives it in /aide.
myst_heading_anchors = 3
myst_heading_slug_func = "engine.page.markdown.slug"

html_theme = "furo"
html_title = f"Jauge {__version__}"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"light_css_variables": {"font-stack": "system-ui, sans-serif"}}
pygments_style = "default"


def _french(_: object, name: str, __: str, context: dict[str, object], ___: object) -> None:
    """A page of docs/fr says that it is in French: for screen readers, and hyphenation."""
    if name.startswith("fr/"):
        context["language"] = "fr"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("html-page-context", _french)
