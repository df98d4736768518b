"""Mails of a patient -> sendings with their words of delivery, and the reports they carried (docs/rules.md section 8).

A pure function of a set of facts, of the exchanges they name and of the patient's reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from typing import Final

from msgspec import Struct, field

from engine.facts import HL7, Document, Mailed, Outcome
from engine.ledger.exchange import Exchange
from engine.ledger.links import Links
from engine.ledger.reports import Report

DELIVERY: Final = "mss-delivery"
READING: Final = "mss-reading"

ExchangeOf = Callable[[bytes], Exchange]
PersonOf = Callable[[bytes | None, bytes | None], int]


class Mailing(Struct, eq=False):
    """One sending to one recipient: a mail, or an HL7 message of which the platform said what became of its mail."""

    at: int
    establishment: str
    recipient: bytes | None  # None: the platform named nobody
    category: str  # of engine.facts; "" of an HL7 sending: the message's recipients tell
    person: int  # index in the patient's persons
    words: tuple[Outcome, ...]
    xdm: str = ""  # as in Mailed; "" of an HL7 sending
    fact: Mailed | None = None  # the document of this mail, the same for all that the mail carried
    request: Document | None = None  # the HL7 message
    others: frozenset[bytes] = frozenset()  # without recipient: those that the platform named beside
    refused: bool = False
    delivered: bool = False
    read: bool = False
    code: str = ""  # why it was refused

    def __post_init__(self) -> None:
        deliveries = [word for word in self.words if word.layer == DELIVERY]
        last = max(deliveries, key=lambda word: (word.at, not word.accepted, word.code), default=None)
        self.read = any(word.accepted for word in self.words if word.layer == READING)
        self.delivered = self.read or (last is not None and last.accepted)
        self.refused = last is not None and not self.delivered
        self.code = last.code if last is not None and self.refused else ""


class Letter(Struct, eq=False):
    """A report as mail knows it: one of the patient's reports, or documents that nothing but mail named."""

    report: Report | None
    facts: list[Mailed]  # of the sendings that carried it
    mailings: list[Mailing]
    person: int
    establishment: str
    type_code: str
    created: int


class Mail(Struct, eq=False):
    """All the mail of a patient."""

    mailings: list[Mailing] = field(default_factory=list)  # each sending once, whatever it carried
    letters: list[Letter] = field(default_factory=list)  # what was mailed, or has a recipient


def mail(facts: Iterable[Mailed], reports: list[Report], exchange_of: ExchangeOf, person_of: PersonOf) -> Mail:
    """The sendings of a patient and what they carried. ``person_of(ipp, ins)``: index of the person who is meant."""
    asked = {index: found for index, report in enumerate(reports) if (found := _requests(report, exchange_of))}
    letters: dict[int | bytes, Letter] = {
        index: _letter(report)
        for index, report in enumerate(reports)
        if index in asked or any(one.intended for one in report.documents)
    }
    sent: list[Mailing] = []
    for sending, carried in _mailed(facts, _Names(reports, facts), asked, exchange_of, person_of):
        sent.append(sending)
        for key, fact in carried.items():
            if key not in letters:
                letters[key] = _letter(reports[key]) if isinstance(key, int) else _loose(fact, sending.person)
            letters[key].facts.append(fact)
            letters[key].mailings.append(_with(sending, fact))
    for index, found in asked.items():
        answered = [one for request in found for one in _answered(request, reports[index].person)]
        sent += answered
        letters[index].mailings += answered
    for letter in letters.values():
        if letter.report is None:
            _describe(letter)
    return Mail(sent, list(letters.values()))


def _mailed(
    facts: Iterable[Mailed],
    names: _Names,
    asked: Mapping[int, list[_Request]],
    exchange_of: ExchangeOf,
    person_of: PersonOf,
) -> Iterator[tuple[Mailing, dict[int | bytes, Mailed]]]:
    """Each mail to each of its recipients, and what it carried: a report by its index, another document by its name."""
    groups: dict[tuple[bytes, bytes], list[Mailed]] = defaultdict(list)
    for fact in facts:
        groups[fact.message, fact.recipient].append(fact)  # the facts come in a canonical order
    for (message, recipient), group in sorted(groups.items()):
        words = [one for one in exchange_of(message).outcomes if one.recipient in (None, recipient)]
        carried: dict[int | bytes, Mailed] = {}
        for fact in group:
            if fact.document is not None or fact.hash is not None or fact.chain is not None:
                carried.setdefault(names.key(fact), fact)
        for key, fact in carried.items():
            for request in asked.get(key, ()) if isinstance(key, int) else ():
                if request.names & {fact.document, fact.alias, fact.hash}:
                    words += [one for one in request.words if one.recipient in (None, recipient)]
        first, at = group[0], min((fact.at for fact in group if fact.at), default=0)
        person = person_of(first.ipp, first.ins)
        yield Mailing(at, first.establishment, recipient, first.category, person, tuple(words), first.xdm), carried


class _Request(Struct, frozen=True):
    """An HL7 sending that asked for mail, what the platform said of it, and the names of its version."""

    document: Document
    words: list[Outcome]
    names: frozenset[bytes]


def _requests(report: Report, exchange_of: ExchangeOf) -> list[_Request]:
    """The HL7 sendings of a report of whose mail the platform said something."""
    found: list[_Request] = []
    for version in report.versions:
        for sending in version.sendings:
            document = sending.document
            if document.trace == HL7 and "Y" in (document.mss_professional, document.mss_patient):
                answers = exchange_of(document.exchange).answers(document.at)
                words = [one for one in answers if one.layer in (DELIVERY, READING)]
                if words:
                    found.append(_Request(document, words, version.names))
    return found


def _answered(request: _Request, person: int) -> Iterator[Mailing]:
    """The sendings of which the platform told; a word about nobody is about those that no other word names."""
    document = request.document
    named = frozenset(one.recipient for one in request.words if one.recipient is not None)
    for recipient in sorted({one.recipient or b"" for one in request.words}):
        yield Mailing(
            document.at,
            document.establishment,
            recipient or None,
            "",
            person,
            tuple(one for one in request.words if (one.recipient or b"") in (recipient, b"")),
            request=document,
            others=frozenset[bytes]() if recipient else named,
        )


def _with(sending: Mailing, fact: Mailed) -> Mailing:
    """The same sending, as one of its documents knows it."""
    own = copy(sending)
    own.fact = fact
    return own


def _letter(report: Report) -> Letter:
    return Letter(report, [], [], report.person, report.establishment, report.type_code, report.created)


def _loose(fact: Mailed, person: int) -> Letter:
    return Letter(None, [], [], person, fact.establishment, fact.type_code, fact.created or fact.at)


def _describe(letter: Letter) -> None:
    """What a report is that only mail showed: its first version says it."""
    first = min(letter.facts, key=lambda fact: (fact.version, fact.created or fact.at, fact.document or b""))
    letter.created = first.created or first.at
    letter.type_code = next((fact.type_code for fact in [first, *letter.facts] if fact.type_code), "")


class _Names:
    """Which report a mailed document is, by uniqueId, CDA id, setId or SHA-1; documents that no report is, by what joins them."""

    def __init__(self, reports: list[Report], facts: Iterable[Mailed]) -> None:
        self._by_name: dict[bytes, int] = {}
        for index, report in enumerate(reports):
            for version in report.versions:
                for one in version.documents:
                    for name in (one.id, one.alias, one.chain, one.hash):
                        if name is not None:
                            self._by_name.setdefault(name, index)
        self._links = Links()
        for fact in facts:
            own = [
                name for name in (fact.document, fact.alias, fact.chain, fact.hash, fact.replaces) if name is not None
            ]
            for name in own[1:]:
                self._links.join(own[0], name)
        self._report_of: dict[bytes, int] = {}
        for name, index in sorted(self._by_name.items()):
            self._report_of.setdefault(self._links.root(name), index)

    def key(self, fact: Mailed) -> int | bytes:
        """The index of a report, or the name of a document that none is."""
        for name in (fact.document, fact.alias, fact.chain, fact.hash):
            if name is not None and (index := self._by_name.get(name)) is not None:
                return index
        name = fact.document or fact.hash or fact.chain
        assert name is not None
        root = self._links.root(name)
        return self._report_of.get(root, root)
