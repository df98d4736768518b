"""Throws damaged FHIR at its reader, for as long as asked.

``python -m tests.fuzz.fuzz_fhir [SECONDS] [SEED]`` mutates the fixtures at random, as bytes and as JSON; ``--atheris`` hands over to
atheris (coverage-guided) where it is installed. A finding is anything but facts or
a declared code, a text of the payload in an error, or a payload that its split loses; it ends the run with the payload in a
temporary file.
"""

from __future__ import annotations

import json
import random
import re
import sys
from typing import Any

from engine.errors import ParseError
from engine.parsers import fhir, http_head
from engine.parsers.context import default
from tests.fuzz.runner import Fuzzer
from tests.parsers.fhir_resources import FIXTURES

CONTEXT = default()
#: Places are made of these: names of the standard, positions, bytes.
PLACE = re.compile(r"(?:[A-Za-z]+(?:\[\d+\])*)(?:\.[A-Za-z]+(?:\[\d+\])*)*|byte \d+")
_PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"\\ud800",
    b"null",
    b"1e999",
    b"\xff",
    b"\x00",
    b"\n",
    b"\r\n\r\n",
    b" ",
]
_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1e300,
    10**30,
    "",
    "x",
    "urn:oid:1.2.3",
    "#source",
    [],
    {},
    [{}],
    [None],
    {"coding": [{}]},
]


def corpus() -> list[bytes]:
    """The fixtures."""
    return [path.read_bytes() for path in sorted(FIXTURES.iterdir())]


def mutated(raw: bytes, source: random.Random) -> bytes:
    """A payload with one to four accidents, of bytes or of elements."""
    for _ in range(source.randint(1, 4)):
        raw = source.choice((_cut, _insert, _flip, _repeat, _element, _element, _element))(raw, source)
    return raw


def target(raw: bytes) -> None:
    """One payload through everything. Raises AssertionError or whatever escapes."""
    fhir.FORMAT.recognises(raw[:4096])
    pieces = list(fhir.FORMAT.split(raw))
    assert pieces, "nothing is left of the payload"
    for piece in pieces:
        try:
            parsed = fhir._parse(piece, CONTEXT)  # without the net of parse()
        except ParseError as error:
            assert error.code in fhir.REJECTIONS, error.code
            assert PLACE.fullmatch(error.where), "a place that is none"
        else:
            assert {flag.code for flag in parsed.flags} <= fhir.CODES.keys()
            assert all(PLACE.fullmatch(flag.where) for flag in parsed.flags), "a place that is none"


def _cut(raw: bytes, source: random.Random) -> bytes:
    start, end = sorted((source.randint(0, len(raw)), source.randint(0, len(raw))))
    return raw[:start] + raw[end:] if source.random() < 0.5 else raw[:end]


def _insert(raw: bytes, source: random.Random) -> bytes:
    at = source.randint(0, len(raw))
    return raw[:at] + source.choice(_PIECES) + raw[at:]


def _flip(raw: bytes, source: random.Random) -> bytes:
    data = bytearray(raw)
    if data:
        data[source.randrange(len(data))] = source.randrange(256)
    return bytes(data)


def _repeat(raw: bytes, source: random.Random) -> bytes:
    return raw + source.choice((b"", b"\n")) + raw


def _element(raw: bytes, source: random.Random) -> bytes:
    """Any element replaced, moved or taken out, the head kept as it was."""
    body = bytes(http_head.split(raw).body)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(found, dict | list):
        return raw
    at: Any = found
    while at:
        key = source.choice(sorted(at) if isinstance(at, dict) else range(len(at)))
        if isinstance(at[key], dict | list) and at[key] and source.random() < 0.8:
            at = at[key]
        elif source.random() < 0.3:
            del at[key]
            break
        else:
            at[key] = source.choice([*_VALUES, found.get("entry") if isinstance(found, dict) else found])
            break
    try:
        return raw[: len(raw) - len(body)] + json.dumps(found).encode()
    except (ValueError, RecursionError):  # it holds itself
        return raw


FUZZER = Fuzzer(target, corpus, mutated, ".json")

if __name__ == "__main__":
    sys.exit(FUZZER.main(sys.argv[1:]))
