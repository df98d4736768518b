"""How an engine is told to listen to a hospital, and what brings it each feed: one configuration, one sender a feed."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Final

import yaml

from engine.simulator.applications import EXTERNAL_SENDERS, THEATRE_APPLICATIONS, THEATRE_UNITS
from engine.simulator.correspondents import OWN_DOMAIN, TRUSTED_DOMAIN
from engine.simulator.hospital import Hospital
from engine.simulator.posting import CapturePost, HttpPost, LogPost, Post, SmtpPost, SyslogPost
from engine.simulator.render_cda import ENCOUNTER_ROOT
from engine.simulator.render_documents import SUBMISSION_SET
from engine.simulator.sender import Sender
from engine.simulator.traffic import AUDIT, CAPTURE, DOCUMENTS, FEEDS, FHIR, LOG, MAILED

_HOST: Final = "127.0.0.1"
_LOG: Final = "platform/dmp.log"
_DUMPS: Final = "dumps"
_POLL: Final = 0.2
_JOURNAL: Final = "journal@jauge.example"


def configuration(
    hospital: Hospital, ports: dict[str, int], http: int, *, count_test_ins: bool = True
) -> dict[str, Any]:
    """The settings of an engine that listens to this hospital: a feed each for movements, documents, answers and each trace.

    ``ports`` are those of the feeds that have one. The hospital's people have INS under the test root: here they count.
    """
    establishment = {
        "finess": hospital.establishment,
        "name": "Centre hospitalier synthétique",
        "time_zone": hospital.clock.zone.key,
        "encounter_roots": [ENCOUNTER_ROOT],
        "external_senders": list(EXTERNAL_SENDERS),
        "theatre_units": list(THEATRE_UNITS),
        "theatre_applications": list(THEATRE_APPLICATIONS),
        "mssante_domains": [OWN_DOMAIN],
    }
    feeds = []
    for name in hospital.feeds:
        settings: dict[str, Any] = {"name": name, "establishment": hospital.establishment} | _listener(name, ports)
        if name == DOCUMENTS and hospital.platform.set_ids:
            settings["submission_set_code"] = SUBMISSION_SET
        feeds.append(settings)
    return {
        "store": "jauge.db",
        "keys": "keys",
        "inventory": "applications.csv",
        "correspondents": "correspondents.csv",
        "mssante": {"trusted_domains": [TRUSTED_DOMAIN]},
        "http": {"host": _HOST, "port": http},
        "log": {"format": "console", "level": "warning"},
        "indicators": {"count_test_ins": count_test_ins},
        "establishments": [establishment],
        "feeds": feeds,
    }


def _listener(feed: str, ports: dict[str, int]) -> dict[str, Any]:
    if feed == LOG:
        log = {"listener": "logs", "path": _LOG, "rotated": f"{_LOG}.*", "mapping": "logs/platform-json.yaml"}
        return log | {"state": "positions", "poll_seconds": _POLL}
    if feed == CAPTURE:
        return {"listener": "captures", "path": _DUMPS, "poll_seconds": _POLL}
    if feed == AUDIT:
        return {"listener": "syslog", "transport": "tcp", "port": ports[feed]}
    if feed in MAILED:
        return {"listener": "smtp", "port": ports[feed], "recipients": [_JOURNAL]}
    return {"listener": "http" if feed == FHIR else "mllp", "port": ports[feed]}


def write(folder: Path, hospital: Hospital, ports: dict[str, int], http: int, *, count_test_ins: bool = True) -> Path:
    """Writes the configuration and the inventory in the folder, and makes what the feeds need; returns the configuration."""
    (folder / "applications.csv").write_text(hospital.inventory(), encoding="utf-8")
    directory = folder / "correspondents.csv"
    directory.write_text(hospital.mailing.directory.table(), encoding="utf-8")
    os.utime(directory, (hospital.clock.now, hospital.clock.now))  # D6.2 asks how old it is
    (folder / _LOG).parent.mkdir(exist_ok=True)
    (folder / _DUMPS).mkdir(exist_ok=True)
    path = folder / "jauge.yaml"
    settings = configuration(hospital, ports, http, count_test_ins=count_test_ins)
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def addresses(hospital: Hospital) -> tuple[int, dict[str, int]]:
    """A free port for the pages, and one for each feed that has a port."""
    names = [feed for feed in hospital.feeds if feed not in (LOG, CAPTURE)]
    http, *ports = free_ports(1 + len(names))
    return http, dict(zip(names, ports, strict=True))


def post(feed: str, folder: Path, ports: dict[str, int], *, window: int = 64, turn: int = 1) -> Post:
    """What sends the payloads of a feed to the engine of this folder. ``turn``: 2 when everything is sent again."""
    if feed in FEEDS:
        return Sender(_HOST, ports[feed], window=window)
    if feed == LOG:
        return LogPost(folder / _LOG)
    if feed == CAPTURE:
        return CapturePost(folder / _DUMPS, f"dump{turn}")
    if feed in MAILED:
        return SmtpPost(_HOST, ports[feed], _JOURNAL)
    return SyslogPost(_HOST, ports[feed]) if feed == AUDIT else HttpPost(_HOST, ports[feed])


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((_HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
