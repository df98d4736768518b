"""Addresses of MSSanté: one writing, one owner, one pseudonym."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.facts import CITIZEN, OUTSIDE, OWN, PROFESSIONAL, TEST
from engine.parsers import addresses
from engine.parsers.context import default

SPACE = addresses.Space(own=frozenset({"ch-fictif.mssante.fr"}), trusted=frozenset({"reseau-fictif.example"}))
CONTEXT = default()


class TestNormal:
    """However an address is written, it is one address."""

    @pytest.mark.parametrize(
        "text",
        [
            "alix.fictif@cabinet-fictif.mssante.fr",
            "Alix.FICTIF@Cabinet-Fictif.MSSante.fr",
            " <alix.fictif@cabinet-fictif.mssante.fr> ",
            "mailto:alix.fictif@cabinet-fictif.mssante.fr.",
            "alix.fictif @cabinet-fictif\t.mssante.fr",
        ],
    )
    def test_one_writing(self, text: str) -> None:
        """Case, blanks, brackets, the scheme and the final dot are no part of it."""
        assert addresses.normal(text) == "alix.fictif@cabinet-fictif.mssante.fr"
        expected = CONTEXT.pseudonym("address", "", b"alix.fictif@cabinet-fictif.mssante.fr")
        assert addresses.pseudonym(CONTEXT, text) == expected


class TestCategory:
    """Who an address belongs to."""

    @pytest.mark.parametrize(
        ("address", "category"),
        [
            ("279035121518989@patient.mssante.fr", CITIZEN),
            ("180032a12345652@patient.mssante.fr", CITIZEN),
            ("27707279035121518989@patient.mssante.fr", OUTSIDE),
            ("camille.exemple@patient.mssante.fr", OUTSIDE),
            ("reponse.automatique-test@patient.mssante.fr", TEST),
            ("sorties@ch-fictif.mssante.fr", OWN),
            ("sorties@labo.ch-fictif.mssante.fr", PROFESSIONAL),
            ("alix@cabinet-fictif.mssante.fr", PROFESSIONAL),
            ("alix@reseau-fictif.example", PROFESSIONAL),
            ("alix@mssante.fr", OUTSIDE),
            ("alix@cabinet-mssante.fr", OUTSIDE),
            ("279035121518989@patient.mssante.fr.example", OUTSIDE),
            ("279035121518989@x.patient.mssante.fr", PROFESSIONAL),
            ("alix", OUTSIDE),
            ("", OUTSIDE),
        ],
    )
    def test_category(self, address: str, category: str) -> None:
        """By the domain alone, but for tests and for citizens without a matricule."""
        assert addresses.category(address, SPACE) == category

    def test_a_test_address_is_one_first(self) -> None:
        """An address of the tests counts nowhere, though its domain be the establishment's own or the citizens'."""
        tests = frozenset({"essai@ch-fictif.mssante.fr", "279035121518989@patient.mssante.fr"})
        space = addresses.Space(own=SPACE.own, tests=tests)
        assert {addresses.category(one, space) for one in tests} == {TEST}

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever the text, one category and one pseudonym; a normal form is its own normal form for any address in use."""
        kind = addresses.category(addresses.normal(text), SPACE)
        assert kind in {CITIZEN, OUTSIDE, OWN, PROFESSIONAL, TEST}
        assert len(addresses.pseudonym(CONTEXT, text)) == 16
        assert len(addresses.correspondent(CONTEXT, text)) == 16


class TestMatricule:
    """The patient that a citizen address names."""

    def test_matricule(self) -> None:
        """The local part in upper case, whatever its key; nothing of any other address."""
        assert addresses.matricule("180032a12345652@patient.mssante.fr") == "180032A12345652"
        assert addresses.matricule("279035121518900@patient.mssante.fr") == "279035121518900"
        assert addresses.matricule("27903512151898@patient.mssante.fr") == ""
        assert addresses.matricule("279035121518989@ch-fictif.mssante.fr") == ""
        assert addresses.matricule("") == ""


class TestCorrespondent:
    """A national identifier is one, with or without the digit that says of what kind."""

    @pytest.mark.parametrize(
        ("text", "kind", "identifier"),
        [
            ("99990000025", "", "899990000025"),
            (" 8 99990000025", "IDNPS", "899990000025"),
            ("899990000025", "", "899990000025"),
            ("99990000025", "RPPS", "899990000025"),
            ("0991234567", "", "0991234567"),
            ("991234567", "ADELI", "0991234567"),
            ("0991234567", "ADELI", "0991234567"),
            ("990000001", "", "1990000001"),
            ("2a0000001", "FINEG", "12A0000001"),
            ("1990000001", "IDNST", "1990000001"),
            ("3990000001/17", "", "3990000001/17"),
            ("", "", ""),
        ],
    )
    def test_identifier(self, text: str, kind: str, identifier: str) -> None:
        """RPPS and FINESS get their digit; anything else is taken as written."""
        assert addresses.identifier(text, kind) == identifier
        assert addresses.correspondent(CONTEXT, text, kind) == CONTEXT.pseudonym(
            "correspondent", "", identifier.encode()
        )
