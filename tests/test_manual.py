"""The page of the configuration says everything that is declared, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine import inventory, manual
from engine.config import Config
from engine.listeners.listener import declarations

PAGE = Path(__file__).resolve().parents[1] / "docs/configuration.md"


def test_page_is_up_to_date() -> None:
    """docs/configuration.md is what the declarations say; JAUGE_UPDATE=1 writes it again."""
    made = manual.page(declarations())
    if os.environ.get("JAUGE_UPDATE") == "1":
        PAGE.write_text(made, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == made


def test_every_setting_has_its_sentence() -> None:
    """No setting of the file is without a description."""
    assert manual.undocumented(Config) == []


@pytest.mark.parametrize("name", sorted(declarations()))
def test_every_setting_of_a_listener_has_its_sentence(name: str) -> None:
    """No setting of a listener is without a description."""
    assert manual.undocumented(declarations()[name].settings) == []


def test_every_column_and_domain_is_told() -> None:
    """The page has a row for each column of the inventory and each domain."""
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in [*inventory.COLUMNS, *inventory.DOMAINS] if f"| `{name}` |" not in page] == []
