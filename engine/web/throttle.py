"""Wrong passwords, counted by peer, in bounded memory: a guess costs time, and nobody else pays for it."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

BURST: Final = 10
"""Wrong passwords in a row before a peer has to wait: somebody who hesitates needs fewer."""

SECONDS: Final = 6.0
"""Then one more try each so many seconds: 14,000 a day, against some 10^18 passwords of 12 characters."""

MAX_PEERS: Final = 4_096
"""Peers remembered; beyond, the one that was wrong the longest ago is forgotten."""


class Throttle:
    """A bucket of tries for each peer: each wrong one takes a try out, time puts it back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._lock: Final = Lock()
        self._full: Final[OrderedDict[str, float]] = OrderedDict()  # peer -> when its bucket is full again

    def take(self, peer: str) -> float:
        """Take one try; 0 when there was one, else the seconds until there is."""
        key, now = _network(peer), self._clock()
        with self._lock:
            full = max(self._full.get(key, now), now)
            wait = full - now - (BURST - 1) * SECONDS
            if wait > 0:
                return wait
            self._full[key] = full + SECONDS
            self._full.move_to_end(key)
            if len(self._full) > MAX_PEERS:
                self._full.popitem(last=False)
            return 0.0

    def give_back(self, peer: str) -> None:
        """The try was right: it costs nothing."""
        key = _network(peer)
        with self._lock:
            if key in self._full:
                self._full[key] -= SECONDS

    def __len__(self) -> int:
        return len(self._full)


def _network(peer: str) -> str:
    """The address; of IPv6 its /64, since whoever has one address there has them all."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
