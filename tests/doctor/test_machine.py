"""The machine and its clock."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from msgspec import structs

from engine.doctor import clock as clocks
from engine.doctor import machine as machines
from engine.doctor.clock import clock, synchronised
from engine.doctor.machine import available_memory, files, machine, memory, open_files
from tests.doctor.site import CONFIG, codes, samples, site


def test_this_machine(tmp_path: Path) -> None:
    """It can run the tests: it has a Python, memory and files."""
    found = machine(site(tmp_path))
    assert [one.place for one in found] == ["python", "memory", "files"]
    assert "python-old" not in codes(found)
    assert available_memory() > 10_000_000
    assert open_files(os.getpid()) == open_files(0)


def test_what_is_too_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, files, and a Python that is too old."""
    assert codes(memory(100_000_000)) == {"memory-low": "memory"}
    assert codes(memory(400_000_000)) == {}
    assert memory(0) == []
    assert codes(files(1_024, 2_000)) == {"files-few": "files"}
    assert codes(files(2_000, 2_000)) == codes(files(0, 2_000)) == {}
    many = f"{CONFIG.format(http=0, mllp=0).rstrip()[:-1]}, max_connections: 10000}}\n"
    found = [one for one in machine(site(tmp_path, many)) if one.place == "files"]
    assert "10064" in found[0].what
    monkeypatch.setattr(machines, "OLDEST", (sys.version_info[0], sys.version_info[1] + 1))
    assert codes(machine(site(tmp_path)))["python-old"] == "python"


def test_a_clock_that_nothing_keeps_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel says; nothing is said where it does not tell."""
    assert synchronised() in {True, False, None}
    for kept, code in ((True, {}), (None, {}), (False, {"clock-adrift": "clock"})):
        monkeypatch.setattr(clocks, "synchronised", lambda kept=kept: kept)
        assert codes(clock(site(tmp_path))) == code


def test_a_clock_that_went_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine received a message later than now."""
    monkeypatch.setattr(clocks, "synchronised", lambda: True)
    running = samples(("jauge_feed_last_message_timestamp_seconds", {"feed": "his"}, time.time() + 3_600))
    assert codes(clock(site(tmp_path, running=running))) == {"clock-behind": "clock"}


def test_a_time_zone_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without tzdata."""
    monkeypatch.setattr(clocks, "synchronised", lambda: True)
    given = site(tmp_path)
    lost = structs.replace(given.config.establishments[0], time_zone="Europe/Atlantis")
    given = structs.replace(given, config=structs.replace(given.config, establishments=(lost,)))
    assert codes(clock(given)) == {"zone-unknown": "clock"}
