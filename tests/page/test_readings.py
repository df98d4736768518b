"""Days and units read beside the engine: kept for some seconds, bounded, and never an error."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.metrics.periods import Window
from engine.metrics.rules.verdict import MET
from engine.page import readings
from engine.page.readings import KEPT, SHARE, Readings
from tests.page.build import HOSPITAL, TODAY, Site

WINDOW = Window("rolling", TODAY - 91, TODAY, today=TODAY)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A store with one stay."""
    made = Site(tmp_path)
    made.count(("DS1.1", "6268", TODAY, MET, 1))
    yield made
    made.close()


def test_an_answer_is_kept_for_some_seconds(site: Site) -> None:
    """What comes meanwhile is seen once the answer is old; the store is not read at each look."""
    now = 0.0
    found = Readings(site.config.store, lambda: now)
    assert found.days(["DS1.1"], HOSPITAL, WINDOW)["DS1.1"][TODAY].met == 1
    assert found.units("DS1.1", HOSPITAL, WINDOW)["6268"].met == 1
    site.count(("DS1.1", "6268", TODAY, MET, 1))
    assert found.days(["DS1.1"], HOSPITAL, WINDOW)["DS1.1"][TODAY].met == 1
    now = KEPT
    assert found.days(["DS1.1"], HOSPITAL, WINDOW)["DS1.1"][TODAY].met == 2


def test_what_costs_long_is_kept_long(site: Site) -> None:
    """An answer that took two seconds is kept for a minute: a large store is not read all the time."""
    now, step = 0.0, 2.0

    def clock() -> float:
        nonlocal now
        now += step
        return now

    found = Readings(site.config.store, clock)
    found.days(["DS1.1"], HOSPITAL, WINDOW)
    site.count(("DS1.1", "6268", TODAY, MET, 1))
    step = 0.0
    now += SHARE * 2.0 - 1.0
    assert found.days(["DS1.1"], HOSPITAL, WINDOW)["DS1.1"][TODAY].met == 1
    now += 1.0
    assert found.days(["DS1.1"], HOSPITAL, WINDOW)["DS1.1"][TODAY].met == 2


def test_a_store_that_cannot_be_read_shows_what_was_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its time, or without a store at all, a reading gives what it had, or nothing; never an error."""
    now = 0.0
    found = Readings(site.config.store, lambda: now)
    assert found.days(["DS1.1"], HOSPITAL, WINDOW)
    now = KEPT
    monkeypatch.setattr(readings, "reading", lambda *_: (_ for _ in ()).throw(OSError))
    assert found.days(["DS1.1", "D2.2"], HOSPITAL, WINDOW).keys() == {"DS1.1"}
    monkeypatch.undo()
    nowhere = Readings(site.config.store.parent / "elsewhere.db")
    assert nowhere.days(["DS1.1"], HOSPITAL, WINDOW) == {}
    assert nowhere.units("DS1.1", HOSPITAL, WINDOW) is None
    assert not (site.config.store.parent / "elsewhere.db").exists()


def test_what_is_counted_once_has_no_parts(site: Site) -> None:
    """Correspondents have neither days nor units: their pseudonyms are no units."""
    site.count(("DS4.1", "ab" * 16, TODAY, MET, 1))
    found = Readings(site.config.store)
    assert found.days(["DS4.1"], HOSPITAL, WINDOW) == {}
    assert found.units("DS4.1", HOSPITAL, WINDOW) is None


def test_many_threads_at_once(site: Site) -> None:
    """As many people as there are threads see the same numbers."""
    found = Readings(site.config.store, lambda: 0.0)
    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(lambda _: found.days(["DS1.1", "D2.2"], HOSPITAL, WINDOW)["DS1.1"][TODAY].met, range(64)))
    assert set(seen) == {1}
