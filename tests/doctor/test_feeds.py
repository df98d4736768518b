"""Feeds: alive, late, silent, unknown; and the files and folders that they follow."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.doctor.engine import engine
from engine.doctor.feeds import feeds
from engine.doctor.running import Running
from tests.doctor.site import CONFIG, codes, samples, site

LAST, LIMIT = "jauge_feed_last_message_timestamp_seconds", "jauge_feed_silence_limit_seconds"
HIS = {"feed": "his"}
LOG = '  - {{name: log, listener: logs, establishment: "990000001", path: {path}, mapping: logs/platform-json.yaml, state: s}}\n'
CAPTURES = '  - {{name: dump, listener: captures, establishment: "990000001", path: {path}}}\n'


@pytest.mark.parametrize(
    ("silence", "limit", "code"),
    [
        (30, 0, ""),
        (30, 600, ""),
        (90_000, 0, ""),
        (900, 600, "feed-late"),
        (4_000, 600, "feed-silent"),
        (None, 0, "feed-never"),
    ],
)
def test_the_life_of_a_feed(tmp_path: Path, silence: int | None, limit: int, code: str) -> None:
    """Against its own habit; without a habit, alive."""
    last = 0.0 if silence is None else time.time() - silence
    found = feeds(site(tmp_path, running=samples((LAST, HIS, last), (LIMIT, HIS, limit))))
    assert codes(found) == ({code: "feeds.his"} if code else {})


def test_a_feed_that_the_engine_does_not_know(tmp_path: Path) -> None:
    """It was added since the start."""
    found = feeds(site(tmp_path, running=samples((LAST, {"feed": "other"}, 1.0))))
    assert codes(found) == {"feed-unknown": "feeds.his"}


def test_no_engine_runs(tmp_path: Path) -> None:
    """Nothing is said of the life of feeds."""
    assert feeds(site(tmp_path)) == []


@pytest.mark.parametrize(
    ("metric", "labels", "code"),
    [
        ("jauge_messages_rejected_total", {"code": "no-msh"}, "feed-unread"),
        ("jauge_connections_refused_total", {}, "feed-turned-away"),
        ("jauge_tls_failures_total", {}, "feed-tls"),
        ("jauge_junk_bytes_total", {}, "feed-junk"),
    ],
)
def test_the_troubles_of_a_feed(tmp_path: Path, metric: str, labels: dict[str, str], code: str) -> None:
    """Each counter that should stay at zero, or small."""
    said = samples(
        (LAST, HIS, time.time()),
        ("jauge_messages_received_total", HIS, 10.0),
        (metric, {**HIS, **labels}, 8.0),
        (metric, {"feed": "other", **labels}, 99.0),
    )
    found = feeds(site(tmp_path, running=said))
    assert codes(found) == {code: "feeds.his"}
    assert not labels or labels["code"] in found[1].what


def test_a_log(tmp_path: Path) -> None:
    """A pattern that finds files, one that finds none, one whose file the account may not read."""
    (tmp_path / "dmp-1.log").touch()
    text = CONFIG.format(http=0, mllp=0)
    found = feeds(site(tmp_path, text + LOG.format(path="dmp-*.log")))
    assert [(one.place, one.state) for one in found] == [("feeds.log", "ok")]
    assert codes(feeds(site(tmp_path, text + LOG.format(path="absent.log")))) == {"path-absent": "feeds.log"}
    found = feeds(site(tmp_path, text + LOG.format(path="absent/dmp.log")))
    assert [(one.code, one.state) for one in found] == [("path-absent", "problem")]  # the engine would not start
    (tmp_path / "dmp-1.log").chmod(0o600)
    found = feeds(site(tmp_path, text + LOG.format(path="dmp-1.log"), user=65_534))
    assert codes(found) == {"path-unreadable": "feeds.log"}
    assert "setfacl" in found[0].do


def test_a_folder_of_captures(tmp_path: Path) -> None:
    """Files are moved out of it: it must be read and written."""
    folder = tmp_path / "dump"
    folder.mkdir()
    text = CONFIG.format(http=0, mllp=0) + CAPTURES.format(path="dump")
    assert codes(feeds(site(tmp_path, text))) == {}
    given = site(tmp_path, text, user=65_534)
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(path.stat().st_mode | 0o011)
    folder.chmod(0o755)
    assert codes(feeds(given)) == {"path-unwritable": "feeds.dump"}
    folder.chmod(0o700)
    assert codes(feeds(given)) == {"path-unreadable": "feeds.dump"}
    folder.rmdir()
    assert codes(feeds(given)) == {"path-absent": "feeds.dump"}


@pytest.mark.parametrize(
    ("running", "code"),
    [
        (Running(), "engine-stopped"),
        (Running(pid=1, answers=True, ready=True, refused=True), "engine-refuses"),
        (Running(pid=1, answers=True), "engine-not-ready"),
        (samples(("jauge_build_info", {"version": "0.0.9", "python": "3.11.2"}, 1)), "engine-other-version"),
        (samples(("jauge_snapshot_timestamp_seconds", {}, 1_000_000)), "engine-stuck"),
        (samples(("jauge_ledger_pending_messages", {}, 50_000)), "engine-late"),
        (samples(("jauge_aside_messages", {}, 3)), "engine-aside"),
        (samples(("jauge_messages_received_total", {"feed": "lab"}, 3)), "engine-other-feeds"),
        (samples(("jauge_ledger_facts_dropped_total", {}, 1)), "engine-dropped"),
    ],
)
def test_the_engine(tmp_path: Path, running: Running, code: str) -> None:
    """Each way in which a running engine is not well has its code."""
    found = [one for one in engine(site(tmp_path, running=running), old_figures=False) if one.code]
    assert [one.code for one in found] == [code]
    assert found[0].do


def test_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    """It holds the store; when its port is any free one, it could not be asked."""
    text = CONFIG.format(http=9, mllp=0)
    assert codes(engine(site(tmp_path, text, Running(pid=1)), old_figures=False)) == {"engine-mute": "engine"}
    assert codes(engine(site(tmp_path, running=Running(pid=1)), old_figures=False)) == {}


def test_old_figures(tmp_path: Path) -> None:
    """The settings of the counting changed since."""
    assert codes(engine(site(tmp_path, running=samples()), old_figures=True)) == {"figures-old": "store"}
