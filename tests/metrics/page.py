"""The page of metrics of a snapshot, and what Prometheus reads of it."""

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families as read_text

from engine.metrics import catalogue
from engine.metrics.exposition import Exposition
from engine.metrics.snapshot import Snapshot

from .snapshots import small

CATALOGUE = catalogue.load()
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposition(latest: Callable[[], Snapshot] = small, label_values: int = 200) -> Exposition:
    """An exposition with two known codes of each kind."""
    return Exposition(
        latest,
        CATALOGUE,
        version="1.2.3",
        rejection_codes=("msh-missing", "too-large"),
        flag_codes=("ins-key", "charset"),
        error_codes=("XDSUnknownPatientId", "XDSRegistryBusy", "audit-8"),
        label_values=label_values,
    )


def series(snapshot: Snapshot, label_values: int = 200) -> Series:
    """What Prometheus would read of a snapshot."""
    text = exposition(lambda: snapshot, label_values).render().body.decode()
    found: Series = {}
    for family in read_text(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, "a series given twice"
            found[key] = sample.value
    return found


def value(found: Series, name: str, /, **labels: str) -> float | None:
    """One series, None when it is not there."""
    return found.get((name, tuple(sorted(labels.items()))))
