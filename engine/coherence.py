"""What no single setting can tell: duplicates, references to what is not declared, listeners in each other's way."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from engine.strict import Place, Reader, shown, suggest

if TYPE_CHECKING:
    from engine.config import Config

_INDICATOR: Final = re.compile(r"[A-Z]{1,4}[0-9](\.[0-9]{1,2})?(_[a-z_]+)?")
_CITIZENS: Final = "patient.mssante.fr"
YES_NO: Final = ("D6.2", "P4.3", "PS3.2", "PS4.1")
"""The indicators that are met or not, of which the programme holds a value of its own."""
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def check(config: Config, reader: Reader, indicators: Collection[str], mail: Collection[str] = ()) -> None:
    """Notes in ``reader`` every fault that is between settings.

    ``indicators``: the known codes, or nothing. ``mail``: the listeners that read mail.
    """
    finesses: dict[str, Place] = {}
    for index, establishment in enumerate(config.establishments):
        place: Place = ("establishments", index, "finess")
        _once(reader, finesses, establishment.finess, place, f"establishment {establishment.finess}")
        _targets(reader, establishment.targets, ("establishments", index, "targets"), indicators)
        _official(reader, establishment.official_values, ("establishments", index, "official_values"))
        _domains(reader, config, index)
    _targets(reader, config.indicators.targets, ("indicators", "targets"), indicators)
    proven: dict[str, Place] = {}
    for index, sender in enumerate(config.ps41.senders):
        place = ("ps41", "senders", index, "establishment")
        _once(reader, proven, sender.establishment, place, f"ps41 sender {sender.establishment}")
        if sender.establishment not in finesses:
            mend = f"declare it under establishments, or {suggest(sender.establishment, finesses)}"
            reader.fail(reader.line(place), f"ps41: establishment {sender.establishment} is not declared", mend)
    missing = config.http.exposed()
    if missing:
        mend = (
            f"add {missing}; or behind_proxy: true, when something in front asks who is there; or listen on 127.0.0.1"
        )
        reader.fail(
            reader.line(("http", "host")), f"http: {config.http.host} shows the rates to the whole network", mend
        )
    names: dict[str, Place] = {}
    paths: dict[str, Place] = {}
    ports: list[tuple[str, int, Place]] = [(config.http.host, config.http.port, ("http", "port"))]
    datagrams: list[tuple[str, int, Place]] = []
    for index, feed in enumerate(config.feeds):
        here: Place = ("feeds", index)
        _once(reader, names, feed.name, (*here, "name"), f"feed {feed.name}")
        if feed.establishment not in finesses:
            line = reader.line((*here, "establishment"))
            mend = f"declare it under establishments, or {suggest(feed.establishment, finesses)}"
            reader.fail(line, f"feed {feed.name}: establishment {feed.establishment} is not declared", mend)
        elif feed.listener in mail and not config.establishment(feed.establishment).mssante_domains:
            line = reader.line(finesses[feed.establishment][:2])
            what = f"establishment {feed.establishment} lacks 'mssante_domains', and feed {feed.name} reads its mail"
            reader.fail(line, what, "add `mssante_domains: [ch-exemple.mssante.fr]`: the domains of its own mailboxes")
        host, port = getattr(feed.settings, "host", None), getattr(feed.settings, "port", None)
        if isinstance(host, str) and isinstance(port, int):
            # A UDP port is another one than the TCP port of the same number.
            known = datagrams if getattr(feed.settings, "transport", "") == "udp" else ports
            known.append((host, port, (*here, "port")))
        path = getattr(feed.settings, "path", None)
        if path is not None:
            _once(reader, paths, str(path), (*here, "path"), "this path")
    _ports(reader, ports)
    _ports(reader, datagrams)
    if config.store == config.keys or config.store in config.keys.parents:
        reader.fail(reader.line(("keys",)), "keys is the store itself", "give a folder of its own, outside the store")


def _once(reader: Reader, seen: dict[str, Place], value: str, place: Place, what: str) -> None:
    if value in seen:
        first = reader.line(seen[value])
        reader.fail(reader.line(place), f"{what} is declared twice", f"line {first} declares it already")
    seen.setdefault(value, place)


def _targets(reader: Reader, targets: Mapping[str, float], place: Place, indicators: Collection[str]) -> None:
    for code in targets:
        known = code in indicators if indicators else _INDICATOR.fullmatch(code)
        if not known:
            mend = suggest(code, indicators) if indicators else "write the code of an indicator: DS1.1"
            reader.fail(reader.line((*place, code)), f"{shown(code)} is not a known indicator", mend)


def _official(reader: Reader, values: Mapping[str, bool], place: Place) -> None:
    for code in values:
        if code not in YES_NO:
            message = f"{shown(code)} has no official value of its own"
            reader.fail(reader.line((*place, code)), message, "only these are yes or no: " + ", ".join(YES_NO))


def _domains(reader: Reader, config: Config, index: int) -> None:
    """An address is of one category: own, trusted or a citizen's."""
    for position, domain in enumerate(config.establishments[index].mssante_domains):
        line = reader.line(("establishments", index, "mssante_domains", position))
        if domain == _CITIZENS:
            reader.fail(line, f"{_CITIZENS} is the domain of the patients", "give the domains of your own mailboxes")
        elif domain in config.mssante.trusted_domains:
            other = reader.line(("mssante", "trusted_domains"))
            reader.fail(line, f"{domain} is among mssante.trusted_domains too", f"remove it there (line {other})")


def _ports(reader: Reader, ports: Sequence[tuple[str, int, Place]]) -> None:
    """Two listeners of one port; an address that means every interface meets all the others. Port 0 is any free one."""
    for index, (host, port, place) in enumerate(ports):
        for other, same, first in ports[:index]:
            meet = host == other or not _EVERYWHERE.isdisjoint((host, other))
            if port and port == same and meet:
                line = reader.line(first)
                where = f"line {line}" if line else "http (default)"
                reader.fail(reader.line(place), f"port {port} is taken twice", f"{where} takes it already")
                break
