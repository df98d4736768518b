"""Full structural validation of an HL7 v2 message by hl7apy: every segment, field and component against the standard.

Slow (tens of milliseconds a message), so only for ``jauge check --deep``. hl7apy's own messages quote values: only the place that
they are about leaves this module, as a segment-field of the standard.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from engine.errors import Flag

CODES: Final[dict[str, str]] = {
    "structure-datatype": "The field is not of the type that this version of HL7 gives it.",
    "structure-missing": "A segment or field that this version of HL7 requires is not there.",
    "structure-not-checked": "HL7 itself has no such message (a French or local one), or hl7apy does not know this version.",
    "structure-repeated": "A segment or field comes more often than this version of HL7 allows.",
    "structure-unexpected": "A segment or field that this version of HL7 does not have there.",
}
"""Every code that :func:`validate` gives. All are remarks: French messages legitimately go beyond the standard."""

_KINDS: Final = (
    ("Missing required child", "structure-missing"),
    ("Child limit exceeded", "structure-repeated"),
    ("Datatype", "structure-datatype"),
    ("Invalid element found", "structure-unexpected"),
    ("Invalid children detected", "structure-unexpected"),
    ("Unknown element found", "structure-unexpected"),
)
_NAME: Final = re.compile(r"(?<![A-Za-z0-9_])([A-Z][A-Z0-9]{2})((?:_[0-9]{1,3}){0,2})(?![A-Za-z0-9_])")
_LONG: Final = re.compile(rb"[A-Za-z0-9+/=]{256,}")  # embedded documents: hl7apy need not see them
_MAXIMUM: Final = 50  # of remarks about one message


def validate(raw: bytes) -> tuple[Flag, ...]:
    """What hl7apy finds wrong with a message, without repetition, at most 50 remarks. Never raises."""
    # hl7apy takes a third of a second to import and is needed here only.
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message
    from hl7apy.validation import Validator

    text = _LONG.sub(b"AA==", raw).decode("utf-8", "replace").strip("\x0b\x1c\r\n\ufeff ")
    text = text.replace("\n", "") if "\r" in text else text.replace("\n", "\r")
    lines: list[str] = []
    try:
        message = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
        if message.name is None or message.name.startswith("Z"):
            return (Flag("structure-not-checked", "MSH-9"),)
        report = os.memfd_create("report")  # a file in memory: the report quotes values, they must not reach a disk
        try:
            try:
                Validator.validate(message, report_file=os.dup(report))
            except HL7apyException:
                os.lseek(report, 0, os.SEEK_SET)
                with os.fdopen(os.dup(report), encoding="utf-8", errors="replace") as file:
                    lines = [line for line in file if line.startswith("Error: ")]
        finally:
            os.close(report)
    except Exception:  # noqa: BLE001 - hl7apy fails in its own ways on odd messages
        return (Flag("structure-not-checked", "message"),)
    found = [flag for line in lines for flag in _flags(line.removeprefix("Error: "))]
    # hl7apy leaves out, without a word, the segments that find no place in the structure of the message.
    kept = Counter(_segments(message))
    for name, count in Counter(line[:3] for line in text.split("\r")).items():
        if count > kept[name] and (place := _place(name, "")):
            found.append(Flag("structure-unexpected", place))
    return tuple(dict.fromkeys(found))[:_MAXIMUM]


def _segments(element: Any) -> Iterator[str]:
    for child in element.children:
        if child.classname == "Segment":
            yield child.name
        else:
            yield from _segments(child)


def _flags(error: str) -> list[Flag]:
    code = next((code for start, code in _KINDS if error.startswith(start)), "structure-unexpected")
    subject = error.split(": ", 1)[1] if code == "structure-unexpected" and ": " in error else error.split(" (", 1)[0]
    places = [_place(segment, numbers) for segment, numbers in _NAME.findall(subject)]
    if code != "structure-unexpected":
        places = places[-1:]
    return [Flag(code, place) for place in places if place] or [Flag(code, "message")]


def _place(segment: str, numbers: str) -> str:
    """``PID-5.1`` for a name of the standard; empty for anything else, which could be a value."""
    from hl7apy import load_reference
    from hl7apy.exceptions import ChildNotFound

    try:
        load_reference(segment, "Segment", "2.6")
    except ChildNotFound:
        return ""
    field = numbers[1:].replace("_", ".")
    return f"{segment}-{field}" if field else segment
