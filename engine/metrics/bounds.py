"""Keeps the labels of `/metrics` few: a cap for each label name, and one value, ``other``, for what is beyond."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

OTHER: Final = "other"

_REMEMBERED: Final = 65_536
"""Values beyond the cap that are remembered, as hashes, so as to count each once; after that they are not counted."""


class Bounds:
    """Admits label values, first come first kept for the life of the process: a series never changes its name.

    Values of a closed list are always admitted and take no room.
    """

    __slots__ = ("_admitted", "_cap", "_closed", "_turned_away")

    def __init__(self, cap: int, closed: Mapping[str, Collection[str]]) -> None:
        """``cap``: open values of one label. ``closed``: label -> its closed list."""
        self._cap: Final = cap
        self._closed: Final = {label: frozenset(values) for label, values in closed.items()}
        self._admitted: Final[dict[str, set[str]]] = {}
        self._turned_away: Final[set[int]] = set()

    @property
    def dropped(self) -> int:
        """Distinct values turned into ``other`` since the start."""
        return len(self._turned_away)

    def admit(self, label: str, value: str) -> str:
        """The value itself, or ``other``."""
        admitted = self._admitted.get(label)
        if admitted is None:
            admitted = self._admitted[label] = set()
        if value in admitted or value in self._closed.get(label, ()):
            return value
        if len(admitted) < self._cap and value != OTHER:
            admitted.add(value)
            return value
        return self.turn_away(label, value)

    def turn_away(self, label: str, value: str) -> str:
        """``other``, whatever the room left: for a value that should never be a label."""
        if value != OTHER and len(self._turned_away) < _REMEMBERED:
            self._turned_away.add(hash((label, value)))
        return OTHER
