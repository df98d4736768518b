"""The register: whole after any crash, for its owner only, without personal data in a name."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.evidence.record import REPLY, SENT, STATE
from engine.evidence.register import Register

from .establishment import NOW, begun, failure, reply, sent, submission

CHILD = """
import sys, itertools
from pathlib import Path
from msgspec import structs
from engine.evidence.register import Register
register = Register(Path(sys.argv[1]))
record = register.records()[0]
print("ready", flush=True)
for number in itertools.count():
    register.save(structs.replace(record, subject="x" * 200_000, receipts=(str(number),)))
"""


class TestState:
    """What is kept of a test."""

    def test_survives_a_restart(self, tmp_path: Path) -> None:
        """Another register over the same folder reads the same state, to the octet of the message."""
        register, record = sent(tmp_path / "ps41")
        again = Register(tmp_path / "ps41")
        assert again.records() == [record]
        assert again.file(record, SENT) == register.file(record, SENT)
        assert record.stage == "sent"
        assert record.sent_at == NOW + 2

    def test_the_message_is_there_before_it_is_sent(self, tmp_path: Path) -> None:
        """A test that was begun awaits a reply: it may have left, whatever happened since."""
        _, record = begun(tmp_path)
        assert record.stage == "prepared"
        assert record.awaiting
        assert not record.sent_at
        assert not record.proven

    @pytest.mark.parametrize(("error", "awaiting"), [("ps41-recipient", False), ("ps41-unconfirmed", True)])
    def test_a_failure_is_kept(self, tmp_path: Path, error: str, awaiting: bool) -> None:
        """A message that was refused awaits nothing; one of which nobody knows may be answered."""
        register, record = begun(tmp_path)
        record = register.submitted(record, submission(error))
        assert Register(tmp_path).records() == [record]
        assert (record.stage, record.awaiting) == ("failed", awaiting)

    def test_a_reply_proves_the_test(self, tmp_path: Path) -> None:
        """The reply is kept as it came; nothing more is awaited."""
        register, record = sent(tmp_path)
        raw = reply(record)
        record = register.received(record, raw, "thread", at=NOW + 130, dated=NOW + 120)
        assert register.file(record, REPLY) == raw
        assert (record.stage, record.proven, record.awaiting) == ("replied", True, False)

    def test_a_failure_report_ends_the_wait(self, tmp_path: Path) -> None:
        """Nothing is awaited after a report that the message did not arrive; it proves nothing."""
        register, record = sent(tmp_path)
        record = register.received(record, failure(record), "thread", at=NOW + 60, dated=NOW + 50, failure=True)
        assert (record.stage, record.proven, record.awaiting) == ("bounced", False, False)

    def test_tests_are_in_their_order(self, tmp_path: Path) -> None:
        """The oldest first, of every establishment or of one."""
        _, late = sent(tmp_path, seed=1)
        register, early = sent(tmp_path, seed=2, at=NOW - 100)
        assert register.records() == [early, late]
        assert register.records("990000001") == []

    def test_tests_of_one_second_keep_the_order_they_were_made_in(self, tmp_path: Path) -> None:
        """Whatever the random characters of their folders: the latest is the one made last."""
        made = [sent(tmp_path, seed=seed)[1] for seed in range(8)]
        assert [one.trial.id for one in made] != sorted(one.trial.id for one in made)
        assert Register(tmp_path).records() == made


class TestFiles:
    """What is on the disk."""

    def test_is_for_its_owner_only(self, tmp_path: Path) -> None:
        """Folders 0700, files 0600, whatever the umask; nothing half-written stays."""
        before = os.umask(0)
        try:
            _, record = sent(tmp_path / "var" / "ps41")
        finally:
            os.umask(before)
        folder = tmp_path / "var" / "ps41"
        assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / record.trial.id)} == {0o700}
        files = list((folder / record.trial.id).iterdir())
        assert {path.name for path in files} == {STATE, SENT}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}

    def test_names_hold_no_personal_data(self, tmp_path: Path) -> None:
        """A FINESS, a time and random characters: no address, no name, no matricule."""
        _, record = sent(tmp_path)
        assert re.fullmatch(r"990000019-20260310-161500-[0-9a-f]{8}", record.trial.id)

    @pytest.mark.parametrize("name", ["..", "990000019-20260310-161500-0000000g", "notes", ".hidden"])
    def test_other_folders_are_none_of_its_business(self, tmp_path: Path, name: str) -> None:
        """Whatever else is in the folder is passed over."""
        (tmp_path / "ps41" / name).mkdir(parents=True, exist_ok=True)
        register = Register(tmp_path / "ps41")
        assert register.records() == []
        assert register.read(name) is None

    @pytest.mark.parametrize("state", [b"", b"{", b'{"trial": 1}', b"\xff\xfe", b"[]"])
    def test_a_state_that_cannot_be_read_is_no_test(self, tmp_path: Path, state: bytes) -> None:
        """Damage to one test leaves the others."""
        register, _ = sent(tmp_path, seed=1)
        _, other = sent(tmp_path, seed=2)
        broken = next(name for name in register.names() if name != other.trial.id)
        (tmp_path / broken / STATE).write_bytes(state)
        assert register.records() == [other]

    def test_a_state_of_another_version_is_read(self, tmp_path: Path) -> None:
        """Fields that a later version adds are passed over."""
        register, record = sent(tmp_path)
        path = tmp_path / record.trial.id / STATE
        path.write_text(json.dumps({**json.loads(path.read_text()), "later": 1}))
        assert register.records() == [record]

    def test_a_folder_that_cannot_be_written_is_said(self, tmp_path: Path) -> None:
        """One line with the folder and the mend, before anything is sent."""
        (tmp_path / "ps41").write_text("a file")
        with pytest.raises(ConfigError, match="cannot be written"):
            begun(tmp_path / "ps41")

    def test_a_mail_that_is_gone_is_said(self, tmp_path: Path) -> None:
        """No evidence without its files."""
        register, record = sent(tmp_path)
        (tmp_path / record.trial.id / SENT).unlink()
        with pytest.raises(ConfigError, match="gone from the register"):
            register.file(record, SENT)


def test_a_kill_at_any_moment_leaves_a_whole_state(tmp_path: Path) -> None:
    """``kill -9`` of who writes, ten times: the state is an old one or a new one, never a piece."""
    sent(tmp_path)
    for _ in range(10):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(0.02)  # anywhere in the middle
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        (record,) = Register(tmp_path).records()
        assert record.stage == "sent"
