"""Mails for the tests of their parser: written part by part, invented from end to end."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from msgspec.structs import replace

from engine.parsers import addresses
from engine.parsers.context import Context, default

OWN = "ch-fictif.mssante.fr"
SENDER = f"sorties@{OWN}"
DOCTOR = "sacha.destinataire@cabinet-fictif.mssante.fr"
MATRICULE = "279035121518989"
CITIZEN = f"{MATRICULE}@patient.mssante.fr"
ROBOT = "reponse.automatique-test@patient.mssante.fr"
MESSAGE_ID = f"20260310-0001@{OWN}"
DATE = "Tue, 10 Mar 2026 16:20:00 +0100"
AT = 1773156000
PDF = b"%PDF-1.4\n%EOF\n"

CONTEXT: Context = replace(default(), mail=addresses.Space(own=frozenset({OWN})))


def head(**fields: str | None) -> str:
    """The header of a sending, with other fields (``Reply_To=...``) or without some (None)."""
    written: dict[str, str | None] = {
        "From": f"CH Fictif Sorties <{SENDER}>",
        "To": DOCTOR,
        "Subject": "XDM/1.0/DDM+Lettre de liaison EXEMPLE CAMILLE 12/01/1985",
        "Message_ID": f"<{MESSAGE_ID}>",
        "Date": DATE,
        "MIME_Version": "1.0",
    } | fields
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in written.items() if value is not None)


def attached(
    content: bytes, kind: str = "application/zip", name: str = "IHE_XDM.zip", encoding: str = "base64", **fields: str
) -> bytes:
    """A part that holds a file."""
    more = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in fields.items())
    written = (
        base64.encodebytes(content).replace(b"\n", b"\r\n").removesuffix(b"\r\n") if encoding == "base64" else content
    )
    header = f'Content-Type: {kind}; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    return f"{header}Content-Transfer-Encoding: {encoding}\r\n{more}\r\n".encode() + written


def text(
    content: str = "Bonjour, veuillez trouver ci-joint la lettre.", kind: str = "text/plain; charset=UTF-8"
) -> bytes:
    """A part that is a text."""
    return f"Content-Type: {kind}\r\n\r\n{content}".encode()


def multipart(parts: Iterable[bytes], boundary: str = "M1", *, closed: bool = True) -> bytes:
    """The body of a multipart."""
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return body + (b"--" + boundary.encode() + b"--\r\n" if closed else b"")


def mail(*parts: bytes, kind: str = "multipart/mixed", boundary: str = "M1", **fields: str | None) -> bytes:
    """A mail of these parts."""
    header = head(**({"Content_Type": f'{kind}; boundary="{boundary}"'} | fields))
    return header.encode() + b"\r\n" + multipart(parts, boundary)


def plain(content: str = "Bonjour.", **fields: str | None) -> bytes:
    """A mail that is a text."""
    return head(**({"Content_Type": "text/plain; charset=UTF-8"} | fields)).encode() + b"\r\n" + content.encode()


def report(kind: str, fields: str, *more: bytes, **header: str | None) -> bytes:
    """A mail that is a report (``delivery-status`` or ``disposition-notification``) with these machine-readable fields."""
    machine = f"Content-Type: message/{kind}\r\n\r\n{fields}".encode()
    defaults: dict[str, str | None] = {
        "From": "MAILER-DAEMON@cabinet-fictif.mssante.fr",
        "To": SENDER,
        "Subject": "Avis",
        "Message_ID": "<r1@cabinet-fictif.mssante.fr>",
    }
    content_type = f"multipart/report; report-type={kind}"
    return mail(text("Avis"), machine, *more, kind=content_type, boundary="R1", **(defaults | header))


def original(message_id: str = MESSAGE_ID) -> bytes:
    """The original that a report gives back: its header."""
    return f"Content-Type: text/rfc822-headers\r\n\r\nFrom: {SENDER}\r\nMessage-ID: <{message_id}>\r\n".encode()
