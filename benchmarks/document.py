"""A 300 kB document in its message: bytes to facts, beside what any reader of it must do.

The floor: split the message into segments and the OBX into fields, decode the base64 (pybase64, validated) and parse the
XML (lxml, the whole tree). Jauge must also find everything a fact needs, in the message and in the document.
"""

from __future__ import annotations

from argparse import Namespace

import pybase64
from lxml import etree

from benchmarks.messages import report
from benchmarks.result import Budget, Figure, Result, compare
from benchmarks.subject import context

SIZE = 300_000


def floor(raw: bytes) -> object:
    """Split, decode, parse: nothing is looked at."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    for segment in raw.split(b"\r"):
        if segment.startswith(b"OBX|1|ED"):
            return etree.fromstring(
                pybase64.b64decode(segment.split(b"|")[5].rpartition(b"^")[2], validate=True), parser
            )
    raise ValueError("no document in the message")


def run(_: Namespace) -> Result:
    """Measure level 1 (a PDF inside) and level 3 (coded entries)."""
    from engine.facts import Document
    from engine.parsers.hl7 import parse

    ours = context()
    result = Result(
        "document", "Document: ORU^R01 with a 300 kB CDA, bytes to facts (ratio: to split + decode + XML parse)"
    )
    for level in (1, 3):
        raw = report(level, SIZE)
        read = parse(raw, ours)
        found = [fact.level for fact in read.facts if isinstance(fact, Document)]
        if found != [level]:
            raise RuntimeError(f"the document of level {level} was read as {found}, flags {read.flags}")
        taken = compare({"floor": lambda raw=raw: floor(raw), "jauge": lambda raw=raw: parse(raw, ours)})  # type: ignore[misc]
        for name, seconds in taken.items():
            result.figures.append(
                Figure(f"level {level} ({len(raw):,} B)  {name}", seconds * 1e6, "us", seconds / taken["floor"])
            )
        result.budgets.append(Budget(f"level {level}: jauge over the floor", taken["jauge"] / taken["floor"], 1.5))
    return result
