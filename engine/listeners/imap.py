"""Mailboxes of one account, followed by IMAP (RFC 3501, IDLE of RFC 2177): Sent, a journal, an organisational inbox.

Each mailbox has a connection of its own and is followed for ever (``engine.listeners.mailbox``). Nothing is changed on the server, unless
``mark_seen`` says so. The position (UIDVALIDITY, last UID) is kept on disk behind mails that have their receipt: a restart goes on there,
or a little before it, and the pipeline counts nothing twice.
"""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import structlog
from msgspec import Meta, Struct, field

from engine import secret
from engine.errors import ConfigError
from engine.listeners import imap_positions, positions
from engine.listeners.imap_positions import Book
from engine.listeners.imap_session import Login, Server, Session, connect
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.mailbox import Follower
from engine.parsers import mail
from engine.tls import ClientTlsSettings, client_context

#: The largest mail: what MSSanté operators take (25 MB) in base64, and room.
MAX_SIZE: Final = 64 * 1024 * 1024
#: Connections of one account: servers allow some ten of them.
MAX_MAILBOXES: Final = 8
# At least so many seconds between two writings of the positions.
_EVERY: Final = 0.2
_CONTROL: Final = r"^[^\x00-\x1f\x7f]*$"

_log: Final = structlog.get_logger(__name__)


class ImapSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the mailboxes of one account."""

    host: Annotated[str, Meta(min_length=1, description="The IMAP server, by the name that its certificate has.")]
    transport: Annotated[
        Literal["starttls", "tls", "plain"],
        Meta(description="`starttls`, `tls` from the first byte, or `plain`, to this machine itself only."),
    ] = "starttls"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0: 993 for `tls`, else 143.")] = 0
    tls: Annotated[
        ClientTlsSettings, Meta(description="Whom to believe, and the certificate to show (mutual TLS).")
    ] = field(default_factory=ClientTlsSettings)
    user: Annotated[
        str,
        Meta(
            pattern=_CONTROL,
            description="Login of the account. Empty: the client certificate says who it is (AUTHENTICATE EXTERNAL).",
        ),
    ] = ""
    password_file: Annotated[
        Path | None,
        Meta(
            description="File with the password on its first line, mode 0600; read again at each connection. Empty, and no `token_file`: "
            "the client certificate is enough (AUTHENTICATE EXTERNAL).",
            extra={"exists": "file"},
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        Meta(
            description="File with an access token on its first line, mode 0600, in place of a password (XOAUTH2); read again at each "
            "connection: something else must renew it.",
            extra={"exists": "file"},
        ),
    ] = None
    mailboxes: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=255, pattern=_CONTROL)], ...],
        Meta(
            min_length=1,
            max_length=MAX_MAILBOXES,
            description="Mailboxes to follow, by the names that the server has for them (`[INBOX, Sent]`, `[INBOX/Journal]`).",
        ),
    ] = ("INBOX",)
    state: Annotated[
        Path,
        Meta(
            description="Folder where the position in each mailbox is kept (made if it is not there). On a local disk."
        ),
    ]
    since_days: Annotated[
        Annotated[int, Meta(ge=0, le=36_500)] | None,
        Meta(
            description="How much of the past is read the very first time, in days of arrival; 0: only what comes. Empty: everything."
        ),
    ] = None
    mark_seen: Annotated[
        bool,
        Meta(description="Hold each mail as read on the server once it is taken. Else no flag of any mail is changed."),
    ] = False
    idle_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=1740,
            description="How long one IDLE lasts; after it the mailbox is looked at in any case. Less than what cuts silent "
            "connections on the way, and than 29 minutes.",
        ),
    ] = 300.0
    poll_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="Time between two looks, where the server has no IDLE.")
    ] = 30.0
    timeout_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=600,
            description="Longest wait for one answer of the server; a second more for each 64 kB of a mail.",
        ),
    ] = 30.0
    reconnect_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="Longest pause before connecting again (the first one is half a second), and every pause after a refused login.",
        ),
    ] = 60.0
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=2_147_483_647,
            description="A larger mail is not fetched: it is refused (too-large) and passed over.",
        ),
    ] = MAX_SIZE

    def __post_init__(self) -> None:
        """What the settings say together."""
        if self.transport == "plain" and not _loopback(self.host):
            raise ValueError("transport: plain is for this machine only (127.0.0.1): choose starttls or tls")
        if self.password_file is not None and self.token_file is not None:
            raise ValueError("give password_file or token_file, not both")
        if self.password_file is None and self.token_file is None:
            if self.tls.certificate is None or self.transport == "plain":
                raise ValueError(
                    "nothing says who reads the mail: give password_file, token_file, or a certificate in tls"
                )
        elif not self.user:
            raise ValueError("a password or a token needs its user")
        if len(set(self.mailboxes)) != len(self.mailboxes):
            raise ValueError("a mailbox is named twice in mailboxes")


def account(settings: ImapSettings) -> tuple[Server, Login]:
    """Where to connect and as whom, from the files as they are now. Raises :class:`ConfigError`."""
    server = Server(
        host=settings.host,
        port=settings.port or (993 if settings.transport == "tls" else 143),
        transport=settings.transport,
        context=None if settings.transport == "plain" else client_context(settings.tls),
        timeout_seconds=settings.timeout_seconds,
        poll_seconds=settings.poll_seconds,
        max_message_bytes=settings.max_message_bytes,
    )
    login = Login(
        user=settings.user,
        password=secret.read(settings.password_file) if settings.password_file else "",
        token=secret.read(settings.token_file) if settings.token_file else "",
    )
    return server, login


def problems(settings: ImapSettings) -> list[ConfigError]:
    """Everything that is wrong in the files that the settings name."""
    found: list[ConfigError] = []
    try:
        client_context(settings.tls)
    except ConfigError as error:
        found.append(error)
    for path in (settings.password_file, settings.token_file):
        if path is not None:
            try:
                secret.read(path)
            except ConfigError as error:
                found.append(error)
    return found


class ImapListener:
    """The mailboxes of one account."""

    def __init__(self, feed: str, settings: ImapSettings, pipeline: Pipeline, counters: Counters) -> None:
        self.feed = feed
        self.settings = settings
        self.pipeline = pipeline
        self.counters = counters
        self._file = settings.state / f"{feed}.json"
        self._book: Book = imap_positions.new()
        self._account: tuple[Server, Login] | None = None
        self._followers: list[Follower] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._saver: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._stopping = False

    async def start(self) -> None:
        """Begin to follow. Raises :class:`ConfigError` when a file is wrong or the positions cannot be kept; a server may be away."""
        await asyncio.to_thread(self._prepare)
        self._stopping = False
        settings = self.settings
        self._followers = [
            Follower(
                self.feed,
                self._book.mark(settings.user, mailbox),
                self.pipeline,
                self.counters,
                self._connect,
                self._moved.set,
                max_message_bytes=settings.max_message_bytes,
                idle_seconds=settings.idle_seconds,
                reconnect_seconds=settings.reconnect_seconds,
                since_days=settings.since_days,
                mark_seen=settings.mark_seen,
            )
            for mailbox in settings.mailboxes
        ]
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(follower.run()) for follower in self._followers]
        self._saver = loop.create_task(self._keep())

    async def stop(self) -> None:
        """Read nothing more, wait for the receipts of what was handed over, keep the positions, leave the server."""
        for follower in self._followers:
            follower.stop()
        await asyncio.gather(*self._tasks)
        self._stopping = True
        self._moved.set()
        if self._saver is not None:
            await self._saver
        self._followers, self._tasks, self._saver = [], [], None

    def _prepare(self) -> None:
        """Read the files and the positions; make their folder."""
        self._account = account(self.settings)
        state = self.settings.state
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._book = imap_positions.load(self._file) or imap_positions.new()
            self._save()  # it can be written now: say otherwise at once
        except positions.DamagedBookError:
            # Reading from the start again counts nothing twice.
            _log.warning("positions-damaged", feed=self.feed)
            self._book = imap_positions.new()
        except OSError as error:
            reason = (error.strerror or "it cannot be used").lower()
            raise ConfigError(
                str(state), 0, f"the positions cannot be kept here: {reason}", "let the engine write in it"
            ) from None

    async def _connect(self) -> Session:
        """A session that is logged in, with the files as they are now."""
        try:
            self._account = await asyncio.to_thread(account, self.settings)
        except ConfigError:
            # Those of before hold: a file in the middle of being written must not lock the account.
            _log.error("mail-account-files-unusable", feed=self.feed)
        assert self._account is not None
        return await connect(*self._account)

    def _save(self) -> None:
        positions.save(self._file, msgspec.json.encode(self._book))

    async def _keep(self) -> None:
        """Write the positions whenever they moved, not too often, and at the end."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            data = msgspec.json.encode(self._book)
            try:
                await asyncio.to_thread(positions.save, self._file, data)
            except OSError as error:
                # What was read is counted; a restart reads it again, and counts nothing twice.
                _log.error("positions-not-saved", feed=self.feed, error=error)
            if self._stopping:
                return
            await asyncio.sleep(_EVERY)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


register(
    Declaration(
        name="imap",
        settings=ImapSettings,
        emits="every mail of the mailboxes (RFC 5322), one mail one message",
        acknowledges="none: the position in the mailbox moves behind the mails that are on disk (with mark_seen they are seen then)",
        make=ImapListener,
        parse=lambda settings: mail.parse,
        problems=problems,
        archive="mail",
        mail=True,
    )
)
