"""The syslog listener over TCP and UDP: what every listener keeps, and what it owes to senders who forget."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.listeners import custody, syslog, syslog_connection
from engine.listeners.syslog import SyslogSettings
from engine.parsers import syslog as parser
from engine.parsers.context import default
from engine.parsers.syslog_frames import counted
from engine.tls import TlsSettings
from tests.listeners.conformance import Taking, until
from tests.listeners.syslog_peer import Place, SyslogHarness, message, pipeline
from tests.parsers.audit_messages import audit, fixture
from tests.parsers.audit_messages import syslog as syslog_message

LOGGER = shutil.which("logger")
needs_logger = pytest.mark.skipif(LOGGER is None, reason="logger (util-linux) is not here")


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


@pytest.fixture(params=["counted", "plain", "udp"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[SyslogHarness]:
    """A sender over TCP in either framing, or over UDP."""
    transport, framing = ("udp", "") if request.param == "udp" else ("tcp", request.param)
    harness = SyslogHarness(transport, framing)
    yield harness
    await harness.close()


class TestConformance(Taking):
    """What every listener keeps, without an acknowledgement."""


class TestFrames:
    """From the wire to the pipeline, and what is counted on the way."""

    async def test_real_audit_messages(self, place: Place) -> None:
        """A pretty-printed audit message arrives whole in both framings, and gives its facts."""
        engine = pipeline()
        await place.listen(engine)
        payload = syslog_message(fixture("iti-41.xml").strip())
        for frame in (counted(payload), payload + b"\n"):
            _, writer = await place.connect()
            writer.write(frame)
        await until(lambda: len(engine.payloads) == 2)
        assert [len(parser.parse(one, default()).facts) for one in engine.payloads] == [2, 2]

    async def test_one_byte_at_a_time(self, place: Place) -> None:
        """However slowly a message comes."""
        engine = pipeline()
        await place.listen(engine)
        _, writer = await place.connect()
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in counted(message("A1")) + counted(message("A2")):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await until(lambda: engine.ids == ["A1", "A2"])

    async def test_junk(self, place: Place) -> None:
        """Bytes between frames are counted, and the next message is read."""
        engine = pipeline()
        await place.listen(engine)
        _, writer = await place.connect()
        writer.write(counted(message("A1")) + b"junk" + counted(message("A2")))
        await until(lambda: engine.ids == ["A1", "A2"])
        assert place.tally.junk_bytes_total == 4

    @pytest.mark.parametrize("bytes_", [b"\x16\x03\x01\x02" * 40_000, b"1" * 160_000, b"\0\xff" * 80_000])
    async def test_a_peer_that_speaks_something_else(self, place: Place, bytes_: bytes) -> None:
        """TLS on a plain port, endless digits, noise: closed, counted, nothing kept."""
        engine = pipeline()
        await place.listen(engine)
        reader, writer = await place.connect()
        with contextlib.suppress(ConnectionError):
            writer.write(bytes_)
            await writer.drain()
            assert await reader.read() == b""
        await until(lambda: place.listener.connections == 0)
        assert place.tally.junk_bytes_total > syslog_connection.MAX_JUNK
        assert engine.payloads == []

    async def test_a_length_that_never_comes(self, place: Place) -> None:
        """Hundreds of megabytes announced: told at once, nothing kept, and others are not kept waiting."""
        engine = pipeline()
        await place.listen(engine)
        _, writer = await place.connect()
        writer.write(b"999999999 <85>1 " + b"x" * 1_000_000)
        await writer.drain()
        await until(lambda: place.tally.rejected_total == {"too-large": 1})
        _, other = await place.connect()
        other.write(counted(message("A1")))
        await until(lambda: engine.ids == ["A1"])

    async def test_what_was_cut_is_counted(self, place: Place) -> None:
        """A counted message that never got its end is no message; a last line without its end is one."""
        engine = pipeline()
        await place.listen(engine)
        _, writer = await place.connect()
        writer.write(counted(message("A1"))[:-5])
        writer.close()
        await until(lambda: place.tally.rejected_total == {"truncated": 1})
        _, writer = await place.connect()
        writer.write(message("A2"))
        writer.close()
        await until(lambda: engine.ids == ["A2"])

    async def test_a_reset_keeps_what_came_before(self, place: Place) -> None:
        """A connection that ends with a reset leaves what it brought."""
        engine = pipeline(held=True)
        await place.listen(engine)
        _, writer = await place.connect()
        writer.write(counted(message("A1")))
        await until(lambda: engine.ids == ["A1"])
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await until(lambda: place.listener.connections == 0)
        assert place.listener.custody.count == 1
        engine.release()
        assert place.listener.custody.count == 0

    async def test_connections(self, place: Place) -> None:
        """One connection too many is closed and counted; a place that is free again is given."""
        engine = pipeline()
        await place.listen(engine, max_connections=1)
        _, first = await place.connect()
        first.write(counted(message("A1")))
        await until(lambda: engine.ids == ["A1"])
        reader, _ = await place.connect()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await until(lambda: place.tally.turned_away_total == 1)
        first.close()
        await until(lambda: place.listener.connections == 0)
        _, third = await place.connect()
        third.write(counted(message("A2")))
        await until(lambda: engine.ids == ["A1", "A2"])


class TestSilence:
    """Idle connections."""

    async def test_silent_peer_is_closed(self, place: Place) -> None:
        """After the idle timeout, when there is one."""
        await place.listen(pipeline(), idle_timeout_seconds=0.05)
        reader, writer = await place.connect()
        writer.write(counted(message("A1"))[:-5])
        assert await reader.read() == b""
        await until(lambda: place.tally.idle_closed_total == 1)
        assert place.tally.rejected_total == {"truncated": 1}

    async def test_who_waits_for_us_is_not_idle(self, place: Place) -> None:
        """A sender whose messages are not durable yet is left alone, however long the commit takes."""
        engine = pipeline(held=True)
        await place.listen(engine, idle_timeout_seconds=0.05)
        _, writer = await place.connect()
        writer.write(counted(message("A1")))
        await until(lambda: engine.ids == ["A1"])
        await asyncio.sleep(0.2)
        assert place.listener.connections == 1
        engine.release()
        await until(lambda: place.listener.connections == 0)

    async def test_silence_is_no_fault(self, place: Place) -> None:
        """By default a silent sender is kept: closing on it would cost its next message."""
        await place.listen(pipeline())
        await place.connect()
        await until(lambda: place.listener.connections == 1)
        await asyncio.sleep(0.05)
        assert place.listener.connections == 1
        assert SyslogSettings().idle_timeout_seconds == 0


class TestSettings:
    """What a person may write."""

    def test_tls_and_transport_belong_together(self) -> None:
        """Certificates without TLS, or TLS without certificates, are a mistake that is named."""
        files = TlsSettings(certificate=Path("server.pem"), key=Path("server.key"))
        with pytest.raises(ValueError, match="needs the settings tls"):
            SyslogSettings(transport="tls")
        with pytest.raises(ValueError, match="are for transport tls, not udp"):
            SyslogSettings(transport="udp", tls=files)

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    async def test_a_port_that_is_taken(self, place: Place, transport: str) -> None:
        """Named, with what to do."""
        listener = await place.listen(pipeline(), transport=transport)
        second = syslog.SyslogListener(
            "other", SyslogSettings(port=listener.port, transport=transport), pipeline(), place.tally
        )
        with pytest.raises(ConfigError, match="cannot listen on"):
            await second.start()


@needs_logger
@pytest.mark.parametrize("options", [["-T"], ["-T", "--octet-count"], ["-d"], ["-T", "--rfc3164"]])
async def test_logger(place: Place, options: list[str]) -> None:
    """logger of util-linux, over TCP in both framings and over UDP: its messages arrive and give their facts."""
    assert LOGGER is not None
    engine = pipeline()
    await place.listen(engine, transport="udp" if options == ["-d"] else "tcp")
    form = [] if "--rfc3164" in options else ["--rfc5424", "--msgid", "IHE+RFC-3881"]
    for number in range(3):
        sender = await asyncio.create_subprocess_exec(
            LOGGER,
            *(
                "-n",
                "127.0.0.1",
                "-P",
                str(place.listener.port),
                "-p",
                "authpriv.notice",
                "-t",
                "pfi-dmp",
                "--size",
                "8192",
            ),
            *form,
            *options,
            "--",
            audit(set_id=f"1.2.250.1.999.42.20.{number}").decode(),
        )
        assert await sender.wait() == 0
    await until(lambda: len(engine.payloads) == 3)
    keys = set()
    for payload in engine.payloads:
        parsed = parser.parse(payload, default())
        assert not parsed.flags
        keys.add(parsed.facts[0].key)  # type: ignore[union-attr]
    assert len(keys) == 3
