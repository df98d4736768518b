"""How far one document went on its way to the DMP (docs/rules.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from engine.facts import HL7, Document
from engine.ledger.attempts import Sending
from engine.ledger.patient import Person, View
from engine.ledger.reports import Report, Version
from engine.metrics.periods import closing, day_of
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
_HOUR: Final = 3_600
_FOREVER: Final = 1 << 62
# What a submission of an unknown document may have mended without anybody seeing it.
_UNSEEN: Final = frozenset({v.NOT_PRODUCED, v.NOT_ADDRESSED, v.NOT_ANSWERED})
_RANK: Final = {reason: rank for rank, reason in enumerate(v.WAY)}


class Fate(Struct, frozen=True):
    """``reason`` is None when the proof is there; then ``at`` is when it came.

    Missed: ``at`` is when it was sent or refused, ``code`` why the DMP refused. ``dated``: the proof may come too late for a
    period; a sending, or the platform's acknowledgement, never does.
    """

    reason: str | None
    at: int = 0
    code: str = ""
    dated: bool = True


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
    known: tuple[RuleSettings, Fate] | None = report.judged.get((level, proof))
    if known is None or known[0] is not settings:
        found = best(fates(report, person, settings, level=level, proof=proof))
        known = report.judged[level, proof] = (settings, found)
    return known[1]


def best(found: Iterable[Fate], nothing: str = v.NOT_PRODUCED) -> Fate:
    """The earliest proof, else the furthest reason (the latest fate of that reason), else ``nothing``."""
    missed = Fate(nothing)
    proven: Fate | None = None
    for fate in found:
        if fate.reason is None:
            proven = fate if proven is None or fate.at < proven.at else proven
        elif proven is None and _further(fate, missed):
            missed = fate
    return missed if proven is None else proven


def earlier_on_the_way(fate: Fate) -> tuple[int, int, str]:
    """Orders missed fates: the least far along the way first, the latest of them first."""
    assert fate.reason is not None
    return (_RANK[fate.reason], -fate.at, fate.code)


def _further(fate: Fate, other: Fate) -> bool:
    assert fate.reason is not None
    assert other.reason is not None
    rank, known = _RANK[fate.reason], _RANK[other.reason]
    return rank > known or (rank == known and (fate.at, fate.code) > (other.at, other.code))


def hidden(fate: Fate, view: View, person: int, since: int, until: int = _FOREVER) -> Fate:
    """The same fate, unless a submission of an unknown document may hold what is missing (docs/rules.md section 7)."""
    if fate.reason not in _UNSEEN or not view.unnamed:
        return fate
    if any(one.accepted and one.person == person and since <= one.at <= until for one in view.unnamed):
        return Fate(v.NOT_NAMED)
    return fate


def fates(report: Report, person: Person, settings: RuleSettings, *, level: int, proof: Proof) -> Iterable[Fate]:
    """The fate of every sending of every version."""
    for index, version in enumerate(report.versions):
        deletions = _deletions(report.versions[index:])
        seen = version.seen
        named = next((one for one in version.documents if one.ins is not None), None)
        for sending in version.sendings:
            reason = _defect(sending.document, seen, named, person, settings, level)
            yield Fate(reason, sending.at) if reason else _way(sending, deletions, proof)


def _deletions(versions: list[Version]) -> list[int]:
    """When a version was deleted: by its own deletion or by that of a later one, unless it was refused or never got there."""
    return [
        deletion.at
        for version in versions
        for deletion in version.deletions
        if deletion.accepted or not (deletion.answered or deletion.refused)
    ] + [at for version in versions for at in version.withdrawn]


def _defect(
    document: Document,
    seen: Document | None,
    named: Document | None,
    person: Person,
    settings: RuleSettings,
    level: int,
) -> str | None:
    """What is wrong with a document as one sending shows it.

    ``seen``: the version's CDA, where some sending showed it; ``named``: a sending that gave the INS.
    """
    body = document if document.body != "unseen" or seen is None else seen
    if level:
        if body.body == "unseen":
            if level > 1:  # the DMP takes nothing but CDA; what is in it, nobody saw
                return v.LEVEL_UNKNOWN
        elif body.body != "cda":
            return v.NOT_CDA
        elif body.level < level:
            return v.WRONG_LEVEL
    who = document
    if document.trace != HL7 and named is not None and document.ins in (None, named.ins):
        who = named  # the message that asked for the submission said more of the identity
    matricule, root, status, birth_corrected = who.ins, who.ins_root, who.status, who.birth_corrected
    if not status or (matricule is None and who.trace != HL7):
        known = person.status_at(document.at)
        if known is not None:
            status, birth_corrected = status or known.status, birth_corrected or known.birth_corrected
            if matricule is None and who.trace != HL7:  # the trace names its patient by a number of the hospital
                matricule, root = known.ins, known.ins_root
        elif who.trace != HL7:  # who submits under an INS says that it is qualified
            status = "VALI"
    reason = qualification(root, status, birth_corrected, settings.count_test_ins)
    if reason:
        return reason
    if body.body == "cda" and (body.cda_ins != matricule or body.cda_ins_root != root):
        return v.INS_MISMATCH
    return None


def _way(sending: Sending, deletions: list[int], proof: Proof) -> Fate:
    if sending.addressed != "Y" and not sending.answered:
        return Fate(v.NOT_ADDRESSED, sending.at)
    if proof == "accepted":
        if not sending.answered:
            return Fate(v.NOT_SUBMITTED if sending.refused else v.NOT_ANSWERED, sending.at)
        if not sending.accepted:
            return Fate(v.REJECTED, sending.answered_at, sending.code)
        at = sending.answered_at
    elif proof == "taken":
        if not sending.taken and not sending.answered:
            return Fate(v.NOT_SUBMITTED, sending.at)
        at = sending.at
    else:
        at = sending.at
    deleted = any(deleted >= sending.at for deleted in deletions)
    return Fate(v.DELETED, sending.at) if deleted else Fate(None, at, dated=proof == "accepted")


def verdict(
    indicator: str, establishment: str, unit: str, day: int, fate: Fate, settings: RuleSettings, zone: str
) -> v.Verdict:
    """A fate as it is tallied."""
    outcome, settled = fate.reason or v.MET, 0
    if fate.reason is None:
        settled = closing(fate.at, zone, settings.grace_days) if fate.dated else 0
    elif fate.reason == v.NOT_ANSWERED:
        settled = day_of(fate.at + settings.answer_hours * _HOUR, zone)
    elif fate.reason == v.REJECTED:
        outcome = v.rejected(fate.code)
    return v.Verdict(indicator, establishment, unit, day, outcome, settled)
