"""One situation of the hospital of ``series.py``, and what many of them are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from tests.prometheus.series import (
    DAY,
    ENGINE,
    HOSPITAL,
    HOUR,
    MINUTE,
    TITLES,
    Series,
    Value,
    counter,
    name,
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
