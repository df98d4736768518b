"""Patterns of a mapping: what is accepted takes a time in proportion to the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.parsers.log_patterns import MAX_PATTERN, PatternError, compiled


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<time>\S+) \[[^\]]*\] id=(?P<id>\S+)",
        r"[^;]*;[^;]*;(?P<x>[^;]*)",
        r"(?P<t>\d{4}-\d\d-\d\d \S+) .*id=\d{1,20}",
        r"(?>.*?id=)(?P<id>\S+)(?: set=(?P<set>\S+))?",
        r"(?>.*?id=)(?P<id>[^ ]+)(?: a=(?P<a>[^ ]+))?+(?: b=(?P<b>[^ ]+))?+",
        r"(?:INFO|WARN|ERROR) +(?P<x>.*)",
        r"\w*\d?$",
        r"\d+-\d+-\d+",
        r"(?:\d{1,3}\.){3}\d{1,3} (?P<rest>.*)$",
        r"[^\d]+\d+\s+[\w.]+;",
        r"x{0,300}y",
    ],
)
def test_ordinary_patterns(pattern: str) -> None:
    """What a log needs can be written."""
    assert compiled(pattern).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a+)+b", "repeats a group too often"),
        ("(a|a)*b", "repeats a group too often"),
        (r"(\w+\.)*x", "repeats a group too often"),
        (".*a.*b", "out of proportion"),
        ("a*a*$", "out of proportion"),
        (r"\s*(?:x)?\s*y", "out of proportion"),
        (r".*?id=(?P<id>\d+);", "out of proportion"),
        ("x{0,300}x{0,300}y", "out of proportion"),
        ("(?:a?){16}b", "too many choices"),
        ("a{0,9}a{0,9}a{0,9}b", "too many choices"),
        ("(?i)a", "sets flags"),
        ("a(?i:b)", "sets flags"),
        ("a(?=b)", "looks ahead"),
        ("(?<!b)a", "looks ahead"),
        (r"(a)\1", "looks ahead"),
        ("(a)?(?(1)b|c)", "looks ahead"),
        ("(", "is not a regular expression"),
        ("[[a]b]", "is not a regular expression"),
        ("a" * (MAX_PATTERN + 1), "is too long"),
        ("(" * 2000 + ")" * 2000, "is not a regular expression"),
    ],
)
def test_refused_patterns(pattern: str, message: str) -> None:
    """What could take long is refused, with the reason and a mend."""
    with pytest.raises(PatternError, match=message) as found:
        compiled(pattern)
    assert found.value.mend


class Steps:
    """A matcher that goes back as Python's does, and counts the characters it looks at."""

    def __init__(self, pattern: str, text: str) -> None:
        self.text = text
        self.count = 0
        next(self.sequence(list(import_module("re._parser").parse(pattern, re.ASCII)), 0), None)

    def sequence(self, items: list[Any], at: int) -> Iterator[int]:
        """Where the items may end, in the order Python tries them."""
        if not items:
            yield at
            return
        for end in self.item(items[0], at):
            yield from self.sequence(items[1:], end)

    def one(self, item: tuple[Any, Any], at: int) -> bool:
        """Look at one character."""
        self.count += 1
        op, value = str(item[0]), item[1]
        if at >= len(self.text):
            return False
        code = ord(self.text[at])
        if op == "LITERAL":
            return code == value
        if op == "NOT_LITERAL":
            return code != value
        if op == "ANY":
            return True
        kinds = [str(kind) for kind, _ in value]
        assert set(kinds) <= {"LITERAL", "RANGE", "NEGATE"}
        found = any(
            code == what if str(kind) == "LITERAL" else what[0] <= code <= what[1]
            for kind, what in value
            if str(kind) != "NEGATE"
        )
        return found != ("NEGATE" in kinds)

    def item(self, item: tuple[Any, Any], at: int) -> Iterator[int]:
        """Where one item may end."""
        op, value = str(item[0]), item[1]
        if op in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            if self.one(item, at):
                yield at + 1
        elif op == "AT":
            if at == len(self.text):
                yield at
        elif op == "SUBPATTERN":
            yield from self.sequence(list(value[3]), at)
        elif op == "ATOMIC_GROUP":
            found = next(self.sequence(list(value), at), None)
            if found is not None:
                yield found
        elif op == "BRANCH":
            for branch in value[1]:
                yield from self.sequence(list(branch), at)
        else:
            low, high, body = value
            if op == "POSSESSIVE_REPEAT":
                found = next(self.times(list(body), int(low), int(high), at, greedy=True), None)
                if found is not None:
                    yield found
            else:
                yield from self.times(list(body), int(low), int(high), at, greedy=op == "MAX_REPEAT")

    def times(self, body: list[Any], low: int, high: int, at: int, *, greedy: bool) -> Iterator[int]:
        """Where a repetition may end."""
        if len(body) == 1 and str(body[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            ends = [at] if low == 0 else []
            if not greedy:
                yield from ends
            for count in range(1, min(high, len(self.text) + 1) + 1):
                if not self.one(body[0], at + count - 1):
                    break
                if count >= low:
                    if not greedy:
                        yield at + count
                    ends.append(at + count)
            if greedy:
                yield from reversed(ends)
            return
        if not greedy and low == 0:
            yield at
        if high > 0:
            for end in self.sequence(body, at):
                if end > at or low > 0:
                    yield from self.times(body, max(low - 1, 0), high - 1, end, greedy=greedy)
        if greedy and low == 0:
            yield at


_ONE = st.sampled_from(["a", "b", ".", "[^a]", "[ab]", "[^b]", "x"])
_LOOP = st.builds(
    "{}{}".format, _ONE, st.sampled_from(["*", "+", "?", "*?", "+?", "*+", "++", "{1,3}", "{2,300}", "{0,2}"])
)
_PIECE = st.recursive(
    st.one_of(_ONE, _LOOP),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{''.join(parts)})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?>{''.join(parts)})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["?", "*", "+", "?+", "{0,3}", "*+", "??"])),
    ),
    max_leaves=5,
)
_PATTERN = st.lists(_PIECE, min_size=1, max_size=5).map("".join)


@settings(max_examples=600, deadline=None)
@given(
    pattern=_PATTERN,
    end=st.sampled_from(["", "$"]),
    unit=st.sampled_from(["a", "b", "ab", "aab", "abb", "c", "ac"]),
    tail=st.sampled_from(["", "x", "c", "!"]),
)
def test_accepted_patterns_take_linear_time(pattern: str, end: str, unit: str, tail: str) -> None:
    """For whatever pattern is accepted, a line twice as long takes about twice the steps."""
    try:
        compiled(pattern + end)
    except PatternError:
        return
    few = Steps(pattern + end, unit * (600 // len(unit)) + tail).count
    many = Steps(pattern + end, unit * (1200 // len(unit)) + tail).count
    assert many <= 2.6 * few + 3_000


def test_steps_tell_what_is_not_linear() -> None:
    """The counting of the test above sees a quadratic pattern."""
    few, many = (Steps(".*a.*x", "a" * length).count for length in (600, 1200))
    assert many > 2.6 * few + 3_000
