"""Throws damaged messages at the HL7 readers, for as long as asked.

``python -m tests.fuzz.fuzz_hl7 [SECONDS] [SEED]`` mutates the fixtures at random; ``--atheris`` hands over to atheris
(coverage-guided) where it is installed. A finding is anything but facts or a :class:`ParseError`, two ways of reading that
disagree, or a blank payload from a file; it ends the run with the message in a temporary file.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time

from engine.errors import ParseError
from engine.parsers import admission, hl7
from engine.parsers.batch import split
from engine.parsers.context import default
from tests.parsers.mutations import corpus, mutated

CONTEXT = default()
SHORT = admission.reader(CONTEXT)


def target(raw: bytes) -> None:
    """One message through everything. Raises AssertionError or whatever escapes."""
    try:
        found = hl7.read(raw, CONTEXT)  # without the net of parse()
    except ParseError as error:
        assert error.code in hl7.CODES, error.code
        assert SHORT(raw) is None, "the short way reads what the general way refuses"
    else:
        short = SHORT(raw)
        assert short is None or short == found, "the two ways disagree"
    assert all(payload.strip() for payload in split(raw + b"\r" + raw)), "a blank payload"


def main(arguments: list[str]) -> int:
    """Fuzz; 0 when nothing was found."""
    if "--atheris" in arguments:
        import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

        atheris.Setup([sys.argv[0], *(a for a in arguments if a != "--atheris")], target)
        atheris.Fuzz()
        return 0
    seconds = float(arguments[0]) if arguments else 30.0
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    source = random.Random(seed)
    seeds, count, end = corpus(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        raw = mutated(source.choice(seeds), source)
        try:
            target(raw)
        except Exception as error:
            with tempfile.NamedTemporaryFile(prefix="jauge-finding-", suffix=".er7", delete=False) as file:
                file.write(raw)
            print(f"{type(error).__name__} after {count} messages (seed {seed}): {file.name}")
            raise
        count += 1
    print(f"{count} messages, nothing found (seed {seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
