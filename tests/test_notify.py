"""What systemd is told, by a real datagram socket; and by the real process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.ledger.ledger import Ledger
from engine.metrics.settings import RuleSettings
from engine.notify import Notifier
from engine.pipeline import Pipeline
from engine.privacy import PURPOSES
from tests.e2e.engine import CONFIG, free_port

DEADLINE = 60.0


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """systemd's side of the socket; ``@name`` is abstract."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as side:
        side.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        side.settimeout(DEADLINE)
        yield side


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A free address of each kind."""
    return f"@jauge-test-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")


def test_what_is_said(address: str) -> None:
    """READY with its status, then STOPPING."""
    with listening(address) as systemd:
        notifier = Notifier({"NOTIFY_SOCKET": address})
        notifier.ready("1 feeds; web on port 9464")
        notifier.stopping()
        assert systemd.recv(1_024) == b"READY=1\nSTATUS=1 feeds; web on port 9464"
        assert systemd.recv(1_024) == b"STOPPING=1\nSTATUS=stopping"


@pytest.mark.parametrize("value", ["", "relative", "/", "@", "vsock:2:1234", "/absent/socket"])
async def test_elsewhere_nothing_happens(value: str) -> None:
    """Without systemd, or with a socket that is not there, nothing is said and nothing fails."""
    notifier = Notifier({"NOTIFY_SOCKET": value})
    notifier.ready("")
    notifier.stopping()
    await notifier.watch(lambda _: True)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": ""}, 0.0),
        ({}, 0.0),
    ],
)
def test_watchdog_time(environ: dict[str, str], seconds: float) -> None:
    """The time of the unit, when it is this process that is watched."""
    assert Notifier({"NOTIFY_SOCKET": "/absent/socket", **environ}).watchdog_seconds == seconds


async def test_nothing_is_said_while_the_rest_does_not_move(tmp_path: Path) -> None:
    """Alive, then not, then again: one datagram for each time it was alive, none for the others."""
    address = str(tmp_path / "notify")
    answers = iter([True, False, False, True])
    asked = 0

    def alive(seconds: float) -> bool:
        nonlocal asked
        assert seconds == pytest.approx(0.01)
        asked += 1
        return next(answers)  # the fifth question ends the watch

    with listening(address) as systemd:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"}).watch(alive)
        systemd.setblocking(False)
        said = []
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(systemd.recv(1_024))
    assert (asked, said) == (5, [b"WATCHDOG=1"] * 2)


async def test_a_pipeline_whose_writer_is_gone_is_not_alive(tmp_path: Path) -> None:
    """Alive from its start to its end; not when it did not move for longer than is asked."""
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(), dict.fromkeys(PURPOSES, b"12345678"))
    pipeline = Pipeline(ledger, {})
    assert not pipeline.alive(DEADLINE)
    pipeline.start()
    assert pipeline.alive(DEADLINE)
    assert not pipeline.alive(-1.0)
    await pipeline.stop()
    assert not pipeline.alive(DEADLINE)
    ledger.close()


class TestProcess:
    """``jauge run`` as systemd starts it."""

    @pytest.fixture
    def http(self) -> int:
        """The port of the web."""
        return free_port()

    @pytest.fixture
    def engine(self, tmp_path: Path, http: int) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
        """The process and systemd's side of its socket; a watchdog of half a second."""
        config = tmp_path / "jauge.yaml"
        config.write_text(CONFIG.format(http=http, mllp=free_port()), encoding="utf-8")
        address = str(tmp_path / "notify")
        environ = os.environ | {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "500000"}
        environ.pop("WATCHDOG_PID", None)
        with listening(address) as systemd:
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "run", "--config", str(config)],
                env=environ,
                stderr=subprocess.DEVNULL,
            )
            yield process, systemd
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def test_ready_then_alive_then_stopping(
        self, engine: tuple[subprocess.Popen[bytes], socket.socket], http: int
    ) -> None:
        """The first word comes when the ports are open; then signs of life; STOPPING after SIGTERM, and nothing more."""
        process, systemd = engine
        assert systemd.recv(1_024).startswith(b"READY=1\nSTATUS=1 feeds; web on port ")
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/readyz", timeout=DEADLINE) as answer:
            assert answer.status == 200
        assert systemd.recv(1_024) == b"WATCHDOG=1"
        assert systemd.recv(1_024) == b"WATCHDOG=1"
        process.terminate()
        while (word := systemd.recv(1_024)) == b"WATCHDOG=1":
            pass
        assert word == b"STOPPING=1\nSTATUS=stopping"
        assert process.wait(DEADLINE) == 0
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(1_024)

    def test_a_process_that_is_stuck_says_nothing(self, engine: tuple[subprocess.Popen[bytes], socket.socket]) -> None:
        """Stopped by a signal, it is silent for longer than its watchdog; let go on, it speaks again."""
        process, systemd = engine
        while systemd.recv(1_024) != b"WATCHDOG=1":
            pass
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        systemd.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # what was said before
            while True:
                systemd.recv(1_024)
        systemd.settimeout(1.0)
        with pytest.raises(TimeoutError):
            systemd.recv(1_024)
        process.send_signal(signal.SIGCONT)
        systemd.settimeout(DEADLINE)
        assert systemd.recv(1_024) == b"WATCHDOG=1"


async def test_a_loop_that_is_stuck_says_nothing(tmp_path: Path) -> None:
    """What holds the event loop holds the watchdog: no sign of life leaves before the loop is free again."""
    address = str(tmp_path / "notify")
    with listening(address) as systemd:
        watching = asyncio.create_task(
            Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"}).watch(lambda _: True)
        )
        await asyncio.sleep(0)
        assert systemd.recv(1_024) == b"WATCHDOG=1"
        systemd.settimeout(0.5)
        with pytest.raises(TimeoutError):  # the wait itself holds the loop
            systemd.recv(1_024)
        systemd.setblocking(False)
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.sock_recv(systemd, 1_024), DEADLINE) == b"WATCHDOG=1"
        watching.cancel()
