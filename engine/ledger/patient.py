"""All that is known of a patient, folded: identities, stays, reports, and which report belongs to which stay.

A pure function of a set of facts and of the exchanges they name (docs/rules.md sections 1 to 4): whatever the order in
which the facts came, and however often, the view is the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from engine.facts import (
    INS_NONE,
    Activity,
    Alias,
    AnyFact,
    Document,
    Entry,
    Identity,
    InsRetired,
    Mailed,
    Movement,
    Reattached,
    Submission,
)
from engine.ledger.links import Links
from engine.ledger.mailings import Mail
from engine.ledger.mailings import mail as mail_of
from engine.ledger.naming import MATCH_SECONDS
from engine.ledger.reports import ExchangeOf, Report, reports
from engine.ledger.stays import Stay, stays
from engine.ledger.unnamed import Unnamed
from engine.ledger.unnamed import unnamed as unnamed_of

_DAY: Final = 86_400


class Person(Struct, eq=False):
    """One person: the identities that messages gave, by time, and the last known DMP status and opposition."""

    identities: list[Identity]
    dmp: str = ""
    feeding: str = ""
    dmps: list[tuple[int, str]] = []  # every ZFA-1 that was not empty, by time

    def dmp_at(self, at: int) -> str:
        """The last DMP status recorded not later than ``at``, else the first one later; "" when none ever was."""
        place = bisect_right(self.dmps, at, key=lambda one: one[0])
        return self.dmps[max(place - 1, 0)][1] if self.dmps else ""

    def current(self) -> Identity | None:
        """The identity given last."""
        return self.identities[-1] if self.identities else None

    def status_at(self, at: int) -> Identity | None:
        """The last identity with a PID-32 recorded not later than ``at``, else the first one later."""
        found: Identity | None = None
        for identity in self.identities:
            if not identity.status:
                continue
            if identity.at > at and found is not None:
                break
            found = identity
            if identity.at > at:
                break
        return found


class View(Struct, eq=False):
    """A patient as the facts tell."""

    stays: list[Stay]
    persons: list[Person]
    person_of_stay: list[int]  # index in persons, by stay
    reports: list[Report]
    activities: dict[int, list[Activity]]  # by stay
    unnamed: list[Unnamed] = []
    mail: Mail = field(default_factory=Mail)

    def reports_of(self, stay: int) -> list[Report]:
        """The reports attached to a stay."""
        return self._by_stay.get(stay, [])

    _by_stay: dict[int, list[Report]] = {}

    def __post_init__(self) -> None:
        self._by_stay = {}
        for report in self.reports:
            if report.stay is not None:
                self._by_stay.setdefault(report.stay, []).append(report)


class Attachment(Struct, frozen=True):
    """How far the dates alone may attach a report to a stay."""

    days: int = 30  # after the exit
    classes: frozenset[str] = frozenset("I")  # PV1-2 of the stays that a later report may belong to
    match: int = MATCH_SECONDS  # how far in time a trace without identifier may be from its document


_ATTACHMENT: Final = Attachment()


class _Names:
    """Which identifiers name the same thing, and who a name belongs to."""

    def __init__(self, facts: list[AnyFact]) -> None:
        self.ipp, self.dossier, self.venue = Links(), Links(), Links()
        by_kind = {"ipp": self.ipp, "dossier": self.dossier, "visit": self.venue}
        self.moves: list[Reattached] = []
        for fact in facts:
            if type(fact) is Alias and fact.kind in by_kind:
                by_kind[fact.kind].join(fact.kept, fact.dropped)
            elif type(fact) is Reattached:
                if fact.kind == "ipp" and fact.ipp is not None and fact.former is not None:
                    self.ipp.join(fact.ipp, fact.former)
                elif fact.moved is not None and fact.ipp is not None:
                    self.moves.append(fact)
        self.moves.sort(key=lambda fact: (fact.at, fact.ipp or b"", fact.moved or b""))

    def moved(self, venue: bytes, dossiers: frozenset[bytes], recorded: int) -> bytes | None:
        """The IPP that a re-attachment recorded after the venue's last movement gave it, if any."""
        for fact in reversed(self.moves):
            if fact.at < recorded:
                return None
            if fact.moved is None:
                continue
            if fact.kind == "visit" and self.venue.root(fact.moved) == venue:
                return fact.ipp
            if fact.kind == "dossier" and self.dossier.root(fact.moved) in dossiers:
                return fact.ipp
        return None


def fold(facts: Iterable[AnyFact], exchange_of: ExchangeOf, attach: Attachment = _ATTACHMENT) -> View:
    """The view of a patient. ``facts`` is a set: the caller gives them without repetition, in a canonical order."""
    known = list(facts)
    names = _Names(known)
    persons, person_of = _persons(known, names)
    found = _stays(known, names)
    owners = [_owner(stay, names, person_of) for stay in found]
    documents = [fact for fact in known if type(fact) is Document]
    entries = [fact for fact in known if type(fact) is Entry]
    chains = reports(documents, exchange_of, entries, attach.match) if documents else []
    places = _Places(found, owners, names)
    for report in chains:
        report.person = _person_of_report(report, person_of, places)
        _attach(report, places, attach)
    activities: dict[int, list[Activity]] = {}
    for fact in known:
        if type(fact) is Activity:
            place = _place_activity(fact, person_of, places)
            if place is not None:
                activities.setdefault(place, []).append(fact)
    submissions = [fact for fact in known if type(fact) is Submission]
    unnamed = unnamed_of(submissions, documents, exchange_of, person_of.named) if submissions else []
    mailed = [fact for fact in known if type(fact) is Mailed]
    mail = mail_of(mailed, chains, exchange_of, person_of.named) if mailed or chains else Mail()
    return View(found, persons, owners, chains, activities, unnamed, mail)


# -- persons ----------------------------------------------------------------------------------------------------------


class _PersonOf:
    """Finds, or makes, the person of an IPP or, without one, of an INS."""

    def __init__(self, persons: list[Person], names: _Names) -> None:
        self._persons = persons
        self._names = names
        self._by_ipp: dict[bytes, int] = {}
        self._by_ins: dict[bytes, int] = {}

    def __call__(self, ipp: bytes | None, ins: bytes | None) -> int:
        if ipp is not None:
            return self._find(self._by_ipp, self._names.ipp.root(ipp))
        if ins is not None:
            return self._find(self._by_ins, ins)
        return self._find(self._by_ins, b"")

    def known(self, ipp: bytes | None, ins: bytes | None) -> int | None:
        """The person that other facts gave this IPP or, failing that, this INS; None when none did."""
        if ipp is not None and (found := self._by_ipp.get(self._names.ipp.root(ipp))) is not None:
            return found
        return self._by_ins.get(ins) if ins is not None else None

    def named(self, ipp: bytes | None, ins: bytes | None) -> int:
        """The person that is known by one of them, else a new one."""
        found = self.known(ipp, ins)
        return self(ipp, ins) if found is None else found

    def know(self, ins: bytes, person: int) -> None:
        """Say whose INS it is, for messages that name nobody else."""
        self._by_ins.setdefault(ins, person)

    def _find(self, table: dict[bytes, int], key: bytes) -> int:
        number = table.get(key)
        if number is None:
            number = table[key] = len(self._persons)
            self._persons.append(Person([], dmps=[]))
        return number


def _persons(known: list[AnyFact], names: _Names) -> tuple[list[Person], _PersonOf]:
    persons: list[Person] = []
    person_of = _PersonOf(persons, names)
    identities = sorted((fact for fact in known if type(fact) is Identity), key=_identity_order)
    retired: dict[bytes, int] = {}  # the last time each INS was taken back
    for fact in known:
        if type(fact) is InsRetired:
            retired[fact.ins] = max(fact.at, retired.get(fact.ins, 0))
    for identity in reversed(identities):  # the last holder of an INS is the one who has it
        if identity.ins is not None and identity.ipp is not None:
            person_of.know(identity.ins, person_of(identity.ipp, None))
    for identity in identities:
        person = persons[person_of(identity.ipp, identity.ins)]
        if identity.ins is not None and retired.get(identity.ins, -1) >= identity.at:
            identity = Identity(  # the INS was taken back later
                identity.at,
                identity.ipp,
                None,
                INS_NONE,
                False,
                identity.status,
                identity.birth_corrected,
                identity.dmp,
                identity.feeding,
            )
        if identity.status or identity.ins is not None:
            person.identities.append(identity)
        if identity.dmp:
            person.dmp = identity.dmp
            person.dmps.append((identity.at, identity.dmp))
        person.feeding = identity.feeding or person.feeding
    return persons, person_of


def _identity_order(identity: Identity) -> tuple[int, str, bytes, int, str, str, bytes]:
    return (
        identity.at,
        identity.status,
        identity.ins or b"",
        identity.ins_root,
        identity.dmp,
        identity.feeding,
        identity.ipp or b"",
    )


# -- stays ------------------------------------------------------------------------------------------------------------


def _stays(known: list[AnyFact], names: _Names) -> list[Stay]:
    movements = [fact for fact in known if type(fact) is Movement]
    venues_of: dict[bytes, set[bytes]] = defaultdict(set)
    for movement in movements:
        if movement.visit is not None and movement.dossier is not None:
            venues_of[names.dossier.root(movement.dossier)].add(names.venue.root(movement.visit))
    by_venue: dict[bytes, list[Movement]] = defaultdict(list)
    for movement in movements:
        if movement.visit is not None:
            by_venue[names.venue.root(movement.visit)].append(movement)
        elif movement.dossier is not None:
            dossier = names.dossier.root(movement.dossier)
            venues = venues_of.get(dossier, ())
            by_venue[min(venues) if len(venues) == 1 else dossier].append(movement)
    found = [stay for venue, group in by_venue.items() for stay in stays(venue, group)]
    for stay in found:
        stay.dossiers = frozenset(names.dossier.root(dossier) for dossier in stay.dossiers)
    found.sort(key=lambda stay: (stay.exit or 1 << 62, stay.entry, stay.venue, stay.number))
    return found


def _owner(stay: Stay, names: _Names, person_of: _PersonOf) -> int:
    moved = names.moved(stay.venue, stay.dossiers, stay.recorded) if names.moves else None
    return person_of(moved, None) if moved is not None else person_of(stay.ipp, stay.ins)


# -- reports ----------------------------------------------------------------------------------------------------------


class _Places:
    """The stays of a patient, found by what a message names."""

    def __init__(self, found: list[Stay], owners: list[int], names: _Names) -> None:
        self.stays = found
        self.owners = owners
        self._names = names
        self._venues: dict[bytes, list[int]] = defaultdict(list)
        self._dossiers: dict[bytes, list[int]] = defaultdict(list)
        self._persons: dict[int, list[int]] = defaultdict(list)
        for index, stay in enumerate(found):
            self._venues[stay.venue].append(index)
            self._persons[owners[index]].append(index)
            for dossier in stay.dossiers | {stay.venue}:
                self._dossiers[dossier].append(index)

    def venue(self, visit: bytes | None) -> list[int]:
        """The stays of a venue."""
        return [] if visit is None else self._venues.get(self._names.venue.root(visit), [])

    def dossier(self, dossier: bytes | None) -> list[int]:
        """The stays of a dossier."""
        return [] if dossier is None else self._dossiers.get(self._names.dossier.root(dossier), [])

    def person(self, person: int) -> list[int]:
        """The stays of a person."""
        return self._persons.get(person, [])

    def in_force(self, candidates: Iterable[int], at: int) -> int | None:
        """The stay that holds an instant, the last one to begin if several do."""
        found = self.stays
        inside = [i for i in candidates if found[i].entry <= at and (not found[i].exit or at < found[i].exit)]
        return max(inside, key=lambda index: (found[index].entry, index)) if inside else None

    def at(self, candidates: list[int], at: int) -> int:
        """Among stays of one venue or dossier: the one in force, else the last one ended before, else the first."""
        if len(candidates) == 1:
            return candidates[0]
        found = self.stays
        in_force = self.in_force(candidates, at)
        if in_force is not None:
            return in_force
        before = [index for index in candidates if 0 < found[index].exit <= at]
        if before:
            return max(before, key=lambda index: (found[index].exit, index))
        return min(candidates, key=lambda index: (found[index].entry, index))


def _person_of_report(report: Report, person_of: _PersonOf, places: _Places) -> int:
    documents = [document for version in reversed(report.versions) for document in version.documents]
    for document in documents:
        # A trace may name its patient by an IPP of another domain: the INS then says who it is.
        person = person_of.known(document.ipp, document.ins)
        if person is not None:
            return person
    for document in documents:
        if document.ipp is not None or document.ins is not None:
            return person_of(document.ipp, document.ins)
    for version in report.versions:
        for document in version.documents:
            for index in places.venue(document.visit) or places.dossier(document.dossier):
                return places.owners[index]
    return person_of(None, None)


def _attach(report: Report, places: _Places, attach: Attachment) -> None:
    documents = [document for version in report.versions for document in version.documents]
    for way, find, numbers in (
        ("visit", places.venue, [document.visit for document in documents]),
        ("dossier", places.dossier, [document.dossier for document in documents]),
        ("encounter", places.venue, [document.encounter for document in documents]),
    ):
        for number in numbers:
            named = find(number)
            if named:
                report.stay, report.way = places.at(named, report.created), way
                return
    if any(document.visit is not None or document.dossier is not None for document in documents):
        return  # it names a venue that is not known: times must not contradict it
    own = places.person(report.person)
    inside = places.in_force(own, report.created)
    if inside is not None:
        report.stay, report.way = inside, "dates"
        return
    found = places.stays
    counted = (index for index in own if found[index].patient_class in attach.classes)
    ended = [i for i in counted if 0 < found[i].exit <= report.created <= found[i].exit + attach.days * _DAY]
    if ended:
        report.stay, report.way = max(ended, key=lambda index: (found[index].exit, index)), "after-exit"


def _place_activity(fact: Activity, person_of: _PersonOf, places: _Places) -> int | None:
    at = fact.when or fact.at
    named = places.venue(fact.visit) or places.dossier(fact.dossier)
    if named:
        return places.at(named, at)
    if fact.visit is not None or fact.dossier is not None or fact.ipp is None:
        return None
    return places.in_force(places.person(person_of(fact.ipp, None)), at)
