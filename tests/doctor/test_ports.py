"""Ports: free, ours, somebody else's; addresses that are not of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from engine.doctor.ports import ports
from engine.doctor.running import Running
from engine.doctor.sockets import descends, holders, trial
from tests.doctor.site import CONFIG, codes, site
from tests.e2e.engine import free_port


@pytest.fixture
def taken() -> int:
    """A port that this very process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]  # type: ignore[misc]


def test_free_ports(tmp_path: Path) -> None:
    """Nobody listens: all is well, and the place and the address are said."""
    text = CONFIG.format(http=free_port(), mllp=free_port())
    found = ports(site(tmp_path, text))
    assert [(one.place, one.state) for one in found] == [("http", "ok"), ("feeds.his", "ok")]


def test_a_port_of_somebody_else(tmp_path: Path, taken: int) -> None:
    """It is a problem, which names the process."""
    found = ports(site(tmp_path, CONFIG.format(http=0, mllp=taken)))
    assert codes(found) == {"port-taken": "feeds.his"}
    assert f"(process {os.getpid()})" in found[1].what
    assert "another port" in found[1].do


def test_a_port_of_our_own_engine(tmp_path: Path, taken: int) -> None:
    """The engine that holds the store, or a process that it started, may listen on it."""
    for pid in (os.getpid(), os.getppid()):
        found = ports(site(tmp_path, CONFIG.format(http=0, mllp=taken), Running(pid=pid)))
        assert codes(found) == {}
        assert f"(process {pid})" in found[1].what


def test_a_port_of_somebody_else_while_the_engine_runs(tmp_path: Path, taken: int) -> None:
    """That an engine runs does not make every port its own."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        found = ports(site(tmp_path, CONFIG.format(http=0, mllp=taken), Running(pid=stranger.pid)))
        stranger.kill()
    assert codes(found) == {"port-taken": "feeds.his"}


def test_an_engine_that_does_not_listen_there(tmp_path: Path) -> None:
    """It runs with other settings than those of the file."""
    found = ports(site(tmp_path, CONFIG.format(http=0, mllp=free_port()), Running(pid=os.getpid())))
    assert codes(found) == {"port-not-open": "feeds.his"}


def test_something_else_answers_for_the_page(tmp_path: Path, taken: int) -> None:
    """The web address answers, and not as Jauge does."""
    found = ports(site(tmp_path, CONFIG.format(http=taken, mllp=0), Running(other=True)))
    assert codes(found) == {"web-other": "http"}


@pytest.mark.parametrize(
    ("host", "code"),
    [("192.0.2.1", "address-elsewhere"), ("no such name", "address-unknown"), ("::zz", "address-unknown")],
)
def test_an_address_that_is_not_ours(tmp_path: Path, host: str, code: str) -> None:
    """Nothing could listen there; what to write instead is said."""
    text = CONFIG.format(http=0, mllp=2575).replace("127.0.0.1, port: 2575", f'"{host}", port: 2575')
    found = ports(site(tmp_path, text))
    assert codes(found) == {code: "feeds.his"}
    assert "address" in found[1].do


def test_a_port_under_1024(tmp_path: Path) -> None:
    """The engine's account may not open one, even when root who asks may."""
    port = next(port for port in range(1023, 900, -1) if trial("127.0.0.1", port) in {"free", "forbidden"})
    found = ports(site(tmp_path, CONFIG.format(http=0, mllp=port), user=65_534))
    assert codes(found) == {"port-forbidden": "feeds.his"}


def test_datagrams_have_ports_of_their_own(taken: int) -> None:
    """A TCP port that is taken leaves the UDP port of the same number free."""
    assert trial("127.0.0.1", taken) == "taken"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        assert trial("127.0.0.1", port, datagrams=True) == "taken"
        assert [pid for pid, _ in holders(port, datagrams=True)] == [os.getpid()]
        assert holders(port) == []


def test_who_started_whom() -> None:
    """A process descends from itself and from who started it; not from a stranger."""
    assert descends(os.getpid(), os.getpid())
    assert descends(os.getpid(), os.getppid())
    assert not descends(os.getppid(), os.getpid())
    assert not descends(2**22 + 1, os.getpid())
