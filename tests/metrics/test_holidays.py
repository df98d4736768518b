"""The public holidays of France, against published dates."""

from datetime import date, timedelta
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.establishment import Establishment
from engine.metrics.holidays import TERRITORIES, easter, is_holiday, of_year

EASTER = """
2020-04-12 2021-04-04 2022-04-17 2023-04-09 2024-03-31 2025-04-20 2026-04-05 2027-03-28
2028-04-16 2029-04-01 2030-04-21 2031-04-13 2032-03-28 2033-04-17 2034-04-09 2035-03-25
1666-04-25 1818-03-22 1943-04-25 1954-04-18 1981-04-19 2038-04-25 2049-04-18 2076-04-19
""".split()
"""As published: the years to come, the earliest and the latest ever, and those in which the moon of the tables is not the one of the sky."""

YEARS = {
    2026: "01-01 04-06 05-01 05-08 05-14 05-25 07-14 08-15 11-01 11-11 12-25",
    2027: "01-01 03-29 05-01 05-06 05-08 05-17 07-14 08-15 11-01 11-11 12-25",
    2028: "01-01 04-17 05-01 05-08 05-25 06-05 07-14 08-15 11-01 11-11 12-25",
}
"""Year -> the eleven days, as service-public.fr publishes them."""


@pytest.mark.parametrize("published", EASTER)
def test_easter_is_when_it_was_published(published: str) -> None:
    """Every year from 2020 to 2035, and the years in which simpler rules are wrong."""
    day = date.fromisoformat(published)
    assert easter(day.year) == day


@given(st.integers(1583, 9999))
def test_easter_is_a_sunday_of_spring(year: int) -> None:
    """From 22 March to 25 April, in every year of the calendar."""
    assert easter(year).weekday() == 6
    assert date(year, 3, 22) <= easter(year) <= date(year, 4, 25)


@pytest.mark.parametrize(("year", "days"), YEARS.items())
def test_the_eleven_national_holidays(year: int, days: str) -> None:
    """No day more, no day less."""
    assert sorted(of_year(year, "national")) == [date.fromisoformat(f"{year}-{day}") for day in days.split()]


@pytest.mark.parametrize(
    ("territory", "own"),
    [
        ("alsace_moselle", ["2026-04-03", "2026-12-26"]),
        ("guadeloupe", ["2026-05-27"]),
        ("guyane", ["2026-06-10"]),
        ("martinique", ["2026-05-22"]),
        ("mayotte", ["2026-04-27"]),
        ("reunion", ["2026-12-20"]),
        ("saint_barthelemy", ["2026-10-09"]),
        ("saint_martin", ["2026-05-28"]),
    ],
)
def test_a_territory_adds_its_own(territory: str, own: list[str]) -> None:
    """To the national ones, which are not asked about its days."""
    assert sorted(of_year(2026, territory) - of_year(2026, "national")) == [date.fromisoformat(day) for day in own]
    assert of_year(2026, "national") < of_year(2026, territory)


def test_a_day_is_a_holiday_or_not() -> None:
    """Of its own year, and where it is asked."""
    assert is_holiday(date(2026, 11, 11))
    assert not is_holiday(date(2026, 11, 10))
    assert not is_holiday(date(2026, 4, 6) + timedelta(days=365))
    assert is_holiday(date(2026, 12, 26), "alsace_moselle")
    assert not is_holiday(date(2026, 12, 26))


def test_what_the_configuration_may_say_is_known() -> None:
    """Each value of the setting has its days, and each of these a value."""
    (choices, *_) = get_args(get_type_hints(Establishment, include_extras=True)["holidays"])
    assert set(get_args(choices)) == set(TERRITORIES)
