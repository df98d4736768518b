"""Which version of which document a trace is about: by its identifiers, else by visit or patient, type and time.

docs/rules.md section 7. A pure function of a set of facts: a trace that comes later may tie a doubtful one better, and the
next fold shows it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from engine.facts import HL7, Document, Entry
from engine.ledger.attempts import STRENGTH

OWN: Final = "own"
MATCH_SECONDS: Final = 86_400


class Named:
    """Facts with the key of their version and how each was tied to it; ``key_of`` says it of an id named elsewhere."""

    def __init__(
        self, documents: Iterable[Document], entries: Iterable[Entry] = (), match: int = MATCH_SECONDS
    ) -> None:
        self._match = match
        facts = list(documents)
        # Ids that an HL7 message gave, or a trace together with the CDA: another trace may call the document by its TXA-12, or
        # by an uniqueId of the platform's own, where it means the CDA's id.
        self._ids = {
            fact.id
            for fact in facts
            if fact.id is not None and (fact.trace == HL7 or (fact.body == "cda" and fact.alias is None))
        }
        self._alias: dict[bytes, bytes] = {}
        self._entries: dict[bytes, bytes] = {}
        self._traced = any(fact.trace != HL7 for fact in facts)
        for fact in sorted(facts, key=_canonical):
            if fact.alias is not None and fact.id is not None:
                if fact.alias not in self._ids:
                    self._alias.setdefault(fact.alias, fact.id)
                elif fact.id not in self._ids:
                    self._alias.setdefault(fact.id, fact.alias)
            if fact.entry is not None and fact.id is not None:
                self._entries.setdefault(fact.entry, fact.id)
        for entry in sorted(entries, key=lambda fact: (fact.at, fact.entry, fact.document)):
            self._entries.setdefault(entry.entry, entry.document)
        self.facts: list[tuple[Document, bytes, str]] = []
        if not self._traced:
            self.facts = [(fact, self._plain(fact), OWN) for fact in facts]
            return
        named = [fact for fact in facts if fact.trace == HL7 or fact.id is not None]
        for fact in named:
            key = self._plain(fact)
            how = OWN if fact.trace == HL7 else "document-id" if key == fact.id else "hl7-document-id"
            self.facts.append((fact, key, how))
        self._tie([fact for fact in facts if fact.trace != HL7 and fact.id is None])

    def key_of(self, document: bytes) -> bytes:
        """The key of the version that an id or a TXA-12 names."""
        return self._alias.get(document, document)

    def by_entry(self, entry: bytes) -> bytes | None:
        """The key of the version that an entryUUID names, when something told."""
        named = self._entries.get(entry)
        return self.key_of(named) if named is not None else None

    def _plain(self, fact: Document) -> bytes:
        """The CDA id (or TXA-12), else the message itself."""
        return self.key_of(fact.id) if fact.id is not None else _own(fact)

    def _tie(self, facts: list[Document]) -> None:
        by_set: dict[tuple[bytes, int], bytes] = {}
        by_hash: dict[bytes, bytes] = {}
        by_control: dict[bytes, bytes] = {}
        for fact, named, _ in sorted(self.facts, key=lambda one: _canonical(one[0])):
            if fact.chain is not None and fact.version:
                by_set.setdefault((fact.chain, fact.version), named)
            if fact.hash is not None:
                by_hash.setdefault(fact.hash, named)
            if fact.trace == HL7:
                by_control.setdefault(fact.exchange, named)
        near = _Near(self.facts, self._match)
        for fact in sorted(facts, key=_canonical):
            key: bytes | None = None
            how = OWN
            if fact.alias is not None and (fact.alias in self._alias or fact.alias in self._ids):
                key, how = self.key_of(fact.alias), "hl7-document-id"
            elif fact.chain is not None and (fact.chain, fact.version) in by_set:
                key, how = by_set[fact.chain, fact.version], "set-version"
            elif fact.hash is not None and fact.hash in by_hash:
                key, how = by_hash[fact.hash], "sha1"
            elif fact.entry is not None and self.by_entry(fact.entry) is not None:
                key, how = self.by_entry(fact.entry), "entry"
            elif fact.control is not None and fact.control in by_control:
                key, how = by_control[fact.control], "control-id"
            elif fact.weak and fact.request != "deletion":  # what is deleted is never guessed
                key, how = near.find(fact)
            if key is None:
                key, how = _first(fact), OWN
            self.facts.append((fact, key, how))
            near.add(fact, key)


class _Near:
    """Versions by visit, or by patient, and type; the nearest in time answers."""

    def __init__(self, facts: Sequence[tuple[Document, bytes, str]], match: int) -> None:
        self._match = match
        self._places: dict[tuple[str, bytes, str], list[tuple[int, bytes]]] = defaultdict(list)
        for fact, key, _ in facts:
            self.add(fact, key)

    def add(self, fact: Document, key: bytes) -> None:
        for place, number in _where(fact):
            times = self._places[place, number, fact.type_code]
            for at in {fact.at, fact.created} - {0}:
                insort(times, (at, key))

    def find(self, fact: Document) -> tuple[bytes | None, str]:
        if not fact.type_code:
            return None, ""
        for place, number in _where(fact):
            times = self._places.get((place, number, fact.type_code))
            if not times:
                continue
            distance, key = min(_nearest(times, own) for own in {fact.created, fact.at} - {0} or {0})
            if distance <= self._match:
                return key, "visit-type-time" if place == "visit" else "patient-type-time"
        return None, ""


def _nearest(times: list[tuple[int, bytes]], at: int) -> tuple[int, bytes]:
    """Distance and key of the nearest of these times, which are sorted and not empty."""
    place = bisect_left(times, (at, b""))
    after = times[place : place + 1]
    before = times[place - 1 : place] if place else []
    return min((abs(at - time), key) for time, key in before + after)


def _where(fact: Document) -> list[tuple[str, bytes]]:
    numbers = (("visit", fact.visit), ("ins", fact.ins), ("ipp", fact.ipp))
    return [(place, number) for place, number in numbers if number is not None]


def _own(fact: Document) -> bytes:
    return b"\0".join((fact.exchange, b"%d" % fact.position))


def _first(fact: Document) -> bytes:
    """A key for what nothing else names: two traces that say the same of it still meet."""
    if fact.alias is not None:
        return fact.alias
    if fact.chain is not None and fact.version:
        return b"\0".join((fact.chain, b"v%d" % fact.version))
    return fact.hash or fact.entry or _own(fact)


def _canonical(fact: Document) -> tuple[int, int, bytes, int, bytes, bytes, bytes, str]:
    return (
        fact.at,
        STRENGTH[fact.trace],
        fact.exchange,
        fact.position,
        fact.id or b"",
        fact.alias or b"",
        fact.entry or b"",
        fact.request,
    )
