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
from typing import Any, Final

from engine.ledger.distinct import DISTINCT
from engine.ledger.schema import connect
from engine.ledger.tallies import Sum, total
from engine.metrics.periods import Window

_STEPS: Final = 10_000
"""Steps of SQLite's machine between two looks at the clock: some 0.1 ms."""


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


def by_day(connection: sqlite3.Connection, indicator: str, establishment: str, window: Window) -> dict[int, Sum] | None:
    """The sum of each day (proleptic ordinal) on which something was counted, in order.

    None for an indicator that counts each subject once in the whole window: its days would not add up to it.
    """
    return _sums(connection, "day", indicator, establishment, window)


def by_unit(
    connection: sqlite3.Connection, indicator: str, establishment: str, window: Window
) -> dict[str, Sum] | None:
    """The sum of each functional unit ("" when it is not known) over the window, in order.

    None as for :func:`by_day`: there, the place of the unit holds the subject (engine/ledger/distinct.py).
    """
    return _sums(connection, "unit", indicator, establishment, window)


def _sums(
    connection: sqlite3.Connection, part: str, indicator: str, establishment: str, window: Window
) -> dict[Any, Sum] | None:
    if indicator in DISTINCT:
        return None
    cells: defaultdict[int | str, Counter[tuple[str, int]]] = defaultdict(Counter)
    rows = connection.execute(  # each day by name: the key begins with it, so that other indicators are stepped over
        f"SELECT {part}, outcome, settled, sum(n) FROM tallies WHERE day IN ({', '.join('?' * window.days)}) "
        f"AND indicator = ? AND establishment = ? AND n <> 0 GROUP BY {part}, outcome, settled ORDER BY {part}",
        (*range(window.first, window.last + 1), indicator, establishment),
    )
    for which, outcome, settled, n in rows:
        cells[which][outcome, settled] += n
    return {which: total(found, window) for which, found in cells.items()}
