"""What a metric is: name, type, labels, meaning."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Family(Struct, frozen=True):
    """One metric. ``labels`` are in the order of the exposition's own bookkeeping; ``help`` names the rule."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    help: str
