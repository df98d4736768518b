"""The configuration: one YAML file becomes typed, frozen settings, or an error that names the line and the mend.

Every setting is declared here once: its type, its default, its limits and the sentence that documents it. The reading
itself is in ``engine.strict``, what no single setting can tell (duplicates, references) in ``engine.coherence``, and
``docs/configuration.md`` is made from these declarations by ``engine.manual``. The settings of a feed that belong to
its transport are declared by the listener itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from msgspec import Meta, Struct, field, structs

from engine.coherence import check
from engine.errors import ConfigError
from engine.limits import Limits
from engine.strict import Reader, Variant

Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Finess = Annotated[
    str,
    Meta(
        pattern=r"^[0-9][0-9AB][0-9]{7}$",
        examples=["990000001"],
        extra={"hint": "a FINESS has 9 characters, as in PID-3.4 of your messages: 990000001"},
    ),
]
Endpoint = Annotated[
    str,
    Meta(
        pattern=r"^[^@|]+(@[^@|]*)?$",
        extra={"hint": "APP@FACILITY as in MSH-3 and MSH-4 (MSH-5 and MSH-6), or APP alone for any facility"},
    ),
]
Oid = Annotated[
    str,
    Meta(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$", extra={"hint": "an OID in dotted form: 1.2.250.1.999"}),
]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
ZoneName = Annotated[str, Meta(extra={"vocabulary": "time zone"})]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where people and Prometheus read: /metrics, /healthz, /readyz."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address to listen on. Anything else than 127.0.0.1 shows the rates to the whole network: put a "
            "reverse proxy with authentication in front.",
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="TCP port; 0 lets the system choose a free one.")] = 9464


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


class Indicators(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Choices of counting that the official guides leave open; see docs/rules.md."""

    classes: Annotated[
        tuple[Literal["I", "E", "O", "R", "V", "N"], ...],
        Meta(
            min_length=1,
            description="Classes of stay (PV1-2) that are counted: `I` inpatient, `E` emergency, `O` outpatient, `R` "
            "recurring (séances), `V`, `N`.",
        ),
    ] = ("I",)
    count_test_ins: Annotated[
        bool,
        Meta(
            description="Whether an INS under a test or demonstration root (1.2.250.1.213.1.4.10, .11) counts. Never in production."
        ),
    ] = False
    processing_ids: Annotated[
        tuple[Literal["P", "T", "D"], ...],
        Meta(
            min_length=1,
            description="Values of MSH-11 that are counted: `P` production, `T` training, `D` debugging.",
        ),
    ] = ("P",)
    months: Annotated[
        int,
        Meta(ge=1, le=24, description="Length of the official period: so many complete calendar months before today."),
    ] = 3
    grace_days: Annotated[
        int,
        Meta(
            ge=0,
            le=366,
            description="A document accepted more than so many days after the end of the period is missed as `accepted_late`.",
        ),
    ] = 7
    history_days: Annotated[
        int,
        Meta(
            ge=0,
            le=366,
            description="DS1.4: days after the exit during which a report of an earlier stay may still be accepted.",
        ),
    ] = 30
    attach_days: Annotated[
        int,
        Meta(
            ge=0,
            le=366,
            description="A document without visit number belongs to the patient's last counted stay that ended at most so "
            "many days before it was made.",
        ),
    ] = 30
    answer_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=2_160,
            description="Hours during which an answer of the DMP is still awaited (`awaiting_answer`); afterwards, from the next day, "
            "the document is missed as `not_answered`.",
        ),
    ] = 24
    match_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=720,
            description="A trace that names no document (only a venue or a patient, a type and a time) is tied to the nearest one of that "
            "type not further away than so many hours.",
        ),
    ] = 24
    connection_proof: Annotated[
        Literal["acknowledged", "routed"],
        Meta(
            description="P1.1, P1.3: what proves that an application is connected: a message that it `acknowledged`, or one "
            "merely `routed` to it (when its acknowledgements do not pass through the engine's feed)."
        ),
    ] = "acknowledged"
    freshness_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_660,
            description="P1.1, P1.3: an application not seen for more days is shown as `not seen recently`; it stays counted.",
        ),
    ] = 30
    prescription_codes: Annotated[
        tuple[Code, ...],
        Meta(
            min_length=1,
            description="DS1.2: type codes of a discharge prescription (LOINC, JDV_J07).",
        ),
    ] = ("57833-6", "57828-6", "57832-8")
    published_codes: Annotated[
        tuple[Code, ...],
        Meta(
            min_length=1,
            description="D2.2, D6.1: type codes of the letters, reports and syntheses that should be in the DMP (LOINC, JDV_J07); discharge "
            "prescriptions are added by `prescription_codes`.",
        ),
    ] = ("11490-0", "34112-3", "11488-4", "15507-7", "34874-8", "11502-2", "18748-4", "34133-9")
    targets: Annotated[
        Mapping[str, Ratio],
        Meta(
            description="Targets of the site, by indicator, between 0 and 1 (`DS1.1: 0.6`). Without one the official target is "
            "shown, or `no official target`."
        ),
    ] = field(default_factory=dict)


class Establishment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One establishment whose indicators are computed. There is at least one."""

    finess: Annotated[Finess, Meta(description="FINESS (9 characters, between quotes) as reported to the programme.")]
    name: Annotated[str, Meta(min_length=1, max_length=200, description="Name shown on pages and reports.")]
    time_zone: Annotated[
        ZoneName, Meta(description="IANA time zone: a stay is counted on the local day of its exit.")
    ] = "Europe/Paris"
    identity_domain: Annotated[
        str,
        Meta(
            max_length=64,
            description="Establishments with the same value share patient and visit numbers (GHT with one identity "
            "reference). Empty: the FINESS, that is to say numbers of its own.",
        ),
    ] = ""
    identity_authorities: Annotated[
        tuple[Code, ...],
        Meta(
            description="Assigning authorities (PID-3.4: name, OID or FINESS) whose numbers are the establishment's own. Empty: "
            "every authority is."
        ),
    ] = ()
    encounter_roots: Annotated[
        tuple[Oid, ...],
        Meta(
            description="Roots under which a CDA's encompassingEncounter/id is a visit number of this establishment. Empty: "
            "never used (many senders put another number there)."
        ),
    ] = ()
    external_senders: Annotated[
        tuple[Endpoint, ...],
        Meta(
            description="Senders (MSH-3@MSH-4) whose documents are not the establishment's own: external laboratory ..."
        ),
    ] = ()
    theatre_units: Annotated[
        tuple[Code, ...],
        Meta(description="DS1.3: codes of the functional units (ZBE-7) of the operating theatre."),
    ] = ()
    theatre_applications: Annotated[
        tuple[Endpoint, ...],
        Meta(description="DS1.3: applications (MSH-3@MSH-4) whose orders and appointments are operations."),
    ] = ()
    proof: Annotated[
        Literal["accepted", "taken", "sent"],
        Meta(
            description="What proves that a document feeds the DMP, for the rates under their plain names: `accepted` (the DMP said "
            "yes), `taken` (the platform acknowledged it) or `sent` (it was asked for). The rates by each proof are published beside, "
            "under names of their own."
        ),
    ] = "accepted"
    targets: Annotated[
        Mapping[str, Ratio],
        Meta(description="Targets of this establishment, by indicator; they win over `indicators.targets`."),
    ] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """Scope of the establishment's patient and visit numbers."""
        return self.identity_domain or self.finess


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
    path: Path | str, listeners: Mapping[str, type[Struct]], indicators: Collection[str] = ()
) -> tuple[Config | None, list[ConfigError]]:
    """The configuration, and every fault of the file by line: exactly one of the two is there.

    ``listeners``: name of each transport -> struct of its settings. ``indicators``: the known codes, to check targets
    (none: their form only).
    """
    reader = Reader(
        Path(path),
        vocabularies={"time zone": _zones(), "listener": listeners},
        variants={Feed: Variant(selector="listener", into="settings", choices=listeners)},
    )
    config = reader.read(Config)
    if isinstance(config, Config):
        config = structs.replace(config, file=Path(path).absolute())
        check(config, reader, indicators)
    errors = sorted(reader.errors, key=lambda error: error.line)
    return (None, errors) if errors or not isinstance(config, Config) else (config, [])


def problems(
    path: Path | str, listeners: Mapping[str, type[Struct]], indicators: Collection[str] = ()
) -> list[ConfigError]:
    """Every fault of the file, in the order of its lines; empty when it can be loaded."""
    return read(path, listeners, indicators)[1]


def load(path: Path | str, listeners: Mapping[str, type[Struct]], indicators: Collection[str] = ()) -> Config:
    """The configuration. Raises the first :class:`ConfigError` of the file, if there is one."""
    config, errors = read(path, listeners, indicators)
    if config is None:
        raise errors[0]
    return config
