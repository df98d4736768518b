"""Reads the XDS messages of the tests."""

from __future__ import annotations

from engine.facts import Document, Outcome
from engine.parsers import submissions
from engine.parsers.context import default
from engine.parsers.parsed import Parsed
from tests.parsers.xds_messages import MESSAGE, SET

CONTEXT = default()
MESSAGE_KEY = submissions.message_key(CONTEXT, MESSAGE)
SET_KEY = submissions.set_key(CONTEXT, SET)


def ids(*names: str) -> list[bytes]:
    """Pseudonyms of uniqueIds."""
    return [submissions.document_id(CONTEXT, name) for name in names]


def documents(found: Parsed) -> list[Document]:
    """The facts, all documents."""
    assert all(isinstance(fact, Document) for fact in found.facts)
    return [fact for fact in found.facts if isinstance(fact, Document)]


def document(found: Parsed) -> Document:
    """The only fact, a document."""
    (only,) = documents(found)
    return only


def outcome(found: Parsed) -> Outcome:
    """The only fact, an outcome."""
    (only,) = found.facts
    assert isinstance(only, Outcome)
    return only
