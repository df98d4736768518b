"""The mapping of a log: one YAML file, with sample lines beside it that are read whenever it is loaded.

``platform.yaml`` has its samples in ``platform.sample``: each line of the log stands below a line that says what it must give::

    # expect: refused XDSUnknownPatientId (document, submission_set)

that is the outcome, the code of the error if there is one, and the fields that the line must give; or ``# expect: ignored``. Other
lines that begin with ``# `` are for people. No error shows a value of a sample: they may come from a real log.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, get_args
from zoneinfo import available_timezones

from msgspec import Struct

from engine.errors import ConfigError, ParseError
from engine.parsers import context as contexts
from engine.parsers import log, log_times
from engine.parsers.log_mapping import MOMENTS, NAMES, LogMapping, Status
from engine.parsers.log_patterns import PatternError, compiled
from engine.strict import Place, Reader, shown, suggest

SUFFIX: Final = ".sample"
_EXPECT: Final = re.compile(r"# expect: *([a-z_]+)(?: +([A-Za-z0-9_.:-]+))? *(?:\(([a-z0-9_, ]*)\))? *")
_MAX_BYTES: Final = 4 * 1024 * 1024
_STATUSES: Final = get_args(Status)
_KEYS: Final = ("message", "submission_set", "control", "document", "hl7_document", "set_id", "sha1", "entry")
_PEOPLE: Final = ("ins", "ipp", "visit", "dossier")

_zones = cache(available_timezones)  # reads the whole time zone database: once


class _Sample(Struct, frozen=True):
    """One line that must be read as it says."""

    number: int
    raw: bytes
    status: str
    code: str
    given: tuple[str, ...]


def load(path: Path) -> LogMapping:
    """The mapping of a file. Raises the first :class:`ConfigError` of it or of its samples, if there is one."""
    mapping, found = read(path)
    if mapping is None:
        raise found[0]
    return mapping


def problems(path: Path) -> list[ConfigError]:
    """Everything wrong in a mapping, else in its samples, in the order of the lines."""
    return read(path)[1]


def read(path: Path) -> tuple[LogMapping | None, list[ConfigError]]:
    """The mapping, and every fault of it and of its samples: exactly one of the two is there."""
    reader = Reader(path, vocabularies={"time zone": _zones()}, variants={})
    mapping = reader.read(LogMapping)
    if isinstance(mapping, LogMapping):
        _check(mapping, reader)
    found = sorted(reader.errors, key=lambda error: error.line)
    if found or not isinstance(mapping, LogMapping):
        return None, found
    found = _samples(path.with_suffix(SUFFIX), mapping)
    return (None, found) if found else (mapping, [])


# -- the mapping -----------------------------------------------------------------------------------------------------


def _check(mapping: LogMapping, reader: Reader) -> None:
    """Notes in ``reader`` what no single setting can tell."""
    groups = _form(mapping, reader)
    for name in NAMES:
        source = mapping.source(name)
        if source and groups is not None and source not in groups:
            what = "column" if mapping.format == "csv" else "group of patterns"
            reader.fail(
                reader.line(("fields", name)),
                f"fields.{name}: {shown(source)} is no {what}",
                suggest(source, groups),
            )
    for name in mapping.where:
        if groups is not None and name not in groups:
            reader.fail(reader.line(("where", name)), f"where: {shown(name)} is not known", suggest(name, groups))
    for setting in ("constants", "times"):
        known = MOMENTS if setting == "times" else NAMES
        for name in getattr(mapping, setting):
            if name not in known:
                reader.fail(
                    reader.line((setting, name)), f"{setting}: {shown(name)} is not one of ours", suggest(name, known)
                )
    _times(mapping, reader)
    _needs(mapping, reader)


def _form(mapping: LogMapping, reader: Reader) -> frozenset[str] | None:
    """Names of the log's fields; None when any is possible (json, or a pattern that cannot be read)."""
    if mapping.format == "json":
        return None
    if mapping.format == "csv":
        if len(mapping.separator) != 1 or mapping.separator == mapping.quote:
            reader.fail(reader.line(("delimiter",)), "delimiter must be one character, not the quote", "; or , or tab")
        if not mapping.columns:
            reader.fail(
                reader.line(()), "columns is missing", "copy the header of the log: columns: [date, statut, ...]"
            )
        return frozenset(mapping.columns)
    groups: set[str] = set()
    if not mapping.patterns:
        reader.fail(reader.line(()), "patterns is missing", "give at least one, with named groups: (?P<status>[A-Z]+)")
    for index, pattern in enumerate(mapping.patterns):
        try:
            groups |= compiled(pattern).groupindex.keys()
        except PatternError as error:
            place: Place = ("patterns", index)
            reader.fail(reader.line(place), f"patterns[{index}] {error.message}", error.mend)
            return None
    return frozenset(groups) if mapping.patterns else None


def _times(mapping: LogMapping, reader: Reader) -> None:
    forms: list[tuple[Place, str]] = [(("time",), mapping.time)]
    forms += [(("times", name), form) for name, form in mapping.times.items()]
    for place, form in forms:
        if log_times.reader(form) is None:
            reader.fail(
                reader.line(place),
                f"{shown(form)} is no way of writing a time that tells year, month and day",
                "iso8601, epoch, epoch-ms, hl7, or a pattern: %d/%m/%Y %H:%M:%S",
            )


def _needs(mapping: LogMapping, reader: Reader) -> None:
    """What a mapping cannot be without."""
    here = reader.line(("fields",))
    for name in ("at", "status"):
        if not mapping.has(name):
            reader.fail(here, f"fields lacks {name}", f"add `{name}: ` and the log's name of it")
    if not any(mapping.has(name) for name in (*_KEYS, *_PEOPLE)):
        reader.fail(
            here, "fields names neither patient, venue, document nor request", "add document, message, visit ..."
        )
    for name, other in (("ins", "ins_root"), ("control", "sender")):
        if mapping.has(name) and not mapping.has(other):
            mend = f"add it, or a constant: constants: {{{other}: ...}}"
            reader.fail(reader.line(("fields", name)), f"fields has {name} but not {other}", mend)
    word = mapping.constants.get("status", "")
    if word and word not in mapping.status and (mapping.status or word not in _STATUSES):
        reader.fail(reader.line(("constants", "status")), f"{shown(word)} is no outcome", suggest(word, _STATUSES))
    if mapping.source("status") and not mapping.status:
        reader.fail(here, "status is missing", "say what the log's words mean: status: {OK: accepted, KO: refused}")


# -- its samples -----------------------------------------------------------------------------------------------------


def _samples(path: Path, mapping: LogMapping) -> list[ConfigError]:
    """What of the sample lines is not read as they say."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError:
        return [
            ConfigError(str(path), 0, "there are no sample lines of the log", "write some, each below `# expect: ...`")
        ]
    if len(data) > _MAX_BYTES:
        return [ConfigError(str(path), 0, f"is larger than {_MAX_BYTES} bytes", "a few lines of each kind are enough")]
    samples, found = _parse(path, data)
    read = log.examiner(mapping)
    context = contexts.default(zone=mapping.zone or "Europe/Paris")
    for sample in samples:
        found += _compare(path, sample, read, context)
    if not found and not any(sample.status != "ignored" for sample in samples):
        found.append(ConfigError(str(path), 0, "no sample tells an outcome", "add a line below `# expect: accepted`"))
    return sorted(found, key=lambda error: error.line)


def _parse(path: Path, data: bytes) -> tuple[list[_Sample], list[ConfigError]]:
    samples: list[_Sample] = []
    found: list[ConfigError] = []
    expected: re.Match[str] | None = None
    for number, raw in enumerate(data.split(b"\n"), start=1):
        raw = raw.rstrip(b"\r")
        if raw.startswith(b"# expect:"):
            expected = _EXPECT.fullmatch(raw.decode("utf-8", "replace"))
            fault = _fault(expected)
            if fault:
                found.append(ConfigError(str(path), number, *fault))
                expected = None
        elif raw.startswith(b"# ") or not raw.strip():
            continue
        elif expected is None:
            if not found or found[-1].line < number - 1:
                mend = "write `# expect: accepted` (or another outcome) above it"
                found.append(ConfigError(str(path), number, "nothing says how this line must be read", mend))
        else:
            status, code, given = expected.groups()
            names = tuple(name for part in (given or "").split(",") if (name := part.strip()))
            samples.append(_Sample(number, raw, status, code or "", names))
            expected = None
    return samples, found


def _fault(expected: re.Match[str] | None) -> tuple[str, str] | None:
    """What is wrong in a line that begins with ``# expect:``."""
    if expected is None:
        return "an expectation is not readable", "write: # expect: refused XDSUnknownPatientId (document, visit)"
    status, _, given = expected.groups()
    if status not in _STATUSES:
        return f"{shown(status)} is no outcome", suggest(status, _STATUSES)
    for part in (given or "").split(","):
        if part.strip() and part.strip() not in NAMES:
            return f"{shown(part.strip())} is not one of our fields", suggest(part.strip(), NAMES)
    return None


def _compare(path: Path, sample: _Sample, read: log.Examine, context: contexts.Context) -> list[ConfigError]:
    """What one sample line gives otherwise than it should: by names of fields and codes, never a value."""

    def wrong(message: str, mend: str = "correct the mapping, or the line above") -> ConfigError:
        return ConfigError(str(path), sample.number, message, mend)

    try:
        line = read(sample.raw, context)
    except ParseError as error:
        return [wrong(f"this sample cannot be read: {error.code} at {error.where}")]
    if any(flag.code == "log-status-unknown" for flag in line.flags):
        return [wrong("the field status holds a word that `status` does not know", "add the word to the mapping")]
    if line.status != sample.status:
        return [wrong(f"this sample is read as {line.status}, not as {sample.status}")]
    missing = [name for name in sample.given if name not in line.given]
    if missing:
        return [wrong(f"this sample does not give the field {', '.join(missing)}")]
    if sample.code and line.code != sample.code:
        return [wrong("the field code does not give the code that is expected")]
    if line.flags:
        return [wrong(f"this sample is read with a remark: {flag.code} at {flag.where}") for flag in line.flags]
    return []
