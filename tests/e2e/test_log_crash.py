"""kill -9 in the middle of a growing log, again and again: every line is counted, once."""

from __future__ import annotations

import json
import random
import re
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.engine import RunningEngine

KILLS = 20
LINES = 6_000
SHARES = KILLS + 4  # the last ones are written after the last kill

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{host: 127.0.0.1, port: {http}}}
log: {{format: json, level: info}}
indicators: {{count_test_ins: true}}
establishments:
  - {{finess: "990000001", name: CH Fictif}}
feeds:
  - name: platform
    listener: logs
    establishment: "990000001"
    path: dmp.log
    rotated: dmp.log.*
    mapping: logs/platform-json.yaml
    state: var/logs
    poll_seconds: 0.02
    quiet_seconds: 0.2
"""


def line(number: int, begin: datetime) -> bytes:
    """One submission of a document of its own, accepted; every tenth line is something else."""
    at = (begin + timedelta(seconds=number)).isoformat()
    if number % 10 == 9:
        return json.dumps({"time": at, "event": "http.request", "path": f"/CANARI/{number}"}).encode() + b"\n"
    return (
        json.dumps(
            {
                "time": at,
                "event": "dmp.submission",
                "status": "ACCEPTED",
                "document_id": f"1.2.250.1.999.42.{number}",
                "message_id": f"urn:uuid:CANARI-{number}",
                "visit": f"CANARI{number % 500}",
                "type_code": "11490-0",
            }
        ).encode()
        + b"\n"
    )


class Writer(threading.Thread):
    """A platform that writes its log in small uneven pieces, as many lines as it is allowed, and renames it now and then."""

    def __init__(self, path: Path, lines: list[bytes], chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.lines = lines
        self.chance = chance
        self.allowed = threading.Semaphore(0)
        self.busy = False

    def run(self) -> None:
        """Write everything, a share of the lines for each permission; a line is never in two files."""
        share = len(self.lines) // SHARES
        for number in range(SHARES):
            self.allowed.acquire()
            self.busy = True
            lines = self.lines[number * share : (number + 1) * share]
            cut = self.chance.randrange(share) if number % 4 == 1 else 0
            self.write(b"".join(lines[:cut]))
            if cut:
                self.path.rename(self.path.with_name(f"dmp.log.{number}"))
            self.write(b"".join(lines[cut:]))
            self.busy = False

    def write(self, data: bytes) -> None:
        """Append, piece by piece."""
        with self.path.open("ab", buffering=0) as log:
            while data:
                size = self.chance.randrange(1, 4_000)
                log.write(data[:size])
                data = data[size:]
                time.sleep(0.006)


@pytest.mark.timeout(900)
def test_every_line_of_a_growing_log_is_counted_once_over_twenty_kills(tmp_path: Path) -> None:
    """The engine is killed at any moment while the log grows and is rotated. At the end no line is missing, none counts twice."""
    chance = random.Random(20)
    begin = (datetime.now(UTC) - timedelta(days=5)).replace(microsecond=0)
    lines = [line(number, begin) for number in range(LINES)]
    wanted = sum(b"dmp.submission" in each for each in lines)
    with RunningEngine(tmp_path, CONFIG) as engine:
        writer = Writer(tmp_path / "dmp.log", lines, chance)
        writer.start()
        state = tmp_path / "var" / "logs" / "platform.json"

        def begun() -> bool:
            """Whether the next life begins in the middle of a file."""
            marks = json.loads(state.read_bytes())["marks"] if state.exists() else []
            return any(mark["offset"] > 0 for mark in marks)

        resumed = busy = 0
        for life in range(KILLS):
            engine.start()
            writer.allowed.release()
            while life == 0 and not begun():  # however slow the disk
                time.sleep(0.01)
            time.sleep(chance.uniform(0.01, 0.12))
            busy += writer.busy
            engine.kill()
            resumed += begun()
        assert resumed > KILLS // 2, "most lives must begin in the middle of a file"
        assert busy > KILLS // 3, "many kills must come while the log grows"
        writer.allowed.release(SHARES - KILLS)
        engine.start()
        writer.join()
        for _ in range(600):
            engine.settle()
            received = engine.value("jauge_messages_received_total", feed="platform")
            duplicate = engine.value("jauge_messages_duplicate_total", feed="platform")
            if received - duplicate >= wanted:
                break
        engine.settle()
        received = engine.value("jauge_messages_received_total", feed="platform")
        duplicate = engine.value("jauge_messages_duplicate_total", feed="platform")
        assert received - duplicate == wanted
        assert duplicate < wanted, "a restart reads again a little, not everything"
        rejected = [key for key in engine.metrics() if key[0] == "jauge_messages_rejected_total"]
        assert sum(engine.metrics()[key] for key in rejected) == 0
        assert engine.stop() == 0
        audit = engine.command("audit")
        assert audit.returncode == 0, audit.stdout
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.name.startswith("dmp.log"):
            assert b"CANARI" not in path.read_bytes(), path.name
            assert re.search(rb"1\.2\.250\.1\.999\.42", path.read_bytes()) is None, path.name
    store = sqlite3.connect(tmp_path / "var" / "jauge.db")
    assert store.execute("SELECT count(*) FROM aside").fetchone()[0] == 0
    store.close()
