"""The keys: there, readable by the engine's account only, and those that the store was written with."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site
from engine.errors import ConfigError
from engine.ledger.ledger import known_keys
from engine.ledger.schema import StoreError, told
from engine.privacy import PURPOSES, key_file, open_keys

CODES: Final = {
    "key-missing": "A key is missing: with a store already there, the engine does not start. Put its backup back.",
    "key-wrong": "A key is not right: not the store's, of a wrong length, open to others, or unreadable. The mend is beside it.",
    "key-unseen": "The keys are another account's, and could not be looked at: run `jauge doctor` as that account.",
    "store-unreadable": "The store is no store of Jauge, is damaged, or is one of a newer version: give the right one, put a backup back, or install that version.",
}


def keys(site: Site) -> list[Finding]:
    """The key files against the store, read as the engine's account does. Makes none."""
    found = Findings("keys")
    with site.account.acting():
        _keys(found, site)
    return found.all


def _keys(found: Findings, site: Site) -> None:
    folder, store = site.config.keys, site.config.store
    try:
        known = known_keys(store) if os.access(store, os.R_OK, effective_ids=True) else {}
    except StoreError as error:
        found.problem("store", "store-unreadable", str(error), "or give the path of the right store")
        return
    except sqlite3.Error as error:
        what = f"{store} {told(error) or 'cannot be opened'}"
        found.problem("store", "store-unreadable", what, "or give the path of the right store")
        return
    if _closed(folder):
        do = f"run this as its account: runuser -u {site.account.name} -- jauge doctor ..."
        found.warning("keys", "key-unseen", f"{folder} may not be looked into from this account", do)
        return
    missing = [purpose for purpose in PURPOSES if not key_file(folder, purpose).exists()]
    if missing and known:
        files = ", ".join(key_file(folder, purpose).name for purpose in missing)
        do = f"put the backup of the keys back into {folder}: without them the store is of no use"
        found.problem("keys", "key-missing", f"{files}: missing, and the store was written with them", do)
    elif missing:
        found.ok("keys", f"the first start makes them in {folder}; back them up then, apart from the store")
    else:
        try:
            open_keys(folder, known)
        except ConfigError as error:
            found.problem(error.file, "key-wrong", error.message, error.mend)
        else:
            found.ok("keys", f"{folder}: those of the store" if known else f"{folder}: right, no store yet")


def _closed(folder: Path) -> bool:
    """Whether this account may not look into the folder, or into one above it."""
    try:
        folder.stat()
    except OSError as error:
        return isinstance(error, PermissionError)
    return not os.access(folder, os.R_OK | os.X_OK, effective_ids=True)
