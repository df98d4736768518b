"""One indicator over one window, cut by day and by unit: what the page shows beside the sum.

Read with a connection of the caller's own, for reading only: it never touches the writer's. Each part is summed by
:func:`engine.ledger.tallies.total`, as the whole is, so the days, and the units, add up to it.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.ledger.distinct import DISTINCT
from engine.ledger.schema import connect
from engine.ledger.tallies import Sum, total
from engine.metrics.periods import Window

_STEPS: Final = 10_000
"""Steps of SQLite's machine between two looks at the clock: some 0.1 ms."""


class Breakdown(Struct, frozen=True):
    """The sums of each day on which something was counted, and of each unit ("" when it is not known)."""

    days: dict[int, Sum]  # local day (proleptic ordinal) -> its sum, in order
    units: dict[str, Sum]  # functional unit -> its sum over the window


@contextmanager
def reading(store: Path, seconds: float) -> Iterator[sqlite3.Connection]:
    """A connection for reading that is closed at the end. What it does after so many seconds raises ``sqlite3.OperationalError``."""
    connection = connect(store, read_only=True)
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        yield connection
    finally:
        connection.close()


def breakdown(connection: sqlite3.Connection, indicator: str, establishment: str, window: Window) -> Breakdown | None:
    """The window cut by day and by unit; None for an indicator that counts each subject once in the whole window.

    (Of such a one, days do not add up, and the place of the unit holds the subject: engine/ledger/distinct.py.)
    """
    if indicator in DISTINCT:
        return None
    days: defaultdict[int, Counter[tuple[str, int]]] = defaultdict(Counter)
    units: defaultdict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    rows = connection.execute(  # each day by name: the key begins with it, so that other indicators are stepped over
        f"SELECT day, unit, outcome, settled, n FROM tallies WHERE day IN ({', '.join('?' * window.days)}) "
        "AND indicator = ? AND establishment = ? AND n <> 0 ORDER BY day",
        (*range(window.first, window.last + 1), indicator, establishment),
    )
    for day, unit, outcome, settled, n in rows:
        days[day][outcome, settled] += n
        units[unit][outcome, settled] += n
    return Breakdown(
        {day: total(cells, window) for day, cells in days.items()},
        {unit: total(cells, window) for unit, cells in units.items()},
    )
