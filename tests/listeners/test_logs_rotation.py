"""The logs listener: a log that is renamed, copied, packed, cut short, while it is read or not."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.listeners.conformance import FakePipeline, until
from tests.listeners.log_harness import LogHarness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[LogHarness]:
    """A log, its listener and its writer."""
    harness = LogHarness(tmp_path)
    yield harness
    await harness.close()


class TestRotation:
    """Every line once, however the log is rotated."""

    async def test_rename_and_create(self, harness: LogHarness) -> None:
        """The renamed file is read to its end, also what its writer adds later and its last line without end; then the new one."""
        await harness.start(FakePipeline(), quiet_seconds=0.3)
        harness.write("one")
        await harness.read("one")
        old = harness.log.rename(harness.folder / "app.log.1")
        harness.write("two", path=old)
        harness.write("three")
        await until(lambda: set(harness.lines) == {"one", "two", "three"})
        harness.write("late", path=old)
        harness.write("cut", path=old, end="")
        await until(lambda: len(harness.lines) == 5)
        assert harness.lines[3:] == ["late", "cut"]
        assert harness.lines.count("three") == 1

    async def test_last_line_of_a_renamed_file(self, harness: LogHarness) -> None:
        """A renamed file whose writer is in the middle of a line is given the time to end it."""
        await harness.start(FakePipeline(), quiet_seconds=60.0)
        harness.write("beg", end="")
        await asyncio.sleep(0.05)
        old = harness.log.rename(harness.folder / "app.log.1")
        await asyncio.sleep(0.1)
        harness.write("un", path=old, end="")
        await asyncio.sleep(0.2)
        harness.write("-bis", path=old)
        await harness.read("begun-bis")

    async def test_past_file_of_another_clock(self, harness: LogHarness) -> None:
        """A share whose clock is behind ours: a past file that is still being copied is not held as finished."""
        past = harness.folder / "app.log.1"
        harness.write("one", path=past)
        harness.write("two, cut", end="", path=past)
        harness.write("three")
        for path, at in ((past, 1_700_000_000), (harness.log, 1_700_000_010)):
            os.utime(path, (at, at))
        await harness.start(FakePipeline(), quiet_seconds=3600)
        await until(lambda: "three" in harness.lines)
        assert harness.lines == ["one", "three"]

    async def test_old_past_files(self, harness: LogHarness) -> None:
        """A past file that is much older than the newest one is read to its last byte at once."""
        past = harness.folder / "app.log.1"
        harness.write("one", end="", path=past)
        harness.write("two")
        for path, at in ((past, 1_700_000_000), (harness.log, 1_700_010_000)):
            os.utime(path, (at, at))
        await harness.start(FakePipeline(), quiet_seconds=3600)
        await until(lambda: "two" in harness.lines)
        assert harness.lines == ["one", "two"]

    async def test_rename_out_of_sight(self, harness: LogHarness) -> None:
        """A file that is renamed where no pattern finds it is still read to its end: it is held open."""
        await harness.start(FakePipeline())
        harness.write("one")
        await harness.read("one")
        old = harness.log.rename(harness.folder / "elsewhere")
        harness.write("two", path=old)
        harness.write("cut", path=old, end="")
        harness.write("three")
        await until(lambda: len(harness.lines) == 4)
        assert sorted(harness.lines) == ["cut", "one", "three", "two"]

    async def test_delete_and_create(self, harness: LogHarness) -> None:
        """What was in a deleted file is read, and the new file of the same name from its start."""
        await harness.start(FakePipeline())
        with harness.log.open("ab", buffering=0) as writer:
            writer.write(b"one\n")
            await harness.read("one")
            harness.log.unlink()
            writer.write(b"two\n")
            await harness.read("one", "two")
        harness.write("three")
        await harness.read("one", "two", "three")

    async def test_truncation(self, harness: LogHarness) -> None:
        """A log that is cut to nothing is read again from its start."""
        await harness.start(FakePipeline())
        harness.write("one", "two")
        await harness.read("one", "two")
        os.truncate(harness.log, 0)
        harness.write("three")
        await harness.read("one", "two", "three")

    async def test_truncation_that_nobody_saw(self, harness: LogHarness) -> None:
        """A log that was cut and has grown beyond its former size between two looks is known to be another content."""
        await harness.start(FakePipeline())
        harness.write("one", "two")
        await until(lambda: harness.offset() == 8)
        await harness.stop()
        harness.log.write_bytes(b"first of another\nsecond\n")
        again = FakePipeline()
        await harness.start(again)
        await harness.read("first of another", "second")

    async def test_same_begin_as_before(self, harness: LogHarness) -> None:
        """A header that every file begins with does not hide that the content is another one."""
        header = "date;statut;" + "x" * 2000
        await harness.start(FakePipeline())
        harness.write(header, "one", "two")
        await until(lambda: len(harness.lines) == 3)
        await until(lambda: harness.offset() == harness.log.stat().st_size)
        await harness.stop()
        harness.log.write_bytes(f"{header}\nONE\nTWO\nTHREE\n".encode())
        await harness.start(FakePipeline())
        await harness.read(header, "ONE", "TWO", "THREE")

    async def test_copy_and_truncate(self, harness: LogHarness) -> None:
        """copytruncate: the copy goes on where the log was read, the log begins again; every line once."""
        await harness.start(FakePipeline())
        harness.write("one", "two")
        await harness.read("one", "two")
        await harness.stop()  # three comes unseen, right before the copy
        harness.write("three")
        shutil.copy(harness.log, harness.folder / "app.log.1")
        os.truncate(harness.log, 0)
        harness.write("four")
        await harness.start(FakePipeline())
        await until(lambda: len(harness.lines) == 2)
        await asyncio.sleep(0.1)
        assert sorted(harness.lines) == ["four", "three"]

    async def test_copy_and_truncate_while_running(self, harness: LogHarness) -> None:
        """The same under way, again and again, with a writer that appends."""
        await harness.start(FakePipeline())
        expected = []
        for number in range(5):
            line = f"line {number}"
            expected.append(line)
            harness.write(line)
            await until(lambda line=line: line in harness.lines)
            shutil.copy(harness.log, harness.folder / f"app.log.{number}")
            os.truncate(harness.log, 0)
            await asyncio.sleep(0.03)
        await harness.read(*expected)

    async def test_link_to_the_file_of_the_day(self, harness: LogHarness) -> None:
        """A link that goes from one file to the next is followed, and the former file is read to its end."""
        first, second = harness.folder / "2026-03-01", harness.folder / "2026-03-02"
        harness.write("one", path=first)
        harness.log.symlink_to(first)
        await harness.start(FakePipeline())
        await harness.read("one")
        harness.write("two", path=first)
        harness.write("three", path=second)
        other = harness.folder / "link"
        other.symlink_to(second)
        other.rename(harness.log)
        await until(lambda: len(harness.lines) == 3)
        assert sorted(harness.lines) == ["one", "three", "two"]

    async def test_compressed_rotation(self, harness: LogHarness) -> None:
        """A rotated file that is compressed afterwards is not read twice."""
        await harness.start(FakePipeline())
        harness.write("one", "two")
        await harness.read("one", "two")
        old = harness.log.rename(harness.folder / "app.log.1")
        harness.write("three")
        await harness.read("one", "two", "three")
        (harness.folder / "app.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
        await harness.read("one", "two", "three")

    async def test_compressed_while_stopped(self, harness: LogHarness) -> None:
        """What came before a stop is not read twice, what came after it is found in the compressed file."""
        await harness.start(FakePipeline())
        harness.write("one", *(f"filler {number}" for number in range(500)))
        await until(lambda: len(harness.lines) == 501 and harness.offset() == harness.log.stat().st_size)
        await harness.stop()
        harness.write("two", "three")
        (harness.folder / "app.log.1.gz").write_bytes(gzip.compress(harness.log.read_bytes() + b"cut"))
        harness.log.unlink()
        harness.write("four")
        await harness.start(FakePipeline())
        await until(lambda: len(harness.lines) == 4)
        await asyncio.sleep(0.1)
        assert sorted(harness.lines) == ["cut", "four", "three", "two"]
        await harness.stop()
        await harness.start(FakePipeline())
        await asyncio.sleep(0.1)
        assert harness.lines == []

    async def test_stop_in_the_middle_of_an_archive(self, harness: LogHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        """An archive that was not read to its end goes on at the next start."""
        monkeypatch.setattr("engine.listeners.window.WINDOW", 2)
        expected = [f"line {number}" for number in range(10)]
        (harness.folder / "app.log.1.gz").write_bytes(gzip.compress("\n".join(expected).encode()))
        pipeline = FakePipeline(held=True)
        await harness.start(pipeline)
        await until(lambda: len(pipeline.waiting) == 2)
        stopping = asyncio.ensure_future(harness.stop())
        await asyncio.sleep(0.02)
        pipeline.held = False
        pipeline.release()
        await stopping
        first = harness.lines
        assert first == expected[: len(first)]
        await harness.start(FakePipeline())
        await harness.read(*expected[len(first) :])

    async def test_damaged_archive(self, harness: LogHarness) -> None:
        """A broken gzip is counted once; what comes before the damage is read, and so are the other files."""
        text = "".join(f"line {number} {os.urandom(20).hex()}\n" for number in range(2000)).encode()
        (harness.folder / "app.log.2.gz").write_bytes(gzip.compress(text)[:-30])
        (harness.folder / "app.log.3.gz").write_bytes(b"no gzip at all")
        await harness.start(FakePipeline())
        harness.write("after")
        await until(lambda: "after" in harness.lines)
        await until(lambda: harness.tally.rejected_total == {"damaged-file": 2})
        await asyncio.sleep(0.1)
        assert harness.tally.rejected_total == {"damaged-file": 2}
