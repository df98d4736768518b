"""The one place where a configuration becomes a running engine. It knows everyone; nobody knows it but the commands."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from engine import __version__, correspondents, logs
from engine import config as config_module
from engine import inventory as inventory_module
from engine.assembly import (
    Clock,
    connections_of,
    correspondents_of,
    directory_of,
    feed,
    keys_of,
    mail_space,
    open_ledger,
    proofs_of,
    seen_of,
    standings_of,
)
from engine.codes import codes, rejections
from engine.config import Config
from engine.correspondents import Correspondents
from engine.errors import ConfigError
from engine.inventory import Inventory
from engine.inventory import load as load_inventory
from engine.ledger import journal
from engine.ledger.recount import Recount
from engine.listeners.listener import Listener, PlainCounters, declarations
from engine.metrics import catalogue as catalogues
from engine.metrics import existence, periods, remedies, values
from engine.metrics.exposition import Exposition
from engine.metrics.snapshot import ApplicationValue, IndicatorValue, Snapshot, WindowBounds
from engine.metrics.snapshot import Feed as FeedValue
from engine.pipeline import Pipeline
from engine.privacy import Digests, Pseudonyms
from engine.renewal import Renewal
from engine.seal import Seal
from engine.web.application import Application
from engine.web.server import Web

_log = structlog.get_logger()

_COLLECT: Final = (50_000, 20, 50)


class Engine:
    """A running engine: ``start``, ``run`` until asked to stop, ``stop``."""

    def __init__(self, config: Config, *, clock: Clock = time.time) -> None:
        """Open everything that needs no port. Raises ConfigError or StoreError: the engine does not start half."""
        self.config = config
        self._clock = clock
        self._started_at = clock()
        self.catalogue = catalogues.load()
        finesses = tuple(e.finess for e in config.establishments)
        self.inventory = load_inventory(config.inventory, finesses) if config.inventory else Inventory()
        self.keys = keys_of(config)
        pseudonyms = Pseudonyms(self.keys.pseudonyms)
        digests, seal = Digests(self.keys.digests), Seal(self.keys.sealing)
        known = declarations()
        feeds = {f.name: feed(config, f, known[f.listener], pseudonyms, digests, seal) for f in config.feeds}
        found = correspondents.stamp(config.correspondents) if config.correspondents else None
        self.correspondents = correspondents_of(config, self.keys)
        self.ledger = open_ledger(config, self.keys, directory=self.correspondents.directory, clock=clock)
        self.pipeline = Pipeline(
            self.ledger, feeds, batch=config.limits.batch_messages, clock=clock, publish=self._publish
        )
        self.counters = {f.name: PlainCounters() for f in config.feeds}
        logs.allow([*self.counters, *known, *finesses, *self.catalogue.ids, *codes()])
        self.listeners: dict[str, Listener] = {
            f.name: known[f.listener].make(f.name, f.settings, self.pipeline, self.counters[f.name])
            for f in config.feeds
        }
        self.renewal: Renewal | None = None
        if config.correspondents is not None and found is not None:
            self.renewal = Renewal(
                config.correspondents, found, lambda: correspondents_of(config, self.keys), self._renew
            )
        self.standings = standings_of(config)
        self._looking: asyncio.Task[None] | None = None
        self.snapshot = self._snapshot()
        exposition = Exposition(
            lambda: self.snapshot,
            self.catalogue,
            version=__version__,
            rejection_codes=rejections(),
            flag_codes=sorted(codes().keys() - set(rejections())),
            error_codes=remedies.load(config.dmp_errors).codes,
            label_values=config.limits.label_values,
            process=True,
        )
        self._ready = False
        self.web = Web(Application(exposition, self.ready), config.http.host, config.http.port)
        self.http_port = config.http.port

    def ready(self) -> bool:
        """Whether messages can be acknowledged now."""
        return self._ready and self.pipeline.available

    async def start(self) -> None:
        """Open the ports: the web first, so that a start can be watched, then the listeners."""
        # Messages make short-lived objects, and almost no cycles: the collector has little to find and much to walk.
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        self.pipeline.start()
        started: list[Listener] = []
        try:
            self.http_port = self._open_web()
            for listener in self.listeners.values():
                await listener.start()
                started.append(listener)
        except BaseException:
            for listener in started:
                await listener.stop()
            self.web.stop()
            await self.pipeline.stop()
            self.ledger.close()
            raise
        if self.renewal is not None:
            self._looking = asyncio.create_task(self.renewal.run())
        self._ready = True
        _log.info("engine-started", feeds=len(self.listeners), port=self.http_port, pending=self.ledger.journal.pending)

    def _open_web(self) -> int:
        try:
            return self.web.start()
        except OSError as error:
            place = f"{self.config.http.host}:{self.config.http.port}"
            reason = (error.strerror or "no such address").lower()
            raise ConfigError(
                str(self.config.file),
                0,
                f"http: cannot listen on {place}: {reason}",
                "choose a free port of this machine",
            ) from None

    async def stop(self) -> None:
        """Take nothing more, answer everything that was taken, close."""
        self._ready = False
        if self._looking is not None:
            self._looking.cancel()
        await asyncio.gather(*(listener.stop() for listener in self.listeners.values()))
        await self.pipeline.stop()
        self.web.stop()
        self.ledger.close()
        _log.info("engine-stopped", pending=self.ledger.journal.pending)

    async def run(self) -> None:
        """Start, wait for SIGTERM or SIGINT, stop. SIGHUP: read the directory of correspondents again."""
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        loop.add_signal_handler(signal.SIGHUP, self.renewal.ask if self.renewal is not None else lambda: None)
        await self.start()
        await asked.wait()
        await self.stop()

    def _renew(self, found: Correspondents) -> None:
        """A new writing of the directory: its date at once, and everyone judged again when it says something else."""
        if found.directory.fingerprint() == self.correspondents.directory.fingerprint():
            self.correspondents = found
        else:
            self.pipeline.recount(lambda: self._resettle(found))

    def _resettle(self, found: Correspondents) -> Recount:
        self.correspondents = found
        return self.ledger.resettle(found.directory)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        self.snapshot = self._snapshot()

    def _snapshot(self) -> Snapshot:
        now = self._clock()
        ledger, config = self.ledger, self.config
        connections = connections_of(config, ledger, self.inventory, now)
        indicators: list[IndicatorValue] = []
        applications: list[ApplicationValue] = []
        bounds: list[WindowBounds] = []
        known, seen = self.correspondents, seen_of(config, self.correspondents, now)
        unknown: dict[str, int] = {}
        proofs = proofs_of(self.standings)
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
        return Snapshot(
            taken_at=now,
            day=day,
            indicators=tuple(indicators),
            applications=tuple(applications),
            unlisted=connections.unlisted if config.inventory else (),
            feeds=tuple(self._feed(f.name) for f in config.feeds),
            targets={
                (indicator, e.finess): target
                for e in config.establishments
                for indicator in self.catalogue.ids
                if (target := config.target(indicator, e.finess)) is not None
            },
            pending=ledger.journal.pending,
            aside=ledger.journal.aside,
            aside_bytes=ledger.journal.aside_bytes,
            commit=self.pipeline.commit_seconds.state(),
            parse=self.pipeline.parse_seconds.state(),
            started_at=self._started_at,
            windows=tuple(bounds),
            facts_dropped=ledger.book.dropped,
            submissions=ledger.totals.shown([e.finess for e in config.establishments]),
            directory=directory_of(known, unknown),
            standings=self.standings.read(),
            official={(i, e.finess): met for e in config.establishments for i, met in e.official_values.items()},
            proofs={e.finess: e.proof for e in config.establishments},
        )

    def _feed(self, name: str) -> FeedValue:
        counters = self.ledger.journal.counters
        tally = self.counters[name]
        rejected = dict(tally.rejected_total)
        flags: dict[str, int] = {}
        for (owner, kind, code), n in list(counters.items()):
            if owner == name and kind == journal.REJECTED:
                rejected[code] = rejected.get(code, 0) + n
            elif owner == name and kind == journal.FLAG:
                flags[code] = n
        return FeedValue(
            name=name,
            received=counters[name, journal.RECEIVED, ""],
            duplicate=counters[name, journal.DUPLICATE, ""],
            reused_control_id=counters[name, journal.REUSED, ""],
            not_production=counters[name, journal.NOT_PRODUCTION, ""],
            last_message_at=self.ledger.journal.last.get(name, 0),
            connections=tally.connections,
            rejected=rejected,
            flags=flags,
            turned_away=tally.turned_away_total,
            idle_closed=tally.idle_closed_total,
            tls_failed=tally.tls_failed_total,
            junk_bytes=tally.junk_bytes_total,
        )


def load_config(path: Path) -> Config:
    """The configuration of a file, checked against the listeners and the indicators there are."""
    return config_module.load(path, listener_settings(), catalogues.load().ids, mail_listeners())


def config_problems(path: Path) -> list[ConfigError]:
    """Everything wrong in a configuration and in the files it names, in the order of the files."""
    config, found = config_module.read(path, listener_settings(), catalogues.load().ids, mail_listeners())
    if config is None:
        return found
    if config.inventory is not None:
        found = inventory_module.problems(config.inventory, tuple(e.finess for e in config.establishments))
    if config.correspondents is not None:
        found += correspondents.problems(config.correspondents, mail_space(config))
    try:
        remedies.load(config.dmp_errors)
    except ConfigError as error:
        found.append(error)
    known = declarations()
    for feed_settings in config.feeds:
        found += known[feed_settings.listener].problems(feed_settings.settings)
    return found


def listener_settings() -> dict[str, type[Struct]]:
    """Settings struct of each listener, by name."""
    return {name: declaration.settings for name, declaration in declarations().items()}


def mail_listeners() -> frozenset[str]:
    """Names of the listeners that read mail."""
    return frozenset(name for name, declaration in declarations().items() if declaration.mail)
