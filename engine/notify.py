"""What the engine tells systemd: ready, stopping, alive (sd_notify(3), over the datagram socket of ``NOTIFY_SOCKET``).

Elsewhere there is no such socket, and everything here does nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

import structlog

_log: Final = structlog.get_logger(__name__)

_SECONDS: Final = 2.0
"""How long systemd may take to take a datagram; it takes none of them in more than some milliseconds."""


class Notifier:
    """The engine's side of ``Type=notify``, of ``WatchdogSec`` and of the line ``Status`` of ``systemctl status``."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address: Final = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_seconds: Final = _watchdog(environ) if self._address else 0.0

    def ready(self, status: str) -> None:
        """Every port is open. ``status``: one line for people."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Nothing new is taken from now on."""
        self._send("STOPPING=1\nSTATUS=stopping")

    async def watch(self, alive: Callable[[float], bool]) -> None:
        """Says at each half of the watchdog's time that the engine lives, until cancelled; returns at once without watchdog.

        This coroutine runs on the event loop: when the loop is stuck, nothing is said. ``alive(seconds)`` tells whether the
        rest moved within that time; when it did not, nothing is said either, and systemd starts the engine again.
        """
        half = self.watchdog_seconds / 2
        said = True
        while half:
            lives = alive(half)
            if lives:
                self._send("WATCHDOG=1")
            elif said:
                _log.error("engine-stuck")
            said = lives
            await asyncio.sleep(half)

    def _send(self, text: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SECONDS)
                sender.sendto(text.encode(), self._address)
        except OSError as error:
            _log.warning("notify-failed", error=error)


def _address(text: str) -> bytes | None:
    """The address of the socket: a path, or ``@name`` of the abstract namespace (unix(7)); None for anything else."""
    if len(text) < 2 or text[0] not in "/@":
        return None
    return (b"\0" if text[0] == "@" else b"/") + os.fsencode(text[1:])


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds after which systemd takes a silent engine for dead; 0 when it does not, or watches another process."""
    text, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (text.isascii() and text.isdigit()) or (pid and pid != str(os.getpid())):
        return 0.0
    return int(text) / 1_000_000
