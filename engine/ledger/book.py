"""Second step of the memory: facts of the journal -> subjects -> verdicts -> tallies, one transaction per chunk.

A patient is the set of facts that share an identifier (IPP, INS, venue, dossier). Its state is never stored, only its facts:
whatever their order, the fold of the set is the same. A chunk reads each patient it touches once, folds it, and moves the
tallies by the difference between its old verdicts and its new ones.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from engine.facts import HL7, AnyFact, Document, Mailed, Outcome, Sent, Submission
from engine.ledger import tallies, totals
from engine.ledger.applications import Applications
from engine.ledger.changes import Changes, Judged
from engine.ledger.exchange import MOST, Exchange, Send
from engine.ledger.handles import handles
from engine.ledger.patient import Attachment, View, fold

# One patient never holds more: a sender that puts one number on everybody must not stop the engine. The latest are kept,
# which does not depend on the order of arrival.
MOST_FACTS: Final = 100_000

# A document id that more patients than these are said to have names no document.
MOST_HOLDERS: Final = 16

_PAGE: Final = 256
_DAY: Final = 86_400
_facts: Final = msgspec.msgpack.Decoder(list[bytes])
_fact: Final = msgspec.msgpack.Decoder(AnyFact)
_exchange: Final = msgspec.msgpack.Decoder(Exchange)
_encoder: Final = msgspec.msgpack.Encoder()


Judge = Callable[[View], Judged]
Key = tuple[int, bytes, bytes]
"""Day, digest of the control id, digest of the content: what makes a message the same message."""


def encode(facts: Iterable[AnyFact]) -> bytes:
    """Facts as the journal and the patients keep them: a list of facts, each encoded by itself."""
    return _encoder.encode([_encoder.encode(fact) for fact in facts])


def decode(blob: bytes) -> list[AnyFact]:
    """What :func:`encode` encoded."""
    return [_fact.decode(fact) for fact in _facts.decode(blob)]


class _Patient(Struct):
    """A patient while a chunk is folded."""

    facts: set[bytes]
    verdicts: bytes
    measures: bytes
    new: bool
    dirty: bool = False


class Book:
    """The subjects of a store; one writer, one thread."""

    def __init__(self, connection: sqlite3.Connection, judge: Judge, attachment: Attachment) -> None:
        self._connection = connection
        self._judge = judge
        self._attachment = attachment
        self._merged: dict[int, int] = dict(connection.execute("SELECT id, into_id FROM merges"))
        # A number that was merged away is never given again.
        last = connection.execute(
            "SELECT max(coalesce(max(id), 0), (SELECT coalesce(max(id), 0) FROM merges)) FROM patients"
        )
        self._next = int(last.fetchone()[0]) + 1
        self.applications = Applications(connection)
        self.dropped = 0
        self._patients: dict[int, _Patient] = {}
        self._handles: dict[bytes, int] = {}
        self._exchanges: dict[bytes, Exchange] = {}
        self._changed_exchanges: set[bytes] = set()
        self._crowded_out: set[bytes] = set()  # who lost their place in an exchange, hence their answers
        self._gone: dict[int, int] = {}
        self._new_handles: dict[bytes, int] = {}
        self._held: set[tuple[bytes, int]] = set()

    # -- a chunk ------------------------------------------------------------------------------------------------------

    def fold(self, limit: int, today: int) -> tuple[list[Key], Changes]:
        """Fold at most ``limit`` messages of the journal; their keys, now in ``seen``, and how the sums changed."""
        select = "SELECT seq, day, control, content, facts FROM journal ORDER BY seq LIMIT ?"
        rows = self._connection.execute(select, (limit,)).fetchall()
        if not rows:
            return [], Changes(Counter(), Counter())
        keys = [(day, control, content) for _, day, control, content, _ in rows]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for *_, blob in rows:
                for encoded in _facts.decode(blob) if blob is not None else ():
                    self._take(_fact.decode(encoded), encoded)
            changes = self._close(today)
            self._leave(rows[-1][0], keys)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._merged = dict(self._connection.execute("SELECT id, into_id FROM merges"))
            self.applications = Applications(self._connection)
            raise
        finally:
            self._forget()
        return keys, changes

    def _leave(self, last: int, keys: list[Key]) -> None:
        self._connection.executemany("INSERT OR IGNORE INTO seen VALUES(?, ?, ?)", sorted(keys))
        self._connection.execute("DELETE FROM journal WHERE seq <= ?", (last,))

    def oldest(self) -> bytes:
        """The encoded facts of the oldest message of the journal."""
        row = self._connection.execute("SELECT facts FROM journal ORDER BY seq LIMIT 1").fetchone()
        return bytes(row[0] or b"")

    def skip(self) -> list[Key]:
        """Take the oldest message of the journal out of it without folding it; its key."""
        select = "SELECT seq, day, control, content FROM journal ORDER BY seq LIMIT 1"
        seq, day, control, content = self._connection.execute(select).fetchone()
        keys = [(day, control, content)]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._leave(seq, keys)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return keys

    def _forget(self) -> None:
        for table in (self._patients, self._handles, self._exchanges, self._gone, self._new_handles):
            table.clear()
        self._changed_exchanges.clear()
        self._crowded_out.clear()
        self._held.clear()
        self.applications.forget()

    def _take(self, fact: AnyFact, encoded: bytes) -> None:
        if isinstance(fact, Sent):
            self.applications.sent(fact)
            return
        if isinstance(fact, Outcome):
            self._answer(fact)
            return
        found, ins = handles(fact)
        if not found:
            return
        number = self._join(found)
        if ins is not None:
            number = self._hold(ins, number)
        elif getattr(fact, "ins", None) == found[0]:
            number = self._gather(found[0], number)
        patient = self._patient(number)
        if encoded not in patient.facts:
            patient.facts.add(encoded)
            patient.dirty = True
        if isinstance(fact, Document):
            self._send(fact, found[0])
        elif isinstance(fact, Submission):
            self._named(fact.key, fact.at, found[0])
        elif isinstance(fact, Mailed):
            self._mail(fact, found[0])

    # -- exchanges ----------------------------------------------------------------------------------------------------

    def _send(self, document: Document, anchor: bytes) -> None:
        for key in {document.exchange, *document.keys, document.id, document.alias}:
            if key is not None:
                self._named(key, document.at, anchor)
        for name in {document.id, document.alias}:
            if name is not None:
                self._meet(name)
        if document.trace == HL7:
            # The platform's technical acknowledgement may have come first.
            exchange = changed = self._exchange(document.exchange)
            for outcome in self.applications.outcomes(document.at // _DAY, document.exchange):
                changed = changed.with_outcome(outcome)
            self._exchange_changed(document.exchange, exchange, changed)
        elif document.control is not None:  # it sent nothing under that control id: the HL7 message did
            exchange = self._exchange(document.control)
            self._exchange_changed(document.control, exchange, exchange.with_watcher(Send(document.at, anchor)))

    def _mail(self, fact: Mailed, anchor: bytes) -> None:
        """A mail under another INS than the document it carries is still that document's: whoever holds it is folded with it."""
        self._named(fact.message, fact.at, anchor)
        for name in {fact.document, fact.alias}:
            if name is not None:
                exchange = self._exchange(name)
                self._exchange_changed(name, exchange, exchange.with_watcher(Send(fact.at, anchor)))
                self._meet(name)

    def _meet(self, name: bytes) -> None:
        """One set of facts for the patients of a document and of the mails that carried it."""
        exchange = self._exchange(name)
        anchors = exchange.anchors()
        if exchange.sends and exchange.watchers and len(anchors) <= MOST_HOLDERS:  # more: it is no identifier
            numbers = sorted({number for anchor in anchors if (number := self._find(anchor)) is not None})
            for gone in numbers[1:]:
                self._merge(numbers[0], gone)

    def _named(self, key: bytes, at: int, anchor: bytes) -> None:
        """Something was sent under a key that answers may name."""
        exchange = self._exchange(key)
        self._exchange_changed(key, exchange, exchange.with_send(Send(at, anchor)))

    def _answer(self, outcome: Outcome) -> None:
        exchange = self._exchange(outcome.exchange)
        if outcome.layer == "technical" and outcome.sender:  # by an application, not a trace's word of the transport
            self.applications.answered(outcome)
            day = outcome.at // _DAY
            if not any(send.at // _DAY in {day, day - 1} for send in exchange.sends):
                return
        self._exchange_changed(outcome.exchange, exchange, exchange.with_outcome(outcome))

    def _exchange_changed(self, key: bytes, before: Exchange, after: Exchange) -> None:
        if after is before:
            return
        self._exchanges[key] = after
        self._changed_exchanges.add(key)
        if max(len(before.sends), len(before.watchers)) == MOST:
            self._crowded_out |= before.anchors() - after.anchors()

    def _exchange(self, key: bytes) -> Exchange:
        found = self._exchanges.get(key)
        if found is None:
            row = self._connection.execute("SELECT content FROM exchanges WHERE exchange = ?", (key,)).fetchone()
            found = self._exchanges[key] = _exchange.decode(row[0]) if row else Exchange()
        return found

    # -- patients -----------------------------------------------------------------------------------------------------

    def _resolve(self, number: int) -> int:
        while (into := self._merged.get(number)) is not None:
            number = into
        return number

    def _find(self, handle: bytes) -> int | None:
        number = self._handles.get(handle)
        if number is None:
            row = self._connection.execute("SELECT patient FROM handles WHERE handle = ?", (handle,)).fetchone()
            if row is None:
                return None
            number = self._handles[handle] = row[0]
        return self._resolve(number)

    def _join(self, found: list[bytes]) -> int:
        """The patient of these identifiers: a new one, or the union of those they had."""
        numbers = {handle: self._find(handle) for handle in found}
        known = sorted({number for number in numbers.values() if number is not None})
        if known:
            kept = known[0]
        else:
            kept = self._next
            self._next += 1
            self._patients[kept] = _Patient(set(), b"\x90", totals.NOTHING, new=True)
        for handle, number in numbers.items():
            if number is None:
                self._handles[handle] = self._new_handles[handle] = kept
        for number in known[1:]:
            self._merge(kept, number)
        return kept

    def _hold(self, ins: bytes, number: int) -> int:
        """Remember who has an INS; its patient when a fact that names nothing else made the INS a handle."""
        if (ins, number) in self._held:
            return number
        self._held.add((ins, number))
        named = self._find(ins)
        if named is None or named == number:
            return number
        kept, gone = sorted((named, number))
        self._merge(kept, gone)
        return kept

    def _gather(self, ins: bytes, number: int) -> int:
        """All the patients who have an INS are one set of facts, once a fact names nothing else."""
        rows = self._connection.execute("SELECT patient FROM holders WHERE ins = ?", (ins,)).fetchall()
        holders = [row[0] for row in rows] + [holder for held, holder in self._held if held == ins]
        numbers = sorted({number, *map(self._resolve, holders)})
        for gone in numbers[1:]:
            self._merge(numbers[0], gone)
        return numbers[0]

    def _merge(self, kept: int, gone: int) -> None:
        target, source = self._patient(kept), self._patient(gone)
        target.facts |= source.facts
        target.dirty = True
        source.facts = set()
        source.dirty = True  # its verdicts are taken off
        self._merged[gone] = self._gone[gone] = kept

    def _patient(self, number: int) -> _Patient:
        found = self._patients.get(number)
        if found is None:
            select = "SELECT facts, verdicts, measures FROM patients WHERE id = ?"
            facts, verdicts, measures = self._connection.execute(select, (number,)).fetchone()
            found = self._patients[number] = _Patient(set(_facts.decode(facts)), verdicts, measures, new=False)
        return found

    # -- the end of a chunk -------------------------------------------------------------------------------------------

    def _close(self, today: int) -> Changes:
        for anchor in self._crowded_out.union(*(self._exchanges[key].anchors() for key in self._changed_exchanges)):
            number = self._find(anchor)
            if number is not None:
                self._patient(number).dirty = True
        changes = Changes(Counter(), Counter())
        rows: list[tuple[bytes, bytes, bytes, int]] = []
        for number, patient in self._patients.items():
            if not patient.dirty:
                continue
            judged = self._judged(patient)
            verdicts, measures = tallies.pack(judged.verdicts), totals.pack(judged.measures)
            if verdicts != patient.verdicts:
                changes.verdicts.update(judged.verdicts)
                changes.verdicts.subtract(tallies.unpack(patient.verdicts))
            if measures != patient.measures:
                changes.measures.update(judged.measures)
                changes.measures.subtract(totals.unpack(patient.measures))
            if number not in self._gone:
                rows.append((_encoder.encode(sorted(patient.facts)), verdicts, measures, number))
        execute = self._connection.executemany
        execute("INSERT OR REPLACE INTO patients(facts, verdicts, measures, id) VALUES(?, ?, ?, ?)", rows)
        execute("INSERT INTO handles VALUES(?, ?)", sorted(self._new_handles.items()))
        execute("INSERT OR IGNORE INTO holders VALUES(?, ?)", sorted(self._held))
        execute("INSERT INTO merges VALUES(?, ?)", self._gone.items())
        execute("DELETE FROM patients WHERE id = ?", [(number,) for number in self._gone])
        execute(
            "INSERT OR REPLACE INTO exchanges VALUES(?, ?)",
            [(key, _encoder.encode(self._exchanges[key])) for key in sorted(self._changed_exchanges)],
        )
        self.applications.flush(today)
        changes = Changes(
            Counter({verdict: n for verdict, n in changes.verdicts.items() if n}),
            Counter({measure: n for measure, n in changes.measures.items() if n}),
        )
        tallies.write(self._connection, changes.verdicts)
        totals.write(self._connection, changes.measures)
        return changes

    def _judged(self, patient: _Patient) -> Judged:
        if len(patient.facts) > MOST_FACTS:
            self.dropped += len(patient.facts) - MOST_FACTS
            patient.facts = set(sorted(patient.facts, key=_latest)[-MOST_FACTS:])
        return self._judge(self.view(sorted(patient.facts)))

    def view(self, encoded: Iterable[bytes]) -> View:
        """The fold of a patient's encoded facts, given in canonical order."""
        return fold([_fact.decode(fact) for fact in encoded], self._exchange, self._attachment)

    # -- reading back -------------------------------------------------------------------------------------------------

    def find(self, handle: bytes) -> View | None:
        """What is known of the patient of an identifier."""
        number = self._find(handle)
        if number is None:
            return None
        row = self._connection.execute("SELECT facts FROM patients WHERE id = ?", (number,)).fetchone()
        try:
            return self.view(sorted(_facts.decode(row[0])))
        finally:
            self._forget()

    def views(self) -> Iterator[list[tuple[int, View]]]:
        """Every patient folded again from its facts, by pages, so that a caller may write to what it has read."""
        last = 0
        page = "SELECT id, facts FROM patients WHERE id > ? ORDER BY id LIMIT ?"
        while rows := self._connection.execute(page, (last, _PAGE)).fetchall():
            views = [(number, self.view(sorted(_facts.decode(blob)))) for number, blob in rows]
            self._exchanges.clear()
            yield views
            last = rows[-1][0]

    def judged(self, facts: bytes) -> Judged:
        """A patient judged again from its facts as they are stored."""
        try:
            return self._judge(self.view(sorted(_facts.decode(facts))))
        finally:
            self._exchanges.clear()

    def everyone(self) -> Iterator[list[tuple[int, Judged]]]:
        """Every patient judged again from its facts, by pages."""
        for page in self.views():
            yield [(number, self._judge(view)) for number, view in page]


def _latest(encoded: bytes) -> tuple[int, bytes]:
    return (_fact.decode(encoded).at, encoded)
