"""Facts in any order, twice, or late give the same state."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from engine.facts import AnyFact
from engine.ledger import tallies, totals
from engine.ledger.book import encode
from engine.ledger.journal import Entry
from engine.ledger.ledger import Ledger
from engine.metrics.measures import Measure
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import Directory, EstablishmentRules, RuleSettings
from tests.ledger.facts import FINESS, facts, handle

SETTINGS = RuleSettings(
    directory=Directory(
        names={handle("address", 1): handle("known", 1), handle("correspondent", 1): handle("known", 1)},
        equipped=frozenset({handle("known", 1)}),
    ),
    establishments={
        FINESS: EstablishmentRules(theatre_units=frozenset({"BLOC"}), theatre_applications=frozenset({"BLOC"}))
    },
)
KEYS = {"pseudonyms": b"12345678"}


class Store:
    """A ledger in a folder of its own."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "jauge.db"
        self.ledger = Ledger(self.path, SETTINGS, KEYS)
        self._number = 0

    def record(self, found: list[AnyFact]) -> None:
        """One message."""
        self._number += 1
        self.ledger.record([Entry("his", 1, b"c%d" % self._number, b"x", encode(found), 1)])

    def fold(self, limit: int = 1_000) -> None:
        """Fold at most so many messages."""
        self.ledger.fold(limit)

    def reopen(self) -> None:
        """Close and open again, as after a restart."""
        self.ledger.close()
        self.ledger = Ledger(self.path, SETTINGS, KEYS)

    def tallies(self) -> Counter[Verdict]:
        """What is counted."""
        return tallies.stored(self.ledger._connection)

    def totals(self) -> Counter[Measure]:
        """What is counted of the submissions, as it is now: the tops remember what was once believed, and may differ."""
        return totals.stored(self.ledger._connection)

    def registers(self) -> dict[tuple[str, str], int]:
        """What is known of the applications."""
        return dict(self.ledger.book.applications.registers)

    def close(self) -> None:
        """Let go of the folder."""
        self.ledger.close()
        self._folder.cleanup()


class AnyOrder(RuleBasedStateMachine):
    """Two ledgers take the same messages: one as they come, one late, in another order, twice, across restarts."""

    messages = Bundle("messages")

    @initialize()
    def open(self) -> None:
        """Two empty stores."""
        self.plain, self.other = Store(), Store()
        self.late: list[list[AnyFact]] = []
        self.sent: list[list[AnyFact]] = []

    @rule(target=messages, found=st.lists(facts, min_size=1, max_size=4))
    def send(self, found: list[AnyFact]) -> list[AnyFact]:
        """A message comes to both."""
        self.plain.record(found)
        self.plain.fold()
        self.other.record(found)
        self.sent.append(found)
        return found

    @rule(found=st.lists(facts, min_size=1, max_size=4))
    def delay(self, found: list[AnyFact]) -> None:
        """A message comes to one now, to the other much later."""
        self.plain.record(found)
        self.plain.fold()
        self.late.append(found)
        self.sent.append(found)

    @rule(found=messages)
    def repeat(self, found: list[AnyFact]) -> None:
        """The other gets the same facts again, under another control id."""
        self.other.record(found)

    @rule(limit=st.integers(1, 3))
    def fold(self, limit: int) -> None:
        """The other folds some of what it has."""
        self.other.fold(limit)

    @rule()
    def restart(self) -> None:
        """The other is stopped and started again."""
        self.other.reopen()

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """What was late comes, in another order."""
        for found in data.draw(st.permutations(self.late)):
            self.other.record(found)
        self.late.clear()

    @invariant()
    def equal_when_all_is_there(self) -> None:
        """Once everything came and was folded, both say the same, and a recount agrees."""
        if not getattr(self, "sent", None) or self.late:
            return
        self.other.fold()
        assert self.other.tallies() == self.plain.tallies()
        assert self.other.totals() == self.plain.totals()
        assert self.other.registers() == self.plain.registers()

    def teardown(self) -> None:
        """Everything comes at last; a store that takes it all backwards says the same too."""
        if not hasattr(self, "plain"):
            return
        backwards = Store()
        try:
            for found in reversed(self.late):
                self.other.record(found)
            self.other.fold()
            for found in reversed(self.sent):
                backwards.record(list(reversed(found)))
            backwards.fold()
            assert self.other.tallies() == self.plain.tallies() == backwards.tallies()
            assert self.other.totals() == self.plain.totals() == backwards.totals()
            assert self.plain.ledger.audit() == []
            assert self.other.ledger.audit() == []
        finally:
            for store in (self.plain, self.other, backwards):
                store.close()


AnyOrder.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnyOrder = AnyOrder.TestCase
