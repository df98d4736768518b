"""PID: identifiers, status, traits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.facts import INS_DEMO, INS_NIA, INS_NIR, INS_NONE, INS_TEST, Identity, Sent
from engine.parsers import patient
from engine.parsers.context import default
from engine.parsers.encoding import DEFAULT
from tests.parsers.messages import DOMAIN, INS, PID, adt, codes, facts, field, fixture, one, parse, places, pseudonym

NIR = "185057599900150^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
NIA = "259059999900540^^^ASIP-SANTE-INS-NIA&1.2.250.1.213.1.4.9&ISO^INS"
IPP = "700001^^^HX&990000001&M^PI"


def identity(identifiers: str, status: str = "VALI") -> tuple[Identity, set[str]]:
    """The identity of an A31 with this PID-3, and the codes of its flags."""
    parsed = parse(adt("A31", field(field(PID, 3, identifiers), 32, status), "PV1||N"))
    return one(parsed, Identity), codes(parsed)


@pytest.mark.parametrize(
    ("repetition", "root", "flags"),
    [
        (NIR, INS_NIR, set()),
        (NIA, INS_NIA, set()),
        (NIR.replace(".4.8", ".4.10"), INS_TEST, {"ins-test"}),
        (NIR.replace(".4.8", ".4.11"), INS_DEMO, {"ins-test"}),
        (NIR.replace("1.2.250", "urn:oid:1.2.250"), INS_NIR, set()),
        ("185057599900150^^^ASIP-SANTE-INS-NIR^INS", INS_NIR, {"ins-oid-missing"}),
        ("259059999900540^^^ASIP-SANTE-INS-NIA^INS", INS_NIA, {"ins-oid-missing"}),
        ("185057599900150^^^&1.2.250.1.213.1.4.8&ISO^INS-NIR", INS_NIR, {"ins-type-fhir"}),
        ("185057599900150^^^^INS-NIR-TEST", INS_TEST, {"ins-type-fhir", "ins-oid-missing", "ins-test"}),
        (f"{NIR}^^20101207", INS_NIR, {"ins-dated"}),
        ("185057599900151^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS", INS_NIR, {"ins-key-wrong"}),
        ("18505759990015^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS", INS_NIR, {"ins-malformed"}),
        ("185057599900150^^^HX&1.2.3&ISO^INS", INS_NONE, {"ins-root-unknown"}),
        ("185057599900150^^^HX^INS", INS_NONE, {"ins-root-unknown"}),
        ('""^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS', INS_NONE, set()),
        ("^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS", INS_NONE, set()),
        ("290067599900261^^^ASIP-SANTE-NIR&1.2.250.1.213.1.4.8&ISO^NH", INS_NONE, set()),
        ("290067599900261^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^NH", INS_NONE, {"ins-as-nh"}),
        ("0123456789012345678901^^^ASIP-SANTE-INS-C&1.2.250.1.213.1.4.2&ISO^INS-C", INS_NONE, set()),
    ],
)
def test_every_form_of_ins_is_told_apart(repetition: str, root: int, flags: set[str]) -> None:
    """Only an INS under an authority of the INS is one; deviations are flagged, never refused."""
    found, remarks = identity(f"{IPP}~{repetition}")
    assert found.ins_root == root
    assert (found.ins is None) == (root == INS_NONE)
    assert remarks == flags
    assert found.ipp == pseudonym("ipp", DOMAIN, b"700001")


def test_a_nir_is_preferred_to_a_nia_in_any_order() -> None:
    """With both, the NIR is the INS."""
    for identifiers in (f"{IPP}~{NIA}~{NIR}", f"{NIR}~{IPP}~{NIA}"):
        found, _ = identity(identifiers)
        assert (found.ins, found.ins_root) == (pseudonym("ins", "", INS), INS_NIR)


def test_two_ins_of_one_authority_are_flagged() -> None:
    """The first of two matricules is taken."""
    found, flags = identity(f"{IPP}~{NIR}~{NIR.replace('185', '285')}")
    assert found.ins == pseudonym("ins", "", INS)
    assert "ins-several" in flags


def test_an_identifier_that_has_ended_comes_last() -> None:
    """Of two INS of one authority, and of two IPP, the one without an end (CX-8) is taken; alone, an ended one is."""
    other = NIR.replace("185", "285")
    found, flags = identity(f"8^^^HX^PI^^20100101^20200101~{IPP}~{other}^^20100101^20200101~{NIR}")
    assert (found.ins, found.ipp) == (pseudonym("ins", "", INS), pseudonym("ipp", DOMAIN, b"700001"))
    assert {"ins-several", "ins-dated"} <= flags
    found, _ = identity(f"8^^^HX^PI^^^20200101~{NIR}^^^20200101")
    assert (found.ins, found.ipp) == (pseudonym("ins", "", INS), pseudonym("ipp", DOMAIN, b"8"))


def test_a_corsican_matricule_is_one_in_either_case() -> None:
    """Letters are brought to upper case before the key and the pseudonym."""
    upper, _ = identity(f"{IPP}~192112B99900478^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS")
    lower, flags = identity(f"{IPP}~192112b99900478^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS")
    assert upper.ins == lower.ins == pseudonym("ins", "", b"192112B99900478")
    assert upper.ins_key_valid
    assert lower.ins_key_valid
    assert flags == set()


@pytest.mark.parametrize(
    ("identifiers", "ipp", "flag"),
    [
        ("1^^^HX^PI", b"1", None),
        ("1^^^&990000001&M^PI", b"1", None),
        ("1", b"1", "ipp-untyped"),
        (f"1~{NIR}", b"1", "ipp-untyped"),
        ("1~2", None, "ipp-missing"),
        ("1~2^^^HX^PI", b"2", None),
        ("8^^^HX^RRI~9^^^CNOP&1.2.250.1.176.1.2&ISO^NDP~2^^^HX^PI", b"2", None),
        (NIR, None, "ipp-missing"),
        ('""^^^HX^PI', None, "ipp-missing"),
        (" 1 ^^^HX^ pi", b"1", None),
    ],
)
def test_the_ipp_is_found(identifiers: str, ipp: bytes | None, flag: str | None) -> None:
    """The patient number is the one of type PI, or the only local one without type."""
    parsed = parse(adt("A31", field(PID, 3, identifiers)))
    found = facts(parsed, Identity)
    assert (found[0].ipp if found else None) == (pseudonym("ipp", DOMAIN, ipp) if ipp else None)
    assert {code for code in codes(parsed) if code.startswith("ipp")} == ({flag} if flag else set())


def test_a_foreign_authority_has_its_own_scope() -> None:
    """With authorities configured, the hospital's own IPP wins and a foreign number is kept apart."""
    own = replace(default(), authorities=frozenset({"HX", "990000001"}))
    both = parse(adt("A31", field(PID, 3, "1^^^GHT&1.2.3&ISO^PI~2^^^HX&990000001&M^PI")), own)
    foreign = parse(adt("A31", field(PID, 3, "1^^^GHT&1.2.3&ISO^PI")), own)
    anonymous = parse(adt("A31", field(PID, 3, "2^^^&990000001&M^PI")), own)
    assert one(both, Identity).ipp == one(anonymous, Identity).ipp == pseudonym("ipp", DOMAIN, b"2")
    assert one(foreign, Identity).ipp == pseudonym("ipp", f"{DOMAIN}|GHT", b"1")


@pytest.mark.parametrize(
    ("status", "kept", "flagged"),
    [
        ("VALI", "VALI", False),
        ("VALI~HOMA", "VALI~HOMA", False),
        (" vali ", "VALI", False),
        ("PROV~~DOUT", "PROV~DOUT", False),
        ("", "", False),
        ('""', "", False),
        ("1850575~VALI", "VALI", True),
    ],
)
def test_the_status_is_a_list_of_codes(status: str, kept: str, flagged: bool) -> None:
    """PID-32 keeps its codes and nothing else."""
    found, flags = identity(IPP, status)
    assert found.status == kept
    assert ("identity-status-unknown" in flags) == flagged


@pytest.mark.parametrize(
    ("number", "value", "where"),
    [
        (5, "^LOUIS^LOUIS PAUL^^^^L", ["PID-5.1"]),
        (5, "ESSAI-UN^^LOUIS PAUL^^^^L", ["PID-5.2"]),
        (5, "ESSAI-UN^LOUIS^^^^^L", ["PID-5.3"]),
        (5, "ESSAI-UN^LOUIS^LOUIS PAUL^^^^D", ["PID-5.1", "PID-5.2", "PID-5.3"]),
        (5, "X^LOUIS^^^^^D~ÉSSAI^LÉA^LÉA PAULE^^^^L", []),
        (5, "ESSAI^L~ESSAI-UN^LOUIS^LOUIS^^^^L", []),
        (7, "", ["PID-7"]),
        (7, "1985", ["PID-7"]),
        (7, "19850512000000", []),
        (8, "U", ["PID-8"]),
        (11, "1 rue^^X^^75000^FRA^H", ["PID-11.9"]),
        (11, "1 rue^^X^^75000^FRA^H^^75999", ["PID-11.9"]),
        (11, "^^^^^^BDL", ["PID-11.9"]),
        (11, "1 rue^^X^^75000^FRA^H~^^^^^^BDL^^2B999", []),
    ],
)
def test_missing_traits_are_named(number: int, value: str, where: list[str]) -> None:
    """Beside an INS, each missing identity trait is flagged where it should be."""
    assert places(parse(adt("A31", field(PID, number, value))), "trait-missing") == where


def test_traits_matter_only_beside_an_ins() -> None:
    """Without INS nothing is asked of the traits."""
    _, flags = identity(IPP)
    assert flags == set()
    assert codes(parse(adt("A31", field(field(PID, 3, IPP), 5, "")))) == set()


@pytest.mark.parametrize(("status", "shown"), [("VALI", True), ("QUAL", True), ("PROV", False), ("", False)])
def test_sent_shows_the_ins_of_a_validated_identity(status: str, shown: bool) -> None:
    """Sent.ins asks for an INS and a validated status."""
    sent = one(parse(adt("A31", field(PID, 32, status))), Sent)
    assert sent.ins is shown
    assert sent.ins_root == INS_NIR


def test_the_examples_of_the_reference_are_right() -> None:
    """Corsican INS with homonym attribute, billing NIR, waiting number."""
    corsican = one(fixture("adt_a31_corsican_homonym"), Identity)
    assert (corsican.ins_root, corsican.ins_key_valid, corsican.status) == (INS_NIR, True, "VALI~HOMA")
    assert one(fixture("adt_a31_billing_nir"), Identity).ins is None
    assert one(fixture("adt_a28_waiting_number"), Identity).ins_root == INS_NIA


class TestOrdinary:
    """The short reading of PID-3."""

    @settings(max_examples=300)
    @given(
        st.lists(
            st.sampled_from(
                [
                    b"700001^^^HX&990000001&M^PI",
                    b"700001^^^HX^PI",
                    b"7 1^^^HX^PI",
                    b"185057599900150^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS",
                    b"185057599900151^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS",
                    b"185057599900150^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS^^20101207",
                    b"185057599900150^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS",
                    b"192112b99900478^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS",
                    b'""^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS',
                    b"290067599900261^^^ASIP-SANTE-NIR&1.2.250.1.213.1.4.8&ISO^NH",
                    b"1^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^PI",
                    b"",
                    b"9",
                ]
            ),
            max_size=3,
        )
    )
    def test_it_says_what_the_full_reading_says_or_nothing(self, repetitions: list[bytes]) -> None:
        """Equal, or None."""
        field = b"~".join(repetitions)
        short = patient.ordinary(field, default())
        assert short is None or short == patient.numbers(field, DEFAULT, default())
