"""All the rules on one patient: the one place where verdicts are made."""

from __future__ import annotations

from typing import Final

from engine.ledger.patient import View
from engine.metrics.rules import correspondence, discharge, examinations, publication
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import RuleSettings

RULES: Final = (*discharge.RULES, publication.stay, correspondence.stay)
"""The rules that take a stay."""


def judge(view: View, settings: RuleSettings) -> list[Verdict]:
    """Every verdict about a patient, sorted."""
    verdicts = [verdict for subject in discharge.counted(view, settings) for rule in RULES for verdict in rule(subject)]
    verdicts += examinations.judge(view, settings)
    verdicts += publication.documents(view, settings)
    verdicts += correspondence.judge(view, settings)
    verdicts.sort()
    return verdicts
