"""Situations of the alerts about the indicators: each when it should fire, and when it nearly should."""

from __future__ import annotations

from math import nan

from tests.prometheus.case import (
    DAYS,
    LONG,
    Case,
    letters,
    rolling,
)
from tests.prometheus.series import (
    CLINIC,
    DAY,
    HOSPITAL,
    HOUR,
    MINUTE,
    indicator,
    name,
    since,
)

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
)
