"""ADT messages that rename, merge or move: MRG against PID (PAM-FR 2.11, A40, A44, A47, A49; HL7 v2.5 chapter 3 for the others)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.errors import Flag
from engine.facts import Alias, AnyFact, InsRetired, Reattached
from engine.parsers import patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.parsers.context import Context
    from engine.parsers.er7 import Segment

CODES: Final[dict[str, str]] = {
    "merge-without-mrg": "A merge, a move or a change of number without MRG: what it is about cannot be told.",
    "merge-unclear": "MRG does not hold the former number that the event is about: nothing was merged.",
}

# Which number an event renames (kept in PID or PV1, dropped in MRG).
_PERSONS: Final = frozenset("A18 A30 A34 A36 A39 A40 A46 A47".split())
_DOSSIERS: Final = frozenset("A35 A36 A41 A49".split())
_VISITS: Final = frozenset("A42 A50".split())
_RETIRING: Final = frozenset(
    "A30 A46 A47".split()
)  # a change of identifier: an INS in MRG-1 is no longer the patient's
_MOVING: Final = {"A43": "ipp", "A44": "dossier", "A45": "visit"}

EVENTS: Final = _PERSONS | _DOSSIERS | _VISITS | frozenset(_MOVING)


def read(
    pid: Segment,
    first: Callable[[bytes], Segment | None],
    who: patient.Patient,
    event: str,
    recorded: int,
    context: Context,
) -> tuple[list[AnyFact], tuple[Flag, ...]]:
    """Facts of one group PID [PV1] MRG of a merge, a move or a change of number."""
    mrg, pv1 = first(b"MRG"), first(b"PV1")
    if mrg is None:
        return [], (Flag("merge-without-mrg", "MRG"),)
    encoding = pid.encoding
    former = patient.numbers(mrg.field(1), encoding, context, "MRG-1")
    dossier = context.number("dossier", mrg.field(3), encoding)
    old_visit = context.number("visit", mrg.field(5), encoding)
    visit = context.number("visit", pv1.field(19), encoding) if pv1 is not None else None
    facts: list[AnyFact] = []
    if event in _MOVING:
        kind = _MOVING[event]
        moved = {"ipp": None, "dossier": who.dossier or dossier, "visit": visit or old_visit}[kind]
        if who.numbers.ipp is None or (moved is None if kind != "ipp" else former.ipp is None):
            return [], (Flag("merge-unclear", "MRG"),)
        return [Reattached(at=recorded, kind=kind, moved=moved, ipp=who.numbers.ipp, former=former.ipp)], ()
    if event in _PERSONS:
        facts += _alias(recorded, "ipp", who.numbers.ipp, former.ipp)
    if event in _DOSSIERS:
        facts += _alias(recorded, "dossier", who.dossier, dossier)
    if event in _VISITS:
        facts += _alias(recorded, "visit", visit, old_visit)
    if event in _RETIRING and former.ins is not None and former.ins != who.numbers.ins:
        facts.append(InsRetired(at=recorded, ipp=who.numbers.ipp, ins=former.ins))
    return facts, () if facts else (Flag("merge-unclear", "MRG"),)


def _alias(at: int, kind: str, kept: bytes | None, dropped: bytes | None) -> list[AnyFact]:
    if kept is None or dropped is None or kept == dropped:
        return []
    return [Alias(at=at, kind=kind, kept=kept, dropped=dropped)]
