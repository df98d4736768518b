"""`/metrics` tells what was submitted to the DMP, and what each establishment is."""

from engine.metrics.histogram import ANSWER_SECONDS, Histogram
from engine.metrics.snapshot import IndicatorValue, Snapshot, Submissions

from .page import series, value
from .snapshots import CLINIC, HOSPITAL, small


class TestSubmissions:
    """What was submitted to the DMP, by establishment."""

    def test_counts_are_those_of_the_snapshot(self) -> None:
        """Submissions, outcomes, contradictions, and those of an unknown document."""
        found = series(small())

        assert value(found, "jauge_dmp_submissions_total", establishment=HOSPITAL) == 120
        assert value(found, "jauge_dmp_responses_total", establishment=HOSPITAL, outcome="failed") == 2
        assert value(found, "jauge_dmp_contradictions_total", establishment=HOSPITAL) == 3
        assert value(found, "jauge_dmp_submissions_unnamed", establishment=HOSPITAL) == 7

    def test_closed_sets_start_at_zero(self) -> None:
        """An establishment without any submission has every outcome and every known code, so that a first one is an increase."""
        found = series(small())

        for outcome in ("accepted", "refused", "failed"):
            assert value(found, "jauge_dmp_responses_total", establishment=CLINIC, outcome=outcome) == 0
        for code in ("XDSUnknownPatientId", "XDSRegistryBusy", "audit-8", "other"):
            assert value(found, "jauge_dmp_errors_total", establishment=CLINIC, code=code) == 0
        assert value(found, "jauge_dmp_contradictions_total", establishment=CLINIC) == 0

    def test_a_code_outside_the_table_is_other(self) -> None:
        """Codes that a platform invents are one series, and none is lost."""
        codes = {f"C{number}": 1 for number in range(1_000)}
        rates = tuple(
            IndicatorValue("DS1.1", HOSPITAL, window, 0, 1_000, {"rejected": 1_000}, codes)
            for window in ("official", "rolling")
        )
        found = series(Snapshot(submissions=(Submissions(HOSPITAL, errors=codes),), indicators=rates))

        assert value(found, "jauge_dmp_errors_total", establishment=HOSPITAL, code="other") == 1_000
        assert len([key for key in found if key[0] == "jauge_dmp_errors_total"]) == 4
        labels = {"indicator": "DS1.1", "establishment": HOSPITAL, "window": "rolling"}
        assert value(found, "jauge_indicator_rejected", **labels, code="other") == 1_000

    def test_the_rejected_add_up_to_the_reason(self) -> None:
        """By code, what `rejected` says in one number; no series for a code that refused nothing."""
        found = series(small())
        labels = {"indicator": "DS1.1", "establishment": HOSPITAL, "window": "official"}
        by_code = {
            dict(key[1])["code"]: count
            for key, count in found.items()
            if key[0] == "jauge_indicator_rejected" and labels.items() <= dict(key[1]).items()
        }

        assert by_code == {"XDSUnknownPatientId": 3, "other": 2}
        assert sum(by_code.values()) == value(found, "jauge_indicator_missed", **labels, reason="rejected")

    def test_delays_are_cumulative_by_establishment(self) -> None:
        """A bucket for each bound, the sum and the count, under the establishment's name."""
        found = series(small())
        name = "jauge_document_publication_delay_seconds"

        buckets = [
            value(found, f"{name}_bucket", establishment=HOSPITAL, le=le) for le in ("3600.0", "14400.0", "+Inf")
        ]
        assert buckets == [1, 2, 5]
        assert value(found, f"{name}_sum", establishment=HOSPITAL) == 2_133 * 3_600
        assert value(found, f"{name}_count", establishment=CLINIC) == 0
        assert value(found, "jauge_dmp_answer_delay_seconds_bucket", establishment=CLINIC, le="15.0") == 1

    def test_establishments_beyond_the_cap_are_pooled(self) -> None:
        """Their histograms are added bucket by bucket."""
        histogram = Histogram(ANSWER_SECONDS)
        histogram.observe(3)
        many = tuple(Submissions(f"99000000{n}", n, answer=histogram.state()) for n in range(5))
        found = series(Snapshot(submissions=many), label_values=2)

        name = "jauge_dmp_answer_delay_seconds"
        assert value(found, f"{name}_bucket", establishment="other", le="1.0") == 0
        assert value(found, f"{name}_bucket", establishment="other", le="5.0") == 3
        assert value(found, f"{name}_sum", establishment="other") == 9
        assert value(found, "jauge_dmp_submissions_total", establishment="other") == 2 + 3 + 4

    def test_the_proof_is_shown(self) -> None:
        """What each establishment takes as proof under the plain names."""
        found = series(small())

        assert value(found, "jauge_indicator_proof_info", establishment=HOSPITAL, proof="accepted") == 1
        assert value(found, "jauge_indicator_proof_info", establishment=CLINIC, proof="taken") == 1

    def test_each_establishment_has_its_name(self) -> None:
        """One series an establishment, with the name as it is written, quotes and accents too."""
        found = series(small())

        assert value(found, "jauge_establishment_info", establishment=HOSPITAL, name="CH Fictif") == 1
        assert value(found, "jauge_establishment_info", establishment=CLINIC, name='Clinique « Les "Tilleuls" »') == 1
        assert len([key for key in found if key[0] == "jauge_establishment_info"]) == 2

    def test_establishments_beyond_the_cap_have_no_name(self) -> None:
        """As many names as establishments that are shown, none for those that are put together."""
        many = {f"99000000{number}": f"CH Fictif {number}" for number in range(5)}
        found = series(Snapshot(names=many), label_values=2)

        named = {dict(labels)["name"] for name, labels in found if name == "jauge_establishment_info"}
        assert named == {"CH Fictif 0", "CH Fictif 1"}
