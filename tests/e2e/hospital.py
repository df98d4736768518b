"""A running engine that listens to a synthetic hospital by every transport it speaks, on the hospital's day."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.request import urlopen

from engine.service import Engine, load_config
from engine.simulator.hospital import Hospital
from engine.simulator.listening import addresses, post, write
from engine.simulator.measured import Page, differences, outside, read
from engine.simulator.platform import PUBLIC
from engine.simulator.sender import Report, send_all
from engine.simulator.traffic import FEEDS, Envelope
from engine.simulator.truth import Submissions
from tests.e2e.engine import free_port


class Measured:
    """An engine in this process, and the senders of one hospital."""

    def __init__(self, hospital: Hospital, folder: Path, *, count_test_ins: bool) -> None:
        self.hospital = hospital
        self.folder = folder
        self.count_test_ins = count_test_ins
        self.truth = hospital.truth(count_test_ins=count_test_ins)
        self.ports = {feed: free_port() for feed in addresses(hospital)[1]}
        path = write(folder, hospital, self.ports, free_port(), count_test_ins=count_test_ins)
        self.engine = Engine(load_config(path), clock=lambda: float(hospital.clock.now))
        self._turns = 0

    async def send(self, envelopes: Sequence[Envelope], *, connections: int = 1) -> Report:
        """Sends everything, each feed by its own transport, and waits until all of it is counted."""
        self._turns += 1
        by_feed = {feed: [each.payload for each in envelopes if each.feed == feed] for feed in self.hospital.feeds}
        total = Report()
        flows = [
            send_all("127.0.0.1", self.ports[feed], by_feed[feed], connections=connections, window=64) for feed in FEEDS
        ]
        traces = [self._post(feed, payloads) for feed, payloads in by_feed.items() if feed not in FEEDS]
        reports, _ = await asyncio.gather(asyncio.gather(*flows), asyncio.gather(*traces))
        for report in reports:
            total.add(report)
        while (await self.page()).received < self.truth.messages * self._turns:  # noqa: ASYNC110  # not all answer
            await asyncio.sleep(0.1)
        while self.engine.ledger.journal.pending or self.engine.snapshot.pending:  # noqa: ASYNC110  # the writer is a thread
            await asyncio.sleep(0.05)
        return total

    async def _post(self, feed: str, payloads: Sequence[bytes]) -> None:
        async with post(feed, self.folder, self.ports, turn=self._turns) as sender:
            for payload in payloads:
                await sender.send(payload)
            await sender.finish()

    async def compare(self) -> Page:
        """Nothing on /metrics differs from the truth; where submissions name no document, nothing contradicts it."""
        before = self.engine.snapshot  # may have been taken a moment before the last fold
        while self.engine.snapshot is before:  # noqa: ASYNC110  # the writer is a thread
            await asyncio.sleep(0.05)
        page = await self.page()
        judge = differences if self.hospital.platform.measurable else outside
        found = judge(page.rates, self.truth.rates)
        assert not found, found[:20]
        assert page.rejected == self.truth.unreadable
        return page

    def counted(self) -> Submissions:
        """The sums of the attempts as they are now (on /metrics they never go back, so they may be ahead for a while)."""
        found = Submissions()
        with closing(sqlite3.connect(f"file:{self.engine.config.store}?mode=ro", uri=True)) as store:
            rows = store.execute(
                "SELECT name, label, sum(n) FROM totals GROUP BY name, label HAVING sum(n) > 0"
            ).fetchall()
        for name, label, n in rows:
            if name == "submissions":
                found.attempts = n
            elif name == "contradictions":
                found.contradictions = n
            elif name == "responses":
                found.responses[label] = n
            elif name == "errors":
                found.errors[label if label in PUBLIC else "other"] += n
        return found

    async def page(self) -> Page:
        """What /metrics shows now."""
        return read(await asyncio.to_thread(self._read), self.hospital.establishment)

    def _read(self) -> str:
        with urlopen(f"http://127.0.0.1:{self.engine.http_port}/metrics", timeout=60) as answer:
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
