"""One IMAP connection on one mailbox: connect, log in, open, list, fetch, wait for news. Reused by whoever waits for a mail.

    async with await connect(server, login) as session:
        mailbox = await session.open("INBOX")                     # read only: EXAMINE, and BODY.PEEK[] changes no flag
        last = mailbox.uid_next - 1
        while True:
            for uid in await session.uids(last + 1):              # ascending; nothing is fetched yet
                (mail,) = await session.fetch([uid]) or (None,)   # None: it is no longer there
                last = uid
            await session.wait(300)                               # IDLE, or a look each poll_seconds; returns at news or after 300 s

Every failure is an :class:`ImapError` with a code and no word of the server; the connection is closed then, and the session of no more
use: connect again, after a pause. Nothing waits for ever. Everything is called on one event loop, one method at a time.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date
from typing import Any, Final, Literal, Self, TypeVar

from msgspec import Struct

from engine.listeners.imap_protocol import ImapError, Protocol
from engine.listeners.tls import HANDSHAKE_SECONDS, SHUTDOWN_SECONDS
from engine.parsers import imap
from engine.parsers.imap import Fetched

__all__ = ["ImapError", "Login", "Mailbox", "Server", "Session", "connect"]

#: Bytes a second below which a server is held for one that does not answer: a mail of 25 MB may take seven minutes more.
SLOWEST: Final = 64 * 1024
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_LOGOUT_SECONDS: Final = 2.0

_T = TypeVar("_T")


class Server(Struct, frozen=True, kw_only=True):
    """Where the mail is. ``context``: of ``engine.tls.client_context``; none with ``plain``."""

    host: str
    port: int
    transport: Literal["tls", "starttls", "plain"]
    context: ssl.SSLContext | None = None
    timeout_seconds: float = 30.0  # for one answer; a mail has more, by its size
    poll_seconds: float = 30.0  # where the server has no IDLE
    max_message_bytes: int = 64 * 1024 * 1024


class Login(Struct, frozen=True, kw_only=True):
    """Who reads it: by password, by token (XOAUTH2), or by the client certificate alone (EXTERNAL, when both are empty)."""

    user: str
    password: str = ""
    token: str = ""

    def __repr__(self) -> str:
        """Never the secrets, nor whose they are."""
        return "Login(...)"


class Mailbox(Struct, frozen=True):
    """What SELECT or EXAMINE said. ``uid_next`` 0: unknown. UIDs mean nothing any more when ``uid_validity`` is another."""

    uid_validity: int
    uid_next: int
    exists: int


async def connect(server: Server, login: Login) -> Session:
    """Connect, secure, log in. Raises :class:`ImapError`."""
    loop = asyncio.get_running_loop()
    protocol = Protocol(loop, server.max_message_bytes)
    session = Session(server, protocol)
    try:
        await session.hello()
        await session.login(login)
    except BaseException:
        session.abort()
        raise
    return session


class Session:
    """A connection that is logged in; see :func:`connect`."""

    def __init__(self, server: Server, protocol: Protocol) -> None:
        self.server = server
        self.protocol = protocol
        self._refused = False

    async def __aenter__(self) -> Self:
        """The session itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Say goodbye, shortly."""
        await self.close()

    @property
    def idles(self) -> bool:
        """Whether the server tells news by itself (RFC 2177)."""
        return "IDLE" in self.protocol.capabilities and not self._refused

    async def open(self, mailbox: str, *, read_only: bool = True) -> Mailbox:
        """Open a mailbox by its name as people write it. Raises :class:`ImapError` (``imap-mailbox``), and the session goes on."""
        command = self.protocol.command("EXAMINE" if read_only else "SELECT", imap.mailbox(mailbox))
        status, lines = await self._run(command)
        if status != "OK":
            self.protocol.state = "AUTH"
            raise ImapError("imap-mailbox")
        self.protocol.state = "SELECTED"
        texts = [bytes(line) for line in lines]
        validity = imap.status(texts, b"UIDVALIDITY")
        if not validity:
            # RFC 3501 section 2.3.1.1: such a server keeps no UIDs, and nothing can be followed there.
            raise ImapError("imap-answer")
        exists = [int(line.split()[0]) for line in texts if imap.EXISTS.match(line)]
        return Mailbox(validity, imap.status(texts, b"UIDNEXT"), exists[-1] if exists else 0)

    async def uids(self, first: int, last: int = 0, since: date | None = None) -> list[int]:
        """UIDs from ``first`` to ``last`` (0: to the end) of mails that are there, ascending; those that came on ``since`` or later."""
        if last == 0:
            self.protocol.news.clear()  # what comes from now on is news
        criteria = ["UID", f"{first}:{last or '*'}"]
        if since is not None:
            criteria += ["SINCE", f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"]
        lines = await self._done(self.protocol.command("SEARCH", *criteria, prefix="UID"))
        # "9:*" also means the last mail when its UID is below 9 (RFC 3501 section 9, seq-range).
        return [uid for uid in imap.searched(map(bytes, lines)) if first <= uid <= (last or uid)]

    async def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Size (RFC822.SIZE) of each mail that is still there; -1 when the server does not say."""
        return {mail.uid: mail.size for mail in await self._fetch(uids, "(UID RFC822.SIZE)", 0)}

    async def fetch(self, uids: Sequence[int], expected: int = 0) -> list[Fetched]:
        """The mails (``uid``, ``body``) that are still there, in the order of ``uids``; ``expected``: their size in bytes, for the time they may take.

        ``body`` is None when the server has none to give. Raises :class:`ImapError` (``too-large``) when one is beyond the limit,
        whatever size it was said to have.
        """
        return await self._fetch(uids, "(UID BODY.PEEK[])", expected or self.server.max_message_bytes)

    async def mark_seen(self, uids: Sequence[int]) -> None:
        """Hold mails as read; the mailbox must be open for writing."""
        await self._done(self.protocol.command("STORE", _set(uids), "+FLAGS.SILENT", r"(\Seen)", prefix="UID"))

    async def wait(self, seconds: float) -> bool:
        """Wait for news since the last :meth:`uids`: True when there may be some, False after ``seconds``. :meth:`wake` ends it."""
        if self.protocol.news.is_set():
            return True
        if not self.idles:
            return await self._poll(min(seconds, self.server.poll_seconds))
        idle = asyncio.ensure_future(self.protocol.run(self.protocol.idle_command()))
        news = asyncio.ensure_future(self.protocol.news.wait())
        try:
            await self._in_time(self.protocol.idling(), 0)
            await asyncio.wait((idle, news), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not idle.done():
                self.protocol.send("DONE")
            status, _ = await self._in_time(asyncio.shield(idle), 0)
        finally:
            news.cancel()
            if not idle.done():
                self.abort()
            with suppress(ImapError):
                await idle
        self._refused = status != "OK"
        return self.protocol.news.is_set()

    def wake(self) -> None:
        """End :meth:`wait` now."""
        self.protocol.news.set()

    async def close(self) -> None:
        """Say goodbye, shortly, and close."""
        if not self.protocol.code:
            self.protocol.state = "LOGOUT"
            with suppress(ImapError):
                async with self._limit(_LOGOUT_SECONDS):
                    await self.protocol.run(self.protocol.command("LOGOUT"))
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.protocol.fail("imap-lost")

    # -- the begin of a connection ------------------------------------------------------------------------------------

    async def hello(self) -> None:
        """Connect, read the greeting, secure the connection, learn what the server can do."""
        server, protocol = self.server, self.protocol
        async with self._limit(server.timeout_seconds):
            await self._connect()
            greeting = await protocol.greeting
            if server.transport == "starttls":
                if greeting != b"OK" or server.context is None:
                    # PREAUTH: who is in the middle wants us to go on in clear.
                    raise self._failed("imap-starttls")
                try:
                    await protocol.secure(server.context, server.host, HANDSHAKE_SECONDS, SHUTDOWN_SECONDS)
                except (ssl.SSLError, OSError):
                    raise self._failed("imap-tls") from None
            await self._capabilities()

    async def login(self, login: Login) -> None:
        """Log in, with what the server offers, and learn what it can do then."""
        protocol = self.protocol
        if protocol.state == "NONAUTH":
            status, _ = await self._run(*self._authentication(login))
            if status != "OK":
                # RFC 5530: what is behind the server is away, which says nothing of the password.
                raise self._failed("imap-answer" if protocol.told.startswith(b"[UNAVAILABLE]") else "imap-login")
            protocol.state = "AUTH"
            await self._in_time(self._capabilities(), 0)

    def _authentication(self, login: Login) -> tuple[Any, ...]:
        """The command to log in with, and what it answers when it is asked."""
        command, able = self.protocol.command, self.protocol.capabilities
        if login.token:
            return command("AUTHENTICATE", "XOAUTH2"), f"user={login.user}\1auth=Bearer {login.token}\1\1"
        if not login.password:
            return command("AUTHENTICATE", "EXTERNAL"), login.user
        if "AUTH=PLAIN" in able:
            return command("AUTHENTICATE", "PLAIN"), f"\0{login.user}\0{login.password}"
        try:
            if "LOGINDISABLED" not in able:
                return (command("LOGIN", imap.quoted(login.user), imap.quoted(login.password)),)
        except ValueError:  # LOGIN takes ASCII only
            pass
        raise self._failed("imap-login")

    async def _connect(self) -> None:
        server, loop = self.server, asyncio.get_running_loop()
        secured = server.transport == "tls"
        try:
            transport, _ = await loop.create_connection(
                lambda: self.protocol,
                server.host,
                server.port,
                ssl=server.context if secured else None,
                server_hostname=server.host if secured else None,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if secured else None,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS if secured else None,
            )
        except ssl.SSLError:
            raise self._failed("imap-tls") from None
        except OSError as error:
            # A server that ends the connection in the middle of the handshake was reached.
            raise self._failed(
                "imap-tls"
                if secured and isinstance(error, ConnectionResetError | ConnectionAbortedError)
                else "imap-unreachable"
            ) from None
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    async def _capabilities(self) -> None:
        status, lines = await self.protocol.run(self.protocol.command("CAPABILITY"))
        words = {word.decode("ascii", "replace").upper() for line in lines for word in bytes(line).split()}
        if status != "OK" or not words & {"IMAP4REV1", "IMAP4REV2", "IMAP4"}:
            raise self._failed("imap-answer")
        self.protocol.capabilities = words

    # -- commands in time ---------------------------------------------------------------------------------------------

    async def _fetch(self, uids: Sequence[int], items: str, expected: int) -> list[Fetched]:
        command = self.protocol.fetch_command(_set(uids), items)
        found = {mail.uid: mail for mail in imap.fetched(await self._done(command, expected))}
        return [found[uid] for uid in uids if uid in found]  # and no other that the server speaks of

    async def _poll(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.protocol.news.wait(), seconds)
        await self._done(self.protocol.command("NOOP"))
        return self.protocol.news.is_set()

    async def _done(self, command: Any, expected: int = 0) -> list[bytes | bytearray]:
        """The answer of a command that must succeed."""
        status, lines = await self._run(command, expected=expected)
        if status != "OK":
            raise ImapError("imap-answer")
        return lines

    async def _run(self, command: Any, *answers: str, expected: int = 0) -> tuple[str, list[bytes | bytearray]]:
        return await self._in_time(self.protocol.run(command, *answers), expected)

    async def _in_time(self, work: Awaitable[_T], expected: int) -> _T:
        """What ``work`` gives, when it comes in time: with so many bytes expected."""
        async with self._limit(self.server.timeout_seconds + expected / SLOWEST):
            return await work
        raise AssertionError

    @asynccontextmanager
    async def _limit(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise self._failed("imap-timeout") from None
        except asyncio.CancelledError:
            self._failed("imap-lost")  # an answer is still on its way: nothing more can be asked on this connection
            raise
        if self.protocol.code and self.protocol.state != "LOGOUT":
            raise ImapError(self.protocol.code)

    def _failed(self, code: str) -> ImapError:
        """End the connection; the error to raise, of what failed first."""
        self.protocol.fail(code)
        return ImapError(self.protocol.code)


def _set(uids: Sequence[int]) -> str:
    """A set of UIDs, with ranges."""
    parts: list[str] = []
    first = last = 0
    for uid in sorted(uids):
        if last and uid == last + 1:
            last = uid
            continue
        if last:
            parts.append(f"{first}:{last}" if last > first else str(first))
        first = last = uid
    parts.append(f"{first}:{last}" if last > first else str(first))
    return ",".join(parts)
