"""A bite is as large as it must be, and no larger: senders wait for it."""

from hypothesis import given
from hypothesis import strategies as st

from engine.bite import LEAST, LONG, MOST, Bite

PRICES = st.floats(0.0, 0.1)


def folded(bite: Bite, price: float, fixed: float = 0.0) -> float:
    """Seconds of the next bite of a machine that takes so long a message, and so long whatever their number."""
    seconds = fixed + price * bite.size
    bite.took(bite.size, seconds)
    return seconds


@given(st.lists(PRICES, max_size=10), PRICES)
def test_a_slow_machine_never_makes_the_senders_wait_for_more_than_two_small_bites(
    past: list[float], price: float
) -> None:
    """Whatever it was before, a constant price a message ends in bites of the least size, and now and then one of twice as many."""
    bite = Bite()
    for each in past:
        folded(bite, each)
    for _ in range(20):
        folded(bite, price)
    sizes = []
    for _ in range(20):
        sizes.append(bite.size)
        folded(bite, price)
    assert set(sizes) <= {LEAST, 2 * LEAST}
    if price * LEAST <= LONG:
        assert set(sizes) == {LEAST}


@given(st.floats(0.05, 5.0), st.floats(0.0, 0.001))
def test_a_very_long_history_is_folded_in_large_bites(fixed: float, price: float) -> None:
    """Where each bite costs the same whatever its size, a thousand times as many messages cost a few times as much, not a thousand."""
    bite = Bite()
    done, seconds = 0, 0.0
    while done < 10_000:
        done += bite.size
        seconds += folded(bite, price, fixed)
    one_by_one = fixed * 10_000 / LEAST
    assert seconds < one_by_one / 8 + 10_000 * price * 2


@given(st.lists(st.tuples(st.integers(0, MOST), st.floats(0.0, 100.0))))
def test_it_stays_between_its_bounds(bites: list[tuple[int, float]]) -> None:
    """Whatever the times."""
    bite = Bite()
    for messages, seconds in bites:
        bite.took(messages, seconds)
        assert LEAST <= bite.size <= MOST


def test_quick_bites_become_small_again() -> None:
    """After a patient with a very long history, the senders wait for little again."""
    bite = Bite()
    for _ in range(10):
        folded(bite, 0.0, fixed=1.0)
    assert bite.size > 100
    for _ in range(30):
        folded(bite, 0.0001)
    assert bite.size == LEAST
