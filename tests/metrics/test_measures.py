"""What is counted of submissions: attempts and not messages, answers by their strongest trace, delays once (rules section 7)."""

from __future__ import annotations

import pytest

from engine.facts import AUDIT, INS_NIR, LOG, TRANSACTION, AnyFact, Submission
from engine.metrics import measures as m
from engine.metrics.histogram import ANSWER_SECONDS, PUBLICATION_SECONDS
from engine.metrics.measures import measures, published
from engine.metrics.settings import RuleSettings
from tests.ledger.build import INS, IPP, answer, at, document, movement
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_traces import SET, STAY, said, traced, view

LETTER = document("2026-03-05 15:00")
SUBMITTED = traced("2026-03-05 15:01")
UNKNOWN = Submission(at("2026-03-05 15:10"), FINESS, IPP, INS, INS_NIR, SET)


def counted(*facts: AnyFact, settings: RuleSettings | None = None) -> dict[tuple[str, str], int]:
    """What is counted of some facts, by name and label."""
    found = measures(view(*facts), settings or RuleSettings())
    assert all(n > 0 for n in found.values())
    assert {measure.establishment for measure in found} <= {FINESS}
    return {(measure.name, measure.label): n for measure, n in found.items()}


def plain(*facts: AnyFact) -> dict[tuple[str, str], int]:
    """The same without the delays."""
    return {key: n for key, n in counted(*facts).items() if key[0] not in {m.PUBLICATION, m.ANSWER}}


class TestCounters:
    """Submissions, answers, errors, contradictions."""

    def test_a_submission_with_four_traces_counts_once(self) -> None:
        """The message, its ZAM, the request with its response and a line of the log are one accepted submission."""
        line = traced("2026-03-05 15:02", LOG, handle("message", 2))
        found = plain(
            *STAY,
            LETTER,
            answer("2026-03-05 15:03"),
            SUBMITTED,
            said("2026-03-05 15:01"),
            line,
            said("2026-03-05 15:02", handle("message", 2), trace=LOG),
        )
        assert found == {(m.SUBMISSIONS, ""): 1, (m.RESPONSES, m.ACCEPTED): 1}

    def test_a_submission_again_after_a_refusal_counts_again(self) -> None:
        """Two messages for one letter are two submissions, one refused with its code and one accepted."""
        again = document("2026-03-06 09:00", exchange=handle("exchange", 9))
        found = plain(
            *STAY,
            LETTER,
            answer("2026-03-05 15:10", accepted=False, code="XDSRegistryBusy"),
            again,
            answer("2026-03-06 09:10", 9),
        )
        assert found == {
            (m.SUBMISSIONS, ""): 2,
            (m.RESPONSES, m.ACCEPTED): 1,
            (m.RESPONSES, m.REFUSED): 1,
            (m.ERRORS, "XDSRegistryBusy"): 1,
        }

    def test_a_message_that_asks_for_nothing_is_no_submission(self) -> None:
        """A letter that is not meant for the DMP, and that nothing else says was sent there, is not counted."""
        assert counted(*STAY, document("2026-03-05 15:00", dmp="N")) == {}

    def test_a_deletion_is_no_submission(self) -> None:
        """What takes a document out is not counted, nor is its answer."""
        deletion = document("2026-03-06 10:00", exchange=handle("exchange", 2), request="deletion")
        found = plain(*STAY, LETTER, answer("2026-03-05 16:00"), deletion, answer("2026-03-06 10:01", 2))
        assert found == {(m.SUBMISSIONS, ""): 1, (m.RESPONSES, m.ACCEPTED): 1}

    def test_a_submission_without_answer_has_no_outcome(self) -> None:
        """Taken by the platform, and nothing more: submitted, without response."""
        found = counted(*STAY, LETTER, answer("2026-03-05 15:01", layer="technical", code="AA"))
        assert found == {(m.SUBMISSIONS, ""): 1}

    @pytest.mark.parametrize(
        ("failure", "code"),
        [
            (answer("2026-03-05 15:01", layer="technical", accepted=False, code="AE"), "AE"),
            (answer("2026-03-05 15:01", layer="technical", accepted=False), "other"),
        ],
    )
    def test_a_refusal_of_the_platform_is_a_failure(self, failure: AnyFact, code: str) -> None:
        """A technical refusal without answer of the DMP: failed, with its code."""
        found = counted(*STAY, LETTER, failure)
        assert found == {(m.SUBMISSIONS, ""): 1, (m.RESPONSES, m.FAILED): 1, (m.ERRORS, code): 1}

    def test_a_soap_fault_is_a_failure(self) -> None:
        """The transport refused the request: failed, by the code of the transport."""
        fault = said("2026-03-05 15:01", accepted=False, layer="technical", code="soap-fault")
        found = counted(*STAY, LETTER, SUBMITTED, fault)
        assert found == {(m.SUBMISSIONS, ""): 1, (m.RESPONSES, m.FAILED): 1, (m.ERRORS, "soap-fault"): 1}

    def test_a_refusal_without_code_is_other(self) -> None:
        """Every refusal has its error, so that errors and refusals add up."""
        found = plain(*STAY, LETTER, answer("2026-03-05 16:00", accepted=False))
        assert found[m.ERRORS, "other"] == found[m.RESPONSES, m.REFUSED] == 1

    def test_a_contradiction_is_counted_and_changes_nothing(self) -> None:
        """The log says accepted, the response says refused: refused, and one contradiction."""
        line = traced("2026-03-05 15:02", LOG, handle("message", 2))
        found = plain(
            *STAY,
            SUBMITTED,
            said("2026-03-05 15:01", accepted=False),
            line,
            said("2026-03-05 15:02", handle("message", 2), trace=LOG),
        )
        assert found == {
            (m.SUBMISSIONS, ""): 1,
            (m.RESPONSES, m.REFUSED): 1,
            (m.ERRORS, "XDSUnknownPatientId"): 1,
            (m.CONTRADICTIONS, ""): 1,
        }


class TestUnnamed:
    """Submissions of an unknown document."""

    def test_is_a_submission_with_its_outcome(self) -> None:
        """An audit alone is counted, and shown apart."""
        found = plain(*STAY, UNKNOWN, said("2026-03-05 15:10", SET, trace=AUDIT))
        assert found == {(m.SUBMISSIONS, ""): 1, (m.RESPONSES, m.ACCEPTED): 1, (m.UNNAMED, m.ACCEPTED): 1}

    def test_its_refusal_has_a_code(self) -> None:
        """An audit that tells of a failure counts under its outcome code."""
        refused = said("2026-03-05 15:10", SET, trace=AUDIT, accepted=False, code="audit-8")
        found = plain(*STAY, UNKNOWN, refused)
        assert found[m.RESPONSES, m.REFUSED] == found[m.UNNAMED, m.REFUSED] == found[m.ERRORS, "audit-8"] == 1

    def test_without_answer_it_has_no_outcome(self) -> None:
        """A submission set of which nothing says how it ended."""
        assert plain(*STAY, UNKNOWN) == {(m.SUBMISSIONS, ""): 1, (m.UNNAMED, ""): 1}

    def test_is_not_counted_beside_the_attempt_that_waits_for_its_answer(self) -> None:
        """The letter went out and nothing answered: the audit is most likely of it, and one submission is counted."""
        found = plain(*STAY, document("2026-03-05 15:09"), UNKNOWN, said("2026-03-05 15:10", SET, trace=AUDIT))
        assert found == {(m.SUBMISSIONS, ""): 1, (m.RESPONSES, m.ACCEPTED): 1, (m.UNNAMED, m.ACCEPTED): 1}

    def test_is_no_longer_one_when_a_trace_names_its_document(self) -> None:
        """The request of the same submission set comes: one submission of a known document."""
        named = traced("2026-03-05 15:10", TRANSACTION, SET)
        found = plain(*STAY, UNKNOWN, said("2026-03-05 15:10", SET, trace=AUDIT), named)
        assert found == {(m.SUBMISSIONS, ""): 1, (m.RESPONSES, m.ACCEPTED): 1}


def buckets(found: dict[tuple[str, str], int], name: str) -> dict[str, int]:
    """The buckets of a delay that are not empty."""
    return {label: n for (measure, label), n in found.items() if measure == name}


class TestDelays:
    """From the exit to the DMP, and from the sending to the answer."""

    @pytest.mark.parametrize(
        ("accepted", "seconds"),
        [
            ("2026-03-05 14:00", 0),
            ("2026-03-05 15:00", 3_600),
            ("2026-03-05 15:00:01", 3_601),
            ("2026-03-12 14:00", 7 * 86_400),
            ("2026-06-05 14:00", 92 * 86_400 - 3_600),
        ],
    )
    def test_publication_counts_from_the_exit(self, accepted: str, seconds: int) -> None:
        """Every bound not under the delay has it, and the sum is the delay, summer time included."""
        letter = document("2026-03-05 13:00")
        found = buckets(counted(*STAY, letter, answer(accepted)), m.PUBLICATION)
        expected = {str(bound): 1 for bound in PUBLICATION_SECONDS if seconds <= bound}
        assert found == expected | {m.INFINITE: 1} | ({m.SUM: seconds} if seconds else {})

    def test_an_acceptance_before_the_exit_took_no_time(self) -> None:
        """A letter written and fed on the eve of the exit is in every bucket."""
        found = buckets(counted(*STAY, document("2026-03-04 10:00"), answer("2026-03-04 11:00")), m.PUBLICATION)
        assert found == {str(bound): 1 for bound in PUBLICATION_SECONDS} | {m.INFINITE: 1}

    def test_a_report_is_published_once(self) -> None:
        """Its first acceptance counts: neither the refusal before it nor the replacement after it."""
        later = document("2026-03-09 09:00", 2, replaces=handle("document", 1), request="replacement")
        again = document("2026-03-06 14:00", exchange=handle("exchange", 8))
        facts = (
            *STAY,
            LETTER,
            answer("2026-03-05 15:30", accepted=False),
            again,
            answer("2026-03-06 14:00:30", 8),
            later,
            answer("2026-03-09 09:05", 2),
        )
        found = buckets(counted(*facts), m.PUBLICATION)
        assert found[m.INFINITE] == 1
        assert found[m.SUM] == 86_430
        assert [published(report) for report in view(*facts).reports] == [at("2026-03-06 14:00") + 30]

    def test_a_stay_that_is_not_counted_publishes_nothing(self) -> None:
        """Neither a consultation nor a patient who is still there has a delay."""
        consultation = [movement(one.event, "2026-03-05 10:00", n, patient_class="E") for n, one in enumerate(STAY, 1)]
        yes = answer("2026-03-05 16:00")
        for stay in (consultation, STAY[:1], ()):
            assert buckets(counted(*stay, LETTER, yes), m.PUBLICATION) == {}
        both = RuleSettings(classes=frozenset("EI"))
        assert buckets(counted(*consultation, LETTER, yes, settings=both), m.PUBLICATION)[m.INFINITE] == 1

    def test_each_answered_attempt_has_its_delay(self) -> None:
        """A refusal after two seconds and an acceptance after ten minutes."""
        again = document("2026-03-06 09:00", exchange=handle("exchange", 9))
        found = buckets(
            counted(
                *STAY,
                LETTER,
                answer("2026-03-05 15:00:02", accepted=False, code="XDSRegistryBusy"),
                again,
                answer("2026-03-06 09:10", 9),
            ),
            m.ANSWER,
        )
        assert "1" not in found
        assert (found["5"], found["300"], found["1800"], found[m.INFINITE], found[m.SUM]) == (1, 1, 2, 2, 602)

    def test_an_answer_dated_before_its_question_took_no_time(self) -> None:
        """Two clocks that disagree never make a negative delay."""
        early = said("2026-03-05 15:00:30")
        found = buckets(counted(*STAY, SUBMITTED, early), m.ANSWER)
        assert found == {str(bound): 1 for bound in ANSWER_SECONDS} | {m.INFINITE: 1}
