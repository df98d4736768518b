"""The habit of a feed: how many messages each hour of its week usually brings, and from there the silence that is not usual.

A flow has its nights, its week-ends and its own weight: a fixed number of minutes is too long for one and too short for another. What
each hour of the week brought in the past weeks tells how many messages *should* have come since the latest one; when :data:`ENOUGH` of them did
not, the silence is unusual. An engine that was replayed an archive, or stood still for a day, is not misled: of the weeks known, the highest counts for nothing.

A public holiday is judged as a Sunday, and the night after it (to :data:`MORNING`) as the night after a Sunday: what is put together at night
of the day before is missing then too. Nothing is learnt from those hours: not for the weekday, which would seem quieter than it is, and not
for Sunday, because a hospital may work on one of them (Whit Monday). A holiday that falls on a Sunday changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from engine.metrics.holidays import is_holiday

HOUR: Final = 3_600
WEEKS: Final = 6
"""Of the past that are looked at; what is older says little of today."""

ENOUGH: Final = 10.0
"""Messages that should have come. They come in bunches (an admission is a dozen): fewer would cry wolf."""

LEAST: Final = 900
"""Seconds: a shorter silence is never unusual (a restart of the interface engine, a backup)."""

MORNING: Final = 6
"""Hour of the local day at which the night after a holiday is over."""

_FARTHEST: Final = 8 * 24
"""Hours: a feed that brings fewer than :data:`ENOUGH` messages in eight days has no habit that could be told."""

_HOURS_OF_A_WEEK: Final = 7 * 24
_SATURDAY: Final = 5
_SUNDAY: Final = 6


class Habit:
    """What one feed usually brings, as known at the beginning of an hour; made anew each hour."""

    def __init__(self, counts: Mapping[int, int], hour: int, zone: str, territory: str = "national") -> None:
        """``counts``: messages by hour (epoch hours, UTC) of reception; ``hour``: the present one, which is not looked at.

        ``zone``: IANA name. ``territory``: whose holidays (a key of :data:`engine.metrics.holidays.TERRITORIES`).
        """
        self._zone: Final = ZoneInfo(zone)
        self._territory: Final = territory
        self._usual: Final = self._learn(counts, hour)
        self._known: tuple[int, int] | None = None

    def limit(self, last: int) -> int:
        """Seconds after the message received at ``last`` (epoch seconds) beyond which silence is unusual; 0 when nobody can tell."""
        if not self._usual or not last:
            return 0
        if self._known is None or self._known[0] != last:
            self._known = (last, self._walk(last))
        return self._known[1]

    def _walk(self, last: int) -> int:
        missing, at, end = ENOUGH, last, last + _FARTHEST * HOUR
        while at < end:
            until = (at // HOUR + 1) * HOUR
            place, holiday = self._place(at // HOUR)
            if holiday:  # Two weeks without one are looked at: a feed that has a habit keeps it.
                end = until + 2 * _HOURS_OF_A_WEEK * HOUR
            rate = self._usual.get(place, 0.0) / HOUR
            if rate * (until - at) >= missing:
                return max(LEAST, int(at + missing / rate) - last + 1)
            missing -= rate * (until - at)
            at = until
        return 0

    def _learn(self, counts: Mapping[int, int], hour: int) -> dict[int, float]:
        """Hour of the week -> messages; hours of which too little is known are not in it."""
        if not counts:
            return {}
        first = max(min(counts), hour - WEEKS * _HOURS_OF_A_WEEK)
        weeks: dict[int, list[int]] = {}
        kinds: dict[tuple[bool, int], list[int]] = {}
        for past in range(first, hour):
            place, holiday = self._place(past)
            if holiday:
                continue
            n = counts.get(past, 0)
            weeks.setdefault(place, []).append(n)
            kinds.setdefault(_kind(place), []).append(n)
        usual = {}
        for place in range(_HOURS_OF_A_WEEK):
            # The same hour of other weeks; before there are two of them, the same hour of other working days, or of other days off.
            for known in (weeks.get(place, []), kinds.get(_kind(place), [])):
                if len(known) > 1:
                    usual[place] = (sum(known) - max(known)) / (len(known) - 1)
                    break
        return usual

    def _place(self, hour: int) -> tuple[int, bool]:
        """Hour of the local week that tells of this one, 0 on Monday at midnight; whether that is another because of a holiday."""
        local = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(self._zone)
        own = weekday = local.weekday()
        if is_holiday(local.date(), self._territory):
            weekday = _SUNDAY
        elif local.hour < MORNING and is_holiday(local.date() - timedelta(days=1), self._territory):
            weekday = _SUNDAY if own >= _SATURDAY else 0
        return weekday * 24 + local.hour, weekday != own


def _kind(place: int) -> tuple[bool, int]:
    """Working day or week-end, and hour of the day."""
    return place >= _SATURDAY * 24, place % 24
