"""The IMAP listener, against a server on a real socket: what it keeps of every listener, of IMAP, and of the server's mailboxes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.listeners import mailbox
from tests.listeners.conformance import ACCEPTED, REFUSED, UNAVAILABLE, Conformance, FakePipeline, Harness, until
from tests.listeners.imap_harness import ImapHarness
from tests.listeners.imap_server import USER, Connection, Mailbox, anybody


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses."""
    monkeypatch.setattr(mailbox, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(mailbox, "KEEP_SECONDS", 0.05)
    monkeypatch.setattr(mailbox, "QUIET_SECONDS", 0.05)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[ImapHarness]:
    """A mailbox, its listener and its server."""
    harness = ImapHarness(tmp_path)
    yield harness
    await harness.close()


class TestConformance(Conformance):
    """What every listener keeps."""

    async def test_next_to_a_refused_message(self, harness: Harness) -> None:
        """A mailbox has nobody to tell: a refused mail is counted by the pipeline, and the next one is taken."""
        assert isinstance(harness, ImapHarness)
        await harness.start(FakePipeline(receipt=lambda payload: REFUSED if payload == b"A1" else ACCEPTED))
        harness.server.inbox.add(b"A1", b"A2")
        await harness.read(b"A1", b"A2")
        await until(lambda: harness.position() == 2)


class TestMailbox:
    """Every mail once, and nothing changed on the server."""

    async def test_nothing_is_changed(self, harness: ImapHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        """The mailbox is opened for reading only, and mails are peeked at."""
        monkeypatch.setattr(mailbox, "STOP_SECONDS", 60.0)  # a slow machine says goodbye too
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline())
        await harness.read(b"one")
        await until(lambda: "IDLE" in harness.verbs())
        await harness.stop()
        assert harness.verbs() == {"CAPABILITY", "AUTHENTICATE", "EXAMINE", "SEARCH", "FETCH", "IDLE", "LOGOUT"}
        assert all("BODY[]" not in argument for _, argument in harness.server.commands)

    async def test_seen_when_told(self, harness: ImapHarness) -> None:
        """With mark_seen a mail is seen once its receipt is there, not before."""
        harness.server.inbox.add(b"one", b"two")
        pipeline = FakePipeline(held=True)
        await harness.start(pipeline, mark_seen=True)
        await until(lambda: len(pipeline.payloads) == 2)
        await harness.settle()
        assert harness.server.inbox.seen == set()
        pipeline.release()
        await until(lambda: harness.server.inbox.seen == {1, 2})

    async def test_restart_goes_on(self, harness: ImapHarness) -> None:
        """A restart reads what came meanwhile, and nothing again."""
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline())
        await harness.read(b"one")
        await harness.stop()
        harness.server.inbox.add(b"two")
        await harness.start(FakePipeline())
        await harness.read(b"two")

    async def test_several_mailboxes(self, harness: ImapHarness) -> None:
        """Each is followed on a connection of its own, also one whose name is no ASCII, and one that appears later."""
        harness.server.boxes["Envoy&AOk-s"] = Mailbox()
        harness.server.inbox.add(b"one")
        harness.server.boxes["Envoy&AOk-s"].add(b"two")
        await harness.start(FakePipeline(), mailboxes=("INBOX", "Envoyés", "Journal & co"))
        await until(lambda: sorted(harness.given.payloads) == [b"one", b"two"])
        await until(lambda: harness.tally.rejected_total.get("imap-mailbox", 0) > 1)
        harness.server.boxes["Journal &- co"] = Mailbox()
        harness.server.boxes["Journal &- co"].add(b"three")
        await until(lambda: sorted(harness.given.payloads) == [b"one", b"three", b"two"])
        await until(lambda: harness.position("Journal & co") == 1)
        assert harness.tally.connections == 3

    async def test_renumbered(self, harness: ImapHarness) -> None:
        """Another UIDVALIDITY: everything is read again, since the numbers mean other mails."""
        harness.server.inbox.add(b"one", b"two")
        await harness.start(FakePipeline())
        await harness.read(b"one", b"two")
        await harness.stop()
        harness.server.boxes["INBOX"] = Mailbox(validity=8)
        harness.server.inbox.add(b"three", b"one")
        await harness.start(FakePipeline())
        await harness.read(b"three", b"one")
        await until(lambda: harness.position() == 2)

    async def test_back_from_a_backup(self, harness: ImapHarness) -> None:
        """A server that gives numbers again, under the same UIDVALIDITY, is read again: a new mail may have an old number."""
        harness.server.inbox.add(b"one", b"two", b"three")
        await harness.start(FakePipeline())
        await harness.read(b"one", b"two", b"three")
        await harness.stop()
        harness.server.boxes["INBOX"] = Mailbox()
        harness.server.inbox.add(b"one", b"new")
        await harness.start(FakePipeline())
        await harness.read(b"one", b"new")

    async def test_only_what_comes(self, harness: ImapHarness) -> None:
        """since_days 0: what is there the first time is held as read; a mail that came while the engine was away is not."""
        harness.server.inbox.add(b"old")
        await harness.start(FakePipeline(), since_days=0)
        await until(lambda: harness.position() == 1)
        await harness.stop()
        harness.server.inbox.add(b"new")
        await harness.start(FakePipeline(), since_days=0)
        await harness.read(b"new")

    async def test_since(self, harness: ImapHarness) -> None:
        """since_days: the server is asked for what arrived since then, with the day of the first start, also later on."""
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline(), since_days=30)
        await harness.read(b"one")
        await harness.stop()
        first = set(harness.server.inbox.since)
        await harness.start(FakePipeline(), since_days=3)
        await until(lambda: ("IDLE", "") in harness.server.commands[-1:])
        assert len(first) == 1
        assert set(harness.server.inbox.since) == first

    async def test_another_account_begins_anew(self, harness: ImapHarness) -> None:
        """Positions are those of an account: its mailbox of the same name elsewhere is another one."""
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline())
        await harness.read(b"one")
        await harness.stop()
        before = (harness.folder / "state" / "test.json").read_bytes()
        assert USER.encode() not in before
        harness.server.password = ""
        harness.server.bend = anybody
        await harness.start(FakePipeline(), user="other@ch-fictif.mssante.fr")
        await harness.read(b"one")

    async def test_numbers_far_apart(self, harness: ImapHarness) -> None:
        """Mails are found however far apart their numbers are, in however many there are, in the order of their numbers."""
        box = harness.server.inbox
        box.mails = {uid: b"%d" % uid for uid in (*range(2_000, 5_000), 300_000, 7, 1_000_000)}
        box.next = 1_000_001
        await harness.start(FakePipeline())
        await until(lambda: len(harness.given.payloads) == 3_003)
        assert harness.given.payloads == [b"%d" % uid for uid in sorted(box.mails)]
        searches = [argument for verb, argument in harness.server.commands if verb == "SEARCH"]
        assert len(searches) < 40

    async def test_expunged_meanwhile(self, harness: ImapHarness) -> None:
        """Mails that go between the search, the sizes and the fetch are not waited for."""
        box = harness.server.inbox
        box.add(b"one", b"two", b"three", b"four")
        gone = iter((1, 3))

        async def expunge(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "FETCH":
                box.mails.pop(next(gone, 0), None)
            return False

        harness.server.bend = expunge
        await harness.start(FakePipeline())
        await harness.read(b"two", b"four")
        assert harness.tally.rejected_total == {}

    async def test_unavailable_keeps_the_order(self, harness: ImapHarness) -> None:
        """While the engine can keep nothing, nothing is skipped; then everything comes in order."""
        pipeline = FakePipeline(receipt=lambda payload: UNAVAILABLE)
        mails = [b"%d" % number for number in range(120)]
        harness.server.inbox.add(*mails)
        await harness.start(pipeline)
        await until(lambda: pipeline.payloads.count(b"0") > 2)
        assert harness.position() == 0
        pipeline.receipt = lambda payload: ACCEPTED
        pipeline.payloads.clear()
        await until(lambda: harness.position() == 120)
        assert pipeline.payloads == mails

    async def test_polling(self, harness: ImapHarness) -> None:
        """A server without IDLE is asked now and then."""
        harness.server.capabilities = "IMAP4rev1"
        await harness.start(FakePipeline())
        await until(lambda: "NOOP" in harness.verbs())
        harness.server.inbox.add(b"one")
        await harness.read(b"one")
        assert "IDLE" not in harness.verbs()

    async def test_idle_refused(self, harness: ImapHarness) -> None:
        """A server that offers IDLE and refuses it is polled."""

        async def refuse(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "IDLE":
                await connection.ok("not now", "NO")
            return verb == "IDLE"

        harness.server.bend = refuse
        await harness.start(FakePipeline())
        await until(lambda: "NOOP" in harness.verbs())
        harness.server.inbox.add(b"one")
        await harness.read(b"one")
        assert harness.server.connections == 1

    async def test_idle_is_renewed(self, harness: ImapHarness) -> None:
        """IDLE ends and begins again in time, and what a server did not tell is found then."""

        async def mute(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "IDLE":
                await connection.send("+ idling\r\n* OK still here\r\n")
                assert await connection.line() == "DONE"
                await connection.ok()
            return verb == "IDLE"

        harness.server.bend = mute
        await harness.start(FakePipeline(), idle_seconds=0.05)
        await until(lambda: harness.server.commands.count(("IDLE", "")) > 2)
        harness.server.inbox.add(b"one")
        await harness.read(b"one")
        assert harness.server.connections == 1

    async def test_server_away(self, harness: ImapHarness) -> None:
        """A server that is not there at the start, or goes, is waited for; nothing is read twice."""
        await harness.server.start()
        await harness.server.stop()
        await harness.start(FakePipeline())
        await until(lambda: harness.tally.rejected_total.get("imap-unreachable", 0) > 2)
        harness.server.inbox.add(b"one")
        await harness.server.start()
        await harness.read(b"one")
        await harness.server.stop()
        harness.server.inbox.add(b"two")
        await harness.server.start()
        await harness.read(b"one", b"two")

    async def test_stop_does_not_wait_for_the_server(
        self, harness: ImapHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that stopped answering does not keep the engine from stopping."""
        monkeypatch.setattr(mailbox, "STOP_SECONDS", 0.05)

        async def silent(connection: Connection, verb: str, argument: str) -> bool:
            if verb == "SEARCH":
                await connection.hang()
            return False

        harness.server.bend = silent
        await harness.start(FakePipeline(), timeout_seconds=600)
        await until(lambda: "SEARCH" in harness.verbs())
        await harness.stop()


async def test_nothing_of_a_mail_is_logged(harness: ImapHarness, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the level, no library writes a mail, an address, a password or a word of the server into the log."""
    caplog.set_level(logging.DEBUG)
    harness.server.capabilities = "IMAP4rev1 IDLE CANARY"

    async def odd(connection: Connection, verb: str, argument: str) -> bool:
        await connection.send("CANARY what is this\r\n* CANARY of no command\r\n")
        return False

    harness.server.bend = odd
    harness.server.inbox.add(b"Subject: CANARY\r\n\r\nCANARY\r\n")
    await harness.start(FakePipeline())
    await until(lambda: len(harness.given.payloads) == 1)
    await harness.stop()
    assert "CANARY" not in caplog.text
    assert USER not in caplog.text
    assert "quoted" not in caplog.text
