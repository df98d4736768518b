"""The indicators that are met or not (docs/rules.md section 8): D6.2, P4.3, PS3.2 and PS4.1, each a rate of one.

Pure functions of what was seen, of the directory of correspondents and of a day. The official values are shown beside, never mixed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from engine.ledger.tallies import Sums
from engine.metrics.periods import Window
from engine.metrics.snapshot import IndicatorValue
from engine.standing import Standing

NO_DIRECTORY: Final = "no_directory"
DIRECTORY_OLD: Final = "directory_old"
NO_MAIL_SEEN: Final = "no_mail_seen"
NO_TEST: Final = "no_test"
NO_REPLY: Final = "no_reply"
NO_MAILBOX: Final = "no_mailbox"
PROOF_OLD: Final = "proof_old"

WAY: Final = (NO_DIRECTORY, DIRECTORY_OLD, NO_MAIL_SEEN, NO_TEST, NO_REPLY, NO_MAILBOX, PROOF_OLD)
INDICATORS: Final = ("D6.2", "P4.3", "PS3.2", "PS4.1")

_DAY: Final = 86_400


class Seen(Struct, frozen=True):
    """What the answers depend on, beside the tallies."""

    now: int  # seconds since 1970-01-01 UTC
    directory_at: int = 0  # when the file of correspondents was last written; 0: there is none
    directory_days: int = 183
    mail_days: int = 30  # how recent a sending must be


def directory(seen: Seen) -> str:
    """D6.2: why it is not met; empty when it is."""
    if not seen.directory_at:
        return NO_DIRECTORY
    return DIRECTORY_OLD if seen.now - seen.directory_at > seen.directory_days * _DAY else ""


def mail(sums: Sums, establishment: str, today: int, seen: Seen) -> str:
    """P4.3 and PS3.2: why they are not met; empty when a sending of the last days was not refused."""
    recent = Window("rolling", today - seen.mail_days, today)
    return "" if sums.totals("P4.3", establishment, recent).met else NO_MAIL_SEEN


def proof(found: Standing, seen: Seen) -> str:
    """PS4.1: why it is not met; empty when it is."""
    if found.valid(seen.now):
        return ""
    if not found.sent_at:
        return NO_TEST
    if not found.proven_at:
        return NO_REPLY
    return PROOF_OLD if found.declared else NO_MAILBOX


def unknown_addresses(sums: Sums, establishment: str, windows: Sequence[Window]) -> int:
    """How many professional addresses were written to, in the last of the windows, that the directory does not know."""
    return sums.distinct.totals("D6.2_unknown", establishment, windows[-1]).total()


def indicators(
    sums: Sums, establishment: str, windows: Sequence[Window], seen: Seen, tested: Standing | None = None
) -> Iterator[IndicatorValue]:
    """The values of one establishment: of the instant, so the same in every window. ``tested``: None where PS4.1 is not set up."""
    today = windows[0].today
    answers = {"D6.2": directory(seen)} | dict.fromkeys(("P4.3", "PS3.2"), mail(sums, establishment, today, seen))
    if tested is not None:
        answers["PS4.1"] = proof(tested, seen)
    for indicator, reason in answers.items():
        for window in windows:
            missed = {reason: 1} if reason else {}
            yield IndicatorValue(indicator, establishment, window.name, int(not reason), 1, missed)
