"""Which document a trace is about, where it is easily got wrong: two names of one, one name of two, no name at all."""

from __future__ import annotations

from typing import Any

import pytest

from engine.facts import LOG, TRANSACTION
from tests.ledger.build import VISIT, document
from tests.ledger.facts import handle
from tests.ledger.letter import ENTRY, LETTER, OWN, PLATFORM, TXA, line
from tests.ledger.test_traces import STAY, only, said, traced, version, view


class TestOneDocument:
    """Two names of one document are one document."""

    @pytest.mark.parametrize(
        ("beside", "link"),
        [
            ({"alias": TXA}, "hl7-document-id"),
            ({"chain": handle("chain", 1), "version": 2}, "set-version"),
            ({"hash": handle("sha1", 1)}, "sha1"),
            ({"control": handle("exchange", 1)}, "control-id"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("late", [False, True])
    def test_an_unique_id_of_the_platform_is_the_document_that_stands_beside_it(
        self, beside: dict[str, Any], link: str, *, late: bool
    ) -> None:
        """One line says what the uniqueId is; the other traces need not, whether they come before or after."""
        told = line("2026-03-05 15:01" if not late else "2026-03-05 15:05", id=PLATFORM, **beside)
        request = traced("2026-03-05 15:02", id=PLATFORM)
        found = version(view(*STAY, LETTER, told, request, said("2026-03-05 15:03")))
        assert sorted(sending.link for sending in found.sendings) == sorted(["own", link, link])
        assert [(attempt.traces, attempt.accepted) for attempt in found.attempts] == [(("hl7", LOG, TRANSACTION), True)]

    def test_an_unique_id_beside_nothing_known_is_another_document(self) -> None:
        """Marks of another letter tie nothing."""
        other = line("2026-03-05 15:01", id=PLATFORM, alias=handle("txa", 9), hash=handle("sha1", 9), version=2)
        assert len(view(*STAY, LETTER, other).reports) == 2

    def test_two_unique_ids_of_one_cda_are_one_document(self) -> None:
        """Submitted again under a new uniqueId, the bytes tell that it is the same."""
        requests = [
            traced(f"2026-03-05 1{n}:00", key=handle("message", n), id=handle("unique", n), alias=OWN, body="cda", level=1)
            for n in (5, 6)
        ]  # fmt: skip
        found = version(view(*STAY, *requests, said("2026-03-05 16:01", handle("message", 6))))
        assert [attempt.accepted for attempt in found.attempts] == [False, True]

    def test_a_txa_12_that_only_a_log_tells_does_not_make_two_unique_ids_one(self) -> None:
        """It may be the same in every line."""
        lines = [line(f"2026-03-05 1{n}:00", key=handle("line", n), id=handle("unique", n), alias=TXA) for n in (5, 6)]
        assert len(view(*STAY, *lines).reports) == 2

    def test_a_chain_of_names_ends_at_the_id_of_the_message(self) -> None:
        """TXA-12 of a log beside an uniqueId, which a request ties to the CDA of the HL7 message."""
        letter = document("2026-03-05 15:00")
        log = line("2026-03-05 14:59", id=PLATFORM, alias=handle("number", 1))
        request = traced("2026-03-05 15:01", id=PLATFORM, alias=OWN, body="cda", level=1)
        bare = line("2026-03-05 15:02", key=handle("line", 2), id=None, alias=handle("number", 1))
        assert len(version(view(*STAY, letter, log, request, bare)).sendings) == 4

    def test_a_txa_12_kept_by_the_next_version_is_the_version_of_its_time(self) -> None:
        """Two versions under one TXA-12: a line is about the one sent last before it, with or without an uniqueId."""
        first = document("2026-03-05 15:00", alias=TXA)
        second = document("2026-03-06 15:00", 2, alias=TXA, replaces=OWN)
        lines = [
            line("2026-03-05 15:10", id=None, alias=TXA),
            line("2026-03-06 15:10", key=handle("line", 2), id=None, alias=TXA),
            line("2026-03-06 15:20", key=handle("line", 3), id=PLATFORM, alias=TXA),
        ]
        report = only(view(*STAY, first, second, *lines))
        assert [len(one.sendings) for one in report.versions] == [2, 3]

    def test_a_control_id_that_served_again_is_the_message_of_its_time(self) -> None:
        """Two letters under one control id: each line is about the one sent last before it."""
        shared = handle("exchange", 1)
        letters = [document(f"2026-03-05 1{n}:00", n, exchange=shared) for n in (5, 6)]
        lines = [line(f"2026-03-05 1{n}:10", key=handle("line", n), id=None, control=shared) for n in (5, 6)]
        early = line("2026-03-05 14:50", key=handle("line", 9), id=None, control=shared)
        reports = view(*STAY, *letters, *lines, early).reports
        assert [len(one.versions[0].sendings) for one in reports] == [3, 2]

    def test_of_a_message_with_two_renderings_a_control_id_is_the_first(self) -> None:
        """N1 and N3 of one report: the line is about one of them, and the report is one."""
        n1 = document("2026-03-05 15:00")
        n3 = document("2026-03-05 15:00", 2, exchange=handle("exchange", 1), position=1)
        report = only(view(*STAY, n3, n1, line("2026-03-05 15:10", id=None, control=handle("exchange", 1))))
        assert {one.key: len(one.sendings) for one in report.versions} == {OWN: 2, handle("document", 2): 1}

    def test_an_entry_told_beside_a_sha_1_names_the_document(self) -> None:
        """No uniqueId anywhere: the deletion by entryUUID finds the letter by the line that told both."""
        told = line("2026-03-05 15:01", id=None, hash=handle("sha1", 1), entry=ENTRY)
        gone = traced("2026-03-07 08:00", key=handle("message", 2), id=None, entry=ENTRY, request="deletion")
        found = version(view(*STAY, LETTER, told, gone))
        assert (len(found.sendings), len(found.deletions)) == (2, 1)

    def test_an_entry_then_the_unique_id_are_one_document(self) -> None:
        """The log tells the entryUUID first, and both later."""
        facts = (
            line("2026-03-05 15:01", id=None, entry=ENTRY),
            line("2026-03-05 15:02", key=handle("line", 2), id=OWN, entry=ENTRY),
        )
        assert len(version(view(*STAY, *facts)).sendings) == 2

    def test_replacements_of_an_entry_that_nothing_named_are_one_report(self) -> None:
        """What they replace was submitted before Jauge looked."""
        new = [
            traced(f"2026-03-0{n} 15:00", key=handle("message", n), id=handle("document", n), replaces_entry=ENTRY)
            for n in (6, 7)
        ]
        assert len(only(view(*STAY, *new)).versions) == 2

    def test_a_parent_that_has_no_other_name_than_its_entry_is_replaced(self) -> None:
        """Its line holds the entryUUID alone."""
        new = traced("2026-03-06 15:00", key=handle("message", 2), id=handle("document", 2), replaces_entry=ENTRY)
        assert len(only(view(*STAY, line("2026-03-05 15:01", id=None, entry=ENTRY), new)).versions) == 2

    def test_a_parent_named_by_id_and_by_entry_is_one(self) -> None:
        """The replacement names both; another one names the entry alone."""
        new = traced(
            "2026-03-06 15:00", key=handle("message", 2), id=handle("document", 2), replaces=OWN, replaces_entry=ENTRY
        )
        newer = traced("2026-03-07 15:00", key=handle("message", 3), id=handle("document", 3), replaces_entry=ENTRY)
        assert len(only(view(*STAY, document("2026-03-05 15:00"), new, newer)).versions) == 3

    def test_two_reports_of_a_kind_in_one_submission_are_two(self) -> None:
        """A submission set is not a message: what it holds is not one report."""
        both = [traced("2026-03-05 15:00", position=n, id=handle("document", n)) for n in (1, 2)]
        found = view(*STAY, *both, said("2026-03-05 15:01"))
        assert [report.versions[0].attempts[0].accepted for report in found.reports] == [True, True]

    def test_a_deletion_is_never_tied_by_nearness(self) -> None:
        """What is deleted is not guessed."""
        gone = line("2026-03-05 15:10", id=None, weak=True, request="deletion")
        assert not version(view(*STAY, LETTER, gone)).deletions

    def test_a_doubtful_line_without_type_is_about_nothing_known(self) -> None:
        """Any document of the patient could be meant."""
        untyped = line("2026-03-05 15:10", id=None, weak=True, type_code="", kind="other")
        assert len(view(*STAY, LETTER, untyped).reports) == 2

    @pytest.mark.parametrize(("when", "reports"), [("2026-03-06 15:00", 1), ("2026-03-06 15:01", 2)])
    def test_near_is_a_day_and_no_more(self, when: str, reports: int) -> None:
        """To the minute."""
        weak = line(when, id=None, weak=True, created=0)
        assert len(view(*STAY, document("2026-03-05 15:00"), weak).reports) == reports

    def test_the_nearest_may_come_before_or_after(self) -> None:
        """Between two letters: an hour after the first is nearer than four before the second."""
        letters = [document("2026-03-05 10:00"), document("2026-03-05 15:00", 2)]
        for when, sendings in (("2026-03-05 11:00", [2, 1]), ("2026-03-05 14:00", [1, 2])):
            reports = view(*STAY, *letters, line(when, id=None, weak=True)).reports
            assert [len(report.versions[0].sendings) for report in reports] == sendings

    def test_a_txa_12_that_is_the_only_id_of_the_message_names_it(self) -> None:
        """The message had no readable CDA: its TXA-12 is its id."""
        letter = document("2026-03-05 15:00", id=TXA)
        found = version(view(*STAY, letter, line("2026-03-05 15:01", id=None, alias=TXA)))
        assert [sending.link for sending in found.sendings] == ["own", "hl7-document-id"]

    def test_a_venue_is_surer_than_a_patient(self) -> None:
        """The letter of the venue, though that of another stay is nearer."""
        here = document("2026-03-05 10:00")
        there = document("2026-03-05 15:00", 2, visit=handle("visit", 2), dossier=handle("dossier", 2))
        reports = view(*STAY, here, there, line("2026-03-05 15:01", id=None, weak=True, visit=VISIT)).reports
        assert [len(report.versions[0].sendings) for report in reports] == [2, 1]
