"""The machine: Python, memory, and how many files the engine may open."""

from __future__ import annotations

import contextlib
import re
import resource
import sys
from pathlib import Path
from typing import Final

from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site

CODES: Final = {
    "python-old": "This Python is older than what Jauge is made for: install the one that docs/operations.md names.",
    "memory-low": "There is little memory: the engine needs some 150 MB, and more while it reads large documents.",
    "files-few": "The engine may open fewer files than its listeners may have connections: raise LimitNOFILE (systemd) or ulimit -n.",
}
OLDEST: Final = (3, 11)
_LEAST_MEMORY: Final = 300_000_000
_OWN_FILES: Final = 64
"""Store, logs, folders and the web, besides the connections."""


def machine(site: Site) -> list[Finding]:
    """What the engine stands on."""
    found = Findings("machine")
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        do = f"install Python {'.'.join(map(str, OLDEST))} or newer, then scripts/setup"
        found.problem("python", "python-old", f"Python {version}", do)
    else:
        found.ok("python", f"Python {version}")
    found.all += memory(available_memory())
    wanted = _OWN_FILES + sum(getattr(feed.settings, "max_connections", 1) for feed in site.config.feeds)
    found.all += files(open_files(site.running.pid), wanted)
    return found.all


def memory(free: int) -> list[Finding]:
    """What so many bytes of memory mean; 0: it is not known."""
    found = Findings("machine")
    if 0 < free < _LEAST_MEMORY:
        do = f"give the machine, or the container, {_LEAST_MEMORY // 1_000_000} MB more"
        found.warning("memory", "memory-low", f"{free / 1e6:.0f} MB are free", do)
    elif free:
        found.ok("memory", f"{free / 1e9:.1f} GB are free")
    return found.all


def files(limit: int, wanted: int) -> list[Finding]:
    """Whether so many files (0: any number) are enough for what the configuration allows."""
    found = Findings("machine")
    if 0 < limit < wanted:
        what = f"the engine may open {limit} files, its listeners allow {wanted} connections and files"
        found.warning("files", "files-few", what, f"LimitNOFILE={max(8192, wanted)} in the unit, or ulimit -n")
    else:
        found.ok("files", f"the engine may open {limit or 'any number of'} files, {wanted} are enough")
    return found.all


def available_memory() -> int:
    """Bytes that the engine may still take: of the machine, and of its control group when it has a limit; 0 when nobody tells."""
    free = 0
    with contextlib.suppress(OSError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        if line := re.search(r"^MemAvailable: +(\d+) kB", text, re.MULTILINE):
            free = int(line[1]) * 1024
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        free = min(free or limit, limit - int((group / "memory.current").read_text(encoding="ascii")))
    return max(free, 0)


def open_files(pid: int) -> int:
    """How many files the engine may open: the running one when it can be seen, else one that would be started from here; 0: any number."""
    if pid:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
            if line := re.search(r"^Max open files +(\d+|unlimited)", text, re.MULTILINE):
                return int(line[1]) if line[1].isdigit() else 0
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 0 if limit == resource.RLIM_INFINITY else limit
