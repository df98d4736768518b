"""The running engine: ready, of this version, keeping up with what it counts."""

from __future__ import annotations

from typing import Final

from engine import __version__
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site

CODES: Final = {
    "engine-stopped": "No engine runs on this configuration: start it.",
    "engine-mute": "The engine holds the store, and its web address does not answer: it is starting, stuck, or has other settings.",
    "engine-refuses": "The engine wants a password or a token that is not that of the configuration: restart it.",
    "engine-not-ready": "The engine runs and cannot acknowledge messages: the store cannot be written, or it is starting.",
    "engine-other-version": "The engine that runs is of another version than the one installed: restart it.",
    "engine-other-feeds": "What answers on the page's port reads feeds that this configuration has not: it was not restarted since a change, or is another engine.",
    "engine-stuck": "The engine shows nothing new: look at its log, then restart it.",
    "engine-late": "Messages wait to be counted, and more come than are counted.",
    "engine-aside": "Messages could not be read and were put aside: `jauge check` on a copy of such a message says why.",
    "engine-dropped": "Facts were left out: one patient holds too many; somebody's number is on everybody.",
    "figures-old": "The settings of the counting changed since the engine last counted: the figures are the old ones. Restart it.",
}
_LATE: Final = 10_000
_STUCK_SECONDS: Final = 120


def engine(site: Site, *, old_figures: bool | None) -> list[Finding]:
    """The running engine. ``old_figures``: whether the store was counted with other settings; None when that is not known."""
    found = Findings("engine")
    running = site.running
    if not running.runs:
        do = f"systemctl start jauge, or jauge run --config {site.config.file}"
        found.warning("engine", "engine-stopped", "no engine runs on this configuration", do)
    elif not running.answers:
        if site.config.http.port:
            what = f"process {running.pid} holds the store, and {site.config.http.host}:{site.config.http.port} does not answer"
            do = "wait if it is starting; else look at its log (journalctl -u jauge), and restart it"
            found.problem("engine", "engine-mute", what, do)
        else:
            found.ok("engine", f"process {running.pid}; its web port is any free one, and was not asked")
    elif running.refused:
        do = "is the token file that of the running engine? run this as its account, or restart it"
        found.warning("engine", "engine-refuses", "it runs, and does not let this command read /metrics", do)
    else:
        _running(found, site)
    if old_figures:
        do = "restart the engine: it counts again" if running.runs else "start the engine: it counts again"
        found.warning("store", "figures-old", "the settings of the counting changed since it was counted", do)
    return found.all


def _running(found: Findings, site: Site) -> None:
    running = site.running
    process = f"process {running.pid}" if running.pid else "it answers"
    if running.ready:
        found.ok("engine", f"{process}, ready: messages are acknowledged")
    else:
        do = "look at its log (journalctl -u jauge), at the room on the disk and at the rights of the store"
        found.problem("engine", "engine-not-ready", f"{process}, and messages cannot be acknowledged now", do)
    versions = [version for version, _ in running.label("jauge_build_info", "version")]
    if versions and versions != [__version__]:
        what = f"version {versions[0]} runs, {__version__} is installed"
        found.warning("engine", "engine-other-version", what, "restart it (systemctl restart jauge)")
    names = {name for name, _ in running.label("jauge_messages_received_total", "feed")}
    if names - {feed.name for feed in site.config.feeds}:  # those that it lacks are told one by one
        what = f"what answers on {site.config.http.host}:{site.config.http.port} reads feeds that this configuration has not"
        do = "restart it if they were changed; if it is another engine, give this one another http.port"
        found.warning("engine", "engine-other-feeds", what, do)
    taken = running.value("jauge_snapshot_timestamp_seconds")
    if taken is not None and site.now - taken > _STUCK_SECONDS:
        what = f"what it shows is {int(site.now - taken)} s old"
        found.problem("engine", "engine-stuck", what, "look at its log, then restart it")
    pending = int(running.value("jauge_ledger_pending_messages") or 0)
    if pending > _LATE:
        what = f"{pending} messages wait to be counted"
        found.warning("engine", "engine-late", what, "after an archive or a flood: wait; else the machine is too slow")
    aside = int(running.value("jauge_aside_messages") or 0)
    if aside:
        do = "jauge_messages_rejected_total tells the codes (docs/codes.md); `jauge check` says where, on a copy"
        found.warning("engine", "engine-aside", f"{aside} message(s) could not be read, and are kept sealed", do)
    if running.value("jauge_ledger_facts_dropped_total"):
        do = "look for a default number that the record gives to several patients"
        found.warning("engine", "engine-dropped", "one patient holds too many facts; some were left out", do)
