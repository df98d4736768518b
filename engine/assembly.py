"""What a configuration makes: the settings of the rules, what reads a feed, the ledger. Like the service, it knows everyone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

import structlog
from msgspec import structs

from engine import correspondents
from engine.config import Config
from engine.config import Feed as FeedSettings
from engine.correspondents import Correspondents
from engine.evidence.standing import Standings
from engine.feed import Feed
from engine.inventory import Inventory
from engine.ledger.ledger import Ledger, known_keys
from engine.ledger.schema import StoreError
from engine.listeners.listener import Declaration
from engine.metrics import existence, periods, values
from engine.metrics.projection import RECENT_DAYS, SETTLING_DAYS
from engine.metrics.settings import Directory, EstablishmentRules, RuleSettings
from engine.metrics.snapshot import Directory as DirectoryValue
from engine.parsers.addresses import Space
from engine.parsers.context import Context
from engine.parsers.dtm import Zone
from engine.parsers.format import whole
from engine.privacy import Digests, Keys, Pseudonyms, open_keys
from engine.seal import Seal
from engine.standing import Standing

_log = structlog.get_logger()

Clock = Callable[[], float]

_DAY: Final = 86_400


def rule_settings(config: Config, directory: Directory | None = None) -> RuleSettings:
    """What the rules need of a configuration, and of its directory of correspondents."""
    choices = config.indicators
    return RuleSettings(
        classes=frozenset(choices.classes),
        count_test_ins=choices.count_test_ins,
        grace_days=choices.grace_days,
        history_days=choices.history_days,
        attach_days=choices.attach_days,
        answer_hours=choices.answer_hours,
        match_hours=choices.match_hours,
        message_days=choices.message_days,
        prescription_codes=frozenset(choices.prescription_codes),
        published_codes=frozenset(choices.published_codes),
        establishments={
            e.finess: EstablishmentRules(
                time_zone=e.time_zone,
                theatre_units=frozenset(e.theatre_units),
                theatre_applications=frozenset(e.theatre_applications),
                external_senders=frozenset(e.external_senders),
                proof=e.proof,
            )
            for e in config.establishments
        },
        directory=directory or Directory(),
    )


def mail_space(config: Config) -> Space:
    """Whose mail addresses are whose."""
    return Space(
        own=frozenset(domain for e in config.establishments for domain in e.mssante_domains),
        trusted=frozenset(config.mssante.trusted_domains),
        tests=frozenset(config.mssante.test_addresses),
    )


def correspondents_of(config: Config, keys: Keys) -> Correspondents:
    """The correspondents of a configuration; none without their file. Raises ConfigError when it is no such file."""
    if config.correspondents is None:
        return Correspondents()
    found = correspondents.load(config.correspondents, Pseudonyms(keys.pseudonyms).maker, mail_space(config))
    if found.faults:
        _log.warning("correspondents-faults", count=found.faults)
    return found


def feed_context(config: Config, feed: FeedSettings, pseudonyms: Pseudonyms) -> Context:
    """What the parsers need to know of a feed."""
    establishment = config.establishment(feed.establishment)
    return Context(
        establishment=establishment.finess,
        domain=establishment.domain,
        pseudonym=pseudonyms.of,
        zone=Zone(config.zone(feed)),
        authorities=frozenset(establishment.identity_authorities),
        encounter_roots=frozenset(establishment.encounter_roots),
        max_document_bytes=config.limits.document_bytes,
        submission_set_code=feed.submission_set_code.upper(),
        sha1=any(f.listener == "logs" for f in config.feeds),
        mail=mail_space(config),
    )


def feed(
    config: Config, settings: FeedSettings, listener: Declaration, pseudonyms: Pseudonyms, digests: Digests, seal: Seal
) -> Feed:
    """What reads the payloads of a feed."""
    found = Feed(
        settings.name,
        feed_context(config, settings, pseudonyms),
        digests,
        seal,
        settings.unreadable,
        frozenset(config.indicators.processing_ids),
    )
    if listener.parse is None:
        return found
    return structs.replace(found, parse=listener.parse(settings.settings), split=whole)


def open_ledger(
    config: Config,
    keys: Keys,
    *,
    directory: Directory | None = None,
    read_only: bool = False,
    clock: Clock = time.time,
) -> Ledger:
    """The ledger of a configuration, judged with its directory of correspondents (read again unless it is given)."""
    if directory is None:
        directory = correspondents_of(config, keys).directory
    today = min(periods.today_of(clock(), e.time_zone) for e in config.establishments)
    windows = periods.windows(today, config.indicators.months)
    recent = today - config.indicators.freshness_days  # P4.3
    settled = today - RECENT_DAYS - SETTLING_DAYS  # where a period is heading
    return Ledger(
        config.store,
        rule_settings(config, directory),
        keys.ids(),
        first_day=min(recent, settled, *(window.first for window in windows)),
        aside_bytes=config.limits.aside_bytes,
        read_only=read_only,
        clock=clock,
    )


def keys_of(config: Config) -> Keys:
    """The keys, made at the first start; they must be those the store was written with."""
    return open_keys(config.keys, known_keys(config.store))


def read_ledger(config: Config) -> tuple[Ledger, Keys]:
    """The ledger, for reading only: beside a running engine or without one. Makes nothing."""
    return read_store(config)[:2]


def read_store(config: Config) -> tuple[Ledger, Keys, Correspondents]:
    """The ledger, for reading only, and the directory of correspondents that it is judged with."""
    if not config.store.exists():
        raise StoreError(
            f"{config.store}: there is no store here; start the engine once, or name another configuration than {config.file} (--config)"
        )
    keys = keys_of(config)
    found = correspondents_of(config, keys)
    return open_ledger(config, keys, directory=found.directory, read_only=True), keys, found


def connections_of(config: Config, ledger: Ledger, inventory: Inventory, now: float) -> values.Connections:
    """What the flows show of the applications."""
    return values.Connections(
        dict(ledger.book.applications.registers),
        inventory,
        proof=config.indicators.connection_proof,
        count_test_ins=config.indicators.count_test_ins,
        fresh_since=int(now) - config.indicators.freshness_days * _DAY,
    )


def seen_of(config: Config, found: Correspondents, now: float) -> existence.Seen:
    """What the indicators that are met or not depend on, beside the tallies."""
    choices = config.indicators
    return existence.Seen(int(now), found.updated_at, choices.directory_days, choices.freshness_days)


def directory_of(found: Correspondents, unknown: dict[str, int]) -> DirectoryValue:
    """The directory as it is shown. ``unknown``: FINESS -> addresses written to that it does not know."""
    return DirectoryValue(found.equipped, found.count - found.equipped, found.updated_at, found.faults, unknown)


def standings_of(config: Config) -> Standings:
    """Where each establishment stands with PS4.1, as its register tells."""
    return Standings(config.ps41.folder or config.store.parent / "ps41", config.ps41)


def proofs_of(standings: Iterable[Standing]) -> dict[str, Standing]:
    """The same by FINESS. An establishment that sends no test is not in it."""
    return {each.establishment: each for each in standings}
