"""The public holidays of France: the days on which a hospital works as on a Sunday.

Code du travail: L3133-1 (the eleven of everywhere), L3134-13 (Alsace-Moselle), L3422-2 (overseas, the abolition of slavery). Computed for
any year: nothing to download, nothing that goes out of date but by a law.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final

_FIXED: Final = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
_AFTER_EASTER: Final = (1, 39, 50)  # days: Easter Monday, Ascension, Whit Monday
_GOOD_FRIDAY: Final = -2

TERRITORIES: Final[Mapping[str, tuple[tuple[int, int], ...]]] = MappingProxyType(
    {
        "national": (),
        "alsace_moselle": ((12, 26),),  # and Good Friday
        "guadeloupe": ((5, 27),),
        "guyane": ((6, 10),),
        "martinique": ((5, 22),),
        "mayotte": ((4, 27),),
        "reunion": ((12, 20),),
        "saint_barthelemy": ((10, 9),),
        "saint_martin": ((5, 28),),
    }
)
"""Where holidays are asked for -> the (month, day) that are added to the national ones."""


def easter(year: int) -> date:
    """Easter Sunday of a year of the Gregorian calendar: the "anonymous" algorithm (Nature, 20 April 1876; Meeus, Astronomical Algorithms, chapter 8)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap_centuries, odd_centuries = divmod(century, 4)
    moon_shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - moon_shift + 15) % 30
    leaps, odd = divmod(rest, 4)
    to_sunday = (32 + 2 * odd_centuries + 2 * leaps - epact - odd) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def is_holiday(day: date, territory: str = "national") -> bool:
    """Whether a day is a public holiday. ``territory``: a key of :data:`TERRITORIES`; another one raises KeyError."""
    return day in of_year(day.year, territory)


@cache
def of_year(year: int, territory: str) -> frozenset[date]:
    """The holidays of a year, Sundays among them when one falls on it."""
    sunday = easter(year)
    moving = (*_AFTER_EASTER, _GOOD_FRIDAY) if territory == "alsace_moselle" else _AFTER_EASTER
    return frozenset(date(year, *day) for day in _FIXED + TERRITORIES[territory]) | {
        sunday + timedelta(days) for days in moving
    }
