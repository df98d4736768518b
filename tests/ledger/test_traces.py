"""Traces of a submission: what they are about, what is one attempt, which of them holds (docs/rules.md section 7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.facts import AUDIT, INS_NIR, LOG, TRANSACTION, ZAM, AnyFact, Document, Entry, Outcome, Submission
from engine.ledger.exchange import Exchange, Send
from engine.ledger.patient import View, fold
from engine.ledger.reports import Report, Version
from tests.ledger.build import INS, IPP, VISIT, answer, at, document, identity, movement
from tests.ledger.facts import FINESS, handle

STAY = (movement("A01", "2026-03-02 10:00", 1), movement("A03", "2026-03-05 14:00", 2))
SET = handle("set", 1)
MESSAGE = handle("message", 1)


def view(*facts: AnyFact) -> View:
    """The fold of some facts; the answers among them are found by their exchange, as the book does."""
    exchanges: dict[bytes, Exchange] = {}
    for fact in facts:
        names: tuple[bytes | None, ...] = ()
        if isinstance(fact, Document):
            names = (fact.exchange, *fact.keys, fact.id, fact.alias)
        elif isinstance(fact, Submission):
            names = (fact.key,)
        for name in names:
            if name is not None:
                exchanges[name] = exchanges.get(name, Exchange()).with_send(Send(fact.at, b""))
        if isinstance(fact, Outcome):
            exchanges[fact.exchange] = exchanges.get(fact.exchange, Exchange()).with_outcome(fact)
    known = sorted({fact for fact in facts if not isinstance(fact, Outcome)}, key=str)
    return fold(known, lambda key: exchanges.get(key, Exchange()))


def traced(when: str, trace: str = TRANSACTION, key: bytes = MESSAGE, **more: Any) -> Document:
    """The letter number 1 as a trace names it: its id and its patient, no bytes."""
    values: dict[str, Any] = {
        "exchange": key, "trace": trace, "body": "unseen", "level": 0, "declared_level": 0, "visit": None, "dossier": None,
        "status": "", "cda_ins": None, "cda_ins_root": 0, "sender": "", "version": 0,
    }  # fmt: skip
    return document(when, **(values | more))


def said(when: str, key: bytes = MESSAGE, *, accepted: bool = True, trace: str = TRANSACTION, **more: Any) -> Outcome:
    """A trace's word of an outcome."""
    values: dict[str, Any] = {
        "layer": "dmp",
        "code": "" if accepted else "XDSUnknownPatientId",
        "recipient": None,
        "sender": "",
    }
    return Outcome(at=at(when), exchange=key, accepted=accepted, trace=trace, **(values | more))


def only(found: View) -> Report:
    """The one report of a view."""
    assert len(found.reports) == 1
    return found.reports[0]


def version(found: View) -> Version:
    """The one version of the one report of a view."""
    report = only(found)
    assert len(report.versions) == 1
    return report.versions[0]


class TestNames:
    """Which version a trace is about."""

    @pytest.mark.parametrize(
        ("named", "link"),
        [
            ({"id": handle("document", 1)}, "document-id"),
            ({"id": handle("txa", 1)}, "hl7-document-id"),
            ({"id": None, "alias": handle("txa", 1)}, "hl7-document-id"),
            ({"id": None, "chain": handle("chain", 1), "version": 2}, "set-version"),
            ({"id": None, "hash": handle("sha1", 1)}, "sha1"),
            ({"id": None, "control": handle("exchange", 1)}, "control-id"),
            ({"id": None, "entry": handle("entry", 1)}, "entry"),
            ({"id": None, "visit": VISIT, "weak": True}, "visit-type-time"),
            ({"id": None, "weak": True}, "patient-type-time"),
        ],
    )  # fmt: skip
    def test_each_identifier_ties_a_trace_to_its_document(self, named: dict[str, Any], link: str) -> None:
        """From the surest to the doubtful; the way is kept."""
        letter = document(
            "2026-03-05 15:00", alias=handle("txa", 1), chain=handle("chain", 1), version=2, hash=handle("sha1", 1)
        )
        entry = Entry(at("2026-03-06 08:00"), None, INS, handle("document", 1), handle("entry", 1))
        found = version(view(*STAY, letter, entry, traced("2026-03-05 15:01", **named), said("2026-03-05 15:02")))
        assert [sending.link for sending in found.sendings] == ["own", link]
        assert [attempt.accepted for attempt in found.attempts] == [True]

    def test_a_request_under_an_id_of_the_platform_is_tied_by_the_id_of_its_cda(self) -> None:
        """The uniqueId is the platform's, the CDA in it has its own, which the HL7 message told."""
        letter = document("2026-03-05 15:00")
        request = traced("2026-03-05 15:01", id=handle("other", 1), alias=handle("document", 1), body="cda", level=1)
        log = traced("2026-03-05 15:02", LOG, handle("other", 1), id=handle("other", 1))
        assert len(version(view(*STAY, letter, request, log)).sendings) == 3

    def test_a_doubtful_trace_too_far_in_time_is_a_document_of_its_own(self) -> None:
        """Nearest is not enough."""
        letter = document("2026-03-05 15:00")
        found = view(*STAY, letter, traced("2026-03-07 15:01", id=None, visit=VISIT, weak=True))
        assert len(found.reports) == 2

    def test_a_doubtful_trace_goes_to_the_nearest(self) -> None:
        """Two letters of one stay: the one sent just before."""
        first, second = document("2026-03-05 10:00", 1), document("2026-03-05 15:00", 2)
        weak = traced("2026-03-05 15:02", id=None, visit=VISIT, weak=True)
        reports = view(*STAY, first, second, weak).reports
        assert [len(report.versions[0].sendings) for report in reports] == [1, 2]

    def test_two_doubtful_lines_of_one_document_are_one_document(self) -> None:
        """Nothing counts twice, even when nothing sure ever comes."""
        lines = [
            traced(
                f"2026-03-05 15:0{n}",
                LOG,
                handle("line", n),
                id=None,
                visit=VISIT,
                weak=True,
                created=at("2026-03-05 14:00"),
            )
            for n in (1, 2)
        ]
        assert len(version(view(*STAY, *lines)).sendings) == 2

    def test_a_letter_that_never_crossed_the_engine_is_known_by_its_trace(self) -> None:
        """By the patient and the time it belongs to the stay."""
        report = only(view(*STAY, traced("2026-03-05 15:00"), said("2026-03-05 15:01")))
        assert report.stay == 0
        assert report.way == "after-exit"
        assert report.versions[0].attempts[0].accepted

    def test_a_replacement_by_entry_is_one_report(self) -> None:
        """The old entry is named by its entryUUID alone."""
        old = traced("2026-03-05 15:00", entry=handle("entry", 1))
        new = traced(
            "2026-03-06 15:00", key=handle("message", 2), id=handle("document", 2), replaces_entry=handle("entry", 1)
        )
        assert len(only(view(*STAY, old, new)).versions) == 2

    def test_a_deletion_by_entry_deletes_its_document(self) -> None:
        """The entryUUID was told by an ITI-18 response."""
        letter, entry = traced("2026-03-05 15:00"), Entry(at("2026-03-06 08:00"), None, INS, handle("document", 1), SET)
        gone = traced("2026-03-07 08:00", key=handle("message", 2), id=None, entry=SET, request="deletion")
        found = version(view(*STAY, letter, entry, gone))
        assert len(found.sendings) == len(found.deletions) == 1


class TestAttempts:
    """What is one submission."""

    def test_two_traces_of_one_submission_are_one_attempt(self) -> None:
        """By the submission set they share."""
        log = traced("2026-03-05 15:00", LOG, SET)
        request = traced("2026-03-05 15:01", keys=(SET,))
        found = version(view(*STAY, log, request, said("2026-03-05 15:02"), said("2026-03-05 15:03", SET, trace=LOG)))
        assert [attempt.traces for attempt in found.attempts] == [(LOG, TRANSACTION)]

    def test_without_a_shared_key_time_makes_them_one(self) -> None:
        """Different traces within the hour; the HL7 message that asked for it opens the attempt."""
        facts = (document("2026-03-05 14:00"), traced("2026-03-05 15:00", LOG, SET), traced("2026-03-05 15:01"))
        assert len(version(view(*STAY, *facts)).attempts) == 1

    def test_a_resubmission_is_another_attempt(self) -> None:
        """The platform tries again after a refusal: refused, then accepted."""
        again = handle("message", 2)
        facts = (
            document("2026-03-05 14:00"), traced("2026-03-05 14:01"), said("2026-03-05 14:02", accepted=False),
            traced("2026-03-05 14:30", key=again), said("2026-03-05 14:31", again),
        )  # fmt: skip
        found = version(view(*STAY, *facts))
        assert [attempt.accepted for attempt in found.attempts] == [False, True]

    def test_lines_of_a_log_without_key_go_on_with_one_attempt(self) -> None:
        """Sent, then accepted: the document's id is all that they say."""
        own = handle("document", 1)
        lines = [traced(f"2026-03-05 14:0{n}", LOG, own) for n in (1, 2)]
        found = version(view(*STAY, *lines, said("2026-03-05 14:02", own, trace=LOG)))
        assert [(attempt.accepted, len(attempt.sendings)) for attempt in found.attempts] == [(True, 2)]

    def test_lines_that_name_the_document_by_its_txa_12_keep_their_own_answers(self) -> None:
        """The TXA-12 is no key of a submission either: the second line answers the second request."""
        txa = handle("txa", 1)
        facts: list[AnyFact] = []
        for when, number in (("2026-03-05 14:00", 1), ("2026-03-05 18:00", 2)):
            facts.append(document(when, exchange=handle("exchange", number), alias=txa))
            line = f"{when[:-2]}05"
            facts.append(traced(line, LOG, txa, id=None, alias=txa))
            facts.append(said(line, txa, accepted=number == 2, trace=LOG))
        assert [attempt.accepted for attempt in version(view(*STAY, *facts)).attempts] == [False, True]

    def test_a_line_after_a_failure_is_another_attempt(self) -> None:
        """The platform could not send; hours later it could."""
        own = handle("document", 1)
        failed = said("2026-03-05 14:01", own, accepted=False, trace=LOG, layer="technical", code="timeout")
        lines = (traced("2026-03-05 14:01", LOG, own), traced("2026-03-05 23:02", LOG, own))
        found = version(view(*STAY, *lines, failed, said("2026-03-05 23:02", own, trace=LOG)))
        assert [(attempt.failed, attempt.accepted) for attempt in found.attempts] == [(True, False), (False, True)]

    def test_a_named_trace_is_never_tied_by_its_nearness(self) -> None:
        """It names another document of the same patient, type and day: there are two."""
        other = traced("2026-03-05 15:05", id=None, chain=handle("chain", 9), version=1)
        assert len(view(*STAY, document("2026-03-05 15:00"), other).reports) == 2

    @pytest.mark.parametrize(
        ("weaker", "stronger"), [(LOG, TRANSACTION), (LOG, ZAM), (ZAM, TRANSACTION), (AUDIT, TRANSACTION), (LOG, AUDIT)]
    )
    def test_the_strongest_trace_holds_and_the_contradiction_is_kept(self, weaker: str, stronger: str) -> None:
        """Whatever came last."""
        facts = (
            traced("2026-03-05 14:01", keys=(SET,)),
            said("2026-03-05 14:02", accepted=False, trace=stronger),
            said("2026-03-05 14:03", SET, trace=weaker),
        )
        (attempt,) = version(view(*STAY, *facts)).attempts
        assert (attempt.accepted, attempt.code) == (False, "XDSUnknownPatientId")
        assert [(one.trace, one.accepted, one.strongest) for one in attempt.contradictions] == [
            (weaker, True, stronger)
        ]

    def test_an_audit_answers_what_another_trace_has_named(self) -> None:
        """By the submission set that the HL7 message carried."""
        letter = document("2026-03-05 14:00", keys=(SET,))
        audit = Submission(at("2026-03-05 14:01"), FINESS, None, INS, INS_NIR, SET)
        found = view(*STAY, letter, audit, said("2026-03-05 14:01", SET, trace=AUDIT))
        assert version(found).attempts[0].accepted
        assert found.unnamed == []

    def test_an_audit_alone_is_a_submission_of_an_unknown_document(self) -> None:
        """It is known to be accepted, and nothing else."""
        audit = Submission(at("2026-03-05 14:01"), FINESS, None, INS, INS_NIR, SET)
        found = view(*STAY, document("2026-03-05 14:00"), audit, said("2026-03-05 14:01", SET, trace=AUDIT))
        assert [one.accepted for one in found.unnamed] == [True]
        assert not version(found).attempts[0].answered

    def test_a_soap_fault_is_a_technical_refusal(self) -> None:
        """The DMP said nothing of the document."""
        fault = said("2026-03-05 14:02", accepted=False, layer="technical", code="soap-fault")
        taken = answer("2026-03-05 14:00", layer="technical", code="AA")
        (attempt,) = version(
            view(*STAY, document("2026-03-05 14:00"), taken, traced("2026-03-05 14:01"), fault)
        ).attempts
        assert (attempt.failed, attempt.answered) == (True, False)


KEYS = [MESSAGE, SET, handle("message", 2), handle("document", 1)]
traces = st.builds(
    lambda hour, trace, key, keys, own, weak: traced(
        f"2026-03-0{5 + hour // 24} {hour % 24:02d}:00",
        trace,
        key,
        keys=keys,
        id=handle("document", own) if own else None,
        weak=weak,
        visit=VISIT if weak else None,
        ipp=IPP,
    ),
    st.integers(0, 71),
    st.sampled_from([LOG, TRANSACTION]),
    st.sampled_from(KEYS),
    st.lists(st.sampled_from(KEYS), max_size=2, unique=True).map(tuple),
    st.integers(0, 2),
    st.booleans(),
)
outcomes = st.builds(
    lambda hour, key, accepted, trace: said(f"2026-03-05 {hour:02d}:30", key, accepted=accepted, trace=trace),
    st.integers(0, 23),
    st.sampled_from(KEYS),
    st.booleans(),
    st.sampled_from([LOG, AUDIT, ZAM, TRANSACTION]),
)


@given(st.lists(st.one_of(traces, outcomes, st.just(document("2026-03-05 15:00"))), max_size=12), st.randoms())
def test_attempts_do_not_depend_on_the_order_and_every_sending_is_in_one(facts: list[AnyFact], random: Any) -> None:
    """The same facts in any order, and repeated, give the same attempts; none is lost, none is in two."""
    shuffled = facts + facts[:3]
    random.shuffle(shuffled)
    one, other = view(*STAY, *facts), view(*STAY, *shuffled)
    assert [_shape(report) for report in one.reports] == [_shape(report) for report in other.reports]
    for report in one.reports:
        for each in report.versions:
            assert sum(len(attempt.sendings) for attempt in each.attempts) == len(each.sendings)


def _shape(report: Report) -> list[Any]:
    return [
        [(a.at, a.traces, a.accepted, a.answered_at, a.code, a.contradictions, len(a.sendings)) for a in one.attempts]
        for one in report.versions
    ]


def test_a_trace_under_an_ipp_of_another_domain_is_joined_by_the_ins() -> None:
    """The platform has numbers of its own: the INS says whose letter it is, and which stay it belongs to."""
    foreign = traced("2026-03-05 15:00", ipp=handle("foreign", 1))
    found = view(*STAY, identity("2026-03-01 10:00"), foreign, said("2026-03-05 15:01"))
    assert (only(found).stay, only(found).way) == (0, "after-exit")
