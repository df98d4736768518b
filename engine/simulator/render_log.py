"""The platform's log: JSON lines, in the fields of the shipped mapping ``platform-json``, and the chatter around them."""

from __future__ import annotations

import json
from random import Random
from typing import Final

EVENT: Final = "dmp.submission"

_CHATTER: Final[tuple[dict[str, object], ...]] = (
    {"event": "http.request", "status": 200, "path": "/health"},
    {"event": "mssante.submission", "status": "SENT", "box": "service@exemple.mssante.fr"},
    {"event": "certificate.check", "status": "OK", "days": 212},
    {"event": "queue.depth", "status": "OK", "depth": {"dmp": 4, "mssante": 0}},
)


def line(time: str, status: str, values: dict[str, str | int]) -> bytes:
    """One line of interest, without its end; empty values are left out."""
    known = {name: value for name, value in values.items() if value != ""}
    return _json({"time": time, "event": EVENT, "status": status, **known})


def chatter(time: str, random: Random) -> bytes:
    """One line of something else, that a reader passes over."""
    what = random.choice(_CHATTER)
    return _json({"time": time, **what, "thread": f"worker-{random.randint(1, 10**7)}"})


def _json(values: dict[str, object]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
