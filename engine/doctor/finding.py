"""One thing that was looked at: how it is, and what to do when it is not well."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

State = Literal["ok", "warning", "problem"]
WORST_FIRST: Final[tuple[State, ...]] = ("problem", "warning", "ok")


class Finding(Struct, frozen=True):
    """``check``: the file of this folder that looked; ``place``: what it is about (``feeds.his``, ``store``, a path), never a value from a
    message nor a secret. ``code`` is stable and declared in ``CODES`` of the check; empty when all is well. ``do`` says what to do.
    """

    check: str
    place: str
    state: State
    code: str
    what: str
    do: str


class Findings:
    """The findings of one check, in their order."""

    def __init__(self, check: str) -> None:
        self.check: Final = check
        self.all: list[Finding] = []

    def ok(self, place: str, what: str) -> None:
        """All is well."""
        self.all.append(Finding(self.check, place, "ok", "", what, ""))

    def warning(self, place: str, code: str, what: str, do: str) -> None:
        """It works, and somebody should look at it."""
        self.all.append(Finding(self.check, place, "warning", code, what, do))

    def problem(self, place: str, code: str, what: str, do: str) -> None:
        """It does not work, or will not at the next start."""
        self.all.append(Finding(self.check, place, "problem", code, what, do))


def worst(findings: list[Finding]) -> State:
    """The worst state among them; ok when there is none."""
    return next((state for state in WORST_FIRST if any(one.state == state for one in findings)), "ok")
