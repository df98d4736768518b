"""French numbers: cut and never rounded, with the spaces that keep them whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.page import numbers


@pytest.mark.parametrize(
    ("met", "counted", "words"),
    [
        (7_996, 10_000, "79,9\u00a0%"),
        (614, 1_000, "61,4\u00a0%"),
        (1, 1, "100,0\u00a0%"),
        (0, 3, "0,0\u00a0%"),
        (0, 0, "—"),
    ],
)
def test_a_rate_is_cut(met: int, counted: int, words: str) -> None:
    """79,96 % is written 79,9 %: a target that is not reached never looks reached."""
    assert numbers.percent(met, counted) == words


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_what_is_written_is_never_above_what_is(rate: tuple[int, int]) -> None:
    """For every rate, the number written is at most the rate, and less than a tenth of a point under it."""
    met, counted = rate
    written = int(numbers.percent(met, counted).replace(",", "").split("\u00a0")[0])
    assert written * counted <= met * 1_000 < (written + 1) * counted


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0.7996, "79,9\u00a0%"), (0.58, "58,0\u00a0%"), (0.29, "29,0\u00a0%"), (1.0, "100,0\u00a0%"), (0.0, "0,0\u00a0%")],
)
def test_a_ratio_is_cut_as_it_is_written(ratio: float, words: str) -> None:
    """0.58 is 58,0 % although the machine holds a little less; 0.7996 is 79,9 %."""
    assert numbers.share(ratio) == words


@pytest.mark.parametrize(("ratio", "words"), [(0.98, "98\u00a0%"), (0.975, "97,5\u00a0%"), (1.0, "100\u00a0%")])
def test_a_target_has_no_idle_decimal(ratio: float, words: str) -> None:
    """A target is written as people say it."""
    assert numbers.target(ratio) == words


@pytest.mark.parametrize(
    ("missed", "counted", "words"),
    [
        (123, 1_000, "12,3\u00a0points"),
        (10, 1_000, "1\u00a0point"),
        (19, 1_000, "1,9\u00a0point"),
        (20, 1_000, "2\u00a0points"),
        (1, 10_000, "moins de 0,1\u00a0point"),
    ],
)
def test_points(missed: int, counted: int, words: str) -> None:
    """Points to win, in the French plural: from two."""
    assert numbers.points(missed, counted) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0\u00a0s"),
        (59, "59\u00a0s"),
        (61, "1\u00a0min"),
        (3_600, "1\u00a0h"),
        (3_720, "1\u00a0h 2\u00a0min"),
        (97_200, "1\u00a0j 3\u00a0h"),
        (86_460, "1\u00a0j"),
        (-3, "0\u00a0s"),
    ],
)
def test_durations(seconds: int, words: str) -> None:
    """Two units at most, side by side."""
    assert numbers.duration(seconds) == words


def test_the_rest() -> None:
    """Counts by threes, dates the French way, sizes, plurals, and labels inside a sentence."""
    assert numbers.count(1_234_567) == "1\u202f234\u202f567"
    assert numbers.tenths(-5) == "−0,5"
    assert numbers.day(739_577) == "22/11/2025"
    assert numbers.month(739_577) == "novembre 2025"
    assert numbers.moment(0, "Europe/Paris") == numbers.date_of(0, "Europe/Paris") == "jamais"
    assert numbers.moment(1_763_816_580, "Europe/Paris") == "22/11/2025 à 14:03"
    assert numbers.date_of(1_763_816_580, "Indian/Reunion") == "22/11/2025"
    assert (numbers.size(12), numbers.size(12_345), numbers.size(2_500_000_000)) == (
        "12\u00a0o",
        "12,3\u00a0ko",
        "2,5\u00a0Go",
    )
    assert (numbers.plural(0, "jour", "jours"), numbers.plural(2, "jour", "jours")) == ("0\u00a0jour", "2\u00a0jours")
    assert (numbers.inside("Document non produit"), numbers.inside("INS absente")) == (
        "document non produit",
        "INS absente",
    )
