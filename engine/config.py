"""The configuration: one YAML file becomes typed, frozen settings, or an error that names the line and the mend.

Every setting is declared once, here and in ``engine.choices``, ``engine.establishment`` and ``engine.limits``: its type,
its default, its limits and the sentence that documents it. The reading itself is in ``engine.strict``, what no single
setting can tell (duplicates, references) in ``engine.coherence``, and ``docs/configuration.md`` is made from these declarations by ``engine.manual``. The settings of a feed that belong to
its transport are declared by the listener itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from msgspec import Meta, Struct, field, structs

from engine.choices import Indicators
from engine.coherence import check
from engine.errors import ConfigError
from engine.establishment import Establishment
from engine.evidence.settings import TEST_ADDRESS, Ps41
from engine.limits import Limits
from engine.scalars import Address, Domain, Finess
from engine.strict import Reader, Variant
from engine.web.settings import Http


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the engine says of itself, on standard error. Never a value from a message."""

    format: Annotated[
        Literal["console", "json"],
        Meta(description="`console` for people, `json` (one object a line) for a log collector."),
    ] = "console"
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least severe events that are written."),
    ] = "info"


class Mssante(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of the MSSanté addresses, for every establishment; see docs/mail.md."""

    trusted_domains: Annotated[
        tuple[Domain, ...],
        Meta(
            description="Domains of the trust space that do not end in `.mssante.fr`: their mailboxes are professional too."
        ),
    ] = ()
    test_addresses: Annotated[
        tuple[Address, ...],
        Meta(description="Addresses to which nothing is counted. Keep the national one in a list of your own."),
    ] = (TEST_ADDRESS,)


class Feed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One flow that is listened to. The settings of its listener are written in the same entry."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9_-]{0,39}$",
            description="Name of the feed: the label `feed` of the metrics. Keep it for ever: the ledger remembers it.",
            extra={"hint": "small letters, digits, - and _, 40 at most, a letter first: his, lab-results"},
        ),
    ]
    listener: Annotated[
        str, Meta(description="Transport. Each has settings of its own, below.", extra={"vocabulary": "listener"})
    ]
    establishment: Annotated[Finess, Meta(description="FINESS of the establishment, declared under `establishments`.")]
    time_zone: Annotated[
        str,
        Meta(
            description="IANA time zone of the sender's local times (HL7 times without offset). Empty: the establishment's.",
            extra={"vocabulary": "time zone"},
        ),
    ] = ""
    unreadable: Annotated[
        Literal["put_aside", "refuse"],
        Meta(
            description="What becomes of a message that cannot be read: `put_aside` (kept sealed, acknowledged: the interface "
            "engine never retries for ever) or `refuse` (negative acknowledgement). Counted either way."
        ),
    ] = "put_aside"
    submission_set_code: Annotated[
        str,
        Meta(
            max_length=64,
            description="Code (OBX-3.1) of the OBX in which the platform writes the submission set id (OID) into a document message: it ties "
            "an ATNA audit message to the document. Empty: the messages hold none.",
        ),
    ] = ""
    settings: Annotated[Struct, Meta(extra={"read": False})]


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a person decides. Paths are absolute once loaded; in the file they are relative to the file."""

    file: Annotated[Path, Meta(extra={"read": False})] = Path("jauge.yaml")
    store: Annotated[
        Path,
        Meta(
            description="The ledger: one SQLite file (and its -wal and -shm). On a local disk, never a network share."
        ),
    ]
    keys: Annotated[
        Path,
        Meta(
            description="Folder of the key files, made at the first start (files 0400). Back it up apart from the store: "
            "without the keys the store is of no use, and nobody can turn pseudonyms back."
        ),
    ]
    inventory: Annotated[
        Path | None,
        Meta(
            description="Inventory of the applications (P1.1, P1.3), a CSV file. Empty: those two are not computed.",
            extra={"exists": "file"},
        ),
    ] = None
    correspondents: Annotated[
        Path | None,
        Meta(
            description="Directory of the correspondents (D6.2, D6.3, DS4.1): a CSV file, or the national extract of MSSanté mailboxes. Empty: "
            "every professional address that is used is a correspondent of its own.",
            extra={"exists": "file"},
        ),
    ] = None
    dmp_errors: Annotated[
        Path | None,
        Meta(
            description="Error codes of your DMP platform, a YAML file of the same form as the shipped `dmp-errors.yaml`: label and advice of "
            "each, added to the shipped ones. Empty: the shipped ones alone.",
            extra={"exists": "file"},
        ),
    ] = None
    http: Http = field(default_factory=Http)
    log: Log = field(default_factory=Log)
    limits: Limits = field(default_factory=Limits)
    indicators: Indicators = field(default_factory=Indicators)
    mssante: Mssante = field(default_factory=Mssante)
    ps41: Ps41 = field(default_factory=Ps41)
    establishments: Annotated[tuple[Establishment, ...], Meta(min_length=1)]
    feeds: Annotated[tuple[Feed, ...], Meta(min_length=1)]

    def establishment(self, finess: str) -> Establishment:
        """The establishment of that FINESS. Raises KeyError when it is not declared (``load`` refuses such a file)."""
        for establishment in self.establishments:
            if establishment.finess == finess:
                return establishment
        raise KeyError(finess)

    def zone(self, feed: Feed) -> str:
        """IANA name of the time zone of the feed's local times: its own, else its establishment's."""
        return feed.time_zone or self.establishment(feed.establishment).time_zone

    def target(self, indicator: str, finess: str) -> float | None:
        """Target set by the site (0 to 1), None when it set none: the establishment's own first."""
        own = self.establishment(finess).targets
        return own.get(indicator, self.indicators.targets.get(indicator))


_zones = cache(available_timezones)  # reads the whole time zone database: once


def read(
    path: Path | str,
    listeners: Mapping[str, type[Struct]],
    indicators: Collection[str] = (),
    mail: Collection[str] = (),
) -> tuple[Config | None, list[ConfigError]]:
    """The configuration, and every fault of the file by line: exactly one of the two is there.

    ``listeners``: name of each transport -> struct of its settings. ``indicators``: the known codes, to check targets
    (none: their form only). ``mail``: the transports that read mail, whose establishment must tell its domains.
    """
    reader = Reader(
        Path(path),
        vocabularies={"time zone": _zones(), "listener": listeners},
        variants={Feed: Variant(selector="listener", into="settings", choices=listeners)},
    )
    config = reader.read(Config)
    if isinstance(config, Config):
        config = structs.replace(config, file=Path(path).absolute())
        check(config, reader, indicators, mail)
    errors = sorted(reader.errors, key=lambda error: error.line)
    return (None, errors) if errors or not isinstance(config, Config) else (config, [])


def problems(
    path: Path | str,
    listeners: Mapping[str, type[Struct]],
    indicators: Collection[str] = (),
    mail: Collection[str] = (),
) -> list[ConfigError]:
    """Every fault of the file, in the order of its lines; empty when it can be loaded."""
    return read(path, listeners, indicators, mail)[1]


def load(
    path: Path | str,
    listeners: Mapping[str, type[Struct]],
    indicators: Collection[str] = (),
    mail: Collection[str] = (),
) -> Config:
    """The configuration. Raises the first :class:`ConfigError` of the file, if there is one."""
    config, errors = read(path, listeners, indicators, mail)
    if config is None:
        raise errors[0]
    return config
