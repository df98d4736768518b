"""The hospital's clock: seconds to local texts and local days, and the two windows of the rules (docs/rules.md, 6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

DAY: Final = 86_400
HOUR: Final = 3_600
MINUTE: Final = 60

# Every zone of today is a whole number of quarters of an hour from UTC: one cache entry holds for 900 s.
_QUARTER: Final = 900


class Window(NamedTuple):
    """A period of whole local days, both included."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        """Whether the day is one of the period."""
        return self.first <= day <= self.last


def _month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def windows(today: date, months: int = 3) -> dict[str, Window]:
    """``official``: the last complete calendar months before today; ``rolling``: as many days, ending today."""
    last = today.replace(day=1) - timedelta(days=1)
    first = today.replace(day=1)
    for _ in range(months):
        first = _month_before(first)
    length = (last - first).days
    return {"official": Window(first, last), "rolling": Window(today - timedelta(days=length), today)}


class Clock:
    """Times of one place. ``now`` is the simulated present: 06:00 local on ``today``; nothing of weight happens later."""

    def __init__(self, zone: str, today: date) -> None:
        self.zone = ZoneInfo(zone)
        self.today = today
        self._texts: dict[int, tuple[str, int, str]] = {}
        self._days: dict[int, date] = {}
        self.now = self.at(today, 6)

    def at(self, day: date, hour: int = 0, minute: int = 0, second: int = 0) -> int:
        """Epoch seconds of a local time (the first of the two in the hour that comes twice)."""
        return int(datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=self.zone).timestamp())

    def _quarter(self, seconds: int) -> tuple[str, int, str]:
        key = seconds // _QUARTER
        known = self._texts.get(key)
        if known is None:
            local = datetime.fromtimestamp(key * _QUARTER, UTC).astimezone(self.zone)
            known = self._texts[key] = (local.strftime("%Y%m%d%H"), local.minute, local.strftime("%z"))
        return known

    def text(self, seconds: int) -> str:
        """``YYYYMMDDHHMMSS`` local, without offset (HL7 TS)."""
        prefix, minute, _ = self._quarter(seconds)
        rest = seconds % _QUARTER
        return f"{prefix}{minute + rest // 60:02d}{rest % 60:02d}"

    def stamped(self, seconds: int) -> str:
        """The same with its offset, ``YYYYMMDDHHMMSS+ZZZZ`` (CDA)."""
        return self.text(seconds) + self._quarter(seconds)[2]

    def iso(self, seconds: int) -> str:
        """ISO 8601 with its offset, ``YYYY-MM-DDTHH:MM:SS+ZZ:ZZ``."""
        text = self.stamped(seconds)
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}{text[14:17]}:{text[17:]}"

    def day(self, seconds: int) -> date:
        """The local day of a moment."""
        key = seconds // _QUARTER
        known = self._days.get(key)
        if known is None:
            known = self._days[key] = datetime.fromtimestamp(seconds, UTC).astimezone(self.zone).date()
        return known

    def hour(self, seconds: int) -> int:
        """The local hour of a moment, 0 to 23."""
        return int(self._quarter(seconds)[0][8:])

    def turns(self, days: int) -> list[date]:
        """The days of the last ``days`` on which the offset changes (DST nights)."""
        found: list[date] = []
        for back in range(1, days):
            day = self.today - timedelta(days=back)
            if self.at(day + timedelta(days=1)) - self.at(day) != DAY:
                found.append(day)
        return found
