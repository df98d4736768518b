"""Situations of the alerts about the feeds and the applications: each when it should fire, and when it nearly should."""

from __future__ import annotations

from math import nan

from tests.prometheus.case import (
    APPLICATION,
    LAST,
    LIMIT,
    LONG,
    RECORD,
    WEEKS,
    Case,
    daily,
    fires,
)
from tests.prometheus.series import (
    DAY,
    HOUR,
    MINUTE,
    clock,
    const,
    counter,
    name,
    reset,
    since,
)

CASES: tuple[Case, ...] = (
    # -- feeds ------------------------------------------------------------------------------------------------------------
    Case(
        "JaugeFluxEnRetard",
        "an hour of silence, of a feed that is never silent for half of one",
        {name(LAST, feed="his"): clock(HOUR)},
        fires("JaugeFluxEnRetard", feed="his"),
    ),
    Case(
        "JaugeFluxEnRetard",
        "four days of silence, no habit known yet",
        {name(LAST, feed="his"): clock(4 * DAY), name(LIMIT, feed="his"): const(0)},
        fires("JaugeFluxEnRetard", feed="his"),
        end=6 * DAY,
        step=15 * MINUTE,
    ),
    Case(
        "JaugeFluxEnRetard",
        "four days of silence, an engine that knows no habits",
        {name(LAST, feed="his"): clock(4 * DAY)},
        fires("JaugeFluxEnRetard", feed="his"),
        gone=LIMIT,
        end=6 * DAY,
        step=15 * MINUTE,
    ),
    Case(
        "JaugeFluxEnRetard",
        "an hour of silence, of a feed whose nights last four",
        {name(LAST, feed="documents"): clock(HOUR)},
    ),
    Case(
        "JaugeFluxEnRetard",
        "a weekend of silence, no habit known yet",
        {name(LAST, feed="his"): clock(2.7 * DAY), name(LIMIT, feed="his"): const(0)},
        end=6 * DAY,
        step=15 * MINUTE,
    ),
    Case(
        "JaugeFluxEnRetard",
        "eight hours of silence, no habit known yet",
        {name(LAST, feed="his"): clock(8 * HOUR), name(LIMIT, feed="his"): const(0)},
    ),
    Case("JaugeFluxEnRetard", "late for ten minutes", {name(LAST, feed="his"): clock(40 * MINUTE)}),
    Case("JaugeFluxEnRetard", "the limit is not a number", {name(LIMIT, feed="his"): const(nan)}),
    Case(
        "JaugeFluxMuet",
        "two hours of silence, four times the limit",
        {name(LAST, feed="his"): clock(2 * HOUR)},
        fires("JaugeFluxMuet", feed="his") + fires("JaugeFluxEnRetard", feed="his"),
    ),
    Case(
        "JaugeFluxMuet",
        "the engine was down for seven minutes meanwhile",
        {name(LAST, feed="his"): clock(3 * HOUR)},
        fires("JaugeFluxMuet", feed="his") + fires("JaugeFluxEnRetard", feed="his"),
        down=(27 * MINUTE, 20 * MINUTE),
    ),
    Case(
        "JaugeFluxMuet",
        "twice its limit: late, and not mute",
        {name(LAST, feed="his"): clock(HOUR)},
        fires("JaugeFluxEnRetard", feed="his"),
    ),
    Case(
        "JaugeFluxMuet",
        "a feed of which nothing ever came",
        {name(LAST, feed="his"): since(20 * HOUR, 0, 0)},
        fires("JaugeFluxJamaisVu", feed="his"),
        **LONG,
    ),
    Case("JaugeFluxMuet", "no feeds at all", gone="jauge_feed_"),
    Case(
        "JaugeFluxJamaisVu",
        "nothing came since two days",
        {name(LAST, feed="neuf"): const(0), name(LIMIT, feed="neuf"): const(0)},
        fires("JaugeFluxJamaisVu", feed="neuf"),
        **LONG,
    ),
    Case(
        "JaugeFluxJamaisVu",
        "declared this morning",
        {name(LAST, feed="neuf"): since(10 * HOUR, 0, None), name(LIMIT, feed="neuf"): const(0)},
        **LONG,
    ),
    Case(
        "JaugeMessagesRejetesEnHausse",
        "five times the habit since two hours",
        {
            name("jauge_messages_rejected_total", feed="his", code="not-hl7"): counter(
                6, until=2 * HOUR, after=33, start=1e4
            )
        },
        fires("JaugeMessagesRejetesEnHausse", feed="his"),
    ),
    Case(
        "JaugeMessagesRejetesEnHausse",
        "half of a new feed, that has no habit",
        {
            name("jauge_messages_rejected_total", feed="neuf", code="not-hl7"): counter(20),
            name("jauge_messages_received_total", feed="neuf"): counter(40),
        },
        fires("JaugeMessagesRejetesEnHausse", feed="neuf"),
    ),
    Case(
        "JaugeMessagesRejetesEnHausse",
        "three in a hundred, where it was one",
        {name("jauge_messages_rejected_total", feed="his", code="not-hl7"): counter(6, until=2 * HOUR, after=18)},
    ),
    Case(
        "JaugeMessagesRejetesEnHausse",
        "a tenth, as always",
        {name("jauge_messages_rejected_total", feed="his", code="not-hl7"): counter(60)},
    ),
    Case(
        "JaugeMessagesRejetesEnHausse",
        "all of the five that came",
        {
            name("jauge_messages_rejected_total", feed="neuf", code="not-hl7"): counter(5),
            name("jauge_messages_received_total", feed="neuf"): counter(5),
        },
    ),
    Case(
        "JaugeMessagesRejetesEnHausse",
        "the counter starts again at 0",
        {
            name("jauge_messages_rejected_total", feed="his", code="not-hl7"): reset(
                counter(6, start=1e4), 90 * MINUTE
            ),
            name("jauge_messages_received_total", feed="his"): reset(counter(600, start=1e6), 90 * MINUTE),
        },
    ),
    Case(
        "JaugeMisDeCoteEnHausse",
        "twelve in an hour",
        {name("jauge_aside_messages"): since(HOUR, 52, 40)},
        fires("JaugeMisDeCoteEnHausse"),
    ),
    Case(
        "JaugeMisDeCoteEnHausse",
        "four thousand, since a week",
        {name("jauge_aside_messages"): since(7 * HOUR, 4_000, 40)},
    ),
    Case("JaugeMisDeCoteEnHausse", "six in an hour", {name("jauge_aside_messages"): since(HOUR, 46, 40)}),
    Case("JaugeMisDeCoteEnHausse", "they were read again", {name("jauge_aside_messages"): since(HOUR, 0, 4_000)}),
    Case(
        "JaugeFluxConnexionsRefusees",
        "three since twenty minutes",
        {name("jauge_connections_refused_total", feed="his"): counter(0, until=20 * MINUTE, after=12)},
        fires("JaugeFluxConnexionsRefusees", feed="his"),
    ),
    Case(
        "JaugeFluxConnexionsRefusees",
        "many yesterday, and the engine started again",
        {name("jauge_connections_refused_total", feed="his"): since(20 * HOUR, 0, 900)},
    ),
    Case(
        "JaugeFluxTlsEnEchec",
        "thirty in an hour",
        {name("jauge_tls_failures_total", feed="his"): counter(0, until=HOUR, after=30)},
        fires("JaugeFluxTlsEnEchec", feed="his"),
    ),
    Case(
        "JaugeFluxTlsEnEchec",
        "a probe each quarter of an hour",
        {name("jauge_tls_failures_total", feed="his"): reset(counter(4), 30 * MINUTE)},
    ),
    # -- applications ---------------------------------------------------------------------------------------------------
    Case(
        "JaugeApplicationNonAlimentee",
        "three days of silence, of one that speaks every day",
        {name(APPLICATION, application=RECORD): daily(3 * DAY)},
        fires("JaugeApplicationNonAlimentee", application=RECORD),
        **WEEKS,
    ),
    Case(
        "JaugeApplicationNonAlimentee",
        "eight days of silence, no habit known",
        {name(APPLICATION, application=RECORD): since(30 * DAY, 100)},
        fires("JaugeApplicationNonAlimentee", application=RECORD),
        end=9 * DAY,
        step=HOUR,
    ),
    Case(
        "JaugeApplicationNonAlimentee",
        "a day and a half, of one that speaks every day",
        {name(APPLICATION, application=RECORD): daily(1.5 * DAY)},
        **WEEKS,
    ),
    Case(
        "JaugeApplicationNonAlimentee",
        "the first weekend of one that is known since five days",
        {name(APPLICATION, application=RECORD): clock(2 * DAY)},
        end=5 * DAY,
        step=15 * MINUTE,
    ),
    Case("JaugeApplicationNonAlimentee", "declared, and never seen", end=9 * DAY, step=HOUR),
)
