"""What a listener of syslog has read: kept until it is durable, and at a stop too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.listeners import custody, syslog, syslog_connection
from engine.parsers.syslog_frames import counted
from engine.receipt import Receipt
from tests.listeners.conformance import ACCEPTED, UNAVAILABLE, FakePipeline, until
from tests.listeners.syslog_peer import Place, SyslogHarness, message, name_of, pipeline


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses."""
    monkeypatch.setattr(custody, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(syslog_connection, "LINGER_SECONDS", 0.1)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A place where listeners live."""
    place = Place()
    yield place
    await place.close()


class TestCustody:
    """What was read is kept until it is durable."""

    async def test_reading_stops_at_the_limit(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sender that is faster than the disk waits; at the end everything has come, once and in order."""
        monkeypatch.setattr(syslog_connection, "MAX_WAITING", 10)
        engine = pipeline(held=True)
        await place.listen(engine)
        _, writer = await place.connect()
        expected = [f"A{number}" for number in range(3000)]
        for name in expected:
            writer.write(counted(message(name, 2000)))
        draining = asyncio.ensure_future(writer.drain())
        await until(lambda: place.listener.custody.count > 10)
        await asyncio.sleep(0.05)
        seen = len(engine.payloads)
        await asyncio.sleep(0.05)
        assert len(engine.payloads) == seen < 1000
        while len(engine.payloads) < 3000:
            engine.release()
            await asyncio.sleep(0.001)
        engine.release()
        await draining
        assert engine.ids == expected
        assert place.listener.custody.count == place.listener.custody.size == 0

    async def test_all_senders_wait_when_all_is_too_much(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """The limit over all connections holds every reader, and frees every reader."""
        monkeypatch.setattr(syslog, "MAX_WAITING_BYTES", 1000)
        engine = pipeline(held=True)
        await place.listen(engine)
        writers = [(await place.connect())[1] for _ in range(5)]
        writers[0].write(counted(message("first", 2000)))
        await until(lambda: engine.ids == ["first"])
        for number, writer in enumerate(writers):
            writer.write(counted(message(f"A{number}")))
        await asyncio.sleep(0.05)
        while len(engine.payloads) < 6:
            engine.release()
            await asyncio.sleep(0.001)
        engine.release()
        assert sorted(engine.ids) == ["A0", "A1", "A2", "A3", "A4", "first"]

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    async def test_unavailable_is_held_and_offered_again(self, transport: str) -> None:
        """While nothing can be kept nothing is lost: afterwards every message is durable, once, in order."""
        durable: list[str] = []
        failing = True

        def receipt(payload: bytes) -> Receipt:
            if failing:
                return UNAVAILABLE
            durable.append(name_of(payload))
            return ACCEPTED

        harness = SyslogHarness(transport)
        engine = pipeline(receipt=receipt)
        await harness.start(engine)
        await harness.offer(*(message(f"A{number}") for number in range(20)))
        await until(lambda: len(engine.payloads) > 3)
        listener = harness.place.listener
        assert listener.custody.stuck
        await harness.offer(message("A20"))
        await asyncio.sleep(0.05)
        failing = False
        await until(lambda: len(durable) == 21)
        assert durable == [f"A{number}" for number in range(21)]
        assert not listener.custody.stuck
        assert listener.custody.count == 0
        assert harness.place.tally.rejected_total == {}
        await harness.close()

    async def test_it_fails_again_in_the_middle(self, place: Place) -> None:
        """The engine recovers for three messages only, again and again: still once, in order."""
        durable: list[str] = []
        offers = 0

        def receipt(payload: bytes) -> Receipt:
            nonlocal offers
            offers += 1
            if offers % 4 == 0:
                return UNAVAILABLE
            durable.append(name_of(payload))
            return ACCEPTED

        await place.listen(pipeline(receipt=receipt))
        _, writer = await place.connect()
        expected = [f"A{number}" for number in range(30)]
        for name in expected:
            writer.write(counted(message(name)))
        await until(lambda: len(durable) == 30)
        assert durable == expected

    async def test_a_pipeline_that_raises(self, place: Place) -> None:
        """Our own fault behind the listener costs no message either."""

        class Failing(FakePipeline):
            broken = True

            def submit(self, payload: bytes, feed: str, done: Any) -> None:
                if self.broken:
                    raise RuntimeError("invented")
                super().submit(payload, feed, done)

        engine = Failing(name=name_of)
        await place.listen(engine)
        _, writer = await place.connect()
        writer.write(counted(message("A1")) + counted(message("A2")))
        await until(lambda: place.listener.custody.stuck)
        engine.broken = False
        await until(lambda: engine.ids == ["A1", "A2"])

    async def test_datagrams_beyond_the_limit_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """UDP cannot wait: what is too much is dropped, and that is told."""
        monkeypatch.setattr(syslog, "MAX_DATAGRAMS", 5)
        harness = SyslogHarness("udp")
        engine = pipeline(held=True)
        await harness.start(engine)
        await harness.offer(*(message(f"A{number}") for number in range(8)))
        await until(lambda: harness.place.tally.rejected_total == {"dropped": 3})
        engine.release()
        assert engine.ids == ["A0", "A1", "A2", "A3", "A4"]
        await harness.close()


class TestStop:
    """A graceful stop."""

    async def test_what_is_on_its_way_is_taken(self, place: Place) -> None:
        """What a sender had written when the stop began is read and durable before it ends; it would never be sent again."""
        engine = pipeline()
        listener = await place.listen(engine)
        reader, writer = await place.connect()
        writer.write(counted(message("A0")))
        await until(lambda: engine.ids == ["A0"])
        stopping = asyncio.ensure_future(listener.stop())
        for number in range(1, 100):
            writer.write(counted(message(f"A{number}")))
        assert await reader.read() == b""  # told that no more is wanted
        writer.close()
        await stopping
        assert engine.ids == [f"A{number}" for number in range(100)]

    async def test_datagrams_that_nobody_has_read(self) -> None:
        """What the system had received when the stop began is read and durable before it ends."""
        harness = SyslogHarness("udp")
        engine = pipeline()
        await harness.start(engine)
        await harness.offer(*(message(f"A{number}") for number in range(100)))
        assert engine.ids == []  # the loop had no turn yet
        await harness.stop()
        assert engine.ids == [f"A{number}" for number in range(100)]
        await harness.close()

    async def test_nobody_else_is_let_in(self, place: Place) -> None:
        """A stopping listener accepts no connection."""
        engine = pipeline(held=True)
        listener = await place.listen(engine)
        _, writer = await place.connect()
        writer.write(counted(message("A1")))
        await until(lambda: engine.ids == ["A1"])
        port = listener.port
        stopping = asyncio.ensure_future(listener.stop())
        await asyncio.sleep(0.02)
        with pytest.raises(OSError, match=r"refused|Connect"):
            await asyncio.open_connection("127.0.0.1", port)
        engine.release()
        await stopping

    async def test_a_sender_that_never_ends(self, place: Place) -> None:
        """The stop ends all the same, and everything it read is durable."""
        engine = pipeline()
        listener = await place.listen(engine)
        _, writer = await place.connect()

        async def flood() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(counted(message("A")) * 10)
                    await writer.drain()
                    await asyncio.sleep(0)

        flooding = asyncio.ensure_future(flood())
        await until(lambda: len(engine.payloads) > 100)
        await listener.stop()
        await flooding
        assert listener.custody.count == 0

    async def test_a_pipeline_that_never_answers(self, place: Place) -> None:
        """After its grace the stop goes on; what has no receipt is the pipeline's."""
        engine = pipeline(held=True)
        listener = await place.listen(engine)
        _, writer = await place.connect()
        writer.write(counted(message("A1")))
        await until(lambda: engine.ids == ["A1"])
        await listener.stop(0.3)
        assert place.tally.rejected_total == {}
        engine.receipt = lambda payload: UNAVAILABLE
        engine.release()
        assert place.tally.rejected_total == {"dropped": 1}

    async def test_what_cannot_be_kept_at_the_end_is_counted(self, place: Place) -> None:
        """A stop while nothing can be written loses what was read, and says how much."""
        engine = pipeline(receipt=lambda payload: UNAVAILABLE)
        listener = await place.listen(engine)
        _, writer = await place.connect()
        writer.write(counted(message("A1")) + counted(message("A2")))
        await until(lambda: listener.custody.count == 2)
        await listener.stop(0.3)
        assert place.tally.rejected_total == {"dropped": 2}

    async def test_twice(self, place: Place) -> None:
        """A second stop does nothing."""
        listener = await place.listen(pipeline())
        await listener.stop()
        await listener.stop()
