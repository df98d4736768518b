"""What the running engine shows of itself: habits, projections, certificates, room."""

import asyncio
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog
import trustme
from cryptography import x509

from engine.ledger import schema, tallies
from engine.ledger.journal import HOUR
from engine.metrics.rules.verdict import MET, Verdict
from engine.page.pages import Pages
from engine.service import Engine, load_config

FINESS = "990000001"
NOW = int(datetime(2026, 11, 16, 10, 30, tzinfo=UTC).timestamp())
TODAY = datetime.fromtimestamp(NOW, UTC).date().toordinal()
CONFIG = f"""
store: jauge.db
keys: keys
http: {{port: 0}}
establishments: [{{finess: "{FINESS}", name: CH d'exemple}}]
feeds:
  - {{name: his, listener: mllp, establishment: "{FINESS}", port: 0, tls: {{certificate: server.pem, key: server.key, client_ca: ca.pem}}}}
  - {{name: quiet, listener: mllp, establishment: "{FINESS}", port: 0}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration with a certificate, over a store with a past."""
    ca = trustme.CA()
    server = ca.issue_cert("localhost")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "jauge.yaml").write_text(CONFIG)
    store = schema.connect(tmp_path / "jauge.db")
    store.execute("BEGIN")
    tallies.write(store, {Verdict("DS1.1", FINESS, "", TODAY - 2, MET, 0): 3})
    tallies.write(store, {Verdict("DS1.1", FINESS, "", TODAY - 2, "not_produced", 0): 1})
    tallies.write(store, {Verdict("DS1.1_eligible", FINESS, "", TODAY - 2, MET, 0): 3})
    store.execute("INSERT INTO registers VALUES('feed', 'his', ?)", (NOW - 60,))
    past = range(NOW // HOUR - 21 * 24, NOW // HOUR)
    store.executemany("INSERT INTO hours VALUES('his', ?, 2)", [(hour,) for hour in past])
    store.execute("COMMIT")
    store.close()
    return tmp_path


def test_what_is_shown(site: Path) -> None:
    """The name of the configuration, the habit of a feed from the hours of the store, the heading of an indicator, the expiry of a certificate, the room on the disk."""
    engine = Engine(load_config(site / "jauge.yaml"), clock=lambda: NOW)
    try:
        shown = engine.snapshot
        assert shown.names == {FINESS: "CH d'exemple"}
        feeds = {feed.name: feed for feed in shown.feeds}
        assert feeds["his"].silence_limit == pytest.approx(5 * HOUR, abs=2)
        assert feeds["quiet"].silence_limit == 0
        assert shown.projected == {("DS1.1", FINESS): pytest.approx(0.75)}
        end = x509.load_pem_x509_certificate((site / "server.pem").read_bytes()).not_valid_after_utc.timestamp()
        assert shown.certificates["feeds.his"] == end
        assert set(shown.certificates) == {"feeds.his", "feeds.his.client_ca"}
        assert shown.store_bytes >= (site / "jauge.db").stat().st_size > 0
        assert shown.free_bytes > 0
        assert not shown.ready
    finally:
        engine.ledger.close()


def test_a_short_period_heads_where_the_weeks_before_it_say(tmp_path: Path) -> None:
    """On the second of March, with periods of one month: five weeks are remembered, whatever the windows need."""
    (tmp_path / "jauge.yaml").write_text(
        CONFIG.replace(", tls: {certificate: server.pem, key: server.key, client_ca: ca.pem}", "")
        + "indicators: {months: 1, freshness_days: 1}\n"
    )
    now = int(datetime(2026, 3, 2, 10, 30, tzinfo=UTC).timestamp())
    day = datetime.fromtimestamp(now, UTC).date().toordinal() - 35
    store = schema.connect(tmp_path / "jauge.db")
    store.execute("BEGIN")
    tallies.write(store, {Verdict("DS1.1", FINESS, "", day, MET, 0): 3})
    tallies.write(store, {Verdict("DS1.1", FINESS, "", day, "not_produced", 0): 1})
    store.execute("COMMIT")
    store.close()
    engine = Engine(load_config(tmp_path / "jauge.yaml"), clock=lambda: now)
    try:
        assert engine.snapshot.projected == {("DS1.1", FINESS): pytest.approx(0.75)}
    finally:
        engine.ledger.close()


@pytest.mark.parametrize(("setting", "state"), [("", "silent"), ("holidays: martinique, ", "alive")])
def test_the_holidays_are_those_of_the_establishment(tmp_path: Path, setting: str, state: str) -> None:
    """A feed that rests on Sundays is not missed on 22 May in Martinique, and is where nobody said that it is there."""
    here = CONFIG.replace("name: CH", f"{setting}time_zone: America/Martinique, name: CH")
    (tmp_path / "jauge.yaml").write_text(
        here.replace(", tls: {certificate: server.pem, key: server.key, client_ca: ca.pem}", "")
    )
    zone = ZoneInfo("America/Martinique")
    now = int(datetime(2026, 5, 22, 10, 30, tzinfo=zone).timestamp())
    store = schema.connect(tmp_path / "jauge.db")
    store.execute("BEGIN")
    store.execute("INSERT INTO registers VALUES('feed', 'his', ?)", (now - 10 * HOUR,))
    for hour in range(now // HOUR - 21 * 24, now // HOUR):
        if datetime.fromtimestamp(hour * HOUR, zone).weekday() != 6:
            store.execute("INSERT INTO hours VALUES('his', ?, 20)", (hour,))
    store.execute("COMMIT")
    store.close()
    engine = Engine(load_config(tmp_path / "jauge.yaml"), clock=lambda: now)
    try:
        assert {feed.name: feed.state(now) for feed in engine.snapshot.feeds}["his"] == state
    finally:
        engine.ledger.close()


async def test_ready_is_shown_once_messages_can_be_acknowledged(site: Path) -> None:
    """As /readyz says it; a certificate that is taken away has no expiry any more."""
    clock = [float(NOW)]
    engine = Engine(load_config(site / "jauge.yaml"), clock=lambda: clock[0])
    await engine.start()
    try:
        (site / "ca.pem").unlink()
        clock[0] += 3_600
        deadline = time.monotonic() + 60
        while not (engine.snapshot.ready and set(engine.snapshot.certificates) == {"feeds.his"}):
            assert time.monotonic() < deadline
            await engine.pipeline.accept(b"MSH|^~\\&|A|B|C|D|20261116103000||ADT^A01|1|P|2.5\r", "his")
    finally:
        await engine.stop()


async def test_a_page_that_fails_is_told(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error goes to the log, whose gate withholds its text; the reader gets none of it, and the engine goes on."""

    def fails(*_: object) -> None:
        raise ValueError("SECRET")

    monkeypatch.setattr(Pages, "_view", fails)
    engine = Engine(load_config(site / "jauge.yaml"), clock=lambda: NOW)
    with structlog.testing.capture_logs() as lines:
        await engine.start()
        try:
            with pytest.raises(urllib.error.HTTPError) as refused:
                await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{engine.http_port}/")
            assert (refused.value.code, refused.value.read()) == (500, b"error\n")
            assert engine.ready()
        finally:
            await engine.stop()
    (told,) = (line for line in lines if line["event"] == "page-failed")
    assert type(told["error"]) is ValueError
