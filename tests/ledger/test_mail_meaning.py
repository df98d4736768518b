"""What MSSanté mail means (docs/rules.md section 8): who was written to, what was refused, and what it carried."""

from __future__ import annotations

from typing import Any

import pytest

from engine.facts import CITIZEN, INS_NIR, INS_TEST, MAIL, OUTSIDE, PROFESSIONAL, AnyFact, Document, Mailed, Outcome
from engine.ledger.distinct import DISTINCT
from engine.metrics import measures as m
from engine.metrics.measures import measures
from engine.metrics.periods import Window, day_of
from engine.metrics.rules.judge import judge
from engine.metrics.settings import Directory, RuleSettings
from tests.ledger.build import INS, answer, at, document, identity
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_order import Store
from tests.ledger.test_traces import STAY, view

DOCTOR = handle("address", 1)
OTHER_DOCTOR = handle("address", 2)
PATIENT = handle("address", 9)
RPPS = handle("correspondent", 1)
KNOWN = handle("key", 1)
UNEQUIPPED = handle("key", 2)
SETTINGS = RuleSettings(
    directory=Directory(
        names={DOCTOR: KNOWN, RPPS: KNOWN, handle("address", 3): KNOWN, handle("correspondent", 2): UNEQUIPPED},
        equipped=frozenset({KNOWN}),
    )
)
WHEN = "2026-03-05 16:00"


def letter(when: str = "2026-03-05 15:00", **more: Any) -> Document:
    """A discharge letter for the doctor, to be mailed to him."""
    return document(when, **({"mss_professional": "Y", "recipients": (DOCTOR,), "intended": (DOCTOR,)} | more))


def mail(when: str = WHEN, number: int = 1, **more: Any) -> Mailed:
    """The letter, mailed to the doctor; ``number`` makes its Message-ID."""
    values: dict[str, Any] = {
        "at": at(when),
        "establishment": FINESS,
        "message": handle("mail", number),
        "recipient": DOCTOR,
        "category": PROFESSIONAL,
        "ins": INS,
        "ins_root": INS_NIR,
        "ipp": None,
        "xdm": "valid",
        "document": handle("document", 1),
        "version": 1,
        "type_code": "11490-0",
        "kind": "ldl-ses",
        "body": "cda",
        "level": 1,
        "created": at("2026-03-05 15:00"),
        "cda_ins": INS,
        "cda_ins_root": INS_NIR,
    }
    return Mailed(**(values | more))


def message(when: str = WHEN, number: int = 5, **more: Any) -> Mailed:
    """A mail to the patient, without attachment."""
    nothing: dict[str, Any] = dict.fromkeys(("document", "cda_ins"))
    words: dict[str, Any] = dict.fromkeys(("type_code", "kind", "body"), "")
    numbers: dict[str, Any] = dict.fromkeys(("version", "level", "created", "cda_ins_root"), 0)
    return mail(
        when,
        number,
        **(
            nothing
            | words
            | numbers
            | {"recipient": PATIENT, "category": CITIZEN, "xdm": "none", "cda_ins": None}
            | more
        ),
    )


def receipt(
    when: str, number: int = 1, *, accepted: bool = True, recipient: bytes | None = DOCTOR, **more: Any
) -> Outcome:
    """A DSN, or an MDN (``layer="mss-reading"``), of a mail."""
    values: dict[str, Any] = {"layer": "mss-delivery", "code": "" if accepted else "5.1.1"}
    return Outcome(
        at=at(when), exchange=handle("mail", number), accepted=accepted, recipient=recipient, sender="", trace=MAIL,
        **(values | more),
    )  # fmt: skip


def zam(when: str, *, accepted: bool = True, recipient: bytes | None = DOCTOR, layer: str = "mss-delivery") -> Outcome:
    """A Z02 or Z03 of the HL7 message of the letter."""
    return Outcome(at(when), handle("exchange", 1), layer, accepted, "" if accepted else "550", recipient, "PFI@HX")


def outcomes(*facts: AnyFact, settings: RuleSettings = SETTINGS) -> dict[str, list[str]]:
    """The outcomes of each mail indicator, for a patient with a stay and a qualified INS."""
    found: dict[str, list[str]] = {}
    for verdict in judge(view(*STAY, identity("2026-03-02 09:00"), *facts), settings):
        if verdict.indicator[:4] in {"D6.3", "DS4.", "P4.3", "D6.2"}:
            found.setdefault(verdict.indicator, []).append(verdict.outcome)
    return found


def pair(*facts: AnyFact) -> tuple[str, str, str]:
    """D6.3, DS4.1 and D6.3_delivered of the only pair."""
    found = outcomes(*facts)
    (sent,), (served,), (delivered,) = found["D6.3"], found["DS4.1"], found["D6.3_delivered"]
    return sent, served, delivered


def patient(*facts: AnyFact) -> tuple[str, str]:
    """DS4.2 and DS4.2_delivered of the only stay."""
    found = outcomes(*facts)
    (sent,), (delivered,) = found["DS4.2"], found["DS4.2_delivered"]
    return sent, delivered


class TestPair:
    """A report and an equipped correspondent."""

    def test_mailed_is_met(self) -> None:
        """A mail that nothing refused was sent; nobody said that it arrived."""
        assert pair(letter(), mail()) == ("met", "met", "mss_not_confirmed")

    def test_asked_for_and_never_seen(self) -> None:
        """A request is no sending."""
        assert pair(letter()) == ("mss_not_sent", "mss_not_sent", "mss_not_sent")

    def test_named_and_not_asked_for(self) -> None:
        """The document names a correspondent, and nobody asked for a mail."""
        assert pair(letter(mss_professional="N"))[0] == "mss_not_requested"

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ([receipt("2026-03-05 16:01")], ("met", "met", "met")),
            ([receipt("2026-03-05 16:01", accepted=False)], ("mss_refused",) * 3),
            ([receipt("2026-03-05 16:01", accepted=False), receipt("2026-03-05 17:00")], ("met", "met", "met")),
            ([receipt("2026-03-05 17:01", accepted=False), receipt("2026-03-05 17:00")], ("mss_refused",) * 3),
            ([receipt("2026-03-05 17:00", accepted=False), receipt("2026-03-05 17:00")], ("mss_refused",) * 3),
            ([receipt("2026-03-05 17:01", accepted=False), receipt("2026-03-05 17:00", layer="mss-reading")], ("met",) * 3),
            ([receipt("2026-03-05 17:00", accepted=False, layer="mss-reading")], ("met", "met", "mss_not_confirmed")),
            ([receipt("2026-03-05 16:01", accepted=False, recipient=OTHER_DOCTOR)], ("met", "met", "mss_not_confirmed")),
            ([receipt("2026-03-05 16:01", accepted=False, recipient=None)], ("mss_refused",) * 3),
            ([zam("2026-03-05 16:05", accepted=False)], ("mss_refused",) * 3),
            ([zam("2026-03-05 16:05", accepted=False), receipt("2026-03-05 16:06")], ("met",) * 3),
            ([zam("2026-03-05 16:05", layer="mss-reading")], ("met",) * 3),
        ],
    )  # fmt: skip
    def test_the_last_word_of_delivery_holds_unless_somebody_read_it(
        self, words: list[Outcome], expected: tuple[str, str, str]
    ) -> None:
        """Receipts, and the platform's Z02 and Z03 of the message, by time."""
        assert pair(letter(), mail(), *words) == expected

    def test_a_zam_alone_is_a_sending(self) -> None:
        """The platform delivered it; the mail itself was not seen."""
        assert pair(letter(), zam("2026-03-05 16:05")) == ("met", "met", "met")
        assert pair(letter(), zam("2026-03-05 16:05", recipient=None)) == ("met", "met", "met")

    def test_a_zam_is_of_the_version_that_its_message_held(self) -> None:
        """What is said of the first version says nothing of the mail of the second."""
        second = letter("2026-03-06 15:00", number=2, mss_professional="N", replaces=handle("document", 1), version=2)
        later = mail("2026-03-06 16:00", document=handle("document", 2), version=2, recipient=PATIENT, category=CITIZEN)
        found = outcomes(letter(), second, later, zam("2026-03-05 16:05", recipient=None))
        assert (found["DS4.2"], found["DS4.2_delivered"]) == (["met"], ["mss_not_confirmed"])

    def test_a_word_about_nobody_is_about_those_that_no_other_word_names(self) -> None:
        """A Z02 without address, then one of the doctor's: his own holds."""
        everybody, own = zam("2026-03-05 16:05", recipient=None), zam("2026-03-05 16:06", accepted=False)
        assert pair(letter(), everybody, own) == ("mss_refused",) * 3
        both = letter(recipients=(DOCTOR, OTHER_DOCTOR), intended=(DOCTOR, OTHER_DOCTOR))
        assert sorted(outcomes(both, everybody, own)["D6.3"]) == ["met", "mss_refused"]

    def test_a_zam_of_another_address_is_not(self) -> None:
        """Each recipient has a Z02 of its own."""
        assert pair(letter(), zam("2026-03-05 16:05", recipient=OTHER_DOCTOR))[0] == "mss_not_sent"

    def test_an_identifier_and_an_address_are_one_correspondent(self) -> None:
        """The directory says which address an RPPS has, and that somebody has two."""
        named = letter(recipients=(), intended=(RPPS,))
        assert pair(named, mail()) == pair(letter(), mail())
        assert pair(named, mail(recipient=handle("address", 3)))[0] == "met"

    def test_who_is_not_equipped_or_not_known_makes_no_pair(self) -> None:
        """An identifier without an address in the directory, and one that it does not hold."""
        named = letter(recipients=(), intended=(handle("correspondent", 2), handle("correspondent", 3)))
        assert "D6.3" not in outcomes(named)

    def test_an_address_that_the_directory_does_not_hold_is_a_correspondent(self) -> None:
        """Who has a professional address is equipped; D6.2 is told that the directory misses it."""
        found = outcomes(letter(), mail(), mail(number=2, recipient=OTHER_DOCTOR))
        assert found["D6.3"] == ["met", "met"]
        assert found["D6.2_unknown"] == ["met"]

    def test_a_mail_outside_counts_for_nobody(self) -> None:
        """Ordinary mail is no MSSanté."""
        assert pair(letter(), mail(category=OUTSIDE, recipient=handle("address", 8)))[0] == "mss_not_sent"

    @pytest.mark.parametrize(
        ("wrong", "expected"),
        [
            ({"body": "unreadable"}, "mss_not_cda"),
            ({"ins": None, "ins_root": 0, "ipp": handle("ipp", 1)}, "ins_absent"),
            ({"ins_root": INS_TEST, "cda_ins_root": INS_TEST}, "ins_test"),
            ({"cda_ins": handle("ins", 7)}, "ins_mismatch"),
        ],
    )
    def test_ds4_1_asks_for_a_cda_with_a_qualified_ins(self, wrong: dict[str, Any], expected: str) -> None:
        """D6.3 does not."""
        sent, served, _ = pair(letter(), mail(**wrong))
        assert (sent, served) == ("met", expected)

    def test_the_status_is_that_of_the_message(self) -> None:
        """The XDM cannot say that an INS is qualified: PID-32 does."""
        assert pair(letter(status="PROV"), mail())[1] == "ins_not_qualified"

    def test_a_document_that_only_mail_shows_is_a_report(self) -> None:
        """It never crossed the interface engine: mailed, hence met; its versions are one report."""
        assert pair(mail()) == ("met", "met", "mss_not_confirmed")
        first = mail(document=handle("document", 2))
        second = mail("2026-03-06 16:00", 2, document=handle("document", 3), version=2, replaces=handle("document", 2))
        assert pair(first, second)[0] == "met"

    @pytest.mark.parametrize(
        "name",
        [
            {"document": handle("unique", 1), "alias": handle("document", 1)},
            {"document": handle("unique", 1), "chain": handle("chain", 1)},
            {"document": handle("unique", 1), "hash": handle("sha1", 1)},
            {"document": handle("document", 4), "replaces": handle("document", 1), "version": 2},
        ],
    )
    def test_a_mailed_document_is_found_by_any_of_its_names(self, name: dict[str, Any]) -> None:
        """Under an uniqueId of its own, by the CDA's id, setId or SHA-1; a new version is of the same report."""
        known = letter(chain=handle("chain", 1), hash=handle("sha1", 1))
        assert pair(known, mail(**name))[0] == "met"

    def test_other_types_are_no_letters(self) -> None:
        """What D2.2 does not count makes no pair."""
        assert "D6.3" not in outcomes(letter(type_code="57833-6", kind="prescription"), mail(type_code="57833-6"))


class TestPatient:
    """DS4.2: a message to the patient."""

    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            ("2026-03-02 09:59", "no_message"),
            ("2026-03-02 10:00", "met"),
            ("2026-03-04 10:00", "met"),
            ("2026-03-12 14:00", "met"),
            ("2026-03-12 14:01", "no_message"),
        ],
    )
    def test_from_the_entry_to_seven_days_after_the_exit(self, when: str, expected: str) -> None:
        """To the second."""
        assert patient(message(when))[0] == expected

    def test_the_days_are_a_setting(self) -> None:
        """``indicators.message_days``."""
        assert outcomes(message("2026-03-12 14:01"), settings=RuleSettings(message_days=8))["DS4.2"] == ["met"]

    def test_words_of_delivery(self) -> None:
        """A mailbox that is not open refuses; a receipt confirms."""
        refusal = receipt("2026-03-05 16:01", 5, accepted=False, recipient=PATIENT)
        assert patient(message(), refusal) == ("mss_refused", "mss_refused")
        assert patient(message(), refusal, message(number=6)) == ("met", "mss_refused")
        assert patient(message(), receipt("2026-03-05 16:01", 5, recipient=PATIENT)) == ("met", "met")

    def test_a_document_mailed_to_the_patient_is_a_message(self) -> None:
        """With attachment or without."""
        assert patient(letter(), mail(recipient=PATIENT, category=CITIZEN))[0] == "met"

    def test_a_zam_is_enough(self) -> None:
        """Asked for by the message, delivered by the platform to an address that is no professional's."""
        asked = letter(mss_patient="Y", recipients=(DOCTOR, PATIENT))
        assert patient(asked)[0] == "mss_not_sent"
        assert patient(asked, zam("2026-03-05 16:05", recipient=PATIENT)) == ("met", "met")
        assert patient(asked, zam("2026-03-05 16:05", recipient=DOCTOR))[0] == "mss_not_sent"
        refused = zam("2026-03-05 16:05", accepted=False, recipient=PATIENT)
        assert patient(asked, refused)[0] == "mss_refused"
        assert patient(asked, zam("2026-03-05 16:04", recipient=None), refused)[0] == "mss_refused"

    def test_without_an_ins_there_is_no_mailbox(self) -> None:
        """The reason says so."""
        nobody = judge(view(*STAY, identity("2026-03-02 09:00", ins=None, ins_root=0)), SETTINGS)
        assert [one.outcome for one in nobody if one.indicator == "DS4.2"] == ["ins_absent"]


def test_p4_3_counts_what_was_not_refused() -> None:
    """Mails to professionals and citizens; the others prove nothing."""
    refused = receipt("2026-03-05 16:01", accepted=False)
    found = outcomes(letter(), mail(), refused, message(), mail(number=9, category=OUTSIDE, recipient=OTHER_DOCTOR))
    assert sorted(found["P4.3"]) == ["met", "mss_refused"]


def test_a_correspondent_counts_once_in_a_window() -> None:
    """DS4.1 is told by correspondent, and met when one of its days is."""
    store = Store()
    try:
        take = [*STAY, identity("2026-03-02 09:00"), letter(mss_professional="N"), letter("2026-03-06 15:00", number=2)]
        for fact in [
            *take,
            mail(document=handle("document", 2), created=at("2026-03-06 15:00")),
            answer("2026-03-05 15:01"),
        ]:
            store.record([fact])
            store.fold()
        tallied = {(one.indicator, one.outcome) for one in store.tallies() if one.indicator in DISTINCT}
        assert ("DS4.1", "mss_not_requested") in tallied
        day = day_of(at("2026-03-05 12:00"), "Europe/Paris")
        window = Window("rolling", day - 10, day + 10)
        distinct = store.ledger.sums.distinct
        own = distinct.totals("DS4.1", FINESS, window)
        assert own.total() == 1
        assert distinct.totals("DS4.1", FINESS, Window("rolling", day, day)) == {"mss_not_requested": 1}
        assert distinct.totals("DS4.1", FINESS, window, frozenset({handle("key", 5), handle("key", 6)})) == {
            "not_produced": 2
        }
    finally:
        store.close()


def test_a_mail_under_another_ins_is_still_of_the_letter() -> None:
    """It was sent (D6.3), under the INS of somebody else (DS4.1), whatever came first."""
    somebody = handle("ins", 8)
    wrong = mail(ins=somebody)
    for facts in ([letter(), wrong], [wrong, letter()]):
        store = Store()
        try:
            for fact in [*STAY, identity("2026-03-02 09:00"), *facts]:
                store.record([fact])
                store.fold()
            found = {one.indicator: one.outcome for one in store.tallies()}
            assert (found["D6.3"], found["DS4.1"]) == ("met", "ins_mismatch")
            assert not store.ledger.audit()
        finally:
            store.close()


def test_each_sending_is_counted_once_whatever_it_carried() -> None:
    """A mail of two documents to two recipients is two sendings; what became of them is counted by them."""
    carried = [mail(document=handle("document", n), recipient=who) for n in (1, 2) for who in (DOCTOR, OTHER_DOCTOR)]
    refused = receipt("2026-03-05 16:01", accepted=False)
    read = receipt("2026-03-05 16:02", recipient=OTHER_DOCTOR, layer="mss-reading")
    found = measures(view(*STAY, letter(), *carried, refused, read, message(number=3)), SETTINGS)
    counted = {(one.name, one.label): n for one, n in found.items() if one.name.startswith("mail")}
    assert counted == {
        (m.MAILINGS, PROFESSIONAL): 2,
        (m.MAILINGS, CITIZEN): 1,
        (m.MAIL_XDM, "valid"): 2,
        (m.MAIL_XDM, "none"): 1,
        (m.MAIL_OUTCOMES, m.REFUSED): 1,
        (m.MAIL_OUTCOMES, m.DELIVERED): 1,
        (m.MAIL_OUTCOMES, m.READ): 1,
        (m.MAIL_ERRORS, "5.1.1"): 1,
    }
