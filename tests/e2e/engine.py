"""A real engine in a process of its own, for the tests that kill it, feed it and read what it shows."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{host: 127.0.0.1, port: {http}}}
log: {{format: json, level: info}}
indicators: {{count_test_ins: true}}
establishments:
  - {{finess: "990000001", name: CH Fictif}}
feeds:
  - {{name: his, listener: mllp, establishment: "990000001", host: 127.0.0.1, port: {mllp}}}
"""


_kept: deque[socket.socket] = deque(maxlen=100)
"""The latest ports that were given, bound and not listened on: the system gives them to nobody else, and whoever asks for one by its
number may listen on it."""


def free_port() -> int:
    """A port that nobody listens on, and that is given once."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    if len(_kept) == _kept.maxlen:
        _kept.popleft().close()
    _kept.append(kept)
    return int(kept.getsockname()[1])


class RunningEngine:
    """``jauge run`` over a folder; may be killed and started again."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.folder = folder
        self.http, self.mllp = free_port(), free_port()
        self.config = folder / "jauge.yaml"
        self.config.write_text(config.format(http=self.http, mllp=self.mllp), encoding="utf-8")
        self.log = folder / "log.jsonl"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """No engine outlives its test."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "run", "--config", str(self.config)],
                stderr=log,
                stdout=log,
            )
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the engine ended with {self.process.returncode}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=30) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the engine is not ready after 90 s")

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=60)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same configuration."""
        return subprocess.run(
            [sys.executable, "-m", "engine.cli", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample of /metrics by name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: Any) -> float:
        """One sample of /metrics."""
        return self.metrics()[name, frozenset(labels.items())]

    def settle(self) -> None:
        """Wait until everything acknowledged is counted and shown."""
        asked = time.time()
        for _ in range(3000):
            shown = self.metrics()  # a page is at most half a second old, or much older where the machine is busy
            taken, pending = (
                shown[name, frozenset[tuple[str, str]]()]
                for name in ("jauge_snapshot_timestamp_seconds", "jauge_ledger_pending_messages")
            )
            if taken > asked and not pending:
                return
            time.sleep(0.2)
        raise AssertionError("messages are still pending after minutes")
