"""Expressions that several dashboards ask: gaps to the target, states of feeds, refusals."""

from __future__ import annotations

from typing import Final

from engine.dashboards.frame import FEED, SITE, WINDOW

INDICATORS: Final = 'indicator!~".+_.+"'
"""Selector of the indicators without their variants (``DS1.1_sent``)."""

SUBJECT: Final = "by (instance, establishment, indicator)"


def ratio(which: str) -> str:
    """Rates of the chosen window."""
    return f"jauge_indicator_ratio{{{WINDOW}, {which}}}"


def goal(which: str) -> str:
    """Targets of the chosen window: the site's own, else the programme's."""
    return f"jauge_indicator_target_ratio{{{WINDOW}, {which}}}"


def gap(which: str) -> str:
    """Points above (below, when negative) the target."""
    return f"100 * ({ratio(which)} - {goal(which)})"


def to_win(which: str) -> str:
    """Subjects still to be met for the target to be reached; 0 when it is."""
    asked = f"{goal(which)} * jauge_indicator_denominator{{{WINDOW}, {which}}}"
    # A product such as 0.7 * 10 may be a hair above the whole number it stands for.
    return f"clamp_min(ceil({asked} - 1e-9) - jauge_indicator_numerator{{{WINDOW}, {which}}}, 0)"


def titled(expr: str) -> str:
    """With the title of the indicator as a label."""
    return (
        f"max by (instance, establishment, indicator, title) (({expr}) "
        "* on (instance, job, indicator) group_left (title) jauge_indicator_info)"
    )


def lost(which: str) -> str:
    """Points lost, by reason: what is missing over what is counted."""
    missed = f"max {SUBJECT[:-1]}, reason) (jauge_indicator_missed{{{WINDOW}, {which}}})"
    counted = f"max {SUBJECT} (jauge_indicator_denominator{{{WINDOW}, {which}}}) > 0"
    return f"100 * {missed} / on (instance, establishment, indicator) group_left () ({counted})"


_LAST: Final = f"jauge_feed_last_message_timestamp_seconds{{{FEED}}}"
_LIMIT: Final = f"jauge_feed_silence_limit_seconds{{{FEED}}}"


def feed_state(selector: str = FEED) -> str:
    """0 alive, 1 late (silent for longer than its habit), 2 silent (three times longer), 3 never seen; without habit: alive."""
    last, limit = _LAST.replace(FEED, selector), _LIMIT.replace(FEED, selector)
    silent = f"(time() - {last})"
    return (
        f"max by (instance, feed) (3 * ({last} == bool 0) + ({last} > bool 0) * ({limit} > bool 0) "
        f"* (({silent} > bool {limit}) + ({silent} > bool 3 * {limit})))"
    )


def share(name: str, label: str, value: str) -> str:
    """Part of a counter's events over the displayed time that have this value of a label, 0 to 1."""
    every = f"sum by (instance, establishment) (increase({name}{{{SITE}}}[$__range]))"
    part = f'sum by (instance, establishment) (increase({name}{{{SITE}, {label}="{value}"}}[$__range]))'
    return f"{part} / {every}"


def hourly(name: str, by: str, selector: str) -> str:
    """Events an hour."""
    return f"3600 * sum by ({by}) (rate({name}{{{selector}}}[$__rate_interval]))"


def total(name: str, by: str, selector: str) -> str:
    """Events over the displayed time."""
    return f"sum by ({by}) (increase({name}{{{selector}}}[$__range]))"


def quantile(part: float, name: str, by: str, selector: str, over: str = "$__rate_interval") -> str:
    """What this part of the observations of a histogram stays under, in seconds."""
    grouped = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({part}, sum by ({grouped}) (rate({name}_bucket{{{selector}}}[{over}])))"
