"""The addresses and ports that are listened on: free, or held by our own engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.config import Config
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site
from engine.doctor.sockets import command, descends, holders, trial
from engine.listeners import relay_process

CODES: Final = {
    "address-elsewhere": "The address is not one of this machine: nothing can listen there. Give one of its own, or 0.0.0.0.",
    "address-unknown": "The address is no address, and no name that this machine knows.",
    "port-taken": "Something else than the engine listens on the port. Stop it, or choose another port.",
    "port-not-open": "The engine runs, and does not listen there: it was started with another configuration. Restart it.",
    "port-forbidden": "The engine's account may not listen on a port under 1024: choose another one, with a redirection in front.",
    "web-other": "Something else than Jauge answers at the address of the page: stop it, or choose another port.",
}
_CLIENTS: Final = frozenset({"imap"})
"""Listeners whose host and port are those of a server elsewhere."""
_FIRST: Final = 1024


def endpoints(config: Config) -> Iterator[tuple[str, str, int, bool]]:
    """Place, address, port, and whether it is a UDP port, of everything that is listened on."""
    yield "http", config.http.host, config.http.port, False
    for feed in config.feeds:
        host, port = getattr(feed.settings, "host", None), getattr(feed.settings, "port", None)
        if isinstance(host, str) and isinstance(port, int) and feed.listener not in _CLIENTS:
            yield f"feeds.{feed.name}", host, port, getattr(feed.settings, "transport", "") == "udp"


def ports(site: Site) -> list[Finding]:
    """Every address and port."""
    found = Findings("ports")
    for place, host, port, datagrams in endpoints(site.config):
        _port(found, site, place, host, port, datagrams=datagrams)
    return found.all


def _port(found: Findings, site: Site, place: str, host: str, port: int, *, datagrams: bool) -> None:
    running, shown = site.running, f"{host}:{port}"
    if not port:
        found.ok(place, f"{host}: any free port, chosen at the start")
        return
    state = trial(host, port, datagrams=datagrams)
    if state == "elsewhere":
        do = "give an address of this machine (ip address), or 0.0.0.0 for all of them"
        found.problem(place, "address-elsewhere", f"{host} is not an address of this machine", do)
    elif state == "unknown":
        found.problem(place, "address-unknown", f"{host} is no address that this machine knows", "give an IP address")
    elif state == "forbidden" or (port < _FIRST and site.account.user and state == "free"):
        do = f"choose a port of {_FIRST} or more, and redirect the other one to it"
        found.problem(place, "port-forbidden", f"{site.account.name} may not listen on port {port}", do)
    elif state == "taken":
        _taken(found, site, place, shown, port, datagrams=datagrams)
    elif running.runs:
        what = f"the engine runs, and does not listen on {shown}"
        found.problem(place, "port-not-open", what, "restart it: it was started with other settings")
    else:
        found.ok(place, f"{shown} is free")


def _taken(found: Findings, site: Site, place: str, shown: str, port: int, *, datagrams: bool) -> None:
    running = site.running
    who = holders(port, datagrams=datagrams)
    others = ", ".join(f"{name} (process {pid})" for pid, name in who) or "another process"
    if running.pid and any(descends(pid, running.pid) for pid, _ in who):
        found.ok(place, f"the engine listens on {shown} (process {running.pid})")
    elif any(relay_process.__name__ in command(pid) for pid, _ in who):
        found.ok(place, f"a relay passes bytes on {shown}, with or without the engine")
    elif place == "http" and running.other:
        do = f"stop {others}, or choose another port"
        found.problem(place, "web-other", f"{shown} answers, and is not Jauge", do)
    elif running.runs and (not who or not running.pid):
        found.ok(place, f"{shown} is listened on, and an engine runs")
    else:
        do = f"stop {others}, or choose another port (ss -ltnp shows who has which)"
        found.problem(place, "port-taken", f"{shown} is taken by {others}", do)
