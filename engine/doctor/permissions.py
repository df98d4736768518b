"""Who may read and change the configuration, the store and the secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from engine import secret
from engine.doctor.account import is_file, is_folder, mode, owner
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site
from engine.errors import ConfigError

CODES: Final = {
    "account-differs": "This command runs as another account than the engine: some things could not be looked at. Run it as the engine's account.",
    "account-root": "The engine runs as root, or would from here: give it an account of its own, that owns its folders and nothing else.",
    "configuration-changeable": "Others than its owner may change a file of the configuration.",
    "store-open": "Others than its owner may read or change the store.",
    "store-owner": "A file of the store belongs to another account than the engine's: it cannot be written.",
    "folder-open": "Others may replace files in a folder of the engine.",
    "file-unreadable": "The engine's account may not read a file that the configuration names.",
    "secret-wrong": "The file of a password, a token or a key is not right: open to others, empty, or no file. The mend is beside it.",
}
_SECRETS: Final = ("password_file", "token_file", "key")


def permissions(site: Site) -> list[Finding]:
    """Every file of the configuration."""
    found = Findings("permissions")
    account = site.account
    if os.geteuid() not in (account.user, 0):
        do = f"runuser -u {account.name} -- jauge doctor --config {site.config.file}"
        found.warning("account", "account-differs", f"the engine is the account {account.name}, this is another", do)
    elif not account.user:
        do = "adduser --system --group jauge, and the shipped unit (docs/operations.md)"
        found.warning(
            "account", "account-root", f"the engine {'runs' if site.running.pid else 'would run'} as root", do
        )
    else:
        found.ok("account", f"the engine is the account {account.name}")
    _configuration(found, site)
    _store(found, site)
    for place, path in secrets_of(site.config):
        _secret(found, site, place, path)
    return found.all


def secrets_of(settings: Struct, place: str = "") -> Iterator[tuple[str, Path]]:
    """Place and path of each file that holds a password, a token or a key, of these settings and of those inside."""
    for info in structs.fields(settings):
        value = getattr(settings, info.name)
        here = f"{place}.{info.name}" if place else info.name
        if isinstance(value, Path) and info.name in _SECRETS:
            yield here, value
        elif isinstance(value, Struct):
            yield from secrets_of(value, place if info.name == "settings" else here)
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Struct):
                    name = getattr(item, "name", getattr(item, "establishment", ""))
                    yield from secrets_of(item, f"{here}.{name}")


def _configuration(found: Findings, site: Site) -> None:
    config = site.config
    for place, path in (
        ("configuration", config.file),
        ("inventory", config.inventory),
        ("correspondents", config.correspondents),
        ("dmp_errors", config.dmp_errors),
    ):
        if path is None:
            continue
        if not site.account.reads(path):
            do = f"chgrp {site.account.name} {path} && chmod g+r {path}, and the folders above it"
            found.problem(place, "file-unreadable", f"{path}: {site.account.name} may not read it", do)
        elif mode(path) & 0o022 and place == "configuration":
            what = f"others may change {path} (mode {mode(path):04o})"
            found.problem(place, "configuration-changeable", what, f"chmod go-w {path}")
        else:
            found.ok(place, f"{path} may be read")


def _store(found: Findings, site: Site) -> None:
    store = site.config.store
    files = [path for end in ("", "-wal", "-shm") if is_file(path := store.with_name(store.name + end))]
    for path in files:
        if mode(path) & 0o077:
            what = f"others may read or change {path} (mode {mode(path):04o})"
            found.problem("store", "store-open", what, f"chmod 600 {path}")
        if path.stat().st_uid != site.account.user:
            what = f"{path} belongs to {owner(path)}, the engine is {site.account.name}"
            found.problem("store", "store-owner", what, f"chown {site.account.name} {path}")
    for place, folder in site.folders().items():
        if is_folder(folder) and mode(folder) & 0o022:
            what = f"others may replace files in {folder} (mode {mode(folder):04o})"
            found.problem(place, "folder-open", what, f"chmod go-w {folder}")
    if files and not any(one.place == "store" and one.state == "problem" for one in found.all):
        found.ok("store", f"{store} is for {site.account.name} alone")


def _secret(found: Findings, site: Site, place: str, path: Path) -> None:
    if not site.running.runs and path.is_relative_to(secret.CREDENTIALS):
        found.ok(place, "systemd gives it while the engine runs")
        return
    if not site.account.reads(path):
        what = f"{path}: {site.account.name} may not read it"
        found.problem(place, "file-unreadable", what, f"chown {site.account.name} {path} && chmod 600 {path}")
        return
    if not os.access(path, os.R_OK):
        return  # the engine may, this account may not: told above
    try:
        if place.endswith(".key"):
            secret.content(path, "key")
        else:
            secret.read(path)
    except ConfigError as error:
        found.problem(place, "secret-wrong", f"{path}: {error.message}", error.mend)
    else:
        found.ok(place, f"{path} is for its owner alone")
