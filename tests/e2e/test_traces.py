"""Every trace of a submission against the truth: the same hospital, whatever its platform leaves of what it sends to the DMP."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli import main
from engine.simulator.hospital import Hospital
from engine.simulator.platform import Trace
from tests.e2e.hospital import measured

TODAY = date(2026, 5, 20)
NAMED: tuple[Trace, ...] = ("log", "capture", "fhir", "all")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("trace", NAMED)
async def test_each_trace_gives_the_truth_and_again_when_shuffled(tmp_path: Path, trace: Trace) -> None:
    """Rates, attempts, answers, refusals by code and contradictions are the truth; everything again, shuffled, changes nothing."""
    hospital = Hospital(1, 500, TODAY, trace=trace)
    async with measured(hospital, tmp_path) as running:
        await running.send(hospital.envelopes)
        await running.compare()
        assert running.counted() == running.truth.submissions
        await running.send(hospital.shuffled(3))
        await running.compare()
        assert running.counted() == running.truth.submissions


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("trace", "seed", "today", "count_test_ins"),
    [
        ("log", 5, TODAY, False),
        ("capture", 6, date(2026, 11, 3), True),
        ("fhir", 7, date(2026, 1, 1), True),
        ("all", 8, date(2026, 4, 2), True),
    ],
)
async def test_any_order_of_the_traces_gives_the_truth(
    tmp_path: Path, trace: Trace, seed: int, today: date, count_test_ins: bool
) -> None:
    """On other days and seeds: answers before their requests, deletions before what they delete, traces before the messages."""
    hospital = Hospital(seed, 300, today, trace=trace)
    async with measured(hospital, tmp_path, count_test_ins=count_test_ins) as running:
        await running.send(hospital.shuffled(seed), connections=4)
        await running.compare()
        assert running.counted() == running.truth.submissions


@pytest.mark.timeout(900)
async def test_audit_messages_alone_bound_the_truth(tmp_path: Path) -> None:
    """They name patients, not documents: what was sent is the truth, and the true rates lie within what is measured."""
    hospital = Hospital(2, 400, TODAY, trace="syslog")
    async with measured(hospital, tmp_path) as running:
        await running.send(hospital.envelopes)
        page = await running.compare()
        for indicator in ("DS1.1", "DS1.2", "DS1.3", "DS2.1", "DS3.1"):
            rate = page.rates[indicator, "official"]
            assert (rate.numerator, rate.missed["rejected"]) == (0, 0)
            assert rate.missed["not_named"] > 0
        await running.send(hospital.shuffled(4))
        await running.compare()


@pytest.mark.timeout(900)
async def test_audit_messages_with_a_submission_set_in_the_hl7_messages_give_the_truth(tmp_path: Path) -> None:
    """An OBX that holds the submission set ties each audit message to its document: nothing is left to bounds."""
    hospital = Hospital(2, 400, TODAY, trace="syslog", set_ids=True)
    async with measured(hospital, tmp_path) as running:
        await running.send(hospital.shuffled(2))
        page = await running.compare()
        assert running.counted() == running.truth.submissions
        assert not any(rate.missed["not_named"] for rate in page.rates.values())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("options", [("all",), ("log",), ("syslog", "--set-ids")])
def test_the_demonstration_of_a_trace_finds_the_truth(options: tuple[str, ...]) -> None:
    """``jauge demo --trace`` runs a real engine process on every transport, says that all is equal, and exits with 0."""
    result = CliRunner().invoke(main, ["demo", "--stays", "40", "--seconds", "1", "--json", "--trace", *options])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.output)
    assert (summary["equal"], summary["differences"]) == (True, [])
    assert summary["received"] == summary["messages"] > 300


@pytest.mark.timeout(900)
def test_the_demonstration_of_audit_messages_alone_says_what_it_can_know() -> None:
    """Exit code 0 when the truth is within the bounds; it does not say that it is equal."""
    result = CliRunner().invoke(main, ["demo", "--stays", "40", "--seconds", "1", "--json", "--trace", "syslog"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.output)
    assert (summary["equal"], summary["within"], summary["named"]) == (False, True, False)


def test_set_ids_are_for_syslog_alone() -> None:
    """An option that would change nothing is refused."""
    result = CliRunner().invoke(main, ["demo", "--trace", "log", "--set-ids"])
    assert result.exit_code == 2
    assert "--set-ids" in result.output
