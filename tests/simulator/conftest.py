"""One synthetic hospital of 2,000 stays for every test that reads it, on a fixed day."""

from __future__ import annotations

from datetime import date

import pytest

from engine.simulator.hospital import Hospital

TODAY = date(2026, 5, 20)


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    """2,000 stays, seed 1; nobody may change it."""
    return Hospital(1, 2_000, TODAY)
