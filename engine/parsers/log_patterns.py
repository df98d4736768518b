r"""Regular expressions of a mapping: compiled only when every line takes a time in proportion to its length.

Python's engine goes back on its steps: ``(a+)+b`` takes exponential time, ``.*a.*b.*c`` cubic. A pattern is therefore
read here as a tree and accepted only when going back is cheap, whatever the line:

* only single characters are repeated without end (``\S+``, ``[^;]*``): no loop is inside a loop;
* where such a loop could stop at several places (what follows it may begin with one of its own characters), the rest of
  the pattern, or of the atomic group around it, has a bounded length: ``.* id=[0-9]{1,20}`` or ``(?>.*?id=)(\S+)``;
* the other choices (``|``, ``?``, ``{0,3}``) whose branches may begin alike are few.

Time is then at most (choices x bounded length) x length of the line, and lines have at most :data:`MAX_LINE` characters.
"""

from __future__ import annotations

import re
import warnings
from importlib import import_module
from typing import Any, Final

from msgspec import Struct

MAX_LINE: Final = 65_536
"""Longest line, in characters, that a pattern is tried on."""
MAX_PATTERN: Final = 4_096
_BOUND: Final = 256  # most characters after a loop that may stop at several places
_COPIES: Final = 16  # most repetitions of a group
_CHOICES: Final = 64

_ASCII: Final = (1 << 128) - 1
_OTHER: Final = 1 << 128  # every character beyond ASCII, as one
_EVERY: Final = _ASCII | _OTHER
_CATEGORIES: Final = {"DIGIT": "[0-9]", "SPACE": r"[ \t\n\r\f\v]", "WORD": r"[A-Za-z0-9_]"}


class PatternError(ValueError):
    """A pattern that is not accepted: why, and how to mend it."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class _Rest(Struct, frozen=True):
    """What comes after a place of the pattern, up to where nothing goes back any more."""

    first: int  # characters it may begin with
    nullable: bool  # it may be empty
    width: int | None  # its greatest length; None: no limit
    sure: bool = False  # it always matches: nothing before it is ever tried again


_END: Final = _Rest(0, True, 0, sure=True)


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, in ASCII classes. Raises :class:`PatternError`."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError("is too long", f"at most {MAX_PATTERN} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what means one thing today and another one tomorrow: [[a]
            tree = import_module("re._parser").parse(pattern, re.ASCII)
            found = re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError, Warning):
        raise PatternError("is not a regular expression", "look for a bracket that is not closed") from None
    if found.flags != re.ASCII:
        raise PatternError("sets flags", "write without (?i) and the like: [Aa]")
    _Guard().sequence(list(tree), _END)
    return found


class _Guard:
    """One reading of one pattern, from its end to its begin."""

    def __init__(self) -> None:
        self.choices = 1

    def sequence(self, items: list[Any], after: _Rest) -> _Rest:
        """What the items and what comes after them begin with. Raises :class:`PatternError`."""
        for item in reversed(items):
            after = self.item(item, after)
        return after

    def item(self, item: tuple[Any, Any], after: _Rest) -> _Rest:
        op, argument = str(item[0]), item[1]
        one = _characters(op, argument)
        if one is not None:
            return _Rest(one, False, _plus(after.width, 1))
        if op == "AT":
            return _Rest(after.first, after.nullable, after.width)
        if op == "SUBPATTERN":
            if argument[1] or argument[2]:
                raise PatternError("sets flags", "write without (?i:...) and the like: [Aa]")
            return self.sequence(list(argument[3]), after)
        if op == "ATOMIC_GROUP":
            inside = self.sequence(list(argument), _END)
            return _then(inside, after)
        if op == "BRANCH":
            return self.branch([list(branch) for branch in argument[1]], after)
        if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = argument
            return self.repeat(int(low), int(high), list(body), after, possessive=op == "POSSESSIVE_REPEAT")
        raise PatternError("looks ahead, behind or back at itself", "write it without (?=...), (?<=...) or \\1")

    def branch(self, branches: list[list[Any]], after: _Rest) -> _Rest:
        found = [self.sequence(branch, after) for branch in branches]
        seen, alike = 0, False
        for one in found:
            alike = alike or one.nullable or bool(seen & one.first)
            seen |= one.first
        if alike and not after.sure:
            self.choose(len(found))
        widths = [one.width for one in found]
        width = None if None in widths else max(width for width in widths if width is not None)
        return _Rest(seen, any(one.nullable for one in found), width, any(one.sure for one in found))

    def repeat(self, low: int, high: int, body: list[Any], after: _Rest, *, possessive: bool) -> _Rest:
        single = _characters(str(body[0][0]), body[0][1]) if len(body) == 1 else None
        if single is None and high > _COPIES:
            raise PatternError(
                "repeats a group too often",
                f"repeat single characters ([^;]*), or the group at most {_COPIES} times",
            )
        inside = _Rest(single, False, 1) if single is not None else self.group(body, high, after, possessive=possessive)
        if not possessive and not after.sure and inside.first & after.first and low != high:
            if high <= _BOUND:
                self.choose(high - low + 1)
            elif after.width is None or after.width > _BOUND:
                raise PatternError(
                    "could take a time out of proportion to the line: what follows a repetition may begin with its own "
                    "characters",
                    "exclude them ([^;]*; and not .*;), or go to the next word without return: (?>.*?word=)",
                )
        width = _times(inside.width, high) if high <= _BOUND else None
        return _then(_Rest(inside.first, low == 0 or inside.nullable, width, low == 0 or inside.sure), after)

    def group(self, body: list[Any], high: int, after: _Rest, *, possessive: bool) -> _Rest:
        """What a repeated group begins with; it may be followed by itself."""
        before = self.choices
        inside = self.sequence(body, _END)
        self.choices = before
        width = _plus(_times(inside.width, high), after.width)
        following = _Rest(inside.first | after.first, after.nullable, width, after.sure)
        self.sequence(body, _END if possessive else following)
        if not possessive and high > 1:
            self.choose((self.choices // before) ** (high - 1))
        return inside

    def choose(self, count: int) -> None:
        self.choices *= count
        if self.choices > _CHOICES:
            raise PatternError(
                "has too many choices that begin alike", "make optional parts begin differently, or cut it in two"
            )


def _then(inside: _Rest, after: _Rest) -> _Rest:
    first = inside.first | after.first if inside.nullable else inside.first
    nullable, width = inside.nullable and after.nullable, _plus(inside.width, after.width)
    return _Rest(first, nullable, width, inside.sure and after.sure)


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _times(one: int | None, count: int) -> int | None:
    return None if one is None or (count > _BOUND and one) else one * count


def _characters(op: str, argument: Any) -> int | None:
    """The characters that one step of the pattern takes, as a mask; None when it is no single character."""
    if op == "LITERAL":
        return _bit(argument)
    if op == "NOT_LITERAL":
        return (_EVERY & ~_bit(argument)) | _OTHER
    if op == "ANY":
        return _EVERY
    if op != "IN":
        return None
    mask, negated = 0, False
    for kind, value in argument:
        word = str(kind)
        if word == "NEGATE":
            negated = True
        elif word == "LITERAL":
            mask |= _bit(value)
        elif word == "RANGE":
            mask |= sum(1 << code for code in range(value[0], min(value[1], 127) + 1))
            mask |= _OTHER if value[1] > 127 else 0
        else:
            mask |= _category(str(value))
    # A character beyond ASCII that is excluded is one among many: the others stay.
    return (_EVERY & ~mask) | _OTHER if negated else mask


def _bit(code: int) -> int:
    return 1 << code if code < 128 else _OTHER


def _category(name: str) -> int:
    bare = name.removeprefix("CATEGORY_")
    kind = re.compile(_CATEGORIES[bare.removeprefix("NOT_")])
    mask = sum(1 << code for code in range(128) if kind.fullmatch(chr(code)))
    return _EVERY & ~mask if bare.startswith("NOT_") else mask
