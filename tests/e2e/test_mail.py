"""MSSanté mail against the truth: a synthetic hospital that mails its documents, over SMTP, every number equal to the unit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engine.simulator.hospital import Hospital
from engine.simulator.platform import Trace
from engine.simulator.truth_mail import INDICATORS
from tests.e2e.hospital import measured

TODAY = date(2026, 5, 20)


@pytest.mark.timeout(900)
async def test_mail_is_measured_to_the_unit_and_again_when_replayed(tmp_path: Path) -> None:
    """D6.3, DS4.1, DS4.2 and their second values are the truth, with their reasons; everything again, shuffled, changes nothing."""
    hospital = Hospital(1, 400, TODAY, mail=True)
    async with measured(hospital, tmp_path) as running:
        await running.send(hospital.envelopes)
        page = await running.compare()
        assert all(page.rates[name, "official"].numerator for name in INDICATORS)
        await running.send(hospital.shuffled(3))
        await running.compare()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("trace", "seed", "today", "count_test_ins"),
    [
        ("zam", 2, date(2026, 1, 1), False),
        ("all", 3, TODAY, True),
        ("capture", 14, date(2026, 11, 3), True),
        ("fhir", 6, date(2026, 4, 2), False),
    ],
)
async def test_any_order_of_the_mail_gives_the_truth(
    tmp_path: Path, trace: Trace, seed: int, today: date, count_test_ins: bool
) -> None:
    """On other days and seeds, whatever the traces: receipts before their mail, mail before the messages of its documents."""
    hospital = Hospital(seed, 250, today, trace=trace, mail=True)
    async with measured(hospital, tmp_path, count_test_ins=count_test_ins) as running:
        await running.send(hospital.shuffled(seed), connections=4)
        await running.compare()


@pytest.mark.timeout(900)
async def test_where_audit_messages_name_no_document_the_mail_is_still_the_truth(tmp_path: Path) -> None:
    """What is not known of the DMP does not touch what is known of the mail."""
    hospital = Hospital(2, 150, TODAY, trace="syslog", mail=True)
    async with measured(hospital, tmp_path) as running:
        await running.send(hospital.shuffled(5))
        await running.compare()
