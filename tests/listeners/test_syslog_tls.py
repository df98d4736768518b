"""Syslog over TLS and mutual TLS (RFC 5425)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from engine.listeners import custody, syslog_connection
from engine.parsers.syslog_frames import counted
from tests.listeners.conformance import FakePipeline, Taking, until
from tests.listeners.syslog_peer import Place, SyslogHarness, message, name_of
from tests.listeners.test_mllp_tls import client, files


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses."""
    monkeypatch.setattr(custody, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(syslog_connection, "LINGER_SECONDS", 0.1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority of the senders that may come in."""
    return trustme.CA()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A place where listeners live."""
    place = Place()
    yield place
    await place.close()


@pytest.fixture
async def harness(authority: trustme.CA, tmp_path: Path) -> AsyncIterator[SyslogHarness]:
    """A sender with a certificate."""
    harness = SyslogHarness("tls", tls=files(tmp_path, authority, mutual=True))
    harness.tls = client(authority, certificate=True)
    yield harness
    await harness.close()


class TestConformance(Taking):
    """What every listener keeps, over mutual TLS."""


async def refused(place: Place, context: ssl.SSLContext | None) -> None:
    """A peer that tries, and is closed without having given anything."""
    with contextlib.suppress(OSError):
        reader, writer = await place.connect(context)
        writer.write(counted(message("stranger")))
        await writer.drain()
        assert await reader.read() == b""


async def test_who_may_come_in(place: Place, authority: trustme.CA, tmp_path: Path) -> None:
    """Only a certificate of the authority: none, another authority's, or no TLS at all are refused and counted."""
    engine = FakePipeline(name=name_of)
    await place.listen(engine, transport="tls", tls=files(tmp_path, authority, mutual=True))
    stranger = trustme.CA()
    wrong = client(authority)
    stranger.issue_cert("sender.example").configure_cert(wrong)
    for number, context in enumerate((client(authority), wrong, None), 1):
        await refused(place, context)
        await until(lambda number=number: place.tally.tls_failed_total == number)  # type: ignore[misc]
    _, writer = await place.connect(client(authority, certificate=True))
    writer.write(counted(message("A1")))
    await until(lambda: engine.ids == ["A1"])
    assert place.tally.opened_total == 1


async def test_an_expired_certificate(place: Place, authority: trustme.CA, tmp_path: Path) -> None:
    """A sender whose certificate has ended is refused and counted."""
    engine = FakePipeline(name=name_of)
    await place.listen(engine, transport="tls", tls=files(tmp_path, authority, mutual=True))
    context = client(authority)
    authority.issue_cert("sender.example", not_after=datetime(2020, 1, 1, tzinfo=UTC)).configure_cert(context)
    await refused(place, context)
    await until(lambda: place.tally.tls_failed_total == 1)
    assert engine.payloads == []


async def test_reading_stops_at_the_limit(
    place: Place, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pausing and resuming work through TLS: everything comes, once and in order."""
    monkeypatch.setattr(syslog_connection, "MAX_WAITING", 10)
    engine = FakePipeline(held=True, name=name_of)
    await place.listen(engine, transport="tls", tls=files(tmp_path, authority, mutual=True))
    _, writer = await place.connect(client(authority, certificate=True))
    expected = [f"A{number}" for number in range(3000)]
    for name in expected:
        writer.write(counted(message(name, 1000)))
    while len(engine.payloads) < 3000:
        engine.release()
        await asyncio.sleep(0.001)
    engine.release()
    assert engine.ids == expected


async def test_a_sender_that_only_writes(place: Place, authority: trustme.CA, tmp_path: Path) -> None:
    """A sender that reads nothing of the connection (TLS 1.3 would have it read session tickets) and closes it loses nothing."""
    engine = FakePipeline(held=True, name=name_of)
    listener = await place.listen(engine, transport="tls", tls=files(tmp_path, authority, mutual=True))
    expected = [f"A{number}" for number in range(3000)]

    def send() -> None:
        plain = socket.create_connection(("127.0.0.1", listener.port))
        with client(authority, certificate=True).wrap_socket(plain, server_hostname="localhost") as secure:
            assert secure.version() == "TLSv1.3"
            for name in expected:
                secure.sendall(counted(message(name, 1000)))

    await asyncio.to_thread(send)
    assert len(engine.payloads) < 3000  # the others are still in the buffers of both sides
    while listener.connections:
        engine.release()
        await asyncio.sleep(0.001)
    engine.release()
    assert engine.ids == expected


async def test_a_stop_takes_what_is_on_its_way(place: Place, authority: trustme.CA, tmp_path: Path) -> None:
    """What a sender had written when the stop began is read and durable before it ends."""
    engine = FakePipeline(name=name_of)
    listener = await place.listen(engine, transport="tls", tls=files(tmp_path, authority, mutual=True))
    reader, writer = await place.connect(client(authority, certificate=True))
    writer.write(counted(message("A0")))
    await until(lambda: engine.ids == ["A0"])
    stopping = asyncio.ensure_future(listener.stop())
    for number in range(1, 100):
        writer.write(counted(message(f"A{number}")))
    assert await reader.read() == b""
    await stopping
    assert engine.ids == [f"A{number}" for number in range(100)]
