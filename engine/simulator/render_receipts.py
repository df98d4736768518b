"""What comes back of a mail: delivery status notifications (RFC 3464) and message disposition notifications (RFC 8098)."""

from __future__ import annotations

from email.utils import formatdate

from engine.simulator.render_mail import Mail, mail


def delivery(original: Mail, at: int, message_id: str, told: str, original_bytes: bytes, *, whole: bool) -> bytes:
    """A delivery status notification (RFC 3464); ``told`` are the fields of its recipients."""
    titles = {"failed": "Undelivered Mail Returned to Sender", "delayed": "Delayed Mail (still being retried)"}
    title = next(
        (text for action, text in titles.items() if f"Action: {action}" in told), "Successful Mail Delivery Report"
    )
    head, _, _ = original_bytes.partition(b"\r\n\r\n")
    returned = original_bytes if whole else head + b"\r\n"
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    arrived = formatdate(original.at)
    return mail(
        Mail(
            message_id=message_id,
            at=at,
            sender="MAILER-DAEMON@mx.ch-fictif.mssante.fr (Mail Delivery System)",
            to=(original.sender,),
            subject=title,
            text="Ceci est un avis du serveur de messagerie.\n",
            headers=(("Return-Path", "<>"), ("Auto-Submitted", "auto-replied")),
            kind="multipart/report; report-type=delivery-status",
            reports=(
                (
                    "message/delivery-status",
                    f"Reporting-MTA: dns; mx.ch-fictif.mssante.fr\r\nArrival-Date: {arrived}\r\n\r\n{told}",
                ),
                (kind, returned.decode("utf-8", "surrogateescape")),
            ),
        )
    )


def status(address: str, action: str, code: str, at: int) -> str:
    """The fields of one recipient of a delivery status; ``address`` "" names nobody."""
    who = f"Final-Recipient: rfc822; {address}\r\nOriginal-Recipient: rfc822;{address}\r\n" if address else ""
    told = f"Diagnostic-Code: smtp; 550 {code} essai\r\n" if action == "failed" else ""
    return f"{who}Action: {action}\r\nStatus: {code}\r\n{told}Last-Attempt-Date: {formatdate(at)}\r\n\r\n"


def disposition(original: Mail, address: str, at: int, message_id: str, said: str, error: str = "") -> bytes:
    """A message disposition notification (RFC 8098): read, processed, or not integrated."""
    fields = [
        "Reporting-UA: logiciel-fictif; essai",
        f"Original-Recipient: rfc822;{address}",
        f"Final-Recipient: rfc822;{address}",
        f"Original-Message-ID: {original.message_id}",
        f"Disposition: {said}",
        *([f"Error: {error}"] if error else []),
    ]
    return mail(
        Mail(
            message_id=message_id,
            at=at,
            sender=address,
            to=(original.sender,),
            subject=f"Lu : {original.subject}",
            text="Votre message a été traité.\n",
            headers=(("In-Reply-To", original.message_id), ("References", original.message_id)),
            kind="multipart/report; report-type=disposition-notification",
            reports=(("message/disposition-notification", "\r\n".join(fields) + "\r\n"),),
        )
    )
