"""The INS: control key, authorities, qualification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.facts import INS_DEMO, INS_NIA, INS_NIR, INS_NONE, INS_TEST
from engine.parsers import ins

KEYS = {
    "2790351215189": 89,
    "2770763220829": 10,
    "2070585756270": 97,
    "180032A123456": 52,
    "1850575999001": 50,
    "2900675999002": 61,
    "285042A999003": 39,
    "192112B999004": 78,
    "2590599999005": 40,
    "7010199999006": 45,
}


class TestKey:
    """97 minus the remainder by 97, Corsica included."""

    @pytest.mark.parametrize(("matricule", "key"), KEYS.items())
    def test_published_keys(self, matricule: str, key: int) -> None:
        """Keys published by the authorities, and those computed for invented matricules, are found."""
        assert ins.key(matricule) == key
        assert ins.key(matricule.lower()) == key
        assert ins.check(f"{matricule}{key:02d}") == ins.InsCheck(well_formed=True, key_valid=True)
        assert ins.check(f"{matricule.lower()}{key:02d}").key_valid

    @pytest.mark.parametrize("matricule", ["260058815400244", "276037510669380", "221042545611404", "224027511583555"])
    def test_published_wrong_keys(self, matricule: str) -> None:
        """Official samples whose key is wrong are well formed, with a wrong key."""
        assert ins.check(matricule) == ins.InsCheck(well_formed=True, key_valid=False)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2790351215189",
            "27903512151898",
            "2790351215189890",
            "2790351215189٨٩",
            "279032C21518989",
            "27903512151898A",
        ],
    )
    def test_other_texts(self, text: str) -> None:
        """Another length, another letter, other digits than ASCII: not an INS."""
        assert ins.check(text) == ins.InsCheck(well_formed=False, key_valid=False)

    @given(st.text(max_size=20))
    def test_any_text(self, text: str) -> None:
        """Whatever the text, there is an answer."""
        ins.check(text)
        ins.key(text)
        ins.root(text)
        ins.qualified(INS_NIR, text)

    @given(st.from_regex(r"\A[0-9]{5}([0-9]{2}|2[AB])[0-9]{6}\Z"))
    def test_one_key_in_ninety_seven(self, number: str) -> None:
        """Every matricule has exactly one right key, from 01 to 97."""
        right = [key for key in range(1, 98) if ins.check(f"{number}{key:02d}").key_valid]
        assert right == [ins.key(number)]


class TestRoot:
    """Which authority an OID or a name is."""

    @pytest.mark.parametrize(
        ("text", "root"),
        [
            ("1.2.250.1.213.1.4.8", INS_NIR),
            ("1.2.250.1.213.1.4.9", INS_NIA),
            ("1.2.250.1.213.1.4.10", INS_TEST),
            ("1.2.250.1.213.1.4.11", INS_DEMO),
            ("urn:oid:1.2.250.1.213.1.4.8", INS_NIR),
            ("URN:OID:1.2.250.1.213.1.4.10 ", INS_TEST),
            ("ASIP-SANTE-INS-NIR", INS_NIR),
            ("asip-sante- INS-NIA", INS_NIA),
        ],
    )
    def test_authorities(self, text: str, root: int) -> None:
        """OIDs, with their prefix or not, and HD-1 names give the authority."""
        assert ins.root(text) == root

    @pytest.mark.parametrize(
        "text",
        [
            *(f"1.2.250.1.213.1.4.{arc}" for arc in (2, 6, 7, 13, 80)),
            "ASIP-SANTE-NIR",
            "1.2.250.1.213.1.4",
            "",
            "8",
        ],
    )
    def test_not_authorities(self, text: str) -> None:
        """INS-C, the billing NIR and anything else are no INS."""
        assert ins.root(text) == INS_NONE

    def test_oid_and_back(self) -> None:
        """The OID of an authority is read as that authority."""
        for root in (INS_NIR, INS_NIA, INS_TEST, INS_DEMO):
            assert ins.root(ins.oid(root)) == root
        assert ins.oid(INS_NONE) == ""


class TestQualified:
    """docs/rules.md, section 2."""

    @pytest.mark.parametrize(
        ("authority", "status", "why"),
        [
            (INS_NIR, "VALI", ""),
            (INS_NIA, "QUAL", ""),
            (INS_NIR, "VALI~HOMA", ""),
            (INS_NIR, " vali ", ""),
            (INS_NONE, "VALI", "ins_absent"),
            (INS_TEST, "VALI", "ins_test"),
            (INS_DEMO, "VALI", "ins_test"),
            (INS_NIR, "", "status_absent"),
            (INS_NIR, "~", "status_absent"),
            (INS_NIR, "PROV", "ins_not_qualified"),
            (INS_NIR, "HOMA", "ins_not_qualified"),
            *((INS_NIR, f"VALI~{code}", "ins_not_qualified") for code in sorted(ins.NEGATIVE_STATUS)),
        ],
    )
    def test_reasons(self, authority: int, status: str, why: str) -> None:
        """An INS that counts and a validated status, not contradicted, make it; else the first reason is told."""
        assert ins.qualified(authority, status) == ins.Qualification(qualified=not why, why=why)  # type: ignore[arg-type]

    def test_test_roots_when_allowed(self) -> None:
        """Test and demonstration roots count when a setting says so, and are judged like the others."""
        assert ins.qualified(INS_TEST, "VALI", allow_test=True).qualified
        assert ins.qualified(INS_DEMO, "PROV", allow_test=True).why == "ins_not_qualified"

    def test_corrected_birth_date(self) -> None:
        """An identity whose birth date was corrected locally is never qualified (ZFD-4)."""
        assert ins.qualified(INS_NIR, "VALI", birth_corrected=True).why == "ins_not_qualified"
