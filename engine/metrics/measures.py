"""What is counted of the submissions of a patient, beside the rates: attempts, answers, errors, delays (docs/rules.md section 7).

A pure function of a view, as a rule is. The ledger adds and takes off measures by difference, so that a trace that comes
late, or twice, changes a count by what it changes of the truth. Delays are whole seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from functools import lru_cache
from typing import Final

from msgspec import Struct

from engine.facts import CITIZEN, OUTSIDE, OWN, PROFESSIONAL, TEST
from engine.ledger.attempts import Attempt
from engine.ledger.mailings import Mailing
from engine.ledger.patient import View
from engine.ledger.reports import Report
from engine.metrics.bounds import OTHER
from engine.metrics.histogram import ANSWER_SECONDS, PUBLICATION_SECONDS
from engine.metrics.settings import RuleSettings

SUBMISSIONS: Final = "submissions"
RESPONSES: Final = "responses"  # label: ACCEPTED, REFUSED or FAILED
ERRORS: Final = "errors"  # label: the code of a refusal or of a failure, OTHER when none is known
CONTRADICTIONS: Final = "contradictions"
UNNAMED: Final = "unnamed"  # label: ACCEPTED, REFUSED, or "" without answer
PUBLICATION: Final = "publication"  # label: a bound of PUBLICATION_SECONDS, INFINITE or SUM
ANSWER: Final = "answer"  # label: a bound of ANSWER_SECONDS, INFINITE or SUM

MAILINGS: Final = "mailings"  # label: category of the recipient (engine.facts)
MAIL_OUTCOMES: Final = "mail_outcomes"  # label: one of MAIL_WORDS
MAIL_ERRORS: Final = "mail_errors"  # label: the code of a refusal, OTHER when none is known
MAIL_XDM: Final = "mail_xdm"  # label: one of XDM_STATES

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
FAILED: Final = "failed"
INFINITE: Final = "+Inf"
SUM: Final = "sum"

DELIVERED: Final = "delivered"
READ: Final = "read"
MAIL_WORDS: Final = (DELIVERED, REFUSED, READ)
MAIL_CATEGORIES: Final = (PROFESSIONAL, CITIZEN, OWN, OUTSIDE, TEST)
XDM_STATES: Final = ("valid", "flawed", "unreadable", "none")

OUTCOMES: Final = (ACCEPTED, REFUSED, FAILED)
BOUNDS: Final = {PUBLICATION: PUBLICATION_SECONDS, ANSWER: ANSWER_SECONDS}


class Measure(Struct, frozen=True, array_like=True, order=True):
    """One thing that is counted. Buckets of a delay are cumulative, as Prometheus shows them: each only ever grows with it."""

    name: str
    establishment: str
    label: str


def measures(view: View, settings: RuleSettings) -> Counter[Measure]:
    """Everything counted of a patient's submissions; no measure is 0."""
    found: Counter[Measure] = Counter()
    waiting: Counter[str] = Counter()  # attempts whose outcome nothing tells, by establishment
    for report in view.reports:
        for version in report.versions:
            for attempt in version.attempts:
                establishment = attempt.sendings[0].document.establishment
                if attempt.contradictions:
                    found[Measure(CONTRADICTIONS, establishment, "")] += len(attempt.contradictions)
                if attempt.addressed and not attempt.deletion:
                    _attempt(found, attempt)
                    waiting[establishment] += not (attempt.answered or attempt.failed)
        _publication(found, view, report, settings)
    for unnamed in view.unnamed:
        establishment = unnamed.establishment
        outcome = (ACCEPTED if unnamed.accepted else REFUSED) if unnamed.answered else ""
        found[Measure(UNNAMED, establishment, outcome)] += 1
        if waiting[establishment] > 0:  # most likely one of those that wait for their answer: counted once
            waiting[establishment] -= 1
        else:
            found[Measure(SUBMISSIONS, establishment, "")] += 1
        if outcome:
            found[Measure(RESPONSES, establishment, outcome)] += 1
        if outcome == REFUSED:
            found[Measure(ERRORS, establishment, unnamed.code or OTHER)] += 1
    for sending in view.mail.mailings:
        _mail(found, sending)
    return found


def failure(attempt: Attempt) -> str:
    """The code of the last technical refusal of an attempt that failed; empty when none said one."""
    refusals = [
        answer
        for sending in attempt.sendings
        for answer in sending.answers
        if answer.layer == "technical" and not answer.accepted
    ]
    return max(refusals, key=lambda answer: (answer.at, answer.code)).code if refusals else ""


def published(report: Report) -> int:
    """When the DMP first accepted a report; 0 when it never did."""
    accepted = (
        attempt.answered_at
        for version in report.versions
        for attempt in version.attempts
        if attempt.accepted and not attempt.deletion
    )
    return min(accepted, default=0)


def _attempt(found: Counter[Measure], attempt: Attempt) -> None:
    establishment = attempt.sendings[0].document.establishment
    found[Measure(SUBMISSIONS, establishment, "")] += 1
    if attempt.answered:
        found[Measure(RESPONSES, establishment, ACCEPTED if attempt.accepted else REFUSED)] += 1
        if attempt.timed:
            _delay(found, ANSWER, establishment, attempt.answered_at - attempt.at)
        if not attempt.accepted:
            found[Measure(ERRORS, establishment, attempt.code or OTHER)] += 1
    elif attempt.failed:
        found[Measure(RESPONSES, establishment, FAILED)] += 1
        found[Measure(ERRORS, establishment, failure(attempt) or OTHER)] += 1


def _mail(found: Counter[Measure], sending: Mailing) -> None:
    """A mail to one recipient; what the platform alone tells of a mail is no mail that was seen, but its outcome is one."""
    establishment = sending.establishment
    if sending.request is None:
        found[Measure(MAILINGS, establishment, sending.category)] += 1
        found[Measure(MAIL_XDM, establishment, sending.xdm)] += 1
    if sending.delivered:
        found[Measure(MAIL_OUTCOMES, establishment, DELIVERED)] += 1
    if sending.read:
        found[Measure(MAIL_OUTCOMES, establishment, READ)] += 1
    if sending.refused:
        found[Measure(MAIL_OUTCOMES, establishment, REFUSED)] += 1
        found[Measure(MAIL_ERRORS, establishment, sending.code or OTHER)] += 1


def _publication(found: Counter[Measure], view: View, report: Report, settings: RuleSettings) -> None:
    if report.stay is None:
        return
    stay = view.stays[report.stay]
    if not stay.exit or stay.patient_class not in settings.classes:
        return
    at = published(report)
    if at:
        _delay(found, PUBLICATION, stay.establishment, at - stay.exit)


def _delay(found: Counter[Measure], name: str, establishment: str, seconds: int) -> None:
    """Into every bucket it is under; an answer dated before its question took no time."""
    seconds = max(0, seconds)
    found.update(_buckets(name, establishment, bisect_left(BOUNDS[name], seconds)))
    if seconds:
        found[Measure(name, establishment, SUM)] += seconds


@lru_cache(maxsize=4096)
def _buckets(name: str, establishment: str, first: int) -> tuple[Measure, ...]:
    """The buckets from that bound on."""
    labels = (*map(str, BOUNDS[name][first:]), INFINITE)
    return tuple(Measure(name, establishment, label) for label in labels)
