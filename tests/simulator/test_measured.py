"""Reading /metrics back, and comparing."""

from __future__ import annotations

from collections import Counter

from engine.simulator.measured import Difference, differences, read
from engine.simulator.truth import Rate

PAGE = """\
# TYPE jauge_indicator_numerator gauge
jauge_indicator_numerator{indicator="DS1.1",establishment="990000001",window="official"} 3.0
jauge_indicator_numerator{indicator="DS1.1",establishment="990000019",window="official"} 9.0
# TYPE jauge_indicator_denominator gauge
jauge_indicator_denominator{indicator="DS1.1",establishment="990000001",window="official"} 5.0
# TYPE jauge_indicator_missed gauge
jauge_indicator_missed{indicator="DS1.1",establishment="990000001",window="official",reason="rejected"} 2.0
jauge_indicator_missed{indicator="DS1.1",establishment="990000001",window="official",reason="deleted"} 0.0
# TYPE jauge_messages_received counter
jauge_messages_received_total{feed="movements"} 40.0
jauge_messages_received_total{feed="answers"} 2.0
# TYPE jauge_messages_rejected counter
jauge_messages_rejected_total{feed="answers",code="not-hl7"} 1.0
# TYPE jauge_messages_duplicate counter
jauge_messages_duplicate_total{feed="movements"} 4.0
# TYPE jauge_ledger_pending_messages gauge
jauge_ledger_pending_messages 7.0
# TYPE python_info gauge
python_info{version="3"} 1.0
"""


def test_a_page_is_read_for_one_establishment() -> None:
    """Rates of the FINESS asked, counters over all feeds."""
    page = read(PAGE, "990000001")
    assert page.rates == {("DS1.1", "official"): Rate(3, 5, Counter(rejected=2, deleted=0))}
    assert (page.received, page.rejected, page.duplicates, page.pending) == (42, 1, 4, 7)


def test_equal_rates_have_no_difference() -> None:
    """A reason at zero, or not there at all, is the same."""
    truth = {("DS1.1", "official"): Rate(3, 5, Counter(rejected=2)), ("DS1.2", "official"): Rate()}
    assert differences(read(PAGE, "990000001").rates, truth) == []


def test_every_difference_is_told() -> None:
    """Numerator, denominator, reasons, and rates that one side lacks."""
    truth = {
        ("DS1.1", "official"): Rate(2, 5, Counter(rejected=2, deleted=1)),
        ("DS3.1", "rolling"): Rate(1, 1),
    }
    assert differences(read(PAGE, "990000001").rates, truth) == [
        Difference("DS1.1", "official", "numerator", 3, 2),
        Difference("DS1.1", "official", "deleted", 0, 1),
        Difference("DS3.1", "rolling", "numerator", 0, 1),
        Difference("DS3.1", "rolling", "denominator", 0, 1),
    ]
