"""Throws damaged messages at the HL7 readers, for as long as asked.

``python -m tests.fuzz.fuzz_hl7 [SECONDS] [SEED]`` mutates the fixtures at random; ``--atheris`` hands over to atheris
(coverage-guided) where it is installed. A finding is anything but facts or a :class:`ParseError`, two ways of reading that
disagree, or a blank payload from a file; it ends the run with the message in a temporary file.
"""

from __future__ import annotations

import sys

from engine.errors import ParseError
from engine.parsers import admission, hl7
from engine.parsers.batch import split
from engine.parsers.context import default
from tests.fuzz.runner import Fuzzer
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


FUZZER = Fuzzer(target, corpus, mutated, ".er7")

if __name__ == "__main__":
    sys.exit(FUZZER.main(sys.argv[1:]))
