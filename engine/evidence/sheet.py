"""A4 pages of PS4.1, in French, as PDF/A-1b: fonts, colours, and the few blocks that they are made of.

PDF/A-1b is what fpdf2 writes when told to (fonts embedded, sRGB profile, XMP metadata, no transparency); no validator was run on it here.
Whatever text is given, it is printed safely: control characters and characters that the fonts lack are replaced.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

from engine import __version__

FONTS: Final = Path(__file__).parent / "fonts"
WIDTH: Final = 174.0
"""Of the text, in millimetres."""

Colour = tuple[int, int, int]
INK: Final[Colour] = (31, 41, 51)
MUTED: Final[Colour] = (95, 107, 119)
ACCENT: Final[Colour] = (18, 64, 107)
RULE: Final[Colour] = (208, 215, 222)
SOFT: Final[Colour] = (243, 246, 249)
RIGHT: Final[Colour] = (24, 107, 63)
WRONG: Final[Colour] = (164, 38, 44)
WAITING: Final[Colour] = (150, 98, 0)

Font = Literal["sans", "mono"]
Mark = Literal["yes", "no", "unknown"]
_FILES: Final = {
    ("sans", ""): "OpenSans-Regular.ttf",
    ("sans", "B"): "OpenSans-Semibold.ttf",
    ("sans", "I"): "OpenSans-Italic.ttf",
    ("mono", ""): "JetBrainsMono-Regular.ttf",
}
_BLANKS: Final = dict.fromkeys((0x202F, 0x2007, 0x2009, 0x200A, 0x2002, 0x2003), "\u00a0")
_SPACED: Final = re.compile(r" ([:;?!»%])")
_MARKS: Final = {"yes": RIGHT, "no": WRONG, "unknown": WAITING}


class Sheet(FPDF):
    """A document: its title on the first page, a foot on each."""

    def __init__(self, title: str, foot: str, at: datetime) -> None:
        """``foot``: what stands at the left of every foot. ``at``: when it is made, with its zone."""
        super().__init__(format="A4", unit="mm", enforce_compliance="PDF/A-1B")
        self._foot: Final = foot
        for (family, style), name in _FILES.items():
            self.add_font(family, style, FONTS / name)
        fonts = [font for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._known: Final = frozenset(set.intersection(*(set(font.cmap) for font in fonts)))
        self.set_creation_date(at)
        self.set_title(title)
        self.set_lang("fr-FR")
        self.set_creator(f"Jauge {__version__}")
        self.set_margins(18, 16, 18)
        self.c_margin = 0
        self.set_auto_page_break(auto=True, margin=20)
        self.add_page()

    def footer(self) -> None:
        """The foot of a page: called by fpdf."""
        self.set_y(-14)
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        self.line(18, self.get_y() - 1.5, 18 + WIDTH, self.get_y() - 1.5)
        self.pen(7.5, MUTED)
        self.cell(WIDTH / 2 + 30, 4, self.printable(self._foot))
        self.set_x(18 + WIDTH - 16)  # from there to the right: the width of the count is not known yet
        self.cell(16, 4, f"Page {self.page_no()} / {{nb}}")

    def pen(self, size: float, colour: Colour = INK, style: Literal["", "B", "I"] = "", font: Font = "sans") -> None:
        """The font and colour of what follows; ``size`` in points."""
        self.set_font(font, style, size)
        self.set_text_color(*colour)

    def printable(self, text: str) -> str:
        """The text with nothing in it that the fonts cannot print; line ends stay."""
        text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").translate(_BLANKS))
        return "".join(
            character
            if character == "\n"
            or (ord(character) in self._known and unicodedata.category(character) not in ("Cc", "Cf"))
            else _replacement(character)
            for character in text
        )

    def lines(self, text: str, width: float, height: float) -> float:
        """Height that a text takes in a column, with the present font."""
        printed = self.multi_cell(width, height, self.printable(text), dry_run=True, output="HEIGHT", align="L")
        return float(printed)  # type: ignore[arg-type]

    def text_block(self, text: str, width: float = 0, height: float = 4.8, *, x: float | None = None) -> None:
        """A text that wraps; the cursor ends below it, at the left margin."""
        if x is not None:
            self.set_x(x)
        self.multi_cell(width, height, self.printable(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def room(self, height: float) -> None:
        """A new page, unless there is so much room left on this one (millimetres)."""
        if self.get_y() + height > self.h - 20:
            self.add_page()

    def title_block(self, over: str, title: str, under: str) -> None:
        """The head of the document."""
        self.set_xy(24, 16)
        self.pen(8.5, MUTED, "B")
        self.text_block(over, height=4.6, x=24)
        self.pen(17, ACCENT, "B")
        self.text_block(title, height=9, x=24)
        self.pen(10, INK)
        self.text_block(under, height=5.2, x=24)
        self.set_fill_color(*ACCENT)
        self.rect(18, 16.4, 1.6, self.get_y() - 16.2, style="F")
        self.ln(5)

    def section(self, title: str, room: float = 28) -> None:
        """A heading, never alone at the foot of a page."""
        self.room(room)
        self.ln(3.2)
        self.pen(11.5, ACCENT, "B")
        self.text_block(title, height=6)
        self.set_draw_color(*ACCENT)
        self.set_line_width(0.35)
        self.line(18, self.get_y() + 0.4, 18 + WIDTH, self.get_y() + 0.4)
        self.ln(2.4)

    def paragraph(self, text: str, colour: Colour = INK) -> None:
        """A paragraph of plain text."""
        self.pen(9.2, colour)
        self.text_block(french(text))
        self.ln(1.4)

    def facts(self, rows: Iterable[tuple[str, str]], *, label: float = 46, mono: Sequence[str] = ()) -> None:
        """Label and value, one row each. ``mono``: labels whose values are printed in a fixed width."""
        for name, value in rows:
            fixed = name in mono
            self.pen(8.4 if fixed else 9.2, INK, font="mono" if fixed else "sans")
            height = max(self.lines(value, WIDTH - label, 4.8), 4.8)
            self.room(height + 2)
            top = self.get_y()
            self.pen(8.6, MUTED)
            self.set_xy(18, top)
            self.multi_cell(label - 3, 4.8, self.printable(name), align="L")
            below = self.get_y()
            self.pen(8.4 if fixed else 9.2, INK, font="mono" if fixed else "sans")
            self.set_xy(18 + label, top)
            self.text_block(value, WIDTH - label)
            self._rule(max(below, self.get_y(), top + 4.8) + 0.7)

    def grid(
        self, heads: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[float], mono: Sequence[int] = ()
    ) -> None:
        """A table; ``widths`` in millimetres, ``mono`` the columns in a fixed width. The head is said again on a new page."""
        self._heads(heads, widths)
        for row in rows:
            height = 4.4
            for index, (value, width) in enumerate(zip(row, widths, strict=True)):
                self._cell_pen(index in mono)
                height = max(height, self.lines(value, width - 2, 4.4))
            if self.get_y() + height + 2 > self.h - 20:
                self.add_page()
                self._heads(heads, widths)
            top, left = self.get_y(), 18.0
            for index, (value, width) in enumerate(zip(row, widths, strict=True)):
                self._cell_pen(index in mono)
                self.set_xy(left, top)
                self.multi_cell(width - 2, 4.4, self.printable(value), align="L")
                left += width
            self._rule(top + height + 0.7)

    def verdict(self, mark: Mark, title: str, detail: str) -> None:
        """A criterion, whether it is met, and why."""
        title, detail = french(title), french(detail)
        self.pen(9.4, INK, "B")
        height = self.lines(title, WIDTH - 12, 4.8)
        self.pen(8.8, MUTED)
        height += self.lines(detail, WIDTH - 12, 4.6)
        self.room(height + 4)
        top = self.get_y()
        self._mark(mark, 20.4, top + 2.5)
        self.pen(9.4, INK, "B")
        self.text_block(title, WIDTH - 12, x=27)
        self.pen(8.8, MUTED)
        self.text_block(detail, WIDTH - 12, 4.6, x=27)
        self._rule(self.get_y() + 1.2)
        self.ln(0.8)

    def banner(self, mark: Mark, text: str, detail: str) -> None:
        """The conclusion, in a box."""
        top, colour = self.get_y(), _MARKS[mark]
        detail = french(detail)
        self.pen(9, INK)
        height = 11.5 + self.lines(detail, WIDTH - 22, 4.7)
        self.set_fill_color(*SOFT)
        self.set_draw_color(*colour)
        self.set_line_width(0.5)
        self.rect(18, top, WIDTH, height, style="DF")
        self._mark(mark, 26.5, top + height / 2, 3.2)
        self.set_y(top + 2.4)
        self.pen(12, colour, "B")
        self.text_block(text, WIDTH - 22, 6, x=36)
        self.pen(9, INK)
        self.text_block(detail, WIDTH - 22, 4.7, x=36)
        self.set_y(top + height + 3)

    def letter(self, heads: Iterable[tuple[str, str]], body: str) -> None:
        """A mail as a person sees it: its heads in a band, its text below, a border around, over as many pages as it takes."""
        self.set_fill_color(*SOFT)
        top = self.get_y()
        rows = list(heads)
        self.pen(9.2)
        height = sum(max(self.lines(value, WIDTH - 30, 4.8), 4.8) for _, value in rows) + 4
        self.rect(18, top, WIDTH, height, style="F")
        self.set_y(top + 2)
        for name, value in rows:
            y = self.get_y()
            self.pen(8.6, MUTED)
            self.set_xy(21, y)
            self.cell(22, 4.8, self.printable(name))
            self.pen(9.2, INK, "B" if name == "Objet" else "")
            self.set_xy(43, y)
            self.text_block(value, WIDTH - 30)
        self.set_y(top + height)
        self._frame(top, self.get_y())
        self._framed(body)

    def _framed(self, body: str) -> None:
        self.pen(9.4)
        top = self.get_y()
        self.ln(2.5)
        for line in self.printable(body).split("\n"):
            if self.get_y() + 4.9 > self.h - 22:
                self._frame(top, self.get_y() + 1)
                self.add_page()
                top = self.get_y()
                self.ln(2)
                self.pen(9.4)
            self.set_x(22)
            pieces = self.multi_cell(WIDTH - 8, 4.9, line or " ", dry_run=True, output="LINES", align="L")
            for piece in pieces:  # type: ignore[union-attr]
                if self.get_y() + 4.9 > self.h - 22:
                    self._frame(top, self.get_y() + 1)
                    self.add_page()
                    top = self.get_y()
                    self.ln(2)
                    self.pen(9.4)
                self.set_x(22)
                self.cell(WIDTH - 8, 4.9, str(piece), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2.5)
        self._frame(top, self.get_y())
        self.ln(2)

    def _frame(self, top: float, bottom: float) -> None:
        self.set_draw_color(*RULE)
        self.set_line_width(0.25)
        self.rect(18, top, WIDTH, bottom - top)

    def code(self, lines: Iterable[str]) -> None:
        """Lines to type or compare, in a fixed width, in a band."""
        self.pen(8, INK, font="mono")
        self.set_fill_color(*SOFT)
        for line in lines:
            self.multi_cell(
                WIDTH, 4.8, f" {self.printable(line)}", align="L", fill=True, new_x=XPos.LMARGIN, new_y=YPos.NEXT
            )
        self.ln(2)

    def signature(self, *labels: str) -> None:
        """A box to sign in."""
        self.room(27)
        self.ln(2)
        top = self.get_y()
        self._frame(top, top + 23)
        self.pen(8.6, MUTED)
        for index, label in enumerate(labels):
            self.set_xy(21 + index * 50, top + 2)
            self.cell(50, 5, french(label))
        self.set_xy(18, top + 25)

    def written(self) -> bytes:
        """The file."""
        return bytes(self.output())

    def _heads(self, heads: Sequence[str], widths: Sequence[float]) -> None:
        self.pen(8, MUTED, "B")
        left, top = 18.0, self.get_y()
        for head, width in zip(heads, widths, strict=True):
            self.set_xy(left, top)
            self.cell(width - 2, 4.4, self.printable(head))
            left += width
        self._rule(top + 5)

    def _cell_pen(self, fixed: bool) -> None:
        self.pen(7.4 if fixed else 8.8, INK, font="mono" if fixed else "sans")

    def _rule(self, y: float) -> None:
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        self.line(18, y, 18 + WIDTH, y)
        self.set_xy(18, y + 0.9)

    def _mark(self, mark: Mark, x: float, y: float, size: float = 2.1) -> None:
        """A tick, a cross or a question in a disc, drawn: no font needed."""
        self.set_fill_color(*_MARKS[mark])
        self.ellipse(x - size, y - size, 2 * size, 2 * size, style="F")
        self.set_draw_color(255, 255, 255)
        self.set_line_width(size * 0.24)
        if mark == "yes":
            self.polyline([(x - size * 0.45, y), (x - size * 0.1, y + size * 0.4), (x + size * 0.5, y - size * 0.4)])
        elif mark == "no":
            self.line(x - size * 0.38, y - size * 0.38, x + size * 0.38, y + size * 0.38)
            self.line(x - size * 0.38, y + size * 0.38, x + size * 0.38, y - size * 0.38)
        else:
            self.line(x - size * 0.45, y, x + size * 0.45, y)


def french(text: str) -> str:
    """The blanks of French typography, which no line may end with: before ``: ; ? ! %``, inside guillemets."""
    return _SPACED.sub("\u00a0\\1", text).replace("« ", "«\u00a0")


def _replacement(character: str) -> str:
    """Nothing for what does not show, else a question mark."""
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Mn", "Me") else "?"
