"""The subjects of the store: who belongs together, who is judged again, and what survives a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from engine.facts import Alias, AnyFact
from engine.metrics.rules.verdict import MET, NOT_ANSWERED, NOT_PRODUCED
from tests.ledger.build import INS, IPP, OTHER_IPP, answer, at, document, identity, movement
from tests.ledger.facts import handle
from tests.ledger.test_order import Store

ADMISSION = movement("A01", "2026-03-02 10:00", 1)
DISCHARGE = movement("A03", "2026-03-05 14:00", 2)
LETTER = document("2026-03-05 15:00")
YES = answer("2026-03-05 16:00")
TAKEN = answer("2026-03-05 15:01", layer="technical", code="AA")


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = Store()
    yield made
    made.close()


def outcomes(store: Store, indicator: str) -> dict[str, int]:
    """What an indicator counts, by outcome; a recount always agrees."""
    assert store.ledger.audit() == []
    found: Counter[str] = Counter()
    for verdict, n in store.tallies().items():
        if verdict.indicator == indicator:
            found[verdict.outcome] += n
    return dict(found)


def take(store: Store, *facts: AnyFact, restart: bool = False) -> None:
    """Each fact in a message of its own, folded at once."""
    for fact in facts:
        store.record([fact])
        store.fold()
        if restart:
            store.reopen()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("order", list(permutations((ADMISSION, DISCHARGE, LETTER, YES)))[::3])
def test_an_answer_is_joined_early_or_late(store: Store, order: tuple[AnyFact, ...], *, restart: bool) -> None:
    """The admission, the discharge, the letter and its acceptance, in any order, across restarts."""
    take(store, *order, restart=restart)
    assert outcomes(store, "DS1.1") == {MET: 1}


def test_an_answer_changes_what_was_counted_before_it(store: Store) -> None:
    """Judged again when the answer comes, though nothing new came about the patient."""
    take(store, ADMISSION, DISCHARGE, LETTER)
    assert outcomes(store, "DS1.1") == {NOT_ANSWERED: 1}
    take(store, YES)
    assert outcomes(store, "DS1.1") == {MET: 1}


@pytest.mark.parametrize("order", list(permutations((ADMISSION, DISCHARGE, LETTER, TAKEN)))[::5])
def test_a_technical_acknowledgement_may_overtake_its_document(store: Store, order: tuple[AnyFact, ...]) -> None:
    """Seen on another connection, before the message it acknowledges."""
    take(store, *order, restart=True)
    assert outcomes(store, "DS1.1_taken") == {MET: 1}


def test_another_message_under_the_same_control_id_moves_the_answer(store: Store) -> None:
    """A late copy of an earlier sending by another patient takes the answer that was not the letter's."""
    take(store, ADMISSION, DISCHARGE, LETTER, answer("2026-03-07 09:00"))
    assert outcomes(store, "DS1.1") == {MET: 1}
    other: dict[str, Any] = {
        "ipp": OTHER_IPP,
        "ins": handle("ins", 2),
        "visit": handle("visit", 2),
        "dossier": handle("dossier", 2),
    }
    take(store, document("2026-03-06 08:00", 2, exchange=LETTER.exchange, **other))
    assert outcomes(store, "DS1.1") == {NOT_ANSWERED: 1}


def test_a_merge_is_remembered_across_a_restart(store: Store) -> None:
    """After an A40, what comes under the number that disappeared is filed under the survivor."""
    names: dict[str, Any] = {
        "ipp": OTHER_IPP,
        "ins": None,
        "visit": handle("visit", 2),
        "dossier": handle("dossier", 2),
    }
    second = [movement("A01", "2026-03-20 10:00", 11, **names), movement("A03", "2026-03-22 10:00", 12, **names)]
    take(store, ADMISSION, DISCHARGE, *second, Alias(at("2026-03-30 10:00"), "ipp", IPP, OTHER_IPP), restart=True)
    assert outcomes(store, "DS1.4") == {NOT_PRODUCED: 1}  # the second stay now has an earlier one
    third: dict[str, Any] = names | {"visit": handle("visit", 3), "dossier": handle("dossier", 3)}
    take(
        store,
        movement("A01", "2026-04-20 10:00", 21, **third),
        movement("A03", "2026-04-22 10:00", 22, **third),
        restart=True,
    )
    assert outcomes(store, "DS1.4") == {NOT_PRODUCED: 2}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("restart", [False, True])
def test_a_document_that_names_only_the_ins_finds_its_patient(store: Store, *, late: bool, restart: bool) -> None:
    """By who has this INS, whether the document or the admission came first."""
    alone = document("2026-03-04 15:00", ipp=None, visit=None, dossier=None)
    known = [ADMISSION, DISCHARGE, identity("2026-03-02 10:00")]
    facts = [*known, alone, answer("2026-03-04 16:00")] if late else [alone, answer("2026-03-04 16:00"), *known]
    take(store, *facts, restart=restart)
    assert outcomes(store, "DS1.1") == {MET: 1}


def test_two_patients_with_one_ins_stay_two(store: Store) -> None:
    """An INS shared by mistake glues nobody: their facts are kept apart."""
    other: dict[str, Any] = {"ipp": OTHER_IPP, "ins": INS, "visit": handle("visit", 2), "dossier": handle("dossier", 2)}
    take(store, ADMISSION, DISCHARGE, movement("A01", "2026-03-20 10:00", 11, **other))
    rows = store.ledger._connection.execute("SELECT count(*) FROM patients").fetchone()[0]
    assert rows == 2
