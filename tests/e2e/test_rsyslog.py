"""Audit messages over TLS, end to end: a real rsyslog, a real engine, certificates on both sides, and kill -9.

Syslog has no acknowledgement: what was in the sockets of either side when the engine was killed, or was read and not yet
committed, is lost unless the sender sends it again. So what is held here is: what was committed is counted once and for ever, what a
relay still has in its queue arrives, and a sender that sends everything again loses nothing and counts nothing twice.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.engine import RunningEngine
from tests.e2e.rsyslog import Relay, find
from tests.parsers.audit_messages import frames, numbered, syslog

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{host: 127.0.0.1, port: {http}}}
log: {{format: json, level: info}}
indicators: {{count_test_ins: true}}
establishments:
  - {{finess: "990000001", name: CH Fictif}}
feeds:
  - name: audit
    listener: syslog
    establishment: "990000001"
    host: 127.0.0.1
    port: {mllp}
    transport: tls
    tls: {{certificate: server.pem, key: server.key, client_ca: ca.pem}}
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority of the engine and of the senders that may come in."""
    return trustme.CA()


@pytest.fixture(scope="module")
def rsyslog() -> str:
    """The program."""
    found = find()
    if found is None:
        pytest.skip("rsyslog with TLS is not here: scripts/tools brings it")
    return found


@pytest.fixture
def engine(tmp_path: Path, authority: trustme.CA) -> Iterator[RunningEngine]:
    """A running engine that asks its senders for a certificate of the authority."""
    folder = tmp_path / "engine"
    folder.mkdir()
    certificate(folder, "server", "localhost", authority)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with RunningEngine(folder, CONFIG) as engine:
        engine.start()
        yield engine


def certificate(folder: Path, name: str, identity: str, authority: trustme.CA) -> None:
    """A certificate and its key."""
    made = authority.issue_cert(identity)
    made.private_key_pem.write_to_path(folder / f"{name}.key")
    for number, blob in enumerate(made.cert_chain_pems):
        blob.write_to_path(folder / f"{name}.pem", append=number > 0)


def sender(folder: Path, server: trustme.CA, own: trustme.CA) -> Path:
    """The folder of a relay whose certificate is of the authority ``own``."""
    folder.mkdir()
    server.cert_pem.write_to_path(folder / "ca.pem")
    certificate(folder, "client", "sender.example", own)
    return folder


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own time limit ends a wait in vain."""
    while not condition():
        time.sleep(0.2)


def value(engine: RunningEngine, name: str) -> float:
    """One number of the feed."""
    return engine.value(name, feed="audit")


def received(engine: RunningEngine) -> float:
    """Different messages of the feed."""
    shown = engine.metrics()
    taken, duplicate = (
        shown[f"jauge_messages_{name}_total", frozenset({("feed", "audit")})] for name in ("received", "duplicate")
    )
    return taken - duplicate


def test_rsyslog_over_mutual_tls(tmp_path: Path, engine: RunningEngine, authority: trustme.CA, rsyslog: str) -> None:
    """Every message of a relay with a certificate is counted and understood; a stranger's is refused and counted."""
    with Relay(sender(tmp_path / "relay", authority, authority), engine.mllp, rsyslog) as relay:
        relay.give(*map(numbered, range(300)))
        relay.give(syslog(b"not an audit message", msgid="-"))
        until(lambda: value(engine, "jauge_messages_received_total") == 301)
        engine.settle()
        shown = engine.metrics()
    labelled = {name: {} for name in ("jauge_messages_rejected_total", "jauge_message_flags_total")}
    for (name, labels), number in shown.items():
        if name in labelled and number and ("feed", "audit") in labels:
            labelled[name][dict(labels)["code"]] = number
    assert labelled == {
        "jauge_messages_rejected_total": {},
        "jauge_message_flags_total": {"syslog-not-audit": 1},
    }
    assert value(engine, "jauge_tls_failures_total") == 0
    with Relay(sender(tmp_path / "stranger", authority, trustme.CA()), engine.mllp, rsyslog) as relay:
        relay.give(numbered(1000))
        until(lambda: value(engine, "jauge_tls_failures_total") >= 1)
    assert value(engine, "jauge_messages_received_total") == 301
    assert engine.stop() == 0


class Probes:
    """Single messages, each a new one, by which a relay learns that its connection is gone: it may lose the first of them."""

    def __init__(self, relay: Relay, first: int) -> None:
        self.relay = relay
        self.next = first

    def until(self, condition: Callable[[], bool]) -> None:
        """One every 200 ms until something is so."""
        while not condition():
            self.relay.give(numbered(self.next))
            self.next += 1
            time.sleep(0.2)


def test_a_relay_keeps_what_comes_while_the_engine_is_down(
    tmp_path: Path, engine: RunningEngine, authority: trustme.CA, rsyslog: str
) -> None:
    """What was committed before a kill -9 stays counted; what a relay queues while the engine is down arrives, once."""
    with Relay(sender(tmp_path / "relay", authority, authority), engine.mllp, rsyslog) as relay:
        relay.give(*map(numbered, range(200)))
        until(lambda: received(engine) == 200)
        engine.kill()
        probes = Probes(relay, 10_000)
        probes.until(lambda: "cannot connect" in relay.log.read_text())
        relay.give(*map(numbered, range(200, 500)))
        engine.start()
        assert received(engine) >= 200
        until(lambda: received(engine) >= 500)
        engine.settle()
        assert 500 <= received(engine) <= 500 + probes.next - 10_000
        assert engine.stop() == 0
    audit = engine.command("audit")
    assert audit.returncode == 0, audit.stdout


@pytest.mark.timeout(900)
def test_killed_in_the_middle_of_a_stream_of_rsyslog(
    tmp_path: Path, engine: RunningEngine, authority: trustme.CA, rsyslog: str
) -> None:
    """Nothing that was committed is lost or counted twice, and the relay goes on by itself after each kill."""
    given = 0
    with Relay(sender(tmp_path / "relay", authority, authority), engine.mllp, rsyslog) as relay:
        probes = Probes(relay, 10_000)
        for _ in range(4):
            before = received(engine)
            probes.until(lambda before=before: received(engine) > before)  # type: ignore[misc]
            before = received(engine)
            relay.give(*map(numbered, range(given, given + 400)))
            given += 400
            until(lambda before=before: received(engine) > before)  # type: ignore[misc]
            shown = received(engine)
            engine.kill()
            engine.start()
            assert received(engine) >= shown
        # A stream that nobody interrupts arrives whole, whatever the kills have cost before.
        before = received(engine)
        probes.until(lambda: received(engine) > before)
        before = received(engine)
        relay.give(*map(numbered, range(given, given + 400)))
        given += 400
        until(lambda: received(engine) >= before + 400)
        engine.settle()
        assert received(engine) <= given + probes.next - 10_000
        assert engine.stop() == 0
    audit = engine.command("audit")
    assert audit.returncode == 0, audit.stdout


@pytest.mark.timeout(900)
def test_a_sender_that_sends_again_loses_nothing_and_counts_nothing_twice(
    engine: RunningEngine, authority: trustme.CA
) -> None:
    """kill -9 in the middle of a TLS stream, six times: once everything was sent again, everything is counted, once."""
    chance = random.Random(41)
    messages = [numbered(number, outcome=chance.choice("048")) for number in range(800)]
    context = ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("sender.example").configure_cert(context)

    def stream(messages: list[bytes]) -> None:
        with (
            socket.create_connection(("127.0.0.1", engine.mllp), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(frames(*messages))
            with contextlib.suppress(OSError):
                secure.unwrap()

    interrupted = 0
    for _ in range(6):
        before = received(engine)
        first = chance.randrange(len(messages) // 2)
        stream(messages[first:])
        time.sleep(chance.uniform(0, 0.05))
        engine.kill()
        engine.start()
        assert received(engine) >= before
        interrupted += received(engine) < len(messages)
    assert interrupted
    stream(messages)
    until(lambda: received(engine) == len(messages))
    engine.settle()
    assert received(engine) == len(messages)
    assert value(engine, "jauge_messages_duplicate_total") > 0
    assert engine.stop() == 0
    audit = engine.command("audit")
    assert audit.returncode == 0, audit.stdout
