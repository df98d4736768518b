"""The register of PS4.1: one folder a test, with what was sent, what the server said, what came back, and the state of it all.

Files are 0600, folders 0700. Each file is written beside itself, brought to the disk (fsync) and renamed: after a crash or a ``kill -9`` it
is the old one or the new one, whole. The message is there before a connection is opened, so that nothing is ever sent that is not kept.
The names of files and folders hold no personal data: a FINESS, a time and random characters.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from engine.errors import ConfigError
from engine.evidence.record import REPLY, REPORT, SENT, STATE, Built, How, Received, Record, Submission
from engine.evidence.trial import Trial

_ID: Final = re.compile(r"[0-9][0-9AB][0-9]{7}-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_MAX_STATE: Final = 4 << 20


class Register:
    """The tests of a folder. Several processes may read it; each test is written by one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def begin(self, trial: Trial, built: Built, sender: str, recipient: str, subject: str, version: str) -> Record:
        """Keep a message that is about to be sent. Raises :class:`ConfigError` when the folder cannot be written."""
        record = Record(
            trial=trial,
            sender=sender,
            recipient=recipient,
            subject=subject,
            sha256=built.sha256,
            size=len(built.raw),
            parts=built.parts,
            checks=built.checks,
            version=version,
            number=1 + max((each.number for each in self.records()), default=0),
        )
        place = self.place(trial.id)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700)
        except OSError as error:
            raise self._unwritable(error) from None
        self._write(place / SENT, built.raw)
        self.save(record)
        _sync(self.folder)
        return record

    def save(self, record: Record) -> None:
        """Write the state of a test."""
        self._write(self.place(record.trial.id) / STATE, msgspec.json.format(msgspec.json.encode(record), indent=1))

    def submitted(self, record: Record, submission: Submission) -> Record:
        """Note what the server said."""
        record = structs.replace(record, submission=submission, stage="sent" if submission.accepted else "failed")
        self.save(record)
        return record

    def received(self, record: Record, raw: bytes, how: How, *, at: int, dated: int, failure: bool = False) -> Record:
        """Keep a mail that answers a test: the reply, or the report of a failure."""
        name = REPORT if failure else REPLY
        self._write(self.place(record.trial.id) / name, raw)
        mail = Received(name, hashlib.sha256(raw).hexdigest(), len(raw), at, dated, how)
        if failure:
            record = structs.replace(record, report=mail, stage="bounced" if record.reply is None else record.stage)
        else:
            record = structs.replace(record, reply=mail, stage="replied")
        self.save(record)
        return record

    def records(self, finess: str = "") -> list[Record]:
        """Every test that can be read, the oldest first; of one establishment, when it is given."""
        found = [record for name in self.names(finess) if (record := self.read(name)) is not None]
        return sorted(found, key=lambda record: record.order)

    def read(self, name: str) -> Record | None:
        """One test by the name of its folder; None when it is not there or cannot be read."""
        if not _ID.fullmatch(name):
            return None
        try:
            with (self.place(name) / STATE).open("rb") as file:
                record = msgspec.json.decode(file.read(_MAX_STATE), type=Record)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return record if record.trial.id == name else None

    def file(self, record: Record, name: str) -> bytes:
        """A raw mail of a test. Raises :class:`ConfigError` when it is gone."""
        path = self.place(record.trial.id) / name
        try:
            return path.read_bytes()
        except OSError:
            raise ConfigError(str(path), 0, "this file is gone from the register", "put it back from a copy") from None

    def place(self, name: str) -> Path:
        """The folder of a test."""
        return self.folder / name

    def names(self, finess: str = "") -> list[str]:
        """The names of the tests, the oldest of an establishment first; none when the folder is not there."""
        try:
            with os.scandir(self.folder) as entries:
                found = [entry.name for entry in entries]
        except OSError:
            return []
        return sorted(name for name in found if _ID.fullmatch(name) and name.startswith(finess))

    def _write(self, path: Path, content: bytes) -> None:
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            _sync(path.parent)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> ConfigError:
        reason = (error.strerror or "unknown").lower()
        return ConfigError(
            str(self.folder), 0, f"the register cannot be written: {reason}", "let this account write in it"
        )


def _sync(folder: Path) -> None:
    """Bring the names of a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
