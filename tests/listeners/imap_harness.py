"""A mailbox on a server, and its listener."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from engine.listeners.imap import ImapListener, ImapSettings
from engine.listeners.listener import PlainCounters
from tests.listeners.conformance import MAX_MESSAGE_BYTES, FakePipeline, Harness, control_id, until
from tests.listeners.imap_server import PASSWORD, USER, ImapServer


class ImapHarness(Harness):
    """A mailbox that fills; a mail may be forgotten once the position on disk is behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = ImapServer()
        self.tally = PlainCounters()
        self.listener: ImapListener | None = None
        self.given = FakePipeline()
        self.offered: list[str] = []
        self.password = folder / "password"
        self.password.write_text(PASSWORD + "\n", encoding="utf-8")
        self.password.chmod(0o600)

    def settings(self, **more: Any) -> ImapSettings:
        """Settings that fit; ``more``: others."""
        return ImapSettings(
            **{
                "host": "127.0.0.1",
                "port": self.server.port,
                "transport": "plain",
                "user": USER,
                "password_file": self.password,
                "state": self.folder / "state",
                "idle_seconds": 5,
                "poll_seconds": 0.02,
                "timeout_seconds": 60,
                "reconnect_seconds": 0.1,
                "max_message_bytes": MAX_MESSAGE_BYTES,
                **more,
            }
        )

    async def start(self, pipeline: FakePipeline, **more: Any) -> None:
        """See :class:`Harness`; ``more``: other settings."""
        if not self.server.port:
            await self.server.start()
        self.given = pipeline
        self.listener = ImapListener("test", self.settings(**more), pipeline, self.tally)
        await self.listener.start()

    async def stop(self) -> None:
        """See :class:`Harness`."""
        if self.listener:
            await self.listener.stop()

    async def close(self) -> None:
        """See :class:`Harness`."""
        await self.stop()
        await self.server.stop()
        assert self.tally.connections == 0

    async def offer(self, *payloads: bytes) -> None:
        """One mail for each message; what is in the mailbox is not put there again."""
        for payload in payloads:
            if control_id(payload) not in self.offered:
                self.offered.append(control_id(payload))
                self.server.inbox.add(payload)

    def position(self, name: str = "INBOX") -> int:
        """The position in a mailbox, on disk."""
        try:
            state = json.loads((self.folder / "state" / "test.json").read_bytes())
        except FileNotFoundError:
            return 0
        return max((mark["last"] for mark in state["marks"] if mark["mailbox"] == name), default=0)

    async def acknowledged(self) -> list[str]:
        """See :class:`Harness`."""
        taken = {uid: mail for uid, mail in self.server.inbox.mails.items() if uid <= self.position()}
        return [control_id(taken[uid]) for uid in sorted(taken) if len(taken[uid]) <= MAX_MESSAGE_BYTES]

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.1)

    async def read(self, *expected: bytes) -> None:
        """Wait until the pipeline has exactly these mails, and a little more to see that none comes twice."""
        await until(lambda: len(self.given.payloads) >= len(expected))
        await asyncio.sleep(0.05)
        assert self.given.payloads == list(expected)

    def verbs(self) -> set[str]:
        """The commands that were given."""
        return {verb for verb, _ in self.server.commands}
