"""The series of a hospital where all is well, as Prometheus would have scraped them, and the ways in which they go wrong.

A series is a name with its labels, and a function of the time (seconds since the start of the test) and of how long ago that is (seconds):
its value, or None where nothing was scraped. Times start at 1970: an engine of these tests has lived since then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

MINUTE, HOUR, DAY = 60, 3_600, 86_400
HOSPITAL, CLINIC = "990000001", "990000019"
ENGINE, OTHER_ENGINE = "jauge.ch-fictif.example:9464", "jauge.clinique-fictive.example:9464"
TITLES = {
    "DS1.1": "Lettres de liaison au DMP",
    "D6.1": "Séjours dont les documents sont au DMP",
    "P1.1": "Applications",
}

Value = Callable[[int, int], float | None]
Series = Mapping[str, Value]


def name(metric: str, *, instance: str = ENGINE, **labels: str) -> str:
    """A series of the job ``jauge``."""
    inside = ", ".join(f'{key}="{value}"' for key, value in {"job": "jauge", "instance": instance, **labels}.items())
    return f"{metric}{{{inside}}}"


def const(value: float) -> Value:
    """Always the same."""
    return lambda t, ago: value


def since(ago: float, value: float, before: float | None = 0.0) -> Value:
    """``value`` in the last ``ago`` seconds, ``before`` until then."""
    return lambda t, left: value if left < ago else before


def clock(stopped: float = 0) -> Value:
    """The time itself: a timestamp that is kept up to date, until ``stopped`` seconds ago."""
    return lambda t, ago: float(min(t, t + ago - stopped))


def counter(per_hour: float, *, start: float = 0, until: float = 0, after: float = 0) -> Value:
    """A counter that grows by ``per_hour``, and by ``after`` in the last ``until`` seconds."""

    def value(t: int, ago: int) -> float:
        now = t + ago
        changed = max(0, now - until)
        return start + min(t, changed) * per_hour / HOUR + max(0, t - changed) * after / HOUR

    return value


def burst(count: float, ago: float, *, start: float = 0) -> Value:
    """A counter that jumped by ``count``, ``ago`` seconds ago."""
    return since(ago, start + count, start)


def reset(value: Value, ago: float) -> Value:
    """A counter of a process that was started again ``ago`` seconds ago: from 0."""

    def restarted(t: int, left: int) -> float | None:
        then = value(t + left - int(ago), int(ago))
        found = value(t, left)
        return found if left > ago or found is None or then is None else found - then

    return restarted


def without(value: Value, start: float, stop: float) -> Value:
    """Not scraped from ``start`` to ``stop`` seconds ago, as when the engine was down."""
    return lambda t, ago: None if stop <= ago <= start else value(t, ago)


def indicator(
    which: str,
    numerator: float | Value,
    denominator: float,
    *,
    target: float | None = None,
    projected: float | None = None,
    establishment: str = HOSPITAL,
    window: str = "rolling",
    instance: str = ENGINE,
) -> dict[str, Value]:
    """The series of one indicator of one establishment over one window."""
    met = numerator if callable(numerator) else const(numerator)

    def ratio(t: int, ago: int) -> float | None:
        found = met(t, ago)
        return None if found is None else found / denominator

    labels = {"indicator": which, "establishment": establishment}
    found = {
        name("jauge_indicator_numerator", instance=instance, **labels, window=window): met,
        name("jauge_indicator_denominator", instance=instance, **labels, window=window): const(denominator),
        name("jauge_indicator_ratio", instance=instance, **labels, window=window): ratio,
    }
    if target is not None:
        found[name("jauge_indicator_target_ratio", instance=instance, **labels, window=window)] = const(target)
    if projected is not None:
        found[name("jauge_indicator_projected_ratio", instance=instance, **labels)] = const(projected)
    return found


def healthy() -> dict[str, Value]:
    """Two engines; the first has two establishments, two feeds, applications, mail, certificates. Nothing to say of any of them."""
    found: dict[str, Value] = {}
    for instance in (ENGINE, OTHER_ENGINE):
        found |= {
            name("up", instance=instance): const(1),
            name("jauge_ready", instance=instance): const(1),
            name("jauge_start_timestamp_seconds", instance=instance): const(1),
            name("jauge_snapshot_timestamp_seconds", instance=instance): clock(),
        }
        for which, unit in (("DS1.1", "stay"), ("D6.1", "stay"), ("P1.1", "application"), ("P4.3", "establishment")):
            labels = {"programme": "SUN-ES", "title": TITLES.get(which, "Messagerie"), "unit": unit}
            found[name("jauge_indicator_info", instance=instance, indicator=which, **labels)] = const(1)
    for window in ("rolling", "official"):
        found |= indicator("DS1.1", 160, 200, target=0.7, projected=0.78, window=window)
        found |= indicator("DS1.1", 180, 200, target=0.7, projected=0.9, window=window, establishment=CLINIC)
        found |= indicator("DS1.1", 190, 200, target=0.7, window=window, instance=OTHER_ENGINE)
        found |= indicator("P1.1", 9, 10, target=0.8, projected=0.9, window=window)
        # Three stays, none of them met: nobody is told of so few. Yes or no: other alerts tell.
        found |= indicator("D6.1", 0, 3, target=0.98, projected=0, window=window)
        found |= indicator("P4.3", 0, 1, target=1, projected=0, window=window)
    for feed, rate, silence in (("his", 600, 30 * MINUTE), ("documents", 60, 4 * HOUR)):
        found |= {
            name("jauge_messages_received_total", feed=feed): counter(rate),
            name("jauge_messages_rejected_total", feed=feed, code="not-hl7"): counter(rate * 0.01),
            name("jauge_messages_rejected_total", feed=feed, code="too-large"): const(0),
            name("jauge_feed_last_message_timestamp_seconds", feed=feed): clock(),
            name("jauge_feed_silence_limit_seconds", feed=feed): const(silence),
            name("jauge_connections_refused_total", feed=feed): const(0),
            name("jauge_tls_failures_total", feed=feed): const(0),
        }
    for establishment in (HOSPITAL, CLINIC):
        found |= {
            name("jauge_dmp_submissions_total", establishment=establishment): counter(40),
            name("jauge_dmp_responses_total", establishment=establishment, outcome="accepted"): counter(38),
            name("jauge_dmp_responses_total", establishment=establishment, outcome="refused"): counter(1.5),
            name("jauge_dmp_responses_total", establishment=establishment, outcome="failed"): counter(0.5),
            name("jauge_dmp_contradictions_total", establishment=establishment): const(2),
            name("jauge_dmp_submissions_unnamed", establishment=establishment): const(6),
            name("jauge_indicator_proof_info", establishment=establishment, proof="accepted"): const(1),
            name("jauge_mailings_total", establishment=establishment, category="professional"): counter(20),
            name("jauge_mailings_total", establishment=establishment, category="citizen"): const(0),
            name("jauge_mailing_outcomes_total", establishment=establishment, outcome="refused"): counter(0.6),
            name("jauge_ps41_sent_timestamp_seconds", establishment=establishment): const(100),
            name("jauge_ps41_proven_timestamp_seconds", establishment=establishment): const(200),
            name("jauge_ps41_expires_timestamp_seconds", establishment=establishment): lambda t, ago: (
                t + ago + 173.0 * DAY
            ),
            name("jauge_ps41_awaiting_reply", establishment=establishment): const(0),
            name("jauge_ps41_mailbox_declared", establishment=establishment): const(1),
        }
    for reference in ("identity", "movement"):
        for application in ("Dossier patient", "Bloc"):
            found[name("jauge_application_connected", application=application, reference=reference)] = const(1)
        found[name("jauge_application_connected", application="Ancien logiciel", reference=reference)] = const(0)
    found |= {
        name("jauge_application_last_message_timestamp_seconds", application="Dossier patient"): clock(),
        name("jauge_application_last_message_timestamp_seconds", application="Bloc"): const(0),  # declared, never seen
        name("jauge_application_last_message_timestamp_seconds", application="Ancien logiciel"): const(1),
        name("jauge_aside_messages"): const(40),
        name("jauge_directory_updated_timestamp_seconds"): clock(DAY),
        name("jauge_directory_lines_at_fault"): const(0),
        name("jauge_store_free_bytes"): const(200e9),
        name("jauge_ledger_pending_messages"): const(0),
        name("jauge_ledger_facts_dropped_total"): const(0),
        name("jauge_label_values_dropped_total"): const(0),
        name("jauge_certificate_expiry_timestamp_seconds", certificate="http"): lambda t, ago: t + ago + 200.0 * DAY,
        name("jauge_certificate_expiry_timestamp_seconds", certificate="feeds.his"): lambda t, ago: (
            t + ago + 90.0 * DAY
        ),
    }
    for bound, share in (("0.01", 0.9), ("0.1", 1.0), ("1.0", 1.0), ("10.0", 1.0), ("+Inf", 1.0)):
        found[name("jauge_commit_seconds_bucket", le=bound)] = counter(2_000 * share)
    found[name("jauge_commit_seconds_count")] = counter(2_000)
    return found


def written(series: Series, end: int, step: int) -> list[dict[str, str]]:
    """``input_series`` of promtool: every value from 0 to ``end``, one each ``step`` seconds."""

    def text(value: float | None) -> str:
        return "_" if value is None else f"{value:.10g}"

    return [
        {"series": key, "values": " ".join(text(value(t, end - t)) for t in range(0, end + 1, step))}
        for key, value in series.items()
    ]
