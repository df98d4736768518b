"""``jauge doctor``: every check of ``engine.doctor``, in the order in which a person would look, and how they are shown."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from msgspec import to_builtins
from rich.console import Console
from rich.text import Text

from engine.assembly import read_ledger
from engine.doctor.account import account_of
from engine.doctor.certificates import certificates
from engine.doctor.clock import clock
from engine.doctor.configuration import configuration, faults
from engine.doctor.disk import disk
from engine.doctor.engine import engine
from engine.doctor.feeds import feeds
from engine.doctor.finding import Finding, worst
from engine.doctor.keys import keys
from engine.doctor.machine import machine
from engine.doctor.permissions import permissions
from engine.doctor.ports import ports
from engine.doctor.running import running
from engine.doctor.servers import servers
from engine.doctor.site import Site
from engine.doctor.unit import unit
from engine.errors import ConfigError
from engine.ledger.schema import StoreError
from engine.service import config_problems, load_config

_STYLES: Final = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(path: Path, *, login: bool = False) -> list[Finding]:
    """Look at everything. A configuration that is wrong is all there is to say: the rest depends on it."""
    problems = config_problems(path)
    if problems:
        return faults(problems)
    config = load_config(path)
    said = running(config)
    site = Site(config, account_of(config, said.pid), said, time.time())
    return [
        *configuration(site),
        *machine(site),
        *clock(site),
        *disk(site),
        *permissions(site),
        *keys(site),
        *certificates(site),
        *ports(site),
        *servers(site, login=login),
        *engine(site, old_figures=_old_figures(site)),
        *feeds(site),
        *unit(site),
    ]


def to_json(findings: list[Finding]) -> dict[str, Any]:
    """The findings, and the worst state among them."""
    return {"state": worst(findings), "findings": to_builtins(findings)}


def show(findings: list[Finding], console: Console) -> None:
    """One line a finding, and below it what to do; then how many there are of each."""
    width = max(len(one.check) for one in findings)
    for one in findings:
        line = Text(f"{one.state:8}", style=_STYLES[one.state])
        line.append(f"{one.check:{width}}  ", style="dim")
        line.append(f"{one.place}: " if not one.what.startswith(one.place) else "", style="default")
        line.append(one.what, style="default")
        if one.code:
            line.append(f"  [{one.code}]", style="dim")
        console.print(line, soft_wrap=True)
        if one.do:
            console.print(Text(f"{'':8}{'':{width}}  -> {one.do}"), soft_wrap=True)
    counts = {state: sum(one.state == state for one in findings) for state in ("problem", "warning", "ok")}
    console.print(
        f"\n{counts['problem']} problem(s), {counts['warning']} warning(s), {counts['ok']} ok", highlight=False
    )


def _old_figures(site: Site) -> bool | None:
    """Whether the store was counted with other settings; None when that cannot be told from here."""
    with site.account.acting():
        if not os.access(site.config.store, os.R_OK, effective_ids=True):
            return None
        try:
            ledger, _ = read_ledger(site.config)
        except (ConfigError, StoreError, sqlite3.Error):
            return None
        try:
            return ledger.stale
        finally:
            ledger.close()
