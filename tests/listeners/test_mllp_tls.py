"""MLLP over TLS and mutual TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
import trustme

from engine.listeners import connection
from engine.tls import TlsSettings
from tests.listeners.conformance import (
    FakePipeline,
    message,
    until,
)
from tests.listeners.peer import Server, outcome


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority of this test."""
    return trustme.CA()


def files(folder: Path, authority: trustme.CA, mutual: bool = False) -> TlsSettings:
    """The three files of a server."""
    certificate = authority.issue_cert("localhost")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "server.pem", append=number > 0)
    certificate.private_key_pem.write_to_path(folder / "server.key")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return TlsSettings(
        certificate=folder / "server.pem",
        key=folder / "server.key",
        client_ca=folder / "ca.pem" if mutual else None,
    )


def client(authority: trustme.CA, certificate: bool = False) -> ssl.SSLContext:
    """A peer that trusts the authority, with or without a certificate of it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate:
        authority.issue_cert("sender.example").configure_cert(context)
    return context


async def test_tls(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    """Messages and answers go through TLS, large ones too."""
    pipeline = FakePipeline()
    await server.listen(pipeline, tls=files(tmp_path, authority))
    peer = await server.connect(client(authority))
    await peer.send(message("A1"), message("A2", size=2_000_000), message("A3"))
    assert [outcome(await peer.answer()) for _ in range(3)] == [("AA", "A1"), ("AA", "A2"), ("AA", "A3")]
    assert [len(payload) > 2_000_000 for payload in pipeline.payloads] == [False, True, False]


async def test_tls_backpressure_and_stop(
    server: Server, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pausing, resuming and the graceful stop work through TLS."""
    monkeypatch.setattr(connection, "MAX_WAITING", 10)
    pipeline = FakePipeline(held=True)
    listener = await server.listen(pipeline, tls=files(tmp_path, authority))
    peer = await server.connect(client(authority))
    reading = asyncio.ensure_future(peer.end())
    await peer.send(*(message(f"A{number}") for number in range(5000)))
    while len(peer.answers) < 5000:
        pipeline.release()
        await asyncio.sleep(0.001)
    await peer.send(message("last"))
    await until(lambda: len(pipeline.waiting) == 1)
    stopping = asyncio.ensure_future(listener.stop())
    await asyncio.sleep(0.02)
    pipeline.release()
    answers = await reading
    assert outcome(answers[-1]) == ("AA", "last")
    await peer.close()
    await stopping


async def test_mutual_tls(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    """With client_ca only a peer that shows a certificate of it gets in; the others are counted."""
    pipeline = FakePipeline()
    await server.listen(pipeline, tls=files(tmp_path, authority, mutual=True))
    peer = await server.connect(client(authority, certificate=True))
    await peer.send(message("A1"))
    assert outcome(await peer.answer()) == ("AA", "A1")
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        stranger = await server.connect(client(authority))
        await stranger.send(message("A2"))
        assert await stranger.end() == []
    await until(lambda: server.tally.tls_failed_total == 1)
    assert pipeline.ids == ["A1"]


async def test_plain_peer_on_a_tls_port(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    """A peer without TLS is closed and counted, and the slot it took is free again."""
    await server.listen(FakePipeline(), tls=files(tmp_path, authority), max_connections=1)

    async def fail(times: int) -> None:
        peer = await server.connect()
        await peer.send(message("A1"))
        await peer.end()
        await until(lambda: server.tally.tls_failed_total == times)

    for number in range(3):
        await fail(number + 1)
    peer = await server.connect(client(authority))
    await peer.send(message("A2"))
    assert outcome(await peer.answer()) == ("AA", "A2")


async def test_peer_that_leaves_in_the_handshake(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    """A port scan (connect, close) is a failed handshake, nothing more."""
    await server.listen(FakePipeline(), tls=files(tmp_path, authority), max_connections=1)
    peer = await server.connect()
    await peer.close()
    await until(lambda: server.tally.tls_failed_total == 1)
    assert server.tally.opened_total == 0


async def test_silent_handshake_counts_for_the_cap(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    """A peer that never starts its handshake holds one place, and no more than that; the stop ends it."""
    await server.listen(FakePipeline(), tls=files(tmp_path, authority), max_connections=1)
    await server.connect()
    await asyncio.sleep(0.02)
    second = await server.connect()
    assert await second.end() == []
    assert server.tally.turned_away_total == 1


async def test_old_tls_is_refused(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    """TLS 1.1 is not spoken."""
    listener = await server.listen(FakePipeline(), tls=files(tmp_path, authority))
    assert listener._context
    assert listener._context.minimum_version == ssl.TLSVersion.TLSv1_2
