"""Our reader beside other people's: hl7apy and python-hl7 must find the same segments and fields."""

from __future__ import annotations

from pathlib import Path

import hl7  # type: ignore[import-untyped]
import pytest

from engine.parsers import er7
from tests.parsers.messages import FIXTURES, NAMES, fixture

# Segments whose line ends, delimiters or base64 the oracles do not read as they come.
PLAIN = [name for name in NAMES if name != "oru_r01_small_tilde"]


def lines(raw: bytes) -> bytes:
    """The message as the oracles like it: CR between segments, nothing around."""
    return b"\r".join(line.strip() for line in raw.replace(b"\n", b"\r").split(b"\r") if line.strip())


def same_as_python_hl7(raw: bytes) -> None:
    """Compare segments, fields, repetitions, components with python-hl7."""
    text = lines(raw).decode()
    theirs = hl7.parse(text)
    ours = er7.Message(raw)
    assert [str(segment[0]) for segment in theirs] == [segment.name.decode() for segment in ours.segments]
    for their, our in zip(theirs, ours.segments, strict=True):
        assert our.count() == len(their) - 1
        for number in range(1, len(their)):
            assert our.field(number).decode() == str(their[number])
            start, end = our.span(number)
            if number > 1 or our.name != b"MSH":
                assert bytes(ours.view(start, end)).decode() == str(their[number])


@pytest.mark.parametrize("name", PLAIN)
def test_python_hl7_reads_the_fixtures_the_same(name: str) -> None:
    """Every field of every segment of every fixture."""
    same_as_python_hl7(fixture(name))


def test_python_hl7_reads_the_official_samples_the_same(samples: Path) -> None:
    """Every field of the official messages, documents of hundreds of kilobytes included."""
    for path in sorted((samples / "hl7").glob("*.er7")):
        same_as_python_hl7(path.read_bytes())


@pytest.mark.parametrize("name", ["adt_a01_admission", "adt_a04_emergency", "adt_a40_merge", "oru_r01_classic_lab"])
def test_hl7apy_finds_the_same_components(name: str) -> None:
    """Components and sub-components of PID, against a full parser."""
    from hl7apy.parser import parse_segment

    ours = er7.Message(fixture(name))
    for name_ in (b"PID", b"PV1", b"EVN", b"MRG", b"OBR", b"OBX"):
        segment = ours.first(name_)
        if segment is None:
            continue
        text = next(line for line in lines(fixture(name)).decode().split("\r") if line.startswith(name_.decode()))
        theirs = parse_segment(text, version="2.5")
        for child in theirs.children:
            number = int(child.name.rsplit("_", 1)[1])
            if len(getattr(theirs, child.name.lower())) > 1:
                continue  # repetitions are compared with python-hl7
            for component in child.children:
                if component.name and component.name[-1].isdigit():
                    at = int(component.name.rsplit("_", 1)[1])
                    found = ours.encoding.component_of(segment.field(number), at)
                    assert found.decode() == component.to_er7()


def test_the_batch_file_is_what_python_hl7_splits() -> None:
    """python-hl7 finds the same messages in the batch file."""
    from engine.parsers.batch import split

    raw = (FIXTURES / "batch_two_movements.er7").read_bytes()
    theirs = hl7.parse_hl7(raw.decode())
    found = [str(message).rstrip("\r") for batch in theirs for message in batch]
    assert [payload.decode().rstrip("\r") for payload in split(raw)] == found
