"""The clock: kept right by something, and the time zones of the establishments."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site

CODES: Final = {
    "clock-adrift": "Nothing keeps the clock right: days, periods and certificates depend on it. Install chrony or systemd-timesyncd.",
    "clock-behind": "A message was received later than now: the clock went back. Set it right, and have it kept right.",
    "zone-unknown": "The time zone cannot be read on this machine: install tzdata.",
}
_TIMESYNC: Final = Path("/run/systemd/timesync/synchronized")
_UNSYNC: Final = 0x0040  # STA_UNSYNC of <sys/timex.h>
_AHEAD: Final = 300


def clock(site: Site) -> list[Finding]:
    """What the system says of its own clock, and what the messages say of it."""
    found = Findings("clock")
    kept = synchronised()
    if kept:
        found.ok("clock", "is kept right (synchronised)")
    elif kept is None:
        found.ok("clock", "this system does not tell whether it is kept right")
    else:
        do = "apt install chrony (or timedatectl set-ntp true); in a container, the host's clock counts"
        found.warning("clock", "clock-adrift", "nothing keeps it right (not synchronised)", do)
    latest = max((at for _, at in site.running.label("jauge_feed_last_message_timestamp_seconds", "feed")), default=0)
    if latest > site.now + _AHEAD:
        what = f"a message came {int(latest - site.now)} s later than now"
        found.problem("clock", "clock-behind", what, "set the clock right (timedatectl), then restart the engine")
    for establishment in site.config.establishments:
        try:
            ZoneInfo(establishment.time_zone)
        except (OSError, ValueError, LookupError):
            what = f"{establishment.time_zone} cannot be read"
            found.problem("clock", "zone-unknown", what, "install the Debian package tzdata")
    return found.all


def synchronised() -> bool | None:
    """Whether the kernel's clock is disciplined (adjtimex, read only), or timesyncd says so; None when the system does not tell."""
    if _TIMESYNC.exists():
        return True
    try:
        library = ctypes.CDLL(None, use_errno=True)
        state = ctypes.create_string_buffer(512)  # struct timex has 208 bytes; modes 0: nothing is set
        if library.adjtimex(state) < 0:
            return None
    except (OSError, AttributeError):
        return None
    # struct timex: unsigned modes; long offset, freq, maxerror, esterror; int status
    size = ctypes.sizeof(ctypes.c_long)
    status = int.from_bytes(state.raw[5 * size : 5 * size + 4], sys.byteorder)
    return not status & _UNSYNC
