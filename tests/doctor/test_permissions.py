"""Who may read and change what: files whose modes and owners are wrong, one by one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine import secret
from engine.doctor import account as accounts
from engine.doctor.account import account, account_of
from engine.doctor.permissions import permissions, secrets_of
from tests.doctor.site import CONFIG, codes, site

STRANGER = 65_534
SECRETS = (
    CONFIG.format(http=0, mllp=0).replace("port: 0}", "port: 0, token_file: token}", 1)
    + '  - {name: mail, listener: imap, establishment: "990000001", host: h, user: u, password_file: pass, state: s}\n'
)


def secret_file(path: Path, text: str = "of-thirty-two-characters-or-more", mode: int = 0o600) -> Path:
    """A file with a secret."""
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def wrong(found: dict[str, str]) -> dict[str, str]:
    """Without what is said of the account of the test itself."""
    return {code: place for code, place in found.items() if code not in {"account-root", "account-differs"}}


def test_all_is_well(tmp_path: Path) -> None:
    """Secrets and a store for their owner alone."""
    secret_file(tmp_path / "token")
    secret_file(tmp_path / "pass")
    given = site(tmp_path, SECRETS)
    secret_file(given.config.store)
    assert wrong(codes(permissions(given))) == {}
    assert dict(secrets_of(given.config)) == {
        "http.token_file": tmp_path / "token",
        "feeds.mail.password_file": tmp_path / "pass",
    }


@pytest.mark.parametrize(("text", "mode"), [("s" * 30, 0o644), ("s" * 30, 0o660), ("", 0o600), ("a\x07b", 0o600)])
def test_a_secret_that_is_not_right(tmp_path: Path, text: str, mode: int) -> None:
    """Open to others, empty, with a control character: the file and the mend are said, the secret is not."""
    secret_file(tmp_path / "token")
    secret_file(tmp_path / "pass", text, mode)
    found = [one for one in permissions(site(tmp_path, SECRETS)) if one.code == "secret-wrong"]
    assert [one.place for one in found] == ["feeds.mail.password_file"]
    assert str(tmp_path / "pass") in found[0].what
    assert found[0].do
    assert not text or text not in found[0].what + found[0].do


def test_a_secret_of_another_account(tmp_path: Path) -> None:
    """The engine's account may not read it, even when root who asks may."""
    secret_file(tmp_path / "token")
    secret_file(tmp_path / "pass")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == account(os.geteuid()).name and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    found = [one for one in permissions(site(tmp_path, SECRETS, user=STRANGER)) if one.code == "file-unreadable"]
    assert {one.place for one in found} >= {"http.token_file", "feeds.mail.password_file"}
    assert "chown" in found[-1].do


def test_a_configuration_that_others_may_change(tmp_path: Path) -> None:
    """Whoever writes it decides where the rates go."""
    given = site(tmp_path)
    given.config.file.chmod(0o666)
    assert wrong(codes(permissions(given))) == {"configuration-changeable": "configuration"}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_a_store_that_others_may_read(tmp_path: Path, mode: int) -> None:
    """The store or its log; the folder of it."""
    given = site(tmp_path)
    secret_file(given.config.store)
    secret_file(given.config.store.with_name("jauge.db-wal"), mode=mode)
    found = [one for one in permissions(given) if one.code == "store-open"]
    assert [one.do for one in found] == [f"chmod 600 {given.config.store}-wal"]
    (tmp_path / "var").chmod(0o777)
    assert codes(permissions(given))["folder-open"] == "store"


def test_a_store_of_another_account(tmp_path: Path) -> None:
    """The engine could not write it."""
    given = site(tmp_path, user=STRANGER)
    secret_file(given.config.store)
    found = codes(permissions(given))
    assert found["store-owner"] == "store"


def test_whose_engine_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account of the running process; else of the store; else, asked by root, of the unit; else who asks."""
    given = site(tmp_path)
    unit = tmp_path / "jauge.service"
    monkeypatch.setattr(accounts, "UNIT", unit)
    assert account_of(given.config, os.getpid()).user == os.geteuid()
    assert account_of(given.config, 0).user == os.geteuid()
    if os.geteuid() == 0:
        unit.write_text("[Service]\nUser=nobody\n")
        assert account_of(given.config, 0).name == "nobody"
        unit.write_text("[Service]\nUser=no-such-account\n")
        assert account_of(given.config, 0).user == 0
        secret_file(given.config.store)
        os.chown(given.config.store, STRANGER, STRANGER)
        assert account_of(given.config, 0).user == STRANGER


def test_what_an_account_may(tmp_path: Path) -> None:
    """By the bits of the path and of every folder above it."""
    stranger = account(STRANGER)
    open_file = secret_file(tmp_path / "open", mode=0o644)
    assert not stranger.reads(tmp_path / "absent")
    assert not stranger.writes(open_file)
    assert not stranger.reads(secret_file(tmp_path / "shut", mode=0o600))
    (tmp_path / "closed").mkdir(mode=0o700)
    assert not stranger.reads(secret_file(tmp_path / "closed" / "open", mode=0o644))
    assert stranger.reads(Path("/etc/passwd"))
    assert not stranger.writes(Path("/etc"))
    assert stranger.writes(Path("/dev/null"))


def test_credentials_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are there only while the unit runs: their absence is no fault."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setattr(secret, "CREDENTIALS", folder)
    secret_file(tmp_path / "token")
    secret_file(folder / "pass")
    given = site(tmp_path, SECRETS.replace("password_file: pass", "password_file: credentials/pass"))
    (folder / "pass").unlink()
    assert wrong(codes(permissions(given))) == {}
