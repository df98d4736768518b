"""One test of PS4.1: who sends what to whom and when, and the identifiers made for it. Everything else is derived from this."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.evidence.settings import Ps41, Sender

_NAMESPACE: Final = uuid.UUID("b1cf0d5e-3f0a-5b0e-9a44-7a5d5b8a4101")
"""Of the OIDs made from a FINESS; any constant does, it must only never change."""


class Trial(Struct, frozen=True):
    """One test. Times are whole seconds since 1970-01-01 UTC; OIDs are made of random UUIDs (ITU-T X.667, arc 2.25)."""

    id: str  # name of its folder: FINESS, local date and time, eight random characters; no personal data
    finess: str
    name: str  # of the establishment
    zone: str  # IANA
    at: int
    message_id: str  # with its angle brackets
    document: str  # OID of the CDA
    chain: str  # OID of its setId
    submission: str  # OID of the submission set
    source: str  # OID of the sending software

    @property
    def local(self) -> datetime:
        """When the test was made, in the establishment's own time."""
        return datetime.fromtimestamp(self.at, ZoneInfo(self.zone))

    @property
    def utc(self) -> datetime:
        """The same in UTC."""
        return datetime.fromtimestamp(self.at, UTC)


def new_trial(
    sender: Sender, name: str, zone: str, *, now: float, new_uuid: Callable[[], uuid.UUID] = uuid.uuid4
) -> Trial:
    """A new test of an establishment, with identifiers that nobody has yet."""
    mail = new_uuid()
    at = int(now)
    stamp = datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y%m%d-%H%M%S")
    domain = sender.sender.rpartition("@")[2]
    return Trial(
        id=f"{sender.establishment}-{stamp}-{mail.hex[:8]}",
        finess=sender.establishment,
        name=name,
        zone=zone,
        at=at,
        message_id=f"<ps41.{mail.hex}@{domain}>",
        document=_oid(new_uuid()),
        chain=_oid(new_uuid()),
        submission=_oid(new_uuid()),
        source=sender.oid or _oid(uuid.uuid5(_NAMESPACE, sender.establishment)),
    )


def subject(trial: Trial, settings: Ps41) -> str:
    """The subject of the mail, filled in."""
    patient = settings.patient
    year, month, day = patient.birth.split("-")
    return settings.message.subject.format(
        label=settings.message.label, family=patient.family, given=patient.given, birth=f"{day}/{month}/{year}"
    )


def _oid(value: uuid.UUID) -> str:
    return f"2.25.{value.int}"
