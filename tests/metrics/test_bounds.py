"""Labels stay few, whatever the flows bring."""

from hypothesis import given
from hypothesis import strategies as st

from engine.metrics import bounds
from engine.metrics.bounds import OTHER, Bounds


class TestAdmit:
    """First come, first kept."""

    def test_beyond_the_cap_is_other(self) -> None:
        """The third of two is `other`; the first two keep their names for ever."""
        labels = Bounds(2, {})

        assert [labels.admit("feed", name) for name in "abcab"] == ["a", "b", OTHER, "a", "b"]
        assert labels.dropped == 1

    def test_each_label_has_its_own_room(self) -> None:
        """A label that overflows costs the others nothing."""
        labels = Bounds(1, {})
        labels.admit("feed", "a")
        labels.admit("feed", "b")

        assert labels.admit("code", "b") == "b"

    def test_a_closed_list_takes_no_room(self) -> None:
        """Known values are always admitted."""
        labels = Bounds(1, {"code": ("known-a", "known-b")})

        assert [labels.admit("code", code) for code in ("new", "known-a", "known-b")] == ["new", "known-a", "known-b"]

    def test_a_value_named_other_is_not_counted(self) -> None:
        """`other` itself is `other`, and nothing was lost."""
        labels = Bounds(0, {})

        assert labels.admit("feed", OTHER) == OTHER
        assert labels.dropped == 0

    @given(st.lists(st.text(max_size=3), max_size=60), st.integers(0, 10))
    def test_never_more_than_the_cap(self, values: list[str], cap: int) -> None:
        """At most `cap` names come out, plus `other`; what was lost is counted once each."""
        labels = Bounds(cap, {})
        shown = {labels.admit("endpoint", value) for value in values}

        assert len(shown - {OTHER}) <= cap
        assert labels.dropped == len(set(values) - {OTHER}) - len(shown - {OTHER})

    def test_what_was_turned_away_is_remembered_within_bounds(self) -> None:
        """A flood of names does not grow the memory for ever."""
        labels = Bounds(0, {})
        for number in range(bounds._REMEMBERED + 10):
            labels.admit("endpoint", str(number))

        assert labels.dropped <= bounds._REMEMBERED
