"""What happens to the hospital of ``series.py``, and which alerts fire then: each alert when it should, and when it nearly should."""

from __future__ import annotations

from tests.prometheus import cases_dmp, cases_engine, cases_feeds, cases_indicators, cases_mssante, cases_ps41
from tests.prometheus.case import Case

CASES: tuple[Case, ...] = (
    *cases_indicators.CASES,
    *cases_feeds.CASES,
    *cases_dmp.CASES,
    *cases_mssante.CASES,
    *cases_ps41.CASES,
    *cases_engine.CASES,
)
