"""A histogram that costs little to feed: fixed bounds, plain lists, a copy for the snapshot."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Final

from engine.metrics.snapshot import HistogramState

if TYPE_CHECKING:
    from collections.abc import Sequence

PARSE_SECONDS: Final = (
    0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5,
)  # fmt: skip
"""Bounds for one message, bytes to facts: an admission is read in some 50 us, a 300 kB document in a few ms."""

COMMIT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Bounds for one commit, disk included: 20 ms is the promise made on the time to acknowledge."""

_HOUR: Final = 3_600
_DAY: Final = 24 * _HOUR

PUBLICATION_SECONDS: Final = (
    _HOUR, 4 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 60 * _DAY,
)  # fmt: skip
"""Bounds from the exit to the DMP: a discharge letter goes with the patient, what is later than a month is a backlog."""

ANSWER_SECONDS: Final = (1, 5, 15, 60, 300, 1_800, 2 * _HOUR, 6 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY)
"""Bounds from the sending to the DMP's answer: seconds when all is well, a night when the platform sends again."""


class Histogram:
    """Counts of observed values by upper bound, as Prometheus means it: a value equal to a bound is under it.

    One thread feeds it; any thread may take a copy. The copy may lack the observation being made at that instant, and
    is whole otherwise.
    """

    __slots__ = ("_counts", "_sum", "bounds")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Bounds are finite, positive and strictly increasing, in the unit of what is observed."""
        self.bounds: Final = tuple(bounds)
        if not self.bounds or not all(map(isfinite, self.bounds)) or not all(a < b for a, b in pairwise(self.bounds)):
            raise ValueError("bounds must be finite and strictly increasing")
        self._counts = [0] * (len(self.bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value (some 0.2 us)."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._sum += value

    def state(self) -> HistogramState:
        """An immutable copy of what was counted so far."""
        return HistogramState(self.bounds, tuple(self._counts), self._sum)
