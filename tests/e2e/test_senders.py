"""The ways an interface engine sends: one message at a time, many connections, everything at once; and a graceful stop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.simulator.sender import Report, send_all
from tests.e2e.engine import RunningEngine
from tests.messages import adt, stay

LABELS = {"indicator": "DS1.1", "establishment": "990000001", "window": "rolling"}


def stays(first: int, count: int) -> list[bytes]:
    """Admissions and discharges of some days ago."""
    when = datetime.now(UTC) - timedelta(days=20)
    return [message for number in range(first, first + count) for message in stay(number, when)]


@pytest.mark.parametrize(
    ("connections", "window"), [(1, 1), (100, 1), (1, 100_000)], ids=["stop-and-wait", "parallel", "pipelined"]
)
async def test_every_way_of_sending_is_answered_and_counted(tmp_path: Path, connections: int, window: int) -> None:
    """Every message acknowledged positively, in order, under its own control id; every stay counted once."""
    messages = stays(1, 400)
    with RunningEngine(tmp_path) as engine:
        await asyncio.to_thread(engine.start)
        report = await send_all("127.0.0.1", engine.mllp, messages, connections=connections, window=window)
        assert (report.sent, report.accepted, report.mismatched) == (800, 800, 0)
        await asyncio.to_thread(engine.settle)
        assert engine.value("jauge_indicator_denominator", **LABELS) == 400
        assert engine.value("jauge_messages_received_total", feed="his") == 800
        assert engine.stop() == 0


async def test_a_stop_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """SIGTERM in the middle of a flood: what was answered is counted after the next start, the rest is sent again."""
    messages = [adt(number, visit=number) for number in range(1, 6_001)]
    with RunningEngine(tmp_path) as engine:
        await asyncio.to_thread(engine.start)
        sending = asyncio.create_task(
            send_all("127.0.0.1", engine.mllp, messages, connections=4, window=50), name="flood"
        )
        await asyncio.sleep(0.2)
        assert await asyncio.to_thread(engine.stop) == 0
        outcome = (await asyncio.gather(sending, return_exceptions=True))[0]
        answered = outcome.accepted if isinstance(outcome, Report) else 0
        await asyncio.to_thread(engine.start)
        await asyncio.to_thread(engine.settle)
        kept = engine.value("jauge_messages_received_total", feed="his")
        assert answered <= kept <= len(messages)
        again = await send_all("127.0.0.1", engine.mllp, messages, connections=4, window=50)
        assert again.accepted == len(messages)
        await asyncio.to_thread(engine.settle)
        received = engine.value("jauge_messages_received_total", feed="his")
        duplicate = engine.value("jauge_messages_duplicate_total", feed="his")
        assert received - duplicate == len(messages)
        assert duplicate == kept
