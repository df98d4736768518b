"""The keys against the store, as a start would find them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec import structs

from engine.assembly import keys_of, open_ledger
from engine.doctor.account import account
from engine.doctor.keys import keys
from engine.doctor.site import Site
from tests.doctor.site import codes, site


def stored(folder: Path) -> Site:
    """A site whose engine ran once."""
    given = site(folder)
    open_ledger(given.config, keys_of(given.config)).close()
    return given


def test_before_the_first_start(tmp_path: Path) -> None:
    """They will be made: nothing is, now."""
    given = site(tmp_path)
    assert codes(keys(given)) == {}
    assert not given.config.keys.exists()


def test_the_keys_of_the_store(tmp_path: Path) -> None:
    """All is well."""
    assert codes(keys(stored(tmp_path))) == {}


def test_a_key_is_missing(tmp_path: Path) -> None:
    """It is named, and not made anew."""
    given = stored(tmp_path)
    (given.config.keys / "sealing.key").unlink()
    found = keys(given)
    assert codes(found) == {"key-missing": "keys"}
    assert "sealing.key" in found[0].what
    assert "backup" in found[0].do
    assert not (given.config.keys / "sealing.key").exists()


def test_another_key(tmp_path: Path) -> None:
    """It is not the one that the store was written with."""
    given = stored(tmp_path)
    path = given.config.keys / "pseudonyms.key"
    path.chmod(0o600)
    path.write_bytes(os.urandom(32))
    assert codes(keys(given)) == {"key-wrong": str(path)}


def test_a_key_that_others_may_read(tmp_path: Path) -> None:
    """With the command that mends it."""
    given = stored(tmp_path)
    path = given.config.keys / "digests.key"
    path.chmod(0o444)
    found = keys(given)
    assert codes(found) == {"key-wrong": str(path)}
    assert "chmod 0400" in found[0].do


def test_a_store_that_is_none(tmp_path: Path) -> None:
    """Another file in its place."""
    given = site(tmp_path)
    given.config.store.write_text("not a database, though it is longer than the head of one. " * 20)
    assert codes(keys(given)) == {"store-unreadable": "store"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks as another account")
def test_root_looks_as_the_engines_account(tmp_path: Path) -> None:
    """Keys that belong to the engine's account are right, whoever root is; afterwards root is root again."""
    given = stored(tmp_path)
    for path in (tmp_path / "var", *(tmp_path / "var").rglob("*")):
        os.chown(path, 65_534, 65_534)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    found = keys(structs.replace(given, account=account(65_534)))
    assert [(one.state, one.place) for one in found] == [("ok", "keys")]
    assert os.geteuid() == 0
    assert {path.stat().st_uid for path in (tmp_path / "var").rglob("*")} == {65_534}
    assert codes(keys(given)) != {}  # as root: they belong to another account
