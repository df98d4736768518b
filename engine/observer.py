"""Looks at the running engine and says what it shows: one :class:`Snapshot` of sums, counters, feeds and store, each time it is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from engine import certificates
from engine.assembly import Clock, connections_of, directory_of, proofs_of, seen_of, standings_of
from engine.config import Config
from engine.correspondents import Correspondents
from engine.inventory import Inventory
from engine.ledger import journal
from engine.ledger.ledger import Ledger
from engine.listeners.listener import PlainCounters
from engine.metrics import existence, periods, values
from engine.metrics.catalogue import Catalogue
from engine.metrics.habit import HOUR, Habit
from engine.metrics.projection import projected
from engine.metrics.snapshot import ApplicationValue, Feed, IndicatorValue, Snapshot, WindowBounds
from engine.pipeline import Pipeline

_RENEWED: Final = 15.0
"""Seconds: what changes by the hour or the day (projections, certificates) is not computed each half second."""


class Observer:
    """Asked by the writer's thread, and by nobody else once the engine runs. ``ready``: whether messages can be acknowledged."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        pipeline: Pipeline,
        counters: Mapping[str, PlainCounters],
        catalogue: Catalogue,
        inventory: Inventory,
        ready: Callable[[], bool],
        *,
        clock: Clock,
    ) -> None:
        self._config: Final = config
        self._ledger: Final = ledger
        self._pipeline: Final = pipeline
        self._counters: Final = counters
        self._catalogue: Final = catalogue
        self._inventory: Final = inventory
        self._ready: Final = ready
        self._clock: Final = clock
        self._standings: Final = standings_of(config)
        self._started_at: Final = clock()
        self._habits: dict[str, Habit] = {}
        self._habits_of = 0  # the hour they were learnt at
        self._projected: dict[tuple[str, str], float] = {}
        self._projected_at = 0.0
        self._certificates: dict[str, int] = {}
        self._certificates_at = 0.0

    def snapshot(self, known: Correspondents) -> Snapshot:
        """What is so now; ``known``: the directory of correspondents in force."""
        now = self._clock()
        ledger, config = self._ledger, self._config
        connections = connections_of(config, ledger, self._inventory, now)
        indicators: list[IndicatorValue] = []
        applications: list[ApplicationValue] = []
        bounds: list[WindowBounds] = []
        seen = seen_of(config, known, now)
        unknown: dict[str, int] = {}
        standings = self._standings.read()
        proofs = proofs_of(standings)
        day = 0
        for establishment in config.establishments:
            day = periods.today_of(now, establishment.time_zone)
            windows = periods.windows(day, config.indicators.months)
            bounds += [
                WindowBounds(
                    establishment.finess,
                    window.name,
                    periods.start_of_day(window.first, establishment.time_zone),
                    periods.start_of_day(window.last + 1, establishment.time_zone),
                )
                for window in windows
            ]
            equipped = known.directory.equipped
            indicators += values.indicators(ledger.sums, establishment.finess, windows, equipped)
            indicators += existence.indicators(
                ledger.sums, establishment.finess, windows, seen, proofs.get(establishment.finess)
            )
            unknown[establishment.finess] = existence.unknown_addresses(ledger.sums, establishment.finess, windows)
            if config.inventory:
                indicators += connections.indicators(establishment.finess, windows)
                applications += connections.applications(establishment.finess)
        store, free = _room(config.store)
        return Snapshot(
            taken_at=now,
            day=day,
            indicators=tuple(indicators),
            applications=tuple(applications),
            unlisted=connections.unlisted if config.inventory else (),
            feeds=tuple(self._feeds(now)),
            targets={
                (indicator, e.finess): target
                for e in config.establishments
                for indicator in self._catalogue.ids
                if (target := config.target(indicator, e.finess)) is not None
            },
            pending=ledger.journal.pending,
            aside=ledger.journal.aside,
            aside_bytes=ledger.journal.aside_bytes,
            commit=self._pipeline.commit_seconds.state(),
            parse=self._pipeline.parse_seconds.state(),
            started_at=self._started_at,
            windows=tuple(bounds),
            facts_dropped=ledger.book.dropped,
            submissions=ledger.totals.shown([e.finess for e in config.establishments]),
            directory=directory_of(known, unknown),
            standings=standings,
            official={(i, e.finess): met for e in config.establishments for i, met in e.official_values.items()},
            names={e.finess: e.name for e in config.establishments},
            proofs={e.finess: e.proof for e in config.establishments},
            projected=self._projections(now),
            certificates=self._expiries(now),
            ready=self._ready(),
            store_bytes=store,
            free_bytes=free,
        )

    def _feeds(self, now: float) -> list[Feed]:
        hour = int(now) // HOUR
        if hour != self._habits_of:
            hours = self._ledger.journal.hours
            self._habits = {
                f.name: Habit(
                    hours.get(f.name, {}),
                    hour,
                    self._config.zone(f),
                    self._config.establishment(f.establishment).holidays,
                )
                for f in self._config.feeds
            }
            self._habits_of = hour
        return [self._feed(f.name) for f in self._config.feeds]

    def _feed(self, name: str) -> Feed:
        counters = self._ledger.journal.counters
        tally = self._counters[name]
        rejected = dict(tally.rejected_total)
        flags: dict[str, int] = {}
        for (owner, kind, code), n in list(counters.items()):
            if owner == name and kind == journal.REJECTED:
                rejected[code] = rejected.get(code, 0) + n
            elif owner == name and kind == journal.FLAG:
                flags[code] = n
        last = self._ledger.journal.last.get(name, 0)
        return Feed(
            name=name,
            received=counters[name, journal.RECEIVED, ""],
            duplicate=counters[name, journal.DUPLICATE, ""],
            reused_control_id=counters[name, journal.REUSED, ""],
            not_production=counters[name, journal.NOT_PRODUCTION, ""],
            last_message_at=last,
            connections=tally.connections,
            rejected=rejected,
            flags=flags,
            turned_away=tally.turned_away_total,
            idle_closed=tally.idle_closed_total,
            tls_failed=tally.tls_failed_total,
            junk_bytes=tally.junk_bytes_total,
            silence_limit=self._habits[name].limit(last),
        )

    def _projections(self, now: float) -> dict[tuple[str, str], float]:
        """Those of the indicators themselves: a variant is looked at, not steered by."""
        if not 0 <= now - self._projected_at < _RENEWED:
            self._projected_at = now
            months = self._config.indicators.months
            self._projected = {
                (entry.id, e.finess): ratio
                for e in self._config.establishments
                for entry in self._catalogue
                if entry.kind == "rate" and not entry.variant_of
                if (
                    ratio := projected(
                        self._ledger.sums, entry.id, e.finess, periods.today_of(now, e.time_zone), months
                    )
                )
                is not None
            }
        return self._projected

    def _expiries(self, now: float) -> dict[str, int]:
        """Role -> when its certificate expires."""
        if not 0 <= now - self._certificates_at < _RENEWED:
            self._certificates_at = now
            self._certificates = certificates.expiries(self._config)
        return self._certificates


def _room(store: Path) -> tuple[int, int]:
    """Bytes taken by the files of the store, and left on their disk."""
    taken = 0
    for path in (store, store.with_name(store.name + "-wal")):
        try:
            taken += path.stat().st_size
        except OSError:
            continue
    try:
        disk = os.statvfs(store.parent)
    except OSError:
        return taken, 0
    return taken, disk.f_bavail * disk.f_frsize
