"""One line of a log of submissions to the DMP -> facts, as its mapping says (docs/rules.md section 7, trace ``log``).

A line that names a patient or a venue is a submission, with the outcome it tells; any other line is an answer to what another line
or trace has named. What the log does not say plainly is not guessed: an unknown word of outcome gives no fact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.errors import Flag, ParseError
from engine.facts import INS_NONE, LOG, AnyFact
from engine.parsers import identifiers, ins, log_lines, log_times, names, submissions
from engine.parsers.context import Context
from engine.parsers.dtm import Zone
from engine.parsers.log_mapping import MOMENTS, NAMES, LogMapping
from engine.parsers.parsed import Parsed

CODES: Final[dict[str, str]] = {
    **log_lines.CODES,
    "log-time-missing": "A line of the log has no time (`at`). Correct `fields.at` of the mapping.",
    "log-time-unreadable": "The time of a line of the log (`at`) is there and could not be read. Correct `time` or `zone` of the mapping.",
    "log-status-missing": "A line of the log does not say what became of the submission. Correct `fields.status` of the mapping.",
    "log-status-unknown": "The log uses a word of outcome that the mapping does not know: the line was not counted. Add it to `status`.",
    "log-request-unknown": "The log uses a word that the mapping does not know for `request`: read as initial. Add it to `requests`.",
    "log-date-unreadable": "A date of the document in the log could not be read, and is unknown. Correct `times` of the mapping.",
    "log-version-unreadable": "The version of the document in the log is no whole number, and is unknown. Correct the mapping.",
    "log-field-not-clean": "An identifier of the log holds characters that could not be read, or is too long: it was not used.",
    "log-ins-root-unknown": "The log gives a matricule without the OID of an INS authority: it was not used. Correct `ins_root`.",
    "log-control-without-sender": "The log gives a control id without its sender (APP@FACILITY): it was not used. Correct `sender`.",
    "log-names-nothing": "A line of the log names neither a patient, a venue, a document nor a request: nothing can be joined to it.",
    "log-names-nobody": "A line of the log says that something was sent, but names neither patient nor venue: it was not counted.",
}

REJECTIONS: Final = frozenset({*log_lines.REJECTIONS, "log-time-missing", "log-time-unreadable", "log-status-missing"})

_LONGEST: Final = 512
_BOM: Final = "\ufeff"
_UNREAD: Final = "\ufffd"
_VERSION_DIGITS: Final = 6
_BIGGEST: Final = 10**40  # no identifier is a longer number
# Our status -> layer and acceptance of the outcome, when there is a Document to carry it.
_OUTCOMES: Final[dict[str, tuple[str, bool] | None]] = {
    "sent": None,
    "taken": ("technical", True),
    "accepted": ("dmp", True),
    "refused": ("dmp", False),
    "failed": ("technical", False),
    "deleted": ("dmp", True),
    "deletion_refused": ("dmp", False),
}
_DELETIONS: Final = frozenset({"deleted", "deletion_refused"})
_IGNORED: Final = "ignored"


class Line(Struct, frozen=True):
    """What a line says. ``status`` is empty when its word is unknown, ``given`` are those of our fields it has."""

    at: int
    status: str
    code: str
    given: frozenset[str]
    facts: tuple[AnyFact, ...]
    flags: tuple[Flag, ...]


_PASSED_OVER: Final = Line(0, _IGNORED, "", frozenset(), (), ())


class _Values:
    """Our fields of one line, clean, and what was odd in them."""

    __slots__ = ("flags", "found")

    def __init__(self, mapping: LogMapping, sources: Mapping[str, str], get: log_lines.Lookup) -> None:
        self.flags: list[Flag] = []
        self.found: dict[str, str] = dict(mapping.constants)
        for name, source in sources.items():
            text = self._clean(name, get(source), mapping.absent)
            if text:
                self.found[name] = text

    def _clean(self, name: str, value: Any, absent: tuple[str, ...]) -> str:
        text = _text(value)
        if text is None:
            self.flag("log-field-not-clean", name)
            return ""
        text = text.strip()
        if text in absent:
            return ""
        if len(text) > _LONGEST or _UNREAD in text or not text.isprintable():
            self.flag("log-field-not-clean", name)
            return ""
        return text

    def flag(self, code: str, name: str) -> None:
        self.flags.append(Flag(code, f"field {name}"))

    def __getitem__(self, name: str) -> str:
        return self.found.get(name, "")


def _text(value: Any) -> str | None:
    """A value of the log as text; None when it is an object, a list or a truth, which name nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= _BIGGEST:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


Examine = Callable[[bytes, Context], Line]
"""Bytes of one line -> what it says. Raises ParseError."""


def examiner(mapping: LogMapping) -> Examine:
    """What reads the lines of a mapping; each gives a :class:`Line` or raises :class:`ParseError`.

    Raises ``log_patterns.PatternError`` when a pattern is not accepted.
    """
    cut = log_lines.cutter(mapping)
    where = [(name, frozenset(values)) for name, values in mapping.where.items()]
    sources = {name: source for name in NAMES if (source := mapping.source(name))}
    times = {name: log_times.reader(mapping.time_format(name)) for name in MOMENTS}
    own_zone = Zone(mapping.zone) if mapping.zone else None
    words: Mapping[str, str] = mapping.status

    def read(raw: bytes, context: Context) -> Line:
        text = raw.decode(mapping.encoding, "replace").removeprefix(_BOM).rstrip("\r\n")
        get = cut(text)
        if get is None:
            return _PASSED_OVER
        for name, wanted in where:
            if (_text(get(name)) or "").strip() not in wanted:
                return _PASSED_OVER
        values = _Values(mapping, sources, get)
        zone = own_zone or context.zone

        def moment(name: str) -> int:
            form = times[name]
            return form(values[name], zone) if form is not None and values[name] else 0

        word = values["status"]
        if not word:
            raise ParseError("log-status-missing", "field status")
        status = words.get(word, "") if words else (word if word in _OUTCOMES else "")
        if status == _IGNORED:
            return _PASSED_OVER
        at = moment("at")
        if not at:
            raise ParseError("log-time-unreadable" if values["at"] else "log-time-missing", "field at")
        dates = {}
        for name in MOMENTS[1:]:
            dates[name] = moment(name)
            if values[name] and not dates[name]:
                values.flag("log-date-unreadable", name)
        if not status:
            values.flag("log-status-unknown", "status")
            facts: tuple[AnyFact, ...] = ()
        else:
            facts = _facts(mapping, values, status, at, dates, raw, context)
        code = names.code(values["code"]) if values["code"] else ""
        return Line(at, status, code, frozenset(values.found), facts, tuple(values.flags))

    return read


def reader(mapping: LogMapping) -> Callable[[bytes, Context], Parsed]:
    """What reads the lines of a mapping for a feed: one line is one payload.

    What it gives raises :class:`ParseError` and nothing else, whatever the bytes. A line has no control id: its own digest stands for it,
    with that of the mapping: under a corrected mapping, a line that is replayed is read anew.
    """
    read = examiner(mapping)
    how = hashlib.blake2b(msgspec.json.encode(mapping), digest_size=16).digest()

    def parse(raw: bytes, context: Context) -> Parsed:
        try:
            line = read(raw, context)
        except ParseError:
            raise
        except Exception:  # noqa: BLE001  # as in hl7.parse: the cause could hold a value
            raise ParseError("internal", "line") from None
        return Parsed(
            sender="",
            receiver="",
            control_id=hashlib.blake2b(raw, digest_size=16, key=how).digest(),
            at=line.at,
            processing="",
            message="log",
            facts=line.facts,
            flags=line.flags,
        )

    return parse


def passer(mapping: LogMapping) -> Callable[[bytes], bool]:
    """Whether a line is surely passed over, told without reading all of it: most lines of an ordinary log never go further.

    False is no promise: :func:`reader` says. Never raises.
    """
    if mapping.format == "regex" and mapping.ignores_others:
        cut = log_lines.cutter(mapping)
        return lambda raw: cut(raw.decode(mapping.encoding, "replace").removeprefix(_BOM).rstrip("\r\n")) is None
    # A word that must be in the line as it is, unless an escape writes it (a number may be written in several ways).
    words = [
        [value.encode(mapping.encoding, "replace") for value in values]
        for values in mapping.where.values()
        if all(value[:1].isalpha() and '"' not in value and (mapping.quote or '"') not in value for value in values)
    ]
    escape = b"\\" if mapping.format == "json" else b"\0"

    def passed(raw: bytes) -> bool:
        return escape not in raw and any(not any(word in raw for word in group) for group in words)

    return passed


def _patient(values: _Values, context: Context) -> submissions.Patient:
    who = submissions.Patient()
    if values["ins"]:
        if ins.root(identifiers.root(values["ins_root"])) == INS_NONE:
            values.flag("log-ins-root-unknown", "ins_root")
        else:
            who = submissions.identified(context, values["ins"], values["ins_root"], who)
    if values["ipp"]:
        own = "" if ins.root(identifiers.root(values["ipp_root"])) != INS_NONE else values["ipp_root"]
        who = submissions.identified(context, values["ipp"], own, who)
    return who


def _keys(values: _Values, context: Context) -> tuple[bytes, ...]:
    """Keys of the submission, the surest first."""
    keys = []
    if values["message"]:
        keys.append(submissions.message_key(context, values["message"]))
    if values["submission_set"]:
        keys.append(submissions.set_key(context, values["submission_set"]))
    return tuple(dict.fromkeys(keys))


def _control(values: _Values, context: Context) -> bytes | None:
    """The exchange of the HL7 message that the line names: no key, for a control id may serve again."""
    if not values["control"]:
        return None
    if not values["sender"]:
        values.flag("log-control-without-sender", "sender")
        return None
    return submissions.control_key(context, _sender(values["sender"]), values["control"])


def _sender(text: str) -> str:
    """``APP@FACILITY`` as MSH-3 and MSH-4 give it; without ``@`` there is no facility."""
    application, _, facility = text.partition("@")
    return f"{application.strip()}@{facility.strip()}"


def _names(values: _Values, context: Context) -> tuple[bytes, ...]:
    """What an answer may name a document by, when it names no request."""
    return tuple(
        dict.fromkeys(submissions.document_id(context, values[name]) for name in ("document", "hl7_document") if values[name])
    )  # fmt: skip


def _facts(
    mapping: LogMapping,
    values: _Values,
    status: str,
    at: int,
    dates: Mapping[str, int],
    raw: bytes,
    context: Context,
) -> tuple[AnyFact, ...]:
    keys, control = _keys(values, context), _control(values, context)
    ids, who = _names(values, context), _patient(values, context)
    layer, accepted = _OUTCOMES[status] or ("", False)
    code = names.code(values["code"]) if values["code"] else ""
    refusal = "" if accepted else code or names.OTHER
    warning = code if accepted else ""
    if who.ins is None and who.ipp is None and not values["visit"] and not values["dossier"]:
        joined = (*keys, *([control] if control is not None else []), *ids)
        if not joined:
            values.flag("log-names-nothing", "document")
        elif not layer:
            values.flag("log-names-nobody", "ipp")
            return ()
        layer = "withdrawal" if status in _DELETIONS else layer
        return tuple(
            submissions.outcome(at=at, key=key, accepted=accepted, code=refusal, layer=layer, warning=warning)
            for key in joined
        )
    scope, pseudonym = context.domain, context.pseudonym
    own = keys or ids[:1] or (pseudonym("log-line", "", raw.rstrip(b"\r\n")),)
    document = submissions.document(
        context,
        at=at,
        keys=own,
        control=control,
        trace=LOG,
        unique_id=values["document"],
        who=who,
        visit=pseudonym("visit", scope, values["visit"].encode()) if values["visit"] else None,
        dossier=pseudonym("dossier", scope, values["dossier"].encode()) if values["dossier"] else None,
        set_id=values["set_id"],
        version=_version(values),
        alias=values["hl7_document"],
        replaces=values["replaces"],
        entry=submissions.entry_id(context, values["entry"]) if values["entry"] else None,
        digest=submissions.sha1(context, values["sha1"]) if values["sha1"] else None,
        request="deletion" if status in _DELETIONS else _request(mapping, values),
        type_code=values["type_code"],
        format_code=values["format_code"],
        created=dates["created"],
        service_start=dates["service_start"],
        service_stop=dates["service_stop"],
    )
    if document is None:
        return ()
    if not layer:
        return (document,)
    answer = submissions.outcome(at=at, key=own[0], accepted=accepted, code=refusal, layer=layer, warning=warning)
    return document, answer


def _version(values: _Values) -> int:
    text = values["version"]
    if not text:
        return 0
    if text.isascii() and text.isdecimal() and len(text) <= _VERSION_DIGITS:
        return int(text)
    values.flag("log-version-unreadable", "version")
    return 0


def _request(mapping: LogMapping, values: _Values) -> str:
    word = values["request"]
    found = mapping.requests.get(word, word)
    if found in ("initial", "replacement"):
        return found
    if word:
        values.flag("log-request-unknown", "request")
    return "replacement" if values["replaces"] else "initial"
