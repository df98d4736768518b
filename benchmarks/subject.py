"""The engine as the benchmarks use it, and the processes and folders that they need: cleaned up whatever happens."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from engine.parsers.context import Context
from engine.parsers.dtm import Zone
from engine.privacy import Pseudonyms

ROOT = Path(__file__).resolve().parent.parent

CONFIGURATION = """\
store: store/jauge.sqlite3
keys: keys
http:
  port: {http}
log:
  format: json
  level: warning
establishments:
  - finess: "990000001"
    name: Benchmark
feeds:
  - name: adt
    listener: mllp
    establishment: "990000001"
    port: {mllp}
"""


def context() -> Context:
    """A feed with real keyed pseudonyms, as the engine makes them in production."""
    return Context(
        establishment="990000001",
        domain="990000001",
        pseudonym=Pseudonyms(bytes(range(32))).of,
        zone=Zone("Europe/Paris"),
    )


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder on the disk of the checkout (/tmp may be memory), removed afterwards."""
    parent = ROOT / ".bench"
    parent.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def echo(*options: str) -> Iterator[int]:
    """The bare echo in its own process (``ack``: one that acknowledges): its port."""
    port = free_port()
    with process([sys.executable, "-m", "benchmarks.echo", str(port), *options]) as child:
        wait(child, lambda: connects(port))
        yield port


@dataclass
class Engine:
    """A running ``jauge run``."""

    mllp: int
    http: int
    pid: int

    def memory(self) -> int:
        """Resident memory now, in bytes (Linux)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("this system does not tell the memory of a process")

    def metrics(self) -> bytes:
        """The page /metrics."""
        with urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=60) as answer:
            return bytes(answer.read())

    def pending(self) -> int:
        """Messages that are on disk and not in the indicators yet."""
        for line in self.metrics().splitlines():
            if line.startswith(b"jauge_ledger_pending_messages "):
                return int(float(line.split()[1]))
        raise RuntimeError("/metrics has no jauge_ledger_pending_messages")

    def settle(self, seconds: float = 120.0) -> float:
        """Wait until everything is counted; messages counted a second meanwhile (0 when there was nothing to wait for)."""
        start, first = monotonic(), self.pending()
        while self.pending():
            if monotonic() - start > seconds:
                raise TimeoutError(f"still not counted after {seconds:.0f} s")
            sleep(0.1)
        return first / (monotonic() - start) if first > 100 else 0.0


def configure(place: Path) -> Path:
    """Write a configuration into a folder (unless it has one) and give its path."""
    file = place / "jauge.yaml"
    if not file.exists():
        (place / "store").mkdir(exist_ok=True)
        file.write_text(CONFIGURATION.format(http=free_port(), mllp=free_port()))
    return file


@contextmanager
def engine(place: Path) -> Iterator[Engine]:
    """``jauge run`` in that folder, ready; stopped politely at the end."""
    file = configure(place)
    ports = [int(line.split()[1]) for line in file.read_text().splitlines() if line.strip().startswith("port:")]
    with process([sys.executable, "-m", "engine.cli", "run", "--config", str(file)]) as child:
        running = Engine(mllp=ports[1], http=ports[0], pid=child.pid)
        wait(child, lambda: ready(running.http))
        yield running


@contextmanager
def process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is told to stop when the block ends, and killed if it does not."""
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait(child: subprocess.Popen[bytes], done: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until ``done()``; raises when the child stops before or takes too long."""
    start = monotonic()
    while not done():
        if child.poll() is not None:
            raise RuntimeError(f"{child.args} stopped with exit code {child.returncode}")
        if monotonic() - start > seconds:
            raise TimeoutError(f"{child.args} was not ready after {seconds:.0f} s")
        sleep(0.05)


def connects(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def ready(port: int) -> bool:
    """Whether the engine says that it is ready."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
