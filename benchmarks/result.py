"""What a benchmark says: figures, and budgets of the design that are met or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass
class Figure:
    """One line: a value with its unit, and how many times the floor it is (0: not compared)."""

    name: str
    value: float
    unit: str
    ratio: float = 0.0


@dataclass
class Budget:
    """One promise of the design: ``value`` must be at most (at least) ``limit``."""

    name: str
    value: float
    limit: float
    unit: str = "x"
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the promise holds in this run."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass
class Result:
    """Everything that one benchmark found."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """The same for ``--json``."""
        return {
            "benchmark": self.name,
            "title": self.title,
            "figures": [vars(figure) for figure in self.figures],
            "budgets": [vars(budget) | {"met": budget.met} for budget in self.budgets],
            "notes": self.notes,
        }


def compare(candidates: Mapping[str, Callable[[], object]], rounds: int = 9, seconds: float = 0.05) -> dict[str, float]:
    """Seconds per call of each candidate: the median over rounds in which they take turns.

    A round calls a candidate for about ``seconds`` at least once, so a slow one costs ``rounds`` calls. Taking turns makes a
    busy moment of the machine fall on all of them alike.
    """
    repeats = {}
    for name, call in candidates.items():
        call()
        start = perf_counter()
        call()
        repeats[name] = max(1, min(20_000, int(seconds / max(perf_counter() - start, 1e-9))))
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            count = range(repeats[name])
            start = perf_counter()
            for _ in count:
                call()
            taken[name].append((perf_counter() - start) / repeats[name])
    return {name: median(times) for name, times in taken.items()}
