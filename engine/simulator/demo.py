"""The demonstration: a synthetic hospital speaks to a real engine, whose rates must be the hospital's truth.

The engine is a process of its own, with a configuration, a store and keys in a folder that is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console, RenderableType
from rich.live import Live

from engine.simulator import demo_view
from engine.simulator.hospital import Hospital
from engine.simulator.listening import addresses, post, write
from engine.simulator.measured import Difference, Page, differences, outside, read
from engine.simulator.platform import Trace
from engine.simulator.sender import SenderError
from engine.simulator.truth import Rate, Truth

STAYS: Final = 600
SECONDS: Final = 20.0
_ZONE: Final = "Europe/Paris"
_STARTING: Final = 30.0
_STALLED: Final = 60.0
_ROOT: Final = str(Path(__file__).resolve().parents[2])


class DemoError(Exception):
    """The engine did not start, or stopped on the way; the message says what it said."""


class Demonstration:
    """One run: the engine's process, the senders, and the last page read."""

    def __init__(self, hospital: Hospital, truth: Truth, folder: Path, port: int = 0) -> None:
        """``port``: of the page; 0 for any that is free."""
        self.hospital = hospital
        self.truth = truth
        self.folder = folder
        self.page = Page({})
        self.sent = 0
        self.speed = 0.0
        self._began = 0.0
        http, self.ports = addresses(hospital)
        http = port or http
        self.url = f"http://127.0.0.1:{http}"
        self.path = write(folder, hospital, self.ports, http)
        self._engine: asyncio.subprocess.Process | None = None

    # ---- the engine's process

    async def start(self) -> None:
        """Starts the engine and waits until it is ready. Raises DemoError."""
        paths = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH", ""))))
        environment = os.environ | {"PYTHONPATH": paths}
        command = (sys.executable, "-m", "engine.cli", "run", "--config", str(self.path))
        with (self.folder / "engine.log").open("wb") as log:
            self._engine = await asyncio.create_subprocess_exec(
                *command, cwd=self.folder, env=environment, stdout=log, stderr=log
            )
        end = time.monotonic() + _STARTING
        while time.monotonic() < end:
            self._alive()
            try:
                await self._get("/readyz")
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return
        raise DemoError("the engine is not ready after 30 s")

    async def serve(self) -> None:
        """Leaves the engine running until SIGINT or SIGTERM. Raises DemoError when it stops by itself."""
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked.set)
        while not asked.is_set():
            self._alive()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), 1.0)

    async def stop(self) -> None:
        """Asks the engine to stop, and waits for it."""
        if self._engine is not None and self._engine.returncode is None:
            self._engine.send_signal(signal.SIGTERM)
            await self._engine.wait()

    def _alive(self) -> None:
        if self._engine is not None and self._engine.returncode is not None:
            said = (self.folder / "engine.log").read_text(encoding="utf-8", errors="replace")
            raise DemoError(f"the engine stopped: {said[-2000:].strip()}")

    async def _get(self, path: str) -> str:
        def get() -> str:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310  # always http, to ourselves
                return str(answer.read().decode())

        return await asyncio.to_thread(get)

    # ---- the traffic

    async def _feed(self, name: str, pause: float, begin: float) -> None:
        async with post(name, self.folder, self.ports) as sender:
            for index, envelope in enumerate(self.hospital.envelopes):
                if envelope.feed != name:
                    continue
                wait = begin + index * pause - time.monotonic()
                if wait > 0.001:
                    await asyncio.sleep(wait)
                await sender.send(envelope.payload)
                self.sent += 1
            await sender.finish()

    async def send(self, seconds: float) -> None:
        """Sends everything, in order, spread over so many seconds (0: flat out)."""
        begin = time.monotonic()
        pause = seconds / max(1, len(self.hospital))
        await asyncio.gather(*(self._feed(name, pause, begin) for name in self.hospital.feeds))

    async def poll(self) -> None:
        """Reads /metrics once, and the mean speed since the first time: the last table is read as that of the whole."""
        self._alive()
        self.page = read(await self._get("/metrics"), self.hospital.establishment)
        now = time.monotonic()
        self._began = self._began or now
        if now > self._began:
            self.speed = self.page.received / (now - self._began)

    def _view(self, width: int) -> RenderableType:
        return demo_view.table(self.page, self.truth, sent=self.sent, speed=self.speed, width=width)

    @property
    def done(self) -> bool:
        """Whether everything was received and counted."""
        return self.page.received >= self.truth.messages and self.page.pending == 0

    async def run(self, seconds: float, live: Live | None) -> None:
        """Sends and watches until everything is counted. Raises DemoError when nothing moves any more."""
        traffic = asyncio.create_task(self.send(seconds))
        moved, mark = time.monotonic(), (-1, -1)
        try:
            while not (traffic.done() and self.done):
                if traffic.done():
                    traffic.result()
                await self.poll()
                if live is not None:
                    live.update(self._view(live.console.width), refresh=True)
                state = (self.page.received, self.page.pending)
                if state != mark:
                    moved, mark = time.monotonic(), state
                if time.monotonic() - moved > _STALLED:
                    raise DemoError(f"nothing moves: {state[0]} messages received, {state[1]} to be counted")
                await asyncio.sleep(0.4)
        finally:
            traffic.cancel()


async def demo(
    stays: int = STAYS,
    seconds: float = SECONDS,
    as_json: bool = False,
    seed: int = 1,
    today: date | None = None,
    trace: Trace = "zam",
    set_ids: bool = False,
    serve: bool = False,
    port: int = 0,
) -> int:
    """Runs the demonstration; returns the exit code: 0 when every rate is the truth, 1 when one differs or it failed.

    ``trace``: what the submissions to the DMP leave. With ``syslog`` alone (without ``set_ids``) nothing names their documents:
    then 0 when the truth lies within what is measured.

    ``serve``: afterwards the engine goes on until SIGINT or SIGTERM, for its page (``port``) to be looked at.

    ``today`` (default: the real day in Europe/Paris) must be the engine's own day.
    """
    console = Console()
    day = today or datetime.now(ZoneInfo(_ZONE)).date()
    hospital = Hospital(seed, stays, day, _ZONE, trace=trace, set_ids=set_ids, mail=True)
    truth = hospital.truth()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jauge-demo-") as name:
        show = Demonstration(hospital, truth, Path(name), port)
        try:
            await show.start()
            if as_json:
                await show.run(seconds, None)
            else:
                console.print(
                    f"A synthetic hospital of {stays} stays ({len(hospital)} messages) and a real engine: {show.url}/ (page), {show.url}/metrics"
                )
                with Live(console=console, auto_refresh=False) as live:
                    await show.run(seconds, live)
            elapsed = time.monotonic() - begin
            found = _compare(show, stays, elapsed, console, as_json=as_json)
            if serve:
                console.print(f"The engine goes on: {show.url}/ ; Ctrl-C ends it.", highlight=False)
                await show.serve()
        except (DemoError, SenderError, OSError) as error:
            console.print(f"The demonstration failed: {error}", style="bold red", markup=False)
            return 1
        finally:
            await show.stop()
    return 1 if found else 0


def _compare(show: Demonstration, stays: int, elapsed: float, console: Console, *, as_json: bool) -> list[Difference]:
    """Says how the rates compare with the truth, and what differs."""
    truth = show.truth
    named = show.hospital.platform.measurable
    found = (differences if named else outside)(show.page.rates, truth.rates)
    if as_json:
        click.echo(json.dumps(_summary(show, stays, elapsed, found), ensure_ascii=False))
        return found
    console.print()
    if not named:
        console.print(demo_view.bounds(show.page, truth))
    console.print(demo_view.verdict(found, truth, len(truth.rates), elapsed, named=named))
    return found


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "numerator": rate.numerator,
        "denominator": rate.denominator,
        "missed": {reason: count for reason, count in sorted(rate.missed.items()) if count},
    }


def _summary(show: Demonstration, stays: int, elapsed: float, found: list[Difference]) -> dict[str, Any]:
    truth, page = show.truth, show.page
    keys = sorted(set(truth.rates) | set(page.rates))
    rates = [
        {
            "indicator": key[0],
            "window": key[1],
            "measured": _rate(page.rates.get(key, Rate())),
            "truth": _rate(truth.rates.get(key, Rate())),
        }
        for key in keys
    ]
    return {
        "trace": show.hospital.platform.trace,
        "named": show.hospital.platform.measurable,
        "equal": not found and show.hospital.platform.measurable,
        "within": not found,
        "stays": stays,
        "messages": truth.messages,
        "received": page.received,
        "duplicates": page.duplicates,
        "rejected": page.rejected,
        "seconds": round(elapsed, 1),
        "differences": [msgspec.to_builtins(each) for each in found],
        "rates": rates,
    }
