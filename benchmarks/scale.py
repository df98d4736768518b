"""Flat in the history: /metrics and memory with a thousand stays in the store, and with a million; and the messages it
then takes in.

Each count has its own store and its own ``jauge run``; the page is fetched over HTTP, as Prometheus does. The store is filled
through the ledger itself, which takes minutes for a million (``--stays 1000,100000`` is quicker).
"""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from contextlib import ExitStack
from statistics import median
from time import perf_counter, sleep

from benchmarks.load import pipelined
from benchmarks.mllp import frames
from benchmarks.population import populate
from benchmarks.result import Budget, Figure, Result
from benchmarks.subject import Engine, configure, engine, folder

FETCHES = 60
MESSAGES = 5_000
"""Sent to each engine before its memory is read: an engine that has just started has read nothing of its store."""


def fetch(running: Engine) -> float:
    """Seconds that one scrape takes."""
    start = perf_counter()
    running.metrics()
    return perf_counter() - start


def run(options: Namespace) -> Result:
    """Fill a store for each count, then scrape them in turns."""
    counts = sorted({int(word) for word in options.stays.split(",")})
    result = Result("scale", "Scale: /metrics and memory by the number of stays in the store")
    times: dict[int, list[float]] = {count: [] for count in counts}
    memory: dict[int, int] = {}
    pages: dict[int, int] = {}
    with ExitStack() as stack:
        engines: dict[int, Engine] = {}
        for count in (0, *counts):
            place = stack.enter_context(folder())
            start = perf_counter()
            if count:
                populate(configure(place), count, lambda done, count=count: told(done, count))  # type: ignore[misc]
                seconds = perf_counter() - start
                size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
                result.figures.append(Figure(f"{count:,} stays: recorded and folded", count / seconds, "stays/s"))
                result.figures.append(Figure(f"{count:,} stays: on disk, for one stay", size / count, "B"))
            engines[count] = stack.enter_context(engine(place))
        idle = engines.pop(0)
        sleep(2)
        for running in (idle, *engines.values()):
            for _ in range(5):
                fetch(running)
        for _ in range(FETCHES):
            for count, running in engines.items():
                times[count].append(fetch(running))
        idle_memory = idle.memory()
        rates = {}
        for count, running in engines.items():
            load = asyncio.run(pipelined(running.mllp, frames(MESSAGES)))
            rates[count], pages[count] = load.rate, len(running.metrics())
            running.settle()
            memory[count] = running.memory()
    few, many = counts[0], counts[-1]
    floor = median(times[few])
    for count in counts:
        result.figures.append(
            Figure(
                f"{count:,} stays: /metrics ({pages[count]:,} B)",
                median(times[count]) * 1e3,
                "ms",
                median(times[count]) / floor,
            )
        )
        result.figures.append(
            Figure(f"{count:,} stays: one pipelined sender", rates[count], "msg/s", rates[count] / rates[few])
        )
        over = (memory[count] - idle_memory) / 1e6
        result.figures.append(Figure(f"{count:,} stays: memory over an idle empty engine", over, "MB"))
    result.figures.append(Figure("an idle empty engine: memory", idle_memory / 1e6, "MB"))
    result.budgets.append(Budget(f"/metrics, {many:,} stays over {few:,}", median(times[many]) / floor, 1.2))
    result.budgets.append(
        Budget(
            f"memory, {many:,} stays and {MESSAGES:,} more messages, over an idle empty engine",
            (memory[many] - idle_memory) / 1e6,
            150,
            "MB",
        )
    )
    return result


def told(done: int, count: int) -> None:
    """A line now and then: filling takes a while."""
    if done % 100_000 == 0 or done == count:
        print(f"  {done:,} of {count:,} stays in the store", file=sys.stderr)
