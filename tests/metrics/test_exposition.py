"""`/metrics` is what the snapshot says, in good Prometheus, and no larger than it should."""

import gzip
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from engine.metrics.exposition import OPENMETRICS, TEXT, Exposition, negotiate
from engine.metrics.families import FAMILIES
from engine.metrics.snapshot import ApplicationValue, Feed, IndicatorValue, Snapshot

from .page import CATALOGUE, exposition, series, value
from .snapshots import CLINIC, HOSPITAL, large, small

GOLDEN = Path(__file__).parent / "golden"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


class TestGolden:
    """The whole page, byte for byte."""

    @pytest.mark.parametrize(("name", "accept"), [("metrics.txt", ""), ("metrics.openmetrics.txt", PROMETHEUS)])
    def test_is_the_page_agreed_on(self, name: str, accept: str) -> None:
        """The page of the small snapshot has not changed; JAUGE_UPDATE_GOLDEN=1 writes it anew."""
        python = f'python="{platform.python_version()}"'
        page = exposition().render(accept).body.decode().replace(python, 'python="3.x"')
        if os.environ.get("JAUGE_UPDATE_GOLDEN") == "1":
            (GOLDEN / name).write_text(page, encoding="utf-8")

        assert page == (GOLDEN / name).read_text(encoding="utf-8")

    @pytest.mark.skipif(
        shutil.which("promtool") is None, reason="promtool (Debian package prometheus) is not installed"
    )
    @pytest.mark.parametrize("snapshot", [small(), Snapshot(), large(CATALOGUE)], ids=["small", "empty", "large"])
    def test_promtool_has_nothing_to_say(self, snapshot: Snapshot) -> None:
        """`promtool check metrics` finds no error and no lint."""
        page = exposition(lambda: snapshot).render().body
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)

        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def test_holds_every_declared_metric(self) -> None:
        """Each family is on the page under its name and type, with its help, even when it has no series yet."""
        page = exposition(Snapshot).render().body.decode()

        for family in FAMILIES:
            assert f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n" in page

    @pytest.mark.parametrize("snapshot", [small(), Snapshot(), large(CATALOGUE)], ids=["small", "empty", "large"])
    def test_is_what_prometheus_client_writes(self, snapshot: Snapshot) -> None:
        """Our writer and prometheus-client give the same bytes for the same metrics, in both formats."""
        page = exposition(lambda: snapshot)

        assert page.render().body == as_text(page)
        assert page.render(PROMETHEUS).body == as_openmetrics(page, version="1.0.0")

    @pytest.mark.parametrize("snapshot", [small(), Snapshot(), large(CATALOGUE)], ids=["small", "empty", "large"])
    def test_both_formats_say_the_same(self, snapshot: Snapshot) -> None:
        """OpenMetrics, read by a strict reader, gives the series of the text format."""
        page = exposition(lambda: snapshot)
        text = {(s.name, *s.labels.items(), s.value) for f in read_text(page.render().body.decode()) for s in f.samples}
        strict = page.render(PROMETHEUS).body.decode()

        assert {(s.name, *s.labels.items(), s.value) for f in read_openmetrics(strict) for s in f.samples} == text


class TestIndicators:
    """Rates, targets and reasons."""

    def test_a_point_is_met_or_has_a_reason(self) -> None:
        """Numerator and reasons add up to the denominator, for every indicator, establishment and window."""
        found = series(small())
        missed: dict[tuple[tuple[str, str], ...], float] = {}
        for (name, labels), count in found.items():
            if name == "jauge_indicator_missed":
                key = tuple(pair for pair in labels if pair[0] != "reason")
                missed[key] = missed.get(key, 0) + count
        numerators = {labels: count for (name, labels), count in found.items() if name == "jauge_indicator_numerator"}

        assert len(numerators) == 9
        for labels, numerator in numerators.items():
            assert found["jauge_indicator_denominator", labels] == numerator + missed[labels]

    def test_every_reason_starts_at_zero_in_order(self) -> None:
        """All the reasons of the closed list are there, in its order, whatever was counted."""
        page = exposition().render().body.decode().splitlines()
        prefix = f'jauge_indicator_missed{{establishment="{HOSPITAL}",indicator="DS1.1",reason="'
        shown = [
            line.split('reason="')[1].split('"')[0] for line in page if line.startswith(prefix) and "official" in line
        ]

        assert tuple(shown) == CATALOGUE.reasons("DS1.1")

    def test_nothing_to_measure_has_no_ratio(self) -> None:
        """A denominator of 0 is shown as 0, and the ratio is absent."""
        found = series(small())
        labels = {"indicator": "DS1.1", "establishment": CLINIC, "window": "official"}

        assert value(found, "jauge_indicator_denominator", **labels) == 0
        assert value(found, "jauge_indicator_ratio", **labels) is None

    def test_the_ratio_is_not_rounded(self) -> None:
        """One third is one third."""
        found = series(small())

        labels = {"indicator": "DS2.1", "establishment": HOSPITAL, "window": "official"}
        assert value(found, "jauge_indicator_ratio", **labels) == 1 / 3

    def test_only_confirmed_or_chosen_targets_are_shown(self) -> None:
        """P1.1 has the programme's, DS1.1 the one that the hospital set, what is yes or no has 1, the clinic and the others none."""
        targets = {labels: found for (name, labels), found in series(small()).items() if "target" in name}
        by_name = {
            (dict(labels)["indicator"], dict(labels)["establishment"]): found for labels, found in targets.items()
        }

        rates = {("P1.1", HOSPITAL): 0.8, ("DS1.1", HOSPITAL): 0.6}
        assert by_name == rates | {("D6.2", HOSPITAL): 1, ("P4.3", CLINIC): 1}

    def test_a_site_may_replace_a_confirmed_target(self) -> None:
        """The target of the site wins over the programme's."""
        snapshot = structs.replace(small(), targets={("P1.1", HOSPITAL): 0.9})
        labels = {"indicator": "P1.1", "establishment": HOSPITAL, "window": "official"}

        assert value(series(snapshot), "jauge_indicator_target_ratio", **labels) == 0.9

    def test_an_unknown_indicator_is_shown_all_the_same(self) -> None:
        """An id that the catalogue lacks has its counts and its reasons, and no target."""
        snapshot = Snapshot(indicators=(IndicatorValue("DS9.9", HOSPITAL, "official", 1, 2, {"why": 1}),))
        found = series(snapshot)

        assert (
            value(found, "jauge_indicator_ratio", indicator="DS9.9", establishment=HOSPITAL, window="official") == 0.5
        )
        assert not [key for key in found if key[0] == "jauge_indicator_target_ratio"]

    @given(st.integers(0, 10**9), st.integers(0, 10**9))
    def test_a_ratio_stays_between_0_and_1(self, met: int, missed: int) -> None:
        """Whatever the counts, the ratio is a ratio."""
        ratio = IndicatorValue("DS1.1", HOSPITAL, "rolling", met, met + missed).ratio

        assert ratio is None if met + missed == 0 else ratio is not None and 0 <= ratio <= 1


class TestApplications:
    """The inventory beside what flows."""

    def test_tells_observed_from_declared(self) -> None:
        """Connected either way; the proof is a label."""
        found = series(small())

        for name, application, expected in (
            ("connected", "Bloc", 1.0),
            ("observed", "Bloc", 0.0),
            ("declared", "Bloc", 1.0),
            ("observed", "Dossier patient", 1.0),
        ):
            labels = {"application": application, "reference": "identity"}
            assert value(found, f"jauge_application_{name}", **labels) == expected
        assert value(found, "jauge_application_ins_able", application="Bloc", proof="declared") == 1
        assert value(found, "jauge_application_ins_able", application="Bloc", proof="observed") == 0

    def test_the_latest_message_of_both_references(self) -> None:
        """One timestamp an application; 0 when never seen."""
        found = series(small())

        latest = "jauge_application_last_message_timestamp_seconds"
        assert value(found, latest, application="Dossier patient") == 1_744_700_100
        assert value(found, latest, application="Bloc") == 0

    def test_lists_what_the_inventory_lacks(self) -> None:
        """Endpoints outside the inventory are counted and named; what is no name is counted under `other`."""
        found = series(small())

        assert value(found, "jauge_application_unlisted") == 3
        assert value(found, "jauge_application_unlisted_info", endpoint="INCONNU@LABO") == 1
        assert value(found, "jauge_application_unlisted_info", endpoint="other") == 1
        assert value(found, "jauge_label_values_dropped_total") == 1

    def test_one_name_in_two_establishments_is_one_series(self) -> None:
        """It is connected when it is connected everywhere."""
        lines = (
            ApplicationValue("RIS", "movement", True, last_seen=5, establishment=HOSPITAL),
            ApplicationValue("RIS", "movement", False, last_seen=9, establishment=CLINIC),
        )
        found = series(Snapshot(applications=lines))

        assert value(found, "jauge_application_connected", application="RIS", reference="movement") == 0
        assert value(found, "jauge_application_last_message_timestamp_seconds", application="RIS") == 9


class TestFeeds:
    """Counters of the feeds."""

    def test_known_codes_start_at_zero(self) -> None:
        """Each feed has every known code from the first page, so that the first error is an increase."""
        found = series(small())

        assert value(found, "jauge_messages_rejected_total", feed="adt", code="msh-missing") == 2
        assert value(found, "jauge_messages_rejected_total", feed="documents", code="too-large") == 0
        assert value(found, "jauge_message_flags_total", feed="documents", code="charset") == 0

    def test_a_code_of_a_newer_parser_is_shown(self) -> None:
        """A code outside the closed list is not lost."""
        assert value(series(small()), "jauge_message_flags_total", feed="adt", code="of-a-newer-parser") == 1

    def test_histograms_are_cumulative(self) -> None:
        """The last bucket is the count, and the sum is the sum."""
        found = series(small())

        assert value(found, "jauge_commit_seconds_bucket", le="+Inf") == 10
        assert value(found, "jauge_commit_seconds_bucket", le="0.005") == 5
        assert value(found, "jauge_commit_seconds_count") == 10
        assert value(found, "jauge_commit_seconds_sum") == pytest.approx(0.055)


class TestBounded:
    """The page cannot be made to grow."""

    def test_a_flood_of_names_is_one_series(self) -> None:
        """Ten thousand endpoints: as many as the cap, and `other` with the rest."""
        snapshot = Snapshot(unlisted=tuple(f"APP{number}@SITE" for number in range(10_000)), label_values_dropped=7)
        found = series(snapshot, label_values=20)
        endpoints = {
            labels: count for (name, labels), count in found.items() if name == "jauge_application_unlisted_info"
        }

        assert len(endpoints) == 21
        assert endpoints[("endpoint", "other"),] == 9_980
        assert value(found, "jauge_label_values_dropped_total") == 9_980 + 7

    def test_nothing_is_lost_in_other(self) -> None:
        """Sums over a label are the same with a cap and without."""
        snapshot = Snapshot(feeds=tuple(Feed(f"feed-{n}", received=n, rejected={f"c{n}": n}) for n in range(50)))
        for name in ("jauge_messages_received_total", "jauge_messages_rejected_total"):
            whole, capped = (
                sum(count for key, count in series(snapshot, cap).items() if key[0] == name) for cap in (1_000, 5)
            )
            assert whole == capped == sum(range(50))

    def test_other_has_neither_ratio_nor_target(self) -> None:
        """Establishments are never pooled: beyond the cap only counts are shown."""
        values = tuple(IndicatorValue("P1.1", f"99000000{number}", "official", 1, 2) for number in range(5))
        found = series(Snapshot(indicators=values), label_values=2)

        assert len([key for key in found if key[0] == "jauge_indicator_ratio"]) == 2
        assert len([key for key in found if key[0] == "jauge_indicator_target_ratio"]) == 2
        labels = {"indicator": "P1.1", "establishment": "other", "window": "official"}
        assert value(found, "jauge_indicator_denominator", **labels) == 6

    def test_names_of_the_past_keep_their_series(self) -> None:
        """A name admitted once is never replaced by a newcomer."""
        snapshots = [Snapshot(unlisted=("A@X", "B@X")), Snapshot(unlisted=("C@X", "A@X", "B@X"))]
        page = exposition(lambda: snapshots[0], label_values=2)
        page.render()
        snapshots.pop(0)

        assert b'endpoint="B@X"' in page.render().body
        assert b'endpoint="C@X"' not in page.render().body

    @given(st.lists(st.text(max_size=20), max_size=10), st.text(max_size=20))
    def test_any_name_gives_a_readable_page(self, names: list[str], feed: str) -> None:
        """Quotes, backslashes, line ends or emptiness in a name never break the page."""
        snapshot = Snapshot(unlisted=tuple(names), feeds=(Feed(feed.encode("utf-8", "replace").decode(), received=3),))

        page = exposition(lambda: snapshot)
        assert page.render().body == as_text(page)
        assert page.render(PROMETHEUS).body == as_openmetrics(page, version="1.0.0")
        received = [count for key, count in series(snapshot).items() if key[0] == "jauge_messages_received_total"]
        assert received == [3]


class TestRender:
    """One rendering a snapshot and format."""

    def test_the_same_snapshot_is_rendered_once(self) -> None:
        """The same object gives the same bytes object; an equal one is rendered again."""
        snapshots = [small()]
        page = exposition(lambda: snapshots[-1])
        first = page.render()
        again = page.render()
        snapshots.append(small())
        later = page.render()

        assert again is first
        assert later is not first
        assert later == first

    def test_compressed_is_the_same_page(self) -> None:
        """Compression changes the form only, and gives the same bytes each time."""
        page = exposition()
        packed = page.render(gzip=True)

        assert packed.encoding == "gzip"
        assert gzip.decompress(packed.body) == page.render().body
        assert exposition().render(gzip=True).body == packed.body

    def test_process_metrics_are_there_when_asked(self) -> None:
        """Memory of the process, under its usual name."""
        page = Exposition(Snapshot, CATALOGUE, version="1", process=True).render().body

        assert b"process_resident_memory_bytes" in page

    def test_is_a_collector(self) -> None:
        """A registry of prometheus-client may hold it."""
        names = {metric.name for metric in exposition().collect()}

        assert {"jauge_indicator_ratio", "jauge_messages_received", "jauge_commit_seconds"} <= names


class TestNegotiate:
    """The format that was asked for."""

    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("", TEXT),
            ("*/*", TEXT),
            ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
            ("text/plain;version=0.0.4", TEXT),
            (PROMETHEUS, OPENMETRICS),
            ("application/openmetrics-text", OPENMETRICS),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
            ("application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5", TEXT),
            ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.9", TEXT),
            ("application/openmetrics-text;q=0", TEXT),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.7,text/plain;q=0.3", TEXT),
        ],
    )
    def test_prefers_what_the_reader_prefers(self, accept: str, expected: str) -> None:
        """OpenMetrics when it is asked for at least as much as the text format."""
        assert negotiate(accept) == expected

    @given(st.text(max_size=200))
    def test_any_header_has_an_answer(self, accept: str) -> None:
        """A header that makes no sense gets the text format, or OpenMetrics, never an error."""
        assert negotiate(accept) in {TEXT, OPENMETRICS}
