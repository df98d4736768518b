"""The directory of correspondents is renewed while the engine runs: noticed, read aside, everyone judged again, nobody kept waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.correspondents import Correspondents, Stamp, stamp
from engine.errors import ConfigError
from engine.metrics.snapshot import Snapshot
from engine.renewal import Renewal
from engine.service import Engine, config_problems, load_config
from tests.messages import adt

CONFIG = """\
store: var/jauge.db
keys: keys
http: {port: 0}
correspondents: correspondents.csv
establishments:
  - {finess: "990000001", name: CH Fictif, mssante_domains: [ch-fictif.mssante.fr], official_values: {P4.3: true}}
feeds:
  - {name: his, listener: mllp, establishment: "990000001", port: 0}
"""
ONE = "address\na@x.mssante.fr\n"
TWO = ONE + "b@x.mssante.fr\nnot one\n"


async def until(true: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    for _ in range(6_000):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came")


class Reader:
    """What a renewal calls: counts its calls, and may fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(ONE)
        self.read = 0
        self.taken: list[Correspondents] = []
        self.fails = False
        self.meanwhile: Callable[[], object] = lambda: None

    def load(self) -> Correspondents:
        """Reads, in a thread."""
        self.read += 1
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if self.fails:
            raise ConfigError(str(self.path), 3, "is at fault", "mend it")
        return Correspondents(count=self.read)

    @asynccontextmanager
    async def watched(self, every: float = 0.01) -> AsyncIterator[Renewal]:
        """Looked at often."""
        renewal = Renewal(self.path, stamp(self.path), self.load, self.taken.append, every=every)
        task = asyncio.create_task(renewal.run())
        try:
            yield renewal
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def write(self, text: str, at: int) -> None:
        """Another writing of the file, renamed over the former one."""
        other = self.path.with_suffix(".new")
        other.write_text(text)
        os.utime(other, (at, at))
        other.replace(self.path)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A file that is read."""
    return Reader(tmp_path / "correspondents.csv")


class TestRenewal:
    """When the file is read again."""

    async def test_a_known_writing_is_not_read(self, reader: Reader) -> None:
        """As long as the file is the same, it is looked at and not read."""
        async with reader.watched():
            await asyncio.sleep(0.1)
        assert reader.read == 0

    async def test_another_writing(self, reader: Reader) -> None:
        """Another writing is read once, and handed over."""
        async with reader.watched():
            reader.write(TWO, 1_700_000_000)
            await until(lambda: len(reader.taken) == 1)
            await asyncio.sleep(0.05)
        assert reader.read == 1

    async def test_asked(self, reader: Reader) -> None:
        """What is asked for is done at once, even for a writing that is known."""
        async with reader.watched(every=3_600) as renewal:
            renewal.ask()
            await until(lambda: len(reader.taken) == 1)

    async def test_a_fault_keeps_the_former(self, reader: Reader) -> None:
        """A file that is none is not taken, not read again and again, and the next writing is."""
        reader.fails = True
        async with reader.watched():
            reader.write(TWO, 1_700_000_000)
            await until(lambda: reader.read == 1)
            await asyncio.sleep(0.05)
            assert (reader.read, reader.taken) == (1, [])
            reader.fails = False
            reader.write(TWO, 1_700_000_001)
            await until(lambda: len(reader.taken) == 1)

    async def test_written_again_meanwhile(self, reader: Reader) -> None:
        """What was read while the file changed is not taken: it is read again."""
        reader.meanwhile = lambda: reader.write(ONE, 1_700_000_009)
        async with reader.watched():
            reader.write(TWO, 1_700_000_000)
            await until(lambda: len(reader.taken) == 1)
        assert (reader.read, reader.taken[0].count) == (2, 2)

    async def test_gone(self, reader: Reader) -> None:
        """A file that is taken away is a fault like any other."""
        reader.fails = True
        async with reader.watched():
            reader.path.unlink()
            await until(lambda: reader.read == 1)
            assert stamp(reader.path) == Stamp()
        assert reader.taken == []


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration with a directory of one correspondent."""
    (tmp_path / "jauge.yaml").write_text(CONFIG)
    (tmp_path / "correspondents.csv").write_text(ONE)
    return tmp_path


def equipped(snapshot: Snapshot) -> int:
    """How many correspondents are equipped, as it is shown everywhere."""
    (rate,) = [v for v in snapshot.indicators if (v.indicator, v.window) == ("DS4.1_directory", "rolling")]
    assert rate.denominator == snapshot.directory.equipped
    return rate.denominator


class TestEngine:
    """A whole engine."""

    async def test_renewed_live(self, site: Path) -> None:
        """A new file shows, while messages are acknowledged; after a restart the store is already as it says."""
        engine = Engine(load_config(site / "jauge.yaml"))
        await engine.start()
        try:
            assert equipped(engine.snapshot) == 1
            (site / "correspondents.csv").write_text(TWO)
            assert engine.renewal is not None
            engine.renewal.ask()
            for number in range(1, 40):
                assert (await engine.pipeline.accept(adt(number), "his")).status == "accepted"
            await until(lambda: equipped(engine.snapshot) == 2)
            assert engine.snapshot.directory.faults == 1
            fingerprint = engine.ledger.settings.fingerprint()
            await until(lambda: engine.ledger._meta("settings") == fingerprint)
        finally:
            await engine.stop()
        again = Engine(load_config(site / "jauge.yaml"))
        assert again.ledger.settings.fingerprint() == fingerprint
        again.ledger.close()

    async def test_the_same_words_at_another_date(self, site: Path) -> None:
        """A file written again with the same lines is younger, and nobody is judged again."""
        os.utime(site / "correspondents.csv", (1_500_000_000, 1_500_000_000))
        engine = Engine(load_config(site / "jauge.yaml"))
        await engine.start()
        try:
            found = {v.indicator: v.missed for v in engine.snapshot.indicators}
            assert found["D6.2"] == {"directory_old": 1}
            (site / "correspondents.csv").write_text(ONE)
            assert engine.renewal is not None
            engine.renewal.ask()
            await until(lambda: not {v.indicator: v.missed for v in engine.snapshot.indicators}["D6.2"])
        finally:
            await engine.stop()

    async def test_hang_up(self, site: Path) -> None:
        """SIGHUP has the directory read again, and does not end the engine."""
        engine = Engine(load_config(site / "jauge.yaml"))
        task = asyncio.create_task(engine.run())
        await until(engine.ready)
        (site / "correspondents.csv").write_text(TWO)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: equipped(engine.snapshot) == 2)
        os.kill(os.getpid(), signal.SIGTERM)
        await task

    def test_a_file_that_is_none(self, site: Path) -> None:
        """An engine does not start on a directory that is none."""
        (site / "correspondents.csv").write_text("nom;telephone\n")
        with pytest.raises(ConfigError) as raised:
            Engine(load_config(site / "jauge.yaml"))
        assert (raised.value.line, raised.value.message) == (1, "column address is missing")

    def test_check_config(self, site: Path) -> None:
        """jauge check-config tells the lines at fault, with the file and the mend; our own mailboxes are known by the settings."""
        (site / "correspondents.csv").write_text(TWO + "c@ch-fictif.mssante.fr\n")
        (error,) = config_problems(site / "jauge.yaml")
        assert (error.file, error.line) == (str(site / "correspondents.csv"), 4)
        assert error.message == "column address: is not a mail address"

    async def test_what_is_shown(self, site: Path) -> None:
        """The official value is beside what is observed, and the age, the faults and the number of correspondents are shown."""
        engine = Engine(load_config(site / "jauge.yaml"))
        await engine.start()
        try:
            shown = engine.snapshot
            assert shown.official == {("P4.3", "990000001"): True}
            assert {v.indicator: v.missed for v in shown.indicators}["P4.3"] == {"no_mail_seen": 1}
            assert (shown.directory.equipped, shown.directory.unequipped, shown.directory.unknown) == (
                1,
                0,
                {"990000001": 0},
            )
            assert shown.directory.updated_at == int((site / "correspondents.csv").stat().st_mtime)
        finally:
            await engine.stop()
