"""Disks: of what kind, with what room, how fast; folders that cannot be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec import structs

from engine.doctor import account
from engine.doctor import disk as disks
from engine.doctor.disk import disk, durable, durable_seconds, filesystem, room, standing
from tests.doctor.site import codes, site

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw - nfs4 filer:/srv rw
31 30 8:2 / /srv/fast rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/a\040b rw master:3 - fuse.sshfs someone: rw
33 22 0:42 / /srv/fast rw - tmpfs tmpfs rw
"""


def test_a_local_disk(tmp_path: Path) -> None:
    """A real folder: its kind, its room and its speed are said; nothing stays behind."""
    found = disk(site(tmp_path))
    assert not [one for one in found if one.state == "problem"]
    assert any("a commit waits" in one.what for one in found)
    assert list((tmp_path / "var").iterdir()) == []


def test_the_kind_of_a_file_system(tmp_path: Path) -> None:
    """The longest mount point counts, and the latest of two; blanks are escaped."""
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS.lstrip())
    kinds = {path: filesystem(Path(path), table) for path in ("/var", "/srv/x", "/srv/fast/x", "/mnt/a b", "/srvx")}
    assert kinds == {
        "/var": "ext4",
        "/srv/x": "nfs4",
        "/srv/fast/x": "tmpfs",
        "/mnt/a b": "fuse.sshfs",
        "/srvx": "ext4",
    }
    assert filesystem(Path("/var"), tmp_path / "absent") == ""
    assert filesystem(Path("/proc")) == "proc"


@pytest.mark.parametrize(
    ("kind", "code", "state"),
    [
        ("nfs4", "disk-network", "problem"),
        ("cifs", "disk-network", "problem"),
        ("tmpfs", "disk-volatile", "warning"),
        ("overlay", "disk-container", "warning"),
    ],
)
def test_disks_that_do_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, code: str, state: str
) -> None:
    """A share, memory, the layer of a container: as the table of mounts tells."""
    monkeypatch.setattr(disks, "filesystem", lambda folder: kind)
    found = [one for one in disk(site(tmp_path)) if one.code]
    assert next((one.code, one.state, one.place) for one in found if one.code.startswith("disk-")) == (
        code,
        state,
        "store",
    )
    assert kind in found[0].what


def test_room() -> None:
    """Enough, little, almost none."""
    assert codes(room("store", 50_000_000_000)) == {}
    assert codes(room("store", 1_500_000_000)) == {"disk-low": "store"}
    assert codes(room("store", 30_000_000)) == {"disk-full": "store"}
    assert "30 MB" in room("store", 30_000_000)[0].what


def test_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits longer than the limit is a warning, which says how long."""
    assert durable_seconds(tmp_path) > 0
    monkeypatch.setattr(disks, "SLOW", 0.0)
    assert codes(durable("store", tmp_path)) == {"disk-slow": "store"}


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """A folder in which no file can be made, whoever asks."""
    assert codes(durable("store", Path("/proc"))) == {"disk-unsure": "store"}


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    """The engine's account could not write there: which account, which folder, and the command that mends it."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var").chmod(0o700)
    found = [one for one in disk(site(tmp_path, user=os.geteuid() + 4_000)) if one.code == "folder-unwritable"]
    assert {one.place for one in found} == {"store", "keys"}
    assert "install -d -o" in found[0].do


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is looked at where it would be made."""
    given = site(tmp_path)
    config = structs.replace(given.config, store=tmp_path / "a" / "b" / "jauge.db", keys=tmp_path / "a" / "keys")
    assert standing(tmp_path / "a" / "b") == tmp_path.resolve()
    assert not [one for one in disk(structs.replace(given, config=config)) if one.state == "problem"]
    assert not (tmp_path / "a").exists()


def test_a_folder_that_systemd_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own folder is not there before its first start, and nobody has to make it."""
    monkeypatch.setattr(account, "SERVICE_FOLDER", tmp_path / "lib" / "jauge")
    given = site(tmp_path, user=os.geteuid() + 4_000)
    lib = tmp_path / "lib" / "jauge"
    given = structs.replace(given, config=structs.replace(given.config, store=lib / "jauge.db", keys=lib / "keys"))
    assert "folder-unwritable" in codes(disk(given))
    monkeypatch.setattr(account, "UNIT", tmp_path / "jauge.yaml")  # a file that is there
    assert "folder-unwritable" not in codes(disk(given))
