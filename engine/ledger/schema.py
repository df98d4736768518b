"""The store's tables, and the migrations that bring an older store to today's."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import Final

# One entry per version; an entry that was released is never edited, a change is a new entry.
MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

    -- Every message ever counted: day of MSH-7, digest of (feed, sender, control id), digest of the content.
    -- The day comes first so that the insertions of one day touch few pages, however long the history.
    CREATE TABLE seen(day INTEGER NOT NULL, control BLOB NOT NULL, content BLOB NOT NULL,
                      PRIMARY KEY(day, control, content)) WITHOUT ROWID;
    -- Messages that are on disk and not yet in the subjects, nor in seen: appended, so that a commit writes few pages.
    CREATE TABLE journal(seq INTEGER PRIMARY KEY, day INTEGER NOT NULL, control BLOB NOT NULL, content BLOB NOT NULL,
                         facts BLOB);
    CREATE TABLE counters(feed TEXT NOT NULL, name TEXT NOT NULL, code TEXT NOT NULL, n INTEGER NOT NULL,
                          PRIMARY KEY(feed, name, code)) WITHOUT ROWID;
    -- What could not be read, sealed.
    CREATE TABLE aside(id INTEGER PRIMARY KEY, feed TEXT NOT NULL, received INTEGER NOT NULL, code TEXT NOT NULL,
                       place TEXT NOT NULL, sealed BLOB NOT NULL);

    -- A patient: the facts of everything that shares an identifier, and the verdicts they gave.
    CREATE TABLE patients(id INTEGER PRIMARY KEY, facts BLOB NOT NULL, verdicts BLOB NOT NULL);
    CREATE TABLE handles(handle BLOB PRIMARY KEY, patient INTEGER NOT NULL) WITHOUT ROWID;
    -- Who has an INS: read only when a fact names its patient by nothing else.
    CREATE TABLE holders(ins BLOB NOT NULL, patient INTEGER NOT NULL, PRIMARY KEY(ins, patient)) WITHOUT ROWID;
    CREATE TABLE merges(id INTEGER PRIMARY KEY, into_id INTEGER NOT NULL);
    -- Sendings of documents and their answers, by (sender, control id).
    CREATE TABLE exchanges(exchange BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
    -- Messages and technical acknowledgements that wait for each other, by day; swept after some days.
    CREATE TABLE awaiting(day INTEGER NOT NULL, exchange BLOB NOT NULL, content BLOB NOT NULL, stored INTEGER NOT NULL,
                          PRIMARY KEY(day, exchange)) WITHOUT ROWID;
    -- The latest time something was seen: (kind, name) -> epoch seconds.
    CREATE TABLE registers(kind TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL,
                           PRIMARY KEY(kind, name)) WITHOUT ROWID;

    CREATE TABLE tallies(day INTEGER NOT NULL, indicator TEXT NOT NULL, establishment TEXT NOT NULL, unit TEXT NOT NULL,
                         outcome TEXT NOT NULL, settled INTEGER NOT NULL, n INTEGER NOT NULL,
                         PRIMARY KEY(day, indicator, establishment, unit, outcome, settled)) WITHOUT ROWID;
    """,
    """
    -- What is counted of a patient's submissions to the DMP, packed (x'90': nothing), and the sums over all patients. A
    -- counter never goes back: top is the greatest that n ever was.
    ALTER TABLE patients ADD COLUMN measures BLOB NOT NULL DEFAULT x'90';
    CREATE TABLE totals(name TEXT NOT NULL, establishment TEXT NOT NULL, label TEXT NOT NULL, n INTEGER NOT NULL,
                        top INTEGER NOT NULL, PRIMARY KEY(name, establishment, label)) WITHOUT ROWID;
    -- The patients of an older store have not been measured: a change of settings makes the ledger judge everyone again.
    UPDATE meta SET value = x'' WHERE name = 'settings';
    """,
    """
    -- Messages received by each feed in each hour (epoch hours), some weeks long: its habit.
    CREATE TABLE hours(feed TEXT NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(feed, hour)) WITHOUT ROWID;
    """,
)


class StoreError(Exception):
    """The store cannot be used: says why and what to do; never a value from a message."""


_DAMAGED: Final = (
    "it is damaged: stop the engine, put the last backup back, then replay from before its hour (docs/operations.md)"
)
_MENDS: Final = {
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CANTOPEN": "is it a file, in a folder that this account may write in, on a disk that is not mounted read-only?",
    "SQLITE_READONLY": "this account may not write it, or its disk is mounted read-only",
    "SQLITE_FULL": "make room on its disk",
    "SQLITE_IOERR": "look at the disk and at the system's journal (dmesg)",
    "SQLITE_BUSY": "another process holds it: try again",
}


def told(error: sqlite3.Error) -> str:
    """What SQLite says of a store that cannot be used (its code, never its words) and what to do; empty for a fault of the program."""
    name = str(getattr(error, "sqlite_errorname", ""))
    mends = [mend for code, mend in _MENDS.items() if name == code or name.startswith(f"{code}_")]
    return f"cannot be used, {name} ({mends[0]})" if mends else ""


class Lock:
    """One writer per store, held until closed or until the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.with_name(path.name + ".lock").open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise StoreError(f"{path}: another engine is writing to this store; stop it first") from None

    def release(self) -> None:
        """Let another engine write."""
        self._file.close()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the store. Durable as SQLite can be: WAL with ``synchronous=FULL``, so a commit is on disk when it returns."""
    if read_only:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        _check_version(connection, path)
        return connection
    path.parent.mkdir(parents=True, exist_ok=True)
    # The engine hands the connection from the thread that opens it to the one writer thread; it is never shared.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-32768")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    migrate(connection, path)
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> int:
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname != "SQLITE_NOTADB":
            raise
        raise StoreError(f"{path}: not a store of jauge; name another file, or put a backup back") from None
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: made by a newer version of jauge (schema {version}, this one knows {len(MIGRATIONS)}): "
            "install that version again, or put back the backup that was made before it"
        )
    return version


def require_current(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a store that an older version made: a reader cannot bring it up to date."""
    version = _check_version(connection, path)
    if version < len(MIGRATIONS):
        raise StoreError(
            f"{path}: made by an older version of jauge (schema {version}); start the engine once, it brings it up to date"
        )


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the store to the last schema, one transaction per version."""
    version = _check_version(connection, path)
    for number in range(version, len(MIGRATIONS)):
        connection.executescript(f"BEGIN IMMEDIATE;{MIGRATIONS[number]};PRAGMA user_version={number + 1};COMMIT;")
