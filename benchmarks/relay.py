"""What a relay adds to the way of a message and of its answer: the same sender and receiver with ``mllp_relay`` between them, and without.

Sender, receiver, engine and the relay's process are on this machine. The engine counts what goes by, on the disk of the checkout; in the
last part its store is locked by somebody else all the while. Direct and relayed take turns, so that a busy moment falls on both.

Where it may (root), sender, receiver and relay get their turn of the processor before everybody else (SCHED_RR; not the engine): what is
measured is then the relay, and not who else is busy on the machine. One part is measured without that, as it comes.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from time import sleep

from benchmarks.load import Load, stop_and_wait
from benchmarks.messages import admission
from benchmarks.result import Budget, Figure, Result
from benchmarks.subject import Engine, echo, engine, folder, free_port

CONNECTIONS = 10
SECONDS = 4
ROUNDS = 3
BUDGET_MS = 1.0

CONFIGURATION = """\
store: store/jauge.sqlite3
keys: keys
http:
  port: {http}
log:
  format: json
  level: error
establishments:
  - finess: "990000001"
    name: Benchmark
feeds:
  - name: adt
    listener: mllp_relay
    establishment: "990000001"
    port: {relay}
    target_host: 127.0.0.1
    target_port: {target}
"""

_numbers: Iterator[int] = count(1)


def frames(number: int) -> list[bytes]:
    """So many admissions, framed, no two alike in the whole run; ten of each patient."""
    return [b"\x0b" + admission(n, 10_000_000 + n // 10) + b"\x1c\r" for n in (next(_numbers) for _ in range(number))]


def paced(port: int, rate: int) -> Load:
    """So many messages a second, for some seconds."""
    each = rate * SECONDS // CONNECTIONS
    return asyncio.run(stop_and_wait(port, [frames(each) for _ in range(CONNECTIONS)], rate))


def turns(direct: int, relayed: int, rate: int) -> tuple[Load, Load]:
    """Both, one after the other, several times: all latencies of each."""
    sums = (Load(), Load())
    for _ in range(ROUNDS):
        for port, load in zip((direct, relayed), sums, strict=True):
            load.latencies += paced(port, rate).latencies
    return sums


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """The store, locked by somebody else."""
    other = sqlite3.connect(store, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def dropped(subject: Engine) -> int:
    """Copies that were dropped."""
    mark = b'jauge_messages_rejected_total{feed="adt",code="copy-dropped"} '
    lines = (line for line in subject.metrics().splitlines() if line.startswith(mark))
    return sum(int(float(line.split()[1])) for line in lines)


def run(options: Namespace) -> Result:
    """100 and 500 messages a second while the engine counts, and 500 while its store is locked."""
    result = Result(
        "relay", f"MLLP relay: what it adds to an exchange; {CONNECTIONS} connections, a receiver that acknowledges"
    )
    with folder() as place, echo("ack") as target:
        relay = free_port()
        (place / "store").mkdir()
        (place / "jauge.yaml").write_text(CONFIGURATION.format(http=free_port(), relay=relay, target=target))
        with engine(place) as subject:
            paced(target, 500)
            paced(relay, 500)  # both warm
            note(result, "500/s, counting, as it comes", *turns(target, relay, 500), budget=False)
            if not favour(target, relay):
                result.notes.append("not root: whoever else is busy on this machine is in these figures")
            for label, rate in (("100/s, counting", 100), ("500/s, counting", 500)):
                note(result, label, *turns(target, relay, rate))
            subject.settle()
            before = dropped(subject)
            with locked(place / "store" / "jauge.sqlite3"):
                sleep(1)
                note(result, "500/s, store locked", *turns(target, relay, 500))
            subject.settle()
            result.figures.append(
                Figure("copies dropped while the store was locked", dropped(subject) - before, "messages")
            )
            result.figures.append(Figure("copies dropped otherwise", before, "messages"))
    return result


def favour(*ports: int) -> bool:
    """Give this process, and those that listen on these ports and are not the engine, their turn before everybody else."""
    chosen = {os.getpid(), *(pid for port in ports for pid in listening(port) if b"engine.cli" not in command(pid))}
    try:
        for pid in chosen:
            os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True


def listening(port: int) -> list[int]:
    """Processes that hold the socket which listens on that port of 127.0.0.1 (Linux)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "0A"}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(one.readlink()) in inodes for one in (process / "fd").iterdir()):
                found.append(int(process.name))
    return found


def command(pid: int) -> bytes:
    """How a process was started."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def note(result: Result, label: str, direct: Load, relayed: Load, *, budget: bool = True) -> None:
    """The figures of one part."""
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        without, through = direct.quantile(share) * 1e3, relayed.quantile(share) * 1e3
        result.figures.append(Figure(f"{label}: {name} direct", without, "ms"))
        result.figures.append(Figure(f"{label}: {name} through the relay", through, "ms"))
        if name == "p99" and budget:
            result.budgets.append(Budget(f"{label}: p99 added", through - without, BUDGET_MS, "ms"))
