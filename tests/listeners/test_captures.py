"""The folder of captures, on real files."""

from __future__ import annotations

import asyncio
import gzip
import os
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from engine.errors import ConfigError
from engine.listeners.captures import CapturesListener, CapturesSettings
from engine.listeners.listener import PlainCounters
from engine.receipt import Receipt
from tests.listeners.conformance import (
    MAX_MESSAGE_BYTES,
    REFUSED,
    UNAVAILABLE,
    Conformance,
    FakePipeline,
    Harness,
    message,
    until,
)

BOUNDARY = b"--uuid:990000001\r\n"


class CapturesHarness(Harness):
    """A platform that renames its dumps into place; a file in ``done`` is acknowledged, others it leaves where they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tally = PlainCounters()
        self.listener: CapturesListener | None = None
        self.options: dict[str, Any] = {}
        self.written: dict[str, str] = {}

    async def start(self, pipeline: FakePipeline) -> None:
        """See :class:`Harness`."""
        settings = CapturesSettings(
            path=self.path, poll_seconds=0.01, max_message_bytes=MAX_MESSAGE_BYTES, **self.options
        )
        self.listener = CapturesListener("test", settings, pipeline, self.tally)
        await self.listener.start()

    async def stop(self) -> None:
        """See :class:`Harness`."""
        if self.listener:
            await self.listener.stop()

    async def offer(self, *payloads: bytes) -> None:
        """One file for each message; a message that is still there is not written again."""
        for payload in payloads:
            if self.name(payload) not in self.written.values():
                name = f"{len(self.written):05}.mime"
                self.written[name] = self.name(payload)
                self.write(name, payload)

    def write(self, name: str, data: bytes) -> None:
        """Write elsewhere, rename into place, with times that tell the order."""
        hidden = self.path / ".writing"
        hidden.write_bytes(data)
        order = 1_700_000_000 + len(self.written)
        os.utime(hidden, (order, order))
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden.rename(target)

    async def acknowledged(self) -> list[str]:
        """See :class:`Harness`."""
        return [self.written[name] for name in self.names("done")]

    async def settle(self) -> None:
        """See :class:`Harness`."""
        await asyncio.sleep(0.1)

    def names(self, folder: str = ".") -> list[str]:
        """Files of a folder and below, by their paths in it; those of ``done`` and ``failed`` only when asked for."""
        top = self.path / folder
        found = (str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())
        return sorted(name for name in found if not name.startswith(("done/", "failed/")))


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[CapturesHarness]:
    """A folder, its listener and its writer."""
    harness = CapturesHarness(tmp_path)
    yield harness
    await harness.close()


class TestConformance(Conformance):
    """What every listener keeps."""


async def test_a_file_is_one_payload(harness: CapturesHarness) -> None:
    """A multipart body with whatever in it, HL7 messages too, is handed over as it is, uncut."""
    pipeline = FakePipeline()
    await harness.start(pipeline)
    dump = BOUNDARY + b"\r\n<soap/>\r\n" + BOUNDARY + message("A1") + message("A2") + b"\x00\xff\x1c\r\x0b" + BOUNDARY
    harness.write("a.mime", dump)
    await until(lambda: harness.names("done") == ["a.mime"])
    assert pipeline.payloads == [dump]
    assert harness.names() == []


async def test_compressed(harness: CapturesHarness) -> None:
    """A .gz file is handed over decompressed."""
    pipeline = FakePipeline()
    await harness.start(pipeline)
    harness.write("a.xml.gz", gzip.compress(b"<a/>") + gzip.compress(b"<!-- -->"))
    await until(lambda: harness.names("done") == ["a.xml.gz"])
    assert pipeline.payloads == [b"<a/><!-- -->"]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("cut.gz", gzip.compress(message("A1") * 100)[:-10], "damaged-file"),
        ("plain.gz", message("A1"), "damaged-file"),
        ("large.xml", b"<" * (MAX_MESSAGE_BYTES + 1), "too-large"),
        ("bomb.gz", gzip.compress(bytes(100 * MAX_MESSAGE_BYTES)), "too-large"),
    ],
)
async def test_what_is_not_handed_over(harness: CapturesHarness, name: str, data: bytes, code: str) -> None:
    """A file that is too large, even once decompressed, or that is damaged goes to failed; the next one is taken."""
    pipeline = FakePipeline()
    await harness.start(pipeline)
    harness.write(name, data)
    harness.write("next.xml", b"<a/>")
    await until(lambda: harness.names("done") == ["next.xml"])
    assert pipeline.payloads == [b"<a/>"]
    await until(lambda: harness.tally.rejected_total == {code: 1})
    assert harness.names("failed") == [name]


@pytest.mark.parametrize("name", ["a.xml", "a.xml.gz"])
async def test_largest(harness: CapturesHarness, name: str) -> None:
    """A file of exactly the limit is taken."""
    pipeline = FakePipeline()
    await harness.start(pipeline)
    data = b"<" * MAX_MESSAGE_BYTES
    harness.write(name, gzip.compress(data) if name.endswith(".gz") else data)
    await until(lambda: harness.names("done") == [name])
    assert pipeline.payloads == [data]


async def test_deleted_once_taken(harness: CapturesHarness) -> None:
    """With ``after: delete`` nothing stays of what was taken, only after its receipt; what is refused is kept to be looked at."""
    pipeline = harness.pipeline(
        held=True, receipt=lambda payload: REFUSED if harness.name(payload) == "A2" else Receipt("aside")
    )
    harness.options = {"after": "delete"}
    await harness.start(pipeline)
    await harness.offer(message("A1"), message("A2"))
    await until(lambda: pipeline.ids == ["A1", "A2"])
    await harness.settle()
    assert harness.names() == ["00000.mime", "00001.mime"]
    pipeline.release()
    await until(lambda: harness.names() == [])
    await until(lambda: harness.names("failed") == ["00001.mime"])
    assert not (harness.path / "done").exists()


async def test_subfolders(harness: CapturesHarness) -> None:
    """Subfolders are left alone, unless they are asked for: then each file keeps its place below done or failed."""
    pipeline = FakePipeline(receipt=lambda payload: REFUSED if payload == b"<b/>" else Receipt("accepted"))
    await harness.start(pipeline)
    for name, data in (("day/one/a.xml", b"<a/>"), ("day/b.xml", b"<b/>"), (".hidden/c.xml", b"<c/>")):
        harness.write(name, data)
    harness.write("d.xml", b"<d/>")
    await until(lambda: harness.names("done") == ["d.xml"])
    assert pipeline.payloads == [b"<d/>"]
    await harness.stop()
    harness.options = {"recursive": True}
    await harness.start(pipeline)
    await until(lambda: harness.names() == [".hidden/c.xml"])
    assert harness.names("done") == ["d.xml", "day/one/a.xml"]
    assert harness.names("failed") == ["day/b.xml"]
    await harness.settle()
    assert pipeline.payloads[1:] == [b"<b/>", b"<a/>"] or pipeline.payloads[1:] == [b"<a/>", b"<b/>"]


async def test_links_are_not_followed(harness: CapturesHarness, tmp_path: Path) -> None:
    """A link is neither read nor followed into another folder."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "a.xml").write_bytes(b"<a/>")
    (tmp_path / "folder").symlink_to(outside)
    (tmp_path / "file.xml").symlink_to(outside / "a.xml")
    harness.options = {"recursive": True}
    pipeline = FakePipeline()
    await harness.start(pipeline)
    harness.write("b.xml", b"<b/>")
    await until(lambda: harness.names("done") == ["b.xml"])
    assert pipeline.payloads == [b"<b/>"]
    assert (outside / "a.xml").exists()


async def test_unavailable_leaves_only_its_own_file(harness: CapturesHarness) -> None:
    """What the engine took is put away; what it could not take stays, with those after it, and is read again."""
    pipeline = harness.pipeline(receipt=lambda payload: UNAVAILABLE if harness.name(payload) == "A2" else REFUSED)
    await harness.offer(*(message(f"A{number}") for number in range(4)))
    await harness.start(pipeline)
    await until(lambda: harness.names("failed") == ["00000.mime", "00001.mime"])
    await until(lambda: pipeline.ids.count("A2") >= 2)
    assert harness.names() == ["00002.mime", "00003.mime"]
    assert "A3" not in pipeline.ids
    pipeline.receipt = lambda payload: Receipt("duplicate")
    await until(lambda: harness.names() == [])
    assert await harness.acknowledged() == ["A2", "A3"]


async def test_file_that_is_rewritten_before_its_receipt(harness: CapturesHarness) -> None:
    """A file that changed after it was read stays, is read again, and is put away only then."""
    pipeline = FakePipeline(held=True)
    await harness.start(pipeline)
    harness.write("a.xml", b"<a/>")
    await until(lambda: pipeline.payloads == [b"<a/>"])
    with (harness.path / "a.xml").open("ab") as file:
        file.write(b"<!-- -->")
    pipeline.held = False
    pipeline.release()
    await until(lambda: harness.names("done") == ["a.xml"])
    assert pipeline.payloads == [b"<a/>", b"<a/><!-- -->"]


class Crowded(FakePipeline):
    """Lets nobody open another file once it was given something."""

    def submit(self, payload: bytes, feed: str, done: Callable[[Receipt], None]) -> None:
        """See :class:`FakePipeline`."""
        if not self.payloads:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        super().submit(payload, feed, done)


async def test_no_room_to_open_a_file(harness: CapturesHarness) -> None:
    """A file that cannot be opened because the engine has too many open is not damaged: it waits, and is read later."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    pipeline = Crowded()
    harness.write("a.xml", b"<a/>")
    harness.write("b.xml", b"<b/>")
    with structlog.testing.capture_logs() as lines:
        try:
            await harness.start(pipeline)
            await until(lambda: any(line["event"] == "folder-failed" for line in lines))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    await until(lambda: harness.names() == [])
    assert harness.names("done") == ["a.xml", "b.xml"]
    assert pipeline.payloads == [b"<a/>", b"<b/>"]
    assert harness.tally.rejected_total == {}


async def test_files_of_one_name(harness: CapturesHarness) -> None:
    """Each file is kept, whatever the names of those before it; a free number is found without trying all of them."""
    await harness.start(FakePipeline())
    for number in range(1, 12):
        harness.write("last.xml", b"<a>%d</a>" % number)
        await until(lambda: harness.names() == [])
    names = {"last.xml", *(f"last.xml.{number}" for number in range(1, 11))}
    assert set(harness.names("done")) == names
    assert {(harness.path / "done" / name).read_bytes() for name in names} == {
        b"<a>%d</a>" % number for number in range(1, 12)
    }


async def test_window(harness: CapturesHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more files wait for their commit than the window holds, and a stop waits for those only."""
    monkeypatch.setattr("engine.listeners.captures.WINDOW", 3)
    pipeline = harness.pipeline(held=True)
    await harness.offer(*(message(f"A{number}") for number in range(8)))
    await harness.start(pipeline)
    await until(lambda: len(pipeline.waiting) == 3)
    await harness.settle()
    assert pipeline.ids == ["A0", "A1", "A2"]
    stopping = asyncio.ensure_future(harness.stop())
    await harness.settle()
    pipeline.release()
    await stopping
    assert await harness.acknowledged() == ["A0", "A1", "A2"]
    assert len(harness.names()) == 5


async def test_names_are_not_logged(harness: CapturesHarness) -> None:
    """File names may hold a patient's name: no log line has one, not even of a file that cannot be moved."""
    with structlog.testing.capture_logs() as lines:
        await harness.start(FakePipeline())
        (harness.path / "done").rmdir()
        harness.write("EXEMPLE_CAMILLE.xml", b"<a/>")
        await until(lambda: any(line["event"] == "file-not-moved" for line in lines))
        await harness.stop()
    assert any(line["event"] == "captures-read" and line["accepted"] == 1 for line in lines)
    assert all("EXEMPLE" not in repr({k: v for k, v in line.items() if k != "error"}) for line in lines)


async def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """A missing folder is one clear error."""
    listener = CapturesListener("test", CapturesSettings(path=tmp_path / "none"), FakePipeline(), PlainCounters())
    with pytest.raises(ConfigError, match="none: this folder cannot be watched: no such file or directory"):
        await listener.start()
