"""Who listens on a port of this machine, as the system lists it; what may be seen of others depends on who asks."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import Final, Literal

_LISTENING, _BOUND = "0A", "07"
Trial = Literal["free", "taken", "elsewhere", "forbidden", "unknown"]

_TRIALS: Final[dict[int, Trial]] = {
    errno.EADDRINUSE: "taken",
    errno.EADDRNOTAVAIL: "elsewhere",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
}


def trial(host: str, port: int, *, datagrams: bool = False) -> Trial:
    """Whether an address could be listened on: bound for an instant, never listened on.

    ``elsewhere``: it is no address of this machine; ``forbidden``: this account may not; ``unknown``: the name means nothing.
    """
    kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        return "unknown"
    try:
        with socket.socket(family, kind) as probe:
            if not datagrams:  # as servers do: the remains of closed connections are in nobody's way
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        return _TRIALS.get(error.errno or 0, "unknown")
    return "free"


def holders(port: int, *, datagrams: bool = False) -> list[tuple[int, str]]:
    """The processes that hold a port: number and name of each that may be seen from here."""
    inodes = set()
    for table in ("udp", "udp6") if datagrams else ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                here = int(fields[1].rpartition(":")[2], 16)
                if here == port and fields[3] == (_BOUND if datagrams else _LISTENING):
                    inodes.add(f"socket:[{fields[9]}]")
    return sorted({(pid, _name(pid)) for pid in _processes() if inodes and not inodes.isdisjoint(_sockets(pid))})


def descends(pid: int, ancestor: int) -> bool:
    """Whether a process is another one, or was started by it, or by one that it started."""
    while pid > 1 and pid != ancestor:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            pid = int(text.rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return pid == ancestor


def command(pid: int) -> list[str]:
    """The words that a process was started with; none when they cannot be seen."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return []


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(link.readlink()))
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "?"
