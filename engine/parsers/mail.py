"""A mail of the establishment: what it sends to whom, with the documents of its XDM; and what comes back (``engine.parsers.receipts``).

``docs/rules.md`` section 8; RFC 5322; Référentiel MSSanté #2. What a mail carries is decided on its content: the headers that software adds
(X-MSS-...) and the names of files may be absent or wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from engine.errors import Flag, ParseError
from engine.facts import CITIZEN, INS_NIR, OUTSIDE, AnyFact, Mailed
from engine.parsers import (
    addresses,
    mail_header,
    mail_load,
    mailboxes,
    mbox,
    mime,
    receipts,
)
from engine.parsers.format import Format
from engine.parsers.parsed import Parsed

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.mime import Mail

CODES: Final[dict[str, str]] = {
    "citizen-address": "An address of patient.mssante.fr without a matricule INS before its @: it is nobody's, and was not counted.",
    "citizen-ins-differs": "The matricule of a citizen's address is not the INS of the XDM: one of them is about somebody else.",
    "mail-automatic": "A mail of the establishment that says it is automatic (Auto-Submitted, no envelope sender): it is no sending.",
    "mail-date-missing": "The mail has no date that can be read, in Date or in Received.",
    "mail-deletes": "The XDM asks to delete a document (action D): it is no sending.",
    "mail-id-missing": "The mail has no Message-ID: no receipt can name it.",
    "mail-recipient-missing": "The mail names no recipient (Bcc alone, say): have the journal write X-Envelope-To.",
    "mail-recipient-unreadable": "A recipient that is no address; it was passed over.",
    "mail-sender-missing": "The mail names no sender: it cannot be told whether it goes out.",
    "mail-too-many-recipients": "More than 5,000 recipients, or 50,000 pairs of a recipient and a document; no mail has that many.",
}
"""Every code that :func:`parse` raises or flags besides those of the parsers that it calls, and what it means."""

REJECTIONS: Final = frozenset({"mail-too-many-recipients"})

MAX_RECIPIENTS: Final = 5_000
MAX_PAIRS: Final = 50_000

ENVELOPE_TO: Final = "x-envelope-to"
"""The header by which a journal tells the recipients of the envelope."""

_TO: Final = {"to": "To", "cc": "Cc", "bcc": "Bcc", ENVELOPE_TO: "X-Envelope-To"}
_FROM: Final = ("from", "sender", "return-path", "x-envelope-from")
# What a mail has among its first fields, and what only HTTP has.
_MAIL: Final = frozenset(
    b"from to cc bcc sender reply-to subject message-id received return-path delivered-to x-envelope-to mime-version date"
    b" dkim-signature disposition-notification-to in-reply-to".split()
)
_HTTP: Final = frozenset(b"host soapaction authorization transfer-encoding server".split())
_FIELD: Final = re.compile(rb"^([!-9;-~]{1,64})[ \t]*:", re.MULTILINE)
_BLANK: Final = re.compile(rb"\n\r?\n")
_LEAD: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]{0,64}(?:(>?From )|[!-9;-~]{1,64}[ \t]*:)")


def message_key(context: Context, message_id: str) -> bytes:
    """Pseudonym of a mail by its Message-ID, with or without brackets."""
    return receipts.key(context, message_id)


def parse(payload: bytes, context: Context) -> Parsed:
    """Read one mail. Raises :class:`ParseError` and nothing else, whatever the bytes."""
    try:
        return _parse(payload, context)
    except ParseError:
        raise
    except Exception:  # noqa: BLE001  # as in hl7.parse: the cause could hold a value
        raise ParseError("internal", "message") from None


def _parse(payload: bytes, context: Context) -> Parsed:
    mail = mime.read(payload)
    flags = list(mail.flags)
    at = _at(mail, context)
    if not at:
        flags.append(Flag("mail-date-missing", "Date"))
    message_id = mail_header.message_id(mail_header.first(mail.fields, "message-id"))
    if not message_id:
        flags.append(Flag("mail-id-missing", "Message-ID"))
        message_id = hashlib.blake2b(payload.replace(b"\r\n", b"\n").rstrip(), digest_size=16).hexdigest()
    own = _own(mail, context)
    receipt = receipts.read(mail, at, context)
    facts: Iterable[AnyFact] = ()
    if receipt is not None:
        message = receipt.message
        facts = receipt.facts
        flags += receipt.flags
        if own and message == "automatic mail":
            flags.append(Flag("mail-automatic", "header"))
    elif own is None:
        message = "incoming mail"
        flags.append(Flag("mail-sender-missing", "From"))
    elif own:
        message = "mail"
        facts = _sent(mail, at, message_key(context, message_id), context, flags)
    else:
        message = "incoming mail"
    return Parsed(
        sender="",
        receiver="",
        control_id=message_id.encode("utf-8", "replace"),
        at=at,
        processing="",
        message=message,
        facts=tuple(facts),
        flags=tuple(dict.fromkeys(flags)),
    )


def _at(mail: Mail, context: Context) -> int:
    """When the mail was written: Date, else the last server's Received."""
    at = mail_header.date(mail_header.first(mail.fields, "date"), context.zone)
    return at or mail_header.date(mail_header.first(mail.fields, "received").rpartition(";")[2], context.zone)


def _own(mail: Mail, context: Context) -> bool | None:
    """Whether the establishment sends; None when nobody does. Without domains of its own, it sends everything."""
    if not context.mail.own:
        return True
    for name in _FROM:
        found, _ = mailboxes.read(mail_header.first(mail.fields, name))
        if found:
            return addresses.domain(found[0]) in context.mail.own
    return None


def to(mail: Mail) -> tuple[dict[str, str], list[Flag]]:
    """The recipients of a mail: their addresses (normal form, in clear, for memory only) with the field that names each, and what is odd.

    Raises :class:`ParseError` (``mail-too-many-recipients``).
    """
    found: dict[str, str] = {}
    flags: list[Flag] = []
    for name, where in _TO.items():
        for value in mail.fields.get(name, ()):
            boxes, unreadable = mailboxes.read(mail_header.text(value))
            for box in boxes:
                found.setdefault(box, where)
            if unreadable and not boxes:
                flags.append(Flag("mail-recipient-unreadable", where))
        if len(found) > MAX_RECIPIENTS:
            raise ParseError("mail-too-many-recipients", where)
    if not found:
        flags.append(Flag("mail-recipient-missing", "To"))
    return found, flags


def _sent(mail: Mail, at: int, message: bytes, context: Context, flags: list[Flag]) -> list[Mailed]:
    """One fact for each recipient and document."""
    boxes, odd = to(mail)
    flags += odd
    load = mail_load.read(mail, at, message, context)
    flags += load.flags
    if load.deletes:
        flags.append(Flag("mail-deletes", "XDM"))
        return []
    if len(boxes) * len(load.facts) > MAX_PAIRS:
        raise ParseError("mail-too-many-recipients", "To")
    facts: list[Mailed] = []
    for box, where in boxes.items():
        category = addresses.category(box, context.mail)
        recipient = addresses.pseudonym(context, box)
        if category == CITIZEN:
            matricule = context.pseudonym("ins", "", addresses.matricule(box).encode())
            if any(one.ins not in (None, matricule) for one in load.facts):
                flags.append(Flag("citizen-ins-differs", where))
            facts += (_citizen(one, recipient, matricule) for one in load.facts)
            continue
        if category == OUTSIDE and addresses.domain(box) == addresses.CITIZEN_DOMAIN:
            flags.append(Flag("citizen-address", where))
        facts += (replace(one, recipient=recipient, category=category) for one in load.facts)
    return facts


def _citizen(fact: Mailed, recipient: bytes, matricule: bytes) -> Mailed:
    """What is sent to a citizen is his, whomever the XDM is about: the number of somebody else is not kept beside his INS."""
    ipp = fact.ipp if fact.ins in (None, matricule) else None
    return replace(fact, recipient=recipient, category=CITIZEN, ins=matricule, ins_root=INS_NIR, ipp=ipp)


def _recognises(head: bytes) -> bool:
    lead = _LEAD.match(head)
    if lead is None:
        return False
    end = _BLANK.search(head, lead.start(1) if lead[1] else 0)
    names = {name.lower() for name in _FIELD.findall(head, 0, end.start() + 1 if end is not None else len(head))}
    return len(names & _MAIL) >= 2 and not names & _HTTP


def _split(payload: bytes) -> Iterable[bytes]:
    """A mail, or those of an mbox file."""
    if not payload.startswith(mbox.MARK):
        return (payload,)
    splitter = mbox.Splitter(len(payload))
    return (*splitter.feed(payload), *splitter.close())


FORMAT: Final = Format(name="mail", title="Mail (RFC 5322, mbox)", recognises=_recognises, parse=parse, split=_split)
