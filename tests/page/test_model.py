"""What the page says of a snapshot: what to do and in which order, where each thing stands, what to run next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from engine import code_words
from engine.metrics.snapshot import ApplicationValue, Feed, IndicatorValue
from engine.page import applications, feeds, indicator, overview, ps41
from engine.page.applications import link
from engine.page.todo import tasks
from engine.page.view import View
from engine.standing import Standing
from tests.page.build import CATALOGUE, HOSPITAL, NOW, REMEDIES, TODAY, Site, both


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A hospital with something of everything."""
    made = Site(tmp_path)
    yield made
    made.close()


def view(site: Site) -> View:
    """What a request looks at now."""
    return site.pages._view(site.snapshot, site.config.establishments[0])


class TestTodo:
    """What needs doing."""

    def test_under_their_target_first_then_by_points(self, site: Site) -> None:
        """Indicators under a target come first, each by what it would win; refusals are cut by their code."""
        found = [(task.indicator.id, task.reason, task.code, task.missed) for task in tasks(view(site))]
        assert found == [
            ("PS4.1", "no_test", "", 1),
            ("DS1.1", "not_produced", "", 1_991),
            ("P1.1", "ins_not_proven", "", 1),
            ("D2.2", "rejected", "XDSUnknownPatientId", 140),
            ("D2.2", "not_cda", "", 100),
            ("D2.2", "rejected", "OWN-CODE", 10),
            ("DS3.1", "not_cda", "", 90),
            ("D6.3", "mss_not_sent", "", 30),
        ]

    def test_nothing_is_asked_for_what_is_awaited(self, site: Site) -> None:
        """An answer that is still awaited is no task."""
        assert not [task for task in tasks(view(site)) if task.reason == "awaiting_answer"]

    def test_a_refusal_says_what_its_code_means(self, site: Site) -> None:
        """Label and advice are those of the code, known or not."""
        by_code = {task.code: task for task in tasks(view(site)) if task.code}
        known = by_code["XDSUnknownPatientId"]
        assert known.label == "Rejeté par le DMP : patient inconnu du DMP"
        assert known.advice == REMEDIES.advice("XDSUnknownPatientId")
        assert known.gain == "+\u00a014\u00a0points"
        assert by_code["OWN-CODE"].advice == REMEDIES.advice("OWN-CODE")

    def test_a_yes_or_no_has_no_points(self, site: Site) -> None:
        """What is met or not says what it would become."""
        assert tasks(view(site))[0].gain == "de non à oui"


class TestOverview:
    """The first page."""

    def test_states(self, site: Site) -> None:
        """At its target, under it, without any, without anything to measure; a site's own target counts as one."""
        found = {line.indicator.id: line.state for line in overview.lines(view(site))}
        assert {name: found[name] for name in ("D6.3", "D2.2", "DS1.1", "DS3.1", "DS1.2", "P1.3")} == {
            "D6.3": "met",
            "D2.2": "under",
            "DS1.1": "under",
            "DS3.1": "free",
            "DS1.2": "empty",
            "P1.3": "empty",
        }

    def test_a_target_is_reached_by_the_unrounded_rate(self, site: Site) -> None:
        """79,99 % is under 80 %, 80 % is not."""
        values = (
            IndicatorValue("P1.1", HOSPITAL, "official", 7_999, 10_000),
            IndicatorValue("P1.3", HOSPITAL, "official", 8_000, 10_000),
        )
        site.snapshot = structs.replace(site.snapshot, indicators=values)
        found = {line.indicator.id: (line.state, line.value) for line in overview.lines(view(site))}
        assert found["P1.1"] == ("under", "79,9\u00a0%")
        assert found["P1.3"] == ("met", "80,0\u00a0%")

    def test_the_pace_is_judged_too(self, site: Site) -> None:
        """The value of the period in progress is cut, and told to be under its target."""
        line = next(line for line in overview.lines(view(site)) if line.indicator.id == "D2.2")
        assert (line.pace, line.pace_state) == ("79,9\u00a0%", "under")

    def test_five_seconds(self, site: Site) -> None:
        """How many targets are met of those that can be judged, how the feeds do, and the first thing to do."""
        seen = view(site)
        found = overview.summary(seen, overview.lines(seen), tasks(seen))
        assert (found.met, found.targets, dict(found.feeds)) == (1, 5, {"late": 1})
        assert found.first is not None
        assert found.first.indicator.id == "PS4.1"


class TestIndicator:
    """The page of one indicator."""

    def test_units_and_reasons(self, site: Site) -> None:
        """Each unit has its reasons in the columns of the whole, the one where most is missing first."""
        site.snapshot = structs.replace(
            site.snapshot, indicators=tuple(both("DS1.1", 3, 9, {"not_produced": 2, "not_cda": 4}))
        )
        site.count(
            ("DS1.1", "6268", TODAY - 40, "met", 1),
            ("DS1.1", "6268", TODAY - 40, "not_cda", 4),
            ("DS1.1", "", TODAY - 40, "not_produced", 2),
            ("DS1.1", "", TODAY - 40, "met", 2),
        )
        found = indicator.words(view(site), CATALOGUE["DS1.1"], "rolling")
        assert [reason.code for reason in found["columns"]] == ["not_produced", "not_cda"]
        assert [(unit.name, unit.met, unit.counted, unit.missed) for unit in found["units"]] == [
            ("6268", 1, 5, (0, 4)),
            ("inconnue", 2, 4, (2, 0)),
        ]

    def test_help_of_a_variant_is_that_of_its_indicator(self, site: Site) -> None:
        """The link goes to the section of the indicator."""
        assert indicator.words(view(site), CATALOGUE["DS1.1_sent"], "official")["help"] == "/aide/indicateurs#ds1-1"

    def test_variants_have_their_values(self, site: Site) -> None:
        """The same indicator counted otherwise, each under its own name."""
        names = [each.indicator.id for each in indicator.words(view(site), CATALOGUE["DS1.1"], "official")["variants"]]
        assert names == [each.id for each in CATALOGUE if each.variant_of == "DS1.1"]


class TestFeeds:
    """Feeds against their own habit."""

    def test_those_that_need_a_look_come_first(self, tmp_path: Path) -> None:
        """Silent, late, never seen, then alive."""
        site = Site(tmp_path, feeds=("one", "two", "three", "four"))
        site.snapshot = structs.replace(
            site.snapshot,
            feeds=(
                Feed("one", last_message_at=NOW - 10, silence_limit=60),
                Feed("two"),
                Feed("three", last_message_at=NOW - 100, silence_limit=60),
                Feed("four", last_message_at=NOW - 1_000, silence_limit=60),
            ),
        )
        assert [(flow.feed.name, flow.words) for flow in feeds.flows(view(site))] == [
            ("four", "muet"),
            ("three", "en retard"),
            ("two", "jamais vu"),
            ("one", "vivant"),
        ]
        site.close()

    def test_a_code_says_in_french_what_it_means(self, tmp_path: Path) -> None:
        """The most frequent first, each with its sentence; a code that nobody declares has none."""
        site = Site(tmp_path)
        site.snapshot = structs.replace(site.snapshot, feeds=(Feed("his", rejected={"batch": 1, "odd": 2, "junk": 0}),))
        (flow,) = feeds.flows(view(site))
        assert [(each.code, each.n, each.words) for each in flow.rejected] == [
            ("odd", 2, ""),
            ("batch", 1, code_words.sentences()["batch"]),
        ]
        site.close()


class TestApplications:
    """The map of the applications."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (ApplicationValue("A", "identity", True, observed=True), "observed"),
            (ApplicationValue("A", "identity", True, declared=True), "declared"),
            (ApplicationValue("A", "identity", False), "missing"),
            (ApplicationValue("A", "identity", True, observed=True, in_scope=False), "outside"),
        ],
    )
    def test_a_connection_is_one_word(self, value: ApplicationValue, expected: str) -> None:
        """Observed, declared, missing, or outside what is counted."""
        assert link(value) == expected

    def test_those_that_keep_a_point_away_come_first(self, site: Site) -> None:
        """The application that is not connected is above the one that is."""
        found = applications.rows(view(site))
        assert [(row.name, row.links, row.ins) for row in found] == [
            ("Bloc", {"identity": "missing", "movement": "outside"}, "non prouvée"),
            ("Dossier patient", {"identity": "observed", "movement": "declared"}, "observée"),
        ]


class TestPs41:
    """What to run next."""

    @pytest.mark.parametrize(
        ("standing", "commands", "steps"),
        [
            (None, (), ()),
            (Standing(HOSPITAL), (), ("next", "later", "later")),
            (Standing(HOSPITAL, declared=True), (*ps41.SEND, *ps41.WATCH), ("done", "next", "later")),
            (
                Standing(HOSPITAL, sent_at=NOW - 9, declared=True, awaiting=True),
                (*ps41.WATCH, *ps41.EVIDENCE),
                ("done", "done", "next"),
            ),
            (
                Standing(HOSPITAL, sent_at=NOW - 9, declared=True),
                ("jauge ps41 status", *ps41.SEND, *ps41.WATCH),
                ("done", "done", "next"),
            ),
            (
                Standing(HOSPITAL, NOW - 9, NOW - 5, NOW - 9, NOW + 99, declared=True),
                ps41.EVIDENCE,
                ("done", "done", "done"),
            ),
            (
                Standing(HOSPITAL, NOW - 9, NOW - 5, NOW - 9, NOW - 1, declared=True),
                (*ps41.SEND, *ps41.WATCH, *ps41.EVIDENCE),
                ("done", "done", "next"),
            ),
        ],
        ids=["not configured", "no mailbox", "never sent", "awaiting", "unanswered", "proven", "too old"],
    )
    def test_next(self, standing: Standing | None, commands: tuple[str, ...], steps: tuple[str, ...]) -> None:
        """At each stage, the commands of the next one, and one thing only that is next."""
        assert ps41.advice(standing, NOW).commands == commands
        assert tuple(stage.step for stage in (ps41.stages(standing, NOW) if standing else [])) == steps
