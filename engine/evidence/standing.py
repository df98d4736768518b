"""Where an establishment stands with PS4.1, read from the register: what the metrics, the rule and ``jauge ps41 status`` say.

Cheap: the folder is listed, and a test is read again only when its state file changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.evidence.record import STATE, Record
from engine.evidence.register import Register
from engine.evidence.settings import Ps41

_DAY: Final = 86_400


class Standing(Struct, frozen=True):
    """PS4.1 of one establishment. Times are whole seconds since 1970-01-01 UTC; 0 means never."""

    establishment: str  # FINESS
    sent_at: int = 0  # latest test that the SMTP server took
    replied_at: int = 0  # latest reply that was received
    proven_at: int = 0  # when the latest test that was answered was made: the date of the proof
    expires_at: int = 0  # first instant at which that proof no longer holds
    declared: bool = False  # an organisational mailbox is declared in the settings
    awaiting: bool = False  # the latest test has neither a reply nor a failure yet

    def valid(self, now: float) -> bool:
        """Whether the indicator is met: sent with its XDM, answered, mailbox declared, and not too old."""
        return self.declared and 0 < self.proven_at <= now < self.expires_at


class Standings:
    """Those of every establishment of the settings."""

    def __init__(self, folder: Path, settings: Ps41) -> None:
        self._register: Final = Register(folder)
        self._settings: Final = settings
        self._known: dict[str, tuple[tuple[int, int], Record | None]] = {}

    def read(self) -> tuple[Standing, ...]:
        """All of them now, in the order of the settings. Never raises: a register that cannot be read is an empty one."""
        if not self._settings.senders:
            return ()
        records = self._records()
        return tuple(
            standing(
                sender.establishment,
                [record for record in records if record.trial.finess == sender.establishment],
                valid_days=self._settings.valid_days,
                declared=sender.mailbox is not None,
            )
            for sender in self._settings.senders
        )

    def _records(self) -> list[Record]:
        seen: dict[str, tuple[tuple[int, int], Record | None]] = {}
        for name in self._register.names():
            try:
                found = (self._register.place(name) / STATE).stat()
            except OSError:
                continue
            mark = (found.st_mtime_ns, found.st_ino)
            known = self._known.get(name)
            seen[name] = known if known is not None and known[0] == mark else (mark, self._register.read(name))
        self._known = seen
        return [record for _, record in seen.values() if record is not None]


def standing(establishment: str, records: Iterable[Record], *, valid_days: int, declared: bool) -> Standing:
    """Where an establishment stands, of its tests in any order."""
    ordered = sorted(records, key=lambda record: (record.trial.at, record.trial.id))
    proven = max((record.trial.at for record in ordered if record.proven), default=0)
    return Standing(
        establishment=establishment,
        sent_at=max((record.sent_at for record in ordered), default=0),
        replied_at=max((record.reply.at for record in ordered if record.reply is not None), default=0),
        proven_at=proven,
        expires_at=proven + valid_days * _DAY if proven else 0,
        declared=declared,
        awaiting=bool(ordered) and ordered[-1].awaiting,
    )
