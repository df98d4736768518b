"""Nothing personal gets out of the traces either: logs, captures, audit messages and FHIR full of marked values, whole and damaged."""

from __future__ import annotations

import http.client
import json
import random
import socket
import sqlite3
from pathlib import Path

from tests.e2e import marks
from tests.e2e.engine import RunningEngine, free_port
from tests.e2e.test_canary import DOSSIER, GIVEN, IPP, MAIL, MARKS, NAME, PHONE, STREET, VISIT
from tests.messages import matricule
from tests.parsers import audit_messages, fhir_resources, xds_messages

CONFIG = """\
store: var/jauge.db
keys: var/keys
http: {{{{host: 127.0.0.1, port: {{http}}}}}}
log: {{{{format: json, level: debug}}}}
indicators: {{{{count_test_ins: true}}}}
establishments:
  - {{{{finess: "990000001", name: CH Fictif}}}}
feeds:
  - {{{{name: his, listener: mllp, establishment: "990000001", host: 127.0.0.1, port: {{mllp}}}}}}
  - {{{{name: log, listener: logs, establishment: "990000001", path: {outside}/dmp.log, state: var/logs, poll_seconds: 0.1,
       mapping: logs/platform-json.yaml}}}}
  - {{{{name: captures, listener: captures, establishment: "990000001", path: {outside}/dumps, poll_seconds: 0.1, after: delete}}}}
  - {{{{name: audit, listener: syslog, establishment: "990000001", port: {syslog}}}}}
  - {{{{name: fhir, listener: http, establishment: "990000001", port: {fhir}}}}}
"""
COUNT = 200
_MARKED = (
    (b"285017511867881", b"%b"), (b"290067599900261", b"%b"), (b"EXEMPLE", NAME.encode()), (b"CAMILLE", GIVEN.encode()),
    (b"IPP000777", IPP.encode()), (b"990000000042", IPP.encode()), (b"Dr Nom Prenom", NAME.encode()),
)  # fmt: skip


def marked(payload: bytes, number: int) -> bytes:
    """The same with marks and a matricule of its own in the place of every invented value."""
    for old, new in _MARKED:
        payload = payload.replace(old, matricule(number).encode() if new == b"%b" else new)
    return payload


def damaged(payload: bytes, number: int, chance: random.Random) -> bytes:
    """Two in five are cut, or hold a name where none belongs."""
    if number % 5 == 1:
        return payload[: chance.randrange(20, len(payload))]
    if number % 5 == 2:
        cut = chance.randrange(10, len(payload))
        return payload[:cut] + NAME.encode() + bytes([chance.randrange(256)]) + payload[cut:]
    return payload


def line(number: int, chance: random.Random) -> bytes:
    """A line of the log; now and then a name stands where a word, a time or a number should."""
    found: dict[str, object] = {
        "time": "2026-03-10T16:20:05+01:00", "event": "dmp.submission", "status": chance.choice(["SENT", "ACCEPTED", "REFUSED"]),
        "document_id": f"1.2.250.1.999.42.10.{number}", "ins": matricule(number), "ins_oid": "1.2.250.1.213.1.4.10",
        "ipp": f"{IPP}{number}", "visit": f"{VISIT}{number}", "dossier": DOSSIER, "type_code": "11490-0", "patient": NAME,
        "mail": MAIL, "phone": PHONE, "street": STREET, "error_code": "XDSUnknownPatientId",
    }  # fmt: skip
    if number % 4 == 1:
        found[chance.choice(sorted(found))] = chance.choice([NAME, [NAME], {NAME: GIVEN}, f"{NAME}\u0000{GIVEN}"])
    return damaged(json.dumps(found).encode().replace(b"\n", b" "), number, chance).replace(b"\n", b" ")


def capture(number: int, chance: random.Random) -> bytes:
    """A request with its CDA, an answer with free text, a deletion."""
    unique = f"1.2.250.1.999.42.10.{number}"
    kind = number % 3
    if kind == 0:
        whole = xds_messages.request(xds_messages.entry(unique_id=unique), xds_messages.submission_set())
    elif kind == 1:
        error = xds_messages.registry("Failure", ("XDSUnknownPatientId", "Error"))
        whole = xds_messages.answer(error).replace(b'codeContext="', f'codeContext="{NAME} {MAIL} '.encode())
    else:
        whole = xds_messages.deletion(xds_messages.removal())
    return damaged(marked(whole, number), number, chance)


def audit(number: int, chance: random.Random) -> bytes:
    """An audit message in syslog."""
    text = audit_messages.audit(user=f"{NAME} {GIVEN}", set_id=f"1.2.250.1.999.42.20.{number}")
    return damaged(marked(audit_messages.syslog(text), number), number, chance)


def resource(number: int, chance: random.Random) -> bytes:
    """A bundle, a refusal with diagnostics, an audit event."""
    kind = number % 3
    if kind == 0:
        found = fhir_resources.request()
    elif kind == 1:
        found = fhir_resources.outcome() | {"text": {"status": "generated", "div": NAME}}
        found["issue"][0]["diagnostics"] = f"{NAME} {MAIL}"
    else:
        found = fhir_resources.audit_event()
    return damaged(marked(fhir_resources.data(found), number), number, chance)


def test_no_mark_of_a_trace_is_found_anywhere(tmp_path: Path) -> None:
    """Logs, metrics, answers over HTTP, positions, store files, commands: no name, number, address, in any encoding."""
    chance = random.Random(11)
    outside = tmp_path / "outside"
    (outside / "dumps").mkdir(parents=True)
    site = tmp_path / "site"
    site.mkdir()
    syslog, fhir = free_port(), free_port()
    answers = bytearray()
    numbers = range(1, COUNT + 1)
    with RunningEngine(site, CONFIG.format(outside=outside, syslog=syslog, fhir=fhir)) as engine:
        engine.start()
        (outside / "dmp.log").write_bytes(b"".join(line(number, chance) + b"\n" for number in numbers))
        for number in numbers:
            path = outside / "dumps" / f"{number}.tmp"
            path.write_bytes(capture(number, chance))
            path.rename(path.with_suffix(".mime"))
        with socket.create_connection(("127.0.0.1", syslog), timeout=60) as connection:
            connection.sendall(audit_messages.frames(*(audit(number, chance) for number in numbers)))
        for number in numbers:
            client = http.client.HTTPConnection("127.0.0.1", fhir, timeout=60)
            client.request("POST", "/fhir", resource(number, chance), {"Content-Type": "application/fhir+json"})
            answer = client.getresponse()
            answers += str(answer.headers).encode() + answer.read()
            client.close()
        # A damaged line may no longer be of an event that is followed: it is passed over.
        for feed, least in (("log", COUNT // 2), ("captures", COUNT), ("audit", COUNT), ("fhir", COUNT)):
            while engine.value("jauge_messages_received_total", feed=feed) < least:
                engine.settle()
        engine.settle()
        shown = engine.metrics()
        page = marks.page(engine)
        assert sum(v for (name, _), v in shown.items() if name == "jauge_messages_rejected_total") > 50
        assert sum(v for (name, _), v in shown.items() if name == "jauge_dmp_submissions_total") > 50
        assert engine.stop() == 0
        words = (
            ("rates",), ("audit",), ("contradictions",), ("contradictions", "--json"),
            ("explain", f"{VISIT}5"), ("explain", f"{VISIT}5", "--json"),
        )  # fmt: skip
        said = [engine.command(*each) for each in words]
    places = marks.written(site) | {"metrics": page, "answers": bytes(answers), **marks.said(said)}
    marks.unseen(MARKS, map(matricule, numbers), places)
    with sqlite3.connect(site / "var" / "jauge.db") as store:
        assert store.execute("SELECT count(*) FROM aside").fetchone()[0] > 50
    store.close()
