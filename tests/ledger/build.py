"""Facts for the examples: a movement, a document, an answer, with everything not said left ordinary."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.facts import INS_NIR, Document, Identity, Movement, Outcome
from tests.ledger.facts import FINESS, handle

PARIS = ZoneInfo("Europe/Paris")
IPP = handle("ipp", 1)
OTHER_IPP = handle("ipp", 2)
INS = handle("ins", 1)
VISIT = handle("visit", 1)
DOSSIER = handle("dossier", 1)


def at(text: str) -> int:
    """Seconds since the epoch of a local time, ``2026-03-02 10:15``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp())


def movement(event: str, when: str, number: int | None = None, **more: Any) -> Movement:
    """An ADT event recorded when it happened, unless ``recorded`` says otherwise."""
    recorded = more.pop("recorded", when)
    cancels = event in {"A11", "A12", "A13", "A38"}
    values: dict[str, Any] = {
        "at": at(recorded),
        "when": at(when),
        "establishment": FINESS,
        "ipp": IPP,
        "ins": INS,
        "visit": VISIT,
        "dossier": DOSSIER,
        "movement": None if number is None else handle("movement", number),
        "event": event,
        "action": "UPDATE" if event == "Z99" else "CANCEL" if cancels else "INSERT",
        "historic": False,
        "original": "",
        "patient_class": "I",
        "treatment": "03",
        "unit": "6268",
        "nature": "HMS",
        "entry": 0,
        "exit": 0,
        "level": "V",
        "preadmitted": False,
        "death": False,
    }
    return Movement(**(values | more))


def identity(when: str, **more: Any) -> Identity:
    """What a message said of the person."""
    values: dict[str, Any] = {
        "at": at(when),
        "ipp": IPP,
        "ins": INS,
        "ins_root": INS_NIR,
        "ins_key_valid": True,
        "status": "VALI",
        "birth_corrected": False,
        "dmp": "ACTIF",
        "feeding": "INO",
    }
    return Identity(**(values | more))


def document(when: str, number: int = 1, **more: Any) -> Document:
    """A discharge letter, level 1, qualified, addressed to the DMP; ``number`` makes its id and its control id."""
    values: dict[str, Any] = {
        "at": at(when),
        "establishment": FINESS,
        "exchange": handle("exchange", number),
        "position": 0,
        "ipp": IPP,
        "ins": INS,
        "ins_root": INS_NIR,
        "status": "VALI",
        "birth_corrected": False,
        "visit": VISIT,
        "dossier": DOSSIER,
        "encounter": None,
        "id": handle("document", number),
        "chain": None,
        "version": 1,
        "replaces": None,
        "orders": (),
        "request": "initial",
        "final": True,
        "type_code": "11490-0",
        "kind": "ldl-ses",
        "body": "cda",
        "level": 1,
        "declared_level": 1,
        "created": at(when),
        "service_start": at(when),
        "service_stop": at(when),
        "cda_ins": INS,
        "cda_ins_root": INS_NIR,
        "traits_complete": True,
        "custodian": FINESS,
        "patient_class": "I",
        "dmp": "Y",
        "mss_professional": "N",
        "mss_patient": "N",
        "recipients": (),
        "ack_wanted": True,
        "sender": "DPI@HX",
    }
    return Document(**(values | more))


def answer(when: str, number: int = 1, *, accepted: bool = True, layer: str = "dmp", code: str = "") -> Outcome:
    """An answer to the message whose number is given."""
    return Outcome(at(when), handle("exchange", number), layer, accepted, code, None, "PFI@HX")
