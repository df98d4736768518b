"""Where an establishment stands: what the register says, read cheaply."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from engine.evidence.record import STATE, Record
from engine.evidence.register import Register
from engine.evidence.standing import Standings
from engine.standing import Standing

from .establishment import FINESS, NOW, begun, failure, reply, sender, sent, settings, submission

DAY = 86_400


def answered(folder: Path, seed: int = 1, at: int = NOW) -> tuple[Register, Record]:
    """A test that was answered two minutes later."""
    register, record = sent(folder, seed, at=at)
    return register, register.received(record, reply(record), "thread", at=at + 130, dated=at + 120)


def stands(folder: Path, **changes: object) -> Standing:
    """The standing of the establishment."""
    (found,) = Standings(folder, settings(**changes)).read()
    return found


class TestValid:
    """Whether PS4.1 is met."""

    def test_sent_answered_declared_and_recent(self, tmp_path: Path) -> None:
        """It is, from the test until valid_days later, and not a second more."""
        answered(tmp_path)
        found = stands(tmp_path)
        assert found == Standing(FINESS, NOW + 2, NOW + 130, NOW, NOW + 183 * DAY, declared=True, awaiting=False)
        assert [found.valid(NOW + days * DAY) for days in (0, 182, 183)] == [True, True, False]

    def test_nothing_is_proven_without_a_register(self, tmp_path: Path) -> None:
        """No folder, no test: never, and not met."""
        found = stands(tmp_path / "absent")
        assert found == Standing(FINESS, declared=True)
        assert not found.valid(NOW)

    def test_a_mailbox_must_be_declared(self, tmp_path: Path) -> None:
        """Without one the same test proves nothing."""
        answered(tmp_path)
        (found,) = Standings(tmp_path, settings(structs.replace(sender(), mailbox=None))).read()
        assert not found.valid(NOW + 1)

    def test_a_later_test_takes_nothing_from_the_proof(self, tmp_path: Path) -> None:
        """The latest test awaits its reply; the earlier one still holds."""
        answered(tmp_path, at=NOW - 10 * DAY)
        sent(tmp_path, seed=2)
        found = stands(tmp_path)
        assert found.awaiting
        assert (found.proven_at, found.sent_at) == (NOW - 10 * DAY, NOW + 2)
        assert found.valid(NOW)

    @pytest.mark.parametrize("error", ["ps41-recipient", "ps41-unconfirmed"])
    def test_a_test_that_was_not_taken_is_not_sent(self, tmp_path: Path, error: str) -> None:
        """Refused: nothing is awaited. Unknown: a reply may come, and it is not said to be sent."""
        register, record = begun(tmp_path)
        register.submitted(record, submission(error))
        found = stands(tmp_path)
        assert (found.sent_at, found.awaiting) == (0, error == "ps41-unconfirmed")

    def test_a_failure_report_is_no_reply(self, tmp_path: Path) -> None:
        """Neither answered nor awaited."""
        register, record = sent(tmp_path)
        register.received(record, failure(record), "thread", at=NOW + 9, dated=NOW + 9, failure=True)
        found = stands(tmp_path)
        assert (found.replied_at, found.awaiting, found.valid(NOW + 10)) == (0, False, False)

    def test_each_establishment_has_its_own(self, tmp_path: Path) -> None:
        """A test of one proves nothing of another, in the order of the settings."""
        answered(tmp_path)
        other = structs.replace(sender(), establishment="990000001")
        both = structs.replace(settings(), senders=(other, sender()))
        assert [(one.establishment, one.valid(NOW)) for one in Standings(tmp_path, both).read()] == [
            ("990000001", False),
            (FINESS, True),
        ]


class TestCheap:
    """The metrics ask for it all the time."""

    def test_a_state_that_did_not_change_is_not_read_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ten looks read each state once; a new state is seen at the next look."""
        register, record = sent(tmp_path)
        reads: list[str] = []
        real = Register.read
        monkeypatch.setattr(Register, "read", lambda self, name: reads.append(name) or real(self, name))
        standings = Standings(tmp_path, settings())
        before = [standings.read() for _ in range(10)]
        assert len(reads) == 1
        assert before[0][0].awaiting
        register.received(record, reply(record), "thread", at=NOW + 130, dated=NOW + 120)
        assert not standings.read()[0].awaiting
        assert len(reads) == 2

    def test_without_senders_the_disk_is_left_alone(self, tmp_path: Path) -> None:
        """Nobody who does not use PS4.1 pays for it."""
        assert Standings(tmp_path / "absent", structs.replace(settings(), senders=())).read() == ()

    def test_a_state_that_is_damaged_is_passed_over(self, tmp_path: Path) -> None:
        """The metrics never fail for it."""
        _, record = answered(tmp_path)
        (tmp_path / record.trial.id / STATE).write_bytes(b"{")
        assert not stands(tmp_path).valid(NOW)
