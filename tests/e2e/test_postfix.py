"""The SMTP journal, end to end: a real Postfix that copies its mail to a real engine, TLS on both sides, and kill -9.

Postfix keeps a mail until it was answered 250, and gives the very same bytes again when it was not: what was committed just before a
kill is recognised as a duplicate, so nothing is lost and nothing counted twice.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.engine import RunningEngine
from tests.e2e.postfix import JOURNAL, Postfix, find
from tests.e2e.test_rsyslog import certificate
from tests.listeners.smtp_peer import mail

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{host: 127.0.0.1, port: {http}}}
log: {{format: json, level: info}}
establishments:
  - {{finess: "990000001", name: CH Fictif, mssante_domains: [ch-fictif.mssante.fr]}}
feeds:
  - name: mss
    listener: smtp
    establishment: "990000001"
    host: 127.0.0.1
    port: {mllp}
    recipients: [journal@jauge.example]
    idle_timeout_seconds: 20
"""
TLS = """\
    transport: %s
    tls: {{certificate: server.pem, key: server.key, client_ca: %s}}
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def postfix() -> None:
    """Postfix, or no test."""
    missing = find()
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority of the engine and of the mail servers that may come in."""
    return trustme.CA()


def engine_of(folder: Path, authority: trustme.CA, transport: str = "plain", mutual: bool = False) -> RunningEngine:
    """An engine with a journal, not started."""
    folder.mkdir(exist_ok=True)
    if transport == "plain":
        return RunningEngine(folder, CONFIG)
    certificate(folder, "server", "localhost", authority)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return RunningEngine(folder, CONFIG + TLS % (transport, "ca.pem" if mutual else "null"))


@pytest.fixture
def engine(tmp_path: Path, authority: trustme.CA) -> Iterator[RunningEngine]:
    """A running engine with a journal in clear."""
    with engine_of(tmp_path / "engine", authority) as engine:
        engine.start()
        yield engine


def secured(folder: Path, server: trustme.CA, own: trustme.CA | None, transport: str) -> list[str]:
    """Lines of main.cf: TLS with a server of this authority, and a certificate of its own if it has one."""
    folder.mkdir()
    server.cert_pem.write_to_path(folder / "ca.pem")
    lines = [
        "smtp_tls_security_level = secure",
        "smtp_tls_secure_cert_match = localhost",
        f"smtp_tls_CAfile = {folder}/ca.pem",
        f"smtp_tls_wrappermode = {'yes' if transport == 'tls' else 'no'}",
    ]
    if own is not None:
        certificate(folder, "client", "mta.ch-fictif.example", own)
        lines += [f"smtp_tls_cert_file = {folder}/client.pem", f"smtp_tls_key_file = {folder}/client.key"]
    return lines


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own time limit ends a wait in vain."""
    while not condition():
        time.sleep(0.2)


def value(engine: RunningEngine, name: str) -> float:
    """One number of the feed."""
    return engine.value(name, feed="mss")


def received(engine: RunningEngine) -> float:
    """Different mails of the feed."""
    shown = engine.metrics()
    taken, duplicate = (
        shown[f"jauge_messages_{name}_total", frozenset({("feed", "mss")})] for name in ("received", "duplicate")
    )
    return taken - duplicate


def mailings(engine: RunningEngine) -> float:
    """Sendings to professionals."""
    engine.settle()
    return engine.value("jauge_mailings_total", establishment="990000001", category="professional")


def numbered(number: int) -> bytes:
    """A mail that is like no other: small, or of some hundred kilobytes."""
    return mail(f"m{number}", 300_000 if number % 25 == 7 else number)


def closed(engine: RunningEngine) -> None:
    """The engine stops as it should, and a recount agrees."""
    assert engine.stop() == 0
    audit = engine.command("audit")
    assert audit.returncode == 0, audit.stdout


def test_each_mail_is_journaled(engine: RunningEngine) -> None:
    """Every mail that Postfix takes reaches the journal once, whatever its size and whoever it is for."""
    with Postfix(engine.mllp) as postfix:
        postfix.give(*map(numbered, range(200)))
        postfix.give(mail("large", 25_000_000))
        many = [f"cabinet{n}@cabinet-fictif.mssante.fr" for n in range(60)]
        to = b"To: cabinet@cabinet-fictif.mssante.fr"
        postfix.give(mail("many").replace(to, f"To: {', '.join(many)}".encode()), recipients=many)
        postfix.give(mail("bounce"), sender="")
        until(lambda: received(engine) == 203)
        until(lambda: postfix.waiting() == 0)
        assert not postfix.postponed()
        assert mailings(engine) == 201 + 60  # one for each recipient; a notification is none
        assert value(engine, "jauge_messages_duplicate_total") == 0
        assert value(engine, "jauge_control_ids_reused_total") == 0
        # The same mail handed in again gets another Received, and is the same sending.
        postfix.give(*map(numbered, range(10)))
        until(lambda: received(engine) == 213)
        assert mailings(engine) == 201 + 60
        assert value(engine, "jauge_control_ids_reused_total") == 10
    closed(engine)


@pytest.mark.parametrize(("transport", "mutual"), [("starttls", False), ("starttls", True), ("tls", True)])
def test_in_tls(tmp_path: Path, authority: trustme.CA, transport: str, mutual: bool) -> None:
    """STARTTLS and TLS from the first byte, without and with a certificate of the mail server's own."""
    with engine_of(tmp_path / "engine", authority, transport, mutual) as engine:
        engine.start()
        own = authority if mutual else None
        with Postfix(engine.mllp, *secured(tmp_path / "postfix", authority, own, transport)) as postfix:
            postfix.give(*map(numbered, range(30)))
            until(lambda: received(engine) == 30)
            until(lambda: postfix.waiting() == 0)
        assert value(engine, "jauge_tls_failures_total") == 0
        closed(engine)


@pytest.mark.parametrize("stranger", ["plain", "anonymous", "other authority"])
def test_strangers_are_refused(tmp_path: Path, authority: trustme.CA, stranger: str) -> None:
    """In clear, without a certificate or with another authority's: nothing is taken, and Postfix keeps its mail."""
    with engine_of(tmp_path / "engine", authority, "starttls", mutual=True) as engine:
        engine.start()
        own = {"anonymous": None, "other authority": trustme.CA()}
        lines = [] if stranger == "plain" else secured(tmp_path / "postfix", authority, own[stranger], "starttls")
        with Postfix(engine.mllp, *lines) as postfix:
            postfix.give(numbered(1))
            until(postfix.postponed)
            until(
                lambda: postfix.waiting() == 1
            )  # a mail that moves from one queue to another is in neither, or in both
            if stranger != "plain":
                until(lambda: value(engine, "jauge_tls_failures_total") >= 1)
            assert value(engine, "jauge_messages_received_total") == 0


def test_other_addresses_are_not_relayed(engine: RunningEngine) -> None:
    """A mail server that sends other mail to the journal by mistake is refused, keeps it, and is counted."""
    with Postfix(engine.mllp, f"always_bcc = someone@{JOURNAL.partition('@')[2]}") as postfix:
        postfix.give(numbered(1))
        until(lambda: postfix.postponed() and "550 5.7.1" in postfix.told())
        until(lambda: postfix.waiting() == 1)
    assert value(engine, "jauge_messages_received_total") == 0
    until(lambda: engine.value("jauge_messages_rejected_total", feed="mss", code="smtp-recipient") >= 1)


def test_postfix_keeps_what_comes_while_the_engine_is_down(engine: RunningEngine) -> None:
    """What is sent while there is no engine waits in the queue, and arrives once there is one."""
    with Postfix(engine.mllp) as postfix:
        postfix.give(*map(numbered, range(20)))
        until(lambda: received(engine) == 20)
        engine.kill()
        postfix.give(*map(numbered, range(20, 120)))
        until(postfix.postponed)
        until(lambda: postfix.waiting() >= 100)
        engine.start()
        until(lambda: received(engine) == 120)
        until(lambda: postfix.waiting() == 0)
        closed(engine)


@pytest.mark.timeout(900)
def test_killed_twenty_times(engine: RunningEngine) -> None:
    """kill -9 in the middle of the mail, twenty times: nothing is lost, nothing is counted twice."""
    chance = random.Random(4)
    numbers = itertools.count()
    enough = threading.Event()
    with Postfix(engine.mllp) as postfix:

        def send() -> None:
            while not enough.wait(0.1):
                postfix.give(numbered(next(numbers)))

        senders = [threading.Thread(target=send, daemon=True) for _ in range(4)]
        for sender in senders:
            sender.start()
        interrupted = 0
        try:
            for _ in range(20):
                before = value(engine, "jauge_messages_received_total")
                until(lambda before=before: value(engine, "jauge_messages_received_total") > before)  # type: ignore[misc]
                time.sleep(chance.choice((0.0, 0.05, 0.2)))
                while not postfix.waiting():  # a mail is on its way: now
                    pass
                engine.kill()
                interrupted += postfix.waiting() > 0
                engine.start()
        finally:
            enough.set()
            for sender in senders:
                sender.join()
        total = next(numbers)
        assert interrupted >= 15, "lives must end in the middle"
        postfix.flush()
        until(lambda: postfix.waiting() == 0)
        assert mailings(engine) == total
        assert received(engine) == total
        assert value(engine, "jauge_control_ids_reused_total") == 0
        closed(engine)
