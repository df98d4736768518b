"""Dates of HL7 v2 (TS, DTM) and of CDA (TS), and of ISO 8601, as whole seconds since 1970-01-01 UTC.

``YYYY[MM[DD[HH[MM[SS[.S...]]]]]][+/-ZZZZ]`` (HL7 v2.5 chapter 2, TS). Without an offset the time is the sender's local time: a
:class:`Zone` is therefore part of a feed. An hour that happens twice (the night of late October) is read as its first
occurrence. Fractions of a second are dropped.

Everything else that is read (XML, JSON, logs) writes ISO 8601 in one of its ways: :func:`iso`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

_DTM: Final = re.compile(
    rb"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d+)?)?)?)?)?)?(?:([+-])(\d\d):?(\d\d)|Z)?",
)
# RFC 3339, XML Schema (dateTime), FHIR (date, dateTime, instant), and the basic form without separators.
_ISO: Final = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[Tt _](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)?)?(?:([Zz])|([+-]\d\d)(?::?(\d\d))?)?)?)?)?",
    re.ASCII,
)
YEAR, DAY, MINUTE, SECOND = 1, 3, 5, 6
"""What a date must tell at least, for :func:`iso`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Placeholders such as 00010101 or 99991231 stand for "unknown" or "never ends": they are no time of a stay.
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2199

# Two caches, each emptied when full: about 1 MB at most. One message repeats the same instant up to eight times, and
# one hour of a feed shares its first ten digits.
_WHOLE_LIMIT: Final = 8192
_HOURS_LIMIT: Final = 2048


class Zone:
    """The time zone of a sender, by its IANA name (``Europe/Paris``, ``Indian/Reunion``).

    Raises ``zoneinfo.ZoneInfoNotFoundError`` or ``ValueError`` when the name is not one: the configuration checks it.
    """

    __slots__ = ("_hours", "_tz", "name", "whole")

    def __init__(self, name: str = "Europe/Paris") -> None:
        self.name = name
        self._tz = ZoneInfo(name)
        self._hours: dict[bytes, int] = {}
        self.whole: dict[bytes, int] = {}
        """Text already read -> seconds. For readers in a hurry: look here first, then call :meth:`seconds`."""

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def seconds(self, text: bytes) -> int:
        """Seconds since 1970-01-01 UTC of a DTM; 0 when it is empty, unreadable or a placeholder. Never raises."""
        found = self.whole.get(text)
        if found is not None:
            return found
        value = self._read(text.strip())
        if len(text) <= 32:
            if len(self.whole) >= _WHOLE_LIMIT:
                self.whole.clear()
            self.whole[text] = value
        return value

    def _read(self, text: bytes) -> int:
        if len(text) == 14 and text.isdigit():
            hour = self._hours.get(text[:10])
            minute, second = int(text[10:12]), int(text[12:])
            if hour is not None and minute < 60 and second < 60:
                return hour + 60 * minute + second
        if len(text) > 32:
            return 0
        match = _DTM.fullmatch(text)
        if match is None:
            return 0
        year, month, day, hours, minutes, seconds, sign, east_hours, east_minutes = match.groups()
        if not _FIRST_YEAR <= int(year) <= _LAST_YEAR:
            return 0
        try:
            local = datetime(  # noqa: DTZ001 -- the zone is put on below
                int(year),
                int(month or 1),
                int(day or 1),
                int(hours or 0),
                int(minutes or 0),
                int(seconds or 0),
            )
            if text.endswith(b"Z"):
                return _seconds(local.replace(tzinfo=UTC))
            if sign:
                offset = timedelta(hours=int(east_hours), minutes=int(east_minutes))
                return _seconds(local.replace(tzinfo=timezone(offset if sign == b"+" else -offset)))
        except ValueError:
            return 0
        self._remember(text[:10], local)
        return _seconds(local.replace(tzinfo=self._tz))

    def _remember(self, prefix: bytes, local: datetime) -> None:
        """Keep the start of this hour, when the offset from UTC is the same all through the hour."""
        if len(prefix) < 10 or not prefix.isdigit():
            return
        start = local.replace(minute=0, second=0, tzinfo=self._tz)
        if start.utcoffset() != start.replace(minute=59, second=59).utcoffset():
            return
        if len(self._hours) >= _HOURS_LIMIT:
            self._hours.clear()
        self._hours[prefix] = _seconds(start)


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)


def iso(text: str, zone: Zone, least: int = MINUTE) -> int:
    """Seconds since 1970-01-01 UTC of an ISO 8601 date or date and time; 0 when it is none, a placeholder, or tells less than ``least``.

    Without an offset it is the local time of ``zone``. A leap second (:60) is the second before it. Never raises.
    """
    match = _ISO.fullmatch(text.strip()) if len(text) <= 64 else None
    if match is None or match[least] is None:
        return 0
    year, month, day, hour, minute, second, utc, east, minutes = match.groups("")
    offset = "Z" if utc else f"{east}{minutes or '00'}" if east else ""
    return zone.seconds(f"{year}{month}{day}{hour}{minute}{'59' if second == '60' else second}{offset}".encode())
