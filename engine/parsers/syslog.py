"""Syslog messages that carry ATNA audit messages (IHE ITI TF-2 3.20: RFC 5424 with MSGID ``IHE+RFC-3881``).

The header says where the XML begins and, when the audit message has no time of its own, when it was sent; nothing else of it is
read. The forms before RFC 5424 (RFC 3164 and what relays make of it) are read as well. Any other syslog message gives nothing,
and is no error: a sender may log many things besides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from engine.errors import Flag, ParseError
from engine.parsers import atna, dtm
from engine.parsers.format import HEAD, Format
from engine.parsers.parsed import Parsed
from engine.parsers.syslog_frames import Framer

if TYPE_CHECKING:
    from engine.parsers.context import Context

CODES: Final[dict[str, str]] = {
    "syslog-not-audit": "A syslog message that carries no audit message: nothing to count; send only audit messages to spare the engine.",
}

# RFC 5424 6: PRI, version, then five words and the structured data. Words may be longer than the RFC allows.
_HEADER: Final = re.compile(
    rb"<[0-9]{1,3}>[1-9][0-9]{0,2} (?P<time>[^ ]{1,64}) [^ ]{1,512} [^ ]{1,512} [^ ]{1,512} (?P<id>[^ ]{1,512}) "
    rb"(?:-|(?:\[(?>[^\]\"\\]|\"(?>[^\"\\]|\\.)*+\")++\])++)(?: |\Z)",
    re.DOTALL,
)
# What older senders and relays write: a PRI, maybe a time of RFC 3339 (rsyslog), then anything.
_OLD: Final = re.compile(rb"<[0-9]{1,3}>(?:(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]{5,40}) )?")
_AUDIT_IDS: Final = frozenset({b"IHE+RFC-3881", b"DICOM+RFC3881", b"DICOM+RFC-3881", b"IHE+RFC3881"})
_ROOT: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,40}:)?AuditMessage\b")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
# rsyslog writes the control characters of what it relays as #ooo; a character reference (&#012;) is none of them.
_ESCAPED: Final = re.compile(rb"(?<!&)#01([125])")
_CONTROL: Final = {b"1": b"\t", b"2": b"\n", b"5": b"\r"}
# A dump of the wire keeps the count of octets before the message (RFC 6587 section 3.4.1).
_PRI: Final = re.compile(rb"\s*(?:[1-9][0-9]{0,8} )?<[0-9]{1,3}>")
_COUNT: Final = re.compile(rb"\s*[1-9][0-9]{0,8} <")


def parse(payload: bytes, context: Context) -> Parsed:
    """Read one syslog message. Raises :class:`ParseError` for an audit message that cannot be read, and nothing else."""
    header = _HEADER.match(payload)
    named = header is not None and header["id"] in _AUDIT_IDS
    if header is None:
        header = _OLD.match(payload)
    at = dtm.iso((header["time"] or b"").decode("ascii", "replace"), context.zone) if header is not None else 0
    content = payload[header.end() :] if header is not None else payload
    start = _begins(content)
    if start < 0 and not named:
        return _other(payload, at)
    return _audit(content[max(start, 0) :], context, at)


def _begins(content: bytes) -> int:
    """Where an audit message begins in a text, with its XML declaration when that stands right before; -1: there is none."""
    if content.startswith(_WIDE):
        return 0 if atna.recognises(content[:HEAD]) else -1
    declaration = content.find(b"<?xml")
    if declaration >= 0 and atna.recognises(content[declaration : declaration + HEAD]):
        return declaration
    found = _ROOT.search(content)
    return found.start() if found is not None else -1


def _audit(content: bytes, context: Context, at: int) -> Parsed:
    try:
        return atna.read(content, context, at)
    except ParseError as error:
        if error.code != "audit-malformed" or not _ESCAPED.search(content):
            raise
    return atna.read(_ESCAPED.sub(lambda found: _CONTROL[found[1]], content), context, at)


def _other(payload: bytes, at: int) -> Parsed:
    return Parsed(
        sender="",
        receiver="",
        control_id=hashlib.blake2b(payload, digest_size=16).digest(),
        at=at,
        processing="",
        message="syslog",
        facts=(),
        flags=(Flag("syslog-not-audit", "MSG"),),
    )


def _recognises(head: bytes) -> bool:
    return _PRI.match(head) is not None


def _split(payload: bytes) -> Iterable[bytes]:
    """The messages of a file of them, in either framing; a payload that is one message is itself."""
    framer = Framer(len(payload))
    found = [event for event in framer.feed(payload) + framer.close() if isinstance(event, bytes)]
    return found if len(found) > 1 or (found and _COUNT.match(payload)) else (payload,)


FORMAT: Final = Format(name="syslog", title="syslog message", recognises=_recognises, parse=parse, split=_split)
