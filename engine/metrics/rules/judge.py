"""All the rules on one patient: the one place where verdicts are made."""

from __future__ import annotations

from engine.ledger.patient import View
from engine.metrics.rules import discharge, examinations
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import RuleSettings


def judge(view: View, settings: RuleSettings) -> list[Verdict]:
    """Every verdict about a patient, sorted."""
    verdicts = [
        verdict
        for subject in discharge.counted(view, settings)
        for rule in discharge.RULES
        for verdict in rule(subject)
    ]
    verdicts += examinations.judge(view, settings)
    verdicts.sort()
    return verdicts
