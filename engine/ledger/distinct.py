"""Indicators that count each subject once in a window, however often it was seen: correspondents (DS4.1), unknown addresses (D6.2).

Their verdicts are tallied with the subject (a pseudonym in hexadecimal) in the place of the unit. A window's answer for one subject is the
best of its days; it is kept, and asked again only for the subjects that changed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Final

from engine.metrics.periods import Window
from engine.metrics.rules.verdict import MAIL_WAY, MET, NOT_PRODUCED, Verdict

DISTINCT: Final = frozenset({"DS4.1", "DS4.1_delivered", "D6.2_unknown"})

_RANK: Final = {MET: len(MAIL_WAY)} | {reason: rank for rank, reason in enumerate(MAIL_WAY)}
_MOST_WINDOWS: Final = 16  # two a day and an establishment are asked for; yesterday's are of no use

_Days = dict[int, Counter[str]]


class Distinct:
    """What is known of each subject, by day, since the first day that any window may show."""

    def __init__(self, connection: sqlite3.Connection, first_day: int) -> None:
        self._first = first_day
        self._subjects: dict[tuple[str, str], dict[str, _Days]] = {}
        self._answers: dict[tuple[str, str, int, int], dict[str, str]] = {}
        self._changed: dict[tuple[str, str, int, int], set[str]] = {}
        rows = connection.execute(
            "SELECT indicator, establishment, unit, day, outcome, n FROM tallies "
            f"WHERE day >= ? AND indicator IN ({', '.join('?' * len(DISTINCT))})",
            (first_day, *sorted(DISTINCT)),
        )
        for indicator, establishment, unit, day, outcome, n in rows:
            self._add(indicator, establishment, unit, day, outcome, n)

    def apply(self, changes: Mapping[Verdict, int]) -> None:
        """Follow a change of the store, once it is committed."""
        for v, n in changes.items():
            if n and v.indicator in DISTINCT and v.day >= self._first:
                self._add(v.indicator, v.establishment, v.unit, v.day, v.outcome, n)
                for key, subjects in self._changed.items():
                    if key[:2] == (v.indicator, v.establishment) and key[2] <= v.day <= key[3]:
                        subjects.add(v.unit)

    def _add(self, indicator: str, establishment: str, unit: str, day: int, outcome: str, n: int) -> None:
        subjects = self._subjects.setdefault((indicator, establishment), {})
        days = subjects.setdefault(unit, {})
        outcomes = days.setdefault(day, Counter())
        outcomes[outcome] += n
        if not outcomes[outcome]:
            del outcomes[outcome]
            if not outcomes:
                del days[day]
                if not days:
                    del subjects[unit]

    def subjects(self, indicator: str, establishment: str, window: Window) -> Mapping[str, str]:
        """The outcome of each subject seen in a window: MET, or the reason furthest along the way."""
        key = (indicator, establishment, window.first, window.last)
        known = self._subjects.get((indicator, establishment), {})
        answers = self._answers.get(key)
        if answers is None:
            if len(self._answers) >= _MOST_WINDOWS * len(DISTINCT):
                self._answers.clear()
                self._changed.clear()
            answers, changed = self._answers.setdefault(key, {}), set(known)
        else:
            changed = self._changed[key]
        for unit in changed:
            found = [
                outcome
                for day, outcomes in known.get(unit, {}).items()
                if window.first <= day <= window.last
                for outcome in outcomes
            ]
            if found:
                answers[unit] = max(found, key=_RANK.__getitem__)
            else:
                answers.pop(unit, None)
        self._changed[key] = set()
        return answers

    def totals(
        self, indicator: str, establishment: str, window: Window, among: frozenset[bytes] | None = None
    ) -> Counter[str]:
        """How many subjects by outcome. ``among``: these pseudonyms and no others, those not seen being NOT_PRODUCED."""
        found = self.subjects(indicator, establishment, window)
        if among is None:
            return Counter(found.values())
        outcomes = Counter(outcome for unit, outcome in found.items() if bytes.fromhex(unit) in among)
        if unseen := len(among) - outcomes.total():
            outcomes[NOT_PRODUCED] = unseen
        return outcomes
