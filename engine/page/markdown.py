"""The pages of docs/fr (Markdown) to HTML for /aide: anchors that stay, links that lead somewhere, nothing from outside.

HTML in a page is shown as text, never passed on; an image is left out (the pages that show pictures are on the site).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token
from msgspec import Struct

_MARK: Final = re.compile(r"^<!--.*?-->[ \t]*$\n?", re.MULTILINE)
_FENCE: Final = re.compile(r"^(```.*?^```[ \t]*$)", re.MULTILINE | re.DOTALL)
_PAGE: Final = re.compile(r"([a-z0-9-]+)\.md(#.*)?")
_OUTSIDE: Final = re.compile(r"https?://")
_BEFORE: Final = re.compile(r"(?<=\S) (?=[:;!?»%])|(?<=«) (?=\S)|(?<=\d) (?=\d{3}\b)")


class Heading(Struct, frozen=True):
    """One heading: its depth (1 to 6), its anchor and its words."""

    level: int
    anchor: str
    text: str


class Page(Struct, frozen=True):
    """One page as it is shown: its title (the first heading), all headings, the HTML under the title."""

    title: str
    headings: tuple[Heading, ...]
    html: str


def slug(heading: str) -> str:
    """The anchor of a heading: what stands before `` : ``, lower case, without accents, ``-`` for anything else.

    ``DS1.1 : Lettres de liaison`` gives ``ds1-1``, so that a link needs to know the name only.
    """
    name = heading.partition(" : ")[0].lower().replace("’", " ")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def render(source: str, prefix: str) -> Page:
    """One page of docs/fr, shown below ``prefix`` (``/aide``). Whatever the text, it gives HTML without script, style or anything to load."""
    markdown = MarkdownIt("commonmark", {"html": False, "typographer": False}).enable("table")
    markdown.add_render_rule("image", lambda *_: "")
    # A table that is wider than the page scrolls by itself, from the keyboard too.
    markdown.add_render_rule(
        "table_open", lambda *_: '<div class="scroll" role="group" aria-label="Tableau" tabindex="0"><table>\n'
    )
    markdown.add_render_rule("fence", _fence)
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens = markdown.parse(_without_marks(source))
    headings = _headings(tokens)
    for token in tokens:
        # The style of a cell's alignment would be against the page's own rules (CSP).
        token.attrs.pop("style", None)
        if token.type == "inline":
            token.children = _inline(token.children or [], prefix)
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        # The paragraph of a picture that is left out leaves nothing behind.
        if token.type == "inline" and token.children and all(child.type == "image" for child in token.children):
            before.hidden = after.hidden = True
    title = headings[0].text if headings and headings[0].level == 1 else ""
    body = tokens[3:] if title and tokens[0].type == "heading_open" else tokens
    return Page(title, headings, str(markdown.renderer.render(body, markdown.options, {})))


def _fence(_: object, tokens: Sequence[Token], place: int, *__: object) -> str:
    """A block of code, which scrolls by itself too."""
    return f'<pre tabindex="0"><code>{escapeHtml(tokens[place].content)}</code></pre>\n'


def _without_marks(source: str) -> str:
    """The text without the comments that mark its made parts; those in a block of code stay."""
    parts = _FENCE.split(source)
    return "".join(part if number % 2 else _MARK.sub("", part) for number, part in enumerate(parts))


def _headings(tokens: Sequence[Token]) -> tuple[Heading, ...]:
    """Gives each heading its anchor; the second of two that would share one has ``-2``."""
    found: list[Heading] = []
    taken: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(child.content for child in inline.children or [])
        anchor = slug(text)
        taken[anchor] = taken.get(anchor, 0) + 1
        if taken[anchor] > 1:
            anchor = f"{anchor}-{taken[anchor]}"
        opening.attrSet("id", anchor)
        found.append(Heading(int(opening.tag[1]), anchor, typography(text)))
    return tuple(found)


def _inline(children: Sequence[Token], prefix: str) -> list[Token]:
    """The pieces of a line: links rewritten, or dropped (not their words); French spacing."""
    kept: list[Token] = []
    open_links: list[bool] = []
    for child in children:
        if child.type == "link_open":
            target = link(str(child.attrs.get("href", "")), prefix)
            open_links.append(target is not None)
            if target is None:
                continue
            child.attrSet("href", target)
            if _OUTSIDE.match(target):
                child.attrSet("rel", "noreferrer")
        elif child.type == "link_close" and not open_links.pop():
            continue
        elif child.type == "text":
            child.content = typography(child.content)
        kept.append(child)
    return kept


def link(href: str, prefix: str) -> str | None:
    """Where a link of docs/fr leads below ``prefix``; None: to a file that is not shown here (code, configuration)."""
    if href.startswith("#") or _OUTSIDE.match(href):
        return href
    found = _PAGE.fullmatch(href)
    if found is None:
        return None
    page = prefix if found[1] == "index" else f"{prefix}/{found[1]}"
    return page + (found[2] or "")


def typography(text: str) -> str:
    """The no-break spaces that French wants before ``: ; ! ? » %``, after ``«`` and inside a number."""
    return _BEFORE.sub("\N{NO-BREAK SPACE}", text)
