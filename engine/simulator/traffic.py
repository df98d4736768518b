"""What leaves the hospital: control ids, times, accidents of the wire, and the list of what was sent.

Every message goes through :meth:`Traffic.post`, which gives it its line ends and its bytes, and sometimes sends it twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from engine.simulator import render
from engine.simulator.applications import DPI, GAM, Application, Endpoint, Landscape
from engine.simulator.clock import DAY, HOUR, Clock

MOVEMENTS: Final = "movements"
DOCUMENTS: Final = "documents"
ANSWERS: Final = "answers"
FEEDS: Final = (MOVEMENTS, DOCUMENTS, ANSWERS)
"""The feeds of HL7 messages, over MLLP."""

LOG: Final = "log"
CAPTURE: Final = "capture"
AUDIT: Final = "audit"
FHIR: Final = "fhir"
TRACED: Final = {
    "zam": (),
    "log": (LOG,),
    "syslog": (AUDIT,),
    "fhir": (FHIR,),
    "capture": (CAPTURE,),
    "all": (LOG, CAPTURE, AUDIT, FHIR),
}
"""The feeds of each way the platform may leave traces."""
MAIL: Final = "mail"
SENT: Final = "sent"
MAILED: Final = (MAIL, SENT)
"""The feeds of the hospital's mail: the journal of its server, and the copies of a Sent mailbox."""

_IDENTITY_EVENTS: Final = frozenset({"A28", "A31", "A40", "A44", "A45", "A47", "A49"})
_MOVEMENT_EVENTS: Final = frozenset({f"A{number:02d}" for number in (1, 2, 3, 4, 5, 6, 7, 11, 12, 13)} | {"Z99"})


class Envelope(NamedTuple):
    """One message to send: the feed it goes to, when (simulated, epoch seconds), and its bytes, without the frame of its transport.

    A line of the log has no end; a FHIR payload is the fields of its HTTP head, an empty line, and the body.
    """

    feed: str
    due: int
    payload: bytes


class Charset(NamedTuple):
    """What MSH-18 says, and how the bytes really are."""

    label: str
    codec: str


UTF8: Final = Charset("UNICODE UTF-8", "utf-8")
LATIN9: Final = Charset("8859/15", "iso8859-15")
LATIN1: Final = Charset("8859/1", "iso8859-1")
_LYING: Final = Charset("8859/1", "utf-8")
_SILENT: Final = Charset("", "iso8859-1")


@dataclass(slots=True)
class Counts:
    """What the sender of the messages knows of them, whoever reads them."""

    duplicates: int = 0  # the same bytes again, on the same feed
    unreadable: int = 0  # messages that nobody can read
    rehearsals: int = 0  # messages with MSH-11 = T or D
    passed: int = 0  # lines of the log that are of no interest to anybody
    reused: int = 0  # control ids used again for another content


class Traffic:
    """The outgoing messages, in the order they were made; :attr:`envelopes` is sorted at the end by the hospital."""

    def __init__(self, random: Random, clock: Clock, landscape: Landscape) -> None:
        self.random = random
        self.clock = clock
        self.landscape = landscape
        self.envelopes: list[Envelope] = []
        self.counts = Counts()
        self.processing = "P"
        self._numbers: dict[Endpoint, int] = {}
        self._finished: dict[Endpoint, list[tuple[int, str]]] = {}
        self._copied = [app for app in landscape.applications if app.diet != "none" and app is not landscape.primary]

    # ---- control ids

    def control(self, sender: Endpoint) -> str:
        """A new control id of this sender."""
        number = self._numbers[sender] = self._numbers.get(sender, 0) + 1
        return f"{sender.name[0]}{sender.facility[0]}{number:07d}"

    def reused_control(self, sender: Endpoint, at: int) -> str | None:
        """Now and then, an id that the sender used long before for another content, whose answers are all in."""
        pool = self._finished.get(sender)
        if self.processing != "P" or not pool or self.random.random() > 0.015:
            return None
        for index, (closed, control) in enumerate(pool):
            if closed + HOUR < at:
                del pool[index]
                self.counts.reused += 1
                return control
        return None

    def finished(self, sender: Endpoint, control: str, closed: int) -> None:
        """This id has had its last answer at ``closed``: it may be used again, once, after that."""
        pool = self._finished.setdefault(sender, [])
        if len(pool) < 40:
            pool.append((closed, control))

    # ---- bytes

    def charset(self, usual: Charset) -> Charset:
        """The sender's usual charset, or one of the two accidents seen in real feeds."""
        draw = self.random.random()
        if draw < 0.02:
            return _LYING
        return _SILENT if draw < 0.04 else usual

    def post(self, feed: str, due: int, segments: list[str], charset: Charset = UTF8) -> None:
        """Sends one message; once in a while with LF or CRLF ends, without its last end, or twice byte for byte."""
        draw = self.random.random()
        end = "\n" if draw < 0.02 else "\r\n" if draw < 0.04 else "\r"
        if end == "\r" and draw > 0.985:
            segments = [_worn(segment, self.random) for segment in segments]
        text = end.join(segments) + ("" if 0.04 <= draw < 0.07 else end)
        if charset == UTF8 and 0.07 <= draw < 0.075:  # the ANS sample whose MSH-2 holds a small tilde (U+02DC)
            text = text.replace("~", "\u02dc")
        self.post_raw(feed, due, text.encode(charset.codec))

    def post_raw(self, feed: str, due: int, payload: bytes) -> None:
        """Sends bytes as they are, sometimes twice."""
        self.envelopes.append(Envelope(feed, due, payload))
        if self.processing != "P":
            self.counts.rehearsals += 1
        if self.random.random() < 0.012:
            again = due + self.random.choice((1, 40, HOUR, 2 * DAY))
            self.envelopes.append(Envelope(feed, again, payload))
            self.counts.duplicates += 1
            if self.processing != "P":
                self.counts.rehearsals += 1

    # ---- the identity and movement reference

    def reference(self, message: render.Adt) -> None:
        """One ADT of the reference: to the patient record, and copies to other applications; each answers in its way."""
        counted = self.processing == "P"
        primary = self.landscape.primary
        first = self._copy(message, DPI, primary, acknowledged=self.random.random() < 0.4, counted=counted)
        if not counted or self.random.random() > 0.35:
            return
        application = self.random.choice(self._copied)
        if application.diet == "identity" and message.event not in _IDENTITY_EVENTS:
            return
        if application.diet == "anonymous" and message.ins_root:
            return
        same = first if self.random.random() < 0.2 else ""  # some engines keep MSH-10 when they fan out
        to = self.random.choice(application.endpoints)
        self._copy(message, to, application, acknowledged=True, counted=True, control=same)

    def introduce(self, message: render.Adt, application: Application) -> None:
        """A message of the reference to one application, which answers in its way."""
        self._copy(message, application.endpoints[0], application, acknowledged=True, counted=True)

    def rehearse(self, message: render.Adt, application: Application) -> None:
        """A message of a test (MSH-11 = T), acknowledged: it proves nothing."""
        self._copy(message, application.endpoints[0], application, acknowledged=True, counted=False)

    def _copy(
        self,
        message: render.Adt,
        to: Endpoint,
        app: Application,
        *,
        acknowledged: bool,
        counted: bool,
        control: str = "",
    ) -> str:
        control = control or self.control(GAM)
        charset = self.charset(self.random.choice((LATIN9, LATIN9, LATIN1, UTF8)))
        sent = message.recorded + self.random.randint(1, 20)
        head = render.Head(GAM, to, self.clock.text(sent), control, charset.label, self.processing)
        due = sent + (self.random.randint(HOUR, 3 * DAY) if self.random.random() < 0.01 else 1)
        self.post(MOVEMENTS, due, render.adt(head, message), charset)
        movement = message.event in _MOVEMENT_EVENTS
        if counted:
            app.sent_identity = True
            app.sent_movement = app.sent_movement or movement
        if not acknowledged or not app.answer:
            return control
        if counted and app.answer in ("AA", "CA"):
            app.taken_identity = True
            app.taken_movement = app.taken_movement or movement
            if message.qualified:
                app.ins_roots.add(message.ins_root)
        self.acknowledge(head, message.event, app.answer, sent + self.random.randint(0, 3), due)
        return control

    def acknowledge(self, to: render.Head, event: str, code: str, at: int, due: int) -> None:
        """The technical acknowledgement of a message, as seen on the tap."""
        answerer = to.receiver
        head = render.Head(
            answerer, to.sender, self.clock.text(at), self.control(answerer), "UNICODE UTF-8", to.processing
        )
        bare = self.random.random() < 0.03
        self.post(ANSWERS, max(at, due), render.acknowledgement(head, event, code, to.control, bare=bare))


def _worn(segment: str, random: Random) -> str:
    """Base64 as some senders write it: without its padding, or wrapped over several lines."""
    if not segment.startswith("OBX") or "^Base64^" not in segment or "|ED|" not in segment:
        return segment
    head, _, rest = segment.partition("^Base64^")
    data, bar, tail = rest.partition("|")
    if random.random() < 0.5:
        data = data.rstrip("=")
    else:
        data = "\n".join(data[index : index + 76] for index in range(0, len(data), 76))
    return f"{head}^Base64^{data}{bar}{tail}"
