"""Names and codes that may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.parsers import names


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GAM", "GAM"),
        (" CHU-X ", "CHU-X"),
        ("Organisation Y", "Organisation Y"),
        ("1.2.250.9999", "1.2.250.9999"),
        ("990000001", "990000001"),
        ("9900000011", "other"),
        ("Identité", "other"),
        ("x" * 41, "other"),
        ("a/b", "other"),
        ("", ""),
        ('""', ""),
    ],
)
def test_only_plain_names_of_applications_are_shown(text: str, shown: str) -> None:
    """Forty plain characters, and never a long number."""
    assert names.application(text) == shown


@given(st.text())
def test_nothing_else_gets_through(text: str) -> None:
    """Whatever the text, what is shown is short, plain and without a run of ten digits."""
    for shown in (names.application(text), names.code(text), names.unit(text)):
        assert len(shown) <= 40
        assert shown.isascii()
        assert not any(shown[at : at + 10].isdigit() and len(shown[at : at + 10]) == 10 for at in range(len(shown)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("DMPClosed", "DMPClosed"),
        ("550", "550"),
        ("CODE_FICTIF", "CODE_FICTIF"),
        ("InvalidDocumentContent", "InvalidDocumentContent"),
        ("timeout", "timeout"),
        ("AE", "AE"),
        ("", "other"),
        ("un texte", "other"),
        ("1" * 15, "other"),
        ("EXEMPLE", "other"),
        ("Exemple", "other"),
        ("McExemple", "other"),
        ("EXEMPLE-TESTEUR", "other"),
    ],
)
def test_codes_are_codes(text: str, shown: str) -> None:
    """A code of a table, or other: a word that could be a name is none."""
    assert names.code(text) == shown


def test_every_code_of_the_table_of_errors_is_a_code() -> None:
    """What has a remedy is never shown as other."""
    table = yaml.safe_load((Path(__file__).resolve().parents[2] / "config" / "dmp-errors.yaml").read_text("utf-8"))
    assert len(table["codes"]) > 100
    assert [code for code in table["codes"] if names.code(str(code)) != str(code)] == []


@pytest.mark.parametrize(
    ("text", "shown"), [("6268", "6268"), (" REA 1", "REA1"), ("Chirurgie générale", ""), ("x" * 21, ""), ("", "")]
)
def test_units_are_codes(text: str, shown: str) -> None:
    """The code of a UF, or nothing."""
    assert names.unit(text) == shown
