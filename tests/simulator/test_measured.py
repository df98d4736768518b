"""Reading /metrics back, and comparing."""

from __future__ import annotations

from collections import Counter

from engine.simulator.measured import Difference, differences, outside, read
from engine.simulator.truth import Rate, Submissions

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
# TYPE jauge_dmp_submissions counter
jauge_dmp_submissions_total{establishment="990000001"} 12.0
jauge_dmp_submissions_total{establishment="990000019"} 5.0
# TYPE jauge_dmp_responses counter
jauge_dmp_responses_total{establishment="990000001",outcome="accepted"} 8.0
jauge_dmp_responses_total{establishment="990000001",outcome="refused"} 2.0
jauge_dmp_responses_total{establishment="990000001",outcome="failed"} 0.0
# TYPE jauge_dmp_errors counter
jauge_dmp_errors_total{establishment="990000001",code="other"} 2.0
# TYPE jauge_dmp_contradictions counter
jauge_dmp_contradictions_total{establishment="990000001"} 1.0
# TYPE python_info gauge
python_info{version="3"} 1.0
"""


def test_a_page_is_read_for_one_establishment() -> None:
    """Rates of the FINESS asked, counters over all feeds."""
    page = read(PAGE, "990000001")
    assert page.rates == {("DS1.1", "official"): Rate(3, 5, Counter(rejected=2, deleted=0))}
    assert page.submissions == Submissions(12, Counter(accepted=8, refused=2), Counter(other=2), 1)
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


def test_bounds_hold_the_truth() -> None:
    """Without named documents a true numerator may be as high as what was submitted of unknown documents, and no higher."""
    key = ("DS1.1", "official")
    measured = {key: Rate(1, 9, Counter(not_named=3, rejected=5))}
    assert outside(measured, {key: Rate(4, 9, Counter(rejected=5))}) == []
    assert outside(measured, {key: Rate(5, 9, Counter(rejected=4))}) == [Difference(*key, "numerator", 1, 5)]
    assert outside(measured, {key: Rate(0, 9, Counter(rejected=9))}) == [Difference(*key, "numerator", 1, 0)]
    assert outside(measured, {key: Rate(4, 8)}) == [Difference(*key, "denominator", 9, 8)]


def test_what_was_sent_must_be_the_truth_even_without_names() -> None:
    """Only the reasons that an unknown document may take the place of are told apart no more."""
    key = ("DS1.1_sent", "official")
    truth = {key: Rate(4, 9, Counter(not_produced=3, ins_absent=2))}
    assert outside({key: Rate(4, 9, Counter(not_named=2, not_produced=1, ins_absent=2))}, truth) == []
    assert outside({key: Rate(3, 9, Counter(not_named=4, ins_absent=2))}, truth) == [
        Difference(*key, "numerator", 3, 4),
        Difference(*key, "not_named", 4, 3),
    ]
    applications = ("P1.1", "official")
    assert outside({applications: Rate(1, 2)}, {applications: Rate(2, 2)}) == [
        Difference(*applications, "numerator", 1, 2)
    ]
