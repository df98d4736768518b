"""D6.2, P4.3, PS3.2 and PS4.1: met or not, of what is there, of its age and of what was sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.ledger.ledger import Ledger
from engine.metrics import existence
from engine.metrics.existence import Seen
from engine.metrics.periods import windows
from engine.metrics.rules.verdict import MET, MSS_REFUSED, Verdict
from engine.metrics.settings import RuleSettings
from engine.standing import Standing

FINESS = "990000001"
OTHER = "990000019"
TODAY = 739_000
DAY = 86_400
NOW = 1_000 * DAY


@pytest.fixture
def ledger(tmp_path: Path):
    """An empty store."""
    made = Ledger(tmp_path / "jauge.db", RuleSettings(), {"pseudonyms": b"12345678"})
    yield made
    made.close()


def tell(
    ledger: Ledger, indicator: str, day: int, outcome: str = MET, unit: str = "", establishment: str = FINESS
) -> None:
    """What the rules said of some sendings of one day."""
    ledger.sums.apply({Verdict(indicator, establishment, unit, day, outcome, 0): 2})


class TestDirectory:
    """D6.2."""

    @pytest.mark.parametrize(
        ("age", "reason"), [(0, ""), (183 * DAY, ""), (183 * DAY + 1, "directory_old"), (-DAY, "")]
    )
    def test_age(self, age: int, reason: str) -> None:
        """Up to date until the day that is set, and not a second more; one dated from tomorrow is."""
        assert existence.directory(Seen(NOW, NOW - age)) == reason

    def test_none(self) -> None:
        """Without a file there is no directory."""
        assert existence.directory(Seen(NOW)) == "no_directory"


class TestMail:
    """P4.3 and PS3.2."""

    @pytest.mark.parametrize(("ago", "met"), [(0, True), (30, True), (31, False), (-1, False)])
    def test_recent(self, ledger: Ledger, ago: int, met: bool) -> None:
        """One sending that was not refused, of the last days, is enough."""
        tell(ledger, "P4.3", TODAY - ago)
        assert (existence.mail(ledger.sums, FINESS, TODAY, Seen(NOW)) == "") is met

    def test_refused(self, ledger: Ledger) -> None:
        """Refused sendings prove nothing, nor do those of another establishment."""
        tell(ledger, "P4.3", TODAY, MSS_REFUSED)
        tell(ledger, "P4.3", TODAY, establishment=OTHER)
        assert existence.mail(ledger.sums, FINESS, TODAY, Seen(NOW)) == "no_mail_seen"


class TestProof:
    """PS4.1."""

    @pytest.mark.parametrize(
        ("proof", "reason"),
        [
            (Standing(FINESS), "no_test"),
            (Standing(FINESS, sent_at=5, declared=True), "no_reply"),
            (Standing(FINESS, sent_at=5, proven_at=5, expires_at=NOW + 1), "no_mailbox"),
            (Standing(FINESS, sent_at=5, proven_at=5, expires_at=NOW, declared=True), "proof_old"),
            (Standing(FINESS, sent_at=5, proven_at=5, expires_at=NOW + 1, declared=True), ""),
        ],
    )
    def test_way(self, proof: Standing, reason: str) -> None:
        """Sent, answered, mailbox declared, not too old: the first that is missing is the reason."""
        assert existence.proof(proof, Seen(NOW)) == reason


class TestValues:
    """What is shown."""

    def test_one_of_one(self, ledger: Ledger) -> None:
        """Each is 1 or 0 of 1, the same in both windows, with its reason when it is 0."""
        tell(ledger, "P4.3", TODAY)
        found = list(existence.indicators(ledger.sums, FINESS, windows(TODAY, 3), Seen(NOW), Standing(FINESS)))
        assert [value.indicator for value in found[::2]] == list(existence.INDICATORS)
        shown = {value.indicator: (value.numerator, value.denominator, value.missed) for value in found}
        assert shown == {
            "D6.2": (0, 1, {"no_directory": 1}),
            "P4.3": (1, 1, {}),
            "PS3.2": (1, 1, {}),
            "PS4.1": (0, 1, {"no_test": 1}),
        }
        assert [value.window for value in found[:2]] == ["official", "rolling"]

    def test_without_ps41(self, ledger: Ledger) -> None:
        """PS4.1 is not said where it is not set up."""
        found = existence.indicators(ledger.sums, FINESS, windows(TODAY, 3), Seen(NOW))
        assert "PS4.1" not in {value.indicator for value in found}

    def test_unknown_addresses(self, ledger: Ledger) -> None:
        """Each address counts once, in the rolling window, for the establishment that wrote to it."""
        for day, unit in ((TODAY, "aa"), (TODAY - 1, "aa"), (TODAY, "bb"), (TODAY - 400, "cc")):
            tell(ledger, "D6.2_unknown", day, unit=unit)
        tell(ledger, "D6.2_unknown", TODAY, unit="dd", establishment=OTHER)
        assert existence.unknown_addresses(ledger.sums, FINESS, windows(TODAY, 3)) == 2
