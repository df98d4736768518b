"""The letter of one stay under every name that it may have, and what traces tell of it."""

from __future__ import annotations

from typing import Any

from engine.facts import LOG, AnyFact, Document
from tests.ledger.build import document
from tests.ledger.facts import handle
from tests.ledger.test_order import Store
from tests.ledger.test_traces import traced

TXA = handle("txa", 1)
OWN = handle("document", 1)
PLATFORM = handle("platform", 1)  # an uniqueId of the platform's own
ENTRY = handle("entry", 1)
LETTER = document("2026-03-05 15:00", alias=TXA, chain=handle("chain", 1), version=2, hash=handle("sha1", 1))


def take(store: Store, *facts: AnyFact) -> None:
    """Each fact in a message of its own, folded at once."""
    for fact in facts:
        store.record([fact])
        store.fold()


def line(when: str, **more: Any) -> Document:
    """A line of a log about the letter, under a key of its own."""
    return traced(when, LOG, more.pop("key", handle("line", 1)), **more)
