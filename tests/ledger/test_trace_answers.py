"""Which answer is whose, where it is easily got wrong: traces that disagree, messages sent again, times that are missing."""

from __future__ import annotations

import pytest
from msgspec import structs

from engine.facts import AUDIT, LOG, TRANSACTION, ZAM
from engine.metrics import measures as m
from engine.metrics.measures import Measure
from engine.metrics.settings import RuleSettings
from tests.ledger.build import answer, at, document
from tests.ledger.facts import FINESS, handle
from tests.ledger.letter import LETTER, OWN, line
from tests.ledger.test_traces import SET, STAY, said, traced, version, view


class TestAnswers:
    """Whose answer it is, and which holds."""

    def test_the_last_word_of_the_transport_holds(self) -> None:
        """Not sent at first, then taken: no failure."""
        lines = (line("2026-03-05 15:01"), line("2026-03-05 15:02"))
        no = said("2026-03-05 15:01", handle("line", 1), accepted=False, layer="technical", trace=LOG, code="timeout")
        yes = said("2026-03-05 15:02", handle("line", 1), layer="technical", trace=LOG)
        (healed,) = version(view(*STAY, *lines, no, yes)).attempts
        assert not healed.failed
        (broken,) = version(view(*STAY, *lines, yes, structs.replace(no, at=yes.at + 1))).attempts
        assert broken.failed

    def test_a_fault_holds_over_a_line_that_says_taken(self) -> None:
        """The transaction is the stronger trace, whatever comes last."""
        fault = said("2026-03-05 15:02", accepted=False, layer="technical", code="soap-fault")
        taken = said("2026-03-05 15:03", SET, layer="technical", trace=LOG)
        (attempt,) = version(view(*STAY, traced("2026-03-05 15:01", keys=(SET,)), fault, taken)).attempts
        assert attempt.failed

    def test_a_failure_told_by_the_log_holds_over_the_acknowledgement_of_the_message(self) -> None:
        """The platform took the message, and could not send the document."""
        no = said("2026-03-05 15:01", handle("line", 1), accepted=False, layer="technical", trace=LOG, code="timeout")
        taken = answer("2026-03-05 15:02", layer="technical", code="AA")
        (attempt,) = version(view(*STAY, LETTER, line("2026-03-05 15:01"), no, taken)).attempts
        assert attempt.failed
        assert attempt.sendings[0].taken

    def test_what_was_submitted_was_taken_unless_a_trace_says_otherwise(self) -> None:
        """A trace is proof that the platform had the document; a fault is not."""
        fault = said("2026-03-05 15:02", accepted=False, layer="technical", code="soap-fault")
        for facts, taken in (((), True), ((fault,), False)):
            (attempt,) = version(view(*STAY, traced("2026-03-05 15:01"), *facts)).attempts
            assert attempt.sendings[0].taken is taken

    def test_an_acceptance_keeps_its_warning_and_a_refusal_has_none(self) -> None:
        """The code of what the DMP remarked."""
        yes = said("2026-03-05 15:02", warning="XDSPatientIdDoesNotMatch")
        for word, warning in ((yes, "XDSPatientIdDoesNotMatch"), (structs.replace(yes, accepted=False), "")):
            assert version(view(*STAY, traced("2026-03-05 15:01"), word)).attempts[0].warning == warning

    def test_an_answer_of_the_dmp_is_no_failure(self) -> None:
        """Its word came, whatever the transport said."""
        fault = said("2026-03-05 15:02", accepted=False, layer="technical", code="soap-fault")
        (attempt,) = version(view(*STAY, traced("2026-03-05 15:01"), fault, said("2026-03-05 15:03"))).attempts
        assert (attempt.failed, attempt.accepted) == (False, True)

    def test_the_last_answer_of_a_trace_holds(self) -> None:
        """Refused, then accepted, then refused."""
        words = [said(f"2026-03-05 15:0{n}", accepted=n == 3) for n in (2, 3, 4)]
        for count, accepted in ((1, False), (2, True), (3, False)):
            (attempt,) = version(view(*STAY, traced("2026-03-05 15:01"), *words[:count])).attempts
            assert (attempt.accepted, attempt.contradictions) == (accepted, ())

    def test_a_weaker_trace_that_changed_its_mind_contradicts_by_its_last_word(self) -> None:
        """The log said refused, then accepted, as the DMP had: no contradiction."""
        facts = (
            traced("2026-03-05 15:01", keys=(SET,)),
            said("2026-03-05 15:04"),
            said("2026-03-05 15:02", SET, accepted=False, trace=LOG),
            said("2026-03-05 15:03", SET, trace=LOG),
        )
        (attempt,) = version(view(*STAY, *facts)).attempts
        assert attempt.contradictions == ()

    def test_each_weaker_trace_contradicts_for_itself(self) -> None:
        """A log and an audit that say accepted where the response says refused are two."""
        facts = (
            traced("2026-03-05 15:01", keys=(SET,)),
            said("2026-03-05 15:02", accepted=False),
            said("2026-03-05 15:03", SET, trace=LOG),
            said("2026-03-05 15:03", SET, trace=AUDIT),
        )
        (attempt,) = version(view(*STAY, *facts)).attempts
        assert [one.trace for one in attempt.contradictions] == [AUDIT, LOG]

    @pytest.mark.parametrize("code", ["", "other", "audit-8"])
    def test_a_refusal_without_code_borrows_that_of_a_trace_that_agrees(self, code: str) -> None:
        """Not that of one that says accepted, nor a word that is no code."""
        facts = (
            traced("2026-03-05 15:01", keys=(SET,)),
            said("2026-03-05 15:02", accepted=False, trace=TRANSACTION, code=code),
            said("2026-03-05 15:02", SET, accepted=False, trace=LOG, code="DMPInvalidData"),
            said("2026-03-05 15:02", SET, accepted=False, trace=ZAM, code="other"),
        )
        (attempt,) = version(view(*STAY, *facts)).attempts
        assert attempt.code == "DMPInvalidData"

    def test_an_answer_without_time_is_dated_by_the_submission_and_measures_no_delay(self) -> None:
        """A response whose transport gave no date: accepted, when it was sent; how long it took, nobody knows."""
        undated = structs.replace(said("2026-03-05 15:01"), at=0)
        (attempt,) = version(view(*STAY, traced("2026-03-05 15:00"), undated)).attempts
        assert (attempt.accepted, attempt.answered_at, attempt.timed) == (True, at("2026-03-05 15:00"), False)

    def test_a_submission_without_time_does_not_date_its_attempt(self) -> None:
        """The log tells when, the request does not."""
        request = structs.replace(traced("2026-03-05 15:00", keys=(SET,)), at=0)
        (attempt,) = version(view(*STAY, request, line("2026-03-05 15:00", key=SET), said("2026-03-05 15:01"))).attempts
        assert (attempt.at, attempt.timed) == (at("2026-03-05 15:00"), True)

    def test_an_undated_answer_by_the_id_of_the_document_is_of_the_first_submission(self) -> None:
        """All submissions are later than an unknown time."""
        facts = [document(f"2026-03-0{n} 15:00", exchange=handle("exchange", n)) for n in (5, 6)]
        undated = structs.replace(said("2026-03-05 15:01", OWN), at=0)
        assert [one.accepted for one in version(view(*STAY, *facts, undated)).attempts] == [True, False]

    def test_another_message_opens_another_attempt(self) -> None:
        """The line after the second sending is of the second, the one between them of the first."""
        letters = [document(f"2026-03-05 1{n}:00", exchange=handle("exchange", n)) for n in (5, 6)]
        lines = [line(f"2026-03-05 1{n}:30", key=handle("line", n)) for n in (5, 6)]
        words = [said(f"2026-03-05 1{n}:31", handle("line", n), accepted=n == 6, trace=LOG) for n in (5, 6)]
        found = version(view(*STAY, *letters, *lines, *words))
        assert [(one.accepted, len(one.sendings)) for one in found.attempts] == [(False, 2), (True, 2)]

    @pytest.mark.parametrize(("minutes", "attempts"), [(60, 1), (61, 2)])
    def test_two_traces_alone_are_one_attempt_within_an_hour(self, minutes: int, attempts: int) -> None:
        """And two beyond."""
        later = structs.replace(line("2026-03-05 15:00"), at=at("2026-03-05 15:00") + minutes * 60)
        assert len(version(view(*STAY, traced("2026-03-05 15:00"), later)).attempts) == attempts

    def test_near_is_near_to_any_of_its_submissions(self) -> None:
        """A request sent twice under one submission set; the line is an hour after the first, minutes after the second."""
        requests = [traced(f"2026-03-05 14:{n}", key=SET) for n in ("00", "50")]
        assert len(version(view(*STAY, *requests, line("2026-03-05 15:05"))).attempts) == 1

    @pytest.mark.parametrize(("when", "attempts"), [("2026-03-05 14:00", 1), ("2026-03-05 13:59", 2)])
    def test_a_trace_just_before_its_message_is_of_it(self, when: str, attempts: int) -> None:
        """Clocks differ by an hour at most."""
        assert len(version(view(*STAY, document("2026-03-05 15:00"), traced(when))).attempts) == attempts

    def test_the_control_id_of_a_line_decides_between_two_messages(self) -> None:
        """The line comes after the second message and names the first."""
        letters = [document(f"2026-03-05 1{n}:00", exchange=handle("exchange", n)) for n in (5, 6)]
        named = line("2026-03-05 16:30", control=handle("exchange", 5))
        found = version(view(*STAY, *letters, named))
        assert [one.traces for one in found.attempts] == [("hl7", LOG), ("hl7",)]


def test_an_answer_without_time_has_no_delay() -> None:
    """It is counted, and no bucket has it."""
    undated = structs.replace(said("2026-03-05 15:01"), at=0)
    found = m.measures(view(*STAY, traced("2026-03-05 15:00"), undated), RuleSettings())
    assert found[Measure(m.RESPONSES, FINESS, m.ACCEPTED)] == 1
    assert not [measure for measure in found if measure.name == m.ANSWER]
