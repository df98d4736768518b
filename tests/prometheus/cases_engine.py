"""Situations of the alerts about the engine: each when it should fire, and when it nearly should."""

from __future__ import annotations

from tests.prometheus.case import (
    CERTIFICATE,
    LONG,
    Case,
    expires_in,
    fires,
)
from tests.prometheus.series import (
    DAY,
    HOUR,
    MINUTE,
    burst,
    clock,
    const,
    counter,
    name,
    since,
    without,
)

CASES: tuple[Case, ...] = (
    # -- the engine -----------------------------------------------------------------------------------------------------------
    Case(
        "JaugeMoteurArrete",
        "no answer since ten minutes; the rest keeps its last values",
        {name("up"): since(10 * MINUTE + 1, 0, 1)},
        fires("JaugeMoteurArrete"),
        down=(10 * MINUTE, 0),
    ),
    Case(
        "JaugeMoteurArrete",
        "it was started again",
        {name("up"): lambda t, ago: 0 if ago == 5 * MINUTE else 1},
        down=(5 * MINUTE, 5 * MINUTE),
    ),
    Case(
        "JaugeMoteurDisparu",
        "taken off the targets this morning",
        {name("up"): without(const(1), 3 * HOUR, 0)},
        fires("JaugeMoteurDisparu"),
        down=(3 * HOUR, 0),
    ),
    Case(
        "JaugeMoteurDisparu",
        "taken off two days ago",
        {name("up"): without(const(1), 2.5 * DAY, 0)},
        down=(2.5 * DAY, 0),
        end=3 * DAY,
    ),
    Case("JaugeAucunMoteur", "there is no job", gone="up{", fires=(("JaugeAucunMoteur", {}),)),
    Case(
        "JaugeAucunMoteur",
        "one of two is left",
        {name("up"): without(const(1), 3 * DAY, 0)},
        down=(3 * DAY, 0),
    ),
    Case(
        "JaugeMoteurFige",
        "the values are twenty minutes old",
        {name("jauge_snapshot_timestamp_seconds"): clock(20 * MINUTE)},
        fires("JaugeMoteurFige"),
    ),
    Case(
        "JaugeMoteurFige",
        "the values are three minutes old",
        {name("jauge_snapshot_timestamp_seconds"): lambda t, ago: max(1.0, t - 180.0)},
    ),
    Case(
        "JaugeMoteurFige",
        "the engine has no values yet",
        {name("jauge_snapshot_timestamp_seconds"): const(0)},
    ),
    Case(
        "JaugeMoteurNonPret",
        "nothing can be written since ten minutes",
        {name("jauge_ready"): since(10 * MINUTE, 0, 1)},
        fires("JaugeMoteurNonPret"),
    ),
    Case("JaugeMoteurNonPret", "it is starting", {name("jauge_ready"): since(MINUTE, 0, 1)}),
    Case(
        "JaugeRedemarragesFrequents",
        "five starts in an hour",
        {name("jauge_start_timestamp_seconds"): lambda t, ago: float((t + ago) - ago // 600 * 600)},
        fires("JaugeRedemarragesFrequents"),
    ),
    Case("JaugeRedemarragesFrequents", "one start", {name("jauge_start_timestamp_seconds"): since(HOUR / 2, 5, 1)}),
    Case(
        "JaugeDisqueBientotPlein",
        "four gigabytes left",
        {name("jauge_store_free_bytes"): since(2 * HOUR, 4e9, 4.1e9)},
        fires("JaugeDisqueBientotPlein"),
    ),
    Case(
        "JaugeDisqueBientotPlein",
        "forty, and a gigabyte an hour",
        {name("jauge_store_free_bytes"): lambda t, ago: 40e9 + ago / HOUR * 1e9},
        fires("JaugeDisqueBientotPlein"),
    ),
    Case(
        "JaugeDisqueBientotPlein",
        "eight, and steady",
        {name("jauge_store_free_bytes"): const(8e9)},
    ),
    Case(
        "JaugeDisqueBientotPlein",
        "forty, and a gigabyte in five hours",
        {name("jauge_store_free_bytes"): lambda t, ago: 40e9 + ago / HOUR * 0.2e9},
    ),
    Case(
        "JaugeDisqueBientotPlein",
        "a hundred, and two gigabytes an hour",
        {name("jauge_store_free_bytes"): lambda t, ago: 100e9 + ago / HOUR * 2e9},
    ),
    Case(
        "JaugeDisquePlein",
        "half a gigabyte left",
        {name("jauge_store_free_bytes"): since(2 * HOUR, 5e8, 100e9)},
        fires("JaugeDisquePlein") + fires("JaugeDisqueBientotPlein"),
    ),
    Case(
        "JaugeDisquePlein",
        "one and a half: soon, and not yet",
        {name("jauge_store_free_bytes"): since(2 * HOUR, 1.5e9, 100e9)},
        fires("JaugeDisqueBientotPlein"),
    ),
    Case(
        "JaugeDisqueLent",
        "more than a batch in a hundred takes seconds since an hour",
        {
            name("jauge_commit_seconds_bucket", le="1.0"): counter(2_000, until=HOUR, after=1_978),
            name("jauge_commit_seconds_bucket", le="0.1"): counter(2_000, until=HOUR, after=1_978),
            name("jauge_commit_seconds_bucket", le="0.01"): counter(1_800, until=HOUR, after=0),
        },
        fires("JaugeDisqueLent"),
    ),
    Case(
        "JaugeDisqueLent",
        "a batch in fifty takes half a second",
        {
            name("jauge_commit_seconds_bucket", le="0.1"): counter(2_000, until=HOUR, after=1_960),
            name("jauge_commit_seconds_bucket", le="0.01"): counter(1_800, until=HOUR, after=0),
        },
    ),
    Case(
        "JaugeDisqueLent",
        "a night: fifty batches in a quarter of an hour, and slow",
        {
            **{
                name("jauge_commit_seconds_bucket", le=bound): counter(0, until=HOUR, after=0)
                for bound in ("0.01", "0.1", "1.0")
            },
            **{name("jauge_commit_seconds_bucket", le=bound): counter(200) for bound in ("10.0", "+Inf")},
            name("jauge_commit_seconds_count"): counter(200),
        },
    ),
    Case(
        "JaugeComptageEnRetard",
        "two hundred messages wait since two hours",
        {name("jauge_ledger_pending_messages"): since(2 * HOUR, 200)},
        fires("JaugeComptageEnRetard"),
    ),
    Case(
        "JaugeComptageEnRetard",
        "fifty wait: they come as fast as they are counted",
        {name("jauge_ledger_pending_messages"): since(2 * HOUR, 50)},
    ),
    Case(
        "JaugeComptageEnRetard",
        "floods that are counted in a few minutes",
        {name("jauge_ledger_pending_messages"): lambda t, ago: 0 if t % 900 == 0 else 50_000},
    ),
    Case(
        "JaugeFaitsEcartes",
        "a hundred since an hour",
        {name("jauge_ledger_facts_dropped_total"): burst(100, HOUR)},
        fires("JaugeFaitsEcartes"),
    ),
    Case(
        "JaugeFaitsEcartes",
        "some last week, and the engine started again",
        {name("jauge_ledger_facts_dropped_total"): since(3 * HOUR, 0, 100)},
    ),
    Case(
        "JaugeCertificatBientotExpire",
        "in twenty days",
        {name(CERTIFICATE, certificate="http"): expires_in(20)},
        fires("JaugeCertificatBientotExpire", certificate="http"),
    ),
    Case(
        "JaugeCertificatBientotExpire",
        "in two months; and one that cannot be read",
        {name(CERTIFICATE, certificate="http"): expires_in(60), name(CERTIFICATE, certificate="ps41"): const(0)},
    ),
    Case(
        "JaugeCertificatExpire",
        "since yesterday",
        {name(CERTIFICATE, certificate="http"): expires_in(-1)},
        fires("JaugeCertificatExpire", certificate="http") + fires("JaugeCertificatBientotExpire", certificate="http"),
        **LONG,
    ),
    Case(
        "JaugeCertificatExpire",
        "in five days",
        {name(CERTIFICATE, certificate="http"): expires_in(5)},
        fires("JaugeCertificatExpire", certificate="http") + fires("JaugeCertificatBientotExpire", certificate="http"),
    ),
    Case(
        "JaugeCertificatExpire",
        "in ten days: soon, and not yet",
        {name(CERTIFICATE, certificate="feeds.his"): expires_in(10)},
        fires("JaugeCertificatBientotExpire", certificate="feeds.his"),
    ),
    Case(
        "JaugeEtiquettesRegroupees",
        "since an hour",
        {name("jauge_label_values_dropped_total"): since(HOUR, 1)},
        fires("JaugeEtiquettesRegroupees"),
    ),
    Case(
        "JaugeEtiquettesRegroupees",
        "the engine started again, with a higher limit",
        {name("jauge_label_values_dropped_total"): since(HOUR, 0, 12)},
    ),
    Case("JaugeEtiquettesRegroupees", "nothing is scraped but up", gone="jauge_"),
)
