"""A window cut by day and by unit: the parts add up to the sum that is shown, and read beside a writer."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ledger import schema, tallies
from engine.ledger.breakdown import by_day, by_unit, reading
from engine.ledger.distinct import DISTINCT
from engine.ledger.tallies import Sum, Sums
from engine.metrics.periods import Window, month_of
from engine.metrics.rules.verdict import ACCEPTED_LATE, AWAITING_ANSWER, MET, NOT_ANSWERED, Verdict, rejected

FIRST, LAST = 739_500, 739_509
MONTH = month_of(LAST)
OFFICIAL = Window("official", FIRST, LAST, MONTH, LAST + 3)
ROLLING = Window("rolling", FIRST, LAST, today=LAST)
ONE, OTHER = "990000001", "990000019"

verdicts = st.builds(
    Verdict,
    st.sampled_from(["DS1.1", "DS1.1_sent", "D2.2"]),
    st.sampled_from([ONE, OTHER]),
    st.sampled_from(["", "6268", "1200"]),
    st.integers(FIRST - 2, LAST + 2),
    st.sampled_from([MET, NOT_ANSWERED, "not_produced", rejected(""), rejected("XDSUnknownPatientId")]),
    st.sampled_from([0, MONTH, MONTH + 1, LAST - 1, LAST, LAST + 3]),
)


def added(parts: Iterable[Sum]) -> Sum:
    """The parts put together again."""
    met, missed, codes = 0, Counter[str](), Counter[str]()
    for part in parts:
        met += part.met
        missed.update(part.missed)
        codes.update(part.rejected)
    return Sum(met, dict(missed), dict(codes))


@pytest.mark.parametrize("window", [OFFICIAL, ROLLING], ids=["official", "rolling"])
@given(st.dictionaries(verdicts, st.integers(1, 5), max_size=40))
def test_parts_add_up_to_the_sum(window: Window, counted: dict[Verdict, int]) -> None:
    """Days and units each add up to what is shown of the window, late and awaited ones included, for every indicator."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, Path("memory"))
    tallies.write(connection, counted)
    sums = Sums(connection, FIRST - 10)
    for indicator in ("DS1.1", "DS1.1_sent", "D2.2", "DS3.1"):
        for establishment in (ONE, OTHER):
            days = by_day(connection, indicator, establishment, window)
            units = by_unit(connection, indicator, establishment, window)
            assert days is not None
            assert units is not None
            shown = sums.totals(indicator, establishment, window)
            assert added(days.values()) == shown
            assert added(units.values()) == shown
            assert all(window.first <= day <= window.last for day in days)
    connection.close()


def test_an_outcome_is_read_as_the_window_reads_it() -> None:
    """Accepted after the period is late for it and met for the last days; an answer is awaited until its time has passed."""
    late = {(MET, MONTH + 1): 2, (NOT_ANSWERED, LAST): 3}
    assert tallies.total(late, OFFICIAL) == Sum(0, {ACCEPTED_LATE: 2, NOT_ANSWERED: 3}, {})
    assert tallies.total(late, ROLLING) == Sum(2, {AWAITING_ANSWER: 3}, {})


@pytest.mark.parametrize("indicator", sorted(DISTINCT))
def test_distinct_subjects_have_no_days(indicator: str) -> None:
    """An indicator that counts each subject once has no line of days, and its subjects are never given as units."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, Path("memory"))
    tallies.write(connection, {Verdict(indicator, ONE, "ab" * 16, LAST, MET, 0): 1})
    assert by_day(connection, indicator, ONE, ROLLING) is None
    assert by_unit(connection, indicator, ONE, ROLLING) is None
    connection.close()


def test_read_beside_the_writer(tmp_path: Path) -> None:
    """What is being written is not waited for: the last commit is what is seen, and nothing can be changed."""
    path = tmp_path / "jauge.db"
    writer = schema.connect(path)
    tallies.write(writer, {Verdict("DS1.1", ONE, "6268", LAST, MET, 0): 1})
    writer.execute("BEGIN IMMEDIATE")
    tallies.write(writer, {Verdict("DS1.1", ONE, "6268", LAST, MET, 0): 1})
    with reading(path, 10.0) as connection:
        assert by_unit(connection, "DS1.1", ONE, ROLLING) == {"6268": Sum(1, {}, {})}
        assert by_day(connection, "DS1.1", ONE, ROLLING) == {LAST: Sum(1, {}, {})}
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("DELETE FROM tallies")
    writer.close()


def test_a_reading_is_bounded(tmp_path: Path) -> None:
    """A question that lasts longer than it may is given up."""
    path = tmp_path / "jauge.db"
    schema.connect(path).close()
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with reading(path, 0.0) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute(endless).fetchone()
