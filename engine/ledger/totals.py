"""Sums of measures: (name, establishment, label) -> n, changed only by difference, and the greatest that each ever was.

A counter never goes back: what a later message takes off waits until the count has passed it, so ``top`` is what is shown of
a counter, and ``n`` what is true. Buckets of a delay are cumulative, hence their tops are too.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

import msgspec

from engine.metrics import measures as m
from engine.metrics.histogram import ANSWER_SECONDS, PUBLICATION_SECONDS
from engine.metrics.measures import Measure
from engine.metrics.snapshot import HistogramState, Submissions

# Names and labels as numbers in the packed measures of a patient. Append only: stores already hold the numbers.
_NAMES: Final = (
    "submissions", "responses", "errors", "contradictions", "unnamed", "publication", "answer",
    "mailings", "mail_outcomes", "mail_errors", "mail_xdm",
)  # fmt: skip
_LABELS: Final = (
    "", "accepted", "refused", "failed", "sum", "+Inf",
    "1", "5", "15", "60", "300", "1800", "3600", "7200", "14400", "21600", "43200", "86400", "172800", "259200", "604800",
    "1209600", "2592000", "5184000", "other",
    "professional", "citizen", "own", "outside", "test", "delivered", "read", "valid", "flawed", "unreadable", "none",
)  # fmt: skip
_NAME_NUMBER: Final = {name: number for number, name in enumerate(_NAMES)}
_LABEL_NUMBER: Final = {label: number for number, label in enumerate(_LABELS)}

# Establishment, then name, label and n one after the other; a code of refusal is packed as it is written.
_Packed = list[tuple[str, list[int | str]]]
_decoder: Final = msgspec.msgpack.Decoder(_Packed)
_encoder: Final = msgspec.msgpack.Encoder()

NOTHING: Final = b"\x90"
"""The packed measures of a patient of whom nothing is counted."""


def pack(measures: Mapping[Measure, int]) -> bytes:
    """The measures of a patient, small: they are kept beside its facts to be taken off when it changes."""
    if not measures:
        return NOTHING
    groups: dict[str, list[int | str]] = defaultdict(list)
    for measure, n in measures.items():  # in any order: the same measures again change no sum
        label = _LABEL_NUMBER.get(measure.label, measure.label)
        groups[measure.establishment] += (_NAME_NUMBER[measure.name], label, n)
    return _encoder.encode(list(groups.items()))


def unpack(packed: bytes) -> Counter[Measure]:
    """What :func:`pack` packed."""
    found: Counter[Measure] = Counter()
    if packed == NOTHING:
        return found
    for establishment, values in _decoder.decode(packed):
        for name, label, n in zip(values[::3], values[1::3], values[2::3], strict=True):
            text = label if isinstance(label, str) else _LABELS[label]
            found[Measure(_NAMES[int(name)], establishment, text)] = int(n)
    return found


def write(connection: sqlite3.Connection, changes: Mapping[Measure, int]) -> None:
    """Add differences, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO totals(name, establishment, label, n, top) VALUES(?, ?, ?, ?, max(?, 0)) "
        "ON CONFLICT DO UPDATE SET n = n + excluded.n, top = max(top, n + excluded.n)",
        [(measure.name, measure.establishment, measure.label, n, n) for measure, n in changes.items() if n],
    )


def replace(connection: sqlite3.Connection, recounted: Mapping[Measure, int]) -> None:
    """Put what a recount found in the place of the sums, inside the caller's transaction; the tops stay, or grow."""
    connection.execute("UPDATE totals SET n = 0")
    write(connection, recounted)


def stored(connection: sqlite3.Connection) -> Counter[Measure]:
    """Every sum of the store that is not zero."""
    rows = connection.execute("SELECT name, establishment, label, n FROM totals WHERE n <> 0")
    return Counter({Measure(name, establishment, label): n for name, establishment, label, n in rows})


class Totals:
    """The sums in memory: few, whatever the number of patients."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._n: Counter[Measure] = Counter()
        self._top: Counter[Measure] = Counter()
        for name, establishment, label, n, top in connection.execute(
            "SELECT name, establishment, label, n, top FROM totals"
        ):
            measure = Measure(name, establishment, label)
            self._n[measure], self._top[measure] = n, top

    def apply(self, changes: Mapping[Measure, int]) -> None:
        """Follow a change of the store, once it is committed."""
        for measure, n in changes.items():
            if n:
                self._n[measure] += n
                self._top[measure] = max(self._top[measure], self._n[measure])

    def shown(self, establishments: Iterable[str]) -> tuple[Submissions, ...]:
        """What is shown of each establishment: tops, but for the gauge of the unnamed, which is as it is now."""
        by_name: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for measure, top in list(self._top.items()):
            by_name[measure.name, measure.establishment][measure.label] = top

        def of(name: str, establishment: str) -> dict[str, int]:
            return by_name.get((name, establishment), {})

        return tuple(
            Submissions(
                establishment,
                submissions=of(m.SUBMISSIONS, establishment).get("", 0),
                responses=of(m.RESPONSES, establishment),
                errors=of(m.ERRORS, establishment),
                contradictions=of(m.CONTRADICTIONS, establishment).get("", 0),
                unnamed=self._n[Measure(m.UNNAMED, establishment, m.ACCEPTED)],
                publication=_histogram(of(m.PUBLICATION, establishment), PUBLICATION_SECONDS),
                answer=_histogram(of(m.ANSWER, establishment), ANSWER_SECONDS),
                mails=of(m.MAILINGS, establishment),
                mail_outcomes=of(m.MAIL_OUTCOMES, establishment),
                mail_errors=of(m.MAIL_ERRORS, establishment),
                mail_xdm=of(m.MAIL_XDM, establishment),
            )
            for establishment in establishments
        )


def _histogram(buckets: Mapping[str, int], bounds: tuple[int, ...]) -> HistogramState:
    cumulative = [0, *(buckets.get(str(bound), 0) for bound in bounds), buckets.get(m.INFINITE, 0)]
    counts = tuple(upper - lower for lower, upper in pairwise(cumulative))
    return HistogramState(bounds, counts, buckets.get(m.SUM, 0))
