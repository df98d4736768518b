"""What ``jauge explain`` says of the mail of a stay: each sending, to what kind of mailbox, with what, and what became of it."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from engine.ledger.mailings import Mailing
from engine.ledger.patient import View
from engine.ledger.reports import Report
from engine.metrics import periods
from engine.metrics.rules import correspondence
from engine.metrics.rules.discharge import CountedStay
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import RuleSettings


def of_report(report: Report, view: View) -> list[dict[str, Any]]:
    """The sendings of a report, by time."""
    found = [one for letter in view.mail.letters if letter.report is report for one in letter.mailings]
    return [_sending(one) for one in sorted(found, key=lambda one: one.at)]


def to_patient(subject: CountedStay) -> list[dict[str, Any]]:
    """The messages to the patient, with documents or without, that count for a stay."""
    return [_sending(one) for one in sorted(correspondence.messages(subject), key=lambda one: one.at)]


def verdicts(report: Report, view: View, settings: RuleSettings) -> list[Verdict]:
    """D6.3 and DS4.1 of each correspondent of a report."""
    return [
        verdict
        for letter in view.mail.letters
        if letter.report is report
        for verdict in correspondence.pairs(letter, view, settings)
    ]


def _sending(one: Mailing) -> dict[str, Any]:
    found: dict[str, Any] = {
        "sent": periods.utc(one.at) if one.at else "unknown",
        "to": one.category or "those whom the message names",
        "seen_as": "mail" if one.request is None else "ZAM",
        "state": "read" if one.read else "delivered" if one.delivered else "refused" if one.refused else "sent",
    }
    if one.request is None:
        found["xdm"] = one.xdm
    return found | ({"code": one.code} if one.code else {})


def text(sendings: list[dict[str, Any]], console: Console, title: str) -> None:
    """One line each."""
    for one in sendings:
        xdm = f", XDM {one['xdm']}" if "xdm" in one else ""
        code = f" ({one['code']})" if "code" in one else ""
        console.print(f"  {title} {one['sent']}, to {one['to']}, seen as {one['seen_as']}{xdm}: {one['state']}{code}")
