"""The demonstration's own parts: configuration, table, verdict. The whole of it is run in tests/e2e."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from engine.service import config_problems
from engine.simulator import demo_view
from engine.simulator.demo import free_ports, write
from engine.simulator.hospital import Hospital
from engine.simulator.measured import Difference, Page
from engine.simulator.traffic import FEEDS


def shown(renderable: object, width: int = 100) -> str:
    """What a terminal would show."""
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_the_engine_takes_the_configuration(hospital: Hospital, tmp_path: Path) -> None:
    """Nothing is wrong in the file that the demonstration writes, nor in its inventory."""
    http, *ports = free_ports(4)
    path = write(tmp_path, hospital, dict(zip(FEEDS, ports, strict=True)), http)
    assert config_problems(path) == []


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
    wrong = shown(demo_view.verdict([Difference("DS1.1", "official", "numerator", 3, 2)], truth, 50, 20.0), 200)
    assert "DS1.1 official numerator: 3, truth 2" in wrong
