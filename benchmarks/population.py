"""Fills a store with so many stays, through the ledger's own two steps (record, fold): ``/metrics`` is then asked of it.

Each stay has a patient, an admission, a discharge, a letter sent to the DMP and (five times in seven) its confirmation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from time import time

from engine import assembly, service
from engine.facts import INS_NIR, AnyFact, Document, Identity, Movement, Outcome
from engine.ledger.book import encode
from engine.ledger.journal import Entry

DAY = 86_400
DAYS = 1_000
"""The stays end over so many days up to today: the windows hold a part of them, as in a hospital."""
CHUNK = 2_000


def pseudonym(kind: str, number: int) -> bytes:
    """16 bytes, as good as any."""
    return blake2b(f"{kind}{number}".encode(), digest_size=16).digest()


def stay(number: int, now: int) -> tuple[AnyFact, ...]:
    """The facts of one stay."""
    leave = now - now % DAY - (number % DAYS) * DAY + 50_000
    enter = leave - 4 * DAY
    ipp, ins = pseudonym("ipp", number), pseudonym("ins", number)
    visit, dossier = pseudonym("visit", number), pseudonym("dossier", number)
    unit = f"UF{number % 20:02d}"

    def movement(event: str, when: int, out: int) -> Movement:
        return Movement(
            at=when,
            when=when,
            establishment="990000001",
            ipp=ipp,
            ins=ins,
            visit=visit,
            dossier=dossier,
            movement=pseudonym(event, number),
            event=event,
            action="INSERT",
            historic=False,
            original="",
            patient_class="I",
            treatment="03",
            unit=unit,
            nature="HMS",
            entry=enter,
            exit=out,
            level="V",
            preadmitted=False,
            death=False,
        )

    exchange = pseudonym("control", number)
    letter = Document(
        at=leave,
        establishment="990000001",
        exchange=exchange,
        position=0,
        ipp=ipp,
        ins=ins,
        ins_root=INS_NIR,
        status="VALI",
        birth_corrected=False,
        visit=visit,
        dossier=dossier,
        encounter=None,
        id=pseudonym("document", number),
        chain=pseudonym("chain", number),
        version=1,
        replaces=None,
        orders=(),
        request="initial",
        final=True,
        type_code="11490-0",
        kind="ldl-ses",
        body="cda",
        level=1,
        declared_level=1,
        created=leave,
        service_start=enter,
        service_stop=leave,
        cda_ins=ins,
        cda_ins_root=INS_NIR,
        traits_complete=True,
        custodian="",
        patient_class="I",
        dmp="Y",
        mss_professional="N",
        mss_patient="N",
        recipients=(),
        ack_wanted=True,
        sender="DPI@HX",
    )
    facts: tuple[AnyFact, ...] = (
        Identity(
            at=enter,
            ipp=ipp,
            ins=ins,
            ins_root=INS_NIR,
            ins_key_valid=True,
            status="VALI",
            birth_corrected=False,
            dmp="ACTIF",
            feeding="INO",
        ),
        movement("A01", enter, 0),
        movement("A03", leave, leave),
        letter,
    )
    if number % 7 < 5:
        facts += (
            Outcome(
                at=leave + 600, exchange=exchange, layer="dmp", accepted=True, code="", recipient=None, sender="PFI@HX"
            ),
        )
    return facts


def entries(stays: int, now: int) -> Iterator[Entry]:
    """One journal entry a stay."""
    for number in range(stays):
        key = number.to_bytes(8, "big")
        yield Entry(
            feed="adt",
            day=now // DAY - number % DAYS,
            control=key,
            content=key,
            facts=encode(stay(number, now)),
            received=now,
        )


def populate(file: Path, stays: int, progress: Callable[[int], None] = lambda _: None) -> None:
    """Put so many stays into the store of a configuration, which must be empty."""
    config = service.load_config(file)
    ledger = assembly.open_ledger(config, assembly.keys_of(config))
    try:
        waiting, done = entries(stays, int(time())), 0
        while chunk := list(islice(waiting, CHUNK)):
            ledger.record(chunk)
            while ledger.fold(CHUNK):
                pass
            done += len(chunk)
            progress(done)
    finally:
        ledger.close()
