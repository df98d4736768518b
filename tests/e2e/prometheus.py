"""A real Prometheus in a process of its own: scrapes what it is given, holds the rules it is given, and answers queries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.e2e.engine import free_port


def find(name: str = "prometheus") -> str | None:
    """The path of a program of Debian's packages: ``prometheus``, ``promtool``, ``prometheus-alertmanager``, ``amtool``; None when it is not here."""
    return shutil.which(name)


class Prometheus:
    """``prometheus`` over a folder, on a free port of 127.0.0.1; nothing of it is left after :meth:`stop` but the folder.

    As a rule::

        with Prometheus.start(tmp_path, [f"127.0.0.1:{engine.http}"], [RULES]) as prometheus:
            prometheus.wait("up == 1")
            rows = prometheus.query("sum(jauge_messages_received_total)")
    """

    def __init__(
        self,
        folder: Path,
        targets: Sequence[str],
        rules: Sequence[Path] = (),
        *,
        interval: str = "1s",
        config: Mapping[str, Any] | None = None,
        config_file: Path | None = None,
        history: str | None = None,
        program: str | None = None,
    ) -> None:
        """Write its configuration; :meth:`begin` starts it, :meth:`start` does both.

        ``targets``: ``host:port`` of the job ``jauge``. ``interval``: of scrapes and of rules. ``config``: a whole configuration instead of
        the one made of these (Prometheus' own keys); ``config_file``: the same in a file, beside what it names. ``history``: OpenMetrics text with timestamps, kept as if it had been scraped then.
        """
        self.folder = folder / "prometheus"
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._program = program or find() or "prometheus"
        made = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "jauge", "static_configs": [{"targets": list(targets)}]}],
        }
        self.config = config_file or self.folder / "prometheus.yml"
        if config_file is None:
            self.config.write_text(yaml.safe_dump(dict(config or made), allow_unicode=True), encoding="utf-8")
        self.data = self.folder / "data"
        self.log = self.folder / "prometheus.log"
        if history is not None:
            self._remember(history)

    @classmethod
    def start(cls, folder: Path, targets: Sequence[str], rules: Sequence[Path] = (), **options: Any) -> Self:
        """One that runs, and answers."""
        made = cls(folder, targets, rules, **options)
        made.begin()
        return made

    def __enter__(self) -> Self:
        """It runs already, or does from here on."""
        if self.process is None:
            self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """No Prometheus outlives its test."""
        self.stop()

    def begin(self) -> None:
        """Start it, and wait until it answers (60 s at most)."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self.config}",
                    f"--storage.tsdb.path={self.data}",
                    "--storage.tsdb.retention.time=10y",
                    f"--web.listen-address={self.address}",
                    "--log.level=warn",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "GOMAXPROCS": "1"},
            )
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError("Prometheus ended: " + self.told())
            try:
                with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise AssertionError("Prometheus does not answer after a minute: " + self.told())

    def stop(self) -> None:
        """kill -9; twice is once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    # -- asking -------------------------------------------------------------------------------------------------------

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The result of an instant query, as the API gives it: ``[{"metric": {...}, "value": [time, "1"]}]``; an expression at fault raises."""
        asked = {"query": expr} | ({} if at is None else {"time": str(at)})
        found = self.api("query", **asked)
        if found["resultType"] in {"scalar", "string"}:
            return [{"metric": {}, "value": found["result"]}]
        return list(found["result"])

    def query_range(self, expr: str, start: float, end: float, step: float | str) -> list[dict[str, Any]]:
        """The result of a range query: ``[{"metric": {...}, "values": [[time, "1"], ...]}]``; an expression at fault raises."""
        return list(self.api("query_range", query=expr, start=str(start), end=str(end), step=str(step))["result"])

    def values(self, expr: str, at: float | None = None) -> list[float]:
        """The values of an instant query alone."""
        return [float(row["value"][1]) for row in self.query(expr, at)]

    def wait(self, expr: str, seconds: float = 60, *, until: Callable[[list[dict[str, Any]]], bool] = bool) -> Any:
        """Ask until the result is not empty (or is as ``until`` wants it), and give it; an ``AssertionError`` when it never is."""
        deadline = time.monotonic() + seconds
        while not until(rows := self.query(expr)):
            assert time.monotonic() < deadline, f"{expr} has still {rows}: {self.told()}"
            time.sleep(0.25)
        return rows

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are pending or firing now."""
        return list(self.api("alerts")["alerts"])

    def api(self, path: str, **asked: str) -> Any:
        """``data`` of an answer of ``/api/v1``; what Prometheus refuses is an ``AssertionError`` with its words."""
        query = f"?{urllib.parse.urlencode(asked)}" if asked else ""
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}{query}", timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{asked}: {error.read().decode(errors='replace')}") from None

    def told(self) -> str:
        """Its log: warnings and errors."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _remember(self, history: str) -> None:
        """Put the past into its store, with Prometheus' own tool."""
        text = self.folder / "history.txt"
        text.write_text(history, encoding="utf-8")
        tool = find("promtool")
        assert tool, "promtool is not here: scripts/tools brings it"
        done = subprocess.run(
            [tool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(self.data)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
