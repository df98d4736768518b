"""kill -9 in the middle of the traces of submissions: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import http.client
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from pathlib import Path

import pytest

from engine.simulator.sender import send_all
from tests.e2e.engine import CONFIG, RunningEngine, free_port
from tests.messages import matricule, stay
from tests.parsers import fhir_resources as fhir
from tests.parsers import xds_messages as xds

STAYS = 600
REFUSED = 60
KILLS = 8
OUT = (datetime.now(UTC) - timedelta(days=10)).replace(hour=9, minute=0, second=0, microsecond=0)

CAPTURES = CONFIG + (
    '  - {{name: dmp, listener: captures, establishment: "990000001", path: captures, poll_seconds: 0.02, after: %s}}\n'
)
POSTED = CONFIG + (
    '  - {{name: dmp, listener: http, establishment: "990000001", host: 127.0.0.1, port: %d, path: /fhir}}\n'
)
LABELS = {"indicator": "DS1.1", "establishment": "990000001", "window": "rolling"}
OF = {"establishment": "990000001"}


def admit(engine: RunningEngine) -> None:
    """The stays themselves, by MLLP."""
    messages = [message for n in range(1, STAYS + 1) for message in stay(n, OUT - timedelta(days=3))]
    sent = asyncio.run(send_all("127.0.0.1", engine.mllp, messages, connections=4, window=50))
    assert sent.accepted == 2 * STAYS


def counted(engine: RunningEngine) -> None:
    """Every message once, every stay once, every submission once with its answer; and the recount agrees."""
    engine.settle()
    received = engine.value("jauge_messages_received_total", feed="dmp")
    duplicate = engine.value("jauge_messages_duplicate_total", feed="dmp")
    assert received - duplicate == 2 * STAYS
    assert engine.value("jauge_indicator_denominator", **LABELS) == STAYS
    assert engine.value("jauge_indicator_numerator", **LABELS) == STAYS - REFUSED
    assert engine.value("jauge_dmp_submissions_total", **OF) == STAYS
    assert engine.value("jauge_dmp_responses_total", outcome="accepted", **OF) == STAYS - REFUSED
    assert engine.value("jauge_dmp_errors_total", code="XDSUnknownPatientId", **OF) == REFUSED
    assert engine.stop() == 0
    audit = engine.command("audit")
    assert audit.returncode == 0, audit.stdout


def exchange(number: int) -> tuple[bytes, bytes]:
    """The ITI-41 request of the discharge letter of one stay, as a platform dumps it, and its response."""
    at = OUT + timedelta(seconds=number)
    written = at.strftime("%Y%m%d%H%M%S")
    patient = f"{matricule(number)}^^^&1.2.250.1.213.1.4.8&ISO^NH"
    message = f"urn:uuid:00000000-0000-4000-8000-{number:012d}"
    entry = xds.entry(
        unique_id=f"1.2.250.1.999.42.10.{number}",
        patient=patient,
        ipp=f"7{number:06d}^^^&1.2.250.1.999.42.1&ISO^PI",
        creationTime=written,
        serviceStartTime=written,
        serviceStopTime=written,
    )
    lot = xds.submission_set(unique_id=f"1.2.250.1.999.42.20.{number}", patient=patient, at=written)
    body = xds.registry("Failure", ("XDSUnknownPatientId", "Error")) if number <= REFUSED else xds.registry("Success")
    answer = xds.respond("200 OK", xds.answer(body, relates=message))
    date = format_datetime(at + timedelta(seconds=5), usegmt=True).encode()
    return xds.plain(entry, lot, message=message), answer.replace(b"Tue, 10 Mar 2026 15:20:05 GMT", date)


def dumps(chance: random.Random, folder: Path) -> Iterator[None]:
    """Write every request and response, one at each step, as a platform that renames its dumps into place."""
    numbers = list(range(1, STAYS + 1))
    chance.shuffle(numbers)
    for number in numbers:
        for kind, data in zip("qr", exchange(number), strict=True):
            hidden = folder / f".{number:05}-{kind}.xml"
            hidden.write_bytes(data)
            hidden.rename(folder / hidden.name[1:])
            yield


def left(folder: Path) -> int:
    """How many files wait."""
    return sum(path.is_file() for path in folder.iterdir())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", ["move", "delete"])
def test_captures_over_kills(tmp_path: Path, after: str) -> None:
    """Files come and are taken while the engine is killed again and again: each exchange is one submission with its answer."""
    chance = random.Random(12)
    folder = tmp_path / "captures"
    folder.mkdir()
    coming = dumps(chance, folder)
    share = 2 * STAYS // KILLS
    with RunningEngine(tmp_path, CAPTURES % after) as engine:
        engine.start()
        admit(engine)
        engine.kill()
        interrupted = 0
        for life in range(KILLS):
            before = left(folder) + sum(1 for _ in islice(coming, share if life else STAYS))
            if not before:
                break
            engine.start()
            while left(folder) == before:  # each life ends as soon as it has put files away, or a moment later
                time.sleep(0.001)
            time.sleep(chance.choice((0.0, 0.0, 0.02, 0.1)))
            engine.kill()
            interrupted += 0 < left(folder) < before
        assert interrupted, "a life must end in the middle"
        list(coming)
        engine.start()
        for _ in range(1_200):
            if not left(folder):
                break
            time.sleep(0.1)
        assert left(folder) == 0
        assert list((folder / "failed").iterdir()) == []
        assert len(list(folder.glob("done/*"))) == (2 * STAYS if after == "move" else 0)
        counted(engine)


def bundles(number: int) -> tuple[bytes, bytes]:
    """The ITI-65 request of the letter of one stay, with a narrative that makes it large, and what the DMP answered."""
    at = (OUT + timedelta(seconds=number)).isoformat()
    source = {
        "resourceType": "Patient",
        "id": "source",
        "identifier": [
            fhir.identifier("1.2.250.1.213.1.4.8", matricule(number), "INS-NIR"),
            fhir.identifier(fhir.IPP_ROOT, f"7{number:06d}", "PI"),
        ],
    }
    subject = {"reference": f"Patient?identifier=urn:oid:1.2.250.1.213.1.4.8|{matricule(number)}"}
    unique = f"1.2.250.1.999.42.10.{number}"
    letter = fhir.document_reference(
        unique,
        contained=[source],
        subject=subject,
        date=at,
        content=[{"attachment": {"contentType": "text/xml", "url": "urn:uuid:0", "creation": at}}],
        context={"period": {"start": at, "end": at}, "sourcePatientInfo": {"reference": "#source"}},
        text={"status": "generated", "div": f"<div>{'texte ' * 20_000}</div>"},
    )
    lot = fhir.submission_set(f"1.2.250.1.999.42.20.{number}", subject=subject, date=at)
    request = fhir.bundle(fhir.entry(lot, "5e"), fhir.entry(letter, "d1"))
    if number <= REFUSED:
        return fhir.data(request), fhir.data(fhir.outcome("XDSUnknownPatientId"))
    return fhir.data(request), fhir.data(fhir.response("201 Created", "201 Created"))


class Platform(threading.Thread):
    """Posts what it is given, one after the other, and keeps what was not answered by 200."""

    def __init__(self, port: int, waiting: list[tuple[str, bytes]]) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.waiting = waiting

    def run(self) -> None:
        """Until everything is answered or the connection breaks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            while self.waiting:
                name, body = self.waiting[0]
                connection.request(
                    "POST", "/fhir", body, {"Content-Type": "application/fhir+json", "X-Request-Id": name}
                )
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                del self.waiting[0]
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


@pytest.mark.timeout(900)
def test_bundles_over_kills(tmp_path: Path) -> None:
    """Bundles and responses are posted while the engine is killed again and again: what was answered 200 is counted, once."""
    chance = random.Random(56)
    exchanges = [
        (f"urn:uuid:00000000-0000-4000-8000-{number:012d}", body)
        for number in range(1, STAYS + 1)
        for body in bundles(number)
    ]
    port = free_port()
    shares = [exchanges[at::3] for at in range(3)]

    def send(engine: RunningEngine, answers: int | None) -> None:
        """Post what is left, and kill the engine after so many answers; None: let it take everything."""
        wanted = sum(map(len, shares)) - answers if answers is not None else 0
        engine.start()
        senders = [Platform(port, share) for share in shares]
        for sender in senders:
            sender.start()
        if answers is not None:
            while sum(map(len, shares)) > wanted and any(map(Platform.is_alive, senders)):
                time.sleep(0.001)
            engine.kill()
        for sender in senders:
            sender.join()

    with RunningEngine(tmp_path, POSTED % port) as engine:
        engine.start()
        admit(engine)
        engine.kill()
        busy = 0
        for _ in range(KILLS):
            before = sum(map(len, shares))
            send(engine, chance.randrange(60))
            busy += 0 < sum(map(len, shares)) < before
        assert busy > KILLS // 2, "lives must end in the middle"
        send(engine, None)
        assert not any(shares)
        counted(engine)
