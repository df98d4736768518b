"""aioimaplib's client protocol, held to what a server may do to it.

aioimaplib 2.0.3 keeps the commands, their tags and states. What it leaves open is closed here: its reader calls itself once for each line
(iroco-co/aioimaplib 118), copies what is left at each line, keeps lines and literals without limit, writes what it reads into the
log; a lost connection, a BYE or an exception in the reader leaves commands waiting for ever (110, 107); EXAMINE does not change the state
(101); there is no STARTTLS (1); a refused AUTHENTICATE is not ended. Every failure has one code of :data:`CODES` and ends the connection.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import ssl
from typing import Any, Final

from aioimaplib import aioimaplib

from engine.errors import ParseError
from engine.parsers.imap import Framer, Line

CODES: Final[dict[str, str]] = {
    "imap-unreachable": "The IMAP server cannot be reached: check host and port, the name service and the firewall.",
    "imap-tls": "The TLS handshake with the IMAP server failed: see its certificate (authority, name, dates), and whether it wants one of ours.",
    "imap-starttls": "The IMAP server offers no STARTTLS, or sends something in clear where it must be silent: nothing was sent to it.",
    "imap-greeting": "What answers at that address does not greet as an IMAP server: check host, port and transport.",
    "imap-bye": "The IMAP server ended the connection with BYE: see its log (too many connections of this account, maintenance).",
    "imap-lost": "The connection to the IMAP server broke; it is made again.",
    "imap-timeout": "The IMAP server did not answer in time; the connection is made again.",
    "imap-login": "The IMAP server refused the login: check user, password_file or token_file, the client certificate and the rights of the account.",
    "imap-mailbox": "The mailbox cannot be opened: check its name (mailboxes) and the rights of the account; it is tried again.",
    "imap-answer": "The IMAP server answered something that cannot be understood, or refused a command; it is tried again.",
    "imap-unreadable": "A mail that the IMAP server lists and does not give, though it gives others: it was passed over; open it in a mail reader.",
}

#: Lines, and bytes of lines, that one command may be answered with: some thousands of mails are asked for at a time.
MAX_LINES: Final = 10_000
MAX_BYTES: Final = 8 * 1024 * 1024
#: What a server may send of literals beyond the largest mail: small mails are asked for several at a time.
SPARE_BYTES: Final = 8 * 1024 * 1024

_EXISTS: Final = re.compile(rb"\* \d{1,10} EXISTS", re.IGNORECASE)
_GREETING: Final = re.compile(rb"\* (OK|PREAUTH|BYE)( |\Z)", re.IGNORECASE)

# It writes passwords, addresses and whole mails into its log.
logging.getLogger(aioimaplib.__name__).disabled = True


class ImapError(Exception):
    """The server, or the way to it, failed: ``code`` is one of :data:`CODES`, or ``too-large``. It holds no word of the server."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Fetch(aioimaplib.FetchCommand):  # type: ignore[misc]  # ships no types
    """UID FETCH whose end is found without reading all its lines again at each of them."""

    depth = 0

    def append_to_resp(self, line: bytes, result: str = "Pending") -> None:
        """A line or a literal of the answer."""
        if type(line) is bytes and result == "Pending":
            depth = 0 if self.FETCH_MESSAGE_DATA_RE.match(line) else self.depth
            self.depth = max(depth + line.count(b"(") - line.count(b")"), 0)
        super().append_to_resp(line, result)

    def wait_data(self) -> bool:
        """Whether the response goes on in the next line."""
        return self.depth > 0


class Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]  # ships no types
    """One connection. ``news`` is set when the mailbox grew, and when the connection failed."""

    transport: Any
    pending_sync_command: Any
    current_command: Any
    capabilities: set[str]
    state: str

    def __init__(self, loop: asyncio.AbstractEventLoop, max_message_bytes: int) -> None:
        super().__init__(loop)
        self.greeting: asyncio.Future[bytes] = loop.create_future()
        self.news = asyncio.Event()
        self.code = ""
        self.told = b""  # what came behind the last OK, NO or BAD
        self._max = max_message_bytes
        self._framer = Framer()
        self._lines = 0
        self._bytes = 0
        self._literals = 0
        self._answers: list[str] = []

    # -- what asyncio calls -------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read what came. Whatever it is, no exception leaves."""
        try:
            for piece in self._framer.feed(data):
                if self.code:
                    return
                if isinstance(piece, Line):
                    self._line(piece)
                else:
                    self.current_command.append_literal_data(piece)
        except ImapError as error:
            self.fail(error.code)
        except ParseError as error:
            self.fail(error.code)
        except Exception:  # noqa: BLE001 - aioimaplib's own: a tag nobody waits for, a number that is none, a word that is no text
            self.fail("imap-answer")

    def connection_lost(self, exc: Exception | None) -> None:
        """The server is gone. With TLS 1.3 it may say only now that it wants another certificate."""
        self.fail("imap-tls" if isinstance(exc, ssl.SSLError) else "imap-lost")

    def fail(self, code: str) -> None:
        """End the connection: whoever waits for it gets an :class:`ImapError`. The first code holds."""
        if self.code:
            return
        self.code = code
        waiting = [self.pending_sync_command, *self.pending_async_commands.values()]
        for command in waiting:
            if command is not None:
                command._exception = ImapError(code)  # noqa: SLF001 - the way its own timeouts go
                command._event.set()  # noqa: SLF001
        self.pending_sync_command = None
        self.pending_async_commands.clear()
        if not self.greeting.done():
            self.greeting.set_exception(ImapError(code))
            self.greeting.exception()  # maybe nobody waits for it
        self._idle_event.set()
        self.news.set()
        if self.transport is not None:
            self.transport.abort()

    # -- what the session calls ---------------------------------------------------------------------------------------

    def send(self, line: str, scrub: str | None = None) -> None:
        """Write one line. Raises :class:`ImapError` when the connection failed."""
        if self.code:
            raise ImapError(self.code)
        self.transport.write(line.encode() + b"\r\n")

    async def run(self, command: Any, *answers: str) -> tuple[str, list[bytes | bytearray]]:
        """Run a command to its end: OK, NO or BAD, and the lines and literals of its answer.

        ``answers`` is what the server gets each time it asks for more, in base64; after the last one, an empty line. Raises
        :class:`ImapError` when the connection fails.
        """
        if self.code:
            raise ImapError(self.code)
        self._lines = self._bytes = self._literals = 0
        self._answers = list(answers)
        try:
            response = await self.execute(command)
        except aioimaplib.AioImapException:
            raise ImapError("imap-answer") from None
        except ValueError:
            # A control character in an argument: of the settings, as the session checks what comes from elsewhere.
            raise ImapError("imap-answer") from None
        finally:
            self._idle_event.set()  # also when IDLE was refused
        self.told = bytes(response.lines[-1]).upper()
        return response.result, response.lines[:-1]

    def command(self, name: str, *arguments: str, prefix: str = "") -> Any:
        """A command that is not on its way yet."""
        return aioimaplib.Command(name, self.new_tag(), *arguments, prefix=prefix, loop=self.loop)

    def fetch_command(self, uids: str, items: str) -> Fetch:
        """UID FETCH."""
        return Fetch(self.new_tag(), uids, items, prefix="UID", loop=self.loop)

    def idle_command(self) -> Any:
        """IDLE."""
        self._idle_event.clear()
        return aioimaplib.IdleCommand(self.new_tag(), self.idle_queue, loop=self.loop)

    async def idling(self) -> None:
        """Wait until the server says that it idles, or the connection failed."""
        await self._idle_event.wait()

    async def secure(self, context: ssl.SSLContext, host: str, handshake: float, shutdown: float) -> None:
        """STARTTLS (RFC 3501 section 6.2.1). What came in clear is forgotten, and nothing may come behind the answer."""
        status, _ = await self.run(self.command("STARTTLS"))
        if status != "OK" or not self._framer.empty or self._lines > 1:
            raise ImapError("imap-starttls")
        if self.transport.is_closing():  # asyncio would wait for a handshake
            raise ImapError("imap-lost")
        try:
            secured = await self.loop.start_tls(
                self.transport,
                self,
                context,
                server_hostname=host,
                ssl_handshake_timeout=handshake,
                ssl_shutdown_timeout=shutdown,
            )
        except ConnectionError:
            secured = None
        if secured is None or self.code:  # None: the server left in the middle
            raise ImapError(self.code or "imap-tls")
        self.transport = secured
        self.capabilities = set()

    # -- reading ------------------------------------------------------------------------------------------------------

    def _line(self, line: Line) -> None:
        text = line.text
        self._lines += 1
        self._bytes += len(text)
        if self._lines > MAX_LINES or self._bytes > MAX_BYTES:
            raise ImapError("imap-flood")
        if not self.greeting.done():
            found = _GREETING.match(text)
            if found is None or line.literal >= 0:
                raise ImapError("imap-greeting")
            if found[1].upper() == b"BYE":
                raise ImapError("imap-bye")
            self.state = aioimaplib.AUTH if found[1].upper() == b"PREAUTH" else aioimaplib.NONAUTH
            self.greeting.set_result(found[1].upper())
            return
        if self.current_command is None:
            if _EXISTS.match(text):
                self.news.set()
            elif text[:5].upper() == b"* BYE" and self.state != aioimaplib.LOGOUT:
                raise ImapError("imap-bye")
        command = self._handle_line(text, self.current_command)
        if line.literal >= 0:
            self._begin(command, line.literal)
        else:
            self.current_command = command if command is not None and command.wait_data() else None
            if self.has_pending_idle_command():
                self.pending_sync_command.buffer.clear()

    def _begin(self, command: Any, size: int) -> None:
        """A literal begins: it is kept when a command wants it, and never beyond the limit."""
        self._literals += size
        if size > self._max:
            raise ImapError("too-large")
        if self._literals > self._max + SPARE_BYTES:
            raise ImapError("imap-flood")
        if command is None:
            command = aioimaplib.Command("NIL", "unused", loop=self.loop)
        command.begin_literal_data(size)
        self.current_command = command

    def _continuation(self, line: bytes) -> None:
        pending = self.pending_sync_command
        if pending is not None and pending.name == "AUTHENTICATE":
            # Also the refusal of XOAUTH2 asks for a line: an empty one, and NO follows.
            answer = self._answers.pop(0) if self._answers else ""
            self.send(base64.b64encode(answer.encode()).decode())
        elif pending is not None and pending.name == "IDLE":
            self._idle_event.set()
