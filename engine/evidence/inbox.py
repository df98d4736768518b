"""Waiting for the replies by IMAP: the mailbox is opened for reading only, and nothing of it is kept but what answers a test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct, structs

from engine import secret
from engine.evidence.record import Record
from engine.evidence.register import Register
from engine.evidence.reply import MAX_BYTES, Match, match
from engine.evidence.settings import Imap
from engine.listeners.imap_session import ImapError, Login, Server, Session, connect
from engine.tls import client_context

LASTING: Final = frozenset({"imap-login", "imap-mailbox", "imap-tls", "imap-starttls", "imap-greeting"})
"""Errors that a person must mend: waiting does not."""

_WAIT: Final = 300.0
_PAUSE: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_AT_A_TIME: Final = 20


class Watched(Struct, frozen=True):
    """How a watch ended. ``records``: the tests that were awaited, as they are now; ``error``: why it saw nothing more, "" when it could look."""

    records: tuple[Record, ...]
    error: str = ""


class Inbox:
    """One watch over one mailbox, for the tests of one establishment."""

    def __init__(
        self,
        imap: Imap,
        register: Register,
        records: list[Record],
        *,
        reply_hours: int,
        clock: Callable[[], float] = time.time,
        pauses: tuple[float, ...] = _PAUSE,
    ) -> None:
        """``records``: the tests that await a reply. Raises :class:`ConfigError` when a file of the settings is wrong."""
        context = None if imap.transport == "plain" else client_context(imap.tls)
        self._server: Final = Server(
            host=imap.host,
            port=imap.port,
            transport=imap.transport,
            context=context,
            timeout_seconds=imap.timeout_seconds,
            poll_seconds=imap.poll_seconds,
            max_message_bytes=MAX_BYTES,
        )
        password = secret.read(imap.password_file) if imap.password_file is not None else ""
        self._login: Final = Login(user=imap.user, password=password)
        self._mailbox: Final = imap.mailbox
        self._register: Final = register
        self._hours: Final = reply_hours
        self._clock: Final = clock
        self._pauses: Final = pauses
        self._records = {record.trial.id: record for record in records}
        self._validity = self._next = 0

    async def watch(self, seconds: float) -> Watched:
        """Until every test is answered or failed, or so many seconds went by; at least one look is taken."""
        loop = asyncio.get_running_loop()
        end, failures, error = loop.time() + seconds, 0, ""
        while True:
            try:
                async with await connect(self._server, self._login) as session:
                    mailbox = await session.open(self._mailbox)
                    if mailbox.uid_validity != self._validity:
                        self._validity, self._next = mailbox.uid_validity, 1
                    while True:
                        await self._look(session)
                        error, failures = "", 0
                        left = end - loop.time()
                        if not self._awaited() or left <= 0:
                            return self._end()
                        await session.wait(min(left, _WAIT))
            except ImapError as failure:
                error = failure.code
            pause = self._pauses[min(failures, len(self._pauses) - 1)]
            failures += 1
            if error in LASTING or loop.time() + pause > end:
                return self._end(error)
            await asyncio.sleep(pause)

    def _awaited(self) -> list[Record]:
        return [record for record in self._records.values() if record.awaiting]

    def _end(self, error: str = "") -> Watched:
        return Watched(tuple(self._records.values()), error)

    async def _look(self, session: Session) -> None:
        """Read what came since the last look; at first, since the day of the oldest test."""
        since = min(record.trial.at for record in self._records.values())
        # The server's day may be another than ours.
        day = (datetime.fromtimestamp(since, UTC) - timedelta(days=1)).date()
        found = await session.uids(self._next, since=day)
        for start in range(0, len(found), _AT_A_TIME):
            some = found[start : start + _AT_A_TIME]
            sizes = await session.sizes(some)
            for uid in some:
                self._next = uid + 1  # whatever the server does with this one, it is not asked for twice
                if 0 <= sizes.get(uid, 0) <= MAX_BYTES:
                    for mail in await session.fetch([uid], sizes.get(uid, 0)):
                        if mail.body is not None:
                            self._read(bytes(mail.body))
                if not self._awaited():
                    return

    def _read(self, raw: bytes) -> None:
        found = match(raw, self._awaited(), reply_hours=self._hours)
        if found is not None:
            self._records[found.record.trial.id] = self._noted(found, raw)

    def _noted(self, found: Match, raw: bytes) -> Record:
        record = found.record
        if found.kind in ("reply", "failure"):
            at = int(self._clock())
            failure = found.kind == "failure"
            return self._register.received(record, raw, found.how, at=at, dated=found.dated, failure=failure)
        if found.kind not in record.receipts:
            record = structs.replace(record, receipts=(*record.receipts, found.kind))
            self._register.save(record)
        return record
