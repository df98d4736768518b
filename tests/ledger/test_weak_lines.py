"""Lines of a log that name no document: which of them are about one and the same (docs/rules.md section 7, "Not named")."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.facts import LOG, AnyFact, Document
from engine.ledger.naming import Named
from tests.ledger.build import VISIT, at, document
from tests.ledger.facts import handle
from tests.ledger.test_traces import STAY, traced, view

MADE = "2026-03-03 09:00"


def line(when: str, number: int = 1, made: str | None = MADE, **more: Any) -> Document:
    """A weak line: a venue, a type, its time, and when the document was made, if it tells that."""
    values: dict[str, Any] = {"id": None, "weak": True, "visit": VISIT, "created": at(made) if made is not None else 0}
    return traced(when, LOG, handle("line", number), **(values | more))


def counts(*facts: AnyFact) -> list[int]:
    """How many sendings each report has, by the time of its first."""
    found = sorted(view(*STAY, *facts).reports, key=lambda report: report.versions[0].first)
    return [sum(len(version.sendings) for version in report.versions) for report in found]


class TestDated:
    """Lines that tell when their document was made."""

    def test_daily_documents_are_so_many(self) -> None:
        """A biology report a day for one venue: near each other, and not one."""
        lines = [line(f"2026-03-0{n} 09:05", n, f"2026-03-0{n} 09:00") for n in range(1, 8)]
        assert counts(*lines) == [1] * 7

    def test_hourly_documents_are_so_many(self) -> None:
        """However near they are."""
        lines = [line(f"2026-03-03 1{n}:05", n, f"2026-03-03 1{n}:00") for n in range(8)]
        assert counts(*lines) == [1] * 8

    def test_one_document_however_far_apart(self) -> None:
        """Sent again two days later: the date says that it is the same."""
        assert counts(line("2026-03-03 09:05", 1), line("2026-03-05 11:00", 2)) == [2]

    def test_one_date_of_two_types_or_venues(self) -> None:
        """Only of one type, and one venue or patient."""
        other = line("2026-03-03 09:05", 2, type_code="34874-8", kind="other")
        elsewhere = line("2026-03-03 09:05", 3, visit=handle("visit", 2), ins=handle("ins", 2), ipp=handle("ipp", 2))
        assert counts(line("2026-03-03 09:05"), other, elsewhere) == [1, 1, 1]

    def test_the_patient_is_enough(self) -> None:
        """A line by the venue and one by the INS, of one date."""
        assert counts(line("2026-03-03 09:05"), line("2026-03-03 09:06", 2, visit=None)) == [2]


class TestUndated:
    """Lines that tell nothing but their own time."""

    def test_near_the_first_of_them(self) -> None:
        """What is sent within a day of the first line is what it was about; the day after, another document."""
        lines = [line(f"2026-03-0{n} 09:0{n}", n, None) for n in range(1, 6)]
        assert counts(*lines) == [1] * 5
        assert counts(*(line(f"2026-03-03 {n}:00", n, None) for n in range(10, 20))) == [10]

    def test_no_line_draws_others_near(self) -> None:
        """Every ten hours for ten days: each day's lines keep to the day's first, however close the next ones come."""
        lines = [
            line(f"2026-03-{day:02} {hour}:00", 30 * day + hour, None) for day in range(1, 11) for hour in (10, 20)
        ]
        assert counts(*lines) == [3] * 6 + [2]

    def test_beside_a_line_with_a_date(self) -> None:
        """The request told no date and its answer does, or the other way round: one document."""
        assert counts(line("2026-03-03 09:05", 1, None), line("2026-03-03 09:06", 2)) == [2]
        assert counts(line("2026-03-03 09:05", 1), line("2026-03-03 09:06", 2, None)) == [2]

    def test_a_date_is_taken_once(self) -> None:
        """Two lines with dates of their own beside one without: it is about the first, not about both."""
        lines = [
            line("2026-03-03 09:05", 1, None),
            line("2026-03-03 09:06", 2),
            line("2026-03-03 10:06", 3, "2026-03-03 10:00"),
        ]
        assert counts(*lines) == [2, 1]


class TestSurer:
    """Beside a document that something names."""

    def test_a_weak_sending_draws_no_other_near(self) -> None:
        """The letter of the first day takes the line of its day, not by that line those of the next ones."""
        letter = document("2026-03-02 12:00")
        lines = [line(f"2026-03-0{n} 11:00", n, f"2026-03-0{n} 11:00") for n in (3, 4, 5)]
        assert counts(letter, *lines) == [2, 1, 1]

    def test_what_only_a_line_names_surely_is_surer(self) -> None:
        """A line with an entryUUID of its own, later in time, takes the weak line beside it."""
        named = line("2026-03-03 09:06", 2, None, weak=False, entry=handle("entry", 1))
        assert counts(line("2026-03-03 09:05", 1), named) == [2]

    def test_what_is_deleted_takes_no_line(self) -> None:
        """A deletion that names nothing is nothing that another line could be about."""
        gone = line("2026-03-03 09:04", 2, request="deletion")
        (report,) = view(*STAY, gone, line("2026-03-03 09:05")).reports
        assert not report.versions[0].deletions


LINES = [
    line("2026-03-03 09:05", 1, None, ins=None, ipp=None),
    line("2026-03-03 09:05", 1, "2026-03-03 09:01"),
    line("2026-03-03 09:06", 2, None, visit=None),
]


def tied(facts: Iterable[Document]) -> set[tuple[Document, bytes]]:
    """The version of each fact, taken in this order."""
    return {(fact, key) for fact, key, _ in Named(facts).facts}


def test_lines_of_one_request_in_any_order() -> None:
    """Lines that differ in nothing but their date or their venue are told apart in an order of their own."""
    first = tied(LINES)
    assert all(tied(order) == first for order in permutations(LINES))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60), st.integers(1, 3), st.sampled_from([None, MADE, "2026-03-04 09:00"]), st.booleans()
        ),
        min_size=2,
        max_size=8,
    ),
    st.booleans(),
    st.data(),
)
def test_any_lines_in_any_order(made: list[tuple[int, int, str | None, bool]], sure: bool, data: st.DataObject) -> None:
    """The documents that weak lines tell of do not depend on the order in which the lines came."""
    facts = [
        line(f"2026-03-{3 + hour // 24:02} {hour % 24:02}:00", number, date, visit=VISIT if here else None)
        for hour, number, date, here in made
    ]
    if sure:
        facts.append(document("2026-03-02 12:00"))
    assert tied(data.draw(st.permutations(facts))) == tied(facts)
