"""IMAP servers that misbehave: each is survived, counted under its code, and read once it behaves."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from engine.listeners import mailbox
from engine.listeners.imap_protocol import ImapError, Protocol
from engine.parsers import imap
from tests.listeners.conformance import MAX_MESSAGE_BYTES, FakePipeline, until
from tests.listeners.imap_harness import ImapHarness
from tests.listeners.imap_server import Connection, Mailbox

Act = Callable[[Connection], Awaitable[None]]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses."""
    monkeypatch.setattr(mailbox, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(mailbox, "QUIET_SECONDS", 0.05)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[ImapHarness]:
    """A mailbox with a mail in it, its listener and its server."""
    harness = ImapHarness(tmp_path)
    harness.server.inbox.add(b"one")
    yield harness
    await harness.close()


def says(*lines: str | bytes) -> Act:
    """A server that says this and then nothing."""

    async def act(connection: Connection) -> None:
        await connection.send(*lines)
        await connection.hang()

    return act


async def closes(connection: Connection) -> None:
    """A server that hangs up."""
    raise ConnectionError


async def drips(connection: Connection) -> None:
    """A server that always says a little more, and never comes to an end."""
    await connection.send("* OK ")
    while True:
        await connection.send("x")
        await asyncio.sleep(0.02)


async def floods(connection: Connection) -> None:
    """A server that sends answers nobody asked for, without end."""
    while True:
        await connection.send("* 1 EXISTS\r\n" * 1000)


async def endless(connection: Connection) -> None:
    """A server that sends a line without end."""
    while True:
        await connection.send(b"x" * 65_536)


def patience(code: str) -> float:
    """Seconds that the listener waits: few where that is what a server tries, else more than a slow machine takes."""
    return 0.3 if code == "imap-timeout" else 60.0


GREETINGS: list[tuple[str, Act]] = [
    ("imap-greeting", says("220 smtp.example ESMTP\r\n")),
    ("imap-greeting", says("HTTP/1.1 400 Bad Request\r\n\r\n")),
    ("imap-greeting", says(b"\x16\x03\x01\x00\xff\n")),
    ("imap-greeting", says("* OK {5}\r\n")),
    ("imap-greeting", says("* OKAY\r\n")),
    ("imap-bye", says("* BYE too many connections\r\n")),
    ("imap-timeout", says("")),
    ("imap-timeout", drips),
    ("imap-lost", closes),
    ("imap-flood", endless),
]


@pytest.mark.parametrize(("code", "greeting"), GREETINGS)
async def test_greetings(harness: ImapHarness, code: str, greeting: Act) -> None:
    """What does not greet as an IMAP server is counted and tried again."""
    harness.server.greeting = greeting
    await harness.start(FakePipeline(), timeout_seconds=patience(code))
    await until(lambda: harness.tally.rejected_total.get(code, 0) > 1)
    assert set(harness.tally.rejected_total) == {code}
    harness.server.greeting = None
    await harness.read(b"one")


COMMANDS: list[tuple[str, str, Act]] = [
    ("CAPABILITY", "imap-answer", says("A1 OK of no command\r\n")),
    ("CAPABILITY", "imap-flood", floods),
    ("AUTHENTICATE", "imap-bye", says("* BYE go away\r\n")),
    ("AUTHENTICATE", "imap-lost", closes),
    ("AUTHENTICATE", "imap-timeout", says("")),
    ("EXAMINE", "imap-timeout", says("* 5 EXISTS\r\n")),
    ("EXAMINE", "imap-bye", says("* BYE shutting down\r\n")),
    ("EXAMINE", "imap-flood", floods),
    ("SEARCH", "imap-lost", closes),
    ("SEARCH", "imap-flood", endless),
    ("SEARCH", "imap-flood", floods),
    ("SEARCH", "imap-timeout", drips),
    ("SEARCH", "imap-answer", says("* SEARCH \xff\r\nA0 BAD \xff\r\n")),
    ("FETCH", "imap-lost", closes),
    ("FETCH", "imap-timeout", says("* 1 FETCH (UID 1 RFC822.SIZE 3\r\n")),
    ("FETCH", "imap-timeout", says("* 1 FETCH (UID 1 BODY[] {3}\r\non")),
    ("FETCH", "too-large", says("* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n")),
    ("FETCH", "imap-flood", floods),
    ("FETCH", "imap-bye", says("* BYE internal error\r\n")),
    # The server goes in place of "+": the open fault 110 of aioimaplib waits for ever here.
    ("IDLE", "imap-lost", closes),
    ("IDLE", "imap-bye", says("* BYE timeout\r\n")),
    ("IDLE", "imap-timeout", says("")),
    ("IDLE", "imap-bye", says("+ idling\r\n* BYE timeout\r\n")),
]


@pytest.mark.parametrize(("verb", "code", "act"), COMMANDS)
async def test_commands(harness: ImapHarness, verb: str, code: str, act: Act) -> None:
    """Whatever a server does at whatever command, it is counted, and the mails come once it behaves; none is lost."""
    bad = 2

    async def misbehave(connection: Connection, said: str, argument: str) -> bool:
        nonlocal bad
        if said == verb and bad:
            bad -= 1
            await act(connection)
        return False

    harness.server.bend = misbehave
    await harness.start(FakePipeline(), timeout_seconds=patience(code))
    await until(lambda: harness.tally.rejected_total.get(code, 0) >= 2)
    harness.server.inbox.add(b"two")
    await until(lambda: len(harness.given.payloads) == 2)
    assert harness.given.payloads == [b"one", b"two"]
    if code == "imap-timeout":  # to which a slow machine may add
        assert set(harness.tally.rejected_total) == {code}
    else:
        assert harness.tally.rejected_total == {code: 2}


WORDS = (
    b"* ", b"A0 ", b"A1 ", b"+ ", b"OK ", b"NO ", b"BAD ", b"BYE ", b"1 ", b"FETCH ", b"EXISTS", b"SEARCH ", b"(", b")", b"UID 1",
    b"BODY[] ", b"{5}", b"{0}", b"{99999}", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\0", b"\xff", b'"', b"\\", b"STARTTLS", b" ",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
async def test_any_words(seed: int) -> None:
    """Whatever words come, in whatever pieces and at whatever command: an answer or a code, never another exception, never a wait."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    ends: set[str] = set()
    for _ in range(150):
        protocol = Protocol(loop, MAX_MESSAGE_BYTES)
        protocol.transport = _Sink()
        protocol.connection_made(protocol.transport)
        protocol.tagpre, protocol.tagnum = "A", 0
        protocol.data_received(b"* OK hello\r\n")
        protocol.state = "SELECTED"
        command = chance.choice(
            (protocol.command("EXAMINE", "x"), protocol.command("SEARCH", "ALL", prefix="UID"), protocol.command("NOOP"),
             protocol.fetch_command("1", "x"), protocol.idle_command(), protocol.command("AUTHENTICATE", "PLAIN"))
        )  # fmt: skip
        if command.name == "AUTHENTICATE":
            protocol.state = "NONAUTH"
        task = asyncio.ensure_future(protocol.run(command, "secret"))
        await asyncio.sleep(0)
        for _ in range(chance.randrange(40)):
            protocol.data_received(b"".join(chance.choices(WORDS, k=chance.randrange(1, 12))))
        protocol.connection_lost(None)
        try:
            status, lines = await task
            ends.add(status)
            imap.fetched(lines)
        except ImapError as error:
            ends.add(error.code)
    assert ends <= {"OK", "NO", "BAD", "imap-answer", "imap-lost", "imap-bye", "too-large"}
    assert len(ends) > 2


class _Sink(asyncio.Transport):
    """Takes what is written, and forgets it."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Forget it."""

    def abort(self) -> None:
        """Nothing is open."""


class TestLies:
    """A server that lies about its mails."""

    async def test_mails_of_others(self, harness: ImapHarness) -> None:
        """A FETCH response for another mail than those asked for, or for none, is not believed."""

        async def others(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "FETCH":
                await connection.send("* 9 FETCH (UID 4294967295 RFC822.SIZE 4 BODY[] {4}\r\nfake)\r\n")
                await connection.send("* 9 FETCH (RFC822.SIZE 4 BODY[] {4}\r\nfake)\r\n* -1 FETCH (UID 0)\r\n")
                await connection.send("* 9 FETCH (FLAGS (\\Seen))\r\n* 2 EXPUNGE\r\n* FETCH\r\n")
            return False

        harness.server.bend = others
        await harness.start(FakePipeline())
        await harness.read(b"one")
        await until(lambda: harness.position() == 1)

    async def test_numbers_that_are_not_there(self, harness: ImapHarness) -> None:
        """A search that finds mails which cannot be fetched moves no position: what comes later is not behind it."""
        box = harness.server.inbox

        async def ghosts(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "SEARCH":
                uids = " ".join(map(str, (*box.mails, 4294967295, 0, 99999999999)))
                await connection.send(f"* SEARCH {uids} x -3\r\n")
                await connection.ok()
            return verb == "SEARCH"

        harness.server.bend = ghosts
        await harness.start(FakePipeline())
        await harness.read(b"one")
        await until(lambda: harness.position() == 1)
        await harness.stop()
        harness.server.bend = None
        box.add(b"two")
        await harness.start(FakePipeline())
        await harness.read(b"two")

    async def test_no_uidvalidity(self, harness: ImapHarness) -> None:
        """A server without UIDVALIDITY keeps no numbers: nothing can be followed there, and that is said."""
        harness.server.boxes["INBOX"] = Mailbox(validity=0)
        await harness.start(FakePipeline())
        await until(lambda: harness.tally.rejected_total.get("imap-answer", 0) > 1)
        assert harness.given.payloads == []

    @pytest.mark.parametrize("told", [0, 10, MAX_MESSAGE_BYTES, 2**63, 10**19])
    async def test_sizes(self, harness: ImapHarness, told: int) -> None:
        """A mail that is larger than it is said to be is refused when it comes; those around it are taken."""
        harness.server.inbox.add(b"x" * (MAX_MESSAGE_BYTES + 1), b"three")
        harness.server.sizes[2] = told
        await harness.start(FakePipeline())
        await harness.read(b"one", b"three")
        await until(lambda: harness.position() == 3)

    async def test_limit_is_exact(self, harness: ImapHarness) -> None:
        """A mail of exactly the limit is taken, one byte more is not, and is not fetched."""
        harness.server.inbox.add(b"x" * MAX_MESSAGE_BYTES, b"x" * (MAX_MESSAGE_BYTES + 1), b"four")
        await harness.start(FakePipeline())
        await harness.read(b"one", b"x" * MAX_MESSAGE_BYTES, b"four")
        assert harness.tally.rejected_total == {"too-large": 1}
        assert harness.server.connections == 1

    @pytest.mark.parametrize("answer", ["* 2 FETCH (UID 2 BODY[] NIL)\r\n", ""])
    async def test_a_mail_that_does_not_come(self, harness: ImapHarness, answer: str) -> None:
        """A mail that is listed and never given is asked for again, alone, then passed over and counted; the others are all there."""
        harness.server.inbox.add(b"two", b"three")

        async def keep(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "FETCH" and "BODY" in argument and connection.box is not None:
                uids = argument.split(maxsplit=1)[0]
                for uid in connection.box.mails:
                    if uid != 2 and str(uid) in uids.replace(":", ",").split(","):
                        await connection.send(connection.item(uid, uid, body=True))
                await connection.send(answer)
                await connection.ok()
                return True
            return False

        harness.server.bend = keep
        await harness.start(FakePipeline())
        await harness.read(b"one", b"three")
        await until(lambda: harness.position() == 3)
        assert harness.tally.rejected_total["imap-unreadable"] == 1

    async def test_a_mail_that_breaks_the_connection(self, harness: ImapHarness) -> None:
        """Connections that break at one mail are no reason to pass it over soon; it blocks nobody for ever."""
        harness.server.inbox.add(b"two", b"three")
        asked = 0

        async def breaks(connection: Connection, verb: str, argument: str) -> bool:
            nonlocal asked
            if verb == "FETCH" and "BODY" in argument and argument.split(maxsplit=1)[0] in ("1:3", "2", "2:3"):
                asked += 1
                raise ConnectionError
            return False

        harness.server.bend = breaks
        await harness.start(FakePipeline())
        await until(lambda: harness.given.payloads[-1:] == [b"three"])
        assert harness.given.payloads == [b"one", b"three"]
        assert asked == 11
        assert harness.tally.rejected_total == {"imap-lost": 11, "imap-unreadable": 1}

    async def test_a_store_that_is_out_of_order(self, harness: ImapHarness) -> None:
        """A server that lists every mail and gives none for a while: none is passed over, however often it was tried."""
        harness.server.inbox.add(b"two", b"three")
        asked = 0

        async def refuse(connection: Connection, verb: str, argument: str) -> bool:
            nonlocal asked
            if verb == "FETCH" and "BODY" in argument and asked < 25:
                asked += 1
                await connection.ok("[UNAVAILABLE] later", "NO")
                return True
            return False

        harness.server.bend = refuse
        await harness.start(FakePipeline())
        await harness.read(b"one", b"two", b"three")
        assert asked == 25
        assert set(harness.tally.rejected_total) == {"imap-answer"}

    async def test_news_without_end(self, harness: ImapHarness) -> None:
        """A server that tells of news at each IDLE, and has none, is not asked without pause."""

        async def cries(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "IDLE":
                await connection.send("+ idling\r\n* 1 EXISTS\r\n")
                assert await connection.line() == "DONE"
                await connection.ok()
            return verb == "IDLE"

        harness.server.bend = cries
        await harness.start(FakePipeline())
        await harness.read(b"one")
        await asyncio.sleep(0.5)
        assert harness.server.commands.count(("IDLE", "")) < 25

    async def test_memory_is_bounded(self, harness: ImapHarness) -> None:
        """A mail far beyond the limit, and unasked literals, are not kept in memory."""
        piece = b"y" * 1_000_000

        async def pour(connection: Connection, verb: str, argument: str) -> bool:
            if verb in ("SEARCH", "FETCH"):
                for _ in range(100):
                    await connection.send("* OK {1000000}\r\n", piece, "\r\n")
            return False

        harness.server.bend = pour
        tracemalloc.start()
        await harness.start(FakePipeline(), max_message_bytes=2_000_000)
        await until(lambda: harness.tally.rejected_total.get("imap-flood", 0) > 1)
        gc.collect()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 60_000_000
