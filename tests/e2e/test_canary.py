"""Nothing personal gets out: 1,000 messages with marked values, then a search of everything the engine wrote or said."""

from __future__ import annotations

import base64
import random
import socket
import sqlite3
from pathlib import Path

from tests.e2e import marks
from tests.e2e.engine import RunningEngine
from tests.messages import adt, matricule

NAME, GIVEN, STREET, MAIL, PHONE = (
    "CANARINOM",
    "CANARIPRENOM",
    "RUEDUCANARI",
    "canari.mail@exemple.mssante.fr",
    "0699999942",
)
VISIT, IPP, DOSSIER = "CANVISIT77", "CANIPP77", "CANDOSSIER77"
MARKS = (NAME, GIVEN, STREET, MAIL, PHONE, VISIT, IPP, DOSSIER, "CANARI")

CDA = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<id root="1.2.250.1.999.42.10.1"/><code code="11490-0" codeSystem="2.16.840.1.113883.6.1"/><title>{NAME}</title>
<effectiveTime value="20260310161500+0100"/><recordTarget><patientRole><id root="1.2.250.1.213.1.4.8" extension="INS"/>
<addr><streetName>{STREET}</streetName></addr><telecom value="mailto:{MAIL}"/><patient><name><family qualifier="BR">{NAME}</family>
<given>{GIVEN}</given></name></patient></patientRole></recordTarget>
<component><nonXMLBody><text mediaType="text/plain" representation="B64">Q0FOQVJJ</text></nonXMLBody></component></ClinicalDocument>"""


def marked(number: int, chance: random.Random) -> bytes:
    """A message full of marks: an admission, a discharge, a document, or one of them damaged."""
    message = (
        adt(number, chance.choice(["A01", "A03", "A31", "Z99"]), visit=number, name=NAME)
        .replace(b"LOUIS", GIVEN.encode())
        .replace(b"1 rue Inventee", STREET.encode())
        .replace(b"|||||||26", f"||{PHONE}~^NET^X.400^{MAIL}|||||{DOSSIER}".encode())
        .replace(b"|7%06d^^^" % number, f"|{IPP}{number}^^^".encode())
        .replace(b"|26%07d^^^" % number, f"|{VISIT}{number}^^^".encode())
        .replace(b"Chirurgie", b"CANARISERVICE")
    )
    kind = number % 5
    if kind == 1:
        document = base64.b64encode(CDA.replace("INS", matricule(number)).encode()).decode()
        message = (
            message.replace(b"ADT^A01^ADT_A01", b"MDM^T02^MDM_T02")
            + (
                f"TXA|1|11490-0|TEXT|||||||||1.2.250.1.999.42.10.{number}|||||AU\r"
                f"OBX|1|ED|11490-0^{NAME}^LN||^text^XML^Base64^{document}||||||F\r"
                f"PRT||UC||RCT^^participation|8^{NAME}||||||||||^^X.400^{MAIL}\rZZZ|{NAME}\r"
            ).encode()
        )
    if kind == 2:
        message = message[: chance.randrange(20, len(message))]  # truncated
    if kind == 3:
        cut = chance.randrange(message.index(b"\r"), len(message))  # MSH names applications, not people
        message = message[:cut] + bytes([chance.randrange(256)]) + NAME.encode() + message[cut:]
    if kind == 4 and number % 3 == 0:
        message = chance.choice([b"H|^~\\&|" + NAME.encode(), f"<x>{NAME}</x>".encode(), NAME.encode() * 3])
    return message


def test_no_mark_is_found_anywhere(tmp_path: Path) -> None:
    """Logs, metrics, answers, store files, keys: no name, number, address or telephone, in any encoding."""
    chance = random.Random(7)
    with RunningEngine(tmp_path) as engine:
        engine.start()
        answers = bytearray()
        messages = [marked(number, chance) for number in range(1, 1001)]
        with socket.create_connection(("127.0.0.1", engine.mllp), timeout=60) as connection:
            connection.settimeout(60)
            for message in messages:
                connection.sendall(b"\x0b" + message.replace(b"\x1c", b" ").replace(b"\x0b", b" ") + b"\x1c\r")
                answer = b""
                while not answer.endswith(b"\x1c\r"):
                    answer += connection.recv(65536)
                answers += answer
        engine.settle()
        page = marks.page(engine)
        assert engine.value("jauge_messages_received_total", feed="his") == 1000
        assert sum(v for (name, _), v in engine.metrics().items() if name == "jauge_messages_rejected_total") > 20
        assert engine.stop() == 0
        said = [
            engine.command(*words)
            for words in (("rates",), ("rates", "--json"), ("audit",), ("explain", f"{VISIT}5"), ("explain", "0"))
        ]
        # MSH-10 goes back to its sender, and may hold anything after a damage; the rest of an answer is ours.
        ours = b"\r".join(line for line in bytes(answers).split(b"\r") if not line.startswith((b"\x0bMSH", b"MSA")))
        places = marks.written(tmp_path) | {"metrics": page, "answers": ours, **marks.said(said)}
        marks.unseen(MARKS, map(matricule, range(1, 1001)), places)
        store = sqlite3.connect(tmp_path / "var" / "jauge.db")
        assert (
            store.execute("SELECT count(*) FROM aside").fetchone()[0] > 20
        )  # kept, and sealed: the search above saw them
        store.close()
        assert oct((tmp_path / "var" / "keys" / "pseudonyms.key").stat().st_mode)[-3:] == "400"
