"""Mailboxes of a real Dovecot, end to end: IDLE, mutual TLS, flags, kill -9 on both sides, mails that are numbered anew.

What is held: every mail counts, once, whoever dies when; nothing is changed in the mailbox; who may not come in reads nothing.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.dovecot import PASSWORD, USER, Dovecot, find
from tests.e2e.engine import RunningEngine

KILLS = 20
MAILS = 1_500
SHARES = KILLS + 4  # the last ones are delivered after the last kill

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{{{host: 127.0.0.1, port: {{http}}}}}}
log: {{{{format: json, level: info}}}}
indicators: {{{{count_test_ins: true}}}}
establishments:
  - {{{{finess: "990000001", name: CH Fictif, mssante_domains: [ch-fictif.mssante.fr]}}}}
feeds:
  - name: journal
    listener: imap
    establishment: "990000001"
    host: localhost
    port: {port}
    transport: {transport}
    tls: {{{{{tls}}}}}
    user: {user}
    mailboxes: [INBOX, Sent]
    state: var/imap
    idle_seconds: 1700
    reconnect_seconds: 1
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The authority of Dovecot and of the engine."""
    return trustme.CA()


@pytest.fixture(scope="module")
def program() -> str:
    """Dovecot."""
    found = find()
    if found is None:
        pytest.skip("Dovecot is not here: scripts/tools brings it")
    return found


@pytest.fixture
def dovecot(program: str, authority: trustme.CA) -> Iterator[Dovecot]:
    """A running Dovecot that wants a password."""
    with Dovecot(program, authority) as dovecot:
        yield dovecot


def engine_of(
    folder: Path,
    dovecot: Dovecot,
    authority: trustme.CA,
    *,
    transport: str = "starttls",
    own: trustme.CA | None = None,
    login: bool = True,
    more: str = "",
) -> RunningEngine:
    """An engine that follows the account, not started; ``own`` signs its certificate, without ``login`` that is all it shows."""
    folder.mkdir(exist_ok=True)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = "ca: ca.pem"
    if own is not None:
        made = own.issue_cert(USER, common_name=USER)
        made.private_key_pem.write_to_path(folder / "client.key")
        made.cert_chain_pems[0].write_to_path(folder / "client.pem")
        tls += ", certificate: client.pem, key: client.key"
    if login:
        (folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
        (folder / "password").chmod(0o600)
        more += "    password_file: password\n"
    text = CONFIG.format(
        port=dovecot.tls_port if transport == "tls" else dovecot.port,
        transport=transport,
        tls=tls,
        user=USER if login else '""',
    )
    return RunningEngine(folder, text + more)


def mail(number: int, size: int = 0) -> bytes:
    """A mail that is like no other, with a word that must get nowhere."""
    body = f"CANARI {number}\r\n".encode() + b"A1 OK {5}\r\n)\r\n" + b"lorem ipsum " * (size // 12)
    return (
        f"From: CH Fictif <sorties@ch-fictif.mssante.fr>\r\nTo: canari.{number}@cabinet-fictif.mssante.fr\r\n"
        f"Subject: CANARI {number} {{7}}\r\nMessage-ID: <canari-{number}@ch-fictif.mssante.fr>\r\n"
        "Date: Tue, 10 Mar 2026 16:20:00 +0100\r\n\r\n"
    ).encode() + body


def numbered(number: int) -> bytes:
    """One of many: some are large."""
    return mail(number, 400_000 if number % 25 == 7 else 40 * number)


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own time limit ends a wait in vain."""
    while not condition():
        time.sleep(0.1)


def value(engine: RunningEngine, name: str) -> float:
    """One number of the feed."""
    return engine.value(name, feed="journal")


def received(engine: RunningEngine) -> float:
    """Different mails of the feed."""
    shown = engine.metrics()
    taken, duplicate = (
        shown[f"jauge_messages_{name}_total", frozenset({("feed", "journal")})] for name in ("received", "duplicate")
    )
    return taken - duplicate


def rejected(engine: RunningEngine) -> dict[str, float]:
    """What was refused or failed, by code."""
    return {
        dict(labels)["code"]: number
        for (name, labels), number in engine.metrics().items()
        if name == "jauge_messages_rejected_total" and number
    }


def closed(engine: RunningEngine, dovecot: Dovecot) -> None:
    """The engine stops as it should, a recount agrees, nothing personal is left behind, and no flag was changed."""
    assert engine.stop() == 0
    audit = engine.command("audit")
    assert audit.returncode == 0, audit.stdout
    for path in engine.folder.rglob("*"):
        if path.is_file() and path.name != "jauge.yaml":
            content = path.read_bytes()
            for word in (b"CANARI", b"canari", b"cabinet-fictif", USER.encode()):
                assert word not in content or path.suffix in (".pem", ".key"), path.name
    store = sqlite3.connect(engine.folder / "var" / "jauge.db")
    assert store.execute("SELECT count(*) FROM aside").fetchone()[0] == 0
    store.close()
    assert not any("S" in flags for box in ("INBOX", "Sent") for flags in dovecot.flags(box))


@pytest.mark.parametrize("transport", ["starttls", "tls"])
def test_mails_arrive_by_idle(tmp_path: Path, dovecot: Dovecot, authority: trustme.CA, transport: str) -> None:
    """What is there is read, what comes arrives without being asked for (IDLE lasts half an hour here), from both mailboxes, once."""
    dovecot.deliver(*map(numbered, range(100)))
    with engine_of(tmp_path, dovecot, authority, transport=transport) as engine:
        engine.start()
        until(lambda: received(engine) == 100)
        for number in range(100, 120):
            dovecot.deliver(numbered(number), mailbox="Sent" if number % 2 else "INBOX")
        until(lambda: received(engine) == 120)
        dovecot.deliver(mail(1_000, 25_000_000), numbered(120))
        until(lambda: received(engine) == 122)
        assert value(engine, "jauge_feed_connections") == 2
        # A copy in another mailbox is the same mail.
        dovecot.deliver(numbered(120), mailbox="Sent")
        until(lambda: value(engine, "jauge_messages_duplicate_total") == 1)
        assert value(engine, "jauge_messages_received_total") == 123
        assert rejected(engine) == {}
        closed(engine, dovecot)


@pytest.mark.parametrize("external", [False, True])
def test_mutual_tls(tmp_path: Path, program: str, authority: trustme.CA, external: bool) -> None:
    """A certificate of the authority lets in, beside a password or alone; none, and a stranger's, are refused and counted."""
    with Dovecot(program, authority, mutual=True, external=external) as dovecot:
        dovecot.deliver(numbered(1))
        for number, own in enumerate((None, trustme.CA())):
            if own is None and external:
                continue
            with engine_of(tmp_path / f"{number}", dovecot, authority, own=own, login=not external) as engine:
                engine.start()
                until(lambda: bool(rejected(engine)))
                assert set(rejected(engine)) <= {"imap-login", "imap-tls"}
                assert received(engine) == 0
                assert engine.stop() == 0
        with engine_of(tmp_path / "right", dovecot, authority, own=authority, login=not external) as engine:
            engine.start()
            until(lambda: received(engine) == 1)
            assert rejected(engine) == {}
            closed(engine, dovecot)


def test_another_server_is_not_believed(tmp_path: Path, dovecot: Dovecot) -> None:
    """A server whose certificate is of another authority gets no password."""
    dovecot.deliver(numbered(1))
    with engine_of(tmp_path, dovecot, trustme.CA()) as engine:
        engine.start()
        until(lambda: value(engine, "jauge_tls_failures_total") > 1)
        assert set(rejected(engine)) == {"imap-tls"}
        assert engine.stop() == 0
    log = dovecot.folder / "dovecot.log"
    until(lambda: "no auth attempts" in log.read_text())
    assert "auth failed" not in log.read_text()


def test_without_idle(tmp_path: Path, program: str, authority: trustme.CA) -> None:
    """A server without IDLE is asked now and then."""
    with (
        Dovecot(program, authority, idle=False) as dovecot,
        engine_of(tmp_path, dovecot, authority, more="    poll_seconds: 0.2\n") as engine,
    ):
        dovecot.deliver(numbered(1))
        engine.start()
        until(lambda: received(engine) == 1)
        dovecot.deliver(numbered(2))
        until(lambda: received(engine) == 2)
        closed(engine, dovecot)


def test_mails_numbered_anew(tmp_path: Path, dovecot: Dovecot, authority: trustme.CA) -> None:
    """Dovecot loses its list of UIDs: everything is read again and nothing counts twice; what came meanwhile counts."""
    dovecot.deliver(*map(numbered, range(60)))
    with engine_of(tmp_path, dovecot, authority) as engine:
        engine.start()
        until(lambda: received(engine) == 60)
        dovecot.kill()
        dovecot.forget_uids()
        dovecot.deliver(numbered(60))
        dovecot.start()
        until(lambda: received(engine) == 61)
        until(lambda: value(engine, "jauge_messages_duplicate_total") == 60)
        dovecot.deliver(numbered(61))
        until(lambda: received(engine) == 62)
        closed(engine, dovecot)


def test_only_what_arrived_since(tmp_path: Path, dovecot: Dovecot, authority: trustme.CA) -> None:
    """since_days reads what arrived in those days and not what is older, by the server's own dates."""
    dovecot.deliver(*map(numbered, range(10)), age_days=40)
    dovecot.deliver(*map(numbered, range(10, 15)))
    with engine_of(tmp_path, dovecot, authority, more="    since_days: 30\n") as engine:
        engine.start()
        until(lambda: received(engine) == 5)
        dovecot.deliver(numbered(20))
        until(lambda: received(engine) == 6)
        closed(engine, dovecot)


class Sender(threading.Thread):
    """Delivers mails one by one, a share of them for each permission."""

    def __init__(self, dovecot: Dovecot, mails: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.dovecot = dovecot
        self.mails = mails
        self.allowed = threading.Semaphore(0)
        self.given = 0

    def run(self) -> None:
        """Deliver everything."""
        share = -(-len(self.mails) // SHARES)
        for number in range(SHARES):
            self.allowed.acquire()
            for mail_ in self.mails[number * share : (number + 1) * share]:
                self.dovecot.deliver(mail_, mailbox="Sent" if self.given % 3 == 0 else "INBOX")
                self.given += 1
                time.sleep(0.004)


def drill(
    engine: RunningEngine, dovecot: Dovecot, kill: Callable[[], None], start: Callable[[], None]
) -> dict[str, float]:
    """Kill something in the middle of a stream of mails, again and again; then nothing is missing and nothing counts twice.

    What the engine counted as failures, by code.
    """
    chance = random.Random(20)
    sender = Sender(dovecot, [numbered(number) for number in range(MAILS)])
    engine.start()
    sender.start()
    for _ in range(KILLS):
        sender.allowed.release()
        time.sleep(chance.uniform(0.05, 0.6))
        kill()
        time.sleep(chance.uniform(0.0, 0.2))
        start()
    sender.allowed.release(SHARES - KILLS)
    sender.join()
    until(lambda: received(engine) >= MAILS)
    engine.settle()
    assert received(engine) == MAILS
    assert value(engine, "jauge_messages_duplicate_total") < MAILS, "a restart reads again a little, not everything"
    failures = rejected(engine)
    mails = {"too-large", "imap-unreadable", "imap-login"}
    assert not mails & set(failures), failures
    assert value(engine, "jauge_control_ids_reused_total") == 0
    closed(engine, dovecot)
    return failures


@pytest.mark.timeout(900)
def test_dovecot_is_killed_twenty_times(tmp_path: Path, dovecot: Dovecot, authority: trustme.CA) -> None:
    """kill -9 of the whole server in the middle of a stream of mails: nothing is lost, nothing counts twice, nobody intervenes."""
    with engine_of(tmp_path, dovecot, authority) as engine:
        assert sum(drill(engine, dovecot, dovecot.kill, dovecot.start).values()) > KILLS // 2


@pytest.mark.timeout(900)
def test_the_engine_is_killed_twenty_times(tmp_path: Path, dovecot: Dovecot, authority: trustme.CA) -> None:
    """kill -9 of the engine in the middle of a stream of mails: each start goes on at the right place."""
    with engine_of(tmp_path, dovecot, authority) as engine:
        drill(engine, dovecot, engine.kill, engine.start)
