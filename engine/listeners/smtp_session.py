"""One SMTP session (RFC 5321): aiosmtpd knows the commands; TLS, the reading of a mail, limits and answers are here.

What aiosmtpd does otherwise, and why it is not left to it: it reads a mail line by line without ever giving way (a large one holds up
every other session), refuses long lines, announces AUTH, answers with the text of an exception, and logs what was said.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, AnyStr, Final, cast

import structlog
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Greeting

from engine.parsers.smtp_data import Body
from engine.receipt import Receipt

if TYPE_CHECKING:
    from engine.listeners.smtp import SmtpListener

#: A mail beyond this needs one of the listener's tickets for large messages.
LARGE: Final = 1024 * 1024
#: More than a stream ever holds: asyncio stops reading at twice ``_AHEAD``, and reads at most 256 kB at a time.
_ALL: Final = 16 * 1024 * 1024
#: A mail may take the idle timeout, and a second more for so many bytes: slower is no sender but somebody who holds a place.
MIN_BYTES_PER_SECOND: Final = 1024
#: Characters of a command line: an address has at most 320, and a few parameters follow it.
MAX_COMMAND: Final = 2048
#: What may wait in memory of a stream before it is read on (asyncio doubles it).
_AHEAD: Final = 64 * 1024
#: Commands that give nothing and that nobody needs.
_UNUSED: Final = ("AUTH", "EXPN", "HELP")
_SPOKEN: Final = ("mail.log", "mail.debug")

_log: Final = structlog.get_logger(__name__)

# Both print addresses and commands.
for _name in _SPOKEN:
    logging.getLogger(_name).disabled = True


class Hooks:
    """What aiosmtpd asks of us in the middle of a command."""

    async def handle_EHLO(  # noqa: N802 - the name is aiosmtpd's
        self, server: Session, session: Greeting, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """The extensions: no AUTH, for nobody logs in here, and no CHUNKING, which aiosmtpd does not know."""
        session.host_name = hostname
        offered = [line for line in responses if not line.startswith(("250-AUTH", "250 HELP"))]
        return [*offered, "250 PIPELINING"]

    async def handle_MAIL(  # noqa: N802
        self, server: Session, session: Greeting, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender of the envelope; anybody may be, at a bounded pace."""
        listener = server.listener
        if not listener.peers.pace(server.host):
            listener.counters.rejected("smtp-rate")
            return "450 4.7.1 Too many messages a minute, come back later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Session, session: Greeting, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """A recipient: one of the journal's addresses, and no other. Nothing is relayed."""
        listener = server.listener
        if address.lower() not in listener.recipients:
            listener.counters.rejected("smtp-recipient")
            return "550 5.7.1 This is a journal: it takes mail for its own address only"
        if len(envelope.rcpt_tos) >= listener.settings.max_recipients:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Whatever fails, the sender keeps its mail, and learns nothing of ours."""
        _log.error("smtp-failed", error=error)
        return "451 4.3.0 Internal error, come back later"


class Session(SMTP):
    """The protocol object of one peer that was admitted."""

    line_length_limit = _AHEAD

    def __init__(
        self, listener: SmtpListener, host: str, context: ssl.SSLContext | None = None, former: Session | None = None
    ) -> None:
        """``context``: TLS must be asked for before any mail (STARTTLS); None: the session is plain, or in TLS already.

        ``former``: the session that asked for TLS; its streams would close the connection if they were collected before it ends.
        """
        self.listener = listener
        self.host = host
        self._submitted = False  # a mail is with the pipeline
        self._patient = False  # we make the peer wait
        self._receiving = False  # in the middle of a mail
        self._draining = False
        self._former = former
        self._mute = former is not None  # after TLS there is no second greeting
        settings = listener.settings
        super().__init__(
            listener.hooks,
            data_size_limit=settings.max_message_bytes,
            enable_SMTPUTF8=True,
            hostname=listener.hostname,
            ident="ESMTP",
            tls_context=context,
            require_starttls=context is not None,
            timeout=settings.idle_timeout_seconds,
            loop=asyncio.get_running_loop(),
        )
        # One for each session: aiosmtpd's is one for all of them, which it clears for each new one.
        self.command_size_limits: dict[str, int] = defaultdict(lambda: MAX_COMMAND)
        self.command_size_limit = MAX_COMMAND
        for name in _UNUSED:
            self._smtp_methods.pop(name, None)

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer that was admitted."""
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        super().connection_made(transport)
        assert self._handler_coroutine is not None
        self._handler_coroutine.add_done_callback(_ended)
        self.listener.joined(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone. A mail that has not come completely is not taken; one that has is, and comes again."""
        super().connection_lost(error)
        if self._receiving:
            self.listener.counters.rejected("truncated")
        self.listener.left(self)

    # What the listener calls

    def tick(self, limit: int) -> None:
        """Nothing: a session has a clock of its own, which gives a large mail longer (:meth:`_timeout_cb`)."""

    def drain(self) -> None:
        """Take nothing more, answer what was taken, then leave."""
        self._draining = True
        if not self._submitted:
            self._leave("421 4.3.2 Service shutting down")

    def abort(self) -> None:
        """Leave now; what waits is not answered."""
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()

    # Commands

    async def push(self, status: AnyStr) -> None:
        """Answer, and give way: a peer that pipelines a thousand commands has no more right than the others."""
        if self._mute:
            self._mute = False
            return
        if str(status).startswith("500 Error: command"):  # it says the command again
            await super().push("500 5.5.2 Command not recognized")
        else:
            await super().push(status)
        await asyncio.sleep(0)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        """The handshake (RFC 3207). A new session follows it: nothing of what was said, or sent ahead, in clear is known to it."""
        if arg or self.tls_context is None:
            await self.push("501 Syntax: STARTTLS" if arg else "503 5.5.1 TLS is not offered, or is on")
            return
        if self._draining:
            return
        plain = cast("asyncio.Transport", self.transport)
        plain.write(b"220 2.0.0 Ready to start TLS\r\n")
        self.transport = None  # this session ends here
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self.listener.secure(self, plain)

    async def smtp_VRFY(self, arg: str) -> None:  # noqa: N802
        """Who is known here is nobody's business (RFC 5321 7.3)."""
        await self.push("252 2.5.2 Cannot verify, send a mail")

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """A mail: 250 once it is durable, and not before."""
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if arg or not self.envelope.rcpt_tos:
            await self.push("501 Syntax: DATA" if arg else "503 5.5.1 Need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        body = Body(self.listener.settings.max_message_bytes, _return_path(self.envelope))
        self.envelope = self._create_envelope()  # whatever becomes of this mail, the next one begins anew
        async with AsyncExitStack() as held:
            self._receiving = True
            whole = await self._receive(body, held)
            self._receiving = False
            if body.too_large:
                self.listener.counters.rejected("too-large")
                status = "552 5.3.4 Message too large"
            else:
                status = _said(await self._submit(body.payload()))
        if whole:
            await self.push(status)
        if self._draining or not whole:
            self._leave("421 4.3.2 Service shutting down" if whole else status)

    # Inside

    async def _receive(self, body: Body, held: AsyncExitStack) -> bool:
        """Read a mail to its end; false when it is so far beyond the limit that nobody waits for its end."""
        limit = self.listener.settings.max_message_bytes
        started = self.loop.time()
        ticket = False
        while (after := body.feed(await self._read())) is None:
            if body.size > 2 * limit:
                return False
            if body.size > LARGE and not ticket:
                asked = self.loop.time()
                self._patient = ticket = True
                await held.enter_async_context(self.listener.large)
                self._patient = False
                started += self.loop.time() - asked
            # The idle timeout, and a second more for so many bytes.
            left = started + self._timeout_duration + body.size / MIN_BYTES_PER_SECOND - self.loop.time()
            self._reset_timeout(min(self._timeout_duration, max(left, 0.001)))
        self._reader.feed_data(after)  # in its place: all of the stream was read, and nothing has come since
        return True

    async def _read(self) -> bytes:
        """What has come, or the next that comes."""
        data = await self._reader.read(_ALL)
        if not data:
            raise ConnectionResetError
        return data

    async def _submit(self, payload: bytes) -> Receipt:
        """Hand a mail over and wait for what becomes of it."""
        future: asyncio.Future[Receipt] = self.loop.create_future()

        def done(receipt: Receipt) -> None:
            if not future.done():  # the peer may have left
                future.set_result(receipt)

        self._submitted = True
        try:
            self.listener.pipeline.submit(payload, self.listener.feed, done)
            del payload
            return await future
        finally:
            self._submitted = False
            if self.transport is not None:
                self._reset_timeout()

    def _timeout_cb(self) -> None:
        """The peer let too much time pass, unless it waits for us."""
        if self._submitted or self._patient:
            self._reset_timeout()
            return
        self.listener.counters.idle_closed()
        self._leave("421 4.4.2 Timeout")

    def _leave(self, status: str) -> None:
        """Say a last word and close; a peer that reads nothing is not waited for."""
        transport = cast("asyncio.Transport | None", self.transport)
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            transport.abort()
            return
        transport.write(status.encode() + b"\r\n")
        transport.close()


def _return_path(envelope: Envelope) -> bytes:
    """What only the envelope says: a mail without sender is a notification (RFC 5321 4.4 and 4.5.5), whatever its headers."""
    return b"Return-Path: <>\r\n" if envelope.mail_from == "<>" else b""


def _said(receipt: Receipt) -> str:
    if receipt.positive:
        return "250 2.6.0 Kept"
    if receipt.status == "refused":
        return f"451 4.6.0 Not readable: {receipt.code}"
    return "451 4.3.0 Cannot keep it now, come back later"


def _ended(task: asyncio.Task[None]) -> None:
    """A connection that breaks ends its session with an exception that says nothing new."""
    if not task.cancelled():
        task.exception()
