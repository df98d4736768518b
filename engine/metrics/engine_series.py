"""The series of the feeds, of the store and of the engine's certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from engine.metrics import engine_families as f
from engine.metrics.bounds import OTHER
from engine.metrics.family import Family
from engine.metrics.snapshot import Feed, Snapshot
from engine.metrics.text import Histograms, Values, add, alone, most

Admit = Callable[[str, str], str]
"""Label and value -> the value, or ``other`` where there are too many."""

_COUNTS: Final[tuple[tuple[Family, Callable[[Feed], int]], ...]] = (
    (f.FEED_CONNECTIONS, lambda feed: feed.connections),
    (f.CONNECTIONS_REFUSED, lambda feed: feed.turned_away),
    (f.CONNECTIONS_IDLE, lambda feed: feed.idle_closed),
    (f.TLS_FAILURES, lambda feed: feed.tls_failed),
    (f.JUNK_BYTES, lambda feed: feed.junk_bytes),
)


def feeds(
    found: Sequence[Feed], rejections: Sequence[str], flags: Sequence[str], admit: Admit
) -> Iterator[tuple[Family, Values]]:
    """What each feed received; ``rejections`` and ``flags`` are the closed lists of codes, shown from 0."""
    yield _per_feed(f.MESSAGES_RECEIVED, found, lambda feed: feed.received, admit)
    yield _per_code(f.MESSAGES_REJECTED, ((feed.name, feed.rejected) for feed in found), rejections, admit)
    yield _per_feed(f.MESSAGES_DUPLICATE, found, lambda feed: feed.duplicate, admit)
    yield _per_feed(f.CONTROL_IDS_REUSED, found, lambda feed: feed.reused_control_id, admit)
    yield _per_feed(f.MESSAGES_NOT_PRODUCTION, found, lambda feed: feed.not_production, admit)
    yield _per_code(f.MESSAGE_FLAGS, ((feed.name, feed.flags) for feed in found), flags, admit)
    last: Values = {}
    limits: Values = {}
    for feed in found:
        key = (admit("feed", feed.name),)
        most(last, key, feed.last_message_at)
        most(limits, key, feed.silence_limit)
    yield f.FEED_LAST, last
    yield f.FEED_SILENCE_LIMIT, limits
    for family, count in _COUNTS:
        yield _per_feed(family, found, count, admit)


def engine(snapshot: Snapshot, admit: Admit) -> Iterator[tuple[Family, Values | Histograms]]:
    """What the engine tells of itself."""
    for family, state in ((f.PARSE_SECONDS, snapshot.parse), (f.COMMIT_SECONDS, snapshot.commit)):
        histogram: Histograms = {(): state}
        yield family, histogram
    yield f.LEDGER_PENDING, alone(snapshot.pending)
    yield f.LEDGER_DROPPED, alone(snapshot.facts_dropped)
    yield f.ASIDE_MESSAGES, alone(snapshot.aside)
    yield f.ASIDE_BYTES, alone(snapshot.aside_bytes)
    named = [(admit("certificate", role), at) for role, at in snapshot.certificates.items()]
    expiries: Values = {(role,): at for role, at in named if role != OTHER}
    yield f.CERTIFICATE_EXPIRY, expiries
    yield f.READY, alone(int(snapshot.ready))
    yield f.STORE_SIZE, alone(snapshot.store_bytes)
    yield f.STORE_FREE, alone(snapshot.free_bytes)


def _per_feed(
    family: Family, found: Iterable[Feed], count: Callable[[Feed], int], admit: Admit
) -> tuple[Family, Values]:
    values: Values = {}
    for feed in found:
        add(values, (admit("feed", feed.name),), count(feed))
    return family, values


def _per_code(
    family: Family, found: Iterable[tuple[str, dict[str, int]]], known: Iterable[str], admit: Admit
) -> tuple[Family, Values]:
    values: Values = {}
    for name, counts in found:
        feed = admit("feed", name)
        for code in known:
            add(values, (feed, code), 0)
        for code, count in counts.items():
            add(values, (feed, admit("code", code)), count)
    return family, values
