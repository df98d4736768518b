"""Clocks that jump: of a sender, or of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.feed import Feed
from engine.ledger.ledger import Ledger
from engine.mappings import load
from engine.metrics.settings import RuleSettings
from engine.parsers import context, log
from engine.privacy import Digests
from engine.resources import path
from engine.seal import Seal
from tests.messages import adt

NOW = 1_780_000_000
LINE = (
    b'{"time":"%b","event":"dmp.submission","status":"ACCEPTED","document_id":"1.2.250.1.999.42.10.%d",'
    b'"ins":"285017511867881","ins_oid":"1.2.250.1.213.1.4.10","type_code":"11490-0","created":"%b"}'
)
TIMES = (b"1900-01-01T00:00:00Z", b"2026-05-28T22:00:00+02:00", b"2199-12-31T23:59:59Z", b"9999-12-31T23:59:59Z")


def feed(name: str) -> Feed:
    """A feed of HL7 messages, or of the lines of a log."""
    found = Feed(name, context.default(), Digests(bytes(32)), Seal(bytes(32)))
    if name == "his":
        return found
    from msgspec import structs

    return structs.replace(found, parse=log.reader(load(path("logs/platform-json.yaml"))))


@pytest.mark.parametrize(("received", "ahead"), [(NOW, True), (2_000_000_000, False)])
def test_a_message_from_the_future_is_counted_and_said(received: int, ahead: bool) -> None:
    """Dated more than a day after it came: a remark, nothing is lost."""
    message = adt(1).replace(b"2026", b"2031")
    (entry,) = feed("his").entries(message, received)
    assert ("clock-ahead" in entry.flags) == ahead
    assert entry.facts is not None


def test_any_time_of_a_trace_is_survived(tmp_path: Path) -> None:
    """A log whose clock jumps by centuries, and a machine whose clock goes back between two batches."""
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(count_test_ins=True), {"pseudonyms": b"12345678"})
    lines = feed("log")
    try:
        for number, time in enumerate(TIMES):
            for received in (NOW, NOW - 86_400 * 400, NOW + 86_400 * 400, 0):
                ledger.record(lines.entries(LINE % (time, number, time), received))
                while ledger.fold(10):
                    pass
        assert ledger.audit() == []
        assert ledger.journal.pending == 0
    finally:
        ledger.close()
