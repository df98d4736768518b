"""A log, its writer and its listener."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from engine.listeners.listener import PlainCounters
from engine.listeners.logs import LogListener, LogSettings
from tests.listeners.conformance import MAX_MESSAGE_BYTES, FakePipeline, Harness, control_id, until

MAPPING = """\
format: json
fields: {at: time, status: status, document: id}
status: {OK: accepted}
"""
SAMPLE = """\
# expect: accepted (document)
{"time": "2026-03-02T10:15:00+01:00", "status": "OK", "id": "1.2.250.1.999.1"}
"""


class LogHarness(Harness):
    """A writer of a log; a line may be forgotten once the position on disk is behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "app.log"
        self.state = folder / "state"
        self.mapping = folder / "mapping.yaml"
        self.mapping.write_text(MAPPING)
        self.mapping.with_suffix(".sample").write_text(SAMPLE)
        self.tally = PlainCounters()
        self.listener: LogListener | None = None
        self.given = FakePipeline()
        self.offered: list[str] = []

    async def start(self, pipeline: FakePipeline, **more: Any) -> None:
        """See :class:`Harness`; ``more``: other settings."""
        settings = {
            "path": self.log,
            "mapping": self.mapping,
            "state": self.state,
            "rotated": self.folder / "app.log.*",
            "poll_seconds": 0.01,
            "quiet_seconds": 0.05,
            "max_line_bytes": MAX_MESSAGE_BYTES,
            **more,
        }
        self.given = pipeline
        self.listener = LogListener("test", LogSettings(**settings), pipeline, self.tally)
        await self.listener.start()

    async def stop(self) -> None:
        """See :class:`Harness`."""
        if self.listener:
            await self.listener.stop()

    def write(self, *lines: str, end: str = "\n", path: Path | None = None) -> None:
        """Append lines, at once."""
        with (path or self.log).open("ab") as file:
            file.write("".join(line + end for line in lines).encode())

    async def offer(self, *payloads: bytes) -> None:
        """One line for each message; what is in the log is not written again."""
        for payload in payloads:
            if control_id(payload) not in self.offered:
                self.offered.append(control_id(payload))
                with self.log.open("ab") as file:
                    file.write(payload + b"\n")

    def offset(self) -> int:
        """The position of the log on disk."""
        try:
            state = json.loads((self.state / "test.json").read_bytes())
        except FileNotFoundError:
            return 0
        inode = self.log.stat().st_ino
        return max((mark["offset"] for mark in state["marks"] if mark["inode"] == inode), default=0)

    async def acknowledged(self) -> list[str]:
        """See :class:`Harness`."""
        lines = self.log.read_bytes()[: self.offset()].split(b"\n") if self.log.exists() else []
        return [control_id(line) for line in lines if 0 < len(line) <= MAX_MESSAGE_BYTES]

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.1)

    def looked(self) -> bool:
        """Whether the listener has looked for the first time of all: it keeps what it found."""
        return (self.state / "test.json").exists()

    @property
    def lines(self) -> list[str]:
        """What the pipeline was given."""
        return [payload.decode() for payload in self.given.payloads]

    async def read(self, *expected: str) -> None:
        """Wait until the pipeline has exactly these lines, and a little more to see that none comes twice."""
        await until(lambda: len(self.lines) >= len(expected))
        await asyncio.sleep(0.1)
        assert self.lines == list(expected)
