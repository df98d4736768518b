"""Sendings of one version -> attempts: what several traces say of one submission is one attempt (docs/rules.md section 7).

An attempt has one outcome, that of its strongest trace; a weaker trace that says otherwise is a contradiction, kept to be
shown. A pure function of the sendings, whatever their order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from engine.facts import HL7, LOG, TRACES, TRANSACTION, Document, Outcome
from engine.ledger.links import Links

STRENGTH: Final = {trace: rank for rank, trace in enumerate(TRACES)}

# Two traces of a submission that left no HL7 message are its own when they are so near to each other (seconds).
_NEAR: Final = 3_600
# A version that was submitted for ever must not cost the square of it: only the latest attempts may still be joined.
_RIVALS: Final = 16


class Contradiction(Struct, frozen=True):
    """A trace that says the opposite of the one that holds."""

    at: int
    trace: str
    accepted: bool  # what it said
    strongest: str  # the trace that holds


class Sending(Struct, eq=False):
    """One message or trace that carried a version, with the outcome of its whole attempt."""

    document: Document
    at: int
    answers: tuple[Outcome, ...]  # its own: technical, and the DMP's
    link: str = "own"  # how it was tied to the version
    joined: str = ""  # how its answers were found
    attempt: int = 0  # index in the version's attempts
    addressed: str = ""  # Y when something asked to feed the DMP
    taken: bool = False  # the platform took it
    refused: bool = False  # only technical refusals, or a failure of the transport, and no answer of the DMP
    answered: bool = False  # the DMP answered
    accepted: bool = False  # its answer is yes
    answered_at: int = 0
    code: str = ""  # why the DMP refused

    @property
    def trace(self) -> str:
        """One of ``engine.facts.TRACES``."""
        return self.document.trace


class Attempt(Struct, eq=False):
    """One submission of a version, or one request for it, with everything it left."""

    at: int  # its first sending; 0 when none tells its time
    sendings: list[Sending]
    traces: tuple[str, ...]  # by strength, those of its answers included
    addressed: bool
    answered: bool
    accepted: bool
    answered_at: int  # of an answer that tells no time, ``at``
    timed: bool  # both times are told
    code: str
    warning: str
    failed: bool
    contradictions: tuple[Contradiction, ...]
    deletion: bool


def attempts(sendings: list[Sending], *, deletion: bool = False) -> list[Attempt]:
    """The attempts of a version, by time; fills the pooled fields of the sendings."""
    found = [_judge(group, deletion=deletion) for group in _groups(sendings)]
    found.sort(key=lambda attempt: (attempt.at, attempt.sendings[0].document.exchange))
    for index, attempt in enumerate(found):
        for sending in attempt.sendings:
            sending.attempt = index
    return found


def order(sending: Sending) -> tuple[int, int, bytes, int, bytes]:
    """A canonical order of sendings."""
    document = sending.document
    return (sending.at, STRENGTH[document.trace], document.exchange, document.position, document.id or b"")


# -- which sendings are one attempt -----------------------------------------------------------------------------------


class _Home:
    """An attempt while sendings find theirs; what is asked of it at every sending is kept, not counted again."""

    __slots__ = ("at", "open", "sendings", "traces")

    def __init__(self, sendings: Iterable[Sending]) -> None:
        self.sendings: list[Sending] = []
        self.traces: set[str] = set()
        self.open: bool | None = None  # whether its lines of a log leave the end open; None without any
        self.add(sendings)
        self.at = self.sendings[0].at

    def add(self, sendings: Iterable[Sending]) -> None:
        for sending in sendings:
            self.sendings.append(sending)
            self.traces.add(sending.document.trace)
            if sending.document.trace == LOG:
                ended = any(one.layer == "dmp" or not one.accepted for one in sending.answers)
                self.open = self.open is not False and not ended

    def distance(self, at: int) -> int:
        submitted = [one.at for one in self.sendings if one.document.trace != HL7] or [self.at]
        return min(abs(at - one) for one in submitted)


def _groups(sendings: list[Sending]) -> list[list[Sending]]:
    if len(sendings) == 1:
        return [sendings]
    ordered = sorted(sendings, key=order)
    if all(sending.document.trace == HL7 for sending in ordered):
        return [[sending] for sending in ordered]
    opened = [_Home([sending]) for sending in ordered if sending.document.trace == HL7]
    by_exchange: dict[bytes, list[_Home]] = defaultdict(list)
    for home in opened:
        by_exchange[home.sendings[0].document.exchange].append(home)
    alone: list[_Home] = []
    for group in _by_key([sending for sending in ordered if sending.document.trace != HL7]):
        controls = {sending.document.control for sending in group if sending.document.control is not None}
        asked = [home for one in sorted(controls) for home in by_exchange.get(one, ())]
        if len(controls) > 1:
            asked.sort(key=lambda home: home.at)
        found = _home(group, asked, opened, alone)
        if found is None:
            alone.append(_Home(group))
        else:
            found.add(group)
    return [home.sendings for home in opened + alone]


def _by_key(sendings: list[Sending]) -> list[list[Sending]]:
    """Sendings that share a key, by time."""
    links = Links()
    keys = [keys_of(one.document) for one in sendings]
    for own in keys:
        for other in own[1:]:
            links.join(own[0], other)
    groups: dict[bytes | int, list[Sending]] = defaultdict(list)
    for index, (own, sending) in enumerate(zip(keys, sendings, strict=True)):
        groups[links.root(own[0]) if own else index].append(sending)
    return sorted(groups.values(), key=lambda group: order(group[0]))


def keys_of(document: Document) -> list[bytes]:
    """What names one submission of a document. Its own ids do not: they are the same in every attempt."""
    return [key for key in (document.exchange, *document.keys) if key not in (document.id, document.alias)]


def _home(group: list[Sending], asked: list[_Home], opened: list[_Home], alone: list[_Home]) -> _Home | None:
    """The attempt that a group of traces belongs to; None when it is one of its own. ``asked``: by the control id it names."""
    at = min(sending.at for sending in group)
    slot = _slot(asked, at) or _slot(opened, at)
    since = slot.at if slot is not None else 0
    rivals = [home for home in alone[-_RIVALS:] if home.at >= since]
    homes = ([slot] if slot is not None else []) + rivals
    if all(one.document.trace == LOG and not keys_of(one.document) for one in group):
        # Lines without a key of their own: the next line goes on with what the former ones left open.
        for home in reversed(homes):
            if home.open:
                return home
    traces = {one.document.trace for one in group}
    free = [home for home in homes if not traces & home.traces]
    near = [(home.distance(at), index) for index, home in enumerate(free)]
    near = [(distance, index) for distance, index in near if free[index] is slot or distance <= _NEAR]
    return free[min(near)[1]] if near else None


def _slot(opened: list[_Home], at: int) -> _Home | None:
    """The last of the attempts that an HL7 sending opened before; the first one when all came just after."""
    before = bisect_right(opened, at, key=lambda home: home.at)
    return opened[max(before - 1, 0)] if before or (opened and opened[0].at - at <= _NEAR) else None


# -- what became of it ------------------------------------------------------------------------------------------------


def _judge(group: list[Sending], *, deletion: bool) -> Attempt:
    group.sort(key=order)
    first = next((sending.at for sending in group if sending.at), 0)
    answers = _distinct(answer for sending in group for answer in sending.answers)
    technical = [answer for answer in answers if answer.layer == "technical"]
    business = [answer for answer in answers if answer.layer == "dmp"]
    submitted = [sending for sending in group if sending.document.trace != HL7]
    strongest = max((STRENGTH[answer.trace] for answer in business), default=0)
    last = max(
        (answer for answer in business if STRENGTH[answer.trace] == strongest),
        key=lambda answer: (answer.at, answer.accepted, answer.code),
        default=None,
    )
    carried = [answer for answer in technical if answer.trace in {LOG, TRANSACTION}]  # the transport's word: its last
    broken = bool(carried) and not max(carried, key=lambda one: (STRENGTH[one.trace], one.at, one.accepted)).accepted
    taken = any(answer.accepted for answer in technical) or (bool(submitted) and not broken)
    refused = last is None and bool(technical) and (broken or not taken)
    addressed = "Y" if submitted else group[0].document.dmp
    accepted = last is not None and last.accepted
    answered_at = (last.at or first) if last is not None else 0
    code = _code(last, business) if last is not None and not accepted else ""
    for sending in group:
        sending.addressed = addressed
        sending.taken = taken
        sending.refused = refused
        sending.answered = last is not None
        sending.accepted = accepted
        sending.answered_at = answered_at
        sending.code = code
    return Attempt(
        at=first,
        sendings=group,
        traces=tuple(sorted({s.document.trace for s in group} | {a.trace for a in business}, key=STRENGTH.__getitem__)),
        addressed=addressed == "Y" or last is not None,
        answered=last is not None,
        accepted=accepted,
        answered_at=answered_at,
        timed=last is not None and bool(last.at and first),
        code=code,
        warning=last.warning if last is not None and accepted else "",
        failed=refused,
        contradictions=_contradictions(business, strongest, accepted=accepted, first=first),
        deletion=deletion,
    )


def _code(last: Outcome, business: list[Outcome]) -> str:
    """The code of a refusal; where the strongest trace tells none, that of the last weaker trace that agrees."""
    if not last.code.startswith("audit-") and last.code not in {"", "other"}:
        return last.code
    agreed = [one for one in business if not one.accepted and one.code not in {"", "other"} and one.trace != last.trace]
    return max(agreed, key=lambda one: (STRENGTH[one.trace], one.at, one.code)).code if agreed else last.code


def _contradictions(
    business: list[Outcome], strongest: int, *, accepted: bool, first: int
) -> tuple[Contradiction, ...]:
    """The last word of each weaker trace, when it is the opposite."""
    last: dict[str, Outcome] = {}
    for answer in sorted(business, key=lambda one: (one.at, one.accepted, one.code)):
        last[answer.trace] = answer
    return tuple(
        Contradiction(answer.at or first, trace, answer.accepted, TRACES[strongest])
        for trace, answer in sorted(last.items())
        if STRENGTH[trace] < strongest and answer.accepted != accepted
    )


def _distinct(answers: Iterable[Outcome]) -> list[Outcome]:
    return list(dict.fromkeys(answers))
