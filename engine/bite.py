"""How many messages are folded at once, while acknowledgements wait for the end of it."""

from __future__ import annotations

from typing import Final

LEAST: Final = 10
"""Messages; so few are folded in a few milliseconds."""

MOST: Final = 2_000

LONG: Final = 0.02
"""Seconds: who waits for an acknowledgement notices a longer one."""

_WORTH: Final = 0.75


class Bite:
    """The next number of messages to fold.

    A patient with a very long history is folded whole once a bite, whatever its size: larger bites are then the only way to get on. On a slow
    machine they are of no use, and only let the senders wait. Which of the two it is, each larger bite tells: when a message does not come at
    three quarters of its price or less, the next ones are smaller than before.
    """

    def __init__(self) -> None:
        self.size = LEAST
        self._before: float | None = None  # seconds a message, before the bite was made larger

    def took(self, messages: int, seconds: float) -> None:
        """A bite is folded: so many messages, in so many seconds."""
        price = seconds / max(messages, 1)
        vain = self._before is not None and price > _WORTH * self._before
        if seconds > LONG and not vain:
            self.size = min(MOST, self.size * 2)
            self._before = price
        else:
            self.size = max(LEAST, self.size // (4 if vain else 2))
            self._before = None
