"""The feeds: alive by their own habit, and the files and folders that they follow."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Final

from engine.config import Feed
from engine.doctor.account import is_folder
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site
from engine.metrics.snapshot import SILENT

CODES: Final = {
    "feed-unknown": "The running engine does not know the feed: it was started before it was added. Restart it.",
    "feed-never": "No message ever came on the feed: is the sender connected to that address and port?",
    "feed-late": "The feed is silent for longer than is its habit at this hour of the week.",
    "feed-silent": "The feed is silent for far longer than is its habit: look at the sender.",
    "feed-unread": "Most messages of the feed cannot be read: `jauge check` on a copy of one says why.",
    "feed-turned-away": "Connections were turned away: there were too many. Raise max_connections, or look for a sender that never closes.",
    "feed-tls": "Handshakes failed on the feed: wrong protocol, unknown certificate, or an authority that one side does not know.",
    "feed-junk": "Bytes came that belong to no message: the sender does not speak the protocol of the feed.",
    "path-absent": "The file or folder that the feed follows is not there.",
    "path-unreadable": "The engine's account may not read the file or folder that the feed follows.",
    "path-unwritable": "The engine's account may not write in the folder: what was read could not be put away.",
}
_MOVES: Final = frozenset({"folder", "captures"})


def feeds(site: Site) -> list[Finding]:
    """Every feed of the configuration."""
    found = Findings("feeds")
    for feed in site.config.feeds:
        path = getattr(feed.settings, "path", None)
        if isinstance(path, Path):
            _path(found, site, feed, path)
        if site.running.samples:
            _life(found, site, feed)
    return found.all


def _path(found: Findings, site: Site, feed: Feed, path: Path) -> None:
    place, account = f"feeds.{feed.name}", site.account
    if feed.listener in _MOVES:
        if not is_folder(path):
            found.problem(place, "path-absent", f"{path}: there is no such folder", "make it, or correct path")
        elif not account.reads(path):
            found.problem(
                place, "path-unreadable", f"{path}: {account.name} may not read it", _share(account.name, path)
            )
        elif not account.writes(path):
            do = f"{_share(account.name, path)}; under systemd also ReadWritePaths={path}"
            found.problem(place, "path-unwritable", f"{path}: {account.name} may not move files out of it", do)
        else:
            found.ok(place, f"{path} is watched")
        return
    found_there = sorted(glob.glob(str(path)))  # noqa: PTH207 - a pattern may be in any part of it
    files = [
        file
        for one in map(Path, found_there)
        for file in (sorted(one.iterdir()) if is_folder(one) and account.reads(one) else [one])
    ]
    closed = [file for file in files if not account.reads(file)]
    folder = path if is_folder(path) else path.parent
    if feed.listener == "logs" and not is_folder(folder) and not set("*?[") & set(str(folder)):
        what = f"{folder}: there is no such folder, and the engine does not start without it"
        found.problem(place, "path-absent", what, "make it, or correct path")
    elif not files:
        do = "is it written elsewhere? right if the platform has not written yet"
        found.warning(place, "path-absent", f"{path}: there is no such file", do)
    elif closed:
        what = f"{closed[0]}: {account.name} may not read it"
        found.problem(place, "path-unreadable", what, _share(account.name, closed[0].parent))
    else:
        found.ok(place, f"{path}: {len(files)} file(s) followed")


def _share(account: str, path: Path) -> str:
    return f"setfacl -Rm u:{account}:rwX,d:u:{account}:rwX {path} (docs/operations.md)"


def _life(found: Findings, site: Site, feed: Feed) -> None:
    place, running = f"feeds.{feed.name}", site.running
    last = running.value("jauge_feed_last_message_timestamp_seconds", feed=feed.name)
    if last is None:
        found.problem(place, "feed-unknown", "the running engine does not know it", "restart the engine")
        return
    if not last:
        found.warning(place, "feed-never", "no message ever came", _connect(feed))
    else:
        silence = max(0, int(site.now - last))
        limit = running.value("jauge_feed_silence_limit_seconds", feed=feed.name) or 0
        what = f"latest message {_duration(silence)} ago"
        if limit and silence > SILENT * limit:
            do = "look at the sender: is its connection up, does its queue grow?"
            found.problem(place, "feed-silent", f"{what}; usually within {_duration(int(limit))} at this hour", do)
        elif limit and silence > limit:
            do = "look at the sender if it goes on"
            found.warning(place, "feed-late", f"{what}; usually within {_duration(int(limit))} at this hour", do)
        else:
            found.ok(place, what)
    _troubles(found, site, feed, place)


def _troubles(found: Findings, site: Site, feed: Feed, place: str) -> None:
    running = site.running
    received = running.value("jauge_messages_received_total", feed=feed.name) or 0
    rejected = running.total("jauge_messages_rejected_total", feed=feed.name)
    if rejected > received / 2:
        code, _ = max(running.label("jauge_messages_rejected_total", "code", feed=feed.name), key=lambda one: one[1])
        what = f"{int(rejected)} of {int(received)} messages could not be read, most of them: {code}"
        found.problem(place, "feed-unread", what, f"docs/codes.md says what {code} means; `jauge check` says where")
    away = int(running.value("jauge_connections_refused_total", feed=feed.name) or 0)
    if away:
        do = "raise max_connections, or look for a sender that opens and never closes"
        found.warning(place, "feed-turned-away", f"{away} connection(s) turned away since the start", do)
    failed = int(running.value("jauge_tls_failures_total", feed=feed.name) or 0)
    if failed:
        do = "does the sender speak TLS, and trust our authority? do we trust the sender's (client_ca)?"
        found.warning(place, "feed-tls", f"{failed} TLS handshake(s) failed since the start", do)
    junk = int(running.value("jauge_junk_bytes_total", feed=feed.name) or 0)
    if junk:
        do = "is the sender set to the protocol of this feed (MLLP, not plain TCP)?"
        found.warning(place, "feed-junk", f"{junk} byte(s) outside of any message since the start", do)


def _connect(feed: Feed) -> str:
    host, port = getattr(feed.settings, "host", ""), getattr(feed.settings, "port", 0)
    if host and port and feed.listener != "imap":
        return f"connect the sender to {host}:{port} ({feed.listener}), or wait for its first message"
    return "wait for the first one, or look at what should give it"


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
