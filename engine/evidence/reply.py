"""Which mail answers a test: the reply of the robot, a failure (DSN), or another word about it. Pure functions of bytes.

RFC 5322 section 3.6.4 (In-Reply-To, References), 3464 (delivery reports), 8098 (read receipts), 3834 (automatic answers). The programme's sheet
says nothing of how the robot refers to the message: first by thread, else by its sender and the time.
"""

from __future__ import annotations

import base64
import email.policy
import email.utils
import re
from collections.abc import Iterator, Sequence
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.parser import BytesParser
from typing import Final, Literal

from msgspec import Struct

from engine.evidence.record import How, Record

Kind = Literal["reply", "failure", "delivered", "delayed", "read"]

#: Only the heads of the parts and small reports are looked at; a reply of the robot is far below.
MAX_BYTES: Final = 8 << 20
_EARLY: Final = 300  # seconds that two clocks may differ
_MAILERS: Final = frozenset({"mailer-daemon", "postmaster"})
_KINDS: Final[dict[str, Kind]] = {
    "failed": "failure",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
    "delayed": "delayed",
}
_BY_WEIGHT: Final[tuple[Kind, ...]] = ("failure", "delivered", "delayed")
_PARTS: Final = 50
_MAX_REPORT: Final = 64 << 10
_END: Final = re.compile(rb"\r?\n\r?\n")


class Match(Struct, frozen=True):
    """What one mail is for one test. ``dated``: its Date, seconds since 1970-01-01 UTC; 0 when it has none."""

    record: Record
    kind: Kind
    how: How
    dated: int


def match(raw: bytes, records: Sequence[Record], *, reply_hours: int) -> Match | None:
    """The test that a mail answers, among those given; None when it answers none of them, or cannot be read."""
    mail = _heads(raw)
    if mail is None:
        return None
    sender, dated = address(mail), date_of(mail)
    own = _ids(mail, "Message-ID")
    report = mail.get_content_type() == "multipart/report"
    named = _ids(mail, "In-Reply-To") | _ids(mail, "References")
    if report:
        whole = _report(raw)
        named |= _reported(whole)
    for record in records:
        if record.trial.message_id in own:
            return None  # our own message, seen in the mailbox that it left from
        if record.trial.message_id in named:
            if report or sender.partition("@")[0] in _MAILERS:
                return Match(record, _report_kind(_report(raw)) if report else "failure", "thread", dated)
            if sender == record.sender:
                return None  # a person answered, or forwarded, the message
            return Match(record, "reply", "thread", dated)
    if report:
        return None
    # The latest test before it: the robot answers one at a time.
    for record in sorted(records, key=lambda record: record.order, reverse=True):
        since = dated - record.trial.at
        if sender == record.recipient and -_EARLY <= since <= reply_hours * 3_600:
            return Match(record, "reply", "sender", dated)
    return None


def _heads(raw: bytes) -> EmailMessage | None:
    """The header of a mail alone: all that tells a reply."""
    found = _END.search(raw, 0, MAX_BYTES)
    return parse(raw[: found.end() if found is not None else MAX_BYTES])


def _report(raw: bytes) -> Message:
    """A report, its begin: what it says and the heads that it returns. The old policy reads a part ten times faster."""
    return BytesParser(policy=email.policy.compat32).parsebytes(raw[:_MAX_REPORT])


def parse(raw: bytes) -> EmailMessage | None:
    """A mail; None when no reader could make anything of it."""
    try:
        mail = BytesParser(policy=email.policy.default).parsebytes(raw[:MAX_BYTES])
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, IndexError, RecursionError):
        return None
    return mail


def header(mail: Message, name: str) -> str:
    """A header as a person reads it, on one line; "" when it is absent. The standard library fails on some hostile ones."""
    try:
        value = mail.get(name)
        return " ".join(str(value).split()) if value is not None else ""
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, IndexError, RecursionError):
        return ""


def address(mail: Message) -> str:
    """The address of From, in small letters; "" without one."""
    return email.utils.parseaddr(header(mail, "From"))[1].strip().lower()


def date_of(mail: Message) -> int:
    """The Date of a mail, seconds since 1970-01-01 UTC; 0 when it has none."""
    try:
        return int(email.utils.parsedate_to_datetime(header(mail, "Date")).timestamp())
    except (TypeError, ValueError, OverflowError, OSError, IndexError):
        return 0


def parts(mail: Message) -> Iterator[Message]:
    """The parts of a mail, in order, not more than any reply has."""
    for number, part in enumerate(mail.walk()):
        if number >= _PARTS:
            return
        yield part


def _ids(mail: Message, name: str) -> frozenset[str]:
    """The message ids in a header: whatever stands between angle brackets."""
    return frozenset(f"<{piece.partition('>')[0]}>" for piece in header(mail, name).split("<")[1:] if ">" in piece)


def _reported(mail: Message) -> frozenset[str]:
    """The messages that a report is about: those whose heads it holds, and its Original-Message-ID."""
    found: frozenset[str] = frozenset()
    for part in parts(mail):
        if part.get_content_type() == "text/rfc822-headers":
            returned = parse(_text(part).encode("utf-8", "replace"))
            found |= _ids(returned, "Message-ID") if returned is not None else frozenset()
        elif part.get_content_type() == "message/disposition-notification":
            found |= _ids(_fields(part), "Original-Message-ID")
        elif part is not mail:
            found |= _ids(part, "Message-ID")
    return found


def _report_kind(mail: Message) -> Kind:
    """A failure wins over everything; without a word that is known, a report is a read receipt."""
    words = set()
    for part in parts(mail):
        if part.get_content_type() == "message/delivery-status":
            blocks = part.get_payload()
            words |= {header(block, "Action").lower() for block in _messages(blocks)}
    kinds = {_KINDS[word] for word in words if word in _KINDS}
    return next((kind for kind in _BY_WEIGHT if kind in kinds), "read")


def _fields(part: Message) -> Message:
    """The fields of a disposition notification; where a writer encoded them, the standard library takes them for a body."""
    inside = _messages(part.get_payload())
    if not inside or inside[0].keys():
        return inside[0] if inside else part
    body = str(inside[0].get_payload())
    if header(part, "Content-Transfer-Encoding").lower() == "base64":
        try:
            body = base64.b64decode(body).decode("utf-8", "replace")
        except ValueError:
            return part
    return parse(body.lstrip().encode("utf-8", "replace")) or part


def _messages(payload: object) -> list[Message]:
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _text(part: Message) -> str:
    """The bytes of a part as text, whatever they are."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
