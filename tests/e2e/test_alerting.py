"""From a rate that falls to the mail in a mailbox, with what is shipped: rules, routes and words; engine, Prometheus, Alertmanager, Postfix are real.

The shipped files are changed in three ways only, by :func:`hurried`: addresses are those of the test, what is done every few minutes
is done every second, and what must last for hours before it is said must last some seconds.
"""

from __future__ import annotations

import asyncio
import email.policy
import http.server
import json
import os
import re
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from engine.simulator.hospital import Hospital
from engine.simulator.sender import send_all
from engine.simulator.traffic import DOCUMENTS, MOVEMENTS
from tests.e2e.alertmanager import Alertmanager
from tests.e2e.engine import RunningEngine, free_port
from tests.e2e.postfix import Postfix
from tests.e2e.postfix import find as find_postfix
from tests.e2e.prometheus import Prometheus, find
from tests.messages import adt, stay

CONFIG = Path(__file__).parents[2] / "config"
FINESS = "990000001"
ENGINE = """\
store: var/jauge.db
keys: var/keys
http: {{host: 127.0.0.1, port: {http}}}
log: {{format: json, level: info}}
indicators: {{count_test_ins: true, targets: {{DS1.1: TARGET}}}}
establishments:
  - {{finess: "990000001", name: CH Fictif, proof: sent}}
feeds:
  - {{name: his, listener: mllp, establishment: "990000001", host: 127.0.0.1, port: {mllp}}}
"""
FALL = "DS1.1 est sous la cible (CH Fictif)"
WAIT = 120  # seconds: much more than is needed, however slow the machine


def hurried(text: str, **addresses: str) -> str:
    """A shipped file for the test: each address that is named takes the place of the other; minutes and hours of waiting become a second.

    What an alert waits for becomes five: a scrape or two that a busy machine makes late are no alert.
    Untouched: every expression, threshold, label, text, route and inhibition, and ``repeat_interval``.
    """
    for mine, theirs in addresses.items():
        shipped = {
            "engine": '"127.0.0.1:9464"',
            "alertmanager": '"127.0.0.1:9093"',
            "smarthost": '"127.0.0.1:25"',
            "webhook": '"http://127.0.0.1:8080/jauge"',
        }[mine]
        assert shipped in text
        text = text.replace(shipped, f'"{theirs}"')
    text = re.sub(r"(?m)^( *for): (?!0s)\w+$", r"\1: 5s", text)
    waits = r"(?m)^( *)(interval|scrape_interval|evaluation_interval|group_wait|group_interval): (?!0s)\w+$"
    return re.sub(waits, r"\1\2: 1s", text)


def rules(folder: Path) -> list[Path]:
    """The shipped rules, hurried."""
    found = []
    for path in sorted((CONFIG / "prometheus").glob("*.yml")):
        if path.name != "prometheus.yml":
            found.append(folder / path.name)
            found[-1].write_text(hurried(path.read_text(encoding="utf-8")), encoding="utf-8")
    return found


def prepare(folder: Path, engine: str, alertmanager: str) -> None:
    """The shipped configuration of Prometheus and its rules, hurried."""
    rules(folder)
    text = (CONFIG / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    (folder / "prometheus.yml").write_text(hurried(text, engine=engine, alertmanager=alertmanager), encoding="utf-8")


class Mailbox:
    """A Maildir that Postfix delivers to, whoever of the hospital it is for."""

    def __init__(self, postfix: Postfix) -> None:
        """Give a Postfix that is not started yet the mailbox of the hospital's domain."""
        self.folder = postfix.folder / "boxes" / "exploitation"
        self.folder.parent.mkdir()
        os.chown(self.folder.parent, 65_534, 65_534)
        main = postfix.folder / "main.cf"
        settings = re.sub(r"(?m)^always_bcc = .*\n", "", main.read_text(encoding="utf-8"))
        main.write_text(
            settings + "virtual_mailbox_domains = ch-fictif.example\nvirtual_mailbox_maps = static:exploitation/\n"
            f"virtual_mailbox_base = {self.folder.parent}\nvirtual_minimum_uid = 1\nvirtual_mailbox_limit = 0\n"
            "virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n",
            encoding="utf-8",
        )
        with (postfix.folder / "master.cf").open("a", encoding="utf-8") as master:
            master.write("virtual unix - n n - - virtual\n")

    def mails(self) -> list[EmailMessage]:
        """Every mail that was delivered, in the order of its date."""
        if not (self.folder / "new").exists():
            return []
        found = [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted((self.folder / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        ]
        return [mail for mail in found if isinstance(mail, EmailMessage)]

    def subjects(self) -> list[str]:
        """The subjects of the mails."""
        return [str(mail["Subject"]) for mail in self.mails()]


@contextmanager
def hook() -> Iterator[tuple[int, list[Any]]]:
    """Somebody's webhook: its port, and what it was told."""
    told: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="webhook")
    thread.start()
    try:
        yield server.server_address[1], told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wait(true: Callable[[], object], why: Callable[[], object]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.25)


@pytest.fixture
def programs() -> tuple[str, str]:
    """Prometheus and Alertmanager; skipped when something that the mail needs on its way is not here."""
    missing = find_postfix()
    prometheus, alertmanager = find(), find("prometheus-alertmanager")
    if missing or not prometheus or not alertmanager:
        pytest.skip(missing or "Prometheus or Alertmanager is not here: scripts/tools brings them")
    return prometheus, alertmanager


@pytest.mark.timeout(900)
def test_a_rate_falls_and_the_mailbox_has_one_mail_when_it_starts_and_one_when_it_ends(
    tmp_path: Path, programs: tuple[str, str]
) -> None:
    """One mail at the start and one at the end, in French, with a link that answers; an engine that stops in between has its own, and neither ends nor repeats it."""
    hospital = Hospital(1, 150, datetime.now(UTC).date() - timedelta(days=1))
    truth = hospital.truth(date.today()).rates["DS1.1_sent", "rolling"]  # noqa: DTZ011  # the days of the engine
    assert truth.denominator >= 20
    target = round(truth.numerator / truth.denominator - 0.1, 2)
    config = ENGINE.replace("TARGET", str(target))
    # Every stay of the hospital, and three times as many that left without a letter, by mistake: their exits will be cancelled.
    told = [each.payload for each in hospital if each.feed in {MOVEMENTS, DOCUMENTS}]
    when = datetime.now(UTC) - timedelta(days=20)
    numbers = range(500_001, 500_001 + 3 * truth.denominator)
    mistaken = [message for number in numbers for message in stay(number, when)]
    cancelled = [
        adt(2 * number + 1, "A13", visit=number, when=when + timedelta(days=3))
        .replace(b"|INSERT|", b"|CANCEL|")
        .replace(b"|G0", b"|H0")
        for number in numbers
    ]
    prometheus_path, alertmanager_path = programs
    folder = tmp_path / "alerting"
    folder.mkdir()
    for path in (CONFIG / "alertmanager").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    postfix = Postfix(free_port())
    mailbox = Mailbox(postfix)

    with hook() as (port, hooked), postfix, RunningEngine(tmp_path, config) as engine:
        text = (folder / "alertmanager.yml").read_text(encoding="utf-8")
        addresses = {"smarthost": f"127.0.0.1:{postfix.port}", "webhook": f"http://127.0.0.1:{port}/jauge"}
        (folder / "alertmanager.yml").write_text(hurried(text, **addresses), encoding="utf-8")

        def feed(messages: list[bytes]) -> float:
            """The rate once they are counted."""
            report = asyncio.run(send_all("127.0.0.1", engine.mllp, messages, connections=1, window=64))
            assert report.accepted
            engine.settle()
            return engine.value("jauge_indicator_ratio", indicator="DS1.1", establishment=FINESS, window="rolling")

        def called() -> list[str]:
            return [each["status"] for each in hooked if each["groupLabels"]["alertname"] == "JaugeMoteurArrete"]

        def told_so_far() -> object:
            return mailbox.subjects(), manager.alerts(), postfix.told()

        engine.start()
        assert feed(told) > target
        with Alertmanager(folder, alertmanager_path) as manager:
            prepare(folder, f"127.0.0.1:{engine.http}", manager.address)
            with Prometheus.start(
                tmp_path, (), program=prometheus_path, config_file=folder / "prometheus.yml"
            ) as prometheus:
                ratio = 'jauge_indicator_ratio{indicator="DS1.1", window="rolling"}'
                assert prometheus.wait(ratio, WAIT)
                # The rate falls.
                assert feed(mistaken) < target - 0.1
                wait(lambda: f"[Jauge] Attention : {FALL}" in mailbox.subjects(), told_so_far)
                # The engine stops: that is another alert, which goes to the webhook too, and silences the first.
                engine.stop()
                stopped = f"Jauge ne répond plus sur 127.0.0.1:{engine.http}"
                wait(lambda: f"[Jauge] CRITIQUE : {stopped}" in mailbox.subjects(), told_so_far)
                wait(lambda: called() == ["firing"], told_so_far)
                engine.start()
                wait(lambda: f"[Jauge] Terminé : {stopped}" in mailbox.subjects(), told_so_far)
                wait(lambda: called() == ["firing", "resolved"], told_so_far)
                # The first still holds, and nothing more is said of it however often Alertmanager looks at it.
                looked = manager.flushed()
                wait(lambda: manager.flushed() > looked + 5, told_so_far)
                assert any(each["labels"]["alertname"] == "JaugeSousLaCible" for each in manager.alerts())
                # The rate rises again.
                assert feed(cancelled) > target
                wait(lambda: f"[Jauge] Terminé : {FALL}" in mailbox.subjects(), told_so_far)
                groups = prometheus.api("rules")["groups"]
                assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}, groups

        subjects = Counter(mailbox.subjects())
        about = {subject: count for subject, count in subjects.items() if FALL in subject or stopped in subject}
        assert set(about.values()) == {1}, subjects
        assert len(about) == 4
        assert called() == ["firing", "resolved"]
        first = next(mail for mail in mailbox.mails() if mail["Subject"] == f"[Jauge] Attention : {FALL}")
        check(first, engine.http, target)


def check(mail: EmailMessage, port: int, target: float) -> None:
    """The words of the mail, in text and in HTML, and where its link leads."""
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        text = part.get_content()
        assert FALL in text
        assert f"FINESS : {FINESS}" in text
        assert f"cible {target * 100:.0f} %." in text
        assert re.search(r"Lettres de liaison au DMP : [0-9]+(,[0-9]+)? % sur les derniers mois", text)
        assert "Depuis le " in text
        assert "no value" not in text
        assert "error" not in text
        url = f"http://127.0.0.1:{port}/aide/alertes#jaugesouslacible"
        assert url in text
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.status == 200
            assert 'id="jaugesouslacible"' in answer.read().decode()
