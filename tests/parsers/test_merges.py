"""ADT that merge, move and rename."""

from __future__ import annotations

import pytest

from engine.facts import Alias, Identity, InsRetired, Reattached, Sent
from engine.parsers.dtm import Zone
from tests.parsers.messages import DOMAIN, PID, PV1, adt, codes, facts, field, fixture, one, parse, pseudonym

AT = Zone("Europe/Paris").seconds
PLAIN = field(PID, 3, "700001^^^HX^PI")


def test_a_merge_names_survivor_and_loser() -> None:
    """A40: PID survives, MRG disappears."""
    parsed = parse(fixture("adt_a40_merge"))
    assert one(parsed, Alias) == Alias(
        at=AT(b"20260306090000"),
        kind="ipp",
        kept=pseudonym("ipp", DOMAIN, b"700001"),
        dropped=pseudonym("ipp", DOMAIN, b"700099"),
    )
    assert one(parsed, Sent).content == "identity"


def test_a_dossier_changes_patient() -> None:
    """A44: the dossier of PID-18 goes to the patient of PID-3."""
    found = one(fixture("adt_a44_dossier_moved"), Reattached)
    assert found.kind == "dossier"
    assert found.moved == pseudonym("dossier", DOMAIN, b"26000130")
    assert found.ipp == pseudonym("ipp", DOMAIN, b"700001")
    assert found.former == pseudonym("ipp", DOMAIN, b"700002")


def test_an_ins_is_removed() -> None:
    """A47 with an INS in MRG-1 retires it, and the null in PID-3 is no identifier."""
    parsed = parse(fixture("adt_a47_ins_removed"))
    retired = one(parsed, InsRetired)
    assert retired.ins == pseudonym("ins", "", b"285042A99900339")
    assert retired.ipp == pseudonym("ipp", DOMAIN, b"700003")
    identity = one(parsed, Identity)
    assert (identity.ins, identity.status) == (None, "PROV")


def test_an_ins_is_replaced() -> None:
    """A47 with another INS in PID-3 retires the old one and shows the new one."""
    old = "MRG|285042A99900339^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
    parsed = parse(adt("A47^ADT_A30", PID, old))
    assert one(parsed, InsRetired).ins == pseudonym("ins", "", b"285042A99900339")
    assert one(parsed, Identity).ins == pseudonym("ins", "", b"185057599900150")


def test_the_same_ins_on_both_sides_is_not_retired() -> None:
    """A47 of the IPP that repeats the INS leaves it alone."""
    same = "MRG|700009^^^HX^PI~185057599900150^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
    parsed = parse(adt("A47^ADT_A30", PID, same))
    assert facts(parsed, InsRetired) == []
    assert one(parsed, Alias).dropped == pseudonym("ipp", DOMAIN, b"700009")


@pytest.mark.parametrize(
    ("event", "mrg", "kind", "kept", "dropped"),
    [
        ("A18", "MRG|2^^^HX^PI", "ipp", b"700001", b"2"),
        ("A41", "MRG|700001^^^HX^PI||26000999", "dossier", b"26000123", b"26000999"),
        ("A49", "MRG|700001^^^HX^PI||26000999", "dossier", b"26000123", b"26000999"),
        ("A42", "MRG|700001^^^HX^PI||||260009999", "visit", b"260004567", b"260009999"),
        ("A50", "MRG|700001^^^HX^PI||||260009999", "visit", b"260004567", b"260009999"),
    ],
)
def test_numbers_are_renamed(event: str, mrg: str, kind: str, kept: bytes, dropped: bytes) -> None:
    """Each event renames the number it is about."""
    found = one(adt(event, PLAIN, mrg, PV1), Alias)
    assert (found.kind, found.kept, found.dropped) == (
        kind,
        pseudonym(kind, DOMAIN, kept),
        pseudonym(kind, DOMAIN, dropped),
    )


def test_everything_or_a_venue_changes_patient() -> None:
    """A43 moves all of a patient, A45 one venue."""
    everything = one(adt("A43", PLAIN, "MRG|2^^^HX^PI"), Reattached)
    assert (everything.kind, everything.moved, everything.former) == ("ipp", None, pseudonym("ipp", DOMAIN, b"2"))
    venue = one(adt("A45", PLAIN, "MRG|2^^^HX^PI||||260004567", PV1), Reattached)
    assert (venue.kind, venue.moved) == ("visit", pseudonym("visit", DOMAIN, b"260004567"))


def test_one_message_may_merge_several_patients() -> None:
    """The group PID MRG repeats."""
    second = field(PID, 3, "700005^^^HX^PI")
    parsed = parse(adt("A40", PLAIN, "MRG|2^^^HX^PI", second, "MRG|3^^^HX^PI"))
    assert [(fact.kept, fact.dropped) for fact in facts(parsed, Alias)] == [
        (pseudonym("ipp", DOMAIN, b"700001"), pseudonym("ipp", DOMAIN, b"2")),
        (pseudonym("ipp", DOMAIN, b"700005"), pseudonym("ipp", DOMAIN, b"3")),
    ]


@pytest.mark.parametrize(
    ("segments", "flag"),
    [
        ((PLAIN,), "merge-without-mrg"),
        ((PLAIN, 'MRG|""'), "merge-unclear"),
        ((PLAIN, "MRG|700001^^^HX^PI"), "merge-unclear"),
    ],
)
def test_a_merge_that_says_nothing_is_flagged(segments: tuple[str, ...], flag: str) -> None:
    """Without a former number nothing is merged."""
    parsed = parse(adt("A40", *segments))
    assert facts(parsed, Alias) == []
    assert flag in codes(parsed)
