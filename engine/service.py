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
    correspondents_of,
    feed,
    keys_of,
    mail_space,
    open_ledger,
)
from engine.codes import codes, rejections
from engine.config import Config
from engine.correspondents import Correspondents
from engine.errors import ConfigError
from engine.inventory import Inventory
from engine.inventory import load as load_inventory
from engine.ledger.recount import Recount
from engine.listeners.listener import Listener, PlainCounters, declarations
from engine.listeners.server import listen_mend
from engine.metrics import catalogue as catalogues
from engine.metrics import remedies
from engine.metrics.exposition import Exposition
from engine.notify import Notifier
from engine.observer import Observer
from engine.page.help import Help
from engine.page.pages import Pages
from engine.pipeline import Pipeline
from engine.privacy import Digests, Pseudonyms
from engine.renewal import Renewal
from engine.seal import Seal
from engine.web.access import Access
from engine.web.access import problems as web_problems
from engine.web.application import Application
from engine.web.certificate import Certificate
from engine.web.server import Web

_log = structlog.get_logger()

_COLLECT: Final = (50_000, 20, 50)


class Engine:
    """A running engine: ``start``, ``run`` until asked to stop, ``stop``."""

    def __init__(self, config: Config, *, clock: Clock = time.time) -> None:
        """Open everything that needs no port. Raises ConfigError or StoreError: the engine does not start half."""
        self.config = config
        self._clock = clock
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
        logs.allow(["http", *self.counters, *known, *finesses, *self.catalogue.ids, *codes()])
        self.listeners: dict[str, Listener] = {
            f.name: known[f.listener].make(f.name, f.settings, self.pipeline, self.counters[f.name])
            for f in config.feeds
        }
        self.renewal: Renewal | None = None
        if config.correspondents is not None and found is not None:
            self.renewal = Renewal(
                config.correspondents, found, lambda: correspondents_of(config, self.keys), self._renew
            )
        self._looking: asyncio.Task[None] | None = None
        self.observer = Observer(
            config, self.ledger, self.pipeline, self.counters, self.catalogue, self.inventory, self.ready, clock=clock
        )
        self._ready = False
        self.snapshot = self.observer.snapshot(self.correspondents)
        words = remedies.load(config.dmp_errors)
        exposition = Exposition(
            lambda: self.snapshot,
            self.catalogue,
            version=__version__,
            rejection_codes=rejections(),
            flag_codes=sorted(codes().keys() - set(rejections())),
            error_codes=words.codes,
            label_values=config.limits.label_values,
            process=True,
        )
        certificate = Certificate(config.http.tls) if config.http.tls is not None else None
        pages = Pages(lambda: self.snapshot, config, self.catalogue, words, clock=clock)
        application = Application(
            exposition,
            self.ready,
            lambda error: _log.error("page-failed", error=error),
            access=Access(config.http),
            sections=(pages.answer, Help().answer),
        )
        self.web = Web(application, config.http.host, config.http.port, certificate)
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
                listen_mend(error),
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
        notifier = Notifier()
        notifier.ready(f"{len(self.listeners)} feeds; web on port {self.http_port}")
        watching = asyncio.create_task(notifier.watch(self.pipeline.alive))
        await asked.wait()
        watching.cancel()
        notifier.stopping()
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

    def _publish(self) -> None:
        self.snapshot = self.observer.snapshot(self.correspondents)


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
    found += web_problems(config.http)
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
