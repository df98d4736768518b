"""One feed at work: raw bytes -> the entry that the journal keeps, or why it could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal

import structlog
from msgspec import Struct

from engine.errors import ParseError
from engine.ledger.book import encode
from engine.ledger.journal import Entry
from engine.parsers import formats
from engine.parsers.context import Context
from engine.parsers.parsed import Parsed
from engine.privacy import Digests
from engine.seal import Seal

_DAY: Final = 86_400
_DIGEST: Final = 8
CODES: Final = {
    "internal-error": "The engine failed on this message. It is kept sealed; report the code location of the log.",
    "clock-ahead": "The message is dated more than a day after it was received: the clock of its sender, or of this machine, is wrong.",
    "not-folded": "The message was read but could not be counted. Its facts are kept sealed; report the log.",
}

REJECTIONS: Final = frozenset({"internal-error", "not-folded"})

Parse = Callable[[bytes, Context], Parsed]
"""Bytes of one message and the feed they came by -> what they say; raises ParseError and nothing else."""

_log = structlog.get_logger()


def canonical(payload: bytes) -> bytes | memoryview:
    """The bytes by which two copies of a message are the same: an archive may have changed the ends of the segments."""
    if payload[:3] != b"MSH":
        return payload
    if b"\n" in payload:
        payload = payload.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    end = len(payload)
    while end and payload[end - 1] == 0x0D:
        end -= 1
    return memoryview(payload)[:end]


class Feed(Struct, frozen=True):
    """What is needed to read what comes by one feed."""

    name: str
    context: Context
    digests: Digests
    seal: Seal
    unreadable: Literal["put_aside", "refuse"] = "put_aside"
    processing_ids: frozenset[str] = frozenset("P")
    parse: Parse = formats.parse
    split: Callable[[bytes], Iterable[bytes]] = formats.split

    def entries(self, payload: bytes, received: int) -> list[Entry]:
        """The journal's entries of a payload: one, or those of the messages of a batch, maybe none."""
        return [self.read(message, received) for message in self.split(payload)]

    def read(self, payload: bytes, received: int) -> Entry:
        """The journal's entry of a payload. Never raises: what cannot be read is an entry with a code."""
        try:
            parsed = self.parse(payload, self.context)
        except ParseError as error:
            return self._aside(payload, received, error.code, error.where)
        except Exception as error:  # noqa: BLE001  # our bug must not cost the sender, nor the next message, anything
            _log.error("message-not-read", feed=self.name, error=error)
            return self._aside(payload, received, "internal-error", "message")
        production = not parsed.processing or parsed.processing in self.processing_ids
        return Entry(
            feed=self.name,
            day=parsed.at // _DAY,
            control=self.digests(b"\0".join((self.name.encode(), parsed.sender.encode(), parsed.control_id)), _DIGEST),
            content=self.digests(canonical(payload), _DIGEST),
            facts=encode(parsed.facts) if production and parsed.facts else None,
            received=received,
            flags=_flags(parsed, received) if parsed.flags or parsed.at > received + _DAY else (),
            production=production,
        )

    def _aside(self, payload: bytes, received: int, code: str, place: str) -> Entry:
        kept = self.unreadable == "put_aside"
        content = self.digests(canonical(payload), _DIGEST)
        return Entry(
            feed=self.name,
            day=0,
            control=content,
            content=content,
            facts=None,
            received=received,
            code=code,
            place=place,
            sealed=self.seal.seal(payload, self.name.encode()) if kept else None,
            kept=kept,
        )

    def unfolded(self, facts: bytes, received: int) -> Entry:
        """The entry that keeps, sealed, facts that could not be counted."""
        sealed = self.seal.seal(facts, self.name.encode())
        content = self.digests(sealed, _DIGEST)
        return Entry(
            feed=self.name,
            day=0,
            control=content,
            content=content,
            facts=None,
            received=received,
            code="not-folded",
            place="facts",
            sealed=sealed,
            counted=False,
        )


def _flags(parsed: Parsed, received: int) -> tuple[str, ...]:
    found = [flag.code for flag in parsed.flags]
    if parsed.at > received + _DAY:
        found.append("clock-ahead")
    return tuple(dict.fromkeys(found))
