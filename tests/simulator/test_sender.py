"""The MLLP client, against a small server of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from engine.simulator.sender import SenderError, acknowledgement, control_id, send_all

Answer = Callable[[bytes], bytes]


def message(number: int) -> bytes:
    """A message with its own control id."""
    return b"MSH|^~\\&|GAM|HX|DPI|HX|20260520060000||ADT^A01|C%05d|P|2.5\rEVN||20260520060000\r" % number


def positive(payload: bytes) -> bytes:
    """AA, naming the message."""
    return b"MSH|^~\\&|DPI|HX|GAM|HX|20260520060000||ACK|1|P|2.5\rMSA|AA|" + control_id(payload) + b"\r"


@asynccontextmanager
async def server(answer: Answer, received: list[bytes]) -> AsyncIterator[int]:
    """Answers each frame; an empty answer closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                payload = (await reader.readuntil(b"\x1c\r"))[1:-2]
                received.append(payload)
                said = answer(payload)
                if not said:
                    break
                writer.write(b"\x0b" + said + b"\x1c\r")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("connections", "window"), [(1, 1), (1, 50), (8, 1), (5, 7)])
async def test_every_message_is_sent_and_acknowledged(connections: int, window: int) -> None:
    """Stop-and-wait or pipelined, on one connection or several: everything arrives, every answer is matched."""
    payloads = [message(number) for number in range(100)]
    received: list[bytes] = []
    async with server(positive, received) as port:
        report = await send_all("127.0.0.1", port, payloads, connections=connections, window=window)
    assert sorted(received) == payloads
    assert (report.sent, report.accepted, report.mismatched) == (100, 100, 0)
    assert len(report.latencies) == 100
    assert 0 < report.percentile(0.5) <= report.percentile(0.99) <= report.percentile(1.0)


async def test_one_connection_keeps_the_order() -> None:
    """Messages of a connection leave in the order given."""
    received: list[bytes] = []
    async with server(positive, received) as port:
        await send_all("127.0.0.1", port, [message(number) for number in range(30)], window=10)
    assert received == [message(number) for number in range(30)]


async def test_answers_are_counted_by_code_and_matched_by_control_id() -> None:
    """A refusal is a code among others; an answer to another message is a mismatch."""

    def answer(payload: bytes) -> bytes:
        return positive(payload).replace(b"|AA|", b"|AE|").replace(b"C00001", b"C99999")

    async with server(answer, []) as port:
        report = await send_all("127.0.0.1", port, [message(0), message(1)])
    assert report.codes == {"AE": 2}
    assert (report.accepted, report.mismatched) == (0, 1)


async def test_a_connection_closed_early_is_an_error() -> None:
    """A sender that has no acknowledgement does not believe that its message was taken."""
    async with server(lambda _: b"", []) as port:
        with pytest.raises(SenderError):
            await send_all("127.0.0.1", port, [message(0)])


def test_an_answer_without_msa_is_an_error() -> None:
    """Something else than an acknowledgement."""
    with pytest.raises(SenderError):
        acknowledgement(b"MSH|^~\\&|A|B\rZZZ|1\r")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (message(7), b"C00007"),
        (b"", b""),
        (b"H|~^\\&", b""),
        (b"MSH|^~\\&|GAM\rEVN|a|b|c|d|e|f|g|h|i", b""),
        (b"MSH", b""),
    ],
)
def test_control_ids_are_read_from_anything(payload: bytes, expected: bytes) -> None:
    """MSH-10 when the message has one, and nothing when it is no message."""
    assert control_id(payload) == expected
