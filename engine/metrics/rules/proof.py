"""How far one document went on its way to the DMP (docs/rules.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from engine.facts import Document
from engine.ledger.patient import Person
from engine.ledger.reports import Report, Sending, Version
from engine.metrics.rules import verdict as v
from engine.metrics.settings import RuleSettings
from engine.parsers import ins

Proof = Literal["accepted", "taken", "sent"]
"""What counts as fed: the DMP's yes, the platform's acknowledgement, or the request alone."""

_WHY: Final = {
    "ins_absent": v.INS_ABSENT,
    "ins_test": v.INS_TEST,
    "ins_not_qualified": v.INS_NOT_QUALIFIED,
    "status_absent": v.INS_NOT_QUALIFIED,  # no other message said more
}
_RANK: Final = {reason: rank for rank, reason in enumerate(v.WAY)}


class Fate(Struct, frozen=True):
    """``reason`` is None when the proof is there; then ``at`` is when it came."""

    reason: str | None
    at: int = 0


@lru_cache(maxsize=1024)
def qualification(root: int, status: str, birth_corrected: bool, count_test: bool) -> str | None:
    """Why an identity is not a qualified INS, None when it is one (docs/rules.md section 2)."""
    found = ins.qualified(root, status, birth_corrected=birth_corrected, allow_test=count_test)
    return None if found.qualified else _WHY[found.why]


def eligible(person: Person, settings: RuleSettings) -> bool:
    """Whether nothing about the patient forbids feeding the DMP: qualified INS, DMP not closed, no opposition."""
    identity = person.current()
    if identity is None:
        return False
    if qualification(identity.ins_root, identity.status, identity.birth_corrected, settings.count_test_ins):
        return False
    return person.dmp not in {"FERME", "INEXISTANT"} and person.feeding != "IO"


def report_fate(
    report: Report, person: Person, settings: RuleSettings, *, level: int, proof: Proof = "accepted"
) -> Fate:
    """The fate of a report: the earliest proof among its versions, else the reason furthest along the way.

    ``level`` 0 asks for no format at all (DS1.4).
    """
    return best(fates(report, person, settings, level=level, proof=proof))


def best(found: Iterable[Fate], nothing: str = v.NOT_PRODUCED) -> Fate:
    """The earliest proof, else the furthest reason, else ``nothing``."""
    reason, at = nothing, 0
    proven = False
    for fate in found:
        if fate.reason is None:
            at = fate.at if not proven else min(at, fate.at)
            proven = True
        elif not proven and _RANK[fate.reason] > _RANK[reason]:
            reason = fate.reason
    return Fate(None, at) if proven else Fate(reason)


def fates(report: Report, person: Person, settings: RuleSettings, *, level: int, proof: Proof) -> Iterable[Fate]:
    """The fate of every sending of every version."""
    for index, version in enumerate(report.versions):
        deletions = _deletions(report.versions[index:])
        for sending in version.sendings:
            reason = _defect(sending.document, person, settings, level)
            yield Fate(reason) if reason else _way(sending, deletions, proof)


def _deletions(versions: list[Version]) -> list[int]:
    """When a version was deleted: by its own deletion or by that of a later one, unless the DMP refused."""
    return [
        deletion.at
        for version in versions
        for deletion in version.deletions
        if deletion.accepted or not deletion.answered
    ]


def _defect(document: Document, person: Person, settings: RuleSettings, level: int) -> str | None:
    if level:
        if document.body != "cda":
            return v.NOT_CDA
        if document.level < level:
            return v.WRONG_LEVEL
    status, birth_corrected = document.status, document.birth_corrected
    if not status:
        known = person.status_at(document.at)
        if known is not None:
            status, birth_corrected = known.status, birth_corrected or known.birth_corrected
    reason = qualification(document.ins_root, status, birth_corrected, settings.count_test_ins)
    if reason:
        return reason
    if document.cda_ins is None or document.cda_ins != document.ins or document.cda_ins_root != document.ins_root:
        return v.INS_MISMATCH if document.body == "cda" else None
    return None


def _way(sending: Sending, deletions: list[int], proof: Proof) -> Fate:
    if sending.addressed != "Y" and not sending.answered:
        return Fate(v.NOT_ADDRESSED)
    if proof == "accepted":
        if not sending.answered:
            return Fate(v.NOT_SUBMITTED if sending.refused else v.NOT_ANSWERED)
        if not sending.accepted:
            return Fate(v.REJECTED)
        at = sending.answered_at
    elif proof == "taken":
        if not sending.taken and not sending.answered:
            return Fate(v.NOT_SUBMITTED)
        at = sending.at
    else:
        at = sending.at
    return Fate(v.DELETED) if any(deleted >= sending.at for deleted in deletions) else Fate(None, at)
