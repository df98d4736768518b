"""docs/metrics.md tells every metric, indicator and reason, as they are."""

import os
from pathlib import Path

import pytest

from engine.metrics import catalogue
from engine.metrics.documentation import fill, tables
from engine.metrics.families import FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


class TestPage:
    """The tables of the page are made of the declarations."""

    def test_is_up_to_date(self) -> None:
        """Making the tables anew changes nothing; JAUGE_UPDATE_GOLDEN=1 writes them."""
        page = PAGE.read_text(encoding="utf-8")
        expected = fill(page, catalogue.load())
        if os.environ.get("JAUGE_UPDATE_GOLDEN") == "1":
            PAGE.write_text(expected, encoding="utf-8")
            page = expected

        assert expected == page

    def test_has_every_table(self) -> None:
        """No table is forgotten by the page."""
        page = PAGE.read_text(encoding="utf-8")

        assert all(f"<!-- table: {name} -->" in page for name in tables(catalogue.load()))

    def test_a_table_nobody_makes_is_an_error(self) -> None:
        """A page that asks for an unknown table is refused."""
        with pytest.raises(KeyError):
            fill("<!-- table: nothing -->\n<!-- end -->", catalogue.load())


class TestNames:
    """Names follow the conventions of Prometheus."""

    def test_names_are_unique_and_prefixed(self) -> None:
        """One prefix, no name twice, `_total` for counters and for them only."""
        names = [family.name for family in FAMILIES]

        assert len(set(names)) == len(names)
        assert all(name.startswith("jauge_") for name in names)
        assert all(family.name.endswith("_total") == (family.kind == "counter") for family in FAMILIES)
