"""What one request looks at: the snapshot of this instant, and one establishment of it."""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal

from engine.config import Config
from engine.establishment import Establishment
from engine.metrics import periods
from engine.metrics.catalogue import Catalogue, Indicator
from engine.metrics.periods import Window
from engine.metrics.remedies import Remedies
from engine.metrics.snapshot import IndicatorValue, Snapshot, WindowName
from engine.page.readings import Readings

State = Literal["met", "under", "free", "empty"]
"""Of an indicator: at its target or over it, under it, without target, without anything to measure."""

WORDS: Final[dict[State, str]] = {
    "met": "atteint",
    "under": "sous la cible",
    "free": "pas de cible officielle",
    "empty": "rien à mesurer",
}

STALE: Final = 90.0
"""Seconds after which a snapshot is old: the engine makes a new one at least every 30."""


class View:
    """One establishment at one instant. Nothing in it changes; it lives as long as a request."""

    def __init__(
        self,
        snapshot: Snapshot,
        now: float,
        establishment: Establishment,
        config: Config,
        catalogue: Catalogue,
        remedies: Remedies,
        readings: Readings,
    ) -> None:
        self.snapshot: Final = snapshot
        self.now: Final = now
        self.establishment: Final = establishment
        self.finess: Final = establishment.finess
        self.zone: Final = establishment.time_zone
        self.config: Final = config
        self.catalogue: Final = catalogue
        self.remedies: Final = remedies
        self.readings: Final = readings
        today = periods.today_of(snapshot.taken_at, self.zone)
        self.official, self.rolling = periods.windows(today, config.indicators.months)

    @cached_property
    def _values(self) -> dict[tuple[str, WindowName], IndicatorValue]:
        return {(v.indicator, v.window): v for v in self.snapshot.indicators if v.establishment == self.finess}

    def window(self, name: WindowName) -> Window:
        """The days of a window, as they are for this establishment today."""
        return self.official if name == "official" else self.rolling

    def value(self, indicator: str, window: WindowName) -> IndicatorValue:
        """The value of an indicator; one without anything to measure where the engine computes none."""
        return self._values.get((indicator, window)) or IndicatorValue(indicator, self.finess, window, 0, 0)

    def computed(self, indicator: str) -> bool:
        """Whether the engine computes this indicator for this establishment (it may lack an inventory, or PS4.1)."""
        return (indicator, "official") in self._values

    def own_target(self, indicator: str) -> bool:
        """Whether the target is the site's own."""
        return (indicator, self.finess) in self.snapshot.targets

    def target(self, indicator: str) -> float | None:
        """The target to reach, 0 to 1: the site's own, else the programme's."""
        own = self.snapshot.targets.get((indicator, self.finess))
        return self.catalogue.target(indicator) if own is None else own

    def state(self, value: IndicatorValue) -> State:
        """Where a value stands against its target."""
        ratio, target = value.ratio, self.target(value.indicator)
        if ratio is None:
            return "empty"
        if target is None:
            return "free"
        return "met" if ratio >= target else "under"

    @property
    def plain(self) -> list[Indicator]:
        """The indicators themselves, without their variants, in the order of the catalogue."""
        return [indicator for indicator in self.catalogue if not indicator.variant_of]

    @property
    def age(self) -> float:
        """Seconds since the snapshot was taken."""
        return max(0.0, self.now - self.snapshot.taken_at)

    @property
    def stale(self) -> bool:
        """Whether the engine should have said something since."""
        return self.age > STALE
