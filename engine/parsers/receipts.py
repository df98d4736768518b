"""What comes back of a mail: DSN (RFC 3464), MDN (RFC 8098, both spellings of its errors), and failures told in plain mails.

``docs/rules.md`` section 8. A receipt is joined to its sending by the Message-ID that it names: in a field of its own, in the original that it
gives back, or in In-Reply-To. The mail that it gives back is never looked into for what it carries.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.facts import MAIL, Outcome
from engine.parsers import addresses, mail_header, mailboxes, mime, names

if TYPE_CHECKING:
    from engine.parsers.context import Context
    from engine.parsers.mime import Mail, Part

CODES: Final[dict[str, str]] = {
    "mail-delayed": "The server that has the mail still tries (DSN delayed): nothing is said of its end yet.",
    "receipt-says-nothing": "A receipt that says neither delivered, refused, read nor failed (deleted unread, unknown word): it was left out.",
    "receipt-to-nothing": "A receipt that names no mail (no Message-ID of the original): it cannot be joined.",
}

DELIVERY: Final = "mss-delivery"
READING: Final = "mss-reading"

_REPORTS: Final = {
    "message/delivery-status": "DSN",
    "message/global-delivery-status": "DSN",
    "message/disposition-notification": "MDN",
    "message/global-disposition-notification": "MDN",
}
_ORIGINALS: Final = frozenset(
    {
        "message/rfc822",
        "message/global",
        "text/rfc822-headers",
        "message/rfc822-headers",
        "message/global-headers",
    }
)
_ARRIVED: Final = frozenset({"delivered", "relayed", "expanded"})
_READ: Final = frozenset({"displayed", "processed", "dispatched"})
_MOST: Final = 1 << 20  # bytes of a report that are looked at
_TEXT: Final = 1 << 16  # bytes of a text

_KO: Final = re.compile(
    r"\[\s*KO\s+int[ée]gration\s+syst[èe]me[^\]]{0,8}\]\s*(?:\[\s*([^\]\s]{1,40})\s*\])?", re.IGNORECASE
)
_FAILED: Final = re.compile(r"undelivered|message\s+non\s+distribu", re.IGNORECASE)
# What other servers write; only of a mail that is automatic by its header.
_FAILED_TOO: Final = re.compile(
    r"undeliver|non[\s-]remis|non[\s-]d[ée]livr|[ée]chec\s+d|mail\s+delivery\s+fail|delivery\s+fail|returned\s+mail|failure\s+notice"
    r"|delivery\s+status\s+notification\s*\(failure",
    re.IGNORECASE,
)
_ENHANCED: Final = re.compile(r"(?<![0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9]|\.[0-9])", re.ASCII)
_SMTP: Final = re.compile(r"(?<![0-9.])([45][0-9]{2})(?=[ -])", re.ASCII)
_NUMBER: Final = re.compile(r"(?<![0-9])([0-9]{3})(?![0-9])", re.ASCII)
_WORD: Final = re.compile(r"[a-z]+", re.ASCII)
# Plain bounces name each address on a line of its own: "<address>:" (qmail, Postfix).
_BOUNCED: Final = re.compile(r"^[ \t]*<([^<>\s]{3,320}@[^<>\s]{1,255})>:", re.MULTILINE)


class Receipt(Struct, frozen=True):
    """A mail that is no sending. ``message``: "DSN", "MDN", or "automatic mail" when it is neither."""

    message: str
    facts: tuple[Outcome, ...] = ()
    flags: tuple[Flag, ...] = ()


def key(context: Context, message_id: str) -> bytes:
    """Pseudonym of a mail by its Message-ID, with or without brackets: what its receipts name."""
    return context.pseudonym("mail", "", mail_header.message_id(message_id).encode("utf-8", "replace"))


def read(mail: Mail, at: int, context: Context) -> Receipt | None:
    """What a mail says of another; None when it is no receipt and not automatic. ``at``: when it was written. Never raises."""
    subject = mail_header.words(mail_header.first(mail.fields, "subject")).strip()
    reports = [part for part in mail.parts if part.kind in _REPORTS]
    if reports:
        return _reported(mail, reports, at, context)
    refused = _KO.match(subject)
    if refused is not None:
        return _told(mail, "MDN", READING, names.code(refused[1] or ""), _sender(mail), at, context)
    automatic = _automatic(mail)
    if _FAILED.match(subject) or (automatic and _FAILED_TOO.match(subject)):
        text = _text(mail)
        boxes = mailboxes.read(mail_header.first(mail.fields, "x-failed-recipients"))[0] or _BOUNCED.findall(text)
        return _told(mail, "DSN", DELIVERY, _code("", text), boxes, at, context)
    return Receipt("automatic mail") if automatic else None


def _automatic(mail: Mail) -> bool:
    """Whether a machine answers (RFC 3834 section 5, RFC 5321 section 4.5.5: no sender to answer to), or reports."""
    submitted = mail_header.without_comments(mail_header.first(mail.fields, "auto-submitted")).strip().lower()
    if submitted.startswith("auto-") or mail.kind == "multipart/report":
        return True
    return any(mail_header.first(mail.fields, name) == "<>" for name in ("return-path", "x-envelope-from"))


def _reported(mail: Mail, reports: list[Part], at: int, context: Context) -> Receipt:
    facts: dict[Outcome, None] = {}
    flags: dict[Flag, None] = {}
    for part in reports:
        where = f"part {part.path}"
        blocks = _blocks(part.head(_MOST))
        named = _named(mail, blocks)
        if not named:
            flags[Flag("receipt-to-nothing", where)] = None
            continue
        exchange = key(context, named)
        if _REPORTS[part.kind] == "MDN":
            fields = blocks[0] if blocks else {}
            accepted, code, flag = _disposition(fields)
            found = [] if accepted is None else [(_address(fields) or next(iter(_sender(mail)), ""), accepted, code)]
            said, layer, flagged = found, READING, [flag]
        else:
            judged = [
                (_address(fields), *_delivery(fields)) for fields in blocks if "action" in fields or "status" in fields
            ]
            said = [(box, accepted, code) for box, accepted, code, _ in judged if accepted is not None]
            layer, flagged = DELIVERY, [flag for *_, flag in judged] or ["receipt-says-nothing"]
        flags |= {Flag(code, where): None for code in flagged if code}
        facts |= {_outcome(context, at, exchange, layer, accepted, code, box): None for box, accepted, code in said}
    return Receipt(_REPORTS[reports[0].kind], tuple(facts), tuple(flags))


_Said = tuple[bool | None, str, str]
"""Accepted or not (None: nothing is said), the code of a refusal, and a flag."""


def _delivery(fields: mail_header.Fields) -> _Said:
    """The fields of one recipient (RFC 3464 section 2.3)."""
    action = _word(mail_header.first(fields, "action"))
    status = mail_header.first(fields, "status")
    if action not in _ARRIVED and action not in {"failed", "delayed"}:
        action = {"2": "delivered", "5": "failed", "4": "delayed"}.get(status[:1], "")
    if action in _ARRIVED:
        return True, "", ""
    if action == "failed":
        return False, _code(status, mail_header.first(fields, "diagnostic-code")), ""
    return None, "", "mail-delayed" if action == "delayed" else "receipt-says-nothing"


def _code(status: str, diagnostic: str) -> str:
    """The enhanced code (RFC 3463) of a refusal: of Status, else, when that one says no more than its class, of what the server said."""
    codes = [found for found in (*_ENHANCED.findall(status), *_ENHANCED.findall(diagnostic)) if found[0] in "45"]
    precise = next((found for found in codes if not found.endswith(".0.0")), "")
    smtp = _SMTP.search(diagnostic)
    return precise or (codes[0] if codes else smtp[1] if smtp is not None else names.OTHER)


def _disposition(fields: mail_header.Fields) -> _Said:
    """What became of a mail that arrived (RFC 8098 section 3.2.6). Référentiel MSSanté writes ``processed/Error: 902^...``, then ``Error: 902``."""
    value = mail_header.first(fields, "disposition")
    said = value.partition(";")[2].strip() or value
    errors = [mail_header.first(fields, name) for name in ("error", "failure") if name in fields]
    modifier = said.partition("/")[2]
    if "error" in modifier.lower():
        errors.append(modifier)
    if errors:
        number = next((found for text in errors if (found := _NUMBER.search(text)) is not None), None)
        return False, number[1] if number is not None else names.OTHER, ""
    return (True, "", "") if _word(said) in _READ else (None, "", "receipt-says-nothing")


def _told(mail: Mail, message: str, layer: str, code: str, boxes: list[str], at: int, context: Context) -> Receipt:
    """A refusal or an error that is told in a plain mail."""
    named = _named(mail, [])
    if not named:
        return Receipt(message, flags=(Flag("receipt-to-nothing", "In-Reply-To"),))
    exchange = key(context, named)
    facts = {_outcome(context, at, exchange, layer, False, code, box): None for box in boxes or [""]}
    return Receipt(message, tuple(facts))


def _outcome(context: Context, at: int, exchange: bytes, layer: str, accepted: bool, code: str, box: str) -> Outcome:
    return Outcome(
        at=at,
        exchange=exchange,
        layer=layer,
        accepted=accepted,
        code=code,
        recipient=addresses.pseudonym(context, box) if box else None,
        sender="",
        trace=MAIL,
    )


def _named(mail: Mail, blocks: list[mail_header.Fields]) -> str:
    """The Message-ID of the mail that a receipt is about; "" when it names none."""
    for fields in blocks:
        for name in ("original-message-id", "x-original-message-id"):
            found = mail_header.message_id(mail_header.first(fields, name))
            if found:
                return found
    for part in mail.parts:
        if part.kind in _ORIGINALS:
            found = mail_header.message_id(mail_header.first(mime.header(part.head(_MOST)), "message-id"))
            if found:
                return found
    # The last of References is what is answered to (RFC 5322 section 3.6.4).
    answered = mail_header.message_id(mail_header.first(mail.fields, "in-reply-to"))
    return answered or mail_header.message_id(
        mail_header.first(mail.fields, "references").rpartition("<")[2].rstrip("> ")
    )


def _blocks(content: bytes) -> list[mail_header.Fields]:
    """The groups of fields of a report, parted by empty lines."""
    blocks: list[mail_header.Fields] = []
    at, end = 0, len(content)
    while at < end:
        try:
            fields, after = mail_header.read(content, at, end)
        except ParseError:
            break
        if fields:
            blocks.append(fields)
        at = max(after, at + 1)
    return blocks


def _address(fields: mail_header.Fields) -> str:
    """The recipient as the sender wrote it (Original-Recipient), else as it was delivered to; "" when neither is an address."""
    for name in ("original-recipient", "final-recipient"):
        value = mail_header.first(fields, name)
        found, _ = mailboxes.read(value.rpartition(";")[2])
        if found:
            return found[0]
    return ""


def _sender(mail: Mail) -> list[str]:
    return mailboxes.read(mail_header.first(mail.fields, "from"))[0][:1]


def _word(value: str) -> str:
    found = _WORD.search(value.lower())
    return found[0] if found is not None else ""


def _text(mail: Mail) -> str:
    """The beginning of the first text of a mail."""
    part = next((part for part in mail.parts if part.kind == "text/plain"), None)
    return mail_header.decode(part.head(_TEXT), part.parameters.get("charset", "")) if part is not None else ""
