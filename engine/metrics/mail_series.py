"""The series of the mails that left (``jauge_mailing...``), from what the ledger counted of them, and of the directory of correspondents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from engine.metrics import families as f
from engine.metrics.bounds import OTHER
from engine.metrics.family import Family
from engine.metrics.measures import MAIL_CATEGORIES, MAIL_WORDS, XDM_STATES
from engine.metrics.snapshot import Directory, Submissions
from engine.metrics.text import Values

# RFC 3463 and RFC 5321: anything else is what somebody wrote there.
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}|[1-5]\d\d")

Admit = Callable[[str, str], str]
"""Label and value -> the value, or ``other`` where there are too many."""


def mailings(found: Iterable[Submissions], admit: Admit) -> Iterator[tuple[Family, Values]]:
    """The four families of an establishment's mail, every closed set from 0."""
    sent: Values = {}
    outcomes: Values = {}
    errors: Values = {}
    archives: Values = {}
    for each in found:
        establishment = admit("establishment", each.establishment)
        for values, names, counts in (
            (sent, MAIL_CATEGORIES, each.mails),
            (outcomes, MAIL_WORDS, each.mail_outcomes),
            (archives, XDM_STATES, each.mail_xdm),
        ):
            for name in names:
                key = (establishment, name)
                values[key] = values.get(key, 0) + counts.get(name, 0)
        errors.setdefault((establishment, OTHER), 0)
        for code, count in each.mail_errors.items():
            key = (establishment, admit("code", code) if _STATUS.fullmatch(code) else OTHER)
            errors[key] = errors.get(key, 0) + count
    yield f.MAILINGS, sent
    yield f.MAILING_OUTCOMES, outcomes
    yield f.MAILING_ERRORS, errors
    yield f.MAILING_XDM, archives


def directory(
    found: Directory, official: Mapping[tuple[str, str], bool], admit: Admit
) -> Iterator[tuple[Family, Values]]:
    """The directory of correspondents, and the official values of what is met or not."""
    states: Values = {("equipped",): found.equipped, ("unequipped",): found.unequipped}
    updated: Values = {(): found.updated_at}
    faults: Values = {(): found.faults}
    unknown: Values = {}
    for finess, count in found.unknown.items():
        key = (admit("establishment", finess),)
        unknown[key] = unknown.get(key, 0) + count
    values: Values = {}
    for (indicator, finess), met in official.items():
        establishment = admit("establishment", finess)
        if establishment != OTHER:  # of several: neither yes nor no
            values[indicator, establishment] = int(met)
    yield f.DIRECTORY_CORRESPONDENTS, states
    yield f.DIRECTORY_UPDATED, updated
    yield f.DIRECTORY_FAULTS, faults
    yield f.DIRECTORY_UNKNOWN, unknown
    yield f.OFFICIAL_VALUE, values
