"""``jauge contradictions`` lists what a stronger trace contradicts, and says how to find the stay."""

from __future__ import annotations

import json
from pathlib import Path

from engine.commands.contradictions import Line, lines
from engine.facts import LOG, TRANSACTION
from tests.commands.store import fill, jauge, site
from tests.ledger.build import answer, document
from tests.ledger.facts import FINESS, handle
from tests.ledger.test_traces import STAY, said, traced, view

LETTER = document("2026-03-05 15:00")
# The log of the platform says yes just after midnight of Paris; the response said no just before.
NIGHT = (
    *STAY,
    traced("2026-03-05 23:59", TRANSACTION),
    said("2026-03-05 23:59", accepted=False),
    traced("2026-03-06 00:01", LOG, handle("message", 2)),
    said("2026-03-06 00:01", handle("message", 2), trace=LOG),
)
LINE = Line(
    FINESS, "2026-03-05", "11490-0", "lettre de liaison", "log", "accepted", "2026-03-05T23:01:00Z", "transaction"
)


class TestLines:
    """One line for each."""

    def test_tells_who_said_what_and_who_holds(self) -> None:
        """The weaker trace and its word, the trace that holds, on the local day of the attempt."""
        assert list(lines(view(*NIGHT), {FINESS: "Europe/Paris"})) == [LINE]

    def test_the_day_is_that_of_the_establishment(self) -> None:
        """At Nouméa the same attempt was made the next morning."""
        (line,) = lines(view(*NIGHT), {FINESS: "Pacific/Noumea"})

        assert line.day == "2026-03-06"

    def test_traces_that_agree_are_not_listed(self) -> None:
        """The same word twice is no contradiction, nor is a correction by the same trace."""
        corrected = answer("2026-03-05 16:00", accepted=False), answer("2026-03-05 17:00")
        agreed = traced("2026-03-05 15:01"), said("2026-03-05 15:01")

        assert list(lines(view(*STAY, LETTER, *corrected, *agreed), {})) == []


class TestCommand:
    """The command over a store."""

    def test_lists_every_contradiction(self, tmp_path: Path) -> None:
        """As a table that says how to find the stay, and as JSON."""
        path = site(tmp_path)
        fill(path, *NIGHT)
        found = jauge("contradictions", "-c", path)
        told = " ".join(found.output.split())

        assert found.exit_code == 0
        assert "Contradictions: 1" in told
        assert "11490-0 lettre de liaison" in told
        assert "jauge explain" in told
        assert json.loads(jauge("contradictions", "-c", path, "--json").output) == {
            "contradictions": [
                {
                    "establishment": FINESS,
                    "day": LINE.day,
                    "type_code": "11490-0",
                    "kind": "lettre de liaison",
                    "trace": "log",
                    "said": "accepted",
                    "said_at": LINE.said_at,
                    "holds": "transaction",
                }
            ]
        }

    def test_a_store_without_any_says_so(self, tmp_path: Path) -> None:
        """No empty table."""
        path = site(tmp_path)
        fill(path, *STAY, LETTER, answer("2026-03-05 16:00"))

        assert jauge("contradictions", "-c", path).output.strip() == "no trace contradicts another"
        assert json.loads(jauge("contradictions", "-c", path, "--json").output) == {"contradictions": []}

    def test_wants_a_store(self, tmp_path: Path) -> None:
        """No store yet: 3, and a sentence."""
        found = jauge("contradictions", "-c", site(tmp_path))

        assert found.exit_code == 3
        assert "no store" in found.output
