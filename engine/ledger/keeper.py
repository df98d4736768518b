"""Moves what was committed from the write-ahead log into the database file, beside the writer and never in its way.

A checkpoint made by a commit makes that commit's messages wait for it (tens of milliseconds); a passive one made on
another connection does not: the log stays the truth until it is done.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

import structlog

# Often and little: a commit's own write waits behind that of a checkpoint.
_SECONDS: Final = 0.25
_LEAST: Final = 1024 * 1024
# Pages of log at which the writer checkpoints by itself after all: 256 MB, when the keeper cannot follow.
MOST_PAGES: Final = 65_536

_log = structlog.get_logger()


class Keeper:
    """One thread and one connection of its own; ``stop`` before the store is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=1.0)
        try:
            while not self._stopping.wait(_SECONDS):
                try:
                    if self._wal.stat().st_size >= _LEAST:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                except (sqlite3.Error, OSError) as error:
                    # The log only grows meanwhile: nothing is lost, and the writer checkpoints when it is too long.
                    _log.warning("checkpoint-postponed", error=error)
        finally:
            connection.close()
