"""The page of the feeds: each against its own habit, what it brought, what could not be read."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.code_words import sentences
from engine.metrics.snapshot import Feed, FeedState
from engine.page.view import View

STATES: Final[dict[FeedState, str]] = {
    "alive": "vivant",
    "late": "en retard",
    "silent": "muet",
    "never": "jamais vu",
}
_ORDER: Final[tuple[FeedState, ...]] = ("silent", "late", "never", "alive")


class Coded(Struct, frozen=True):
    """A code, how often it was given, and what it means and what to do (French; empty for a code that is not known)."""

    code: str
    n: int
    words: str


class Flow(Struct, frozen=True):
    """One feed."""

    feed: Feed
    listener: str
    state: FeedState
    words: str
    silence: float  # seconds since its last message
    rejected: tuple[Coded, ...]
    flags: tuple[Coded, ...]


def flows(view: View) -> list[Flow]:
    """The feeds of the establishment, those that need a look first."""
    settings = {feed.name: feed for feed in view.config.feeds}
    found = []
    for feed in view.snapshot.feeds:
        declared = settings.get(feed.name)
        if declared is None or declared.establishment != view.finess:
            continue
        state = feed.state(view.now)
        found.append(
            Flow(
                feed,
                declared.listener,
                state,
                STATES[state],
                max(0.0, view.now - feed.last_message_at),
                _coded(feed.rejected),
                _coded(feed.flags),
            )
        )
    return sorted(found, key=lambda flow: _ORDER.index(flow.state))


def _coded(counts: dict[str, int]) -> tuple[Coded, ...]:
    known = sentences()
    found = [Coded(code, n, known.get(code, "")) for code, n in counts.items() if n]
    return tuple(sorted(found, key=lambda each: (-each.n, each.code)))


def words(view: View) -> dict[str, object]:
    """Everything the template takes."""
    found = flows(view)
    return {
        "flows": found,
        "states": STATES,
        "counts": {state: sum(flow.state == state for flow in found) for state in _ORDER},
        "rejected": [(flow, each) for flow in found for each in flow.rejected],
        "flags": [(flow, each) for flow in found for each in flow.flags],
    }
