"""What one patient is counted for, and how the sums change when its facts do."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from engine.metrics.measures import Measure
from engine.metrics.rules.verdict import Verdict


class Judged(NamedTuple):
    """What is counted of a patient."""

    verdicts: list[Verdict]
    measures: Counter[Measure]


class Changes(NamedTuple):
    """How the tallies and the totals changed; nothing is 0."""

    verdicts: Counter[Verdict]
    measures: Counter[Measure]
