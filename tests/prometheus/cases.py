"""What happens to the hospital of ``series.py``, and which alerts fire then: each alert when it should, and when it nearly should."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import TypedDict

from tests.prometheus.series import (
    CLINIC,
    DAY,
    ENGINE,
    HOSPITAL,
    HOUR,
    MINUTE,
    TITLES,
    Series,
    Value,
    burst,
    clock,
    const,
    counter,
    indicator,
    name,
    reset,
    since,
    without,
)

Labels = dict[str, str]


class Times(TypedDict):
    """How long the series are, and how far apart their values, in seconds."""

    end: int
    step: int


@dataclass(frozen=True)
class Case:
    """``series`` take the place of the healthy ones, or come beside; ``gone`` are taken away; ``fires`` is every alert that fires then."""

    about: str  # the alert it is about
    says: str
    series: Series = field(default_factory=dict)
    fires: tuple[tuple[str, Labels], ...] = ()
    gone: str = ""  # the series whose name begins so are not there
    down: tuple[float, float] = (0, 0)  # nothing of the first engine was scraped between these, seconds ago
    end: int = 10 * HOUR
    step: int = 5 * MINUTE
    whole: bool = False  # with every series and every rule, and not only those of the alert's own file

    @property
    def loud(self) -> bool:
        """Whether the alert it is about fires."""
        return self.about in {alert for alert, _ in self.fires}


def fires(alert: str, **labels: str) -> tuple[tuple[str, Labels], ...]:
    """One alert, on the first engine."""
    return ((alert, {"instance": ENGINE, **labels}),)


def letters(alert: str, establishment: str = HOSPITAL) -> tuple[tuple[str, Labels], ...]:
    """An alert about the letters of an establishment, without its window."""
    return fires(alert, establishment=establishment, indicator="DS1.1", title=TITLES["DS1.1"])


def rolling(alert: str, which: str = "DS1.1", establishment: str = HOSPITAL) -> tuple[tuple[str, Labels], ...]:
    """An alert about an indicator over the rolling window."""
    return fires(alert, establishment=establishment, indicator=which, title=TITLES[which], window="rolling")


def refusals(refused: float, accepted: float = 38, *, ago: float = 2 * DAY, start: float = 0) -> dict[str, Value]:
    """The answers of the DMP to the hospital, by hour, as they are since ``ago`` seconds."""
    labels = {"establishment": HOSPITAL}
    return {
        name("jauge_dmp_responses_total", **labels, outcome="refused"): counter(
            1.5, until=ago, after=refused, start=start
        ),
        name("jauge_dmp_responses_total", **labels, outcome="accepted"): counter(
            38, until=ago, after=accepted, start=start
        ),
    }


LAST = "jauge_feed_last_message_timestamp_seconds"
LIMIT = "jauge_feed_silence_limit_seconds"
APPLICATION = "jauge_application_last_message_timestamp_seconds"
RECORD = "Dossier patient"
CERTIFICATE = "jauge_certificate_expiry_timestamp_seconds"
OLD: Times = {"end": 200 * DAY, "step": 12 * HOUR}
DAYS: Times = {"end": 8 * DAY, "step": HOUR}
LONG: Times = {"end": 2 * DAY, "step": 15 * MINUTE}
WEEKS: Times = {"end": 12 * DAY, "step": 15 * MINUTE}
PS41 = {"establishment": HOSPITAL, "indicator": "PS4.1"}


def expires_in(days: float) -> Value:
    """A date ``days`` days after now."""
    return lambda t, ago: t + ago + days * DAY


def daily(silence: float) -> Value:
    """The latest message of what speaks at midnight, and has not since ``silence`` seconds."""
    return lambda t, ago: float(max(min(t, t + ago - silence) // DAY * DAY, 1))


CASES: tuple[Case, ...] = (
    Case("JaugeSousLaCible", "everything is well", whole=True),
    # -- under the target -----------------------------------------------------------------------------------------------
    Case(
        "JaugeSousLaCible",
        "the rate has been under the target for seven hours",
        indicator("DS1.1", since(7 * HOUR, 130, 160), 200, target=0.7),
        rolling("JaugeSousLaCible"),
    ),
    Case(
        "JaugeSousLaCible",
        "the same in the clinic only",
        indicator("DS1.1", since(7 * HOUR, 130, 180), 200, target=0.7, establishment=CLINIC),
        rolling("JaugeSousLaCible", establishment=CLINIC),
    ),
    Case(
        "JaugeSousLaCible",
        "the engine was started again an hour ago, which took ten minutes",
        indicator("DS1.1", since(7 * HOUR, 130, 160), 200, target=0.7),
        rolling("JaugeSousLaCible"),
        down=(70 * MINUTE, HOUR),
    ),
    Case(
        "JaugeSousLaCible",
        "two applications of ten are few, and are not chance",
        indicator("P1.1", since(7 * HOUR, 7, 9), 10, target=0.8),
        rolling("JaugeSousLaCible", "P1.1"),
    ),
    Case(
        "JaugeSousLaCible",
        "under the target for five hours",
        indicator("DS1.1", since(5 * HOUR, 130, 160), 200, target=0.7),
    ),
    Case("JaugeSousLaCible", "two stays of two hundred are missing", indicator("DS1.1", 138, 200, target=0.7)),
    Case(
        "JaugeSousLaCible",
        "a point under, of many",
        indicator("DS1.1", since(7 * HOUR, 6_900, 7_100), 10_000, target=0.7),
        rolling("JaugeSousLaCible"),
    ),
    Case(
        "JaugeSousLaCible",
        "five of forty",
        indicator("DS1.1", since(7 * HOUR, 23, 30), 40, target=0.7),
        rolling("JaugeSousLaCible"),
    ),
    Case("JaugeSousLaCible", "less than half a point of many", indicator("DS1.1", 6_960, 10_000, target=0.7)),
    Case("JaugeSousLaCible", "half of eighteen stays", indicator("DS1.1", 9, 18, target=0.7)),
    Case(
        "JaugeSousLaCible",
        "the official window alone, which is closed",
        indicator("DS1.1", 100, 200, target=0.7, window="official"),
    ),
    Case("JaugeSousLaCible", "nothing to measure: not a number", indicator("DS1.1", nan, nan, target=0.7)),
    Case("JaugeSousLaCible", "no target", indicator("DS1.1", 100, 200), gone="jauge_indicator_target_ratio"),
    # -- the period that ends with the month ----------------------------------------------------------------------------
    Case(
        "JaugePeriodeSousLaCible",
        "the period would end five points under",
        indicator("DS1.1", 160, 200, target=0.7, projected=0.65),
        letters("JaugePeriodeSousLaCible"),
        **LONG,
    ),
    Case(
        "JaugePeriodeSousLaCible",
        "of a clinic that has no other window yet",
        indicator("DS1.1", 160, 200, target=0.7, projected=0.65, establishment=CLINIC),
        letters("JaugePeriodeSousLaCible", CLINIC),
        gone='jauge_indicator_ratio{job="jauge", instance="jauge.ch-fictif.example:9464", indicator="DS1.1", establishment="990000019", window="official"',
        **LONG,
    ),
    Case(
        "JaugePeriodeSousLaCible",
        "a point under, of two hundred stays: two",
        indicator("DS1.1", 160, 200, target=0.7, projected=0.69),
        **LONG,
    ),
    Case("JaugePeriodeSousLaCible", "of half of ten stays", indicator("DS1.1", 10, 10, target=0.7, projected=0.5), ()),
    Case(
        "JaugePeriodeSousLaCible",
        "since twenty hours only",
        {
            name("jauge_indicator_projected_ratio", indicator="DS1.1", establishment=HOSPITAL): since(
                20 * HOUR, 0.6, 0.78
            )
        },
        **LONG,
    ),
    Case("JaugePeriodeSousLaCible", "no projection", gone="jauge_indicator_projected_ratio"),
    # -- falling ----------------------------------------------------------------------------------------------------------
    Case(
        "JaugeTauxEnBaisse",
        "eight points in a day, against ten days, still over the target",
        indicator("DS1.1", since(DAY, 165, 181), 200, target=0.7),
        rolling("JaugeTauxEnBaisse"),
        **DAYS,
    ),
    Case(
        "JaugeTauxEnBaisse",
        "ten days after its fall, it is its level",
        indicator("DS1.1", since(10 * DAY, 165, 181), 200, target=0.7),
        end=15 * DAY,
        step=HOUR,
    ),
    Case(
        "JaugeTauxEnBaisse",
        "eight points of fifty stays: four",
        indicator("DS1.1", since(DAY, 41, 45), 50, target=0.7),
        **DAYS,
    ),
    Case("JaugeTauxEnBaisse", "an hour ago", indicator("DS1.1", since(HOUR, 165, 181), 200, target=0.7), **DAYS),
    Case(
        "JaugeTauxEnBaisse",
        "the official window alone: a month has begun",
        indicator("DS1.1", since(DAY, 165, 181), 200, target=0.7, window="official"),
        **DAYS,
    ),
    Case("JaugeTauxEnBaisse", "it rises", indicator("DS1.1", since(DAY, 190, 150), 200, target=0.7), **DAYS),
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
    # -- DMP ----------------------------------------------------------------------------------------------------------------
    Case(
        "JaugeDmpRefusEnHausse",
        "three times the habit since today: twenty of a hundred and eighty",
        refusals(20 / 24, 6.7, ago=DAY),
        fires("JaugeDmpRefusEnHausse", establishment=HOSPITAL),
        **DAYS,
    ),
    Case(
        "JaugeDmpRefusEnHausse",
        "a third of the answers of the first day",
        {key: without(value, 9 * DAY, 20 * HOUR) for key, value in refusals(10, 20).items()},
        fires("JaugeDmpRefusEnHausse", establishment=HOSPITAL),
    ),
    Case("JaugeDmpRefusEnHausse", "a fifth, as always", refusals(8, 30, ago=9 * DAY), **DAYS),
    Case(
        "JaugeDmpRefusEnHausse",
        "a seventh of the answers of the first day",
        {key: without(value, 9 * DAY, 20 * HOUR) for key, value in refusals(5, 30).items()},
    ),
    Case(
        "JaugeDmpRefusEnHausse",
        "four in a hundred, where it was one",
        {
            name("jauge_dmp_responses_total", establishment=HOSPITAL, outcome="refused"): counter(
                0.4, until=DAY, after=1.6
            )
        },
        **DAYS,
    ),
    Case("JaugeDmpRefusEnHausse", "nine refusals", refusals(9 / 24, 0.4, ago=DAY), **DAYS),
    Case(
        "JaugeDmpRefusEnHausse",
        "the store is a new one: counters from 0",
        {key: reset(value, 6 * HOUR) for key, value in refusals(1.5, 38, start=1e5).items()},
        **DAYS,
    ),
    Case("JaugeDmpRefusEnHausse", "no submissions at all", gone="jauge_dmp_"),
    Case(
        "JaugeDmpSansReponse",
        "submissions go on, no answer since five hours",
        refusals(0, 0, ago=5 * HOUR),
        fires("JaugeDmpSansReponse", establishment=HOSPITAL),
    ),
    Case(
        "JaugeDmpSansReponse",
        "all of them fail before the DMP",
        {
            **refusals(0, 0, ago=5 * HOUR),
            name("jauge_dmp_responses_total", establishment=HOSPITAL, outcome="failed"): counter(
                0.5, until=5 * HOUR, after=7
            ),
            name("jauge_dmp_submissions_total", establishment=HOSPITAL): counter(7),
        },
        fires("JaugeDmpSansReponse", establishment=HOSPITAL),
    ),
    Case(
        "JaugeDmpSansReponse",
        "the establishment counts on sendings, not on answers",
        {
            **refusals(0, 0, ago=5 * HOUR),
            name("jauge_indicator_proof_info", establishment=HOSPITAL, proof="sent"): const(1),
        },
        gone='jauge_indicator_proof_info{job="jauge", instance="jauge.ch-fictif.example:9464", establishment="990000001", proof="accepted"',
    ),
    Case(
        "JaugeDmpSansReponse",
        "a night: nothing is submitted",
        {
            **refusals(0, 0, ago=5 * HOUR),
            name("jauge_dmp_submissions_total", establishment=HOSPITAL): counter(40, until=5 * HOUR),
        },
    ),
    Case(
        "JaugeDmpSansReponse",
        "three submissions an hour",
        {
            **refusals(0, 0, ago=5 * HOUR),
            name("jauge_dmp_submissions_total", establishment=HOSPITAL): counter(3),
        },
    ),
    Case("JaugeDmpSansReponse", "no answer since two hours", refusals(0, 0, ago=2 * HOUR)),
    Case(
        "JaugeDmpContradictions",
        "six since two hours",
        {name("jauge_dmp_contradictions_total", establishment=HOSPITAL): burst(6, 2 * HOUR, start=2)},
        fires("JaugeDmpContradictions", establishment=HOSPITAL),
    ),
    Case(
        "JaugeDmpContradictions",
        "three",
        {name("jauge_dmp_contradictions_total", establishment=HOSPITAL): burst(3, 2 * HOUR, start=2)},
    ),
    Case(
        "JaugeDmpEnvoisSansNom",
        "twenty since a day and a half",
        {name("jauge_dmp_submissions_unnamed", establishment=HOSPITAL): since(1.5 * DAY, 20, 6)},
        fires("JaugeDmpEnvoisSansNom", establishment=HOSPITAL),
        **LONG,
    ),
    Case(
        "JaugeDmpEnvoisSansNom",
        "twenty that will be named tonight",
        {name("jauge_dmp_submissions_unnamed", establishment=HOSPITAL): since(20 * HOUR, 20, 6)},
        **LONG,
    ),
    # -- the directory and the mail -----------------------------------------------------------------------------------------
    Case(
        "JaugeAnnuaireBientotPerime",
        "not written since five months and a half",
        {name("jauge_directory_updated_timestamp_seconds"): const(35 * DAY)},
        fires("JaugeAnnuaireBientotPerime"),
        **OLD,
    ),
    Case(
        "JaugeAnnuaireBientotPerime",
        "there is no directory",
        {name("jauge_directory_updated_timestamp_seconds"): const(0)},
        **OLD,
    ),
    Case(
        "JaugeAnnuairePerime",
        "D6.2 says so",
        {
            name(
                "jauge_indicator_missed",
                indicator="D6.2",
                establishment=HOSPITAL,
                window="rolling",
                reason="directory_old",
            ): since(3 * HOUR, 1)
        },
        fires("JaugeAnnuairePerime", establishment=HOSPITAL, indicator="D6.2", window="rolling"),
    ),
    Case(
        "JaugeAnnuairePerime",
        "there never was one",
        {
            name(
                "jauge_indicator_missed", indicator="D6.2", establishment=HOSPITAL, window="rolling", reason=reason
            ): const(value)
            for reason, value in (("no_directory", 1), ("directory_old", 0))
        },
    ),
    Case(
        "JaugeAnnuaireLignesEnDefaut",
        "three lines since this morning",
        {name("jauge_directory_lines_at_fault"): since(3 * HOUR, 3)},
        fires("JaugeAnnuaireLignesEnDefaut"),
    ),
    Case(
        "JaugeAnnuaireLignesEnDefaut",
        "a file that is being written",
        {name("jauge_directory_lines_at_fault"): since(10 * MINUTE, 300)},
    ),
    Case(
        "JaugeMessagerieSansEnvoi",
        "mails were sent, and none of late",
        {
            name(
                "jauge_indicator_missed",
                indicator="P4.3",
                establishment=HOSPITAL,
                window="rolling",
                reason="no_mail_seen",
            ): const(1)
        },
        fires("JaugeMessagerieSansEnvoi", establishment=HOSPITAL, indicator="P4.3", window="rolling"),
    ),
    Case(
        "JaugeMessagerieSansEnvoi",
        "no mail ever: it is not connected yet",
        {
            name(
                "jauge_indicator_missed",
                indicator="P4.3",
                establishment=HOSPITAL,
                window="rolling",
                reason="no_mail_seen",
            ): const(1),
            name("jauge_mailings_total", establishment=HOSPITAL, category="professional"): const(0),
        },
    ),
    Case(
        "JaugeMssanteRefusEnHausse",
        "a fifth of today's mails",
        {
            name("jauge_mailing_outcomes_total", establishment=HOSPITAL, outcome="refused"): counter(
                0.6, until=DAY, after=4
            )
        },
        fires("JaugeMssanteRefusEnHausse", establishment=HOSPITAL),
        **DAYS,
    ),
    Case(
        "JaugeMssanteRefusEnHausse",
        "a fifth, as always",
        {name("jauge_mailing_outcomes_total", establishment=HOSPITAL, outcome="refused"): counter(4)},
        **DAYS,
    ),
    Case("JaugeMssanteRefusEnHausse", "no mail at all", gone="jauge_mailing"),
    # -- PS4.1 --------------------------------------------------------------------------------------------------------------
    Case(
        "JaugePs41PreuveAbsente",
        "no test yet",
        {
            name(f"jauge_ps41_{word}_timestamp_seconds", establishment=HOSPITAL): const(0)
            for word in ("sent", "proven", "expires")
        },
        fires("JaugePs41PreuveAbsente", **PS41),
        **LONG,
    ),
    Case(
        "JaugePs41PreuveAbsente",
        "one is under way",
        {
            name("jauge_ps41_sent_timestamp_seconds", establishment=HOSPITAL): clock(HOUR),
            name("jauge_ps41_proven_timestamp_seconds", establishment=HOSPITAL): const(0),
            name("jauge_ps41_expires_timestamp_seconds", establishment=HOSPITAL): const(0),
            name("jauge_ps41_awaiting_reply", establishment=HOSPITAL): const(1),
        },
        **LONG,
    ),
    Case("JaugePs41PreuveAbsente", "no sender is declared", gone="jauge_ps41_"),
    Case(
        "JaugePs41PreuveBientotExpiree",
        "in ten days",
        {name("jauge_ps41_expires_timestamp_seconds", establishment=HOSPITAL): expires_in(10)},
        fires("JaugePs41PreuveBientotExpiree", **PS41),
    ),
    Case(
        "JaugePs41PreuveBientotExpiree",
        "in a month",
        {name("jauge_ps41_expires_timestamp_seconds", establishment=HOSPITAL): expires_in(30)},
    ),
    Case(
        "JaugePs41PreuveExpiree",
        "since a day, and another test is under way",
        {
            name("jauge_ps41_sent_timestamp_seconds", establishment=HOSPITAL): clock(HOUR),
            name("jauge_ps41_expires_timestamp_seconds", establishment=HOSPITAL): expires_in(-1),
            name("jauge_ps41_awaiting_reply", establishment=HOSPITAL): since(HOUR, 1),
        },
        fires("JaugePs41PreuveExpiree", **PS41),
        **LONG,
    ),
    Case(
        "JaugePs41PreuveExpiree",
        "never proven, so never expired",
        {name("jauge_ps41_expires_timestamp_seconds", establishment=HOSPITAL): const(0)},
        **LONG,
    ),
    Case(
        "JaugePs41SansReponse",
        "sent five hours ago",
        {
            name("jauge_ps41_sent_timestamp_seconds", establishment=HOSPITAL): clock(5 * HOUR),
            name("jauge_ps41_awaiting_reply", establishment=HOSPITAL): since(5 * HOUR, 1),
        },
        fires("JaugePs41SansReponse", **PS41),
    ),
    Case(
        "JaugePs41SansReponse",
        "sent two hours ago",
        {
            name("jauge_ps41_sent_timestamp_seconds", establishment=HOSPITAL): clock(2 * HOUR),
            name("jauge_ps41_awaiting_reply", establishment=HOSPITAL): since(2 * HOUR, 1),
        },
    ),
    Case(
        "JaugePs41BoiteNonDeclaree",
        "none is declared",
        {name("jauge_ps41_mailbox_declared", establishment=HOSPITAL): const(0)},
        fires("JaugePs41BoiteNonDeclaree", **PS41),
        **LONG,
    ),
    Case(
        "JaugePs41BoiteNonDeclaree",
        "none was until this morning",
        {name("jauge_ps41_mailbox_declared", establishment=HOSPITAL): since(8 * HOUR, 1, 0)},
        **LONG,
    ),
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
