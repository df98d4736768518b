"""What ``jauge check`` says of a trace of a submission to the DMP: which documents it names, how each answer is joined, what it says.

Everything is told by presence, code and kind: no identifier, and no pseudonym, is ever shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine import facts
from engine.facts import INS_NONE
from engine.metrics import remedies
from engine.parsers import ins, kinds
from engine.parsers.parsed import Parsed

_JOINS: Final = {
    "submission-set": "submission_set",
    "soap-message": "message_id",
    "control": "hl7_message",
    "document": "document",
    "chain": "document",
    "entry": "entry",
}
"""Kind of the pseudonym under which an answer finds its submission -> the word shown."""
_SAID: Final = {
    ("dmp", True): "accepted",
    ("dmp", False): "refused",
    ("technical", True): "taken",
    ("technical", False): "failed",
    ("withdrawal", True): "deletion accepted",
    ("withdrawal", False): "deletion refused",
}
"""Layer and acceptance of an answer -> the word shown."""


class Patient(Struct, frozen=True):
    """The INS of a submission. It has no status: submitting under an INS is the word that it is qualified (docs/rules.md section 7)."""

    present: bool
    oid: str
    test: bool
    qualified: bool


class Submission(Struct, frozen=True):
    """One document of a submission; of an audit, the submission of a document that it does not name."""

    trace: str
    named_by: tuple[str, ...]  # id, set_id, hl7_document, hash, entry, hl7_message; empty: nothing names the document
    joined_by: tuple[str, ...]  # what an answer may find it by
    request: str  # "initial", "replacement", "deletion"; "" when unknown
    type_code: str
    kind: str
    body: str  # "cda" when the trace carries it, else "unseen"
    level: int
    declared_level: int
    ins: Patient
    stay: bool  # whether a venue or a dossier says which stay it belongs to


class Outcome(Struct, frozen=True):
    """One answer. ``code`` is the refusal's, ``warning`` that of an acceptance with a remark."""

    accepted: bool
    layer: str
    code: str
    warning: str
    joined_by: tuple[str, ...]


class Trace(Struct, frozen=True):
    """All that one message says of submissions. ``entries``: how many names of its own (entryUUID) the DMP tells."""

    submissions: tuple[Submission, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    entries: int = 0


class Kinds:
    """Pseudonyms that remember of what kind they are: for one message, in memory only."""

    def __init__(self, pseudonym: Callable[[str, str, bytes], bytes]) -> None:
        self._pseudonym = pseudonym
        self._kinds: dict[bytes, str] = {}

    def __call__(self, kind: str, scope: str, value: bytes) -> bytes:
        """As :class:`engine.parsers.context.Context` asks."""
        made = self._pseudonym(kind, scope, value)
        self._kinds[made] = kind
        return made

    def forget(self) -> None:
        """Before the next message."""
        self._kinds.clear()

    def joins(self, *keys: bytes | None) -> tuple[str, ...]:
        """The words for the keys that another trace may have too."""
        found = (_JOINS.get(self._kinds.get(key, "")) for key in keys if key is not None)
        return tuple(dict.fromkeys(word for word in found if word))


def read(parsed: Parsed, made: Kinds, *, allow_test: bool, known_type: Callable[[str], str]) -> Trace:
    """What a message of a trace says. ``known_type`` lets only codes of public tables through."""
    submissions: list[Submission] = []
    outcomes: list[Outcome] = []
    for fact in parsed.facts:
        if isinstance(fact, facts.Document):
            submissions.append(_document(fact, made, allow_test=allow_test, known_type=known_type))
        elif isinstance(fact, facts.Submission):
            submissions.append(_audited(fact, made, allow_test=allow_test))
        elif isinstance(fact, facts.Outcome):
            outcomes.append(
                Outcome(fact.accepted, fact.layer, fact.code, fact.warning, made.joins(fact.exchange)),
            )
    entries = sum(isinstance(fact, facts.Entry) for fact in parsed.facts)
    return Trace(tuple(submissions), tuple(dict.fromkeys(outcomes)), entries)


def _document(fact: facts.Document, made: Kinds, *, allow_test: bool, known_type: Callable[[str], str]) -> Submission:
    names = {
        "id": fact.id,
        "set_id": fact.chain,
        "hl7_document": fact.alias,
        "hash": fact.hash,
        "entry": fact.entry,
        "hl7_message": fact.control,
    }
    # As in a message: a CDA under another INS than its metadata is qualified for nobody.
    same = fact.body != "cda" or (fact.cda_ins, fact.cda_ins_root) == (fact.ins, fact.ins_root)
    return Submission(
        trace=fact.trace,
        named_by=tuple(word for word, value in names.items() if value is not None),
        joined_by=made.joins(fact.exchange, *fact.keys, fact.control),
        request=fact.request,
        type_code=known_type(fact.type_code),
        kind=fact.kind,
        body=fact.body,
        level=fact.level,
        declared_level=fact.declared_level,
        ins=_patient(fact.ins, fact.ins_root, qualified=same and ins.counts(fact.ins_root, allow_test=allow_test)),
        stay=fact.visit is not None or fact.dossier is not None or fact.encounter is not None,
    )


def _audited(fact: facts.Submission, made: Kinds, *, allow_test: bool) -> Submission:
    return Submission(
        trace=fact.trace,
        named_by=(),
        joined_by=made.joins(fact.key),
        request="",
        type_code="",
        kind="",
        body="unseen",
        level=0,
        declared_level=0,
        ins=_patient(fact.ins, fact.ins_root, qualified=ins.counts(fact.ins_root, allow_test=allow_test)),
        stay=False,
    )


def _patient(matricule: bytes | None, root: int, *, qualified: bool) -> Patient:
    if matricule is None or root == INS_NONE:
        return Patient(present=False, oid="", test=False, qualified=False)
    return Patient(present=True, oid=ins.oid(root), test=root in ins.TRIAL, qualified=qualified)


def to_json(trace: Trace, known: remedies.Remedies) -> dict[str, Any]:
    """The part of a trace in the object that ``jauge check --json`` prints; a refusal comes with what to do (French)."""
    shown: dict[str, Any] = {
        "submissions": [msgspec.to_builtins(submission) for submission in trace.submissions],
        "outcomes": [msgspec.to_builtins(outcome) | _advice(outcome, known) for outcome in trace.outcomes],
    }
    if trace.entries:
        shown["entries"] = trace.entries
    return shown


def _advice(outcome: Outcome, known: remedies.Remedies) -> dict[str, str]:
    if outcome.accepted:
        return {}
    return {"label": known.label(outcome.code), "advice": known.advice(outcome.code)}


def rows(trace: Trace, known: remedies.Remedies) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Content, type, kind, level, INS and remark of each submission and answer, for people."""
    for submission in trace.submissions:
        yield (
            f"  {submission.request or 'submission'}",
            submission.type_code,
            kinds.KINDS.get(submission.kind, "") if submission.type_code else "",
            _level(submission),
            _ins(submission.ins),
            f"{_words('named by', submission.named_by, 'names no document')}; {_joined(submission.joined_by)}",
        )
    for outcome in trace.outcomes:
        word = _SAID.get((outcome.layer, outcome.accepted), outcome.layer)
        about = outcome.warning if outcome.accepted else known.label(outcome.code)
        said = f"{about}; {_joined(outcome.joined_by)}" if about else _joined(outcome.joined_by)
        yield (f"  {word} {outcome.code}".rstrip(), "", "", "", "", said)
    if trace.entries:
        yield (f"  {trace.entries} entryUUID", "", "", "", "", "")


def meanings(outcomes: Iterable[Outcome], known: remedies.Remedies) -> Mapping[str, str]:
    """What to do about each code of refusal that was met, once."""
    return {outcome.code: known.advice(outcome.code) for outcome in outcomes if not outcome.accepted}


def _level(submission: Submission) -> str:
    if submission.level:
        return f"N{submission.level}"
    return f"N{submission.declared_level} declared" if submission.declared_level else "-"


def _ins(found: Patient) -> str:
    if not found.present:
        return "-"
    authority = "test" if found.test else ("NIR" if found.oid.endswith(".8") else "NIA")
    return f"{authority}, stated" if found.qualified else f"{authority}, not counted"


def _joined(by: tuple[str, ...]) -> str:
    return _words("joined by", by, "joined by nothing")


def _words(lead: str, words: tuple[str, ...], otherwise: str) -> str:
    return f"{lead} {', '.join(words).replace('_', ' ')}" if words else otherwise
