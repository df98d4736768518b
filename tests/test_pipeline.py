"""accept -> parse -> batch -> commit -> acknowledge -> fold: the promises of the pipeline."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from engine.feed import Feed
from engine.ledger import tallies
from engine.ledger.ledger import Ledger
from engine.metrics.settings import RuleSettings
from engine.parsers import hl7
from engine.parsers.context import Context, default
from engine.parsers.parsed import Parsed
from engine.pipeline import Pipeline
from engine.privacy import Digests
from engine.receipt import Receipt
from engine.seal import Seal
from tests.messages import adt, stay

KEY = b"k" * 32
IDS = {"pseudonyms": b"12345678"}


def feed(**more: Any) -> Feed:
    """A feed that reads HL7 with pseudonyms good for tests only."""
    return Feed("his", default(), Digests(KEY), Seal(KEY), **more)


@asynccontextmanager
async def running(path: Path, **more: Any) -> AsyncIterator[tuple[Pipeline, Ledger]]:
    """A pipeline over a store in ``path``."""
    ledger = Ledger(path / "jauge.db", RuleSettings(), IDS)
    pipeline = Pipeline(ledger, {"his": feed(**more)})
    pipeline.start()
    try:
        yield pipeline, ledger
    finally:
        await pipeline.stop()
        ledger.close()


async def folded(ledger: Ledger) -> None:
    """Wait until nothing is pending."""
    for _ in range(6_000):
        if not ledger.journal.pending:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the journal was not folded")


def counter(ledger: Ledger, name: str, code: str = "") -> int:
    """One counter of the feed."""
    return ledger.journal.counters["his", name, code]


async def test_a_receipt_is_given_once_the_message_is_on_disk(tmp_path: Path) -> None:
    """At the instant of the receipt, another connection to the store sees the message."""
    async with running(tmp_path) as (pipeline, _):
        seen: list[int] = []

        def done(_: Receipt) -> None:
            other = sqlite3.connect(tmp_path / "jauge.db")
            seen.append(
                other.execute("SELECT (SELECT count(*) FROM seen) + (SELECT count(*) FROM journal)").fetchone()[0]
            )
            other.close()

        pipeline.submit(adt(1), "his", done)
        assert (await pipeline.accept(adt(2), "his")).status == "accepted"
        assert seen
        assert seen[0] >= 1


async def test_the_same_message_is_acknowledged_and_counted_once(tmp_path: Path) -> None:
    """In one batch, in two, and after a restart."""
    async with running(tmp_path) as (pipeline, _):
        receipts = await asyncio.gather(*(pipeline.accept(adt(1), "his") for _ in range(3)))
        assert sorted(receipt.status for receipt in receipts) == ["accepted", "duplicate", "duplicate"]
    async with running(tmp_path) as (pipeline, ledger):
        assert (await pipeline.accept(adt(1), "his")).status == "duplicate"
        assert (counter(ledger, "received"), counter(ledger, "duplicate")) == (4, 3)


async def test_an_archive_with_other_line_ends_is_the_same_message(tmp_path: Path) -> None:
    """Saved with LF or CRLF, with or without the last one: a duplicate, not a reused control id."""
    async with running(tmp_path) as (pipeline, ledger):
        assert (await pipeline.accept(adt(1), "his")).status == "accepted"
        for end in (b"\n", b"\r\n"):
            copy = adt(1).replace(b"\r", end)
            assert (await pipeline.accept(copy, "his")).status == "duplicate"
            assert (await pipeline.accept(copy.rstrip(end), "his")).status == "duplicate"
        assert counter(ledger, "reused") == 0


async def test_a_batch_in_one_payload_is_its_messages(tmp_path: Path) -> None:
    """FHS, BHS, two messages, BTS, FTS over any transport: each counted, and again as duplicates; an empty one is legal."""
    head, tail = b"FHS|^~\\&|GAM|HX\rBHS|^~\\&|GAM|HX\r", b"BTS|2\rFTS|1\r"
    async with running(tmp_path) as (pipeline, ledger):
        payload = head + b"".join(stay(1)) + tail
        assert (await pipeline.accept(payload, "his")).status == "accepted"
        assert (await pipeline.accept(payload, "his")).status == "duplicate"
        assert (await pipeline.accept(head + tail, "his")).status == "accepted"
        await folded(ledger)
        assert (counter(ledger, "received"), counter(ledger, "duplicate")) == (4, 2)
        assert sum(n for v, n in tallies.stored(ledger._connection).items() if v.indicator == "DS1.1") == 1


@pytest.mark.parametrize(
    "payload", [b"FHSnoise", b"BHS\xff\x00", b"FHS|^~\\&|GAM\rnoise\r", b"FHS|^~\\&|GAM\rFTS|0\rnoise"]
)
async def test_what_only_begins_like_a_batch_is_put_aside(tmp_path: Path, payload: bytes) -> None:
    """Nothing that came is acknowledged without being counted and kept, unless it is an empty batch."""
    async with running(tmp_path) as (pipeline, ledger):
        assert (await pipeline.accept(payload, "his")).status == "aside"
        assert counter(ledger, "received") == 1
        assert ledger.journal.aside == 1


async def test_a_message_that_cannot_be_taken_out_leaves_no_transaction_open(tmp_path: Path) -> None:
    """A full disk in the middle of putting a message aside: later the same works."""
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(), IDS)
    ledger.record([feed().read(adt(number, visit=number), 1) for number in range(3)])
    leave = ledger.book._leave

    def full(*_: object) -> None:
        raise sqlite3.OperationalError

    ledger.book._leave = full  # type: ignore[method-assign]
    with pytest.raises(sqlite3.OperationalError):
        ledger.skip()
    ledger.book._leave = leave  # type: ignore[method-assign]
    assert ledger.journal.pending == 3
    ledger.skip()
    assert ledger.fold(10) == 2
    ledger.close()


async def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counting waits and tries again, in silence: the log is often on the same disk. It goes on by itself."""
    monkeypatch.setattr("engine.pipeline._RETRY", 0.01)
    tries = 0
    async with running(tmp_path) as (pipeline, ledger):
        fold = ledger.fold

        def full(limit: int) -> int:
            nonlocal tries
            tries += 1
            if tries < 10:
                raise sqlite3.OperationalError
            return fold(limit)

        with structlog.testing.capture_logs() as lines:
            ledger.fold = full  # type: ignore[method-assign]
            assert (await pipeline.accept(adt(1), "his")).status == "accepted"
            await folded(ledger)
    assert [line["event"] for line in lines].count("fold-postponed") == 1
    assert tries >= 10


async def test_a_control_id_used_again_is_a_new_message(tmp_path: Path) -> None:
    """The same control id with other content: accepted, and counted as reused."""
    async with running(tmp_path) as (pipeline, ledger):
        assert (await pipeline.accept(adt(1), "his")).status == "accepted"
        assert (await pipeline.accept(adt(1, visit=2), "his")).status == "accepted"
        assert counter(ledger, "reused") == 1


async def test_what_cannot_be_read_is_put_aside_sealed(tmp_path: Path) -> None:
    """Acknowledged, counted by its code, and only the sealing key opens it."""
    junk = b"H|^~\\&|MARKED-NAME"
    async with running(tmp_path) as (pipeline, ledger):
        receipt = await pipeline.accept(junk, "his")
        assert (receipt.status, receipt.code) == ("aside", "not-hl7")
        assert counter(ledger, "rejected", "not-hl7") == 1
        assert ledger.journal.aside == 1
    store = sqlite3.connect(tmp_path / "jauge.db")
    (sealed,) = store.execute("SELECT sealed FROM aside").fetchone()
    store.close()
    assert b"MARKED" not in sealed
    assert Seal(KEY).open(sealed, b"his") == junk


async def test_refusing_is_the_other_choice(tmp_path: Path) -> None:
    """Refused, counted, and nothing kept: the same message may come again and is refused again."""
    async with running(tmp_path, unreadable="refuse") as (pipeline, ledger):
        for _ in range(2):
            assert (await pipeline.accept(b"H|^~\\&|", "his")).status == "refused"
        assert counter(ledger, "rejected", "not-hl7") == 2
        assert ledger.journal.aside == 0


async def test_messages_that_are_not_production_are_acknowledged_and_not_counted(tmp_path: Path) -> None:
    """MSH-11 = T or D."""
    async with running(tmp_path) as (pipeline, ledger):
        for event in ("A01", "A03"):
            assert (await pipeline.accept(adt(1, event, processing="T"), "his")).status == "accepted"
        await folded(ledger)
        assert counter(ledger, "not-production") == 2
    store = sqlite3.connect(tmp_path / "jauge.db")
    assert not tallies.stored(store)
    store.close()


async def test_a_locked_store_makes_the_engine_say_so_and_lose_nothing(tmp_path: Path) -> None:
    """Unavailable while another process holds the store; accepted when the sender tries again."""
    async with running(tmp_path) as (pipeline, ledger):
        ledger._connection.execute("PRAGMA busy_timeout=50")
        other = sqlite3.connect(tmp_path / "jauge.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert (await pipeline.accept(adt(1), "his")).status == "unavailable"
        assert not pipeline.available
        other.execute("ROLLBACK")
        other.close()
        assert (await pipeline.accept(adt(1), "his")).status == "accepted"
        assert pipeline.available


async def test_a_full_disk_makes_the_engine_say_so_and_lose_nothing(tmp_path: Path) -> None:
    """Unavailable while there is no room; what was acknowledged before is still there, the rest is taken later."""
    async with running(tmp_path) as (pipeline, ledger):
        assert (await pipeline.accept(adt(1), "his")).status == "accepted"
        await folded(ledger)
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count={pages}")
        statuses = [(await pipeline.accept(adt(number, visit=number), "his")).status for number in range(2, 300)]
        assert statuses[-1] == "unavailable"
        kept = statuses.count("accepted")
        ledger._connection.execute("PRAGMA max_page_count=1073741823")
        again = [(await pipeline.accept(adt(number, visit=number), "his")).status for number in range(1, 300)]
        assert again.count("duplicate") == 1 + kept
        assert again.count("accepted") == 298 - kept
        await folded(ledger)
        assert ledger.audit() == []


async def test_the_oldest_of_what_was_put_aside_leaves_when_there_is_no_room(tmp_path: Path) -> None:
    """It stays counted."""
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(), IDS, aside_bytes=1_000)
    ledger.record([feed().read(b"noise %d " % number + b"x" * 100, 1) for number in range(20)])
    assert ledger.journal.aside_bytes <= 1_000
    assert ledger.journal.aside < 20
    assert counter(ledger, "rejected", "not-hl7") == 20
    (first,) = ledger._connection.execute("SELECT min(id) FROM aside").fetchone()
    assert first > 1
    ledger.close()


async def test_a_message_that_cannot_be_folded_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in a rule puts one message aside; the ones around it are counted."""
    async with running(tmp_path) as (pipeline, ledger):
        take = ledger.book._take
        bad = len(b"")

        def failing(fact: Any, encoded: bytes) -> None:
            nonlocal bad
            if getattr(fact, "event", "") == "A02":
                bad += 1
                raise ZeroDivisionError
            take(fact, encoded)

        monkeypatch.setattr(ledger.book, "_take", failing)
        admission, discharge = stay(1)
        for payload in (admission, adt(9, "A02"), discharge):
            assert (await pipeline.accept(payload, "his")).status == "accepted"
        await folded(ledger)
        assert bad
        assert counter(ledger, "rejected", "not-folded") == 1
        assert counter(ledger, "received") == 3
        assert sum(n for v, n in tallies.stored(ledger._connection).items() if v.indicator == "DS1.1") == 1


async def test_receipts_come_in_the_order_of_submission(tmp_path: Path) -> None:
    """Whatever becomes of each."""
    async with running(tmp_path) as (pipeline, _):
        order: list[int] = []
        for number in range(50):
            payload = b"noise%d" % number if number % 3 == 0 else adt(number)
            pipeline.submit(payload, "his", lambda _, number=number: order.append(number))  # type: ignore[misc]
        await pipeline.accept(adt(99), "his")
        assert order == list(range(50))


async def test_nobody_waits_for_a_large_message(tmp_path: Path) -> None:
    """While a large one is read, the others are read, committed and acknowledged; it follows when it is ready, also at a stop."""
    reading, go = threading.Event(), threading.Event()

    def slow(payload: bytes, context: Context) -> Parsed:
        if len(payload) > 1_000_000:
            reading.set()
            assert go.wait(30)
        return hl7.parse(payload, context)

    answered: list[str] = []
    large = adt(1) + b"NTE|1||" + b"x" * 2_000_000 + b"\r"
    async with running(tmp_path, parse=slow) as (pipeline, ledger):
        pipeline.submit(large, "his", lambda receipt: answered.append(f"large {receipt.status}"))
        await asyncio.to_thread(reading.wait, 30)
        answered += [(await pipeline.accept(adt(number), "his")).status for number in range(2, 20)]
        assert answered == ["accepted"] * 18
        pipeline.submit(large, "his", lambda receipt: answered.append(f"large {receipt.status}"))
        asyncio.get_running_loop().call_later(0.05, go.set)
    assert answered[18:] == ["large accepted", "large duplicate"]
    assert counter(ledger, "received") == 20


async def test_stopping_answers_everything_that_was_submitted(tmp_path: Path) -> None:
    """Nothing is lost, nothing is left without an answer."""
    answered: list[Receipt] = []
    async with running(tmp_path) as (pipeline, _):
        for number in range(200):
            pipeline.submit(adt(number), "his", answered.append)
    assert [receipt.status for receipt in answered] == ["accepted"] * 200


async def test_what_was_not_folded_is_folded_after_a_restart(tmp_path: Path) -> None:
    """The journal is on disk: a stop between the commit and the fold loses nothing."""
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(), IDS)
    ledger.record([feed().read(payload, 1) for payload in stay(1)])
    ledger.close()
    async with running(tmp_path) as (_, ledger):
        await folded(ledger)
        assert sum(n for v, n in tallies.stored(ledger._connection).items() if v.indicator == "DS1.1") == 1
        assert ledger.audit() == []


async def test_the_backlog_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that come faster than they can be counted wait for the counting, once enough of them are late."""
    monkeypatch.setattr("engine.pipeline._BACKLOG", 50)
    monkeypatch.setattr("engine.pipeline._FRESH", 3_600.0)
    highest = 0
    async with running(tmp_path) as (pipeline, ledger):

        def done(_: Receipt) -> None:
            nonlocal highest
            highest = max(highest, ledger.journal.pending)

        for start in range(0, 2_000, 100):
            for number in range(start, start + 100):
                pipeline.submit(adt(number, visit=number % 50), "his", done)
            await pipeline.accept(adt(10_000 + start), "his")
        await folded(ledger)
    assert 50 <= highest < 1_000


def test_a_sender_that_invents_names_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of applications, the others are one."""
    monkeypatch.setattr("engine.ledger.applications.MOST_NAMES", 20)
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(), IDS)
    payloads = [adt(number).replace(b"|GAM|", b"|APP%d|" % number) for number in range(100)]
    ledger.record([feed().read(payload, 1) for payload in payloads])
    while ledger.fold(10):
        pass
    names = {name for _, name in ledger.book.applications.registers}
    assert len(names) < 25
    assert "other" in names
    ledger.close()


async def test_the_writer_outlives_what_is_shown(tmp_path: Path) -> None:
    """A page that cannot be made costs no message its acknowledgement."""
    ledger = Ledger(tmp_path / "jauge.db", RuleSettings(), IDS)

    def broken() -> None:
        raise ZeroDivisionError

    pipeline = Pipeline(ledger, {"his": feed()}, publish=broken)
    pipeline.start()
    try:
        for number in range(3):
            assert (await pipeline.accept(adt(number), "his")).status == "accepted"
            await asyncio.sleep(0.3)
    finally:
        await pipeline.stop()
        ledger.close()


async def test_a_fault_of_ours_while_writing_is_told_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unavailable, not silence; the writer goes on."""
    async with running(tmp_path) as (pipeline, ledger):
        with monkeypatch.context() as patch:
            patch.setattr(ledger, "record", lambda _: 1 / 0)
            assert (await pipeline.accept(adt(1), "his")).status == "unavailable"
        assert (await pipeline.accept(adt(1), "his")).status == "accepted"
