"""What is kept of one test of PS4.1: data, and what follows from it."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from msgspec import Struct

from engine.evidence.trial import Trial

STATE: Final = "state.json"
SENT: Final = "sent.eml"
REPLY: Final = "reply.eml"
REPORT: Final = "report.eml"


class Part(Struct, frozen=True):
    """A file: of the mail, or (``inside``) of the archive that is in the mail."""

    name: str
    size: int  # octets
    sha256: str
    media_type: str = ""
    inside: bool = False


class Built(Struct, frozen=True):
    """A test message, ready to be sent."""

    raw: bytes  # RFC 5322, CRLF
    headers: tuple[tuple[str, str], ...]  # as a person reads them, without those of MIME
    body: str
    parts: tuple[Part, ...]  # attachments, the entries of the archive just after it
    checks: tuple[str, ...]  # code at place of every remark of our own reader; none that is wrong

    @property
    def sha256(self) -> str:
        """Of the whole mail."""
        return hashlib.sha256(self.raw).hexdigest()


class Answer(Struct, frozen=True):
    """What the server said to one command. ``text`` has its lines apart, and no control character."""

    step: str  # CONNECT, EHLO, STARTTLS, AUTH, MAIL FROM, RCPT TO, DATA, QUIT
    code: int
    text: str


class Submission(Struct, frozen=True):
    """What became of one attempt. ``error`` is "" when the server took the message."""

    server: str  # host:port
    protection: str  # "TLSv1.3 TLS_AES_256_GCM_SHA384", "" without TLS
    answers: tuple[Answer, ...]
    began: int
    ended: int
    error: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the server answered 250 to the message."""
        return not self.error


Stage = Literal["prepared", "sent", "failed", "replied", "bounced"]
How = Literal["thread", "sender"]


class Received(Struct, frozen=True):
    """A mail that answers a test. ``at`` is when it was seen, ``dated`` its own Date (0: none)."""

    file: str  # REPLY or REPORT
    sha256: str
    size: int
    at: int
    dated: int
    how: How


class Record(Struct, frozen=True):
    """The state of one test, as ``state.json`` keeps it. A later version of Jauge may add fields, and never changes the meaning of one."""

    trial: Trial
    sender: str
    recipient: str
    subject: str
    sha256: str  # of sent.eml
    size: int
    parts: tuple[Part, ...]
    checks: tuple[str, ...]
    version: str  # of the Jauge that built it
    number: int = 0  # its rank in the register: two tests of one second have an order
    stage: Stage = "prepared"
    submission: Submission | None = None
    reply: Received | None = None
    report: Received | None = None  # a failure (DSN) that names the message
    receipts: tuple[str, ...] = ()  # other words of it: delivered, delayed, read

    @property
    def order(self) -> tuple[int, int, str]:
        """What tests are sorted by, the oldest first."""
        return self.trial.at, self.number, self.trial.id

    @property
    def left(self) -> bool:
        """Whether the message left, or may have left: a reply to it is awaited."""
        submitted = self.submission
        return submitted is None or submitted.accepted or submitted.error == "ps41-unconfirmed"

    @property
    def sent_at(self) -> int:
        """When the server took the message; 0 when it did not, or nobody knows."""
        return self.submission.ended if self.submission is not None and self.submission.accepted else 0

    @property
    def awaiting(self) -> bool:
        """Whether a reply may still come."""
        return self.left and self.reply is None and self.stage != "bounced"

    @property
    def proven(self) -> bool:
        """Sent, and answered: a reply proves that it was sent, whatever the server's own answer."""
        return self.reply is not None and any(part.inside for part in self.parts)
