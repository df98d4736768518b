"""Movements of a patient's venues -> stays (docs/rules.md section 1; PAM-FR 2.2 to 2.6).

A pure function of a set of facts: the order in which they came has no part in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from engine.facts import Movement

_OPEN: Final = frozenset({"A01", "A04"})
_CLASS: Final = frozenset({"A06", "A07"})
_MOVE: Final = frozenset({"A02", "A08", "A54", "A21", "A22", "Z80", "Z84"})
_CLOSE: Final = "A03"
_PLAN: Final = "A05"
# A cancelling event and what it cancels (PAM-FR 2.2).
_CANCELS: Final = {
    "A11": _OPEN,
    "A13": frozenset({_CLOSE}),
    "A12": frozenset({"A02"}),
    "A38": frozenset({_PLAN}),
    "A52": frozenset({"A21"}),
    "A53": frozenset({"A22"}),
    "A55": frozenset({"A54"}),
    "Z81": frozenset({"Z80"}),  # first versions of PAM-FR
    "Z85": frozenset({"Z84"}),
    "A23": _OPEN,
}
# Announcements and trackings that change nothing of a stay.
_IGNORED: Final = frozenset({"A09", "A10", "A14", "A15", "A16", "A25", "A26", "A27", "A32", "A33"})
_RANK: Final = dict.fromkeys(_OPEN, 0) | {_PLAN: 0} | dict.fromkeys(_CLASS, 1) | dict.fromkeys(_MOVE, 2) | {_CLOSE: 3}
_CLASSES: Final = frozenset("IEROV")


class Stay(Struct, eq=False):
    """One presence in a venue, from entry to exit. Times are epoch seconds, 0 when unknown."""

    venue: bytes
    number: int  # 0, 1 ...: rank among the stays of the venue
    dossiers: frozenset[bytes]
    establishment: str
    ipp: bytes | None  # of the movement recorded last
    ins: bytes | None
    recorded: int  # when that movement was recorded
    entry: int
    exit: int
    patient_class: str
    treatment: str
    unit: str
    units: frozenset[str]
    death: bool


class _Event(Struct, eq=False):
    """A movement as it stands after its corrections."""

    when: int
    at: int
    rank: int
    kind: str
    base: Movement
    patient_class: str
    class_at: int
    unit: str

    def order(self) -> tuple[int, int, int, bytes]:
        return (self.when, self.at, self.rank, self.base.movement or b"")


def _order(movement: Movement) -> tuple[int, int, str, bytes, str, str]:
    """A total order of movements by the time they were recorded."""
    return (
        movement.at,
        movement.when,
        movement.event,
        movement.movement or b"",
        movement.unit,
        movement.patient_class,
    )


def stays(venue: bytes, movements: Iterable[Movement]) -> list[Stay]:
    """The stays of one venue, by time."""
    known = sorted((m for m in movements if m.event not in _IGNORED), key=_order)
    return _walk(venue, known, _effective(known))


def _effective(known: list[Movement]) -> list[_Event]:
    """What really happened: inserted, not cancelled, with the corrections applied, by effective time."""
    inserts: dict[bytes, Movement] = {}
    nameless: list[Movement] = []
    updates: dict[bytes, list[Movement]] = defaultdict(list)
    cancels: list[Movement] = []
    for m in known:
        if m.event in _CANCELS or m.action == "CANCEL":
            cancels.append(m)
        elif m.event == "Z99" or m.action == "UPDATE":
            if m.movement is not None:
                updates[m.movement].append(m)
        elif m.movement is not None:
            inserts[m.movement] = m  # recorded last wins: known is sorted
        else:
            nameless.append(m)
    cancelled = {m.movement for m in cancels if m.movement is not None}
    events = [
        _event(m, m.event, updates.get(identifier, ()))
        for identifier, m in inserts.items()
        if identifier not in cancelled
    ]
    events += [_event(m, m.event, ()) for m in nameless]
    # A correction whose movement was never seen (the engine was not there yet) stands for it.
    events += [
        _event(found[-1], found[-1].original, found)
        for identifier, found in updates.items()
        if identifier not in inserts and identifier not in cancelled and found[-1].original in _RANK
    ]
    for cancel in cancels:
        if cancel.movement is None or (cancel.movement not in inserts and cancel.movement not in updates):
            _cancel_last(events, cancel)
    events.sort(key=_Event.order)
    return events


def _event(base: Movement, kind: str, updates: Iterable[Movement]) -> _Event:
    event = _Event(base.when, base.at, _RANK.get(kind, 2), kind, base, base.patient_class, base.at, base.unit)
    for update in updates:  # by recorded time: the last one wins
        event.when = update.when or event.when
        event.unit = update.unit or event.unit
        if "C" in update.nature and update.patient_class:
            event.patient_class = update.patient_class
            event.class_at = update.at
    return event


def _cancel_last(events: list[_Event], cancel: Movement) -> None:
    """Apply a cancellation that names no known movement: the entry (or exit) recorded last before it goes."""
    kinds = _CANCELS.get(cancel.event) or frozenset({cancel.original})
    if not (kinds <= _OPEN or kinds == {_CLOSE}):
        return
    found = [e for e in events if e.kind in kinds and e.at <= cancel.at]
    if found:
        events.remove(max(found, key=lambda e: (e.at, e.when, e.base.movement or b"")))


def _walk(venue: bytes, known: list[Movement], events: list[_Event]) -> list[Stay]:
    result: list[Stay] = []
    current: Stay | None = None
    class_at = 0
    seen_units: set[str] = set()
    for event in events:
        base, kind = event.base, event.kind
        if kind == _PLAN or kind not in _RANK:
            continue
        closed = current is not None and current.exit != 0
        if closed and kind in _CLASS:
            current.exit = 0  # type: ignore[union-attr]  # a class change says the patient is present
        elif current is None or (closed and kind in _OPEN):
            entry = event.when if kind in _OPEN or kind in _CLASS else base.entry
            if kind in _CLASS and base.entry and not _announced(events):
                entry = base.entry  # the engine was not there at the entry
            current = Stay(
                venue,
                len(result),
                frozenset(),
                base.establishment,
                None,
                None,
                0,
                entry,
                0,
                "",
                "",
                "",
                frozenset(),
                False,
            )
            result.append(current)
            class_at = 0
            seen_units = set()
        elif closed and kind != _CLOSE:
            continue  # an update after the exit (A08 ...) does not open the venue again
        assert current is not None
        if event.patient_class in _CLASSES and (kind in _OPEN or kind in _CLASS or event.class_at >= class_at):
            current.patient_class = event.patient_class
            class_at = event.class_at
        if event.unit:
            current.unit = event.unit
            seen_units.add(event.unit)
            current.units = frozenset(seen_units)
        current.treatment = base.treatment or current.treatment
        if kind == _CLOSE:
            current.exit = event.when
    _common(result, known)
    return result


def _announced(events: list[_Event]) -> bool:
    return any(event.kind == _PLAN for event in events)


def _common(result: list[Stay], known: list[Movement]) -> None:
    """What every message on the venue tells, whatever its event: dossier, patient, death."""
    if not result:
        return
    dossiers = frozenset(m.dossier for m in known if m.dossier is not None)
    death = any(m.death for m in known)
    named = [m for m in known if m.ipp is not None or m.ins is not None]
    last = named[-1] if named else None
    for stay in result:
        stay.dossiers = dossiers
        stay.establishment = known[-1].establishment
        if last is not None:
            stay.ipp, stay.ins, stay.recorded = last.ipp, last.ins, last.at
    result[-1].death = death
