"""The series of PS4.1 (``jauge_ps41_...``): where each establishment that is configured for it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from engine.metrics import families as f
from engine.metrics.bounds import OTHER
from engine.metrics.family import Family
from engine.metrics.text import Values
from engine.standing import Standing

_SHOWN: Final[tuple[tuple[Family, Callable[[Standing, float], float]], ...]] = (
    (f.PS41_SENT, lambda one, _: one.sent_at),
    (f.PS41_REPLIED, lambda one, _: one.replied_at),
    (f.PS41_PROVEN, lambda one, _: one.proven_at),
    (f.PS41_EXPIRES, lambda one, _: one.expires_at),
    (f.PS41_AWAITING, lambda one, _: int(one.awaiting)),
    (f.PS41_DECLARED, lambda one, _: int(one.declared)),
    (f.PS41_VALID, lambda one, now: int(one.valid(now))),
)


def standings(
    found: Iterable[Standing], now: float, admit: Callable[[str, str], str]
) -> Iterator[tuple[Family, Values]]:
    """One series an establishment. ``now``: of the snapshot. Beyond the bound of labels nobody is shown: a sum has no sense."""
    named = [(admit("establishment", one.establishment), one) for one in found]
    for family, value in _SHOWN:
        values: Values = {(name,): value(one, now) for name, one in named if name != OTHER}
        yield family, values
