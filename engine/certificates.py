"""The certificates that the configuration names: which they are, by their role, and until when each holds.

A role is the place in the configuration: ``feeds.his`` (what the feed shows), ``feeds.his.client_ca`` (whom it believes), ``http``,
``ps41.990000001.smtp``. Metrics, alerts and `jauge doctor` call them by these names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from msgspec import Struct, structs

from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.config import Config

MAX_BYTES: Final = 4_194_304
"""The authorities of a whole system are half a megabyte: anything larger is another file."""

_AUTHORITIES: Final = ("client_ca", "ca")


class Material(Struct, frozen=True):
    """One use of TLS in the configuration: its role, what it shows (certificate and key) and whom it believes; None where it does not."""

    role: str
    certificate: Path | None
    key: Path | None
    authority: Path | None
    authority_role: str


def read(path: Path) -> list[x509.Certificate]:
    """Every certificate of a PEM file, in its order: the leaf first, then its chain. Raises :class:`ConfigError` or OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise ConfigError(str(path), 0, "this is not a PEM certificate", "convert it to PEM") from None


def certificates_of(config: Config) -> dict[str, Path]:
    """Role -> PEM file of every certificate and authority that the configuration names. Reads none of them."""
    found: dict[str, Path] = {}
    for material in materials(config):
        if material.certificate is not None:
            found[material.role] = material.certificate
        if material.authority is not None:
            found[material.authority_role] = material.authority
    return found


def expiries(config: Config) -> dict[str, int]:
    """Role -> when it no longer holds (epoch seconds); without those whose file cannot be read, which `jauge doctor` tells.

    A certificate ends with the first of its chain; authorities with the last of theirs: an old one is often left beside its successor.
    """
    found = {}
    for material in materials(config):
        for role, path, end in (
            (material.role, material.certificate, min),
            (material.authority_role, material.authority, max),
        ):
            if path is not None:
                with contextlib.suppress(ConfigError, OSError):
                    found[role] = end(int(one.not_valid_after_utc.timestamp()) for one in read(path))
    return found


def materials(config: Config) -> list[Material]:
    """Every use of TLS of a configuration, in its order. A sender whose mail servers share their files has one."""
    found = list(_within(config.http, "http"))
    for feed in config.feeds:
        found += _within(feed.settings, f"feeds.{feed.name}")
    for sender in config.ps41.senders:
        known: set[tuple[Path | None, Path | None, Path | None]] = set()
        for material in _within(sender, f"ps41.{sender.establishment}"):
            files = (material.certificate, material.key, material.authority)
            if files not in known:
                found.append(material)
            known.add(files)
    return found


def _within(settings: Struct, role: str) -> Iterator[Material]:
    """The uses of TLS inside some settings: whatever has a field ``certificate``; one named ``tls`` is that of its owner."""
    for info in structs.fields(settings):
        value = getattr(settings, info.name)
        if not isinstance(value, Struct):
            continue
        inside = role if info.name == "tls" else f"{role}.{info.name}"
        if hasattr(value, "certificate"):
            name = next((each for each in _AUTHORITIES if hasattr(value, each)), "ca")
            authority = getattr(value, name, None)
            key = getattr(value, "key", None)
            if value.certificate is not None or authority is not None:
                yield Material(inside, value.certificate, key, authority, f"{inside}.{name}")
        else:
            yield from _within(value, inside)
