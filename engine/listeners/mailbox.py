"""Follows one mailbox for ever: connects, reads what is new in the order of the UIDs, waits for news, connects again.

The position moves behind a mail once it has its receipt; what the pipeline cannot take now is fetched again. A mail that the server lists
and cannot give blocks nobody for ever: it is asked for alone, several times, and then passed over and counted, if the server gives another.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final, TypeVar

import structlog

from engine.listeners.imap_positions import Mark
from engine.listeners.imap_session import ImapError, Mailbox, Session
from engine.listeners.listener import Counters, Pipeline
from engine.listeners.window import Window

#: UIDs that one search spans: the first time, and at most, where there are few mails among them.
WIDTH: Final = 1_000
WIDEST: Final = 65_536
#: Mails whose sizes are asked for at once, and that are fetched at once.
SIZES: Final = 200
BATCH: Final = 50
BATCH_BYTES: Final = 4 * 1024 * 1024
#: The first pause before connecting again; it doubles.
RETRY_SECONDS: Final = 0.5
#: The longest pause while the engine can keep nothing.
KEEP_SECONDS: Final = 30.0
#: The longest pause after news that brought nothing.
QUIET_SECONDS: Final = 10.0
#: How long a stop waits for the server.
STOP_SECONDS: Final = 2.0
# A mail may be given up at so much blame: three failures that are about it, or nine broken connections while it was asked for alone.
_ENOUGH: Final = 9
_BLAMES: Final = {"imap-answer": 3, "imap-flood": 3}

_log: Final = structlog.get_logger(__name__)
_T = TypeVar("_T")


class Follower:
    """One mailbox of one account."""

    def __init__(
        self,
        feed: str,
        mark: Mark,
        pipeline: Pipeline,
        counters: Counters,
        connect: Callable[[], Awaitable[Session]],
        moved: Callable[[], None],
        *,
        max_message_bytes: int,
        idle_seconds: float,
        reconnect_seconds: float,
        since_days: int | None,
        mark_seen: bool,
    ) -> None:
        """``connect`` gives a session that is logged in, or raises :class:`ImapError`; ``moved`` is told when the mark did."""
        self._feed = feed
        self._mark = mark
        self._counters = counters
        self._connect = connect
        self._moved = moved
        self._max = max_message_bytes
        self._idle = idle_seconds
        self._reconnect = reconnect_seconds
        self._since_days = since_days
        self._mark_seen = mark_seen
        self._window = Window(pipeline, feed, self._progress)
        self._stopping = asyncio.Event()
        self._session: Session | None = None
        self._next = 0  # the first UID that this session has not looked at
        self._upto = 0  # the last one that was there when it began
        self._worked = False
        self._blame: dict[int, int] = {}
        self._last_try = 0  # the mail that is asked for once more, now that the server has given another
        self._given_up: dict[int, str] = {}

    def stop(self) -> None:
        """End :meth:`run` soon: what was handed over gets its receipt, nothing more is read."""
        self._stopping.set()
        if self._session is not None:
            self._session.wake()
            asyncio.get_running_loop().call_later(STOP_SECONDS, self._session.abort)

    async def run(self) -> None:
        """Follow until :meth:`stop`."""
        attempt = 0
        told = ""
        while not self._stopping.is_set():
            self._worked = False
            try:
                code = await self._once()
            except Exception as error:  # noqa: BLE001 - whatever a server does to us, the mailbox is followed
                _log.error("mailbox-failed", feed=self._feed, error=error)
                code = "imap-answer"
            await self._settled()
            if self._stopping.is_set():
                return
            if self._worked:
                attempt, told = 0, ""
            attempt += 1
            self._counters.rejected(code)
            pause = self._pause(code, attempt)
            if code != told or attempt & (attempt - 1) == 0:
                _log.warning("mailbox-lost", feed=self._feed, code=code, attempt=attempt, seconds=pause)
                told = code
            await self._sleep(pause)

    def _pause(self, code: str, attempt: int) -> float:
        """How long to wait before connecting again. Refused logins lock accounts: they are not repeated quickly."""
        if code in ("imap-login", "imap-mailbox"):
            return self._reconnect
        longest = min(self._reconnect, RETRY_SECONDS * 2.0 ** min(attempt - 1, 16))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - so that many do not come back together

    async def _once(self) -> str:
        """One connection, to its end: the code of what ended it."""
        try:
            session = await self._unless_stopped(self._connect())
        except ImapError as error:
            if error.code == "imap-tls":
                self._counters.tls_failed()
            return error.code
        if session is None:
            return ""
        self._session = session
        began = asyncio.get_running_loop().time()
        try:
            self._begin(await session.open(self._mark.mailbox, read_only=not self._mark_seen))
            self._counters.opened()
            try:
                await self._follow(session)
            finally:
                self._counters.closed()
        except ImapError as error:
            return error.code
        finally:
            self._worked = self._worked or asyncio.get_running_loop().time() - began > self._reconnect
            self._session = None
            await session.close()
        return ""

    # -- reading ------------------------------------------------------------------------------------------------------

    async def _follow(self, session: Session) -> None:
        _log.info("mailbox-opened", feed=self._feed)
        fruitless = held = 0
        while not self._stopping.is_set():
            found = await self._read(session)
            await self._settled()
            if self._window.stopped:
                # The engine can keep nothing now: the same again, later.
                held += 1
                await self._sleep(min(KEEP_SECONDS, 2.0 ** (held - 1)))
                self._again()
                continue
            held = 0
            if self._stopping.is_set():
                return
            fruitless = 0 if found else fruitless + 1
            if not await session.wait(self._idle):
                fruitless = 0
            elif fruitless > 1:
                await self._sleep(min(QUIET_SECONDS, 0.1 * 2 ** min(fruitless, 10)))

    def _begin(self, mailbox: Mailbox) -> None:
        """Find the place in the mailbox, or begin it."""
        mark = self._mark
        if not mark.validity:
            if self._since_days is not None:
                mark.since = (datetime.now(UTC).date() - timedelta(days=self._since_days)).isoformat()
                mark.last = max(mailbox.uid_next - 1, 0) if self._since_days == 0 else 0
        elif mark.validity != mailbox.uid_validity or 0 < mailbox.uid_next <= mark.last:
            # The server numbered its mails anew, or came back from a backup: what is read twice counts once.
            _log.warning("mailbox-renumbered", feed=self._feed)
            mark.last = 0
            self._blame.clear()
            self._given_up.clear()
        mark.validity = mailbox.uid_validity
        self._moved()
        self._upto = max(mailbox.uid_next - 1, 0)
        self._last_try = 0
        self._again()

    def _again(self) -> None:
        """Go on at the mark."""
        self._window.begin(self._mark.last)
        self._next = self._mark.last + 1

    async def _read(self, session: Session) -> bool:
        """Hand over everything that is new; whether there was any."""
        since = date.fromisoformat(self._mark.since) if self._mark.since else None
        width, found = WIDTH, False
        while self._going() and self._next <= self._upto:
            last = min(self._next + width - 1, self._upto)
            uids = await session.uids(self._next, last, since)
            width = min(2 * width, WIDEST) if len(uids) < SIZES else WIDTH
            found = await self._take(session, uids) or found
            self._next = last + 1
        if self._going():
            uids = await session.uids(self._next, 0, since)
            found = await self._take(session, uids) or found
            self._next = max(self._next, *uids, 0) + (1 if uids else 0)
        return found

    async def _take(self, session: Session, uids: Sequence[int]) -> bool:
        """Hand over these mails, as many at a time as are small."""
        following = iter(uids)
        while self._going() and (some := list(islice(following, SIZES))):
            sizes = await session.sizes(some)
            batch: list[int] = []
            total = 0
            for uid in some:
                if uid not in sizes:
                    continue  # expunged meanwhile
                code = "too-large" if sizes[uid] > self._max else self._given_up.get(uid, "")
                size = max(sizes[uid], 0)
                alone = uid in self._blame
                if batch and (code or alone or len(batch) >= BATCH or total + size > BATCH_BYTES):
                    await self._fetch(session, batch, total)
                    batch, total = [], 0
                if not self._going():
                    return True
                if code:
                    self._pass_over(uid, code)
                    continue
                batch.append(uid)
                total += size
                if alone:
                    if self._blame[uid] >= _ENOUGH:
                        await self._try_another(session, uid, uids)
                    await self._fetch(session, batch, total)
                    batch, total = [], 0
            if batch and self._going():
                await self._fetch(session, batch, total)
        return bool(uids)

    async def _try_another(self, session: Session, uid: int, uids: Sequence[int]) -> None:
        """See that the server gives another mail than this one. Raises :class:`ImapError` when it does not: then the fault is not the mail's."""
        others = [one for one in uids if one != uid] or await session.uids(uid + 1, uid + WIDEST)
        mails = await session.fetch([random.choice(others)]) if others else []  # noqa: S311 - one of them may be as bad
        if not mails or mails[0].body is None:
            raise ImapError("imap-answer")
        self._last_try = uid

    async def _fetch(self, session: Session, uids: Sequence[int], total: int) -> None:
        """Fetch mails and hand them over."""
        try:
            mails = await session.fetch(uids, total)
            if [mail.uid for mail in mails if mail.body is not None] != list(uids):
                # Some have gone since their sizes were told; those that have not must come.
                there = await session.sizes(uids)
                mails = [mail for mail in mails if mail.body is not None]
                if there.keys() - {mail.uid for mail in mails}:
                    raise ImapError("imap-answer")
        except ImapError as error:
            self._accuse(uids, error.code)
            raise
        for mail in mails:
            if not self._going():
                return
            self._blame.pop(mail.uid, None)
            await self._window.give(mail.body or b"", mail.uid)
        if self._mark_seen:
            await self._settled()
            done = [mail.uid for mail in mails if mail.uid <= self._window.durable]
            if done:
                await session.mark_seen(done)

    def _accuse(self, uids: Sequence[int], code: str) -> None:
        """A fetch failed. Of several mails each is asked for alone from now on; one alone is given up after a while."""
        for uid in uids:
            self._blame.setdefault(uid, 0)
        if len(uids) == 1:
            self._blame[uids[0]] += _BLAMES.get(code, 1)
            if code == "too-large":
                self._given_up[uids[0]] = code
            elif self._last_try == uids[0]:
                self._given_up[uids[0]] = "imap-unreadable"

    def _pass_over(self, uid: int, code: str) -> None:
        self._blame.pop(uid, None)
        self._counters.rejected(code)
        _log.warning("mail-passed-over", feed=self._feed, code=code)
        self._window.skip(uid)

    # -- receipts -----------------------------------------------------------------------------------------------------

    def _progress(self) -> None:
        self._mark.last = self._window.durable
        self._worked = True
        self._moved()

    async def _settled(self) -> None:
        """Wait for the receipt of everything that was handed over."""
        while self._window.outstanding:
            self._window.moved.clear()
            await self._window.moved.wait()

    # -- stopping -----------------------------------------------------------------------------------------------------

    def _going(self) -> bool:
        return not (self._stopping.is_set() or self._window.stopped)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _unless_stopped(self, work: Awaitable[_T]) -> _T | None:
        """What ``work`` gives, None when the stop came first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            return None
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
