"""Situations of the alerts about the DMP: each when it should fire, and when it nearly should."""

from __future__ import annotations

from tests.prometheus.case import (
    DAYS,
    LONG,
    Case,
    fires,
    refusals,
)
from tests.prometheus.series import (
    DAY,
    HOSPITAL,
    HOUR,
    burst,
    const,
    counter,
    name,
    reset,
    since,
    without,
)

CASES: tuple[Case, ...] = (
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
)
