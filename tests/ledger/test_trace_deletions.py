"""What traces take out of the DMP, and what heals it."""

from __future__ import annotations

from msgspec import structs

from engine.facts import LOG, AnyFact, Document
from tests.ledger.build import identity
from tests.ledger.facts import handle
from tests.ledger.letter import ENTRY, OWN, take
from tests.ledger.test_order import Store
from tests.ledger.test_traces import STAY, said, traced


class TestOut:
    """What takes a document out, and what heals it."""

    def outcomes(self, *facts: AnyFact) -> set[str]:
        """The outcomes of DS1.1 of the one stay."""
        store = Store()
        try:
            take(store, identity("2026-03-02 09:00"), *STAY, *facts)
            assert store.ledger.audit() == []
            return {one.outcome for one in store.tallies() if one.indicator == "DS1.1"}
        finally:
            store.close()

    def gone(self, when: str, number: int = 5) -> Document:
        """An ITI-57 by the entryUUID."""
        return traced(when, key=handle("message", number), id=None, entry=ENTRY, request="deletion")

    ACCEPTED = (traced("2026-03-05 15:00", entry=ENTRY), said("2026-03-05 15:01"))

    def test_a_deletion_before_its_document_comes_takes_it_out(self) -> None:
        """It came first to Jauge, not to the DMP."""
        assert self.outcomes(self.gone("2026-03-06 15:00"), *self.ACCEPTED) == {"deleted"}

    def test_a_deletion_that_the_dmp_refused_changes_nothing(self) -> None:
        """ITI-57 Failure."""
        no = said("2026-03-06 15:01", handle("message", 5), accepted=False)
        assert self.outcomes(*self.ACCEPTED, self.gone("2026-03-06 15:00"), no) == {"met"}

    def test_a_submission_after_the_deletion_heals(self) -> None:
        """Submitted again, accepted again."""
        again = handle("message", 6)
        facts = (*self.ACCEPTED, self.gone("2026-03-06 15:00"), traced("2026-03-07 15:00", key=again))
        assert self.outcomes(*facts) == {"deleted"}
        assert self.outcomes(*facts, said("2026-03-07 15:01", again)) == {"met"}

    def test_a_line_without_patient_takes_out_what_it_names(self) -> None:
        """It says deleted, and the id of the document; a resubmission heals that too."""
        word = said("2026-03-06 15:00", OWN, layer="withdrawal", trace=LOG)
        again = handle("message", 6)
        later = (traced("2026-03-07 15:00", key=again), said("2026-03-07 15:01", again))
        assert self.outcomes(*self.ACCEPTED, word) == self.outcomes(word, *self.ACCEPTED) == {"deleted"}
        assert self.outcomes(*self.ACCEPTED, structs.replace(word, accepted=False)) == {"met"}
        assert self.outcomes(*self.ACCEPTED, word, *later) == {"met"}

    def test_the_next_version_deleted_takes_the_former_out(self) -> None:
        """The DMP holds the last version only; the first one deleted leaves the second."""
        new = traced("2026-03-06 15:00", key=handle("message", 2), id=handle("document", 2), replaces=OWN, version=2)
        both = (*self.ACCEPTED, new, said("2026-03-06 15:01", handle("message", 2)))
        word = said("2026-03-07 15:00", handle("document", 2), layer="withdrawal", trace=LOG)
        assert self.outcomes(*both) == {"met"}
        assert self.outcomes(*both, word) == {"deleted"}
        assert self.outcomes(*both, structs.replace(word, exchange=OWN)) == {"met"}
