"""``jauge explain``: what is known of one stay, and which rule decided what. No identifier in the answer.

For every document, each attempt to feed the DMP with all the traces it left: how each trace was tied to the document, how the answer
was found, why it was refused and what to do about it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from engine.assembly import read_ledger
from engine.commands import explain_mail
from engine.config import Config
from engine.ledger.attempts import Attempt, Sending
from engine.ledger.patient import View
from engine.ledger.reports import Report, Version
from engine.ledger.unnamed import Unnamed
from engine.metrics import catalogue as catalogues
from engine.metrics import periods
from engine.metrics import remedies as tables
from engine.metrics.catalogue import Catalogue
from engine.metrics.measures import failure
from engine.metrics.remedies import Remedies
from engine.metrics.rules import discharge, examinations, publication
from engine.metrics.rules import verdict as v
from engine.metrics.rules.judge import RULES
from engine.metrics.rules.proof import qualification
from engine.metrics.rules.verdict import Verdict
from engine.metrics.settings import RuleSettings
from engine.privacy import Pseudonyms

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def explain(config: Config, number: str) -> list[dict[str, Any]]:
    """The stays under a visit number, or a dossier number (in clear: it does not leave this process)."""
    remedies = tables.load(config.dmp_errors)
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
                    return Explanation(view, ledger.settings, catalogues.load(), remedies).stays(stays)
        return []
    finally:
        ledger.close()


class Explanation:
    """What is known of some stays of a patient, and which rule decided what. No identifier in it."""

    def __init__(
        self, view: View, settings: RuleSettings, catalogue: Catalogue, remedies: Remedies, now: float | None = None
    ) -> None:
        """``now``: seconds since 1970, the instant it is looked at."""
        self._view = view
        self._settings = settings
        self._catalogue = catalogue
        self._remedies = remedies
        self._now = time.time() if now is None else now

    def stays(self, stays: Iterable[int]) -> list[dict[str, Any]]:
        """The stays of these indexes."""
        view, settings = self._view, self._settings
        subjects = {subject.index: subject for subject in discharge.counted(view, settings)}
        result = []
        for index in stays:
            stay = view.stays[index]
            owner = view.person_of_stay[index]
            person = view.persons[owner]
            current = person.current()
            reports = view.reports_of(index)
            verdicts: list[Verdict] = []
            if index in subjects:
                verdicts = [verdict for rule in RULES for verdict in rule(subjects[index])]
            for report in reports:
                verdicts += examinations.verdicts(report, view, settings, stay.unit)
                verdicts += publication.document(report, view, settings, stay.unit)
                verdicts += explain_mail.verdicts(report, view, settings)
            rules = settings.establishment(stay.establishment)
            today = periods.today_of(self._now, rules.time_zone)
            result.append(
                {
                    "establishment": stay.establishment,
                    "time_zone": rules.time_zone,
                    "entry": _time(stay.entry),
                    "exit": _time(stay.exit),
                    "class": stay.patient_class,
                    "unit": stay.unit,
                    "counted": index in subjects,
                    "ins": "unknown"
                    if current is None
                    else qualification(
                        current.ins_root, current.status, current.birth_corrected, settings.count_test_ins
                    )
                    or "qualified",
                    "dmp": person.dmp or "unknown",
                    "opposition": person.feeding or "unknown",
                    "proof": rules.proof,
                    "documents": [self._report(report) for report in reports],
                    "messages": explain_mail.to_patient(subjects[index]) if index in subjects else [],
                    "unnamed": [self._unnamed(one, since=stay.entry) for one in view.unnamed if one.person == owner],
                    "verdicts": [self._verdict(verdict, today) for verdict in sorted(verdicts, key=_place)],
                }
            )
        return result

    def _report(self, report: Report) -> dict[str, Any]:
        return {
            "type_code": report.type_code,
            "kind": report.kind,
            "created": _time(report.created),
            "attached_by": report.way,
            "final": report.final,
            "versions": [self._version(version) for version in report.versions],
            "mails": explain_mail.of_report(report, self._view),
        }

    def _version(self, version: Version) -> dict[str, Any]:
        shown = version.seen or version.document
        return {
            "level": shown.level,
            "body": shown.body,
            "attempts": [self._attempt(attempt) for attempt in version.attempts if not attempt.deletion],
            "deletions": [self._deletion(sending) for sending in version.deletions],
            "withdrawn": [_time(at) for at in version.withdrawn],
        }

    def _attempt(self, attempt: Attempt) -> dict[str, Any]:
        taken = any(sending.taken for sending in attempt.sendings)
        found: dict[str, Any] = {
            "sent": _time(attempt.at),
            "state": _state(attempt.sendings[0], addressed=attempt.addressed, taken=taken),
            "traces": list(attempt.traces),
        }
        if attempt.answered:
            found["answered"] = _time(attempt.answered_at)
        code = attempt.code or (failure(attempt) if attempt.failed else "")
        if code or (attempt.answered and not attempt.accepted):
            found |= self._why(code)
        if attempt.warning:
            found["warning"] = self._why(attempt.warning)
        found["sendings"] = [
            {"at": _time(one.at), "trace": one.trace, "tied_by": one.link, "answer_found_by": one.joined}
            for one in attempt.sendings
        ]
        if attempt.contradictions:
            found["contradictions"] = [
                {"at": _time(one.at), "trace": one.trace, "said": word(accepted=one.accepted), "holds": one.strongest}
                for one in attempt.contradictions
            ]
        return found

    def _deletion(self, sending: Sending) -> dict[str, Any]:
        found = {
            "at": _time(sending.at),
            "state": _state(sending, addressed=True, taken=sending.taken),
            "trace": sending.trace,
            "tied_by": sending.link,
            "answer_found_by": sending.joined,
        }
        return found | (self._why(sending.code) if sending.code else {})

    def _unnamed(self, one: Unnamed, since: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "at": _time(one.at),
            "outcome": word(accepted=one.accepted) if one.answered else "not answered",
            "may_be_of_this_stay": one.accepted and one.at >= since,
        }
        return found | (self._why(one.code) if one.code else {})

    def _why(self, code: str) -> dict[str, str]:
        remedy = self._remedies[code]
        return {"code": remedy.code, "label": remedy.label, "advice": remedy.advice}

    def _verdict(self, verdict: Verdict, today: int) -> dict[str, str]:
        known = {reason.code: reason for reason in self._catalogue[verdict.indicator].reasons}
        outcome = "met" if verdict.outcome == v.MET else "missed"
        found = {"indicator": verdict.indicator, "day": periods.iso(verdict.day), "verdict": outcome}
        if outcome == "missed":
            reason, _, code = verdict.outcome.partition(":")
            if reason == v.NOT_ANSWERED and today <= verdict.settled:
                reason = v.AWAITING_ANSWER
            found |= {"reason": reason}
            if reason in known:
                found |= {"label": known[reason].label, "advice": known[reason].advice}
            if reason == v.REJECTED:
                found["code"] = self._remedies[code].code
        return found


def _state(sending: Sending, *, addressed: bool, taken: bool) -> str:
    if sending.answered:
        return "confirmed by the DMP" if sending.accepted else "refused by the DMP"
    if sending.refused:
        return "failed before the DMP answered"
    if not addressed:
        return "not addressed to the DMP"
    return "taken by the platform, not answered" if taken else "requested, not answered"


def word(*, accepted: bool) -> str:
    """What an answer says."""
    return "accepted" if accepted else "refused"


def _place(verdict: Verdict) -> tuple[str, bool]:
    """An indicator before its variants, and next to them."""
    origin, _, variant = verdict.indicator.partition("_")
    return origin, bool(variant)


def _local(value: Any, zone: ZoneInfo) -> Any:
    """An object with its instants (``2026-03-05T14:02:00Z``) on the clock of a time zone: that of the applications to compare with."""
    if isinstance(value, dict):
        return {key: _local(one, zone) for key, one in value.items()}
    if isinstance(value, list):
        return [_local(one, zone) for one in value]
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return f"{datetime.fromisoformat(value).astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return value


def _time(at: int) -> str:
    return periods.utc(at) if at else "unknown"


def text(stays: Sequence[dict[str, Any]], console: Console) -> None:
    """The text of ``jauge explain``: its times are those of the establishment's clock."""
    for number, shown in enumerate(stays, 1):
        stay = _local(shown, ZoneInfo(shown["time_zone"]))
        console.rule(f"Stay {number} of {len(stays)}")
        console.print(
            f"{stay['entry']} -> {stay['exit']}, class {stay['class'] or 'unknown'}, unit {stay['unit'] or 'unknown'}, "
            f"establishment {stay['establishment']}: {'counted' if stay['counted'] else 'not counted'}"
        )
        console.print(f"Identity: INS {stay['ins']}; DMP {stay['dmp']}; feeding {stay['opposition']}")
        console.print(f"Proof asked for: {stay['proof']}. Times of {stay['time_zone']}")
        for document in stay["documents"]:
            console.print(
                f"Document {document['type_code'] or document['kind']} of {document['created']}, attached by {document['attached_by']}"
            )
            for version in document["versions"]:
                _version_text(version, console)
            explain_mail.text(document["mails"], console, "mailed")
        explain_mail.text(stay["messages"], console, "Message to the patient")
        for one in stay["unnamed"]:
            console.print(
                f"Submission of an unknown document {one['at']}: {one['outcome']}{_code(one)}"
                + ("; it may be of this stay" if one["may_be_of_this_stay"] else "")
            )
        table = Table("Indicator", "Day", "Verdict", "Reason")
        for verdict in stay["verdicts"]:
            code = f" ({verdict['code']})" if "code" in verdict else ""
            reason = f"{verdict['reason']}{code}: {verdict.get('label', '')}" if "reason" in verdict else ""
            table.add_row(verdict["indicator"], verdict["day"], verdict["verdict"], reason)
        console.print(table)
        advised: dict[tuple[str, str], list[str]] = {}
        for one in stay["verdicts"]:
            if "advice" in one:
                advised.setdefault((one["reason"], one["advice"]), []).append(one["indicator"])
        for (reason, advice), indicators in advised.items():
            names = list(dict.fromkeys(indicators))
            plain = [name for name in names if "_" not in name]
            console.print(f"{', '.join(plain or names)} {reason}: {advice}")


def _version_text(version: dict[str, Any], console: Console) -> None:
    console.print(f"  version: body {version['body']}, level {version['level'] or 'unknown'}")
    for attempt in version["attempts"]:
        answered = f" at {attempt['answered']}" if "answered" in attempt else ""
        console.print(f"    attempt {attempt['sent']}: {attempt['state']}{answered}{_code(attempt)}")
        if "advice" in attempt:
            console.print(f"      {attempt['advice']}")
        if "warning" in attempt:
            console.print(f"      with a warning{_code(attempt['warning'])}")
        for one in attempt["sendings"]:
            console.print(f"      {one['at']} {one['trace']}{_ties(one)}")
        for one in attempt.get("contradictions", ()):
            console.print(f"      {one['trace']} says {one['said']} at {one['at']}: {one['holds']} holds")
    for deletion in version["deletions"]:
        console.print(
            f"    deletion {deletion['at']} {deletion['trace']}{_ties(deletion)}: {deletion['state']}{_code(deletion)}"
        )
    for at in version["withdrawn"]:
        console.print(f"    no longer in the DMP {at}")


def _ties(one: dict[str, Any]) -> str:
    found = f", answer found by {one['answer_found_by']}" if one["answer_found_by"] else ""
    return f", tied by {one['tied_by']}{found}"


def _code(one: dict[str, Any]) -> str:
    return f" ({one['code']}: {one['label']})" if "code" in one else ""
