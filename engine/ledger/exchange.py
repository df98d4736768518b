"""An exchange: everything sent under one key, and what was answered to it.

A key is (sender, control id) of an HL7 message, a submission set, a MessageID, or the id of a document.

A control id may be used again for another message, so an answer belongs to the latest sending that is not later than it
(hl7v2 chapter 2; CI-SIS ZAM: OBX-4 carries the control id of the document message and nothing else).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from engine.facts import Outcome

# A sender that never changes its control id must not make one exchange grow for ever: the latest answers are enough.
# Keeping the greatest of a set does not depend on the order of arrival.
MOST: Final = 64


class Send(Struct, frozen=True, array_like=True, order=True):
    """One sending under the exchange's key: when, and a handle of the patient it is about."""

    at: int
    anchor: bytes


class Exchange(Struct, array_like=True):
    """Sendings and answers of one key, each a sorted tuple without repetition.

    ``watchers``: lines of a log that name the key of an HL7 message and sent nothing under it. Where the message itself was not
    seen, what was answered to it is an answer to them.
    """

    sends: tuple[Send, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    watchers: tuple[Send, ...] = ()

    def with_send(self, send: Send) -> Exchange:
        """The same exchange with one more sending; itself when nothing is new."""
        if send in self.sends:
            return self
        return Exchange(tuple(sorted({*self.sends, send})[-MOST:]), self.outcomes, self.watchers)

    def with_outcome(self, outcome: Outcome) -> Exchange:
        """The same exchange with one more answer; itself when nothing is new."""
        if outcome in self.outcomes:
            return self
        outcomes = tuple(sorted({*self.outcomes, outcome}, key=_outcome_order)[-MOST:])
        return Exchange(self.sends, outcomes, self.watchers)

    def with_watcher(self, watcher: Send) -> Exchange:
        """The same exchange with one more line that names it; itself when nothing is new."""
        if watcher in self.watchers:
            return self
        return Exchange(self.sends, self.outcomes, tuple(sorted({*self.watchers, watcher})[-MOST:]))

    def anchors(self) -> set[bytes]:
        """Handles of the patients that an answer concerns."""
        return {one.anchor for one in (*self.sends, *self.watchers)}

    def answers(self, at: int) -> list[Outcome]:
        """The answers that belong to the sending of that instant, by time."""
        times = [send.at for send in self.sends]
        return [outcome for outcome in self.outcomes if _answered(times, outcome.at) == at]

    def watched(self, at: int) -> list[Outcome]:
        """The answers that a line of that instant may take for its own, by time."""
        times = [one.at for one in (*self.sends, *self.watchers)]
        return [outcome for outcome in self.outcomes if _answered(times, outcome.at) == at]


def _answered(times: Iterable[int], at: int) -> int | None:
    earlier = [time for time in times if time <= at]
    return max(earlier) if earlier else min(times, default=None)


def _outcome_order(outcome: Outcome) -> tuple[int, str, bool, str, bytes, str, str, str]:
    return (
        outcome.at,
        outcome.layer,
        outcome.accepted,
        outcome.code,
        outcome.recipient or b"",
        outcome.sender,
        outcome.trace,
        outcome.warning,
    )
