"""What a rule says of a subject: outside (None), met, or missed for one reason of a closed, ordered list."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MET: Final = "met"

NOT_PRODUCED: Final = "not_produced"
NOT_CDA: Final = "not_cda"
WRONG_LEVEL: Final = "wrong_level"
LEVEL_UNKNOWN: Final = "level_unknown"
INS_ABSENT: Final = "ins_absent"
INS_TEST: Final = "ins_test"
INS_NOT_QUALIFIED: Final = "ins_not_qualified"
INS_MISMATCH: Final = "ins_mismatch"
NOT_ADDRESSED: Final = "not_addressed"
NOT_SUBMITTED: Final = "not_submitted"
AWAITING_ANSWER: Final = "awaiting_answer"  # never a verdict: what not_answered is called until its time has passed
NOT_ANSWERED: Final = "not_answered"
NOT_NAMED: Final = "not_named"
REJECTED: Final = "rejected"
DELETED: Final = "deleted"
ACCEPTED_LATE: Final = "accepted_late"

MSS_NOT_REQUESTED: Final = "mss_not_requested"
NO_MESSAGE: Final = "no_message"
MSS_NOT_SENT: Final = "mss_not_sent"
MSS_NOT_CDA: Final = "mss_not_cda"
MSS_NOT_CONFIRMED: Final = "mss_not_confirmed"
MSS_REFUSED: Final = "mss_refused"

WAY: Final = (
    NOT_PRODUCED,
    NOT_CDA,
    WRONG_LEVEL,
    LEVEL_UNKNOWN,
    INS_ABSENT,
    INS_TEST,
    INS_NOT_QUALIFIED,
    INS_MISMATCH,
    NOT_ADDRESSED,
    NOT_SUBMITTED,
    AWAITING_ANSWER,
    NOT_ANSWERED,
    NOT_NAMED,
    REJECTED,
    DELETED,
    ACCEPTED_LATE,
)
"""The document's way, in order: the reason kept is the one furthest along it."""

MAIL_WAY: Final = (
    NOT_PRODUCED,
    MSS_NOT_REQUESTED,
    NO_MESSAGE,
    MSS_NOT_SENT,
    MSS_NOT_CDA,
    INS_ABSENT,
    INS_TEST,
    INS_NOT_QUALIFIED,
    INS_MISMATCH,
    MSS_NOT_CONFIRMED,
    MSS_REFUSED,
)
"""The way of a document to a correspondent, and of a message to a patient, by MSSanté (docs/rules.md section 8)."""


class Verdict(Struct, frozen=True, array_like=True, order=True):
    """One subject judged by one rule, as it is tallied."""

    indicator: str
    establishment: str
    unit: str  # UF, "" when unknown; of an indicator that counts subjects once (engine.ledger.distinct): the subject
    day: int  # local day it is counted on (proleptic ordinal)
    outcome: str  # MET or a reason; REJECTED may have the code of the refusal behind it: "rejected:XDSUnknownPatientId"
    # When met: the month (year * 12 + month) whose official period first counts it. NOT_ANSWERED: the last local day on which
    # the answer may still be awaited. 0 else.
    settled: int


def rejected(code: str) -> str:
    """The outcome of a subject whose document was refused with this code ("" when none is known)."""
    return f"{REJECTED}:{code}" if code else REJECTED
