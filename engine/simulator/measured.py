"""What a running engine shows on /metrics, read back and compared with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field
from prometheus_client.parser import text_string_to_metric_families

from engine.simulator.truth import Rate, Submissions
from engine.simulator.truth_mail import EXISTING, INDICATORS

Key = tuple[str, str]
"""(indicator, window)."""

_INDICATORS: Final = {
    "jauge_indicator_numerator": "numerator",
    "jauge_indicator_denominator": "denominator",
}
_NOT_NAMED: Final = "not_named"
_REPLACED: Final = ("not_produced", "not_addressed", "awaiting_answer", "not_answered")


class Page(Struct):
    """One reading of /metrics."""

    rates: dict[Key, Rate]
    received: int = 0
    rejected: int = 0
    duplicates: int = 0
    pending: int = 0
    submissions: Submissions = field(default_factory=Submissions)


class Difference(Struct, frozen=True):
    """One number that is not the truth. ``what``: ``numerator``, ``denominator`` or a reason."""

    indicator: str
    window: str
    what: str
    measured: int
    truth: int


def read(text: str, establishment: str) -> Page:
    """The page of one establishment (FINESS); the metrics that are not needed are skipped."""
    page = Page({})
    totals: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("jauge_"):
            continue
        for sample in family.samples:
            labels, value = sample.labels, int(sample.value)
            if sample.name in _INDICATORS or sample.name == "jauge_indicator_missed":
                if labels["establishment"] != establishment:
                    continue
                rate = page.rates.setdefault((labels["indicator"], labels["window"]), Rate())
                if sample.name == "jauge_indicator_missed":
                    rate.missed[labels["reason"]] += value
                else:
                    setattr(rate, _INDICATORS[sample.name], value)
            elif sample.name.startswith("jauge_dmp_"):
                if labels.get("establishment") == establishment and value:
                    _counted(page.submissions, sample.name, labels, value)
            elif sample.name.startswith(("jauge_messages_", "jauge_ledger_pending")):
                totals[sample.name] = totals.get(sample.name, 0) + value
    page.received = totals.get("jauge_messages_received_total", 0)
    page.rejected = totals.get("jauge_messages_rejected_total", 0)
    page.duplicates = totals.get("jauge_messages_duplicate_total", 0)
    page.pending = totals.get("jauge_ledger_pending_messages", 0)
    return page


def _counted(found: Submissions, name: str, labels: Mapping[str, str], value: int) -> None:
    if name == "jauge_dmp_submissions_total":
        found.attempts += value
    elif name == "jauge_dmp_responses_total":
        found.responses[labels["outcome"]] += value
    elif name == "jauge_dmp_errors_total":
        found.errors[labels["code"]] += value
    elif name == "jauge_dmp_contradictions_total":
        found.contradictions += value


def differences(measured: Mapping[Key, Rate], truth: Mapping[Key, Rate]) -> list[Difference]:
    """Every numerator, denominator and reason that differs; a rate that one side does not have is a rate of zeros."""
    found: list[Difference] = []
    for key in sorted(set(measured) | set(truth)):
        one, other = measured.get(key, Rate()), truth.get(key, Rate())
        rows = [("numerator", one.numerator, other.numerator), ("denominator", one.denominator, other.denominator)]
        rows += [(reason, one.missed[reason], other.missed[reason]) for reason in sorted({*one.missed, *other.missed})]
        found += [Difference(*key, what, mine, theirs) for what, mine, theirs in rows if mine != theirs]
    return found


def outside(measured: Mapping[Key, Rate], truth: Mapping[Key, Rate]) -> list[Difference]:
    """What contradicts the truth where submissions name no document: then the rates can only be bounds of it.

    The rates of the applications, of what was sent and of what the platform took must be the truth, their reasons apart that
    a submission of an unknown document may take the place of; any other true numerator must lie between the measured one
    and the measured one plus ``not_named``.
    """
    found: list[Difference] = []
    for key in sorted(set(measured) | set(truth)):
        one, other = measured.get(key, Rate()), truth.get(key, Rate())
        if key[0].startswith("P") or key[0] in {*INDICATORS, *EXISTING}:
            found += differences({key: one}, {key: other})
        elif key[0].endswith(("_sent", "_taken")):
            found += differences({key: _folded(one)}, {key: _folded(other)})
        else:
            if one.denominator != other.denominator:
                found.append(Difference(*key, "denominator", one.denominator, other.denominator))
            if not one.numerator <= other.numerator <= one.numerator + one.missed[_NOT_NAMED]:
                found.append(Difference(*key, "numerator", one.numerator, other.numerator))
    return found


def _folded(rate: Rate) -> Rate:
    """The same rate, with the reasons that ``not_named`` may take the place of as one."""
    missed = rate.missed.copy()
    for reason in _REPLACED:
        missed[_NOT_NAMED] += missed.pop(reason, 0)
    return Rate(rate.numerator, rate.denominator, missed)
