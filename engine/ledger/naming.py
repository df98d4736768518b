"""Which version of which document a trace is about: by its identifiers, else by visit or patient, type and time.

docs/rules.md section 7. A pure function of a set of facts: a trace that comes later may tie a doubtful one better, and the
next fold shows it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
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
        facts = sorted(documents, key=_canonical)
        # Ids that an HL7 message gave, or a trace together with the CDA: another trace may call the document by its TXA-12, or
        # by an uniqueId of the platform's own, where it means the CDA's id.
        self._ids = {
            fact.id
            for fact in facts
            if fact.id is not None and (fact.trace == HL7 or (fact.body == "cda" and fact.alias is None))
        }
        self._alias: dict[bytes, bytes] = {}
        self._links: dict[bytes, str] = {}  # how an id that only traces give was tied to another
        self._entries: dict[bytes, bytes] = {}
        self._tied_entries: dict[bytes, bytes] = {}  # keys, where the entry was told without an id
        self._marks = _Marks()
        traced = [fact for fact in facts if fact.trace != HL7]
        self._same(facts)
        for fact in facts:
            if fact.entry is not None and fact.id is not None:
                self._entries.setdefault(fact.entry, fact.id)
        for entry in sorted(entries, key=lambda fact: (fact.at, fact.entry, fact.document)):
            self._entries.setdefault(entry.entry, entry.document)
        if not traced:
            self.facts: list[tuple[Document, bytes, str]] = [(fact, self._plain(fact), OWN) for fact in facts]
            return
        for fact in facts:
            if fact.trace == HL7 or fact.id in self._ids:
                self._marks.add(fact, self._plain(fact))
        for fact in traced:
            self._bridge(fact)
        self.facts = []
        for fact in facts:
            if fact.trace == HL7:
                self.facts.append((fact, self._plain(fact), OWN))
            elif fact.id is not None:
                key = self.key_of(fact.id)
                how = "document-id" if key == fact.id else self._links.get(fact.id, "hl7-document-id")
                self.facts.append((fact, key, how))
        for fact, key, _ in self.facts:
            self._marks.add(fact, key)
        self._tie([fact for fact in traced if fact.id is None])

    def key_of(self, document: bytes) -> bytes:
        """The key of the version that an id or a TXA-12 names."""
        alias = self._alias
        while (other := alias.get(document)) is not None:
            if (further := alias.get(other)) is not None:  # the path is halved: a long chain is walked once
                alias[document] = further
            document = other
        return document

    def by_entry(self, entry: bytes) -> bytes | None:
        """The key of the version that an entryUUID names, when something told."""
        named = self._entries.get(entry)
        return self.key_of(named) if named is not None else self._tied_entries.get(entry)

    # -- two ids of one document --------------------------------------------------------------------------------------

    def _same(self, facts: list[Document]) -> None:
        """What the facts that give two ids say: the CDA's id and the TXA-12, or the uniqueId and the CDA's id."""
        both = [fact for fact in facts if fact.alias is not None and fact.id is not None]
        told = {fact.alias for fact in both if fact.trace == HL7}
        for fact in both:
            if fact.id in self._ids:
                self._unite(fact)
        for fact in both:
            assert fact.alias is not None
            if (
                fact.id in self._ids or fact.alias in told
            ):  # which of the messages that told it, time tells (``_bridge``)
                continue
            # A TXA-12 that only a log gives may be any number: it makes one of two uniqueIds only where the CDA was seen.
            if fact.alias not in self._alias or fact.body == "cda" or self.key_of(fact.alias) in self._ids:
                self._unite(fact)

    def _unite(self, fact: Document) -> None:
        assert fact.id is not None
        assert fact.alias is not None
        own, other = self.key_of(fact.id), self.key_of(fact.alias)
        if own == other or (own in self._ids and other in self._ids):
            return
        if own not in self._ids and (other in self._ids or other != fact.alias):
            own, other = other, own
        self._alias[other] = own

    def _bridge(self, fact: Document) -> None:
        """An uniqueId of the platform's own, beside something else that names a document that is known: both are one."""
        if fact.id is None or self.key_of(fact.id) in self._ids:
            return
        key, how = self._marks.find(fact)
        if key is None:
            key, how = self._marks.message(fact)
        if key is not None and key != self.key_of(fact.id):
            self._links[fact.id] = how
            self._alias[self.key_of(fact.id)] = key

    def _plain(self, fact: Document) -> bytes:
        """The CDA id (or TXA-12), else the message itself."""
        return self.key_of(fact.id) if fact.id is not None else _own(fact)

    # -- traces without id --------------------------------------------------------------------------------------------

    def _tie(self, facts: list[Document]) -> None:
        doubtful: list[Document] = []
        for fact in facts:
            key, how = self._marks.find(fact)
            if key is None and fact.alias is not None and (fact.alias in self._alias or fact.alias in self._ids):
                key, how = self.key_of(fact.alias), "hl7-document-id"
            if key is None and fact.entry is not None and fact.entry in self._entries:
                key, how = self.by_entry(fact.entry), "entry"
            if key is None:
                key, how = self._marks.message(fact)
            if key is None and fact.alias is None and fact.hash is None and not (fact.chain and fact.version):
                doubtful.append(fact)
                continue
            self._put(fact, key, how)
        for fact in doubtful:
            if not fact.weak:
                known = self._tied_entries.get(fact.entry) if fact.entry is not None else None
                self._put(fact, known, "entry" if known is not None else OWN)
        near, guessed = _Near(self.facts, self._match), _Guessed(self._match)
        for fact in sorted((fact for fact in doubtful if fact.weak), key=_canonical_weak):
            if fact.request == "deletion" or not fact.type_code:  # what is deleted is never guessed
                self._put(fact, None, OWN)
                continue
            key, how = near.find(fact)
            if key is None:
                key, how = guessed.find(fact)
                guessed.add(fact, key or _first(fact), new=key is None)
            self._put(fact, key, how)

    def _put(self, fact: Document, key: bytes | None, how: str) -> bytes:
        if key is None:
            key, how = _first(fact), OWN
        if fact.entry is not None:
            self._tied_entries.setdefault(fact.entry, key)
        self._marks.add(fact, key)
        self.facts.append((fact, key, how))
        return key


class _Marks:
    """Versions by what else names them: TXA-12, setId and version, SHA-1, the message that carried them."""

    def __init__(self) -> None:
        self._sets: dict[tuple[bytes, int], bytes] = {}
        self._hashes: dict[bytes, bytes] = {}
        # A TXA-12 may be kept by the next version, a control id may serve again: by time.
        self._numbers: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
        self._messages: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)

    def add(self, fact: Document, key: bytes) -> None:
        """In canonical order, and again: the first of a mark holds, of a message its first document."""
        if fact.chain is not None and fact.version:
            self._sets.setdefault((fact.chain, fact.version), key)
        if fact.hash is not None:
            self._hashes.setdefault(fact.hash, key)
        if fact.trace == HL7:
            sent = [self._messages[fact.exchange]]
            if fact.alias is not None and fact.id is not None:
                sent.append(self._numbers[fact.alias])
            for times in sent:
                if not times or times[-1][0] < fact.at:
                    times.append((fact.at, key))

    def find(self, fact: Document) -> tuple[bytes | None, str]:
        """The version that a trace names, and by what."""
        if fact.alias is not None and (sent := self._numbers.get(fact.alias)):
            return _before(sent, fact.at), "hl7-document-id"
        if fact.chain is not None and (fact.chain, fact.version) in self._sets:
            return self._sets[fact.chain, fact.version], "set-version"
        if fact.hash is not None and fact.hash in self._hashes:
            return self._hashes[fact.hash], "sha1"
        return None, OWN

    def message(self, fact: Document) -> tuple[bytes | None, str]:
        """The version of the message that a line names by its control id."""
        if fact.control is not None and (sent := self._messages.get(fact.control)):
            return _before(sent, fact.at), "control-id"
        return None, OWN


def _before(sent: list[tuple[int, bytes]], at: int) -> bytes:
    """The latest not later, else the first; ``sent`` is sorted and not empty."""
    return sent[max(bisect_right(sent, at, key=lambda one: one[0]) - 1, 0)][1]


class _Near:
    """Versions that something names, by visit, or by patient, and type; the nearest in time answers."""

    def __init__(self, facts: Iterable[tuple[Document, bytes, str]], match: int) -> None:
        self._match = match
        self._times: dict[_Place, list[tuple[int, bytes]]] = defaultdict(list)
        for fact, key, _ in facts:
            for place in _where(fact):
                self._times[place] += ((at, key) for at in _moments(fact))
        for times in self._times.values():
            times.sort()

    def find(self, fact: Document) -> tuple[bytes | None, str]:
        """The version of a line that names none, and by what it was found."""
        for place in _where(fact):
            key = _nearest(self._times.get(place, ()), fact, self._match)
            if key is not None:
                return key, _how(place)
        return None, OWN


class _Guessed:
    """Versions that such lines alone tell of: those of one date are one; a line without date, or beside one, goes by its time.

    The time is that of the first line: what joined it later draws no others near.
    """

    def __init__(self, match: int) -> None:
        self._match = match
        self._dates: dict[tuple[_Place, int], bytes] = {}
        self._times: dict[_Place, list[tuple[int, bytes]]] = defaultdict(list)
        self._undated: dict[_Place, list[tuple[int, bytes]]] = defaultdict(list)
        # Where a version is among the undated.
        self._places: dict[bytes, list[tuple[_Place, int]]] = defaultdict(list)

    def find(self, fact: Document) -> tuple[bytes | None, str]:
        """The version of a line, and by what it was found."""
        near = self._undated if fact.created else self._times
        for place in _where(fact):
            key = self._dates.get((place, fact.created)) or _nearest(near.get(place, ()), fact, self._match)
            if key is not None:
                return key, _how(place)
        return None, OWN

    def add(self, fact: Document, key: bytes, *, new: bool) -> None:
        """A line of a version; ``new``: its first."""
        places = _where(fact)
        if new:
            for place in places:
                for at in _moments(fact):
                    insort(self._times[place], (at, key))
        if fact.created:
            for place in places:
                self._dates.setdefault((place, fact.created), key)
            for place, at in self._places.pop(key, ()):  # it has a date now
                del self._undated[place][bisect_left(self._undated[place], (at, key))]
        elif new:
            self._places[key] += ((place, fact.at) for place in places)
            for place in places:
                insort(self._undated[place], (fact.at, key))


_Place = tuple[str, bytes, str]
"""A visit, an INS or an IPP, and a type of document."""


def _nearest(times: Sequence[tuple[int, bytes]], fact: Document, match: int) -> bytes | None:
    """The key that is nearest, within ``match``, of these times, which are sorted."""
    found = []
    for own in _moments(fact):
        place = bisect_left(times, (own, b""))
        found += [(abs(own - at), key) for at, key in times[max(place - 1, 0) : place + 1]]
    distance, key = min(found, default=(match + 1, b""))
    return key if distance <= match else None


def _moments(fact: Document) -> set[int]:
    """When it was sent and when it was made, as far as that is told."""
    return {fact.at, fact.created} - {0}


def _where(fact: Document) -> list[_Place]:
    numbers = (("visit", fact.visit), ("ins", fact.ins), ("ipp", fact.ipp))
    return [(place, number, fact.type_code) for place, number in numbers if number is not None]


def _how(place: _Place) -> str:
    return "visit-type-time" if place[0] == "visit" else "patient-type-time"


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


def _canonical_weak(fact: Document) -> tuple[object, ...]:
    """Lines of one request may differ in nothing else."""
    return (
        *_canonical(fact),
        fact.created,
        fact.type_code,
        fact.visit or b"",
        fact.ins or b"",
        fact.ipp or b"",
    )
