"""A real engine that a synthetic hospital feeds, and a real Prometheus that watches it: what the dashboards have to show."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import trustme
import yaml

from engine.simulator.demo import Demonstration
from engine.simulator.hospital import Hospital
from engine.simulator.listening import free_ports
from tests.e2e.prometheus import Prometheus
from tests.evidence.establishment import MAILBOX, SENDER, reply, sender, sent

_ZONE = "Europe/Paris"
_DAY = 86_400
OWN_TARGETS = {"DS1.1": 0.01}
"""Targets that the site sets: one that is reached."""


class Scene:
    """The demonstration, its Prometheus, and when it began."""

    def __init__(self, show: Demonstration, prometheus: Prometheus, start: float) -> None:
        self.show = show
        self.prometheus = prometheus
        self.start = start

    @property
    def instance(self) -> str:
        """The label ``instance`` of the engine."""
        return self.show.url.removeprefix("http://")


def _complete(show: Demonstration, folder: Path) -> None:
    """Tells the engine what the demonstration leaves out: TLS, PS4.1, a target of the site that is reached, an official value."""
    settings = yaml.safe_load(show.path.read_text(encoding="utf-8"))
    finess = show.hospital.establishment
    now = int(time.time())
    mailbox = {name: getattr(MAILBOX, name) for name in ("address", "service", "responsible", "declared")}
    smtp = {"host": "127.0.0.1", "port": 25, "transport": "plain"}
    settings["ps41"] = {
        "folder": "ps41",
        "senders": [{"establishment": finess, "sender": SENDER, "smtp": smtp, "mailbox": mailbox}],
    }
    register, record = sent(folder / "ps41", at=now - 20 * _DAY, one=sender(establishment=finess))
    register.received(record, reply(record), "thread", at=now - 20 * _DAY + 130, dated=now - 20 * _DAY + 120)
    settings["establishments"][0]["official_values"] = {"P4.3": True}
    settings["indicators"]["targets"] = OWN_TARGETS
    certificate = trustme.CA().issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=200))
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "feed.pem", append=number > 0)
    certificate.private_key_pem.write_to_path(folder / "feed.key")
    (folder / "feed.key").chmod(0o400)
    tls = {"certificate": "feed.pem", "key": "feed.key"}
    (port,) = free_ports(1)
    settings["feeds"].append({"name": "tls", "establishment": finess, "listener": "mllp", "port": port, "tls": tls})
    show.path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")


@asynccontextmanager
async def played(folder: Path, *, stays: int, seconds: float, history: str | None = None) -> AsyncIterator[Scene]:
    """A hospital of so many stays that spoke for so many seconds, all of it counted and scraped. ``history``: see Prometheus."""
    today = datetime.now(ZoneInfo(_ZONE)).date()
    hospital = Hospital(1, stays, today, _ZONE, mail=True)
    show = Demonstration(hospital, hospital.truth(), folder)
    _complete(show, folder)
    await show.start()
    try:
        target = show.url.removeprefix("http://")
        with Prometheus.start(folder, [target], history=history) as prometheus:
            start = time.time()
            prometheus.wait("jauge_build_info")
            await show.run(seconds, None)
            counted = show.truth.messages
            prometheus.wait(
                f"sum(jauge_messages_received_total) >= {counted} and sum(jauge_ledger_pending_messages) == 0"
            )
            yield Scene(show, prometheus, start)
    finally:
        await show.stop()
