"""A line of a log cut into the log's own fields: JSON object, columns, or named groups of a regular expression."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from engine.errors import ParseError
from engine.parsers.log_mapping import LogMapping
from engine.parsers.log_patterns import MAX_LINE, compiled

CODES: Final[dict[str, str]] = {
    "log-not-json": "A line of the log is no JSON object. Where other lines are normal there, say `other_lines: ignore`.",
    "log-not-csv": "A line of the log could not be cut into columns: a quote is open, or a column is longer than 128 KiB.",
    "log-columns": "A line of the log has another number of columns than the mapping names. Correct `columns` of the mapping.",
    "log-header-changed": "The header of the log names other columns, or in another order, than the mapping. Correct `columns`.",
    "log-no-match": "No pattern of the mapping matches this line of the log. Correct `patterns`, or say `other_lines: ignore`.",
    "log-line-too-long": "A line of the log is too long for a pattern (64 Ki characters): it was not read.",
}

REJECTIONS: Final = frozenset(CODES)

Lookup = Callable[[str], Any]
"""The log's name of a field -> its value, None when the line does not have it."""
Cut = Callable[[str], Lookup | None]
"""A line -> its fields; None when it is of another form and such lines are ignored. Raises ParseError."""


def cutter(mapping: LogMapping) -> Cut:
    """What cuts the lines of a mapping. Raises ``log_patterns.PatternError`` when a pattern is not accepted."""
    cut = {"json": _json, "csv": _csv, "regex": _regex}[mapping.format](mapping)
    if not mapping.ignores_others:
        return cut

    def lenient(text: str) -> Lookup | None:
        try:
            return cut(text)
        except ParseError as error:
            if error.code == "log-header-changed":
                raise
            return None

    return lenient


def _json(mapping: LogMapping) -> Cut:
    decode = msgspec.json.decode

    def cut(text: str) -> Lookup | None:
        try:
            found = decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError):
            raise ParseError("log-not-json", "line") from None
        if not isinstance(found, dict):
            raise ParseError("log-not-json", "line")

        def get(name: str) -> Any:
            return found[name] if name in found else _inside(found, name)

        return get

    return cut


def _inside(found: Any, name: str) -> Any:
    """``a.b.0.c``: down into objects and lists."""
    for step in name.split("."):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and len(step) < 6 and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def _csv(mapping: LogMapping) -> Cut:
    places = {name: index for index, name in enumerate(mapping.columns)}
    count, header = len(mapping.columns), list(mapping.columns)
    names, quote = frozenset(mapping.columns), mapping.quote or None
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE

    def cut(text: str) -> Lookup | None:
        try:
            rows = list(csv.reader((text,), delimiter=mapping.separator, quotechar=quote, quoting=quoting, strict=True))
        except csv.Error:
            raise ParseError("log-not-csv", "line") from None
        if len(rows) != 1:
            raise ParseError("log-not-csv", "line")
        cells = [cell.strip() for cell in rows[0]]
        if cells == header:
            return None
        if sum(cell in names for cell in cells) * 2 > count:  # no line of values holds the names of most columns
            raise ParseError("log-header-changed", "line")
        if len(cells) != count:
            raise ParseError("log-columns", "line")
        return lambda name: cells[places[name]] if name in places else None

    return cut


def _regex(mapping: LogMapping) -> Cut:
    patterns = [compiled(pattern) for pattern in mapping.patterns]

    def cut(text: str) -> Lookup | None:
        if len(text) > MAX_LINE:
            raise ParseError("log-line-too-long", "line")
        for pattern in patterns:
            match = pattern.match(text)
            if match is not None:
                return match.groupdict().get
        raise ParseError("log-no-match", "line")

    return cut
