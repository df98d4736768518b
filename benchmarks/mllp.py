"""MLLP in, durable, acknowledged: ``jauge run`` beside a bare echo, each in a process of its own, the same sender for both.

The store is on the disk of the checkout (``.bench/``), with the settings of production: every acknowledgement follows a
commit that reached the disk.
"""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Iterator
from itertools import count
from statistics import median
from time import perf_counter

from benchmarks.load import Load, pipelined, stop_and_wait
from benchmarks.messages import admission
from benchmarks.result import Budget, Figure, Result
from benchmarks.subject import echo, engine, folder

CONNECTIONS = 100
EACH = 60
"""Messages on each connection in one flat-out run: enough for thousands of latencies, a few seconds."""

_numbers: Iterator[int] = count(1)


def frames(number: int, *, strangers: bool = False) -> list[bytes]:
    """So many admissions, framed, no two alike in the whole run.

    A thousand patients, ten messages each, then another thousand: a stay is some ten messages. ``strangers``: every message
    is of a patient never seen before, the hardest case.
    """
    made = []
    for n in (next(_numbers) for _ in range(number)):
        patient = 10_000_000 + n if strangers else n // 10_000 * 1_000 + n % 1_000
        made.append(b"\x0b" + admission(n, patient) + b"\x1c\r")
    return made


def flat_out(port: int, *, strangers: bool = False) -> Load:
    """100 stop-and-wait connections as fast as the answers come."""
    return asyncio.run(stop_and_wait(port, [frames(EACH, strangers=strangers) for _ in range(CONNECTIONS)]))


def disk() -> float:
    """Seconds that this disk takes to make 4 kB durable (median of 50)."""
    times = []
    with folder() as place, (place / "probe").open("wb", buffering=0) as file:
        for _ in range(50):
            start = perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(perf_counter() - start)
    return median(times)


def run(options: Namespace) -> Result:
    """Measure flat out (in turns with the echo), paced, one sender alone, and one that pipelines."""
    result = Result(
        "mllp", f"MLLP: admissions in, durable and acknowledged; {CONNECTIONS} connections unless said otherwise"
    )
    with folder() as place, echo() as bare, engine(place) as real:
        flat_out(bare)
        flat_out(real.mllp)  # both warm
        real.settle()
        floor, ours, counted = [], [], []
        for _ in range(3):
            floor.append(flat_out(bare))
            ours.append(flat_out(real.mllp))
            counted.append(real.settle())
        hard = flat_out(real.mllp, strangers=True)
        paced = asyncio.run(
            stop_and_wait(
                real.mllp, [frames(max(1, 8 * options.pace // CONNECTIONS)) for _ in range(CONNECTIONS)], options.pace
            )
        )
        real.settle()
        alone = asyncio.run(stop_and_wait(real.mllp, [frames(500)]))
        alone_bare = asyncio.run(stop_and_wait(bare, [frames(2000)]))
        real.settle()
        piped = asyncio.run(pipelined(real.mllp, frames(6000)))
        piped_bare = asyncio.run(pipelined(bare, frames(20_000)))
    rate, rate_bare = median(load.rate for load in ours), median(load.rate for load in floor)
    middle = sorted(ours, key=lambda load: load.quantile(0.99))[len(ours) // 2]

    def rates(label: str, bare_rate: float, rate: float) -> None:
        result.figures.append(Figure(f"{label}: bare echo", bare_rate, "msg/s", 1.0))
        result.figures.append(Figure(f"{label}: jauge", rate, "msg/s", rate / bare_rate))

    rates("flat out", rate_bare, rate)
    rates("flat out, every patient new", rate_bare, hard.rate)
    rates("one stop-and-wait sender", alone_bare.rate, alone.rate)
    rates("one pipelined sender", piped_bare.rate, piped.rate)
    for label, load in (
        ("flat out", middle),
        ("flat out, every patient new", hard),
        (f"paced at {options.pace}/s", paced),
        ("one stop-and-wait sender", alone),
    ):
        result.figures.append(Figure(f"{label}: latency p50", load.quantile(0.5) * 1e3, "ms"))
        result.figures.append(Figure(f"{label}: latency p99", load.quantile(0.99) * 1e3, "ms"))
    result.figures.append(Figure("counted afterwards (acknowledging goes first)", median(counted), "msg/s"))
    result.figures.append(Figure("this disk: 4 kB made durable", disk() * 1e3, "ms"))
    result.budgets.append(Budget("flat out: jauge over the echo", rate / rate_bare, 0.1, at_least=True))
    result.budgets.append(Budget("flat out: latency p99", middle.quantile(0.99) * 1e3, 20, "ms"))
    result.budgets.append(Budget(f"paced at {options.pace}/s: latency p99", paced.quantile(0.99) * 1e3, 20, "ms"))
    refused = sum(load.refused for load in (*ours, paced, alone, piped))
    if refused:
        result.notes.append(f"{refused} messages were refused: these figures are not to be trusted")
    result.notes.append(
        f"{CONNECTIONS} senders that wait wait for each other: flat out, p50 is {CONNECTIONS} / rate whatever the commit costs"
    )
    return result
