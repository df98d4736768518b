"""Days and units of the indicators, read from the store for the page: bounded in time, kept for some seconds.

It runs in the threads of the web server with connections of its own, for reading only: however many people look at the page,
the store is read once every :data:`KEPT` seconds, less often where that takes long, by one thread at a time, and never for
longer than :data:`MOST` seconds. Where it cannot be read there is nothing to show, and the page goes without.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final

from engine.ledger.breakdown import by_day, by_unit, reading
from engine.ledger.schema import StoreError
from engine.ledger.tallies import Sum
from engine.metrics.periods import Window

KEPT: Final = 10.0
"""Seconds during which an answer is given again without a look at the store."""

MOST: Final = 1.0
"""Seconds of one look at the store, and of the wait for the one that is being taken."""

SHARE: Final = 30
"""An answer is kept for at least so many times what it cost: a large store takes a thirtieth of a core, and no more."""

_MOST_KEPT: Final = 512

_Cut = Callable[[sqlite3.Connection, str, str, Window], Any]
_Key = tuple[str, str, str, Window]


class Readings:
    """What the store tells of days and units, for every thread."""

    def __init__(self, store: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._store: Final = store
        self._clock: Final = clock
        self._lock: Final = Lock()
        self._kept: dict[_Key, tuple[float, Any]] = {}  # until when it is good, and what was read

    def days(self, indicators: Sequence[str], establishment: str, window: Window) -> dict[str, dict[int, Sum]]:
        """Indicator -> day -> sum; an indicator without days, or that could not be read, is not in it."""
        return self._read("day", by_day, indicators, establishment, window)

    def units(self, indicator: str, establishment: str, window: Window) -> dict[str, Sum] | None:
        """Unit -> sum; None when there is no such thing, or when it could not be read."""
        return self._read("unit", by_unit, (indicator,), establishment, window).get(indicator)

    def _read(
        self, part: str, cut: _Cut, indicators: Sequence[str], establishment: str, window: Window
    ) -> dict[str, Any]:
        keys = {indicator: (part, indicator, establishment, window) for indicator in indicators}
        if self._old(keys) and self._lock.acquire(timeout=MOST):
            try:
                old = self._old(keys)  # another thread may have read them while this one waited
                if old:
                    self._renew(cut, old)
            finally:
                self._lock.release()
        kept = self._kept
        found = {indicator: kept[key][1] for indicator, key in keys.items() if key in kept}
        return {indicator: sums for indicator, sums in found.items() if sums is not None}

    def _old(self, keys: dict[str, _Key]) -> list[_Key]:
        now, kept = self._clock(), self._kept
        return [key for key in keys.values() if key not in kept or kept[key][0] <= now]

    def _renew(self, cut: _Cut, keys: Sequence[_Key]) -> None:
        kept = dict(self._kept) if len(self._kept) < _MOST_KEPT else {}
        try:
            with reading(self._store, MOST) as connection:
                for key in keys:
                    begin = self._clock()
                    found = cut(connection, *key[1:])
                    end = self._clock()
                    kept[key] = (end + max(KEPT, SHARE * (end - begin)), found)
        except (sqlite3.Error, StoreError, OSError):
            pass  # what was read stays; the rest is shown as it was, or not at all
        self._kept = kept  # replaced, never changed: other threads read it without the lock
