"""The archive for hospitals without internet: built, installed where no network is, and used."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"

pytestmark = [
    pytest.mark.timeout(900),  # the first time, some fifty wheels come from PyPI
    pytest.mark.skipif(not (ROOT / ".venv" / "bin" / "python").exists(), reason="needs .venv (scripts/setup)"),
]


def run(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command without its standard input, and without what pip would take from the environment but an index that is nowhere."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "JAUGE_"))}
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "JAUGE_PYTHON": sys.executable}
    return subprocess.run(
        [str(word) for word in words],
        env=clean | nowhere | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )


@pytest.fixture(scope="module")
def alone() -> list[str]:
    """What a command is started with so that it has no network at all, where that is possible."""
    unshare = shutil.which("unshare")
    words = [unshare, "--net"] if unshare else []
    return words if words and run(*words, "true").returncode == 0 else []


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, for the Python of the tests."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "wheelhouse.py", "--python", PYTHON, "--output", folder],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    if (
        done.returncode
        and "is there a way to PyPI?" in done.stderr
        and not any((ROOT / "build" / "wheels").glob("*.whl"))
    ):
        pytest.skip("needs PyPI")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in it."""
    folder = tmp_path_factory.mktemp("server")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def installed(unpacked: Path, alone: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder it was installed in, without any network."""
    prefix = tmp_path_factory.mktemp("opt")
    done = run(*alone, unpacked / "install.sh", "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"installed: {prefix}/.venv/bin/jauge\n")
    return prefix


def test_the_sum_beside_the_archive(archive: Path) -> None:
    """``sha256sum -c`` of the file beside it is right."""
    digest, name = archive.with_name(f"{archive.name}.sha256").read_text().split()
    assert (digest, name) == (hashlib.sha256(archive.read_bytes()).hexdigest(), archive.name)


def test_what_is_in_it(unpacked: Path) -> None:
    """Wheels pinned by the lock and no other, examples, unit, documents; every file has its sum; nothing of this machine's engine."""
    sums = dict(reversed(line.split("  ")) for line in (unpacked / "SHA256SUMS").read_text().splitlines())
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert files - {"SHA256SUMS"} == set(sums)
    assert {"config/jauge.yaml", "config/systemd/jauge.service", "docs/operations.md", "docs/fr/installer.md"} <= files
    assert not [name for name in files if name.startswith("config/var/") or name.endswith((".key", ".db"))]
    lock = (ROOT / "requirements.lock").read_text()
    wheels = sorted((unpacked / "wheels").iterdir())
    own = [path.name for path in wheels if f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" not in lock]
    assert [name.split("-")[0] for name in own] == ["jauge", "pip"]
    assert not [path.name for path in wheels if path.name.startswith(("hatchling", "editables"))]


def test_it_runs(installed: Path, alone: list[str], tmp_path: Path) -> None:
    """``--version``, a configuration made by ``init`` and found right, a synthetic hospital's message read."""
    jauge = installed / ".venv" / "bin" / "jauge"
    assert run(jauge, "--version").stdout.startswith("jauge, version ")
    made = run(*alone, jauge, "init", tmp_path / "site", "--finess", "990000001", "--name", "CH Fictif", "--yes")
    assert made.returncode == 0, made.stderr
    config = tmp_path / "site" / "jauge.yaml"
    assert run(jauge, "check-config", "--config", config).returncode == 0
    assert run(jauge, "health", "--config", config).returncode in {0, 1}
    assert (installed / "docs" / "operations.md").is_file()
    assert (installed / "config" / "systemd" / "jauge.service").is_file()


def test_again_and_over_another(installed: Path, unpacked: Path) -> None:
    """Installed again, it is the same release; what is not a release is not touched, and is said."""
    (release,) = (installed / "releases").iterdir()
    assert (installed / ".venv").resolve() == release / "venv"
    (installed / ".venv").rename(installed / ".kept")
    (installed / ".venv").mkdir()
    done = run(unpacked / "install.sh", "--prefix", installed)
    assert (done.returncode, "not mine" in done.stderr) == (3, True)
    (installed / ".venv").rmdir()
    (installed / ".kept").rename(installed / ".venv")
    assert run(installed / ".venv" / "bin" / "jauge", "--version").returncode == 0


def test_a_damaged_archive_is_not_installed(unpacked: Path, tmp_path: Path) -> None:
    """One byte more in any file: nothing is made."""
    copy = tmp_path / "copy"
    shutil.copytree(unpacked, copy)
    with (copy / "requirements.txt").open("a") as file:
        file.write(" ")
    done = run(copy / "install.sh", "--prefix", tmp_path / "opt")
    assert (done.returncode, "damaged" in done.stderr) == (3, True)
    assert not list((tmp_path / "opt").iterdir())


@pytest.mark.parametrize("words", [("--prefix",), ("--help",), ("--prefix", "")])
def test_wrong_words(words: tuple[str, ...], unpacked: Path) -> None:
    """Anything else than ``--prefix DIR`` is shown how."""
    done = run(unpacked / "install.sh", *words)
    assert (done.returncode, "usage" in done.stderr) == (2, True)


def test_a_python_that_is_not_in_the_archive(unpacked: Path, tmp_path: Path) -> None:
    """The versions that are there are named."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dirname", "mkdir", "sha256sum"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    path = str(tmp_path / "bin")
    done = run(unpacked / "install.sh", "--prefix", tmp_path / "opt", PATH=path, JAUGE_PYTHON=str(tmp_path / "absent"))
    assert (done.returncode, f"needs one of Python {PYTHON}" in done.stderr) == (3, True)
