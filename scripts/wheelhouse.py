"""Jauge, its wheels and its installer in one archive (called by scripts/wheelhouse).

The wheels are those of requirements.lock, hashes checked by pip; those that only building needs are left out. The same checkout gives
the same archive, byte for byte.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT: Final = Path(__file__).resolve().parent.parent
KEPT: Final = ROOT / "build" / "wheels"
PYTHONS: Final = ("3.11", "3.12", "3.13")
GLIBC: Final = range(5, 35)
"""manylinux_2_5 to 2_34: RHEL 9, Debian 12 and Ubuntu 24.04 have 2.34 or newer."""

# Installs the others, on servers whose Python has none (Debian without python3-venv).
PIP: Final = "pip==25.3 --hash=sha256:9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
TREES: Final = {"config": None, "docs": {".md", ".png", ".svg"}}
FILES: Final = ("LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "requirements.lock")


def main() -> None:
    """Arguments in, the name of the archive out."""
    parser = argparse.ArgumentParser(prog="scripts/wheelhouse", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--python", action="append", choices=PYTHONS, help="Python of the server (default: all of them)"
    )
    parser.add_argument("--machine", choices=("x86_64", "aarch64"), default="x86_64")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    given = parser.parse_args()
    pythons = sorted(set(given.python or PYTHONS))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / f"jauge-{version}"
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        for python in pythons:
            download(wheels, python, given.machine)
        (own,) = WheelBuilder(str(ROOT)).build(directory=str(wheels), versions=["standard"])
        keep(wheels, Path(own), pythons, given.machine)
        fill(folder, pythons)
        given.output.mkdir(parents=True, exist_ok=True)
        archive = given.output / f"{folder.name}-linux-{given.machine}.tar.gz"
        pack(folder, archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n")
    print(archive)


def environment(python: str, machine: str) -> dict[str, str]:
    """What the markers of requirements are read with, for a server of that kind."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }


def download(wheels: Path, python: str, machine: str) -> None:
    """What the lock pins for such a server, and pip, into the folder."""
    pins = re.sub(r"\\\n\s*", "", (ROOT / "requirements.lock").read_text())
    wanted = [PIP]
    for line in pins.splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line.partition("--hash")[0].strip())
            if requirement.marker is None or requirement.marker.evaluate(environment(python, machine)):
                wanted.append(
                    f"{requirement.name}{requirement.specifier} {' '.join(re.findall(r'--hash=[^ ]+', line))}"
                )
    lock = wheels.parent.parent / f"{python}.lock"
    lock.write_text("\n".join(wanted))
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-input",
    ]
    words += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(lock)]
    words += ["--implementation", "cp", "--python-version", python, "--abi", "abi3", "--abi", "none"]
    words += ["--abi", f"cp{python.replace('.', '')}", "--platform", f"linux_{machine}"]
    for minor in GLIBC:
        words += ["--platform", f"manylinux_2_{minor}_{machine}"]
    for old in ("manylinux1", "manylinux2010", "manylinux2014"):
        words += ["--platform", f"{old}_{machine}"]
    # What was taken once is kept, and taken from there; hashes are checked either way.
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = [*words, "--no-index", "--find-links", str(KEPT), "--dest", str(wheels)]
    if subprocess.run(kept, check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return
    if (
        subprocess.run([*words, "--dest", str(KEPT)], check=False).returncode
        or subprocess.run(kept, check=False).returncode
    ):
        sys.exit(f"wheelhouse: a wheel for Python {python} on {machine} could not be had; is there a way to PyPI?")


def requirements(wheel: Path) -> Iterator[Requirement]:
    """What a wheel asks for."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        head = HeaderParser().parsestr(archive.read(name).decode())
    yield from (Requirement(text) for text in head.get_all("Requires-Dist", []))


def keep(wheels: Path, own: Path, pythons: Iterable[str], machine: str) -> None:
    """Remove what Jauge does not need at run time; stop when something that it needs is not there."""
    there: dict[str, Path] = {canonicalize_name(parse_wheel_filename(path.name)[0]): path for path in wheels.iterdir()}
    needed = {"pip"}
    for python in pythons:
        todo = [(own, frozenset({""}))]
        seen = set()
        while todo:
            wheel, extras = todo.pop()
            for requirement in requirements(wheel):
                marker = requirement.marker
                if marker and not any(marker.evaluate(environment(python, machine) | {"extra": e}) for e in extras):
                    continue
                name = canonicalize_name(requirement.name)
                if name not in there:
                    sys.exit(f"wheelhouse: requirements.lock has no {name}, which {wheel.name} needs; run scripts/lock")
                wanted = (there[name], frozenset({"", *requirement.extras}))
                if wanted not in seen:
                    seen.add(wanted)
                    todo.append(wanted)
                needed.add(name)
    for path in wheels.iterdir():
        if path != own and canonicalize_name(parse_wheel_filename(path.name)[0]) not in needed:
            path.unlink()


def fill(folder: Path, pythons: Iterable[str]) -> None:
    """The installer, the examples, the documents, and the sum of every file."""
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    for tree, suffixes in TREES.items():
        for path in sorted((ROOT / tree).rglob("*")):
            place = path.relative_to(ROOT)
            if path.is_file() and place.parts[1] not in {"var", "_build"} and (not suffixes or path.suffix in suffixes):
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / place)
    text = (ROOT / "scripts" / "install.sh").read_text(encoding="utf-8")
    (folder / "install.sh").write_text(text.replace("@PYTHONS@", " ".join(pythons)), encoding="utf-8")
    pins = {f"{n}=={v}": [] for n, v, *_ in (parse_wheel_filename(p.name) for p in (folder / "wheels").iterdir())}
    for path in sorted((folder / "wheels").iterdir()):
        name, number, *_ = parse_wheel_filename(path.name)
        pins[f"{name}=={number}"].append(f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    lines = [" ".join((pin, *hashes)) for pin, hashes in sorted(pins.items())]
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums))


def pack(folder: Path, archive: Path) -> None:
    """One tar.gz: sorted, of nobody, of one instant."""
    instant = int(os.environ.get("SOURCE_DATE_EPOCH", "1767225600"))  # 2026-01-01
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            entry = tar.gettarinfo(path, str(path.relative_to(folder.parent)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = instant
            entry.mode = 0o755 if path.is_dir() or path.suffix == ".sh" else 0o644
            if path.is_dir():
                tar.addfile(entry)
            else:
                with path.open("rb") as file:
                    tar.addfile(entry, file)
    with archive.open("wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=instant) as out:
        out.write(body.getvalue())


if __name__ == "__main__":
    main()
