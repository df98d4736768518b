"""What the flows tell of the applications (P1.1, P1.3): the latest time each kind of exchange was seen.

Registers only ever grow (the latest of two times), so the order of arrival has no part in them. A message and its
technical acknowledgement wait for each other under the day they were sent on.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from engine.facts import INS_DEMO, INS_TEST, Outcome, Sent

_DAY: Final = 86_400
MOST_NAMES: Final = 10_000  # a sender that invents names must not fill the memory
OTHER: Final = "other"
SWEEP_DAYS: Final = 8  # how long a message may wait for its technical acknowledgement

SEEN: Final = "seen"
ROUTED: Final = "routed-"  # + identity | movement
ACKNOWLEDGED: Final = "acknowledged-"
INS_ROUTED: Final = "ins-routed"
INS_ACKNOWLEDGED: Final = "ins-acknowledged"
INS_EMITTED: Final = "ins-emitted"
TEST: Final = "-test"  # suffix of the INS registers for the test and demonstration roots

_Waiting = list[Sent | Outcome]
_decoder: Final = msgspec.msgpack.Decoder(_Waiting)
_encoder: Final = msgspec.msgpack.Encoder()
_MOST: Final = 64


class Applications:
    """Registers of the applications, and what waits; lives in the transaction of the book."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.registers: dict[tuple[str, str], int] = {
            (kind, name): at
            for kind, name, at in connection.execute("SELECT kind, name, at FROM registers WHERE kind <> 'feed'")
        }
        self._changed: dict[tuple[str, str], int] = {}
        self._waiting: dict[tuple[int, bytes], _Waiting] = {}
        self._dirty: set[tuple[int, bytes]] = set()

    # -- facts --------------------------------------------------------------------------------------------------------

    def sent(self, fact: Sent) -> None:
        """A message went from an application to another."""
        self._see(SEEN, fact.sender, fact.at)
        self._see(SEEN, fact.receiver, fact.at)
        if fact.ins:
            self._see(INS_EMITTED + _suffix(fact), fact.sender, fact.at)
        if fact.content not in {"identity", "movement"}:
            return
        self._reach(ROUTED, INS_ROUTED, fact, fact.at)
        day = fact.at // _DAY
        for waiting in (self._wait(day, fact.exchange), self._wait(day + 1, fact.exchange)):
            for other in waiting:
                if type(other) is Outcome:
                    self._match(fact, other)
        self._keep(day, fact.exchange, fact)

    def answered(self, fact: Outcome) -> None:
        """A technical acknowledgement was seen."""
        self._see(SEEN, fact.sender, fact.at)
        day = fact.at // _DAY
        for waiting in (self._wait(day, fact.exchange), self._wait(day - 1, fact.exchange)):
            for other in waiting:
                if type(other) is Sent:
                    self._match(other, fact)
        self._keep(day, fact.exchange, fact)

    def outcomes(self, day: int, exchange: bytes) -> list[Outcome]:
        """The technical acknowledgements of an exchange seen on that day or the next."""
        return [other for there in (day, day + 1) for other in self._wait(there, exchange) if type(other) is Outcome]

    def _match(self, sent: Sent, outcome: Outcome) -> None:
        if outcome.accepted and sent.receiver == outcome.sender:
            self._reach(ACKNOWLEDGED, INS_ACKNOWLEDGED, sent, outcome.at)

    def _reach(self, way: str, ins: str, sent: Sent, at: int) -> None:
        # Any ADT carries the identity; only a movement proves the movements (P1.3).
        self._see(way + "identity", sent.receiver, at)
        if sent.content == "movement":
            self._see(way + "movement", sent.receiver, at)
        if sent.ins:
            self._see(ins + _suffix(sent), sent.receiver, at)

    def _see(self, kind: str, name: str, at: int) -> None:
        if name and at > self.registers.get((kind, name), 0):
            if len(self.registers) >= MOST_NAMES and (kind, name) not in self.registers:
                name = OTHER
            self.registers[kind, name] = self._changed[kind, name] = max(at, self.registers.get((kind, name), 0))

    # -- the store ----------------------------------------------------------------------------------------------------

    def _wait(self, day: int, exchange: bytes) -> _Waiting:
        key = (day, exchange)
        found = self._waiting.get(key)
        if found is None:
            row = self._connection.execute(
                "SELECT content FROM awaiting WHERE day = ? AND exchange = ?", key
            ).fetchone()
            found = self._waiting[key] = _decoder.decode(row[0]) if row else []
        return found

    def _keep(self, day: int, exchange: bytes, fact: Sent | Outcome) -> None:
        found = self._wait(day, exchange)
        if fact not in found and len(found) < _MOST:
            found.append(fact)
            self._dirty.add((day, exchange))

    def flush(self, today: int) -> None:
        """Write what changed, inside the caller's transaction. ``today``: when it is written (epoch days)."""
        self._connection.executemany(
            "INSERT INTO registers VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
            [(*key, at) for key, at in self._changed.items()],
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO awaiting VALUES(?, ?, ?, ?)",
            [(*key, _encoder.encode(self._waiting[key]), today) for key in sorted(self._dirty)],
        )

    def forget(self) -> None:
        """Drop what was read for one transaction."""
        self._changed.clear()
        self._waiting.clear()
        self._dirty.clear()

    def sweep(self, today: int) -> None:
        """Delete what waited too long."""
        self._connection.execute("DELETE FROM awaiting WHERE stored < ?", (today - SWEEP_DAYS,))


def _suffix(fact: Sent) -> str:
    return TEST if fact.ins_root in {INS_TEST, INS_DEMO} else ""
