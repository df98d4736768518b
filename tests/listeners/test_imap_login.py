"""The IMAP listener: how it logs in, and settings that cannot work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import ConfigError
from engine.listeners import mailbox
from engine.listeners.imap import ImapSettings, problems
from tests.listeners.conformance import FakePipeline, until
from tests.listeners.imap_harness import ImapHarness
from tests.listeners.imap_server import Connection


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[ImapHarness]:
    """A mailbox, its listener and its server."""
    harness = ImapHarness(tmp_path)
    yield harness
    await harness.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses."""
    monkeypatch.setattr(mailbox, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(mailbox, "KEEP_SECONDS", 0.05)
    monkeypatch.setattr(mailbox, "QUIET_SECONDS", 0.05)


class TestLogin:
    """Who reads the mail."""

    @pytest.mark.parametrize("capabilities", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"])
    async def test_password(self, harness: ImapHarness, capabilities: str) -> None:
        """A password with quotes and backslashes goes through, quoted or in base64."""
        harness.server.capabilities = capabilities
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline())
        await harness.read(b"one")

    async def test_password_beyond_ascii(self, harness: ImapHarness) -> None:
        """A password that LOGIN cannot carry goes by AUTHENTICATE PLAIN, and to nobody who does not offer it."""
        harness.server.password = "mot de passé"
        harness.password.write_text("mot de passé", encoding="utf-8")
        harness.server.capabilities = "IMAP4rev1"
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline())
        await until(lambda: harness.tally.rejected_total.get("imap-login", 0) > 0)
        assert "LOGIN" not in harness.verbs()
        harness.server.capabilities = "IMAP4rev1 AUTH=PLAIN"
        await harness.read(b"one")

    async def test_token(self, harness: ImapHarness) -> None:
        """A refused token ends the login; the file is read again, and the new one holds."""
        harness.server.password = "new"
        harness.password.write_text("old")
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline(), password_file=None, token_file=harness.password)
        await until(lambda: harness.tally.rejected_total.get("imap-login", 0) > 0)
        harness.password.write_text("new")
        await harness.read(b"one")

    async def test_refused_logins_are_not_repeated_quickly(self, harness: ImapHarness) -> None:
        """A wrong password is not tried again before reconnect_seconds: accounts are locked by less."""
        harness.password.write_text("wrong")
        await harness.start(FakePipeline(), reconnect_seconds=3600)
        await until(lambda: harness.tally.rejected_total == {"imap-login": 1})
        await asyncio.sleep(0.2)
        assert harness.server.connections == 1

    async def test_logins_that_cannot_be_judged(self, harness: ImapHarness) -> None:
        """A server whose directory is away says nothing of the password: the login is tried again soon."""
        refusals = 3

        async def away(connection: Connection, verb: str, argument: str) -> bool:
            nonlocal refusals
            if verb == "AUTHENTICATE" and refusals:
                refusals -= 1
                await connection.ok("[UNAVAILABLE] later", "NO")
                return True
            return False

        harness.server.bend = away
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline(), reconnect_seconds=3600)
        await harness.read(b"one")
        assert harness.tally.rejected_total == {"imap-answer": 3}

    async def test_password_file_in_the_middle_of_being_written(self, harness: ImapHarness) -> None:
        """The former password holds while the file cannot be used."""
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline())
        await harness.read(b"one")
        harness.password.write_text("")
        await harness.server.stop()
        harness.server.inbox.add(b"two")
        await harness.server.start()
        await harness.read(b"one", b"two")


class TestSettings:
    """What is told before anything runs."""

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"host": "imap.example"}, "plain is for this machine only"),
            ({"password_file": None}, "nothing says who reads the mail"),
            ({"token_file": Path("t")}, "not both"),
            ({"user": ""}, "needs its user"),
            ({"mailboxes": ("INBOX", "INBOX")}, "named twice"),
        ],
    )
    def test_wrong_together(self, tmp_path: Path, more: dict[str, Any], words: str) -> None:
        """Settings that cannot work together are refused, with the mend."""
        with pytest.raises(ValueError, match=words):
            ImapHarness(tmp_path).settings(**more)

    def test_control_characters(self, tmp_path: Path) -> None:
        """A user or a mailbox with a line end in it is no setting."""
        settings = msgspec.to_builtins(ImapHarness(tmp_path).settings(), enc_hook=str)
        for more in ({"user": "a\r\nb"}, {"mailboxes": ["a\nb"]}):
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(settings | more, ImapSettings, dec_hook=lambda kind, value: kind(value))

    async def test_files(self, harness: ImapHarness) -> None:
        """A password file that others may read, or that is missing, empty or two-faced, is an error that names it."""
        for content, mode, words in (
            ("secret", 0o644, "others than its owner"),
            ("", 0o600, "holds no secret"),
            ("a\x00b", 0o600, "control characters"),
        ):
            harness.password.write_text(content)
            harness.password.chmod(mode)
            (found,) = problems(harness.settings())
            assert words in str(found)
            assert "secret\n" not in str(found)
            with pytest.raises(ConfigError, match="password"):
                await harness.start(FakePipeline())
        harness.password.unlink()
        (found,) = problems(harness.settings())
        assert "does not exist" in str(found)

    async def test_positions_that_cannot_be_kept(self, harness: ImapHarness) -> None:
        """A folder in which nothing can be written is told at the start."""
        (harness.folder / "state").write_text("a file")
        with pytest.raises(ConfigError, match="positions cannot be kept"):
            await harness.start(FakePipeline())

    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b"[]",
            b'{"salt":"x","marks":[]}',
            b'{"salt":"%b","marks":[{"account":"a","mailbox":"INBOX","last":-1}]}' % (b"0" * 32),
        ],
    )
    async def test_damaged_positions(self, harness: ImapHarness, content: bytes) -> None:
        """Positions that cannot be read are begun anew: what is read twice counts once."""
        (harness.folder / "state").mkdir()
        (harness.folder / "state" / "test.json").write_bytes(content)
        harness.server.inbox.add(b"one")
        await harness.start(FakePipeline())
        await harness.read(b"one")
        await until(lambda: harness.position() == 1)
