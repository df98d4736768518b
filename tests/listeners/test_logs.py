"""Followed logs, on real files: every way in which a log is rotated, cut, copied, deleted and compressed."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine import resources
from engine.errors import ConfigError
from engine.listeners.listener import PlainCounters
from engine.listeners.logs import LogListener, LogSettings, mapping_file
from tests.listeners.conformance import (
    ACCEPTED,
    MAX_MESSAGE_BYTES,
    REFUSED,
    UNAVAILABLE,
    Conformance,
    FakePipeline,
    Harness,
    control_id,
    until,
)

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


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[LogHarness]:
    """A log, its listener and its writer."""
    harness = LogHarness(tmp_path)
    yield harness
    await harness.close()


class TestConformance(Conformance):
    """What every listener keeps."""

    async def test_next_to_a_refused_message(self, harness: Harness) -> None:
        """A log has nobody to tell: a refused line is counted by the pipeline, and the next one is taken."""
        assert isinstance(harness, LogHarness)
        await harness.start(FakePipeline(receipt=lambda payload: REFUSED if payload == b"A1" else ACCEPTED))
        harness.write("A1", "A2")
        await harness.read("A1", "A2")
        await until(lambda: harness.offset() == 6)


class TestLines:
    """What is a line."""

    async def test_line_without_end_waits(self, harness: LogHarness) -> None:
        """A line is read once it has its end, in however many pieces it is written."""
        await harness.start(FakePipeline())
        harness.write("one", "tw")
        harness.write("three", end="")
        await harness.read("one", "tw")
        harness.write("-bis", end="")
        await harness.read("one", "tw")
        harness.write("", "four")
        await harness.read("one", "tw", "three-bis", "four")

    async def test_line_ends(self, harness: LogHarness) -> None:
        """CR LF is a line end, empty lines are none, and the bytes of a line are handed over unchanged."""
        await harness.start(FakePipeline())
        harness.write("un", "deux", end="\r\n")
        harness.write("", "", "trois")
        with harness.log.open("ab") as file:
            file.write(b"\xff\xfe latin \xe9\n")
        await until(lambda: len(harness.given.payloads) == 4)
        assert harness.given.payloads == [b"un", b"deux", b"trois", b"\xff\xfe latin \xe9"]

    async def test_line_without_limit(self, harness: LogHarness) -> None:
        """A line of 100 MB, written bit by bit, is refused once without being kept; the lines around it are read."""
        await harness.start(FakePipeline())
        harness.write("before")
        with harness.log.open("ab") as file:
            for _ in range(100):
                file.write(b"x" * 1_000_000)
                file.flush()
                await asyncio.sleep(0)
            file.write(b"\n")
        harness.write("after")
        await harness.read("before", "after")
        assert harness.tally.rejected_total == {"too-large": 1}
        await until(lambda: harness.offset() == harness.log.stat().st_size)

    async def test_limit_is_exact(self, harness: LogHarness) -> None:
        """A line of exactly the limit is taken, one byte more is not, at the end of the file or not."""
        await harness.start(FakePipeline(), max_line_bytes=1024)
        harness.write("a" * 1024, "b" * 1025, "c" * 1024)
        await harness.read("a" * 1024, "c" * 1024)
        assert harness.tally.rejected_total == {"too-large": 1}

    async def test_hole(self, harness: LogHarness) -> None:
        """A writer that keeps its offset after a truncation leaves a hole of zeros: it is dropped, and what follows is read."""
        await harness.start(FakePipeline())
        with harness.log.open("wb", buffering=0) as writer:
            writer.write(b"one\n" * 1 + b"x" * 5000 + b"\n")
            await until(lambda: len(harness.lines) == 2)
            os.truncate(harness.log, 0)
            writer.write(b"after\n")
            await until(lambda: harness.lines[-1] == "after")
        assert harness.tally.junk_bytes_total == 5005
        await until(lambda: harness.offset() == 5011)

    async def test_lines_that_are_passed_over(self, harness: LogHarness) -> None:
        """Lines that the mapping passes over never reach the pipeline, and the position moves behind them."""
        harness.mapping.write_text(MAPPING + "where: {event: [dmp]}\n")
        harness.mapping.with_suffix(".sample").write_text(SAMPLE.replace("{", '{"event": "dmp", '))
        await harness.start(FakePipeline())
        harness.write('{"event": "login"}', '{"event": "dmp"}', "Started")
        await harness.read('{"event": "dmp"}')
        await until(lambda: harness.offset() == harness.log.stat().st_size)


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


class TestFirstTime:
    """What is there already."""

    async def test_past_and_present(self, harness: LogHarness) -> None:
        """The first time, past files are read too, the oldest first, once."""
        for age, (name, line) in enumerate(
            [("app.log.3.gz", "a"), ("app.log.2.gz", "b"), ("app.log.1", "c"), ("app.log", "d")]
        ):
            path = harness.folder / name
            data = f"{line}1\n{line}2\n".encode()
            path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
            os.utime(path, (1_700_000_000 + age, 1_700_000_000 + age))
        await harness.start(FakePipeline())
        await until(lambda: len(harness.lines) == 8)
        assert [line for line in harness.lines if line[0] in "ab"] == ["a1", "a2", "b1", "b2"]
        assert [line for line in harness.lines if line[0] in "cd"] == ["c1", "c2", "d1", "d2"]
        await harness.stop()
        assert len(json.loads((harness.state / "test.json").read_bytes())["archives"]) == 2
        await harness.start(FakePipeline())
        await asyncio.sleep(0.1)
        assert harness.lines == []

    async def test_from_the_end(self, harness: LogHarness) -> None:
        """``begin_at: end``: what is there is left out, a line that is being written is not; from then on everything is read."""
        (harness.folder / "app.log.1").write_bytes(b"past\n")
        (harness.folder / "app.log.2.gz").write_bytes(gzip.compress(b"long past\n"))
        harness.write("old")
        harness.write("beg", end="")
        await harness.start(FakePipeline(), begin_at="end")
        await until(harness.looked)
        harness.write("un", "new")
        await harness.read("begun", "new")
        await harness.stop()
        harness.write("newer")
        await harness.start(FakePipeline(), begin_at="end")
        await harness.read("newer")

    async def test_log_that_is_not_there_yet(self, harness: LogHarness) -> None:
        """A log that does not exist yet is read from its start when it comes, whatever the beginning."""
        await harness.start(FakePipeline(), begin_at="end")
        await until(harness.looked)
        harness.write("one")
        await harness.read("one")

    async def test_folder_and_pattern(self, harness: LogHarness) -> None:
        """A folder stands for its files, a pattern for those it finds."""
        day = harness.folder / "days"
        day.mkdir()
        harness.write("one", path=day / "a.log")
        harness.write("hidden", path=day / ".b.log")
        await harness.start(FakePipeline(), path=day)
        await harness.read("one")
        await harness.stop()
        harness.write("two", path=day / "c.log")
        harness.write("other", path=day / "c.txt")
        await harness.start(FakePipeline(), path=day / "*.log")
        await harness.read("two")


class TestPositions:
    """The position on disk."""

    async def test_unavailable(self, harness: LogHarness) -> None:
        """While the engine can take nothing the position stays; the same lines are given again, in order, until it can."""
        pipeline = FakePipeline(receipt=lambda payload: UNAVAILABLE if payload != b"one" else ACCEPTED)
        await harness.start(pipeline)
        harness.write("one", "two", "three")
        await until(lambda: harness.lines.count("two") >= 3)
        assert harness.offset() == 4
        pipeline.receipt = lambda payload: ACCEPTED
        await until(lambda: harness.offset() == 14)
        assert harness.lines[-2:] == ["two", "three"]
        assert harness.lines.count("one") == 1

    async def test_unavailable_before_a_line_that_is_too_long(self, harness: LogHarness) -> None:
        """What could not be taken before a line that is too long is given again, and that line is passed over again."""
        pipeline = FakePipeline(held=True, receipt=lambda payload: UNAVAILABLE)
        harness.write("one", "x" * 3_000_000)
        await harness.start(pipeline)
        await until(lambda: pipeline.waiting)
        await harness.settle()
        pipeline.held = False
        pipeline.release()
        await until(lambda: harness.lines.count("one") >= 2)
        pipeline.receipt = lambda payload: ACCEPTED
        await until(lambda: harness.offset() == 3_000_005)
        assert set(harness.lines) == {"one"}

    async def test_every_stop_goes_on_at_the_right_byte(self, harness: LogHarness) -> None:
        """Stopped again and again, every line is read once, in order."""
        seen: list[str] = []
        expected = [f"line {number}" for number in range(300)]
        for begin in range(0, 300, 30):
            await harness.start(FakePipeline())
            harness.write(*expected[begin : begin + 30])
            await asyncio.sleep(0.02)
            await harness.stop()
            seen += harness.lines
        await harness.start(FakePipeline())
        await harness.read(*expected[len(seen) :])

    async def test_nothing_of_a_line_is_in_it(self, harness: LogHarness) -> None:
        """The file of positions is for the engine's account only, and holds nothing of what was read."""
        await harness.start(FakePipeline())
        harness.write("CANARI 285017511867881")
        await until(lambda: harness.offset() > 0)
        file = harness.state / "test.json"
        assert b"CANARI" not in file.read_bytes()
        assert b"285017511867881" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        assert harness.state.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in harness.state.iterdir()] == ["test.json"]

    @pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"salt": "zz"}', b'{"salt": "00", "marks": []}'])
    async def test_damaged_positions(self, harness: LogHarness, damage: bytes) -> None:
        """Positions that cannot be read are lost, not fatal: everything is given again, and the pipeline knows it."""
        harness.state.mkdir()
        (harness.state / "test.json").write_bytes(damage)
        harness.write("one")
        await harness.start(FakePipeline(), begin_at="end")
        await harness.read("one")
        await until(lambda: harness.offset() == 4)

    async def test_positions_that_cannot_be_kept(self, harness: LogHarness) -> None:
        """A state that cannot be a folder is one clear error at the start."""
        harness.state.write_bytes(b"")
        with pytest.raises(ConfigError, match="state: the positions cannot be kept here"):
            await harness.start(FakePipeline())

    @pytest.mark.parametrize("pattern", [".", "*", "*.json", "t*"])
    @pytest.mark.parametrize("name", ["path", "rotated"])
    async def test_positions_among_the_logs(self, harness: LogHarness, name: str, pattern: str) -> None:
        """Positions that would be read as a log, and move at each reading, are one clear error at the start."""
        harness.state.mkdir()
        with pytest.raises(ConfigError, match="state: the positions would be read as a log"):
            await harness.start(FakePipeline(), **{name: harness.state / pattern})
        await harness.start(FakePipeline(), **{name: harness.state / "*.log"})

    async def test_folder_that_is_not_there(self, harness: LogHarness) -> None:
        """A log below a folder that does not exist is one clear error at the start."""
        with pytest.raises(ConfigError, match="this log cannot be followed: there is no such folder"):
            await harness.start(FakePipeline(), path=harness.folder / "none" / "*.log")


class TestMapping:
    """The mapping of a feed."""

    @pytest.mark.parametrize("name", ["platform-json", "platform-csv", "application-log"])
    def test_shipped_mappings_are_found_by_their_name(self, tmp_path: Path, name: str) -> None:
        """``logs/platform-json.yaml`` is the shipped one when the configuration's folder has none of that name."""
        settings = LogSettings(path=tmp_path / "x", mapping=tmp_path / "logs" / f"{name}.yaml", state=tmp_path)
        assert mapping_file(settings) == resources.path(f"logs/{name}.yaml")
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / f"{name}.yaml").write_text(MAPPING)
        assert mapping_file(settings) == tmp_path / "logs" / f"{name}.yaml"

    async def test_a_mapping_that_is_wrong_is_told_at_the_start(self, harness: LogHarness) -> None:
        """A sample that is not read as it says keeps the feed from being made."""
        harness.mapping.with_suffix(".sample").write_text(SAMPLE.replace("expect: accepted", "expect: refused"))
        with pytest.raises(ConfigError, match=r"mapping\.sample:2: this sample is read as accepted, not as refused"):
            await harness.start(FakePipeline())
