"""The folders that the engine writes into: what disk they are on, its room, and how long it takes to be sure of a write."""

from __future__ import annotations

import os
import secrets
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.doctor import account
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site

CODES: Final = {
    "disk-network": "The folder is on a network share: SQLite may lose or corrupt the store there. Move it to a local disk.",
    "disk-volatile": "The folder is in memory: everything in it is lost at the next restart of the machine. Move it to a disk.",
    "disk-container": "The folder is in the layer of a container: it is lost with the container. Mount a volume there.",
    "disk-full": "There is almost no room left: soon no message can be acknowledged. Make room.",
    "disk-low": "There is little room left. Make room, or move the store.",
    "disk-inodes": "The file system can hold no more files. Remove some.",
    "disk-read-only": "The file system is mounted read-only. Mount it for writing.",
    "disk-slow": "Each commit waits long for the disk: acknowledgements are late. Use a faster disk, one that is not shared.",
    "disk-unsure": "A file cannot be written and made durable here: no message could be acknowledged.",
    "folder-unwritable": "The folder cannot be made or written by the engine's account.",
}

NETWORK: Final = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p ceph lustre afs gpfs beegfs davfs ncpfs glusterfs "
    "fuse.sshfs fuse.glusterfs fuse.davfs2 fuse.s3fs fuse.rclone fuse.cephfs".split()
)
VOLATILE: Final = frozenset({"tmpfs", "ramfs"})
LAYERS: Final = frozenset({"overlay", "aufs"})
FULL, LOW = 200_000_000, 2_000_000_000
SLOW: Final = 0.050
_MOUNTS: Final = Path("/proc/self/mountinfo")
_PROBES: Final = 5


def disk(site: Site) -> list[Finding]:
    """Every folder that the engine writes into; the disk they are on once, however many they are."""
    found = Findings("disk")
    known: set[int] = set()
    for place, folder in site.folders().items():
        there = standing(folder)
        if there != folder.resolve() and folder.is_relative_to(account.SERVICE_FOLDER) and account.UNIT.exists():
            found.ok(place, f"systemd makes {folder} when the unit starts")
        elif not site.account.writes(there):
            verb = "write in" if there == folder.resolve() else "make a folder in"
            what = f"the account {site.account.name} may not {verb} {there}"
            do = f"install -d -o {site.account.name} -m 700 {folder}"
            found.problem(place, "folder-unwritable", what, do)
        device = there.stat().st_dev
        if device not in known:
            known.add(device)
            _disk(found, place, folder, there)
    return found.all


def standing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: where it would be made."""
    while not account.is_folder(folder) and folder != folder.parent:
        folder = folder.parent
    return folder.resolve()


def filesystem(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that a folder is on (``ext4``, ``nfs4``), as the system's table of mounts says; empty when it does not."""
    best, kind = -1, ""
    with suppress(OSError):
        for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            fields, _, rest = line.partition(" - ")
            point = Path(fields.split()[4].encode().decode("unicode_escape"))
            if folder.is_relative_to(point) and len(point.parts) >= best:
                best, kind = len(point.parts), rest.split()[0]
    return kind


def room(place: str, free: int) -> list[Finding]:
    """What so many free bytes mean."""
    found = Findings("disk")
    shown = f"{free / 1e9:.1f} GB" if free >= 1_000_000_000 else f"{free / 1e6:.0f} MB"
    if free < FULL:
        found.problem(place, "disk-full", f"only {shown} left", "make room now: no message is acknowledged without it")
    elif free < LOW:
        found.warning(place, "disk-low", f"{shown} left", "make room, or move the store (docs/operations.md)")
    else:
        found.ok(place, f"{shown} left")
    return found.all


def durable_seconds(folder: Path) -> float:
    """How long a small write takes to be on the disk: the median of some. Raises OSError. Nothing stays behind."""
    probe = folder / f".jauge-doctor-{secrets.token_hex(4)}"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        times = []
        for _ in range(_PROBES):
            began = time.perf_counter()
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
            times.append(time.perf_counter() - began)
        return statistics.median(times)
    finally:
        os.close(descriptor)
        probe.unlink()


def _disk(found: Findings, place: str, folder: Path, there: Path) -> None:
    kind = filesystem(there)
    if kind in NETWORK:
        found.problem(place, "disk-network", f"{folder} is on a network share ({kind})", "move it to a local disk")
    elif kind in VOLATILE:
        do = "move it to a disk: what is here is lost when the machine restarts"
        found.warning(place, "disk-volatile", f"{folder} is in memory ({kind})", do)
    elif kind in LAYERS:
        do = "mount a volume there: what is here is lost with the container"
        found.warning(place, "disk-container", f"{folder} is in the layer of a container ({kind})", do)
    elif kind:
        found.ok(place, f"{folder} is on a local disk ({kind})")
    state = os.statvfs(there)
    if state.f_flag & os.ST_RDONLY:
        found.problem(place, "disk-read-only", f"{there} is mounted read-only", "mount it for writing")
        return
    found.all += room(place, state.f_bavail * state.f_frsize)
    if state.f_files and not state.f_favail:
        found.problem(place, "disk-inodes", "the file system can hold no more files", "remove files that nobody needs")
    if os.access(there, os.W_OK | os.X_OK):  # else it is the engine's alone
        found.all += durable(place, there)


def durable(place: str, folder: Path) -> list[Finding]:
    """How long a commit waits in a folder."""
    found = Findings("disk")
    try:
        seconds = durable_seconds(folder)
    except OSError as error:
        what = f"a file cannot be made durable in {folder}: {(error.strerror or 'failed').lower()}"
        found.problem(place, "disk-unsure", what, "look at the disk and at the system's journal (dmesg)")
        return found.all
    if seconds > SLOW:
        what = f"a commit waits {seconds * 1000:.0f} ms for the disk"
        found.warning(place, "disk-slow", what, "use a local SSD, not shared with a busy neighbour")
    else:
        found.ok(place, f"a commit waits {seconds * 1000:.1f} ms for the disk")
    return found.all
