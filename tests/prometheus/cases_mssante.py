"""Situations of the alerts about MSSanté and the directory: each when it should fire, and when it nearly should."""

from __future__ import annotations

from tests.prometheus.case import (
    DAYS,
    OLD,
    Case,
    fires,
)
from tests.prometheus.series import (
    DAY,
    HOSPITAL,
    HOUR,
    MINUTE,
    const,
    counter,
    name,
    since,
)

CASES: tuple[Case, ...] = (
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
)
