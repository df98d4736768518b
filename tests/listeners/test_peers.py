"""Who may connect, how often, and at which pace."""

from __future__ import annotations

import pytest

from engine.listeners.peers import Peers


def test_connections() -> None:
    """So many in all, so many of each, and a place that was given back is free."""
    peers = Peers(connections=3, each=2)
    assert [peers.admit(host) for host in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    peers.release("a")
    assert peers.connections == 2
    assert peers.admit("c")
    for host in ("a", "b", "c"):
        peers.release(host)
    assert peers.connections == 0


@pytest.mark.parametrize(
    ("host", "known"),
    [("10.9.8.7", True), ("192.0.2.7", True), ("192.0.2.8", False), ("2001:db8::1", True), ("::1", False), ("", False)],
)
def test_networks(host: str, known: bool) -> None:
    """An address is known when one of the networks holds it; without networks every address is."""
    assert Peers(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"], connections=1, each=1).known(host) is known
    assert Peers(connections=1, each=1).known(host)


def test_a_network_that_is_none() -> None:
    """What is no network is told."""
    with pytest.raises(ValueError, match="host bits"):
        Peers(["10.0.0.1/8"], connections=1, each=1)


def test_pace() -> None:
    """A minute's worth at once, then one for each share of the minute; each peer has its own."""
    now = [1000.0]
    peers = Peers(connections=1, each=1, per_minute=3, clock=lambda: now[0])
    assert [peers.pace("a") for _ in range(4)] == [True, True, True, False]
    assert peers.pace("b")
    now[0] += 19.9
    assert not peers.pace("a")
    now[0] += 0.2
    assert peers.pace("a")
    assert not peers.pace("a")
    now[0] += 3600
    assert [peers.pace("a") for _ in range(4)] == [True, True, True, False]


def test_pace_forgets() -> None:
    """Thousands of peers that said one thing each do not fill the memory for ever."""
    now = [1000.0]
    peers = Peers(connections=1, each=1, per_minute=3, clock=lambda: now[0])
    for number in range(5000):
        now[0] += 0.1
        peers.pace(str(number))
    assert len(peers._paces) <= 1024


def test_no_pace() -> None:
    """0: any number."""
    peers = Peers(connections=1, each=1)
    assert all(peers.pace("a") for _ in range(1000))
