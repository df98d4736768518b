"""What every listener must keep, whatever its transport. A listener's tests subclass one of the suites.

:class:`Taking` holds for every transport; :class:`Conformance` adds what a transport must keep by which the peer learns what became
of its messages (an answer, a file moved, a position advanced); :class:`ConnectedConformance` adds what connections need. A
:class:`Harness` plays the peer of one listener; a :class:`FakePipeline` plays the engine and can hold its receipts back.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable

from engine.receipt import Receipt

ACCEPTED = Receipt("accepted")
REFUSED = Receipt("refused", "segment-missing", "PID")
UNAVAILABLE = Receipt("unavailable", "store-full")

MAX_MESSAGE_BYTES = 64 * 1024


def message(control_id: str, size: int = 0) -> bytes:
    """A small message, or one of about ``size`` bytes."""
    return (
        b"MSH|^~\\&|GAM|HX|DPI|HX|20260302101500||ADT^A01^ADT_A01|%b|P|2.5|||||FRA|8859/15\rEVN||20260302101500\r"
        b"PID|||7%b\r" % (control_id.encode(), b"0" * size)
    )


def control_id(payload: bytes) -> str:
    """MSH-10 of a payload, or its length when there is none."""
    fields = payload.split(b"\r")[0].split(b"|")
    return fields[9].decode() if len(fields) > 9 else f"{len(payload)} bytes"


class FakePipeline:
    """Keeps what it is given. ``held`` receipts wait for :meth:`release`; ``receipt(payload)`` decides what they say."""

    def __init__(
        self,
        held: bool = False,
        receipt: Callable[[bytes], Receipt] = lambda payload: ACCEPTED,
        name: Callable[[bytes], str] = control_id,
    ) -> None:
        self.held = held
        self.receipt = receipt
        self.name = name
        self.payloads: list[bytes] = []
        self.waiting: list[tuple[bytes, Callable[[Receipt], None]]] = []

    @property
    def ids(self) -> list[str]:
        """Control ids in the order they came."""
        return [self.name(payload) for payload in self.payloads]

    def submit(self, payload: bytes, feed: str, done: Callable[[Receipt], None]) -> None:
        """See ``engine.listeners.listener.Pipeline``."""
        assert type(payload) is bytes
        self.payloads.append(payload)
        if self.held:
            self.waiting.append((payload, done))
        else:
            done(self.receipt(payload))

    async def accept(self, payload: bytes, feed: str) -> Receipt:
        """The same, awaited."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.submit(payload, feed, future.set_result)
        return await future

    def release(self, count: int | None = None) -> None:
        """Give the receipts of the ``count`` oldest payloads (all of them by default), as one commit does."""
        count = len(self.waiting) if count is None else count
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        for payload, done in batch:
            done(self.receipt(payload))


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something is so; the test's own time limit ends a wait in vain."""
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return
        await asyncio.sleep(0.005)


class Harness(abc.ABC):
    """The peer of one listener. Its listener has a size limit of ``MAX_MESSAGE_BYTES``.

    Its messages are HL7 v2 unless it says otherwise: a transport of lines, or of one format, has its own.
    """

    def message(self, name: str, size: int = 0) -> bytes:
        """A small message that goes by this name, or one of about ``size`` bytes."""
        return message(name, size)

    def odd(self, name: str) -> bytes:
        """The same with bytes that are no UTF-8."""
        return message(name) + b"NTE|1||\xe9\xa4 \xc3\xa9\r"

    def name(self, payload: bytes) -> str:
        """The name of a message."""
        return control_id(payload)

    def pipeline(
        self, held: bool = False, receipt: Callable[[bytes], Receipt] = lambda payload: ACCEPTED
    ) -> FakePipeline:
        """A pipeline that knows these names."""
        return FakePipeline(held, receipt, self.name)

    @abc.abstractmethod
    async def start(self, pipeline: FakePipeline) -> None:
        """Start a listener, new or again."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Stop it, gracefully."""

    @abc.abstractmethod
    async def offer(self, *payloads: bytes) -> None:
        """Give messages to the listener, without waiting for an answer. Again: those that the peer knows were not taken."""

    async def acknowledged(self) -> list[str]:
        """Names of the messages the peer may forget, in the order it learned so; where it learns."""
        raise NotImplementedError

    @abc.abstractmethod
    async def settle(self) -> None:
        """Give the listener the time to do something wrong."""

    async def close(self) -> None:
        """Let go of everything."""
        await self.stop()


class Taking:
    """What every listener must keep. ``harness`` is a fixture of the subclass."""

    async def taken(self, harness: Harness, pipeline: FakePipeline, expected: list[str]) -> None:
        """Wait until exactly these messages were taken."""
        await until(lambda: len(pipeline.payloads) >= len(expected))
        await harness.settle()

    async def test_order(self, harness: Harness) -> None:
        """Messages reach the pipeline, and are acknowledged, in the order they were given."""
        pipeline = harness.pipeline()
        await harness.start(pipeline)
        expected = [f"A{number}" for number in range(50)]
        await harness.offer(*map(harness.message, expected))
        await self.taken(harness, pipeline, expected)
        assert pipeline.ids == expected

    async def test_payload_is_handed_over_unchanged(self, harness: Harness) -> None:
        """The pipeline gets the message's bytes, whatever its charset."""
        pipeline = harness.pipeline()
        await harness.start(pipeline)
        payload = harness.odd("A1")
        await harness.offer(payload)
        await self.taken(harness, pipeline, ["A1"])
        assert pipeline.payloads[0].rstrip(b"\r") == payload.rstrip(b"\r")

    async def test_size_limit(self, harness: Harness) -> None:
        """A message beyond the limit never reaches the pipeline, and the next one does."""
        pipeline = harness.pipeline()
        await harness.start(pipeline)
        await harness.offer(harness.message("A1", size=2 * MAX_MESSAGE_BYTES))
        await harness.offer(harness.message("A2"))
        await self.taken(harness, pipeline, ["A2"])
        assert pipeline.ids == ["A2"]

    async def test_next_to_a_refused_message(self, harness: Harness) -> None:
        """What the pipeline refuses, the peer may not forget; the next message is taken."""
        pipeline = harness.pipeline(receipt=lambda payload: REFUSED if harness.name(payload) == "A1" else ACCEPTED)
        await harness.start(pipeline)
        await harness.offer(harness.message("A1"))
        await harness.offer(harness.message("A2"))
        await self.taken(harness, pipeline, ["A2"])
        await until(lambda: pipeline.ids == ["A1", "A2"])

    async def test_unavailable_is_not_lost(self, harness: Harness) -> None:
        """What the pipeline could not take is acknowledged to nobody, comes again, and is taken then."""
        pipeline = harness.pipeline(receipt=lambda payload: UNAVAILABLE)
        await harness.start(pipeline)
        await harness.offer(harness.message("A1"))
        await until(lambda: "A1" in pipeline.ids)
        await self.untaken(harness)
        pipeline.receipt = lambda payload: ACCEPTED
        before = len(pipeline.payloads)
        await harness.offer(harness.message("A1"))
        await self.taken(harness, pipeline, ["A1"])
        await until(lambda: len(pipeline.payloads) > before)
        assert set(pipeline.ids) == {"A1"}

    async def untaken(self, harness: Harness) -> None:
        """The peer has learned nothing that lets it forget a message."""
        await harness.settle()

    async def test_stop_waits_for_what_was_taken(self, harness: Harness) -> None:
        """A graceful stop waits for the commit of what was taken, and acknowledges it."""
        pipeline = harness.pipeline(held=True)
        await harness.start(pipeline)
        await harness.offer(harness.message("A1"))
        await until(lambda: pipeline.ids == ["A1"])
        stopping = asyncio.ensure_future(harness.stop())
        await harness.settle()
        assert not stopping.done()
        pipeline.release()
        await stopping
        await self.acknowledged_at_stop(harness, ["A1"])

    async def acknowledged_at_stop(self, harness: Harness, expected: list[str]) -> None:
        """The peer learned of it before the listener was gone, where it learns."""


class Conformance(Taking):
    """What a listener must keep besides when its peer learns what became of a message."""

    async def taken(self, harness: Harness, pipeline: FakePipeline, expected: list[str]) -> None:
        """See :class:`Taking`: the peer may forget these and no other."""
        await until(lambda: _is(harness, expected))

    async def untaken(self, harness: Harness) -> None:
        """See :class:`Taking`."""
        await harness.settle()
        assert await harness.acknowledged() == []

    async def acknowledged_at_stop(self, harness: Harness, expected: list[str]) -> None:
        """See :class:`Taking`."""
        await until(lambda: _is(harness, expected))

    async def test_acknowledged_means_committed(self, harness: Harness) -> None:
        """Nothing is acknowledged before the pipeline says so, and everything once it did."""
        pipeline = harness.pipeline(held=True)
        await harness.start(pipeline)
        await harness.offer(harness.message("A1"))
        await until(lambda: pipeline.ids == ["A1"])
        await self.untaken(harness)
        pipeline.release()
        await until(lambda: _is(harness, ["A1"]))

    async def test_each_waits_for_its_own_commit(self, harness: Harness) -> None:
        """The commit of one message acknowledges that one and not the next."""
        pipeline = harness.pipeline(held=True)
        await harness.start(pipeline)
        await harness.offer(harness.message("A1"), harness.message("A2"))
        await until(lambda: "A1" in pipeline.ids)
        await harness.settle()
        pipeline.release(1)
        await until(lambda: _is(harness, ["A1"]))
        await until(lambda: len(pipeline.waiting) == 1)
        await harness.settle()
        assert await harness.acknowledged() == ["A1"]
        pipeline.release()
        await until(lambda: _is(harness, ["A1", "A2"]))

    async def test_restart(self, harness: Harness) -> None:
        """What was not committed when the listener stopped is given again, and acknowledged then."""
        pipeline = harness.pipeline(held=True)
        await harness.start(pipeline)
        await harness.offer(harness.message("A1"))
        await until(lambda: pipeline.ids == ["A1"])
        stopping = asyncio.ensure_future(harness.stop())
        await harness.settle()
        # The engine lost its promise in the meantime: it says so rather than nothing.
        pipeline.receipt = lambda payload: UNAVAILABLE
        pipeline.release()
        await stopping
        assert await harness.acknowledged() == []
        again = harness.pipeline()
        await harness.start(again)
        await harness.offer(harness.message("A1"))
        await until(lambda: _is(harness, ["A1"]))
        assert again.ids == ["A1"]


class ConnectedHarness(Harness):
    """The peer of a listener that keeps connections."""

    @abc.abstractmethod
    async def start(self, pipeline: FakePipeline, idle_timeout_seconds: float = 60.0) -> None:
        """Start a listener, new or again, and connect to it."""

    @abc.abstractmethod
    async def begin(self, payload: bytes) -> None:
        """Give the beginning of a message, without its end."""

    @abc.abstractmethod
    async def silence(self) -> None:
        """Have the listener's clock go further by more than an idle timeout, with the connection as it is."""

    @abc.abstractmethod
    async def closed(self) -> None:
        """Wait until the listener closes the connection."""


class ConnectedConformance(Conformance):
    """What every listener with connections must keep besides."""

    async def test_silent_peer_is_closed(self, harness: ConnectedHarness) -> None:
        """A connection on which nothing comes is closed after the idle timeout."""
        await harness.start(harness.pipeline(), idle_timeout_seconds=1.0)
        await harness.closed()

    async def test_message_without_end_is_closed(self, harness: ConnectedHarness) -> None:
        """A message that never gets its end is given up by the idle timeout and never reaches the pipeline."""
        pipeline = harness.pipeline()
        await harness.start(pipeline)
        await harness.begin(harness.message("A1"))
        await harness.silence()
        await harness.closed()
        assert pipeline.payloads == []
        assert await harness.acknowledged() == []

    async def test_idle_timeout_spares_who_waits_for_us(self, harness: ConnectedHarness) -> None:
        """A peer that waits for its answer is not idle, however long the commit takes."""
        pipeline = harness.pipeline(held=True)
        await harness.start(pipeline)
        await harness.offer(harness.message("A1"))
        await until(lambda: pipeline.ids == ["A1"])
        await harness.silence()
        await harness.settle()
        pipeline.release()
        await until(lambda: _is(harness, ["A1"]))


async def _is(harness: Harness, expected: list[str]) -> bool:
    return await harness.acknowledged() == expected
