"""A mail as a person sees it: its heads decoded, its text (of HTML when it has no other), its attachments. Nothing of it is ever run or fetched."""

from __future__ import annotations

import hashlib
import re
from email.message import Message
from html.parser import HTMLParser
from typing import Final

from msgspec import Struct

from engine.evidence.record import Part
from engine.evidence.reply import header, parse, parts

HEADS: Final = {"From": "De", "To": "À", "Cc": "Copie", "Date": "Date", "Subject": "Objet"}
"""Header -> the French word for it, in the order that a mail reader shows them."""

_MAX_TEXT: Final = 20_000
_MAX_HTML: Final = 500_000
_HIDDEN: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_BLOCKS: Final = frozenset(
    "address article aside blockquote center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section "
    "table tr ul".split()
)
_EMPTY_LINES: Final = re.compile(r"\n[ \t\u00a0]*(?:\n[ \t\u00a0]*)+\n")
_BLANKS: Final = re.compile(r"[ \t\r\n\f]+")


class Letter(Struct, frozen=True):
    """What a mail reader shows. ``heads``: French word and value, those that are there."""

    heads: tuple[tuple[str, str], ...]
    text: str
    cut: bool  # the text was longer
    attachments: tuple[Part, ...]


def letter(raw: bytes) -> Letter:
    """Read a mail, whatever its bytes."""
    mail = parse(raw)
    if mail is None:
        return Letter((), "", cut=False, attachments=())
    heads = tuple((word, value) for name, word in HEADS.items() if (value := header(mail, name)))
    text = _shown(mail)
    return Letter(heads, text[:_MAX_TEXT], cut=len(text) > _MAX_TEXT, attachments=_attachments(mail))


def html_text(html: str) -> str:
    """The text of a page, its blocks on lines of their own."""
    reader = _Reader()
    try:
        reader.feed(html[:_MAX_HTML])
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        pass  # what was read before is kept
    lines = (line.strip(" \t") for line in "".join(reader.pieces).split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip("\n ")


class _Reader(HTMLParser):
    """Keeps the text between the tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "br":
            self.pieces.append("\n")
        elif tag in _BLOCKS:
            self.pieces.append("\n• " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS and tag != "li":
            self.pieces.append("\n\n" if tag == "p" else "\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(_BLANKS.sub(" ", data))


def _shown(mail: Message) -> str:
    """The first plain text that is not attached, else the first HTML."""
    texts: dict[str, str] = {}
    for part in parts(mail):
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            texts.setdefault(kind, _decoded(part))
    plain = texts.get("text/plain", "").replace("\r\n", "\n").replace("\r", "\n").strip("\n ")
    return plain or html_text(texts.get("text/html", ""))


def _attachments(mail: Message) -> tuple[Part, ...]:
    found = []
    for part in parts(mail):
        if part.is_multipart() or (part.get_content_disposition() != "attachment" and part.get_filename() is None):
            continue
        content = _content(part)
        name = " ".join(str(part.get_filename() or "").split())[:120] or "(sans nom)"
        found.append(Part(name, len(content), hashlib.sha256(content).hexdigest(), part.get_content_type()))
    return tuple(found)


def _decoded(part: Message) -> str:
    content = _content(part)
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _content(part: Message) -> bytes:
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        return b""
    return content if isinstance(content, bytes) else b""
