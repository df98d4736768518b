"""MLLP senders for 127.0.0.1 only: stop-and-wait on many connections, paced or flat out, and one pipelined sender.

Every run is bounded twice: by the frames it is given and by a deadline, after which nothing more is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

END = b"\x1c\r"
DEADLINE = 30.0
"""Seconds after which a sender stops, whatever is left to send."""


@dataclass
class Load:
    """What one run saw. Latencies in seconds, from the moment a frame was due to the moment its answer was whole."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def rate(self) -> float:
        """Messages answered a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        """Latency under which so many of the answers came, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Sender(asyncio.Protocol):
    """One connection: sends a frame when it is due and the answer to the one before has come."""

    def __init__(self, frames: Sequence[bytes], load: Load, due: Sequence[float] | None = None) -> None:
        self.frames = frames
        self.load = load
        self.due = due
        self.next = 0
        self.pending = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = transport

    def start(self, origin: float) -> None:
        """Begin; ``origin`` is the clock reading that due times count from."""
        self.origin = origin
        self.step()

    def step(self) -> None:
        """Send the next frame now or when it is due, or finish."""
        now = perf_counter()
        if self.next == len(self.frames) or now - self.origin > DEADLINE:
            if not self.done.done():
                self.done.set_result(None)
            return
        wait = self.origin + self.due[self.next] - now if self.due else 0.0
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.step)
            return
        self.sent = now + wait if self.due else now
        self.transport.write(self.frames[self.next])  # type: ignore[attr-defined]
        self.next += 1

    def data_received(self, data: bytes) -> None:
        """Take the answer, then go on."""
        self.pending += data
        if self.pending.endswith(END):
            self.load.latencies.append(perf_counter() - self.sent)
            self.load.refused += refused(self.pending)
            self.pending = b""
            self.step()

    def connection_lost(self, error: Exception | None) -> None:
        """A server that hangs up ends the run with an error."""
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed the connection"))


def refused(answer: bytes) -> bool:
    """Whether an acknowledgement is a refusal (an echo has no MSA)."""
    return b"\rMSA|" in answer and b"\rMSA|AA" not in answer and b"\rMSA|CA" not in answer


async def stop_and_wait(port: int, frames: Sequence[Sequence[bytes]], rate: float = 0.0) -> Load:
    """One connection for each list of frames. ``rate``: messages a second over all of them; 0: flat out.

    Paced, a frame is due at its own time whatever became of the others, and its latency counts from then: a server that
    stalls pays for everything that had to wait.
    """
    load = Load()
    loop = asyncio.get_running_loop()
    senders: list[Sender] = []
    for place, own in enumerate(frames):
        due = [(turn * len(frames) + place) / rate for turn in range(len(own))] if rate else None
        _, sender = await loop.create_connection(lambda own=own, due=due: Sender(own, load, due), "127.0.0.1", port)  # type: ignore[misc]
        senders.append(sender)
    start = perf_counter()
    for sender in senders:
        sender.start(start)
    await asyncio.wait_for(asyncio.gather(*(sender.done for sender in senders)), DEADLINE * 2)
    load.seconds = perf_counter() - start
    for sender in senders:
        sender.transport.close()
    return load


async def pipelined(port: int, frames: Sequence[bytes]) -> Load:
    """One connection that sends without waiting for the answers (the kernel's buffers hold it back)."""
    load = Load()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    start = perf_counter()

    async def send() -> int:
        sent = 0
        for first in range(0, len(frames), 64):
            if perf_counter() - start > DEADLINE:
                break
            part = frames[first : first + 64]
            writer.write(b"".join(part))
            await writer.drain()
            sent += len(part)
        return sent

    sending = asyncio.create_task(send())
    answered, tail = 0, b""
    while not sending.done() or answered < sending.result():
        data = await asyncio.wait_for(reader.read(1 << 18), DEADLINE)
        if not data:
            raise ConnectionError("the server closed the connection")
        whole = tail + data
        end = whole.rfind(END) + 2 if END in whole else 0
        answers = whole[:end].split(END)[:-1]
        answered += len(answers)
        load.refused += sum(map(refused, answers))
        tail = whole[end:]
        now = perf_counter()
        load.latencies.extend(now - start for _ in answers)
    load.seconds = perf_counter() - start
    writer.close()
    await writer.wait_closed()
    return load
