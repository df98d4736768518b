"""What happens to bytes on their way: cut, lost, repeated, changed, and pieces of the format where they do not belong."""

from __future__ import annotations

import random
from collections.abc import Sequence


def damaged(raw: bytes, pieces: Sequence[bytes], source: random.Random) -> bytes:
    """The bytes with one to four accidents; ``pieces``: what the format is made of."""
    for _ in range(source.randint(1, 4)):
        at = source.randint(0, len(raw))
        size = source.choice((1, 1, 8, 200))
        match source.randrange(6):
            case 0:
                raw = raw[:at]
            case 1:
                raw = raw[:at] + raw[at + size :]
            case 2:
                raw = raw[:at] + source.choice(pieces) + raw[at:]
            case 3:
                raw = raw[:at] + bytes([source.randrange(256)]) + raw[at + 1 :]
            case 4:
                other = source.randint(0, len(raw))
                raw = raw[:at] + raw[other : other + size] + raw[at:]
            case _:
                old, new = source.sample(pieces, 2)
                raw = raw.replace(old, new, source.choice((1, 3)))
    return raw
