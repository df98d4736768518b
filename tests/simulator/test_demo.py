"""The demonstration's own parts: configuration, table, verdict. The whole of it is run in tests/e2e."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from engine.service import config_problems
from engine.simulator import demo_view
from engine.simulator.hospital import Hospital
from engine.simulator.listening import addresses, free_ports, write
from engine.simulator.measured import Difference, Page
from engine.simulator.platform import TRACES, Trace
from engine.simulator.truth import Rate
from tests.simulator.conftest import TODAY


def shown(renderable: object, width: int = 100) -> str:
    """What a terminal would show."""
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("trace", TRACES)
def test_the_engine_takes_the_configuration(tmp_path: Path, trace: Trace) -> None:
    """Nothing is wrong in the file that the demonstration writes, nor in its inventory, whatever the traces."""
    hospital = Hospital(1, 5, TODAY, trace=trace, set_ids=True)
    http, ports = addresses(hospital)
    assert config_problems(write(tmp_path, hospital, ports, http)) == []


def test_free_ports_are_different() -> None:
    """One port each."""
    assert len(set(free_ports(6))) == 6


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits_and_tells_what_is_equal(hospital: Hospital, width: int) -> None:
    """Every indicator has its line, with a mark once it is the truth; no line is wider than the terminal."""
    truth = hospital.truth()
    before = shown(demo_view.table(Page({}), truth, sent=0, speed=0.0, width=width), width)
    page = Page(dict(truth.rates), received=truth.messages)
    after = shown(demo_view.table(page, truth, sent=truth.messages, speed=9.0, width=width), width)
    assert (before.count("✓"), after.count("✓")) == (0, len(demo_view.TITLES))
    assert all(indicator in after for indicator in demo_view.TITLES)
    assert max(map(len, after.splitlines())) <= width
    assert len(after.splitlines()) < 24


def test_the_verdict_names_what_differs(hospital: Hospital) -> None:
    """Green when all is equal, else each number beside the truth."""
    truth = hospital.truth()
    assert "is the truth" in shown(demo_view.verdict([], truth, 50, 20.0), 200)
    within = shown(demo_view.verdict([], truth, 50, 20.0, named=False), 300)
    assert "lies within what is measured" in within
    wrong = shown(demo_view.verdict([Difference("DS1.1", "official", "numerator", 3, 2)], truth, 50, 20.0), 200)
    assert "DS1.1 official numerator: 3, truth 2" in wrong


def test_bounds_show_both_ends(hospital: Hospital) -> None:
    """Where nothing names the documents: the truth between the measured rate and the rate with what may be theirs."""
    page = Page({("DS1.1", "official"): Rate(2, 10, Counter(not_named=3, not_produced=5))})
    truth = hospital.truth()
    truth.rates["DS1.1", "official"] = Rate(4, 10)
    text = shown(demo_view.bounds(page, truth))
    assert "20.0 % (2/10)" in text
    assert "40.0 %" in text
    assert "50.0 % (5/10)" in text
