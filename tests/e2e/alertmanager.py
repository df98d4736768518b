"""A real Alertmanager in a process of its own, over a configuration that is given."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.e2e.engine import free_port


class Alertmanager:
    """``prometheus-alertmanager`` over a folder, on a free port of 127.0.0.1, alone in its cluster."""

    def __init__(self, folder: Path, program: str) -> None:
        """``folder`` holds ``alertmanager.yml`` and its templates."""
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = folder / "alertmanager.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._program = program

    def __enter__(self) -> Self:
        """Start it, and wait until it answers (60 s at most)."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self.folder / 'alertmanager.yml'}",
                    f"--storage.path={self.folder / 'data'}",
                    f"--web.listen-address={self.address}",
                    "--cluster.listen-address=",
                    "--log.level=debug",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "GOMAXPROCS": "1"},
            )
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError("Alertmanager ended: " + self.told())
            try:
                with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5):
                    return self
            except OSError:
                time.sleep(0.1)
        self.__exit__()
        raise AssertionError("Alertmanager does not answer after a minute: " + self.told())

    def __exit__(self, *_: object) -> None:
        """No Alertmanager outlives its test."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that it holds: ``labels``, ``annotations``, ``status`` (with ``inhibitedBy``)."""
        with urllib.request.urlopen(f"http://{self.address}/api/v2/alerts", timeout=30) as answer:
            return list(json.load(answer))

    def flushed(self) -> int:
        """How often it looked at a group of alerts, to see whether there is something to say."""
        return self.told().count("msg=flushing")

    def told(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""
