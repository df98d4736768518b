"""What every test may use: the official samples, promtool, and how hypothesis searches."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Hundreds of engines and commands are started here: what they import is compiled once, and aside, even where the
# environment has Python keep nothing.
sys.dont_write_bytecode = False
sys.pycache_prefix = str(Path(sys.prefix) / "pycache")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# No test depends on time: a slow machine is not a failure, and neither is a slow example.
settings.register_profile("jauge", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("jauge")


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of official samples (``cda/``, ``hl7/``): ``JAUGE_SAMPLES``, else beside the checkout."""
    folder = Path(os.environ.get("JAUGE_SAMPLES") or ROOT.parent / "shared" / "reference" / "samples")
    if not folder.is_dir():
        pytest.skip("the official samples are not here: set JAUGE_SAMPLES to their folder")
    return folder


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool, with which Prometheus itself checks metrics and rules."""
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not here: scripts/tools brings it")
    return found
