"""Who may connect to a listener, how many times at once, and how many messages a minute each may give."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

#: Peers whose pace is remembered; those that have said nothing for a minute are forgotten first.
_REMEMBERED: Final = 1024
_MINUTE: Final = 60.0


class Peers:
    """The peers of one listener, each known by its IP address.

    ``networks``: those that may come, none given: all (raises ValueError for what is no network); ``connections`` in all and ``each``
    for one peer; ``per_minute`` messages of one peer, 0: any number. A peer that was silent may give a minute's worth at once.
    """

    def __init__(
        self,
        networks: Sequence[str] = (),
        *,
        connections: int,
        each: int,
        per_minute: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._networks = tuple(map(ipaddress.ip_network, networks))
        self._most = connections
        self._each = each
        self._per_minute = per_minute
        self._clock = clock
        self._here: Counter[str] = Counter()
        self._paces: dict[str, tuple[float, float]] = {}  # peer -> messages it may give now, and when that was so

    @property
    def connections(self) -> int:
        """Connections that were admitted and not released."""
        return self._here.total()

    def known(self, host: str) -> bool:
        """Whether a peer is of one of the networks."""
        if not self._networks:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def admit(self, host: str) -> bool:
        """Whether one more connection of this peer may come in; it is counted when it may."""
        if self.connections >= self._most or self._here[host] >= self._each:
            return False
        self._here[host] += 1
        return True

    def release(self, host: str) -> None:
        """A connection that was admitted is gone."""
        self._here[host] -= 1
        if not self._here[host]:
            del self._here[host]

    def pace(self, host: str) -> bool:
        """Whether this peer may give one more message now; it is counted when it may."""
        if not self._per_minute:
            return True
        now = self._clock()
        left, since = self._paces.get(host, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / _MINUTE)
        may = left >= 1
        self._paces[host] = (left - 1 if may else left, now)
        if len(self._paces) > _REMEMBERED:
            self._paces = {peer: pace for peer, pace in self._paces.items() if now - pace[1] < _MINUTE}
        return may
