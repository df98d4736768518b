"""What a format declares of itself: how it is recognised, read and cut. A new one is one file here and one entry in ``formats``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from engine.parsers.context import Context
from engine.parsers.parsed import Parsed

HEAD = 4_096
"""Bytes of a payload that a format may look at to recognise it."""


def whole(payload: bytes) -> Iterable[bytes]:
    """A payload that is one message."""
    return (payload,)


class Format(Struct, frozen=True):
    """One format.

    ``recognises(head)`` looks at the first :data:`HEAD` bytes and never raises; ``parse(payload, context)`` gives facts or
    raises :class:`engine.errors.ParseError` and nothing else; ``split(payload)`` cuts a payload into its messages (a batch,
    NDJSON) and never raises. ``title`` is what people call it.
    """

    name: str
    title: str
    recognises: Callable[[bytes], bool]
    parse: Callable[[bytes, Context], Parsed]
    split: Callable[[bytes], Iterable[bytes]] = whole
