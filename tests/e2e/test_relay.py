"""A relay between a sender and a receiver, run by the real engine: what it proves, and what it survives."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from engine.listeners.relay_process import ask_for
from tests.e2e.engine import RunningEngine, free_port
from tests.listeners.peer import Peer, outcome
from tests.listeners.relay_place import Receiver
from tests.messages import adt

CONFIG = """\
store: var/jauge.db
keys: var/keys
inventory: applications.csv
http: {{host: 127.0.0.1, port: {http}}}
log: {{format: json, level: info}}
indicators: {{count_test_ins: true}}
establishments:
  - {{finess: "990000001", name: CH Fictif}}
feeds:
  - {{name: his, listener: mllp_relay, establishment: "990000001", host: 127.0.0.1, port: {mllp}, target_host: 127.0.0.1, target_port: TARGET}}
"""
INVENTORY = """\
application;domain;endpoints
GAM;gestion_administrative;GAM@HX
DPI;dossier_medical;DPI@HX
SGL;production_medico_technique;SGL@HX
"""
LABELS = {"establishment": "990000001", "window": "rolling"}


class Here(RunningEngine):
    """The engine of this folder, with its receiver behind it."""

    def __init__(self, folder: Path, target: int) -> None:
        (folder / "applications.csv").write_text(INVENTORY)
        super().__init__(folder, CONFIG.replace("TARGET", str(target)))

    def orphans(self) -> list[int]:
        """The processes of its relay, whoever their parent is now."""
        mark = f'"port":{self.mllp},'.encode()
        return [
            int(process.name)
            for process in Path("/proc").glob("[0-9]*")
            if mark in _command(process) and b"relay_process" in _command(process)
        ]


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[Here, Receiver]]:
    """Receiver, relay, engine; nothing outlives the test."""
    receiver = Receiver()
    await receiver.start()
    engine = Here(folder, receiver.port)
    try:
        with engine:
            await asyncio.to_thread(engine.start)
            yield engine, receiver
    finally:
        for pid in engine.orphans():
            os.kill(pid, signal.SIGKILL)
        await receiver.close()


async def true(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so, on a thread: it may ask the engine."""
    end = monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert monotonic() < end
        await asyncio.sleep(0.2)


def movement(number: int) -> bytes:
    """A movement of some days ago, with a qualified INS."""
    return adt(number, visit=number, when=datetime.now(UTC) - timedelta(days=3))


async def exchange(peer: Peer, number: int) -> None:
    """One message and its answer."""
    await peer.send(movement(number))
    assert outcome(await peer.answer()) == ("AA", f"G{number:08d}")


async def test_the_receivers_own_answer_proves_the_connection(tmp_path: Path) -> None:
    """P1.1 and P1.3 count the application that acknowledged through the relay, and not the one that nobody answered for."""
    async with place(tmp_path) as (engine, _):

        def connected(indicator: str) -> float:
            return engine.value("jauge_indicator_numerator", indicator=indicator, **LABELS)

        assert connected("P1.1") == connected("P1.3") == 0
        peer = await Peer.connect(engine.mllp)
        for number in range(1, 11):
            await exchange(peer, number)
        await true(lambda: engine.value("jauge_messages_received_total", feed="his") == 20)
        await true(lambda: connected("P1.1") == connected("P1.3") == 1)
        for indicator in ("P1.1", "P1.3"):
            assert engine.value("jauge_indicator_denominator", indicator=indicator, **LABELS) == 3
        assert engine.value("jauge_messages_rejected_total", feed="his", code="copy-dropped") == 0
        await peer.close()
        assert await asyncio.to_thread(engine.stop) == 0
        assert engine.orphans() == []


async def test_a_locked_store_stops_nothing_and_loses_nothing_that_fits(tmp_path: Path) -> None:
    """While somebody else holds the store every message is answered by its receiver; afterwards all of them are counted."""
    async with place(tmp_path) as (engine, _):
        peer = await Peer.connect(engine.mllp)
        await exchange(peer, 1)
        await true(lambda: engine.value("jauge_messages_received_total", feed="his") == 2)
        other = sqlite3.connect(tmp_path / "var" / "jauge.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        number = 1
        while b"store-unavailable" not in engine.log.read_bytes():
            number += 1
            await exchange(peer, number)
            await asyncio.sleep(0.02)
        other.execute("ROLLBACK")
        other.close()
        await exchange(peer, number + 1)
        await true(lambda: engine.value("jauge_messages_received_total", feed="his") == 2 * (number + 1))
        assert engine.value("jauge_messages_rejected_total", feed="his", code="copy-dropped") == 0
        await peer.close()


async def test_traffic_goes_on_without_the_engine_and_the_next_one_takes_over(tmp_path: Path) -> None:
    """The engine is killed: connections go on and new ones are made. The next engine takes the port over and measures again."""
    async with place(tmp_path) as (engine, receiver):
        peer = await Peer.connect(engine.mllp)
        await exchange(peer, 1)
        await true(lambda: engine.value("jauge_messages_received_total", feed="his") == 2)
        await asyncio.to_thread(engine.kill)
        await exchange(peer, 2)
        second = await Peer.connect(engine.mllp)
        await exchange(second, 3)
        before = engine.orphans()
        assert len(before) == 1
        await asyncio.to_thread(engine.start)
        assert await peer.end() == []
        assert await second.end() == []
        third = await Peer.connect(engine.mllp)
        await exchange(third, 4)
        await true(lambda: engine.value("jauge_messages_received_total", feed="his") == 4)
        await true(lambda: len(engine.orphans()) == 1)
        assert engine.orphans() != before
        assert b"relay-taken-over" in engine.log.read_bytes()
        assert len(receiver.messages) == 4
        for one in (peer, second, third):
            await one.close()
        assert await asyncio.to_thread(engine.stop) == 0
        await true(lambda: engine.orphans() == [])


async def test_a_stopped_engine_process_stops_no_traffic(tmp_path: Path) -> None:
    """An engine that hangs (here: stopped by a signal) slows nothing; when it goes on, it measures what went by."""
    async with place(tmp_path) as (engine, _):
        peer = await Peer.connect(engine.mllp)
        assert engine.process is not None
        os.kill(engine.process.pid, signal.SIGSTOP)
        for number in range(1, 301):
            await exchange(peer, number)
        os.kill(engine.process.pid, signal.SIGCONT)
        await true(lambda: engine.value("jauge_messages_received_total", feed="his") == 600)
        await peer.close()


def test_nobody_gives_a_port_away_to_a_stranger() -> None:
    """Where no orphan listens there is nobody to ask: a taken port stays an error."""
    assert not ask_for(("127.0.0.1", free_port()))


def test_a_second_engine_does_not_take_the_relay_of_a_living_one(tmp_path: Path) -> None:
    """The port of a relay whose engine lives is taken: the second engine says so and does not start."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with Here(first, 1) as engine, Here(second, 1) as other:
        engine.start()
        other.config.write_text(other.config.read_text().replace(f"port: {other.mllp}", f"port: {engine.mllp}"))
        done: subprocess.CompletedProcess[str] = other.command("run")
        assert done.returncode != 0
        assert "address already in use" in done.stderr + done.stdout
        assert len(engine.orphans()) == 1
        assert engine.stop() == 0
