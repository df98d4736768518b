"""Bytes to facts, beside the floor (splitting the same bytes into segments) and the other readers on PyPI.

Jauge's figure is all of ``engine.parsers.hl7.parse``: facts out, pseudonyms computed. The peers only build their tree (and
decode the bytes where they want text): nothing is looked up in it, which is in their favour.
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Callable
from importlib.metadata import version
from itertools import cycle

from benchmarks.messages import admission, observations
from benchmarks.result import Budget, Figure, Result, compare
from benchmarks.subject import context

MESSAGES = 20_000
"""Enough to empty, between two messages of one patient, whatever the engine keeps of identifiers (engine.privacy.CACHE)."""
KNOWN = 500
"""Patients of a day: their next messages have other control ids and movements."""


def readers() -> dict[str, Callable[[bytes], object]]:
    """Each reader by name: bytes of one message in, its own representation out."""
    import hl7
    import hl7conv2
    import hl7kit
    import medforge
    from hl7apy.parser import parse_message
    from hl7types.hl7.v2_5.messages import ADT_A01, ORU_R01

    from engine.parsers.hl7 import parse

    ours = context()

    def hl7types_read(raw: bytes) -> object:
        return (ORU_R01 if b"|ORU^" in raw[:120] else ADT_A01).model_validate_er7(raw.decode())

    return {
        'bytes.split(b"\\r")': lambda raw: raw.split(b"\r"),
        "jauge": lambda raw: parse(raw, ours),
        f"hl7kit {version('hl7kit')} (Rust)": hl7kit.parse,
        f"medforge {version('medforge')} (Rust)": lambda raw: medforge.parse(raw.decode()),
        f"hl7conv2 {version('hl7conv2')} (Rust)": lambda raw: hl7conv2.Hl7Json(raw.decode()).hl7_json,
        f"hl7types {version('hl7types')} (pydantic)": hl7types_read,
        f"python-hl7 {version('hl7')}": lambda raw: hl7.parse(raw.decode()),
        f"hl7apy {version('hl7apy')}": lambda raw: parse_message(raw.decode(), find_groups=False),
    }


def run(_: Namespace) -> Result:
    """Measure every reader on an admission and on a laboratory result of 30 lines."""
    warnings.simplefilter("ignore")  # a peer warns of every Z segment
    result = Result("reader", "Reader: one message, bytes to facts (ratio: to splitting the same bytes)")
    for label, raw in (("ADT^A01", admission()), ("ORU^R01 30 OBX", observations(30))):
        calls: dict[str, Callable[[], object]] = {}
        for name, read in readers().items():
            try:
                read(raw)
            except Exception as error:  # noqa: BLE001 -- a peer may refuse French messages: that is worth a line
                result.notes.append(f"{label}: {name} cannot read it ({type(error).__name__})")
                continue
            calls[name] = lambda read=read, raw=raw: read(raw)  # type: ignore[misc]
        taken = compare(calls)
        floor, ours, *peers = taken.values()
        for name, seconds in taken.items():
            result.figures.append(Figure(f"{label} ({len(raw):,} B)  {name}", seconds * 1e6, "us", seconds / floor))
        if label == "ADT^A01":
            budget(result, "the same message", ours, floor, min(peers))
            feeds(result, min(peers))
        else:
            result.notes.append(f"{label}: the fastest peer takes {min(peers) / ours:.1f} times as long as jauge")
    result.notes.append(
        "what Jauge remembers of a patient's identifiers helps with his next message; peers remember nothing"
    )
    return result


def budget(result: Result, label: str, ours: float, floor: float, peer: float) -> None:
    """The two budgets of the design for an admission."""
    result.budgets.append(Budget(f"ADT^A01, {label}: jauge over the floor", ours / floor, 12))
    result.budgets.append(Budget(f"ADT^A01, {label}: fastest peer over jauge", peer / ours, 8, at_least=True))


def feeds(result: Result, peer: float) -> None:
    """No message twice: 20,000 admissions of patients that were seen before, then of as many new patients."""
    from engine.parsers.hl7 import parse

    for label, patients in (("known patients", KNOWN), ("new patients", MESSAGES)):
        messages = cycle([admission(number, number % patients) for number in range(MESSAGES)])
        ours = context()
        taken = compare(
            {
                "floor": lambda messages=messages: next(messages).split(b"\r"),  # type: ignore[misc]
                "jauge": lambda messages=messages, ours=ours: parse(next(messages), ours),  # type: ignore[misc]
            }
        )
        ratio = taken["jauge"] / taken["floor"]
        result.figures.append(Figure(f"ADT^A01, no message twice, {label}  jauge", taken["jauge"] * 1e6, "us", ratio))
        budget(result, label, taken["jauge"], taken["floor"], peer)
