"""The whole path against the truth: a synthetic hospital over MLLP, every number equal to the unit."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli import main
from engine.simulator.hospital import Hospital
from tests.e2e.hospital import measured

TODAY = date(2026, 5, 20)


@pytest.mark.timeout(900)
async def test_two_thousand_stays_are_measured_to_the_unit_and_again_when_replayed(tmp_path: Path) -> None:
    """Every numerator, denominator and reason is the truth; everything sent again, shuffled, changes none of them."""
    hospital = Hospital(1, 2_000, TODAY)
    async with measured(hospital, tmp_path) as running:
        report = await running.send(hospital.envelopes)
        assert (report.accepted, report.mismatched) == (len(hospital), 0)
        page = await running.compare()
        assert running.counted() == page.submissions == running.truth.submissions
        again = await running.send(hospital.shuffled(9))
        assert again.accepted == len(hospital)
        await running.compare()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "today", "count_test_ins"), [(2, TODAY, False), (3, date(2026, 11, 3), True), (4, date(2026, 1, 1), True)]
)
async def test_any_order_gives_the_truth(tmp_path: Path, seed: int, today: date, count_test_ins: bool) -> None:
    """The same on other days and seeds, with every message in a random place, over several connections at once."""
    hospital = Hospital(seed, 400, today)
    async with measured(hospital, tmp_path, count_test_ins=count_test_ins) as running:
        await running.send(hospital.shuffled(seed), connections=4)
        await running.compare()


@pytest.mark.timeout(900)
def test_the_demonstration_finds_the_truth() -> None:
    """``jauge demo --json`` runs a real engine process, says that all is equal, and exits with 0."""
    result = CliRunner().invoke(main, ["demo", "--stays", "60", "--seconds", "1", "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.output)
    assert summary["equal"] is True
    assert summary["differences"] == []
    assert summary["received"] == summary["messages"] > 500
