"""What the engine shows of itself at one instant: everything `/metrics` needs, and nothing that grows with the stays.

The service makes a new :class:`Snapshot` (after a commit, at most once a second) and puts it where the exposition finds
it. Nothing in it changes afterwards, so another thread may render it while the event loop works. It carries counts and
names from the configuration; never a pseudonym, never a value from a message, except the names of applications
(MSH-3/MSH-4), which the exposition bounds.

All times are whole seconds since 1970-01-01 UTC; ``0`` means never.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct, field

from engine.standing import Standing

WindowName = Literal["official", "rolling"]
"""The two windows of docs/rules.md, section 6."""

Reference = Literal["identity", "movement"]
"""The two references an application may be connected to: identities (P1.1), stays and movements (P1.3)."""

FeedState = Literal["never", "alive", "late", "silent"]
"""A feed against its own habit (:meth:`Feed.state`)."""

SILENT: Final = 3
"""A feed is silent, and no longer only late, past so many times its limit of silence (config/prometheus/alerts-feeds.yml says the same)."""


class IndicatorValue(Struct, frozen=True):
    """One indicator of one establishment over one window: ``denominator == numerator + sum(missed.values())``."""

    indicator: str  # id of config/indicators.yaml: "DS1.1", "DS1.1_sent" ...
    establishment: str  # FINESS
    window: WindowName
    numerator: int
    denominator: int
    missed: dict[str, int] = field(default_factory=dict)  # reason -> count; a reason that is absent counts 0
    rejected: dict[str, int] = field(default_factory=dict)  # those missed as rejected, by code of refusal

    @property
    def ratio(self) -> float | None:
        """Numerator over denominator, from 0 to 1, unrounded; None when there is nothing to measure."""
        return self.numerator / self.denominator if self.denominator else None


class ApplicationValue(Struct, frozen=True):
    """One line of the inventory seen from one reference (docs/rules.md, section 5: P1.1 and P1.3)."""

    application: str  # name in config/applications.csv
    reference: Reference
    connected: bool  # observed or declared
    declared: bool = False  # the inventory says so
    observed: bool = False  # a message sent to one of its endpoints was acknowledged
    last_seen: int = 0  # latest message to or from one of its endpoints
    ins_able: bool = False
    ins_proof: Literal["observed", "declared", ""] = ""
    in_scope: bool = True  # counted in the denominator of the reference's indicator
    establishment: str = ""  # FINESS
    recent: bool = False  # seen within the freshness window; a quiet application stays connected


class Feed(Struct, frozen=True):
    """Counters of one feed. Those of messages are in the store and go on across starts; those of connections begin at 0."""

    name: str  # its name in config/jauge.yaml
    received: int = 0  # every message handed in by the listener, duplicates and unreadable ones included
    duplicate: int = 0
    reused_control_id: int = 0
    not_production: int = 0  # read, but MSH-11 is not one of indicators.processing_ids
    last_message_at: int = 0
    connections: int = 0  # open now
    rejected: dict[str, int] = field(default_factory=dict)  # code of a ParseError or of a refusal -> count
    flags: dict[str, int] = field(default_factory=dict)  # code of a Flag -> count
    turned_away: int = 0  # connections: too many
    idle_closed: int = 0
    tls_failed: int = 0
    junk_bytes: int = 0  # outside any message
    silence_limit: int = 0  # seconds: a longer silence is unusual at these hours of the week; 0 when no habit is known

    def state(self, now: float) -> FeedState:
        """How it stands against its own habit: ``late`` past its limit of silence, ``silent`` past :data:`SILENT` times that."""
        if not self.last_message_at:
            return "never"
        silence = now - self.last_message_at
        if not self.silence_limit or silence <= self.silence_limit:
            return "alive"
        return "late" if silence <= SILENT * self.silence_limit else "silent"


class WindowBounds(Struct, frozen=True):
    """The instants a window covers for one establishment: ``start`` included, ``stop`` not."""

    establishment: str
    window: WindowName
    start: int
    stop: int


class HistogramState(Struct, frozen=True):
    """Copy of a histogram: ``counts[i]`` observations at most ``bounds[i]``, the last one above every bound."""

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = (0,)  # not cumulative; one more than bounds
    total: float = 0.0  # sum of what was observed, same unit as the bounds

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)


class Submissions(Struct, frozen=True):
    """What one establishment submitted to the DMP, whatever traces it left, and mailed. Counters, but for ``unnamed``; delays in seconds."""

    establishment: str  # FINESS
    submissions: int = 0
    responses: dict[str, int] = field(default_factory=dict)  # accepted, refused, failed -> count
    errors: dict[str, int] = field(default_factory=dict)  # code of a refusal or of a failure -> count
    contradictions: int = 0
    unnamed: int = 0  # accepted submissions of a document that no trace names, now
    publication: HistogramState = (
        HistogramState()
    )  # from the exit of the stay to the DMP's first acceptance of the report
    answer: HistogramState = HistogramState()  # from the sending to the DMP's answer
    mails: dict[str, int] = field(default_factory=dict)  # category of the recipient -> sendings
    mail_outcomes: dict[str, int] = field(default_factory=dict)  # delivered, refused, read -> sendings
    mail_errors: dict[str, int] = field(default_factory=dict)  # code of a refusal -> sendings
    mail_xdm: dict[str, int] = field(default_factory=dict)  # valid, flawed, unreadable, none -> sendings


class Directory(Struct, frozen=True):
    """The directory of correspondents (docs/rules.md section 8)."""

    equipped: int = 0  # correspondents with a professional MSSanté address
    unequipped: int = 0
    updated_at: int = 0  # when its file was last written
    faults: int = 0  # lines of it that were left out
    unknown: dict[str, int] = field(
        default_factory=dict
    )  # FINESS -> professional addresses written to that it does not know


class Snapshot(Struct, frozen=True):
    """Everything the engine shows, at one instant."""

    taken_at: float = 0.0  # seconds since 1970-01-01 UTC
    day: int = 0  # local day the windows were computed for (proleptic ordinal of datetime.date)
    indicators: tuple[IndicatorValue, ...] = ()
    applications: tuple[ApplicationValue, ...] = ()
    unlisted: tuple[str, ...] = ()  # "APP@FACILITY" seen in the flows, absent from the inventory
    feeds: tuple[Feed, ...] = ()
    targets: dict[tuple[str, str], float] = field(default_factory=dict)  # set by the site: (indicator, establishment)
    pending: int = 0  # messages on disk and acknowledged, not yet counted
    aside: int = 0  # messages kept sealed because they could not be read
    aside_bytes: int = 0
    commit: HistogramState = HistogramState()  # seconds of one commit (a whole batch)
    parse: HistogramState = HistogramState()  # seconds of one message, bytes to facts
    label_values_dropped: int = 0  # label values put together as "other" before the snapshot, since the start
    started_at: float = 0.0
    windows: tuple[WindowBounds, ...] = ()
    facts_dropped: int = 0  # since the start
    submissions: tuple[Submissions, ...] = ()  # one for each establishment
    directory: Directory = Directory()
    standings: tuple[Standing, ...] = ()  # PS4.1, one for each establishment that is configured for it
    official: dict[tuple[str, str], bool] = field(
        default_factory=dict
    )  # (indicator, establishment) -> met, says the programme
    names: dict[str, str] = field(default_factory=dict)  # establishment -> its name in the configuration
    proofs: dict[str, str] = field(
        default_factory=dict
    )  # establishment -> what it takes as proof: accepted, taken or sent
    projected: dict[tuple[str, str], float] = field(
        default_factory=dict
    )  # (indicator, establishment) -> ratio at the end of the month, if the days to come are like the last ones
    certificates: dict[str, int] = field(default_factory=dict)  # role in the configuration -> when it expires
    ready: bool = False  # messages can be acknowledged
    store_bytes: int = 0  # of the ledger's files
    free_bytes: int = 0  # left on its disk
