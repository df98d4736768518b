"""Where each establishment stands with PS4.1, read from the register: what the metrics, the rule and ``jauge ps41 status`` say.

Cheap: the folder is listed, and a test is read again only when its state file changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine.evidence.record import STATE, Record
from engine.evidence.register import Register
from engine.evidence.settings import Ps41
from engine.standing import Standing

_DAY: Final = 86_400


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
    ordered = sorted(records, key=lambda record: record.order)
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
