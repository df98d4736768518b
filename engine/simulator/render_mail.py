"""Mails as the hospital's server hands their copies on: RFC 5322 and MIME, written by hand in the ways that are met."""

from __future__ import annotations

from base64 import b64encode, encodebytes
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Final

_PARIS: Final = timezone(timedelta(hours=1))


@dataclass(slots=True, kw_only=True)
class Attachment:
    """One attachment."""

    name: str
    kind: str
    content: bytes


@dataclass(slots=True, kw_only=True)
class Mail:
    """One mail, dated ``at`` (epoch seconds)."""

    message_id: str  # with its angle brackets; "" for none
    at: int
    sender: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = "Envoi"
    text: str = "Bonjour,\nvoici le document annoncé à l'instant.\n"
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    html: bool = False  # the text is there twice, in plain and in HTML
    carried: bytes = b""  # a whole mail that it brings back (message/rfc822)
    kind: str = "multipart/mixed"
    reports: tuple[tuple[str, str], ...] = field(default=())  # (content type, text) of the parts of a receipt


def mail(what: Mail) -> bytes:
    """The bytes of the mail, lines ended by CRLF."""
    head = [("From", what.sender)]
    for name, addresses in (("To", what.to), ("Cc", what.cc), ("Bcc", what.bcc)):
        if addresses:
            head.append((name, ",\r\n ".join(addresses)))
    if not what.to:
        head.append(("To", "undisclosed-recipients:;"))
    head += [("Subject", encoded(what.subject)), ("Date", format_datetime(datetime.fromtimestamp(what.at, _PARIS)))]
    if what.message_id:
        head.append(("Message-ID", what.message_id))
    head += [*what.headers, ("MIME-Version", "1.0")]
    parts = [_text(what)]
    parts += [f"Content-Type: {kind}\r\n\r\n{text}".encode() for kind, text in what.reports]
    parts += [_attached(each) for each in what.attachments]
    if what.carried:
        parts.append(b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + what.carried)
    if len(parts) == 1:
        return "".join(f"{name}: {value}\r\n" for name, value in head).encode() + parts[0] + b"\r\n"
    boundary = f"=_{what.at:x}"
    head.append(("Content-Type", f'{what.kind}; boundary="{boundary}"'))
    lines = "".join(f"{name}: {value}\r\n" for name, value in head).encode() + b"\r\nMessage au format MIME.\r\n"
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    return lines + body + b"--%b--\r\n" % boundary.encode()


def encoded(text: str) -> str:
    """A header value: as it is when it is ASCII, else in encoded words (RFC 2047)."""
    if text.isascii():
        return text
    words = [text[index : index + 30] for index in range(0, len(text), 30)]
    return "\r\n ".join(f"=?utf-8?B?{b64encode(word.encode()).decode()}?=" for word in words)


def _text(what: Mail) -> bytes:
    text = what.text.replace("\n", "\r\n").encode()
    plain = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text
    if not what.html:
        return plain
    page = (
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><body>"
        + text
        + b"</body></html>"
    )
    edge = b"alt_%x" % what.at
    inside = b"".join(b"--%b\r\n%b\r\n" % (edge, each) for each in (plain, page))
    return b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n%b--%b--\r\n' % (edge, inside, edge)


def _attached(what: Attachment) -> bytes:
    head = (
        f'Content-Type: {what.kind}; name="{what.name}"\r\nContent-Disposition: attachment; filename="{what.name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode() + encodebytes(what.content).replace(b"\n", b"\r\n")
