"""Documents of a patient -> reports: chains of versions with their sendings and answers (docs/rules.md sections 3 and 7).

A pure function of a set of facts and of the exchanges they name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct, field

from engine.facts import HL7, Document, Entry, Outcome
from engine.ledger.attempts import Attempt, Sending, attempts, keys_of, order
from engine.ledger.exchange import Exchange
from engine.ledger.links import Links
from engine.ledger.naming import MATCH_SECONDS, Named

__all__ = ["ExchangeOf", "Report", "Sending", "Version", "reports"]

ExchangeOf = Callable[[bytes], Exchange]


class Version(Struct, eq=False):
    """One CDA (its id), or one result without document."""

    key: bytes
    number: int  # versionNumber, 0 unknown
    first: int  # first sending
    sendings: list[Sending]
    deletions: list[Sending]
    attempts: list[Attempt]  # of the sendings by time, then of the deletions
    withdrawn: tuple[int, ...] = ()  # when a trace that names nothing else said that the DMP holds it no more
    documents: tuple[Document, ...] = ()  # what each sending says of it, the most telling first

    def __post_init__(self) -> None:
        found = [sending.document for sending in reversed(self.sendings or self.deletions)]
        if len(found) > 1:
            found.sort(key=lambda one: 0 if one.trace == HL7 else 1 if one.body == "cda" else 2)
        self.documents = tuple(found)

    @property
    def document(self) -> Document:
        """What the version says of itself: its latest HL7 sending, else the latest trace that showed its CDA, else the latest."""
        return self.documents[0]

    @property
    def seen(self) -> Document | None:
        """The document of a sending that showed a readable CDA, the latest; None when none did."""
        return next((one for one in self.documents if one.body == "cda"), None)

    @property
    def names(self) -> frozenset[bytes]:
        """What its sendings call its document: uniqueId, CDA id, SHA-1."""
        found = {name for one in self.documents for name in (one.id, one.alias, one.hash)}
        return frozenset(name for name in found if name is not None)

    def order(self) -> tuple[int, int, bytes]:
        """Order of the versions in their chain."""
        return (self.number, self.first, self.key)


class Report(Struct, eq=False):
    """One report: the versions of its chain, oldest first."""

    versions: list[Version]
    kind: str
    type_code: str
    created: int
    service_start: int
    establishment: str
    sender: str
    final: bool
    person: int = 0  # index in the patient's persons
    stay: int | None = None  # index in the patient's stays
    way: str = "none"  # how it was attached: "visit", "dossier", "encounter", "dates", "after-exit", "none"
    judged: dict[tuple[int, str], Any] = field(default_factory=dict)  # the rules' own: several ask the same of a report

    @property
    def documents(self) -> Iterator[Document]:
        """What each sending of each version says of it."""
        return (one for version in self.versions for one in version.documents)


def reports(
    documents: Iterable[Document],
    exchange_of: ExchangeOf,
    entries: Iterable[Entry] = (),
    match: int = MATCH_SECONDS,
) -> list[Report]:
    """The reports of one patient (several identities may be among them), by date.

    ``match``: how far in time (seconds) a trace without identifier may be from what it is about.
    """
    named = Named(documents, entries, match)
    grouped: dict[bytes, list[tuple[Document, str]]] = defaultdict(list)
    for fact, key, how in named.facts:
        grouped[key].append((fact, how))
    links = _chains(named)
    versions: dict[bytes, list[Version]] = defaultdict(list)
    for key, found in grouped.items():
        versions[links.root(key)].append(_version(key, found, exchange_of))
    result = [_report(sorted(chain, key=Version.order)) for chain in versions.values()]
    result = [report for report in result if any(version.sendings for version in report.versions)]
    result.sort(key=lambda report: (report.created, report.versions[0].key))
    return result


def _chains(named: Named) -> Links:
    """Which versions are of the same report."""
    links = Links()
    by_set: dict[bytes, bytes] = {}
    by_message: dict[tuple[bytes, int, str], bytes] = {}
    for fact, key, _ in named.facts:
        if fact.chain is not None:
            links.join(by_set.setdefault(fact.chain, key), key)
        if fact.replaces is not None:
            links.join(named.key_of(fact.replaces), key)
        if fact.replaces_entry is not None:  # an entry that nothing named is its own name: two replacements of it meet
            links.join(named.by_entry(fact.replaces_entry) or fact.replaces_entry, key)
        if fact.trace == HL7:  # a submission set may hold two reports of a kind, an HL7 message does not
            links.join(by_message.setdefault((fact.exchange, fact.at, fact.kind), key), key)
    _join_results(named, links)
    return links


def _join_results(named: Named, links: Links) -> None:
    """A result without document joins what has its order number, but never glues two documents together."""
    classic = [(fact, key) for fact, key, _ in named.facts if fact.body == "none" and fact.id is None]
    if not classic:
        return
    known = {key for _, key, _ in named.facts}
    by_order: dict[tuple[str, bytes], bytes] = {}
    for fact, key, _ in sorted(named.facts, key=lambda one: (one[0].at, one[1])):
        if fact.body != "none":
            for order in fact.orders:
                by_order.setdefault((fact.kind, order), key)
    for fact, key in classic:
        documents = sorted(
            {by_order[k] for o in fact.orders if (k := (fact.kind, o)) in by_order and by_order[k] in known}
        )
        for order in fact.orders:
            links.join(by_order.setdefault((fact.kind, order), key), key) if not documents else None
        if documents:
            links.join(documents[0], key)


def _version(key: bytes, found: list[tuple[Document, str]], exchange_of: ExchangeOf) -> Version:
    sendings: list[Sending] = []
    deletions: list[Sending] = []
    withdrawn: set[int] = set()
    messages = {fact.exchange for fact, _ in found if fact.trace == HL7}
    for fact, how in found:
        answers, joined = _answers(fact, exchange_of, messages)
        withdrawn.update(one.at or fact.at for one in answers if one.layer == "withdrawal" and one.accepted)
        told = tuple(one for one in answers if one.layer in {"technical", "dmp"})
        sending = Sending(fact, fact.at, told, how, joined)
        (deletions if fact.request == "deletion" else sendings).append(sending)
    sendings.sort(key=order)
    deletions.sort(key=order)
    first = min(item.at for item in sendings or deletions)
    tries = attempts(sendings) if sendings else []
    tries += attempts(deletions, deletion=True) if deletions else []
    number = max(fact.version for fact, _ in found)
    return Version(key, number, first, sendings, deletions, tries, tuple(sorted(withdrawn)))


def _answers(fact: Document, exchange_of: ExchangeOf, messages: set[bytes]) -> tuple[list[Outcome], str]:
    """The answers to one sending, and by what the surest of them was found."""
    found: list[tuple[str, list[Outcome]]] = []
    if fact.trace == HL7:
        found.append(("control-id", exchange_of(fact.exchange).answers(fact.at)))
        own = list(fact.keys)
    else:
        own = keys_of(fact)
        if fact.control is not None and fact.control not in messages:
            found.append(("control-id", exchange_of(fact.control).watched(fact.at)))
    found += [("submission-set-or-message-id", list(exchange_of(key).outcomes)) for key in own]
    names = [name for name in (fact.id, fact.alias) if name is not None]
    found += [("document-id", exchange_of(name).answers(fact.at)) for name in names]
    joined = next((how for how, answers in found if any(one.layer == "dmp" for one in answers)), "")
    return [one for _, answers in found for one in answers], joined


def _report(versions: list[Version]) -> Report:
    sent = [version for version in versions if version.sendings] or versions
    # A result without document only lends its existence: what the report is, its documents say.
    documents = [v for v in sent if v.document.body != "none"] or sent
    first = documents[0].document
    kinds = [v.document for v in documents if v.document.kind != "other"]
    return Report(
        versions=versions,
        kind=(kinds[0] if kinds else first).kind,
        type_code=next((v.document.type_code for v in documents if v.document.type_code), ""),
        created=first.created or first.at,
        service_start=first.service_start,
        establishment=first.establishment,
        sender=first.sender,
        final=any(s.document.final for v in sent for s in v.sendings),
    )
