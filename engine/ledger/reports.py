"""Documents of a patient -> reports: chains of versions with their sendings and answers (docs/rules.md section 3).

A pure function of a set of facts and of the exchanges they name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from msgspec import Struct

from engine.facts import Document
from engine.ledger.exchange import Exchange
from engine.ledger.links import Links

ExchangeOf = Callable[[bytes], Exchange]


class Sending(Struct, eq=False):
    """One message that carried a version, and what was answered to it."""

    document: Document
    at: int
    addressed: str  # DESTDMP
    taken: bool  # a positive technical acknowledgement
    refused: bool  # only negative technical acknowledgements
    answered: bool  # the DMP answered (Z01)
    accepted: bool  # its last answer is yes
    answered_at: int
    code: str  # why the DMP refused


class Version(Struct, eq=False):
    """One CDA (its id), or one result without document."""

    key: bytes
    number: int  # versionNumber, 0 unknown
    first: int  # first sending
    sendings: list[Sending]
    deletions: list[Sending]

    @property
    def document(self) -> Document:
        """What the version says of itself: its latest sending."""
        return (self.sendings or self.deletions)[-1].document

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


def version_key(document: Document) -> bytes:
    """What makes two messages carry the same version: the CDA id (or TXA-12), else the message itself."""
    return document.id if document.id is not None else b"\0".join((document.exchange, b"%d" % document.position))


def reports(documents: Iterable[Document], exchange_of: ExchangeOf) -> list[Report]:
    """The reports of one patient (several identities may be among them), by date."""
    facts = list(documents)
    grouped: dict[bytes, list[Document]] = defaultdict(list)
    for fact in facts:
        grouped[version_key(fact)].append(fact)
    links = _chains(facts)
    versions: dict[bytes, list[Version]] = defaultdict(list)
    for key, found in grouped.items():
        versions[links.root(key)].append(_version(key, found, exchange_of))
    result = [_report(sorted(chain, key=Version.order)) for chain in versions.values()]
    result = [report for report in result if any(version.sendings for version in report.versions)]
    result.sort(key=lambda report: (report.created, report.versions[0].key))
    return result


def _chains(facts: list[Document]) -> Links:
    """Which versions are of the same report."""
    links = Links()
    by_set: dict[bytes, bytes] = {}
    by_message: dict[tuple[bytes, int, str], bytes] = {}
    by_order: dict[tuple[str, bytes], bytes] = {}
    known = {version_key(fact) for fact in facts}
    for fact in facts:
        key = version_key(fact)
        if fact.chain is not None:
            links.join(by_set.setdefault(fact.chain, key), key)
        if fact.replaces is not None and fact.replaces != key:
            links.join(fact.replaces, key)
        links.join(by_message.setdefault((fact.exchange, fact.at, fact.kind), key), key)
    classic = [fact for fact in facts if fact.body == "none" and fact.id is None]
    if not classic:
        return links
    # A result without document joins what has its order number, but never glues two documents together.
    for fact in sorted(facts, key=lambda fact: (fact.at, version_key(fact))):
        if fact.body != "none":
            for order in fact.orders:
                by_order.setdefault((fact.kind, order), version_key(fact))
    for fact in classic:
        key = version_key(fact)
        documents = sorted(
            {by_order[k] for o in fact.orders if (k := (fact.kind, o)) in by_order and by_order[k] in known}
        )
        for order in fact.orders:
            links.join(by_order.setdefault((fact.kind, order), key), key) if not documents else None
        if documents:
            links.join(documents[0], key)
    return links


def _version(key: bytes, found: list[Document], exchange_of: ExchangeOf) -> Version:
    sendings: list[Sending] = []
    deletions: list[Sending] = []
    for fact in sorted(found, key=lambda fact: (fact.at, fact.exchange)):
        sending = _sending(fact, exchange_of)
        (deletions if fact.request == "deletion" else sendings).append(sending)
    first = min(item.at for item in sendings or deletions)
    return Version(key, max(fact.version for fact in found), first, sendings, deletions)


def _sending(fact: Document, exchange_of: ExchangeOf) -> Sending:
    answers = exchange_of(fact.exchange).answers(fact.at)
    technical = [answer for answer in answers if answer.layer == "technical"]
    business = [answer for answer in answers if answer.layer == "dmp"]
    last = max(business, key=lambda answer: (answer.at, answer.accepted)) if business else None
    taken = any(answer.accepted for answer in technical)
    return Sending(
        document=fact,
        at=fact.at,
        addressed=fact.dmp,
        taken=taken,
        refused=bool(technical) and not taken,
        answered=last is not None,
        accepted=last is not None and last.accepted,
        answered_at=last.at if last is not None else 0,
        code=last.code if last is not None and not last.accepted else "",
    )


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
