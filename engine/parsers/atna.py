"""ATNA audit messages of a submission: DICOM PS3.15 ``AuditMessage`` (annex A.5), and its older spelling of RFC 3881.

IHE ITI-41 (Provide and Register Document Set-b, TF-2 3.41.5.1) and ITI-42 name a patient and a submission set, never a document: they give
a ``Submission`` and what became of it. Every other event gives nothing, and is no error. Users, their addresses and the
endpoints are not looked at.
"""

from __future__ import annotations

import hashlib
import pyexpat
import re
from collections.abc import Mapping
from pyexpat import errors as expat_errors
from typing import TYPE_CHECKING, Final

from engine.errors import Flag, ParseError
from engine.facts import AUDIT, AnyFact, Submission
from engine.parsers import dtm, names, submissions
from engine.parsers.format import Format
from engine.parsers.parsed import Parsed

if TYPE_CHECKING:
    from engine.parsers.context import Context

# Usual messages have 2 to 10 kB. The limits are far above, and below what would cost anything.
MAX_BYTES: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 32
MAX_ATTRIBUTES: Final = 64

CODES: Final[dict[str, str]] = {
    "audit-doctype": "The audit message has a DOCTYPE, which no audit message needs and attacks use: it is not read. Find out who sent it.",
    "audit-encoding": "The audit message is not written in the encoding it begins with; have its sender write UTF-8.",
    "audit-entity": "The audit message uses an entity that XML does not know; have its sender write plain XML.",
    "audit-malformed": "The audit message is not well-formed XML; have its sender corrected, or look for a relay that changes it on its way.",
    "audit-not-submission": "An audit message of another event than ITI-41 or ITI-42: nothing to count; send only those to spare the engine.",
    "audit-outcome-unknown": "The audit message does not say how the event ended (EventOutcomeIndicator 0, 4, 8 or 12): no answer is counted.",
    "audit-too-deep": "The elements of the audit message are nested deeper than any audit message; find out who sent it.",
    "audit-too-large": "The audit message is larger than 8 MB, or an element of it has too many attributes; find out who sent it.",
    "audit-truncated": "The audit message stops in the middle: a relay cut it (rsyslog: maxMessageSize; UDP: use TCP or TLS instead).",
    "audit-without-patient": "The audit message of a submission names no patient: only another trace can tell whose document it is.",
    "audit-without-set": "The audit message of a submission names no submission set: it can be joined with nothing and is not counted.",
    "audit-without-time": "The audit message has no EventDateTime that can be read; the time of its syslog header is taken, if there is one.",
    "audit-not-utf8": "The audit message holds bytes that are not UTF-8; it was read as Latin-1, which changes nothing in what is counted.",
    "not-an-audit": "This XML is no AuditMessage; check what the sender is set to send.",
}

REJECTIONS: Final = frozenset(
    {
        "audit-doctype",
        "audit-encoding",
        "audit-entity",
        "audit-malformed",
        "audit-too-deep",
        "audit-too-large",
        "audit-truncated",
        "not-an-audit",
    }
)

_SUBMISSIONS: Final = frozenset({"ITI-41", "ITI-42"})
_OUTCOMES: Final = {"0": "", "4": "audit-4", "8": "audit-8", "12": "audit-12"}
# ITI TF-3 4.2: the node of XDSSubmissionSet.uniqueId in ebRIM; IHE writes it in lower case, senders in either.
_SUBMISSION_SET: Final = "a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_PATIENT: Final = ("1", "1")  # ParticipantObjectTypeCode person, role patient
_JOB: Final = ("2", "20")  # system object, job: the submission set
_MAX_OBJECTS: Final = 256

_EVENT: Final = "/AuditMessage/EventIdentification"
_OBJECT: Final = "/AuditMessage/ParticipantObjectIdentification"

_TRANSACTION: Final = re.compile(r"ITI-[0-9]{1,3}", re.ASCII)
_DECLARED: Final = re.compile(rb"\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})")
_LATIN: Final = re.compile(rb"(?:iso-?8859-?1|latin-?1)", re.IGNORECASE)
_WINDOWS: Final = re.compile(rb"(?:windows-?|cp)1252", re.IGNORECASE)
_FIRST: Final = re.compile(
    r"[\ufeff\s]*+(?:<\?(?>[^>]*)>\s*+|<!--(?>.*?-->)\s*+)*+<(?:!DOCTYPE\s{1,8})?(?:[A-Za-z_][\w.-]{0,40}:)?AuditMessage\b",
    re.DOTALL,
)

_CODES: Final = expat_errors.codes
_TRUNCATED: Final = frozenset(
    _CODES[message]
    for message in (
        expat_errors.XML_ERROR_NO_ELEMENTS,
        expat_errors.XML_ERROR_UNCLOSED_TOKEN,
        expat_errors.XML_ERROR_PARTIAL_CHAR,
        expat_errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)
_ENTITIES: Final = frozenset(
    _CODES[message]
    for message in (expat_errors.XML_ERROR_UNDEFINED_ENTITY, expat_errors.XML_ERROR_RECURSIVE_ENTITY_REF)
)


def parse(payload: bytes, context: Context) -> Parsed:
    """Read one audit message. Raises :class:`ParseError` and nothing else, whatever the bytes."""
    return read(payload, context)


def read(payload: bytes, context: Context, header_at: int = 0) -> Parsed:
    """The same; ``header_at`` (seconds UTC) is the time of the envelope it came in, for a message without a time of its own."""
    text, utf8 = _utf8(payload)
    found = _Reader().read(text)
    flags = [] if utf8 else [Flag("audit-not-utf8", "message")]
    at = dtm.iso(found.at, context.zone)
    if not at:
        at = header_at
        flags.append(Flag("audit-without-time", f"{_EVENT}/@EventDateTime"))
    kind = next((code for code in found.types if code in _SUBMISSIONS), "")
    set_id = next(filter(None, found.sets), "")
    facts: tuple[AnyFact, ...] = ()
    if not kind:
        flags.append(Flag("audit-not-submission", f"{_EVENT}/EventTypeCode"))
        kind = next((code for code in found.types if _TRANSACTION.fullmatch(code)), "")
    elif not set_id:
        flags.append(Flag("audit-without-set", _OBJECT))
    else:
        facts = _facts(found, set_id, at, context, flags)
    # Without a set nothing names the event: two messages are then one when their bytes are.
    name = set_id.encode("utf-8", "replace") or hashlib.blake2b(payload, digest_size=16).digest()
    return Parsed(
        sender=f"{names.application(found.source)}@{names.application(found.site)}",
        receiver="",
        control_id=name + b"\0" + found.at.encode("utf-8", "replace"),
        at=at,
        processing="",
        message=f"{kind} audit".lstrip(),
        facts=facts,
        flags=tuple(flags),
    )


def _facts(found: _Reader, set_id: str, at: int, context: Context, flags: list[Flag]) -> tuple[AnyFact, ...]:
    key = submissions.set_key(context, set_id)
    who = submissions.patient(context, *found.patients)
    if who.ipp is None and who.ins is None:
        flags.append(Flag("audit-without-patient", _OBJECT))
    submission = Submission(
        at=at, establishment=context.establishment, ipp=who.ipp, ins=who.ins, ins_root=who.ins_root, key=key
    )
    code = _OUTCOMES.get(found.outcome)
    if code is None:
        flags.append(Flag("audit-outcome-unknown", f"{_EVENT}/@EventOutcomeIndicator"))
        return (submission,)
    return (submission, submissions.outcome(at=at, key=key, accepted=not code, code=code, trace=AUDIT))


class _Reader:
    """One walk over one message; keeps the few attributes that are read."""

    __slots__ = (
        "_depth",
        "_object",
        "_parent",
        "_parser",
        "at",
        "outcome",
        "patients",
        "sets",
        "site",
        "source",
        "types",
    )

    def __init__(self) -> None:
        self.at = ""  # EventDateTime
        self.outcome = ""  # EventOutcomeIndicator
        self.types: list[str] = []  # codes of EventTypeCode
        self.source = ""  # AuditSourceID
        self.site = ""  # AuditEnterpriseSiteID
        self.patients: list[str] = []  # CX
        self.sets: list[str] = []  # uniqueId
        self._depth = 0
        self._parent = ""
        self._object = ""  # ParticipantObjectID of a job that is not yet known to be a submission set
        self._parser = pyexpat.ParserCreate("utf-8")

    def read(self, data: bytes) -> _Reader:
        """Read a message in UTF-8; raises :class:`ParseError` only."""
        parser = self._parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            # Expat goes on without handlers after one of them has raised: nothing after a DOCTYPE must reach it.
            doctype = data.find(b"<!DOCTYPE")
            if doctype >= 0:
                parser.Parse(data[: doctype + 64], False)
                data = data[doctype + 64 :]
            parser.Parse(data, True)
        except pyexpat.ExpatError as error:
            raise ParseError(_code(error), f"byte {max(parser.ErrorByteIndex, 0)}") from None
        finally:
            # Cut the loop between the parser and this object, or the message waits for the collector.
            parser.StartElementHandler = parser.EndElementHandler = parser.StartDoctypeDeclHandler = None
        return self

    def _place(self) -> str:
        return f"byte {max(self._parser.CurrentByteIndex, 0)}"

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise ParseError("audit-doctype", self._place())

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ParseError("audit-too-deep", self._place())
        if len(attributes) > MAX_ATTRIBUTES:
            raise ParseError("audit-too-large", self._place())
        local = name.rpartition(":")[2]
        if self._depth == 1:
            if local != "AuditMessage":
                raise ParseError("not-an-audit", "/*")
        elif self._depth == 2:
            self._parent = local
            self._object = ""
            self._child(local, attributes)
        elif self._depth == 3:
            self._grandchild(local, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1

    def _child(self, local: str, attributes: Mapping[str, str]) -> None:
        get = attributes.get
        if local == "EventIdentification":
            self.at = get("EventDateTime", "").strip()
            self.outcome = get("EventOutcomeIndicator", "").strip()
        elif local == "AuditSourceIdentification":
            self.source = get("AuditSourceID", "")
            self.site = get("AuditEnterpriseSiteID", "")
        elif local == "ParticipantObjectIdentification":
            kind = (get("ParticipantObjectTypeCode", "").strip(), get("ParticipantObjectTypeCodeRole", "").strip())
            value = get("ParticipantObjectID", "").strip()
            if kind == _PATIENT and len(self.patients) < _MAX_OBJECTS:
                self.patients.append(value)
            elif kind == _JOB:
                self._object = value

    def _grandchild(self, local: str, attributes: Mapping[str, str]) -> None:
        code = (attributes.get("csd-code") or attributes.get("code") or "").strip()
        if local == "EventTypeCode" and self._parent == "EventIdentification":
            if len(self.types) < _MAX_OBJECTS:
                self.types.append(code)
        elif (
            local == "ParticipantObjectIDTypeCode"
            and self._object
            and code.lower().removeprefix("urn:uuid:") == _SUBMISSION_SET
            and len(self.sets) < _MAX_OBJECTS
        ):
            self.sets.append(self._object)


def _code(error: pyexpat.ExpatError) -> str:
    if error.code in _TRUNCATED:
        return "audit-truncated"
    return "audit-entity" if error.code in _ENTITIES else "audit-malformed"


def _utf8(payload: bytes) -> tuple[bytes, bool]:
    """The message in UTF-8, and whether it was written as it says. Raises :class:`ParseError`."""
    if len(payload) > MAX_BYTES:
        raise ParseError("audit-too-large", f"byte {MAX_BYTES}")
    encoding = _wide(payload)
    if encoding:
        try:
            # The XML declaration, if any, says UTF-16: the parser is told otherwise.
            return payload.decode(encoding).lstrip("\ufeff \r\n\t").rstrip("\0 \r\n\t").encode(), True
        except UnicodeError:
            raise ParseError("audit-encoding", "byte 0") from None
    text = payload.removeprefix(b"\xef\xbb\xbf").strip(b" \r\n\t\0")
    declared = _DECLARED.match(text)
    if declared is not None and _LATIN.fullmatch(declared[1]):
        return text.decode("latin-1").encode(), True
    if declared is not None and _WINDOWS.fullmatch(declared[1]):
        return text.decode("cp1252", "replace").encode(), True
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode(), False
    return text, True


def _wide(payload: bytes) -> str:
    """The UTF-16 of a payload, by its mark or by its first character; empty when it is something else."""
    if payload[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    return {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(payload[:2], "")


def recognises(head: bytes) -> bool:
    """Whether these are the first bytes of an audit message."""
    encoding = _wide(head)
    text = head.decode(encoding, "ignore") if encoding else head.decode("latin-1").removeprefix("ï»¿")
    return _FIRST.match(text) is not None


FORMAT: Final = Format(name="atna", title="ATNA audit message", recognises=recognises, parse=parse)
