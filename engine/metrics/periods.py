"""Days and periods: local days of a time zone, and the two windows of docs/rules.md, section 6.

Days are proleptic ordinals (``datetime.date.toordinal``), months are ``year * 12 + month``; both add and compare as
integers. Nothing here reads a clock: ``today`` is an argument.

A local day is the time between two local midnights: 23 or 25 hours on the nights when the clocks change. Where the
clocks jump over midnight, the day begins with the jump.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.metrics.snapshot import WindowName

EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86_400
_LAST_DAY: Final = date.max.toordinal() - 2  # room for offsets and for the day after
_CACHED_DAYS: Final = 40_000  # more than a century of one zone; bogus dates cannot make it grow further


class Window(Struct, frozen=True):
    """Local days ``first`` to ``last``, both included, and the month that closes the window (0 when none does).

    ``today``: the local day it is looked at.
    """

    name: WindowName
    first: int
    last: int
    closing_month: int = 0
    today: int = 0

    @property
    def days(self) -> int:
        """How many days it covers."""
        return self.last - self.first + 1

    def accepts(self, closing: int) -> bool:
        """Whether an acceptance whose :func:`closing` is given came in time for this window."""
        return not self.closing_month or closing <= self.closing_month


class LocalDays:
    """The local days of one time zone.

    A lookup is two dictionary reads; the midnights are computed once. Exact for every zone whose clocks never go back
    over midnight (every French zone).
    """

    __slots__ = ("_starts", "_zone")

    def __init__(self, zone: str) -> None:
        """``zone`` is an IANA name; an unknown one raises ``zoneinfo.ZoneInfoNotFoundError``."""
        self._zone: Final = ZoneInfo(zone)
        self._starts: Final[dict[int, int]] = {}

    def start_of(self, day: int) -> int:
        """First second of the local day, seconds since 1970-01-01 UTC."""
        starts = self._starts
        start = starts.get(day)
        if start is None:
            if len(starts) >= _CACHED_DAYS:
                starts.clear()
            midnight = datetime.fromordinal(min(max(day, 3), _LAST_DAY + 1)).replace(tzinfo=self._zone)
            start = starts[day] = int(midnight.timestamp())
        return start

    def day_of(self, at: int) -> int:
        """Local day of an instant (seconds since 1970-01-01 UTC); outside years 1 to 9999, the nearest day known."""
        day = EPOCH_DAY + at // _DAY  # the UTC day; the local one is a neighbour at most
        if not 3 < day < _LAST_DAY:
            return 3 if day < _LAST_DAY else _LAST_DAY
        if at < self.start_of(day):
            day -= 1
            while at < self.start_of(day):
                day -= 1
            return day
        while at >= self.start_of(day + 1):
            day += 1
        return day


local_days: Final = cache(LocalDays)
"""The :class:`LocalDays` of a zone name, made once."""


def day_of(at: int, zone: str) -> int:
    """Local day of an instant, in the zone named (see :meth:`LocalDays.day_of`)."""
    return local_days(zone).day_of(at)


def start_of_day(day: int, zone: str) -> int:
    """First second of a local day, in the zone named (see :meth:`LocalDays.start_of`)."""
    return local_days(zone).start_of(day)


@lru_cache(maxsize=8_192)
def month_of(day: int) -> int:
    """Month of a day: ``year * 12 + month``, month from 1 to 12."""
    there = date.fromordinal(day)
    return there.year * 12 + there.month


def first_day(month: int) -> int:
    """First day of a month (``year * 12 + month``)."""
    return date((month - 1) // 12, (month - 1) % 12 + 1, 1).toordinal()


def last_day(month: int) -> int:
    """Last day of a month (``year * 12 + month``)."""
    return first_day(month + 1) - 1


def closing_of_day(day: int, grace_days: int) -> int:
    """Earliest month ``M`` such that ``day <= last_day(M) + grace_days``: its month end accepts that day."""
    return month_of(max(1, day - grace_days))


def closing(at: int, zone: str, grace_days: int) -> int:
    """Earliest month whose end, with the grace, comes not before the local day of an acceptance.

    An acceptance counts in an official window exactly when this is not after the window's last month: see
    :meth:`Window.accepts`.
    """
    return closing_of_day(local_days(zone).day_of(at), grace_days)


def today_of(at: float, zone: str) -> int:
    """Local day of a clock's reading: the ``today`` of :func:`official` and :func:`rolling`."""
    return local_days(zone).day_of(int(at // 1))


def official(today: int, months: int) -> Window:
    """The last ``months`` (1 or more) complete calendar months before ``today``."""
    last_month = month_of(today) - 1
    return Window("official", first_day(last_month - months + 1), last_day(last_month), last_month, today)


def rolling(today: int, months: int) -> Window:
    """As many days as :func:`official`, ending today (included)."""
    return Window("rolling", today - official(today, months).days + 1, today, today=today)


def windows(today: int, months: int) -> tuple[Window, Window]:
    """Both windows, official first."""
    return official(today, months), rolling(today, months)


def iso(day: int) -> str:
    """A day as people and files write it: ``2025-03-30``."""
    return date.fromordinal(day).isoformat()


def utc(at: int) -> str:
    """An instant as ``2025-03-30T01:00:00Z``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
