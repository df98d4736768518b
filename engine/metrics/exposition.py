"""`/metrics`: a Prometheus collector over the latest snapshot, rendered once per snapshot and format.

The page costs what the snapshot costs, whatever the number of stays; ``engine.metrics.text`` writes it. Every closed set of labels starts at 0, so that a
first event is an increase and not a new series. Open sets are bounded: beyond ``label_values`` values of a label, the
rest are one value, ``other``, and ``jauge_label_values_dropped_total`` tells.
"""

from __future__ import annotations

import gzip as gzip_format
import platform
import re
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate
from threading import Lock
from typing import Final, cast

from msgspec import Struct
from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest as as_text
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from engine.metrics import engine_families as e
from engine.metrics import families as f
from engine.metrics.bounds import OTHER, Bounds
from engine.metrics.catalogue import Catalogue
from engine.metrics.engine_series import engine, feeds
from engine.metrics.family import Family
from engine.metrics.mail_series import directory, mailings
from engine.metrics.ps41_series import standings
from engine.metrics.snapshot import HistogramState, IndicatorValue, Snapshot, Submissions
from engine.metrics.text import Histograms, Values, Writer, add, alone, most

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_PROOFS: Final = ("observed", "declared")
_OUTCOMES: Final = ("accepted", "refused", "failed")
_ENDPOINT: Final = re.compile(r"[\w.@^+ -]{1,100}")  # anything else in MSH-3/MSH-4 is no name: counted as other
_QUALITY: Final = re.compile(r"q=([01](?:\.\d{0,3})?)")

Filled = tuple[Family, Values | Histograms]
"""A metric and its series."""


class Page(Struct, frozen=True):
    """A rendered `/metrics`: ``encoding`` is ``"gzip"`` or empty."""

    body: bytes
    content_type: str
    encoding: str = ""


class Exposition(Collector):
    """Renders what ``latest`` returns. Safe to use from several threads; each snapshot is rendered once per format."""

    def __init__(
        self,
        latest: Callable[[], Snapshot],
        catalogue: Catalogue,
        *,
        version: str,
        rejection_codes: Collection[str] = (),
        flag_codes: Collection[str] = (),
        error_codes: Collection[str] = (),
        label_values: int = 200,
        process: bool = False,
    ) -> None:
        """``*_codes``: the closed lists, shown from 0 on every feed; ``error_codes``: those of the DMP, on every establishment.

        ``process``: also the usual ``process_*``.
        """
        self._latest: Final = latest
        self._catalogue: Final = catalogue
        self._version: Final = version
        self._rejection_codes: Final = tuple(rejection_codes)
        self._flag_codes: Final = tuple(flag_codes)
        self._error_codes: Final = tuple(error_codes)
        self._known_errors: Final = frozenset(error_codes)
        self._process: Final = ProcessCollector(registry=None) if process else None
        self._reasons: Final = {indicator: catalogue.reasons(indicator) for indicator in catalogue.ids}
        self._writer: Final = Writer()
        self._bounds: Final = Bounds(
            label_values,
            {
                "indicator": catalogue.ids,
                "reason": {code for codes in self._reasons.values() for code in codes},
                "code": {*self._rejection_codes, *self._flag_codes},
            },
        )
        self._lock: Final = Lock()
        self._rendered: Snapshot | None = None
        self._pages: dict[tuple[str, bool], Page] = {}

    def render(self, accept: str = "", *, gzip: bool = False) -> Page:
        """The page in the format that an ``Accept`` header asks for; the text format 0.0.4 when it asks for nothing."""
        kind = negotiate(accept)
        with self._lock:
            snapshot = self._latest()
            if snapshot is not self._rendered:
                self._pages, self._rendered = {}, snapshot
            page = self._pages.get((kind, gzip))
            if page is None:
                page = self._pages[kind, gzip] = self._render(snapshot, kind, gzip)
            return page

    def _render(self, snapshot: Snapshot, kind: str, gzip: bool) -> Page:
        plain = self._pages.get((kind, False))
        if plain is None:
            openmetrics = kind == OPENMETRICS
            parts = [
                self._writer.write(family, values, openmetrics=openmetrics) for family, values in self._fill(snapshot)
            ]
            body = "".join(parts).encode()
            if self._process is not None:
                body += _openmetrics(self._process) if openmetrics else as_text(self._process)
            elif openmetrics:
                body += b"# EOF\n"
            plain = self._pages[kind, False] = Page(body, kind)
        return Page(gzip_format.compress(plain.body, 3, mtime=0), kind, "gzip") if gzip else plain

    def collect(self) -> Iterator[Metric]:
        """The metrics of the latest snapshot, for a registry of prometheus-client."""
        with self._lock:
            metrics = [_metric(family, values) for family, values in self._fill(self._latest())]
        yield from metrics
        if self._process is not None:
            yield from self._process.collect()

    def _fill(self, snapshot: Snapshot) -> Iterator[Filled]:
        """Every family with its series, in the order of the page."""
        yield from self._indicators(snapshot)
        yield from self._applications(snapshot)
        yield from self._submissions(snapshot.submissions)
        yield from directory(snapshot.directory, snapshot.official, self._bounds.admit)
        yield from standings(snapshot.standings, snapshot.taken_at, self._bounds.admit)
        yield from feeds(snapshot.feeds, self._rejection_codes, self._flag_codes, self._bounds.admit)
        yield from engine(snapshot, self._bounds.admit)
        yield e.LABEL_VALUES_DROPPED, alone(snapshot.label_values_dropped + self._bounds.dropped)
        yield e.SNAPSHOT_TIMESTAMP, alone(snapshot.taken_at)
        yield e.START_TIMESTAMP, alone(snapshot.started_at)
        build: Values = {(self._version, platform.python_version()): 1}
        yield e.BUILD_INFO, build

    def _indicators(self, snapshot: Snapshot) -> Iterator[Filled]:
        numerators: Values = {}
        denominators: Values = {}
        ratios: Values = {}
        targets: Values = {}
        missed: Values = {}
        rejected: Values = {}
        for value in snapshot.indicators:
            key = self._key(f.INDICATOR_NUMERATOR, value.indicator, value.establishment, value.window)
            add(numerators, key, value.numerator)
            add(denominators, key, value.denominator)
            closed = self._reasons.get(value.indicator, ())
            for reason in closed:
                add(missed, (*key, reason), value.missed.get(reason, 0))
            for reason, count in value.missed.items():
                if reason not in closed:
                    add(missed, (*key, self._bounds.admit("reason", reason)), count)
            for code, count in value.rejected.items():
                add(rejected, (*key, self._error(code)), count)
            if OTHER in key:  # a sum of several: neither a rate nor a target has a sense
                continue
            if value.ratio is not None:
                ratios[key] = value.ratio
            target = self._target(snapshot, value)
            if target is not None:
                targets[key] = target
        yield f.INDICATOR_NUMERATOR, numerators
        yield f.INDICATOR_DENOMINATOR, denominators
        yield f.INDICATOR_RATIO, ratios
        projected: Values = {}
        for (indicator, finess), ratio in snapshot.projected.items():
            key = self._key(f.INDICATOR_PROJECTED, indicator, finess)
            if OTHER not in key:
                projected[key] = ratio
        yield f.INDICATOR_PROJECTED, projected
        yield f.INDICATOR_TARGET, targets
        yield f.INDICATOR_MISSED, missed
        yield f.INDICATOR_REJECTED, rejected
        admit = self._bounds.admit
        proofs: Values = {(admit("establishment", finess), proof): 1 for finess, proof in snapshot.proofs.items()}
        yield f.INDICATOR_PROOF, proofs
        # Those put together as `other` have no name.
        names: Values = {each: 1 for each in snapshot.names.items() if admit("establishment", each[0]) != OTHER}
        yield f.ESTABLISHMENT_INFO, names
        info: Values = {(entry.id, entry.programme, entry.unit, entry.title): 1 for entry in self._catalogue}
        yield f.INDICATOR_INFO, info
        bounds = [(self._key(f.WINDOW_START, each.establishment, each.window), each) for each in snapshot.windows]
        kept = [(key, each) for key, each in bounds if OTHER not in key]
        starts: Values = {key: each.start for key, each in kept}
        stops: Values = {key: each.stop for key, each in kept}
        yield f.WINDOW_START, starts
        yield f.WINDOW_END, stops

    def _target(self, snapshot: Snapshot, value: IndicatorValue) -> float | None:
        """The site's target wins over the one that the programme confirmed."""
        own = snapshot.targets.get((value.indicator, value.establishment))
        return self._catalogue.target(value.indicator) if own is None else own

    def _applications(self, snapshot: Snapshot) -> Iterator[Filled]:
        connected: Values = {}
        observed: Values = {}
        declared: Values = {}
        in_scope: Values = {}
        able: Values = {}
        last: Values = {}
        for value in snapshot.applications:
            key = self._key(f.APPLICATION_CONNECTED, value.application, value.reference)
            # One name may stand for several lines (establishments, `other`): it is connected when all of them are.
            _least(connected, key, value.connected)
            _least(observed, key, value.observed)
            _least(declared, key, value.declared)
            most(in_scope, key, value.in_scope)
            most(last, key[:1], value.last_seen)
            for proof in _PROOFS:
                most(able, (key[0], proof), value.ins_able and value.ins_proof == proof)
        yield f.APPLICATION_CONNECTED, connected
        yield f.APPLICATION_OBSERVED, observed
        yield f.APPLICATION_DECLARED, declared
        yield f.APPLICATION_IN_SCOPE, in_scope
        yield f.APPLICATION_INS_ABLE, able
        yield f.APPLICATION_LAST, last
        yield f.APPLICATION_UNLISTED, alone(len(snapshot.unlisted))
        unlisted: Values = {}
        for name in snapshot.unlisted:
            admit = self._bounds.admit if _ENDPOINT.fullmatch(name) else self._bounds.turn_away
            add(unlisted, (admit("endpoint", name),), 1)
        yield f.APPLICATION_UNLISTED_INFO, unlisted

    def _submissions(self, found: tuple[Submissions, ...]) -> Iterator[Filled]:
        submissions: Values = {}
        responses: Values = {}
        errors: Values = {}
        contradictions: Values = {}
        unnamed: Values = {}
        publication: Histograms = {}
        answer: Histograms = {}
        for each in found:
            key = self._key(f.DMP_SUBMISSIONS, each.establishment)
            add(submissions, key, each.submissions)
            for outcome in _OUTCOMES:
                add(responses, (*key, outcome), each.responses.get(outcome, 0))
            for code in (*self._error_codes, OTHER):
                add(errors, (*key, code), 0)
            for code, count in each.errors.items():
                add(errors, (*key, self._error(code)), count)
            add(contradictions, key, each.contradictions)
            add(unnamed, key, each.unnamed)
            _pool(publication, key, each.publication)
            _pool(answer, key, each.answer)
        yield f.DMP_SUBMISSIONS, submissions
        yield f.DMP_RESPONSES, responses
        yield f.DMP_ERRORS, errors
        yield f.DMP_CONTRADICTIONS, contradictions
        yield f.PUBLICATION_DELAY, publication
        yield f.DMP_ANSWER_DELAY, answer
        yield f.DMP_UNNAMED, unnamed
        yield from mailings(found, self._bounds.admit)

    def _error(self, code: str) -> str:
        """A code of the table, or ``other``: what a platform writes there is not bounded by anything else."""
        return code if code in self._known_errors else OTHER

    def _key(self, family: Family, *values: str) -> tuple[str, ...]:
        return tuple(
            value if label in _CLOSED else self._bounds.admit(label, value)
            for label, value in zip(family.labels, values, strict=False)
        )


_CLOSED: Final = frozenset({"window", "reference"})


def _openmetrics(content: Collector) -> bytes:
    return bytes(as_openmetrics(content, version="1.0.0"))  # type: ignore[no-untyped-call]


def negotiate(accept: str) -> str:
    """Content type for an ``Accept`` header: OpenMetrics 1.0 when it is preferred to the text format, else text 0.0.4."""
    best = {OPENMETRICS: -1.0, TEXT: -1.0}
    for offer in accept[:2_000].split(","):
        media, *parameters = (part.strip().lower() for part in offer.split(";"))
        if media == "application/openmetrics-text":
            kind = OPENMETRICS
        elif media in {"text/plain", "text/*"}:
            kind = TEXT
        else:
            continue
        version = next((part[8:].strip('"') for part in parameters if part.startswith("version=")), "")
        if kind == OPENMETRICS and version not in {"", "1.0.0"}:
            continue
        quality = next((float(q[1]) for part in parameters if (q := _QUALITY.fullmatch(part))), 1.0)
        best[kind] = max(best[kind], quality)
    return OPENMETRICS if best[OPENMETRICS] > 0 and best[OPENMETRICS] >= best[TEXT] else TEXT


def _least(values: Values, key: tuple[str, ...], value: float) -> None:
    values[key] = min(values.get(key, 1), value)


def _pool(values: Histograms, key: tuple[str, ...], state: HistogramState) -> None:
    """Histograms of one family have the same bounds."""
    known = values.get(key)
    if known is None:
        values[key] = state
        return
    counts = tuple(one + other for one, other in zip(known.counts, state.counts, strict=True))
    values[key] = HistogramState(known.bounds, counts, known.total + state.total)


def _metric(family: Family, values: Values | Histograms) -> Metric:
    """The same for prometheus-client."""
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for key, state in cast("Histograms", values).items():
            bounds = [*map(floatToGoString, state.bounds), "+Inf"]
            histogram.add_metric(key, list(zip(bounds, accumulate(state.counts), strict=True)), state.total)
        return histogram
    if family.kind == "counter":
        metric: Metric = CounterMetricFamily(family.name.removesuffix("_total"), family.help, labels=family.labels)
    else:
        metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for key, value in cast("Values", values).items():
        metric.add_sample(family.name, dict(zip(family.labels, key, strict=True)), float(value))
    return metric
