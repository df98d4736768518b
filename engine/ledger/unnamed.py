"""Submissions to the DMP that no trace tied to a document: an audit message names a patient and a submission set (docs/rules.md section 7)."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from engine.facts import Document, Submission
from engine.ledger.attempts import STRENGTH
from engine.ledger.reports import ExchangeOf

PersonOf = Callable[[bytes | None, bytes | None], int]
"""IPP and INS -> index in the view's persons."""


class Unnamed(Struct, frozen=True):
    """A submission to the DMP of which no trace said what document it holds."""

    at: int
    establishment: str  # FINESS
    person: int  # index in the view's persons
    answered: bool
    accepted: bool
    code: str = ""


def unnamed(
    submissions: list[Submission], documents: list[Document], exchange_of: ExchangeOf, person_of: PersonOf
) -> list[Unnamed]:
    """Submissions whose submission set nothing tied to a document, each set once."""
    named = {key for document in documents for key in (document.exchange, *document.keys)}
    first: dict[bytes, Submission] = {}
    for fact in sorted(submissions, key=lambda one: (one.at, one.key, one.ipp or b"", one.ins or b"")):
        if fact.key not in named:
            first.setdefault(fact.key, fact)
    found = []
    for key, fact in first.items():
        answers = [answer for answer in exchange_of(key).outcomes if answer.layer == "dmp"]
        last = max(answers, key=lambda one: (STRENGTH[one.trace], one.at, one.accepted, one.code), default=None)
        accepted = last is not None and last.accepted
        code = last.code if last is not None and not accepted else ""
        found.append(
            Unnamed(fact.at, fact.establishment, person_of(fact.ipp, fact.ins), last is not None, accepted, code)
        )
    return found
