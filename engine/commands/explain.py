"""``jauge explain``: what is known of one stay, and which rule decided what. No identifier in the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.config import Config
from engine.ledger.patient import View
from engine.ledger.reports import Report, Sending
from engine.metrics import catalogue as catalogues
from engine.metrics import periods
from engine.metrics.catalogue import Catalogue
from engine.metrics.rules import discharge, examinations
from engine.metrics.rules.proof import qualification
from engine.metrics.rules.verdict import MET, Verdict
from engine.metrics.settings import RuleSettings
from engine.privacy import Pseudonyms
from engine.service import read_ledger, rule_settings


def explain(config: Config, number: str) -> list[dict[str, Any]]:
    """The stays under a visit number, or a dossier number (in clear: it does not leave this process)."""
    ledger, keys = read_ledger(config)
    pseudonyms = Pseudonyms(keys.pseudonyms)
    try:
        value = number.strip().encode()
        for domain in dict.fromkeys(e.domain for e in config.establishments):
            for kind in ("visit", "dossier"):
                handle = pseudonyms(kind, domain, value)
                view = ledger.find(handle)
                if view is None:
                    continue
                stays = [i for i, s in enumerate(view.stays) if s.venue == handle or handle in s.dossiers]
                if stays:
                    return explanation(view, stays, rule_settings(config), catalogues.load())
        return []
    finally:
        ledger.close()


def explanation(view: View, stays: Iterable[int], settings: RuleSettings, catalogue: Catalogue) -> list[dict[str, Any]]:
    """What is known of some stays of a patient, and which rule decided what. No identifier in it."""
    subjects = {subject.index: subject for subject in discharge.counted(view, settings)}
    result = []
    for index in stays:
        stay = view.stays[index]
        person = view.persons[view.person_of_stay[index]]
        current = person.current()
        verdicts: list[Verdict] = []
        if index in subjects:
            verdicts = [verdict for rule in discharge.RULES for verdict in rule(subjects[index])]
        verdicts += [
            verdict
            for report in view.reports_of(index)
            for verdict in examinations.verdicts(report, view, settings, stay.unit)
        ]
        result.append(
            {
                "establishment": stay.establishment,
                "entry": _time(stay.entry),
                "exit": _time(stay.exit),
                "class": stay.patient_class,
                "unit": stay.unit,
                "counted": index in subjects,
                "ins": "unknown"
                if current is None
                else qualification(current.ins_root, current.status, current.birth_corrected, settings.count_test_ins)
                or "qualified",
                "dmp": person.dmp or "unknown",
                "opposition": person.feeding or "unknown",
                "documents": [_report(report) for report in view.reports_of(index)],
                "verdicts": [_verdict(verdict, catalogue) for verdict in verdicts],
            }
        )
    return result


def _report(report: Report) -> dict[str, Any]:
    return {
        "type_code": report.type_code,
        "kind": report.kind,
        "created": _time(report.created),
        "attached_by": report.way,
        "final": report.final,
        "versions": [
            {
                "level": version.document.level,
                "body": version.document.body,
                "sendings": [_sending(sending) for sending in version.sendings],
                "deletions": [_sending(sending) for sending in version.deletions],
            }
            for version in report.versions
        ],
    }


def _sending(sending: Sending) -> dict[str, Any]:
    state = "requested" if sending.addressed == "Y" else "not addressed"
    if sending.taken:
        state = "taken by the platform"
    elif sending.refused:
        state = "refused by the platform"
    if sending.answered:
        state = "confirmed by the DMP" if sending.accepted else "refused by the DMP"
    found = {"sent": _time(sending.at), "state": state}
    if sending.answered:
        found["answered"] = _time(sending.answered_at)
    if sending.code:
        found["code"] = sending.code
    return found


def _verdict(verdict: Verdict, catalogue: Catalogue) -> dict[str, str]:
    labels = {reason.code: reason.label for reason in catalogue[verdict.indicator].reasons}
    outcome = "met" if verdict.outcome == MET else "missed"
    found = {"indicator": verdict.indicator, "day": periods.iso(verdict.day), "verdict": outcome}
    if outcome == "missed":
        found |= {"reason": verdict.outcome, "label": labels.get(verdict.outcome, verdict.outcome)}
    return found


def _time(at: int) -> str:
    return periods.utc(at) if at else "unknown"


def text(stays: Sequence[dict[str, Any]], console: Console) -> None:
    """The text of ``jauge explain``."""
    for number, stay in enumerate(stays, 1):
        console.rule(f"Stay {number} of {len(stays)}")
        console.print(
            f"{stay['entry']} -> {stay['exit']}, class {stay['class'] or 'unknown'}, unit {stay['unit'] or 'unknown'}, "
            f"establishment {stay['establishment']}: {'counted' if stay['counted'] else 'not counted'}"
        )
        console.print(f"Identity: INS {stay['ins']}; DMP {stay['dmp']}; feeding {stay['opposition']}")
        for document in stay["documents"]:
            console.print(
                f"Document {document['type_code'] or document['kind']} of {document['created']}, attached by {document['attached_by']}"
            )
            for version in document["versions"]:
                console.print(f"  version: body {version['body']}, level {version['level'] or 'unknown'}")
                for name in ("sendings", "deletions"):
                    for sending in version[name]:
                        code = f" ({sending['code']})" if "code" in sending else ""
                        console.print(f"    {name[:-1]} {sending['sent']}: {sending['state']}{code}")
        table = Table("Indicator", "Day", "Verdict", "Reason")
        for verdict in stay["verdicts"]:
            reason = f"{verdict['reason']}: {verdict['label']}" if "reason" in verdict else ""
            table.add_row(verdict["indicator"], verdict["day"], verdict["verdict"], reason)
        console.print(table)
