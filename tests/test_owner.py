"""A file that a command may not use is one line that says which account may."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine import config, owner
from engine.arguments import guarded
from engine.assembly import keys_of, open_ledger
from engine.cli import main
from engine.doctor.account import account, account_of
from engine.doctor.disk import disk
from engine.doctor.feeds import feeds
from engine.doctor.keys import keys
from engine.doctor.permissions import permissions
from engine.service import load_config
from tests.doctor.site import codes, site

STRANGER, KEEPER = 65_533, 65_534


def refusal(code: int, path: Path) -> OSError:
    """What the system raises about a path."""
    return OSError(code, os.strerror(code), str(path))


def test_the_account_to_run_as_is_named(tmp_path: Path) -> None:
    """Permission denied by the folder of another account: the command to type is there, and it gives no file away."""
    said = owner.run_as(12_345_678)
    assert said == "run this as the account 12345678: runuser -u 12345678 -- jauge ..."
    assert owner.keeper(tmp_path / "not" / "there") == os.geteuid()


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        pytest.param(errno.EACCES, "look at its rights", id="a folder of one's own"),
        pytest.param(errno.ENOSPC, "make room", id="a full disk"),
        pytest.param(errno.EROFS, "mount it for writing", id="a disk mounted read-only"),
        pytest.param(errno.EIO, "look at this path", id="anything else"),
    ],
)
def test_a_command_ends_with_one_line(tmp_path: Path, code: int, mend: str) -> None:
    """The path, what the system says of it, what to do; exit code 3 and no traceback."""

    @click.command()
    @guarded
    def command() -> None:
        raise refusal(code, tmp_path / "jauge.db")

    found = CliRunner().invoke(command)
    assert found.exit_code == 3
    assert found.output.startswith(f"jauge: {tmp_path / 'jauge.db'}: ")
    assert mend in found.output
    assert found.output.count("\n") == 1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(
            lambda store: store.write_bytes(store.read_bytes()[:4096].ljust(store.stat().st_size, b"?")), id="damaged"
        ),
        pytest.param(lambda store: (store.unlink(), store.mkdir()), id="a folder in its place"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """Each command names the configuration whose store it is, SQLite's code and what to do; exit code 3."""
    path = site(tmp_path).config.file
    open_ledger(load_config(path), keys_of(load_config(path))).close()
    damage(tmp_path / "var" / "jauge.db")
    for words in (["rates"], ["audit"], ["explain", "1"]):
        found = CliRunner().invoke(main, [*words, "--config", str(path)])
        assert (found.exit_code, found.output.count("\n")) == (3, 1), found.output
        assert found.output.startswith(f"jauge: {path}: its store cannot be used, SQLITE_")


def test_an_error_about_no_file_is_not_hidden() -> None:
    """It is a fault of the program: it goes on up."""

    @click.command()
    @guarded
    def command() -> None:
        raise OSError(errno.EIO, "lost")

    assert isinstance(CliRunner().invoke(command).exception, OSError)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look as somebody else")
class TestStranger:
    """An account of the machine that is not the engine's."""

    def test_doctor_looks_at_what_it_may(self, tmp_path: Path) -> None:
        """The engine's account is known by the folder it keeps closed; what is in there is said to be unseen, and nothing fails."""
        given = site(tmp_path, user=KEEPER)
        for folder in (tmp_path, *tmp_path.parents[:3]):
            folder.chmod(folder.stat().st_mode | 0o011)
        inside = given.config.store.parent
        os.chown(inside, KEEPER, KEEPER)
        inside.chmod(0o700)
        with account(STRANGER).acting():
            assert account_of(given.config, 0).user == KEEPER
            found = [one for look in (disk, permissions, keys, feeds) for one in look(given)]
        assert codes(found)["key-unseen"] == "keys"

    def test_a_file_that_may_not_be_looked_at_is_not_said_to_be_absent(self, tmp_path: Path) -> None:
        """check-config by another account than the engine's, whose secrets are closed: which account may look."""
        for folder in (tmp_path, *tmp_path.parents[:3]):
            folder.chmod(folder.stat().st_mode | 0o011)
        closed = tmp_path / "secrets"
        closed.mkdir(mode=0o700)
        os.chown(closed, KEEPER, KEEPER)
        path = tmp_path / "jauge.yaml"
        path.write_text("http: {password_file: secrets/web}\n", encoding="utf-8")
        path.chmod(0o644)
        with account(STRANGER).acting():
            (found,) = [one for one in config.problems(path, {}) if "password_file" in one.message]
        assert found.message == "http.password_file: this account may not look at it"
        assert found.mend == owner.run_as(KEEPER)
