"""Answers to FHIR submissions: the transaction-response Bundle, a lone OperationOutcome, or a status line.

ITI-65 (MHD 3.65.4.2) is atomic: one entry that is refused refuses them all. FHIR R4 http.html: an error of the server (5xx), or one
that asks to come again later, is no word of the DMP but a technical failure.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct

from engine.errors import ParseError
from engine.facts import Outcome
from engine.parsers import names, submissions
from engine.parsers.context import Context
from engine.parsers.fhir_document import unique_id
from engine.parsers.fhir_elements import (
    MAX_ENTRIES,
    Bundle,
    Concept,
    Element,
    peek,
    present,
    read,
    seconds,
)
from engine.parsers.fhir_references import written
from engine.parsers.fhir_submission import set_id

CODES: Final[dict[str, str]] = {
    "fhir-response-unclear": "The response has neither a status nor an OperationOutcome: no answer is counted.",
    "fhir-unjoined": "A response that nothing joins to its request: send X-Request-Id (or X-Correlation-Id) with both, or both in one collection Bundle.",
}
"""What may be wrong with a response; ``fhir-unjoined`` keeps it from being read."""

_ERRORS: Final = frozenset({"error", "fatal"})
_LATER: Final = frozenset({408, 425, 429})
# Issue types by which a server says that it failed, not that it refuses (value set issue-type, children of "transient", "exception").
_FAILED: Final = frozenset({"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"})
_TRANSPORT: Final = "http-error"


class Issue(Element, frozen=True, gc=False, rename="camel"):
    """OperationOutcome.issue."""

    severity: str | None = None
    code: str | None = None
    details: Concept | None = None


class Meta(Element, frozen=True, gc=False, rename="camel"):
    """Resource.meta."""

    last_updated: str | None = None


class OperationOutcome(Element, frozen=True, gc=False, rename="camel"):
    """OperationOutcome."""

    meta: Meta | None = None
    issue: tuple[Issue, ...] | None = None


class Verdict(Struct, frozen=True):
    """What a response says. ``accepted`` is None when it says nothing; ``layer`` as in :class:`engine.facts.Outcome`."""

    accepted: bool | None
    code: str = ""
    layer: str = "dmp"
    warning: str = ""

    def outcome(self, key: bytes, at: int) -> Outcome:
        """The fact, for one key."""
        return submissions.outcome(
            at=at,
            key=key,
            accepted=bool(self.accepted),
            code=self.code,
            layer=self.layer,
            trace="transaction",
            warning=self.warning,
        )


class Reply(Struct, frozen=True):
    """A response, taken apart: the verdict, when, and what in it names the submission (uniqueIds of set and documents)."""

    verdict: Verdict
    at: int = 0
    identifier: str = ""
    sets: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()

    def keys(self, context: Context) -> tuple[bytes, ...]:
        """By what the response itself may be joined; empty when it names nothing."""
        if self.identifier:
            return (submissions.message_key(context, self.identifier),)
        if self.sets:
            return (submissions.set_key(context, self.sets[0]),)
        return tuple(submissions.document_id(context, one) for one in self.documents)


def bundle(found: Bundle, place: str, status: int, context: Context) -> Reply:
    """A Bundle of type transaction-response or batch-response. ``status``: that of the HTTP response, 0 when unknown."""
    entries = found.entry or ()
    if len(entries) > MAX_ENTRIES:
        raise ParseError("fhir-too-many", f"{place}.entry")
    worst, said, code, warning, at = 0, False, "", "", seconds(found.timestamp, context)
    sets: list[str] = []
    documents: list[str] = []
    for index, entry in enumerate(entries):
        where = f"{place}.entry[{index}]"
        kind = peek(entry.resource, f"{where}.resource").resource_type
        own = _status(entry.response.status) if entry.response is not None else 0
        said = said or own > 0
        outcomes = [entry.response.outcome] if entry.response is not None else []
        if kind == "OperationOutcome":
            outcomes.append(entry.resource)
        elif kind == "List" and (name := set_id(entry.resource, f"{where}.resource")):
            sets.append(name)
        elif kind == "DocumentReference" and (name := unique_id(entry.resource, f"{where}.resource")):
            documents.append(name)
        if entry.response is not None:
            at = at or seconds(entry.response.last_modified, context)
        refusal = ""
        for data in outcomes:
            verdict = outcome(data, f"{where}.response.outcome") if present(data) else Verdict(None)
            refusal = refusal or (verdict.code if verdict.accepted is False else "")
            warning = warning or verdict.warning
        if own >= 400 and (not worst or (refusal and not code)):
            worst, code = own, refusal
    if status >= 400:
        worst = status
    if worst:
        verdict = refused(worst, code) if worst == status else Verdict(False, code or f"http-{worst}")
    else:
        verdict = Verdict(True, warning=warning) if said or 200 <= status < 300 else Verdict(None)
    return Reply(verdict, at, written(found.identifier), tuple(sets), tuple(documents))


def alone(data: Raw | memoryview, place: str, status: int, context: Context) -> Reply:
    """A lone OperationOutcome."""
    found = read(data, OperationOutcome, place)
    verdict = _verdict(found)
    at = seconds(found.meta.last_updated, context) if found.meta is not None else 0
    if status >= 400:
        return Reply(refused(status, verdict.code), at)
    if 200 <= status < 300:
        return Reply(Verdict(True, warning=verdict.warning or verdict.code), at)
    return Reply(verdict, at)


def refused(status: int, code: str = "") -> Verdict:
    """The verdict of an HTTP status of 400 and more."""
    if status >= 500 or status in _LATER:
        return Verdict(False, _TRANSPORT, "technical")
    return Verdict(False, code or f"http-{status}")


def line(status: int) -> Verdict:
    """The verdict of a status line without anything that explains it."""
    if status >= 400:
        return refused(status)
    return Verdict(True) if 200 <= status < 300 else Verdict(None)


def outcome(data: Raw | memoryview, place: str) -> Verdict:
    """What an OperationOutcome says: refused by its first error, else accepted, with its first warning."""
    return _verdict(read(data, OperationOutcome, place))


def _verdict(found: OperationOutcome) -> Verdict:
    issues = found.issue or ()
    warning = ""
    for issue in issues:
        if issue.severity in _ERRORS:
            layer = "technical" if issue.code in _FAILED and issue.details is None else "dmp"
            return Verdict(False, _code(issue), layer)
        if issue.severity == "warning" and not warning:
            warning = _code(issue)
    return Verdict(True, warning=warning) if issues else Verdict(None)


def _code(issue: Issue) -> str:
    details = issue.details.codes() if issue.details is not None else ()
    return names.code(details[0] if details else issue.code or names.OTHER)


def _status(text: str | None) -> int:
    """The status of an entry: ``201`` or ``201 Created``."""
    return int(text[:3]) if text and text[:3].isascii() and text[:3].isdigit() and len(text) >= 3 else 0
