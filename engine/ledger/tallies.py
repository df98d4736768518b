"""Sums of verdicts: (indicator, establishment, unit, day, outcome, settled) -> n, changed only by difference."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from engine.ledger.distinct import DISTINCT, Distinct
from engine.metrics.periods import Window
from engine.metrics.rules.verdict import ACCEPTED_LATE, AWAITING_ANSWER, MET, NOT_ANSWERED, REJECTED, Verdict

# Names as numbers in the packed verdicts of a subject. Append only: stores already hold the numbers.
_INDICATORS: Final = (
    "DS1.1", "DS1.1_eligible", "DS1.1_taken", "DS1.1_sent",
    "DS1.2", "DS1.2_eligible", "DS1.2_taken", "DS1.2_sent", "DS1.2_prescribed",
    "DS1.3", "DS1.3_eligible", "DS1.3_taken", "DS1.3_sent", "DS1.3_all_stays",
    "DS1.4",
    "DS2.1", "DS2.1_eligible", "DS2.1_taken", "DS2.1_sent",
    "DS3.1", "DS3.1_eligible", "DS3.1_taken", "DS3.1_sent",
    "D2.2", "D2.2_active", "D2.2_accepted", "D2.2_taken", "D2.2_sent",
    "D6.1", "D6.1_active", "D6.1_any", "D6.1_accepted", "D6.1_taken", "D6.1_sent",
    "DS1.1_accepted", "DS1.2_accepted", "DS1.3_accepted", "DS2.1_accepted", "DS3.1_accepted",
    "D6.3", "D6.3_delivered", "DS4.1", "DS4.1_delivered", "DS4.2", "DS4.2_delivered", "P4.3", "D6.2_unknown",
)  # fmt: skip
_OUTCOMES: Final = (
    MET, "not_produced", "not_cda", "wrong_level", "ins_absent", "ins_test", "ins_not_qualified", "ins_mismatch", "not_addressed",
    "not_submitted", "not_answered", "rejected", "deleted", "accepted_late", "level_unknown", "not_named", "mss_not_requested",
    "no_message", "mss_not_sent", "mss_not_cda", "mss_not_confirmed", "mss_refused",
)  # fmt: skip
_INDICATOR_NUMBER: Final = {name: number for number, name in enumerate(_INDICATORS)}
_OUTCOME_NUMBER: Final = {name: number for number, name in enumerate(_OUTCOMES)}

INDICATORS: Final = _INDICATORS[:-2]
"""Those that are a rate; the others are read by ``engine.metrics.existence``."""

# An outcome with a code of refusal is not in the list: it is packed as it is written.
_Packed = list[tuple[str, str, int, list[int | str]]]
_decoder: Final = msgspec.msgpack.Decoder(_Packed)
_encoder: Final = msgspec.msgpack.Encoder()


def pack(verdicts: Iterable[Verdict]) -> bytes:
    """The verdicts of a subject, small: they are kept beside its facts to be taken off when it changes."""
    groups: dict[tuple[str, str, int], list[int | str]] = defaultdict(list)
    for v in verdicts:
        groups[v.establishment, v.unit, v.day] += (
            _INDICATOR_NUMBER[v.indicator],
            _OUTCOME_NUMBER.get(v.outcome, v.outcome),
            v.settled,
        )
    return _encoder.encode([(*key, numbers) for key, numbers in groups.items()])


def unpack(packed: bytes) -> list[Verdict]:
    """What :func:`pack` packed."""
    found = []
    for establishment, unit, day, numbers in _decoder.decode(packed):
        for indicator, outcome, settled in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
            name = outcome if isinstance(outcome, str) else _OUTCOMES[outcome]
            found.append(Verdict(_INDICATORS[int(indicator)], establishment, unit, day, name, int(settled)))
    return found


def write(connection: sqlite3.Connection, changes: Mapping[Verdict, int]) -> None:
    """Add differences, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO tallies VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(v.day, v.indicator, v.establishment, v.unit, v.outcome, v.settled, n) for v, n in changes.items() if n],
    )


def stored(connection: sqlite3.Connection) -> Counter[Verdict]:
    """Every tally of the store that is not zero."""
    return Counter(
        {
            Verdict(indicator, establishment, unit, day, outcome, settled): n
            for day, indicator, establishment, unit, outcome, settled, n in connection.execute(
                "SELECT day, indicator, establishment, unit, outcome, settled, n FROM tallies WHERE n <> 0"
            )
        }
    )


class Sums:
    """The sums of the recent days in memory: a rate is a sum over the days of its window, not a scan over stays."""

    def __init__(self, connection: sqlite3.Connection, first_day: int) -> None:
        self._first = first_day
        self.distinct = Distinct(connection, first_day)
        self._cells: dict[tuple[str, str], dict[int, Counter[tuple[str, int]]]] = {}
        rows = connection.execute(
            "SELECT indicator, establishment, day, outcome, settled, sum(n) FROM tallies WHERE day >= ? "
            "GROUP BY indicator, establishment, day, outcome, settled",
            (first_day,),
        )
        for indicator, establishment, day, outcome, settled, n in rows:
            if indicator not in DISTINCT:
                self._add(indicator, establishment, day, outcome, settled, n)

    def apply(self, changes: Mapping[Verdict, int]) -> None:
        """Follow a change of the store, once it is committed."""
        self.distinct.apply(changes)
        for v, n in changes.items():
            if n and v.day >= self._first and v.indicator not in DISTINCT:
                self._add(v.indicator, v.establishment, v.day, v.outcome, v.settled, n)

    def _add(self, indicator: str, establishment: str, day: int, outcome: str, settled: int, n: int) -> None:
        days = self._cells.setdefault((indicator, establishment), {})
        days.setdefault(day, Counter())[outcome, settled] += n

    def totals(self, indicator: str, establishment: str, window: Window) -> Sum:
        """Numerator, missed by reason, and rejected by code, of one indicator over one window."""
        if indicator in DISTINCT:
            outcomes = self.distinct.totals(indicator, establishment, window)
            return Sum(outcomes.pop(MET, 0), dict(outcomes), {})
        days = self._cells.get((indicator, establishment), {})
        cells: Counter[tuple[str, int]] = Counter()
        for day in range(window.first, window.last + 1):
            for cell, n in days.get(day, _NOTHING).items():
                cells[cell] += n
        return total(cells, window)


class Sum(NamedTuple):
    """One indicator over one window: ``missed`` by reason, and the rejected among them by code of refusal."""

    met: int
    missed: dict[str, int]
    rejected: dict[str, int]


def total(cells: Mapping[tuple[str, int], int], window: Window) -> Sum:
    """What counted outcomes, (outcome, settled) -> n, are in a window: met, or missed for a reason."""
    met = 0
    missed: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for (outcome, settled), n in cells.items():
        if outcome == MET and window.accepts(settled):
            met += n
        elif outcome == MET:
            missed[ACCEPTED_LATE] += n
        elif outcome == NOT_ANSWERED and window.today <= settled:
            missed[AWAITING_ANSWER] += n
        else:
            reason, _, code = outcome.partition(":")
            missed[reason] += n
            if reason == REJECTED:
                codes[code or OTHER] += n
    return Sum(met, {reason: n for reason, n in missed.items() if n}, {code: n for code, n in codes.items() if n})


_NOTHING: Final[Counter[tuple[str, int]]] = Counter()
OTHER: Final = "other"
