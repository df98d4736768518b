"""A configuration in a folder, as the checks are given it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine.doctor.account import account
from engine.doctor.finding import Finding
from engine.doctor.running import Running
from engine.doctor.site import Site
from engine.service import load_config

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{host: 127.0.0.1, port: {http}}}
establishments:
  - {{finess: "990000001", name: CH Fictif, mssante_domains: [ch.mssante.fr]}}
feeds:
  - {{name: his, listener: mllp, establishment: "990000001", host: 127.0.0.1, port: {mllp}}}
"""


def site(folder: Path, text: str = "", running: Running | None = None, *, user: int | None = None) -> Site:
    """The site of a configuration; ``user``: the account of its engine, by default ours."""
    path = folder / "jauge.yaml"
    path.write_text(text or CONFIG.format(http=0, mllp=0), encoding="utf-8")
    path.chmod(0o644)
    (folder / "var").mkdir(mode=0o700, exist_ok=True)
    mine = account(os.geteuid() if user is None else user)
    return Site(load_config(path), mine, running or Running(), time.time())


def codes(findings: list[Finding]) -> dict[str, str]:
    """Code -> place, of what is not well."""
    return {one.code: one.place for one in findings if one.code}


def samples(*given: tuple[str, dict[str, str], float]) -> Running:
    """A running engine that says so."""
    return Running(
        answers=True,
        ready=True,
        samples={(name, frozenset(labels.items())): value for name, labels, value in given},
    )
