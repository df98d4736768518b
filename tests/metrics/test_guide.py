"""docs/fr/indicateurs.md tells every indicator, variant and reason of the catalogue, as they are."""

import os
from pathlib import Path

import pytest

from engine.metrics import catalogue, guide

PAGE = Path(__file__).parents[2] / "docs" / "fr" / "indicateurs.md"


class TestPage:
    """The sections of the page are made of the catalogue."""

    def test_is_up_to_date(self) -> None:
        """Making the sections anew changes nothing; JAUGE_UPDATE=1 writes them."""
        page = PAGE.read_text(encoding="utf-8")
        expected = guide.fill(page, catalogue.load())
        if os.environ.get("JAUGE_UPDATE") == "1":
            PAGE.write_text(expected, encoding="utf-8")
            page = expected

        assert page == expected

    def test_has_every_part(self) -> None:
        """No part is forgotten by the page."""
        page = PAGE.read_text(encoding="utf-8")

        assert [name for name in guide.parts(catalogue.load()) if f"<!-- made: {name} -->" not in page] == []

    def test_a_part_nobody_makes_is_an_error(self) -> None:
        """A page that asks for an unknown part is refused."""
        with pytest.raises(KeyError):
            guide.fill("<!-- made: nothing -->\n<!-- end -->", catalogue.load())


class TestSections:
    """What the made parts say."""

    def test_every_entry_and_reason_has_one_heading(self) -> None:
        """Each indicator and each variant has a heading, and each reason has one."""
        known = catalogue.load()
        lines = "\n".join(guide.parts(known).values()).splitlines()
        names = [line.lstrip("# ").split(" : ")[0].strip("`") for line in lines if line.startswith("#")]
        reasons = {reason.code for entry in known for reason in entry.reasons}

        assert sorted(names) == sorted([*known.ids, *reasons])

    def test_an_indicator_gives_its_reasons_in_order(self) -> None:
        """The numbered list of a section is the closed list of the indicator, its own advice included."""
        known = catalogue.load()
        section = guide.parts(known)["indicators"].split("\n## DS2.1 : ")[1].split("\n## ")[0]
        listed = [line for line in section.splitlines() if line[:1].isdigit()]

        assert [line.split("(`")[1].split("`)")[0] for line in listed] == list(known.reasons("DS2.1"))
        assert "Activer le CR-BIO de niveau 3 dans le SGL." in section
