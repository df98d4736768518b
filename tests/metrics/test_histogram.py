"""The histogram counts as Prometheus means it, and its copies do not change."""

import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics.histogram import ANSWER_SECONDS, COMMIT_SECONDS, PARSE_SECONDS, PUBLICATION_SECONDS, Histogram
from engine.metrics.snapshot import HistogramState


class TestObserve:
    """Values go to the first bound that is not below them."""

    def test_a_value_equal_to_a_bound_is_under_it(self) -> None:
        """Prometheus' `le` means less or equal."""
        histogram = Histogram((1.0, 2.0))
        for value in (1.0, 1.5, 2.0, 2.5):
            histogram.observe(value)

        assert histogram.state() == HistogramState((1.0, 2.0), (1, 2, 1), 7.0)

    @given(st.lists(st.floats(0, 100, allow_nan=False), max_size=50))
    def test_every_value_is_counted_once(self, values: list[float]) -> None:
        """The counts of the state are those of a plain recount."""
        bounds = (0.1, 1.0, 10.0, 50.0)
        histogram = Histogram(bounds)
        for value in values:
            histogram.observe(value)
        state = histogram.state()

        assert state.count == len(values)
        assert state.total == pytest.approx(sum(values))
        for index, bound in enumerate(bounds):
            assert sum(state.counts[: index + 1]) == bisect.bisect_right(sorted(values), bound)

    def test_a_copy_does_not_follow(self) -> None:
        """What is observed later is not in a state taken earlier."""
        histogram = Histogram((1.0,))
        before = histogram.state()
        histogram.observe(0.5)

        assert before.count == 0


class TestBounds:
    """Bounds are checked once, when the histogram is made."""

    @pytest.mark.parametrize("bounds", [(), (2.0, 1.0), (1.0, 1.0), (1.0, float("inf")), (float("nan"),)])
    def test_bad_bounds_are_refused(self, bounds: tuple[float, ...]) -> None:
        """Empty, unordered, repeated or infinite bounds raise ValueError."""
        with pytest.raises(ValueError, match="strictly increasing"):
            Histogram(bounds)

    @pytest.mark.parametrize("bounds", [PARSE_SECONDS, COMMIT_SECONDS, PUBLICATION_SECONDS, ANSWER_SECONDS])
    def test_shipped_bounds_are_good(self, bounds: tuple[float, ...]) -> None:
        """The bounds used by the engine can be used."""
        assert Histogram(bounds).state().count == 0

    def test_the_promise_is_a_bound(self) -> None:
        """20 ms, promised for the time to acknowledge, can be read off the commit histogram."""
        assert 0.02 in COMMIT_SECONDS
