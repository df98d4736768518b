"""The unit of systemd: right, hardened, and what the engine expects of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parent.parent / "config" / "systemd" / "jauge.service"
TEXT = UNIT.read_text(encoding="utf-8")
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze (scripts/tools)")


def setting(name: str) -> list[str]:
    """Every value of a setting, in order."""
    return re.findall(rf"^{name}=(.*)$", TEXT, re.MULTILINE)


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """``systemd-analyze``."""
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
def test_exposure() -> None:
    """systemd rates the exposure of the unit at 2.0 or under."""
    found = analyze("security", "--offline=true", "--no-pager", UNIT)
    match = re.search(r"Overall exposure level for jauge\.service: ([0-9.]+)", found.stdout)
    assert match, found.stderr
    assert float(match[1]) <= 2.0


@needs_systemd
def test_right(tmp_path: Path) -> None:
    """systemd has no remark about the unit, once its program and its documentation are there."""
    (tmp_path / "jauge").write_text("#!/bin/sh\n")
    (tmp_path / "jauge").chmod(0o755)
    unit = tmp_path / "jauge.service"
    unit.write_text(TEXT.replace("/opt/jauge/.venv/bin/jauge", str(tmp_path / "jauge")), encoding="utf-8")
    found = analyze("verify", "--man=no", unit)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_what_the_engine_does_is_what_the_unit_expects() -> None:
    """The engine says that it is ready and alive; a copy of its memory is never written; wrong settings do not start again and again."""
    assert setting("Type") == ["notify"]
    assert int(setting("WatchdogSec")[0]) >= 30
    assert setting("LimitCORE") == ["0"]
    assert setting("RestartPreventExitStatus") == ["2 3"]
    assert setting("User") == ["jauge"]


def test_no_secret_is_in_the_unit() -> None:
    """Secrets come as files, never as settings or variables of the unit, which everybody may read."""
    assert not setting("Environment")
    assert not setting("SetCredential")
