"""The recorded series, by promtool: what each makes of a few numbers."""

from __future__ import annotations

from pathlib import Path

from tests.prometheus.series import CLINIC, DAY, HOSPITAL, HOUR, Value, const, counter, indicator, name, written
from tests.prometheus.test_alerts import GROUPS, RECORDING, RECORDS, run

DS11 = {"indicator": "DS1.1", "window": "rolling"}
SERIES: dict[str, Value] = {
    **indicator("DS1.1", 80, 150, target=0.7),
    **indicator("DS1.1", 49, 70, target=0.7, establishment=CLINIC),
    **indicator("DS1.1", 150, 200, target=0.7, projected=0.65, window="official"),
    # Nothing to measure: no ratio, and a denominator of 0.
    name("jauge_indicator_numerator", indicator="D6.1", establishment=HOSPITAL, window="rolling"): const(0),
    name("jauge_indicator_denominator", indicator="D6.1", establishment=HOSPITAL, window="rolling"): const(0),
    name("jauge_indicator_target_ratio", indicator="D6.1", establishment=HOSPITAL, window="rolling"): const(0.98),
    name("jauge_indicator_missed", **DS11, establishment=HOSPITAL, reason="not_produced"): const(60),
    name("jauge_indicator_missed", **DS11, establishment=HOSPITAL, reason="rejected"): const(10),
    name(
        "jauge_indicator_missed", indicator="D6.1", window="rolling", establishment=HOSPITAL, reason="rejected"
    ): const(0),
    name("jauge_messages_received_total", feed="his"): counter(3_600),
    name("jauge_messages_rejected_total", feed="his", code="not-hl7"): counter(360),
    name("jauge_messages_rejected_total", feed="his", code="too-large"): counter(360),
    name("jauge_messages_received_total", feed="night"): const(9),
    name("jauge_messages_rejected_total", feed="night", code="not-hl7"): const(3),
    name("jauge_feed_last_message_timestamp_seconds", feed="his"): const(2 * DAY - HOUR),
    name("jauge_feed_last_message_timestamp_seconds", feed="never"): const(0),
    name("jauge_application_last_message_timestamp_seconds", application="Bloc"): lambda t, ago: float(
        t // (6 * HOUR) * 6 * HOUR + 60
    ),
    name("jauge_application_last_message_timestamp_seconds", application="Ancien"): const(0),
    name("jauge_dmp_responses_total", establishment=HOSPITAL, outcome="accepted"): counter(30),
    name("jauge_dmp_responses_total", establishment=HOSPITAL, outcome="refused"): counter(10),
    name("jauge_dmp_responses_total", establishment=HOSPITAL, outcome="failed"): counter(60),
    name("jauge_dmp_responses_total", establishment=CLINIC, outcome="accepted"): const(7),
    name("jauge_dmp_responses_total", establishment=CLINIC, outcome="refused"): const(7),
    name("jauge_dmp_responses_total", establishment=CLINIC, outcome="failed"): const(0),
    name("jauge_dmp_submissions_total", establishment=HOSPITAL): counter(100),
    name("jauge_mailings_total", establishment=HOSPITAL, category="professional"): counter(30),
    name("jauge_mailings_total", establishment=HOSPITAL, category="citizen"): counter(10),
    name("jauge_mailing_outcomes_total", establishment=HOSPITAL, outcome="refused"): counter(4),
    name("jauge_commit_seconds_bucket", le="0.5"): counter(990),
    name("jauge_commit_seconds_bucket", le="1.0"): counter(1_000),
    name("jauge_commit_seconds_bucket", le="+Inf"): counter(1_000),
}
HERE = {"establishment": HOSPITAL}
RATIO = "instance_establishment_indicator_window:jauge_indicator_ratio:median14d"
APPLICATION = "instance_application:jauge_application_last_message_timestamp_seconds"
EXPECTED: dict[str, list[tuple[dict[str, str], float]]] = {
    "instance_indicator_window:jauge_indicator_ratio:min": [(DS11, 80 / 150), ({**DS11, "window": "official"}, 0.75)],
    "instance_establishment_indicator_window:jauge_indicator_numerator:shortfall": [
        ({**DS11, **HERE}, 25),
        ({**DS11, "establishment": CLINIC}, 0),
        ({**DS11, **HERE, "window": "official"}, 0),
    ],
    "instance_establishment_indicator_window_reason:jauge_indicator_missed:ratio": [
        ({**DS11, **HERE, "reason": "not_produced"}, 0.4),
        ({**DS11, **HERE, "reason": "rejected"}, 10 / 150),
    ],
    "instance_establishment_indicator:jauge_indicator_projected_ratio:shortfall": [
        ({"indicator": "DS1.1", **HERE}, 7.5)
    ],
    RATIO: [({**DS11, **HERE}, 80 / 150), ({**DS11, "establishment": CLINIC}, 0.7)],
    "instance_feed:jauge_messages_received:rate5m": [({"feed": "his"}, 1), ({"feed": "night"}, 0)],
    "instance_feed:jauge_feed_last_message_timestamp_seconds:silence": [({"feed": "his"}, HOUR)],
    "instance_feed:jauge_messages_rejected:ratio1h": [({"feed": "his"}, 0.2)],
    "instance_feed:jauge_messages_rejected:ratio1h_median28d": [({"feed": "his"}, 0.2)],
    f"{APPLICATION}:gap15m": [({"application": "Bloc"}, 6 * HOUR)],
    f"{APPLICATION}:gap_max28d": [({"application": "Bloc"}, 6 * HOUR)],
    "instance_establishment:jauge_dmp_responses:refused_ratio1d": [(HERE, 0.25)],
    "instance_establishment:jauge_dmp_responses:refused_ratio1d_median28d": [(HERE, 0.25)],
    "instance_establishment:jauge_dmp_responses:failed_ratio1d": [(HERE, 0.6)],
    "instance_establishment:jauge_dmp_submissions:increase1h": [(HERE, 100)],
    "instance_establishment_outcome:jauge_dmp_responses:increase1h": [
        ({**HERE, "outcome": "accepted"}, 30),
        ({**HERE, "outcome": "refused"}, 10),
        ({**HERE, "outcome": "failed"}, 60),
        *(({"establishment": CLINIC, "outcome": outcome}, 0) for outcome in ("accepted", "refused", "failed")),
    ],
    "instance_establishment:jauge_mailing_outcomes:refused_ratio1d": [(HERE, 0.1)],
    "instance_establishment:jauge_mailing_outcomes:refused_ratio1d_median28d": [(HERE, 0.1)],
    "instance:jauge_commit_seconds:p99_15m": [({}, 0.5)],
}


def test_each_series_is_what_it_says(promtool: str, tmp_path: Path) -> None:
    """The minimum of a group, what is missing, the points to win, shares, habits: exactly these, and nothing where there is nothing to divide by."""
    tests = [
        {
            "expr": f"round({record} * 1000)",
            "eval_time": f"{2 * DAY}s",
            "exp_samples": [{"labels": name("", **labels), "value": round(value * 1000)} for labels, value in samples],
        }
        for record, samples in EXPECTED.items()
    ]
    assert set(EXPECTED) == set(RECORDS)
    test = {"input_series": written(SERIES, 2 * DAY, 300), "promql_expr_test": tests}
    done = run(promtool, tmp_path, GROUPS[RECORDING], test, 300)
    assert done.returncode == 0, done.stdout + done.stderr
