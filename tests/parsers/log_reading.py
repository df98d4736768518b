"""Lines of a log, read by the mapping of a platform, and what was found in them."""

from __future__ import annotations

import json
from typing import Any

from engine import mappings, resources
from engine.facts import Document, Outcome
from engine.parsers import context as contexts
from engine.parsers import log
from engine.parsers.log_mapping import LogMapping
from engine.parsers.parsed import Parsed

CONTEXT = contexts.default()
AT = 1_772_442_900  # 2026-03-02T10:15:00+01:00
SHIPPED = ("platform-json", "platform-csv", "application-log")
JSON = mappings.load(resources.path("logs/platform-json.yaml"))
INS = {"ins": "285017511867881", "ins_oid": "1.2.250.1.213.1.4.10"}
MESSAGE = "urn:uuid:7a9c1f52-0a8e-4f5e-9a37-3f1f3d3a0001"


def raw(status: str = "ACCEPTED", **fields: Any) -> bytes:
    """A line of the JSON platform."""
    line = {"time": "2026-03-02T10:15:00+01:00", "event": "dmp.submission", "status": status, **fields}
    return json.dumps(line).encode()


def read(line: bytes, mapping: LogMapping = JSON) -> Parsed:
    """One line, read."""
    return log.reader(mapping)(line, CONTEXT)


def document(parsed: Parsed) -> Document:
    """The only Document of a line."""
    (found,) = (fact for fact in parsed.facts if isinstance(fact, Document))
    return found


def outcomes(parsed: Parsed) -> list[tuple[str, bool, str]]:
    """Layer, acceptance and code of each outcome."""
    return [(fact.layer, fact.accepted, fact.code) for fact in parsed.facts if isinstance(fact, Outcome)]


def codes(parsed: Parsed) -> list[str]:
    """Codes of the remarks."""
    return [flag.code for flag in parsed.flags]
