"""Situations of the alerts about PS4.1: each when it should fire, and when it nearly should."""

from __future__ import annotations

from tests.prometheus.case import (
    LONG,
    PS41,
    Case,
    expires_in,
    fires,
)
from tests.prometheus.series import (
    HOSPITAL,
    HOUR,
    clock,
    const,
    name,
    since,
)

CASES: tuple[Case, ...] = (
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
)
