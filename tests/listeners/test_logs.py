"""Followed logs, on real files: every way in which a log is rotated, cut, copied, deleted and compressed."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine import resources
from engine.errors import ConfigError
from engine.listeners.logs import LogSettings, mapping_file
from tests.listeners.conformance import ACCEPTED, REFUSED, UNAVAILABLE, Conformance, FakePipeline, Harness, until
from tests.listeners.log_harness import MAPPING, SAMPLE, LogHarness


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
        await until(lambda: harness.offset() == 4)
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
        await harness.stop()
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
