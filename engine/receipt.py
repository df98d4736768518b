"""What becomes of one payload: the pipeline's answer to a listener."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Status = Literal["accepted", "duplicate", "aside", "refused", "unavailable"]


class Receipt(Struct, frozen=True):
    """Outcome of one payload, given only once it is true.

    ``accepted``, ``duplicate`` and ``aside`` (unreadable, kept sealed) are on disk. ``refused``: unreadable, and the feed's
    policy is to refuse. ``unavailable``: the engine cannot keep its promise now (disk full, store locked); send again later.
    """

    status: Status
    code: str = ""
    where: str = ""

    @property
    def positive(self) -> bool:
        """Whether the sender may forget the message."""
        return self.status in _POSITIVE


_POSITIVE: Final = frozenset({"accepted", "duplicate", "aside"})
