"""The watched folder, on real files."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.listeners.folder import FolderListener, FolderSettings
from engine.listeners.listener import PlainCounters
from tests.listeners.conformance import (
    MAX_MESSAGE_BYTES,
    REFUSED,
    UNAVAILABLE,
    Conformance,
    FakePipeline,
    Harness,
    control_id,
    message,
    until,
)


class FolderHarness(Harness):
    """A writer that renames its files into place; a file in ``done`` is acknowledged, others it leaves where they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tally = PlainCounters()
        self.listener: FolderListener | None = None
        self.written: dict[str, str] = {}

    async def start(self, pipeline: FakePipeline) -> None:
        """See :class:`Harness`."""
        settings = FolderSettings(path=self.path, poll_seconds=0.01, max_message_bytes=MAX_MESSAGE_BYTES)
        self.listener = FolderListener("test", settings, pipeline, self.tally)
        await self.listener.start()

    async def stop(self) -> None:
        """See :class:`Harness`."""
        if self.listener:
            await self.listener.stop()

    async def offer(self, *payloads: bytes) -> None:
        """One file for each message; a message that is still there is not written again."""
        for payload in payloads:
            name = f"{len(self.written):05}.hl7"
            if control_id(payload) in self.written.values():
                continue
            self.written[name] = control_id(payload)
            self.write(name, payload)

    def write(self, name: str, data: bytes) -> None:
        """Write elsewhere, rename into place, with times that tell the order."""
        hidden = self.path / f".{name}"
        hidden.write_bytes(data)
        order = 1_700_000_000 + len(self.written)
        os.utime(hidden, (order, order))
        hidden.rename(self.path / name)

    async def acknowledged(self) -> list[str]:
        """See :class:`Harness`."""
        return [self.written[name] for name in sorted(path.name for path in (self.path / "done").iterdir())]

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.1)

    def names(self, folder: str = ".") -> list[str]:
        """Files of a folder."""
        return sorted(path.name for path in (self.path / folder).iterdir() if path.is_file())


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[FolderHarness]:
    """A folder, its listener and its writer."""
    harness = FolderHarness(tmp_path)
    yield harness
    await harness.close()


class TestConformance(Conformance):
    """What every listener keeps."""

    async def acknowledged_at_stop(self, harness: Harness, expected: list[str]) -> None:
        """A file in hand at the stop is left, and moved at the next start: the pipeline knows its messages."""
        await harness.start(FakePipeline(receipt=lambda payload: REFUSED.__class__("duplicate")))
        await super().acknowledged_at_stop(harness, expected)


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n"])
async def test_every_message_of_a_file(harness: FolderHarness, ending: bytes) -> None:
    """A file of several messages gives each of them, whatever its line ends."""
    pipeline = FakePipeline()
    await harness.start(pipeline)
    harness.write("a.hl7", b"".join(message(f"A{number}") for number in range(5)).replace(b"\r", ending))
    await until(lambda: harness.names("done") == ["a.hl7"])
    assert pipeline.ids == [f"A{number}" for number in range(5)]
    assert harness.names() == []


async def test_compressed_file(harness: FolderHarness) -> None:
    """A .gz file is read like any other."""
    pipeline = FakePipeline()
    await harness.start(pipeline)
    harness.write("a.hl7.gz", gzip.compress(message("A1") + message("A2")))
    await until(lambda: harness.names("done") == ["a.hl7.gz"])
    assert pipeline.ids == ["A1", "A2"]


async def test_damaged_file(harness: FolderHarness) -> None:
    """A broken gzip goes to failed and is counted; the next file is read."""
    pipeline = FakePipeline()
    await harness.start(pipeline)
    harness.write("a.gz", gzip.compress(message("A1") * 100)[:-10])
    harness.write("b.hl7", message("A2"))
    await until(lambda: harness.names("done") == ["b.hl7"])
    assert harness.names("failed") == ["a.gz"]
    assert harness.tally.rejected_total == {"damaged-file": 1}


async def test_refused_message_fails_the_file(harness: FolderHarness) -> None:
    """A file with a refused message goes to failed, its other messages are taken."""
    pipeline = FakePipeline(receipt=lambda payload: REFUSED if b"|A2|" in payload else REFUSED.__class__("accepted"))
    await harness.start(pipeline)
    harness.write("a.hl7", message("A1") + message("A2") + message("A3"))
    await until(lambda: harness.names("failed") == ["a.hl7"])
    assert pipeline.ids == ["A1", "A2", "A3"]


async def test_unavailable_leaves_the_file(harness: FolderHarness) -> None:
    """While the engine can take nothing the file stays, and is read again later."""
    pipeline = FakePipeline(receipt=lambda payload: UNAVAILABLE)
    await harness.start(pipeline)
    harness.write("a.hl7", message("A1"))
    await until(lambda: len(pipeline.payloads) >= 2)
    assert harness.names() == ["a.hl7"]
    pipeline.receipt = lambda payload: REFUSED.__class__("accepted")
    await until(lambda: harness.names("done") == ["a.hl7"])


async def test_files_that_are_not_complete(harness: FolderHarness) -> None:
    """Hidden, .tmp, empty and growing files are left alone; so are subfolders."""
    pipeline = FakePipeline()
    harness.write("b.tmp", message("A1"))
    (harness.path / ".hidden").write_bytes(message("A2"))
    (harness.path / "empty.hl7").write_bytes(b"")
    (harness.path / "sub").mkdir()
    (harness.path / "sub" / "c.hl7").write_bytes(message("A3"))
    await harness.start(pipeline)
    growing = harness.path / "d.hl7"
    with growing.open("ab", buffering=0) as file:
        for number in range(2000):
            file.write(message(f"D{number}"))
            if number % 100 == 0:
                await asyncio.sleep(0.005)
    await until(lambda: harness.names("done") == ["d.hl7"])
    assert set(pipeline.ids) == {f"D{number}" for number in range(2000)}
    assert harness.names() == [".hidden", "b.tmp", "empty.hl7"]


async def test_file_that_grows_while_it_is_read(harness: FolderHarness) -> None:
    """A file that changed since it was opened is read again, whole, and moved only then."""
    pipeline = FakePipeline(held=True)
    await harness.start(pipeline)
    harness.write("a.hl7", message("A1"))
    await until(lambda: pipeline.ids == ["A1"])
    with (harness.path / "a.hl7").open("ab") as file:
        file.write(message("A2"))
    pipeline.release()
    pipeline.held = False
    await until(lambda: harness.names("done") == ["a.hl7"])
    assert pipeline.ids == ["A1", "A1", "A2"]


async def test_stop_in_the_middle_of_a_file(harness: FolderHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop does not wait for the rest of a file: the file stays, and the next start reads it from its beginning."""
    monkeypatch.setattr("engine.listeners.archive.WINDOW", 2)
    pipeline = FakePipeline(held=True)
    await harness.start(pipeline)
    harness.write("a.hl7", b"".join(message(f"A{number}") for number in range(10)))
    await until(lambda: len(pipeline.waiting) == 2)
    stopping = asyncio.ensure_future(harness.stop())
    await asyncio.sleep(0.02)
    pipeline.held = False
    pipeline.release()
    await stopping
    assert len(pipeline.payloads) < 10
    assert harness.names() == ["a.hl7"]
    again = FakePipeline()
    await harness.start(again)
    await until(lambda: harness.names("done") == ["a.hl7"])
    assert again.ids == [f"A{number}" for number in range(10)]


async def test_same_name_again(harness: FolderHarness) -> None:
    """A second file of the same name replaces nothing."""
    await harness.start(FakePipeline())
    harness.write("a.hl7", message("A1"))
    await until(lambda: harness.names("done") == ["a.hl7"])
    harness.write("a.hl7", message("A2"))
    await until(lambda: harness.names("done") == ["a.hl7", "a.hl7.1"])


async def test_order_of_files(harness: FolderHarness) -> None:
    """Files are read from the oldest to the newest."""
    pipeline = FakePipeline()
    for name, control in (("z.hl7", "A1"), ("m.hl7", "A2"), ("a.hl7", "A3")):
        harness.written[name] = control
        harness.write(name, message(control))
    await harness.start(pipeline)
    await until(lambda: len(harness.names("done")) == 3)
    assert pipeline.ids == ["A1", "A2", "A3"]


async def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A missing folder is one clear error."""
    listener = FolderListener("test", FolderSettings(path=tmp_path / "none"), FakePipeline(), PlainCounters())
    with pytest.raises(ConfigError, match="none: this folder cannot be watched: no such file or directory"):
        await listener.start()
