"""The whole path against the truth: a synthetic hospital over MLLP, every number equal to the unit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli import main
from engine.service import Engine, load_config
from engine.simulator.demo import free_ports, write
from engine.simulator.hospital import Hospital
from engine.simulator.measured import differences, read
from engine.simulator.sender import Report, send_all
from engine.simulator.traffic import FEEDS, Envelope

TODAY = date(2026, 5, 20)


class Measured:
    """An engine that listens to a hospital, on the hospital's day."""

    def __init__(self, hospital: Hospital, folder: Path, *, count_test_ins: bool) -> None:
        http, *ports = free_ports(1 + len(FEEDS))
        self.hospital = hospital
        self.count_test_ins = count_test_ins
        self.ports = dict(zip(FEEDS, ports, strict=True))
        path = write(folder, hospital, self.ports, http, count_test_ins=count_test_ins)
        self.engine = Engine(load_config(path), clock=lambda: float(hospital.clock.now))

    async def send(self, envelopes: Sequence[Envelope], *, connections: int = 1) -> Report:
        """Sends everything, each feed on its own port, and waits until all of it is counted."""
        total = Report()
        flows = [
            send_all(
                "127.0.0.1",
                port,
                [each.payload for each in envelopes if each.feed == feed],
                connections=connections,
                window=64,
            )
            for feed, port in self.ports.items()
        ]
        for report in await asyncio.gather(*flows):
            total.add(report)
        while self.engine.ledger.journal.pending or self.engine.snapshot.pending:  # noqa: ASYNC110  # the writer is a thread
            await asyncio.sleep(0.05)
        return total

    async def compare(self) -> None:
        """Nothing on /metrics differs from the truth."""
        await asyncio.sleep(0.5)  # the last snapshot is taken a moment after the last fold
        text = await asyncio.to_thread(self._page)
        page = read(text, self.hospital.establishment)
        truth = self.hospital.truth(count_test_ins=self.count_test_ins)
        assert differences(page.rates, truth.rates) == []
        assert page.rejected == truth.unreadable

    def _page(self) -> str:
        from urllib.request import urlopen

        with urlopen(f"http://127.0.0.1:{self.engine.http_port}/metrics", timeout=20) as answer:
            return str(answer.read().decode())


@asynccontextmanager
async def measured(hospital: Hospital, folder: Path, *, count_test_ins: bool = True) -> AsyncIterator[Measured]:
    """A running engine for this hospital, stopped at the end."""
    running = Measured(hospital, folder, count_test_ins=count_test_ins)
    await running.engine.start()
    try:
        yield running
    finally:
        await running.engine.stop()


@pytest.mark.timeout(420)
async def test_two_thousand_stays_are_measured_to_the_unit_and_again_when_replayed(tmp_path: Path) -> None:
    """Every numerator, denominator and reason is the truth; everything sent again, shuffled, changes none of them."""
    hospital = Hospital(1, 2_000, TODAY)
    async with measured(hospital, tmp_path) as running:
        report = await running.send(hospital.envelopes)
        assert (report.accepted, report.mismatched) == (len(hospital), 0)
        await running.compare()
        again = await running.send(hospital.shuffled(9))
        assert again.accepted == len(hospital)
        await running.compare()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("seed", "today", "count_test_ins"), [(2, TODAY, False), (3, date(2026, 11, 3), True), (4, date(2026, 1, 1), True)]
)
async def test_any_order_gives_the_truth(tmp_path: Path, seed: int, today: date, count_test_ins: bool) -> None:
    """The same on other days and seeds, with every message in a random place, over several connections at once."""
    hospital = Hospital(seed, 400, today)
    async with measured(hospital, tmp_path, count_test_ins=count_test_ins) as running:
        await running.send(hospital.shuffled(seed), connections=4)
        await running.compare()


@pytest.mark.timeout(240)
def test_the_demonstration_finds_the_truth() -> None:
    """``jauge demo --json`` runs a real engine process, says that all is equal, and exits with 0."""
    result = CliRunner().invoke(main, ["demo", "--stays", "60", "--seconds", "1", "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.output)
    assert summary["equal"] is True
    assert summary["differences"] == []
    assert summary["received"] == summary["messages"] > 500
