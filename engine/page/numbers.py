"""Numbers, dates and durations as a French reader expects them: ``61,4 %``, ``1 234``, ``22/11/2026 à 14:03``.

A rate is cut, never rounded: 79,96 % is not 80,0 %.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Final
from zoneinfo import ZoneInfo

NARROW: Final = "\u202f"
NO_BREAK: Final = "\u00a0"
_MONTHS: Final = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
)  # fmt: skip


def count(n: int) -> str:
    """A whole number, by groups of three: ``12 345``."""
    return f"{n:,}".replace(",", NARROW)


def tenths(n: int) -> str:
    """A number of tenths: 614 is ``61,4``."""
    sign, n = ("−", -n) if n < 0 else ("", n)
    return f"{sign}{count(n // 10)},{n % 10}"


def percent(met: int, counted: int) -> str:
    """A rate to the tenth of a point, cut: ``61,4 %``; an em dash when there is nothing to measure."""
    return f"{tenths(met * 1000 // counted)}{NO_BREAK}%" if counted else "—"


def share(ratio: float) -> str:
    """A ratio (0 to 1) as :func:`percent` writes it: ``0.7996`` is ``79,9 %``."""
    cut = int((Decimal(repr(ratio)) * 1000).to_integral_value(ROUND_FLOOR))
    return f"{tenths(cut)}{NO_BREAK}%"


def target(ratio: float) -> str:
    """A target, without a decimal that says nothing: ``98 %``, ``97,5 %``."""
    return share(ratio).replace(",0" + NO_BREAK, NO_BREAK)


def points(missed: int, counted: int) -> str:
    """What a reason costs, in points of percentage: ``12,3 points``, ``1 point``, ``moins de 0,1 point``."""
    cut = missed * 1000 // counted if counted else 0
    if not cut:
        return f"moins de 0,1{NO_BREAK}point"
    words = tenths(cut).removesuffix(",0")
    return f"{words}{NO_BREAK}point{'s' if cut >= 20 else ''}"  # French: plural from two


def day(ordinal: int) -> str:
    """A day (proleptic ordinal): ``22/11/2026``."""
    return date.fromordinal(ordinal).strftime("%d/%m/%Y")


def short_day(ordinal: int) -> str:
    """A day without its year: ``22/11``."""
    return date.fromordinal(ordinal).strftime("%d/%m")


def month(ordinal: int) -> str:
    """The month of a day: ``novembre 2026``."""
    there = date.fromordinal(ordinal)
    return f"{_MONTHS[there.month - 1]} {there.year}"


def moment(at: float, zone: str) -> str:
    """An instant (seconds since 1970-01-01 UTC) on the clocks of a zone: ``22/11/2026 à 14:03``; ``jamais`` for 0."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%d/%m/%Y à %H:%M") if at else "jamais"


def date_of(at: float, zone: str) -> str:
    """The day of an instant: ``22/11/2026``; ``jamais`` for 0."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%d/%m/%Y") if at else "jamais"


def duration(seconds: float) -> str:
    """A duration by its two greatest units at most: ``3 j 4 h``, ``12 min``, ``40 s``."""
    left = max(0, int(seconds))
    parts = []
    for word, size in (("j", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        n, left = divmod(left, size)
        if n:
            parts.append(f"{count(n)}{NO_BREAK}{word}")
        elif parts:
            break
        if len(parts) == 2:
            break
    if len(parts) == 2 and parts[1].endswith(f"{NO_BREAK}s"):  # nobody needs the seconds of a minute
        del parts[1]
    return " ".join(parts) or f"0{NO_BREAK}s"


def size(octets: int) -> str:
    """An amount of bytes: ``12,3 Mo``."""
    for word, unit in (("Go", 1_000_000_000), ("Mo", 1_000_000), ("ko", 1_000)):
        if octets >= unit:
            return f"{tenths(octets * 10 // unit)}{NO_BREAK}{word}"
    return f"{octets}{NO_BREAK}o"


def plural(n: int, one: str, many: str) -> str:
    """A number with its noun: ``0 séjour``, ``1 séjour``, ``1 234 séjours``."""
    return f"{count(n)}{NO_BREAK}{many if n >= 2 else one}"


def inside(label: str) -> str:
    """A label inside a sentence: ``Document non produit`` loses its capital, ``INS absente`` keeps it."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]
