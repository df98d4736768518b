"""The systemd unit, by what systemd says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.unit import judged, properties, unit
from tests.doctor.site import codes, site

FILE = Path("/etc/jauge/jauge.yaml")
RIGHT = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "ExecStart": "{ path=/opt/jauge/.venv/bin/jauge ; argv[]=jauge run --config /etc/jauge/jauge.yaml ; }",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "MemoryDenyWriteExecute": "yes",
}


def test_a_unit_that_is_right() -> None:
    """Installed, enabled and hardened."""
    assert [one.state for one in judged(FILE, RIGHT)] == ["ok"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("ActiveState", "failed", "unit-failed"),
        ("UnitFileState", "disabled", "unit-disabled"),
        ("ProtectSystem", "no", "unit-open"),
        ("ExecStart", "jauge run --config /srv/other.yaml", "unit-other-configuration"),
    ],
)
def test_a_unit_that_is_not(name: str, value: str, code: str) -> None:
    """Each of its properties."""
    assert codes(judged(FILE, {**RIGHT, name: value})) == {code: "systemd"}


def test_no_unit(tmp_path: Path) -> None:
    """Where systemd does not run or does not know it, there is nothing to say."""
    assert judged(FILE, {}) == judged(FILE, {"LoadState": "not-found"}) == []
    if properties().get("LoadState") != "loaded":
        assert unit(site(tmp_path)) == []
