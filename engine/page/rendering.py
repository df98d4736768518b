"""Templates and static files of the page: what every part of the site is written with.

Nothing comes from elsewhere, and no script or style is in the text of a page: the Content-Security-Policy of
:mod:`engine.web.application` forbids both.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine import __version__, evidence
from engine.page import numbers
from engine.web.answer import Answer

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC: Final = "/page/"

_HERE: Final = Path(__file__).resolve().parent
_FONTS: Final = Path(evidence.__file__).resolve().parent / "fonts"
_FILES: Final = {
    "page.css": (_HERE / "static" / "page.css", "text/css; charset=utf-8"),
    "page.js": (_HERE / "static" / "page.js", "text/javascript; charset=utf-8"),
    "icon.svg": (_HERE / "static" / "icon.svg", "image/svg+xml"),
    "OpenSans-Regular.ttf": (_FONTS / "OpenSans-Regular.ttf", "font/ttf"),
    "OpenSans-Semibold.ttf": (_FONTS / "OpenSans-Semibold.ttf", "font/ttf"),
}
_YEAR: Final = 31_536_000


@cache
def _file(name: str) -> tuple[bytes, str]:
    path, media = _FILES[name]
    return path.read_bytes(), media


@cache
def address(name: str) -> str:
    """The address of a static file, which changes with what is in it: it may be kept by the browser for ever."""
    return f"{STATIC}{name}?v={sha256(_file(name)[0]).hexdigest()[:12]}"


def static(path: str) -> Answer | None:
    """The static file at this path (``/page/page.css``); None when there is none."""
    name = path.removeprefix(STATIC)
    if not path.startswith(STATIC) or name not in _FILES:
        return None
    body, media = _file(name)
    return Answer(body=body, content_type=media, headers=(("Cache-Control", f"public, max-age={_YEAR}, immutable"),))


def prose(words: str) -> str:
    """A sentence of the catalogue as HTML: no line ends before a closing mark, and what stands between backquotes is code."""
    for mark in ":;?!»%":
        words = words.replace(f" {mark}", f"{numbers.NO_BREAK}{mark}")
    parts = escape(words.replace("« ", f"«{numbers.NO_BREAK}")).split("`")
    return "".join(f"<code>{part}</code>" if rank % 2 else part for rank, part in enumerate(parts))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from jinja2.filters import do_mark_safe

    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["prose"] = lambda words: do_mark_safe(prose(words))
    found.globals |= {"french": numbers, "address": address, "version": __version__}
    return found


def render(template: str, *, status: int = 200, **words: object) -> Answer:
    """A page made of a template of this folder. ``base.html`` says which words it takes; all of its own are optional."""
    return Answer(status, _environment().get_template(template).render(**words).encode())
