"""How a log writes a time: names (``iso8601``, ``epoch``, ``epoch-ms``, ``hl7``) and patterns of ``strptime``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.parsers.dtm import DAY, Zone, iso
from engine.parsers.log_mapping import EPOCH, EPOCH_MS, HL7_TIME, ISO8601

Read = Callable[[str, Zone], int]
"""A text, and the zone of what has no offset -> seconds since 1970-01-01 UTC; 0 when it is no time. Never raises."""

_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = -2_208_988_800  # 1900, as engine.parsers.dtm
_LAST: Final = 7_258_118_400  # 2200
_NUMBER: Final = re.compile(r"-?[0-9]{1,14}(?:\.[0-9]{1,12})?", re.ASCII)
_LONGEST: Final = 64
_KNOWN: Final = datetime(2026, 3, 12, 10, 15, 42, tzinfo=UTC)


def reader(form: str) -> Read | None:
    """What reads a form; None when a pattern does not tell the day (year, month and day)."""
    if form in (EPOCH, EPOCH_MS):
        divisor = 1000 if form == EPOCH_MS else 1
        return lambda text, zone: _epoch(text, divisor)
    if form == HL7_TIME:
        return lambda text, zone: zone.seconds(text.encode("utf-8", "replace"))
    if form == ISO8601:
        return lambda text, zone: iso(text, zone, DAY)
    if not _tells_the_day(form):
        return None
    return lambda text, zone: _patterned(text, zone, form)


def _tells_the_day(form: str) -> bool:
    if "%Y" not in form and "%y" not in form:
        return False
    try:
        back = datetime.strptime(_KNOWN.strftime(form), form)  # noqa: DTZ007
    except (ValueError, re.error):
        return False
    return (back.year, back.month, back.day) == (_KNOWN.year, _KNOWN.month, _KNOWN.day)


def _epoch(text: str, divisor: int) -> int:
    if _NUMBER.fullmatch(text) is None:
        return 0
    seconds = int(text.partition(".")[0]) // divisor
    return seconds if _FIRST <= seconds < _LAST else 0


def _patterned(text: str, zone: Zone, form: str) -> int:
    if len(text) > _LONGEST:
        return 0
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is put on below
        if moment.tzinfo is None:
            return zone.seconds(b"%04d%02d%02d%02d%02d%02d" % moment.timetuple()[:6])
        seconds = (moment - _ZERO) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return 0
    return seconds if _FIRST <= seconds < _LAST else 0
