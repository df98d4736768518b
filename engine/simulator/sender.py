"""A real MLLP client: paced or flat out, stop-and-wait or pipelined, over one connection or many.

It checks what an interface engine checks: one acknowledgement per message, in order, that names its control id (MSA-2),
and it measures how long each took. Used by the demonstration, the tests and the benchmarks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Final, Self

START: Final = b"\x0b"
END: Final = b"\x1c\r"
_POSITIVE: Final = frozenset({"AA", "CA"})
_READ: Final = 65_536


class SenderError(Exception):
    """The other side broke the exchange: closed early, or answered something that is no acknowledgement."""


@dataclass(slots=True)
class Report:
    """What became of a sending. ``latencies`` in seconds, from the write of a message to its acknowledgement."""

    sent: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    mismatched: int = 0  # acknowledgements whose MSA-2 is not the control id that was sent
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def accepted(self) -> int:
        """Positive acknowledgements."""
        return sum(count for code, count in self.codes.items() if code in _POSITIVE)

    def percentile(self, share: float) -> float:
        """The latency that this share of the messages did not exceed (0.99: p99); 0 when nothing was sent."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0

    def add(self, other: Report) -> None:
        """Adds the report of another connection."""
        self.sent += other.sent
        self.codes += other.codes
        self.mismatched += other.mismatched
        self.latencies += other.latencies
        self.seconds = max(self.seconds, other.seconds)


def control_id(payload: bytes) -> bytes:
    """MSH-10 of a message, as it is written; empty when there is none."""
    if not payload.startswith(b"MSH") or len(payload) < 8:
        return b""
    line = payload[:2048].replace(b"\n", b"\r").split(b"\r", 1)[0].split(payload[3:4], 10)
    return line[9] if len(line) > 9 else b""


def acknowledgement(frame: bytes) -> tuple[str, bytes]:
    """MSA-1 and MSA-2 of an acknowledgement. Raises SenderError when it holds no MSA."""
    for line in frame.replace(b"\n", b"\r").split(b"\r"):
        if line.startswith(b"MSA"):
            parts = line.split(line[3:4])
            return parts[1].decode("ascii", "replace"), parts[2] if len(parts) > 2 else b""
    raise SenderError("an answer without MSA")


class Sender:
    """One MLLP connection. ``window`` messages may wait for their acknowledgement: 1 is stop-and-wait."""

    def __init__(self, host: str, port: int, *, window: int = 1, tls: SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self.window = window
        self.tls = tls
        self.report = Report()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._buffer = bytearray()

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            try:
                await self._writer.wait_closed()
            except OSError:  # closed by the other side first
                return

    async def send(self, payload: bytes) -> None:
        """Writes one message; waits for acknowledgements only when the window is full."""
        if self._writer is None:
            raise SenderError("not connected")
        self._writer.write(b"%b%b%b" % (START, payload, END))
        self._waiting.append((control_id(payload), time.perf_counter()))
        self.report.sent += 1
        await self._writer.drain()
        while len(self._waiting) >= self.window:
            await self._acknowledged()

    async def finish(self) -> Report:
        """Waits for the last acknowledgements. Raises SenderError when the other side closes before them."""
        while self._waiting:
            await self._acknowledged()
        return self.report

    async def _acknowledged(self) -> None:
        code, control = acknowledgement(await self._frame())
        expected, sent_at = self._waiting.popleft()
        report = self.report
        report.latencies.append(time.perf_counter() - sent_at)
        report.codes[code] += 1
        if expected and control != expected:
            report.mismatched += 1

    async def _frame(self) -> bytes:
        buffer = self._buffer
        while (end := buffer.find(END)) < 0:
            assert self._reader is not None
            data = await self._reader.read(_READ)
            if not data:
                raise SenderError("the connection was closed before every acknowledgement came")
            buffer += data
        frame = bytes(buffer[buffer.find(START) + 1 : end])
        del buffer[: end + len(END)]
        return frame


async def send_all(
    host: str,
    port: int,
    payloads: Sequence[bytes],
    *,
    connections: int = 1,
    window: int = 1,
    seconds: float = 0.0,
    tls: SSLContext | None = None,
    sent: Callable[[], None] = lambda: None,
) -> Report:
    """Sends every payload and waits for every acknowledgement.

    The messages are dealt to ``connections`` in turn. ``seconds`` > 0 spreads them evenly over that time; 0 is flat out.
    ``sent`` is called after each.
    """
    begin = time.perf_counter()
    pause = seconds / len(payloads) if payloads else 0.0
    total = Report()

    async def one(first: int) -> Report:
        async with Sender(host, port, window=window, tls=tls) as sender:
            for index in range(first, len(payloads), connections):
                wait = begin + index * pause - time.perf_counter()
                if wait > 0.001:
                    await asyncio.sleep(wait)
                await sender.send(payloads[index])
                sent()
            return await sender.finish()

    workers: list[Awaitable[Report]] = [one(first) for first in range(min(connections, len(payloads)))]
    for report in await asyncio.gather(*workers):
        total.add(report)
    total.seconds = time.perf_counter() - begin
    return total
