"""The systemd unit, where there is one: installed, started with the machine, and closed to what it does not need."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site

CODES: Final = {
    "unit-disabled": "The unit does not start with the machine: systemctl enable jauge.",
    "unit-failed": "The unit failed: its journal says why.",
    "unit-open": "The unit lacks what closes the system to it: install the shipped one again.",
    "unit-other-configuration": "The unit runs another configuration than the one that was looked at.",
}
_UNIT: Final = "jauge.service"
_HARDENED: Final = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "MemoryDenyWriteExecute": "yes"}
_ASKED: Final = ("LoadState", "ActiveState", "UnitFileState", "ExecStart", *_HARDENED)


def unit(site: Site) -> list[Finding]:
    """The unit ``jauge.service``; nothing where systemd does not run or does not know it."""
    return judged(site.config.file, properties())


def properties() -> dict[str, str]:
    """What systemd says of the unit; nothing where it does not run."""
    tool = shutil.which("systemctl")
    if tool is None or not Path("/run/systemd/system").is_dir():
        return {}
    command = [tool, "show", _UNIT, "--no-pager", f"--property={','.join(_ASKED)}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - a constant
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.partition("=")[::2] for line in done.stdout.splitlines() if "=" in line)


def judged(file: Path, said: dict[str, str]) -> list[Finding]:
    """What these properties mean, for the configuration of that file."""
    found = Findings("unit")
    if said.get("LoadState") != "loaded":
        return found.all
    if said.get("ActiveState") == "failed":
        found.problem("systemd", "unit-failed", f"{_UNIT} failed", "journalctl -u jauge -n 50")
    if said.get("UnitFileState") not in {"enabled", "enabled-runtime", "static", "alias"}:
        what = f"{_UNIT} does not start with the machine"
        found.warning("systemd", "unit-disabled", what, "systemctl enable jauge")
    lacks = [name for name, value in _HARDENED.items() if said.get(name) != value]
    if lacks:
        do = "install the shipped unit again (docs/operations.md), and see systemctl cat jauge"
        found.warning("systemd", "unit-open", f"{_UNIT} lacks {', '.join(lacks)}", do)
    if str(file) not in said.get("ExecStart", ""):
        what = f"{_UNIT} runs another configuration than {file}"
        found.warning("systemd", "unit-other-configuration", what, "give that one to --config")
    if not found.all:
        found.ok("systemd", f"{_UNIT} is installed, enabled and hardened")
    return found.all
