"""SMTP journal (RFC 5321): takes the copies of the outgoing mail that the hospital's mail server sends to the journal's address.

A mail is answered 250 only once it is durable; until then its sender keeps it. Nothing is relayed: any address but the journal's is
refused. One session is in ``engine.listeners.smtp_session``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Annotated, Final, Literal, cast

from msgspec import Meta, Struct

from engine.errors import ConfigError
from engine.listeners.listener import Counters, Declaration, Pipeline, register
from engine.listeners.peers import Peers
from engine.listeners.server import Server
from engine.listeners.smtp_session import Hooks, Session
from engine.listeners.tls import Gate
from engine.parsers import mail
from engine.tls import TlsSettings

#: Bytes of the largest mail: those of the MSSanté operators are smaller (10 to 25 MB, RFC 5322 and base64 included).
MAX_SIZE: Final = 64 * 1024 * 1024
#: Sessions that may be in the middle of a large mail at a time, until it is answered; the others wait for their turn.
MAX_LARGE: Final = 8
#: How long a peer that is not let in may take to read why.
_FAREWELL_SECONDS: Final = 2.0

CODES: Final[dict[str, str]] = {
    "smtp-recipient": "A mail for another address than the journal's (recipients) was refused: nothing is relayed. See which address the mail "
    "server sends its copies to.",
    "smtp-rate": "A mail was refused for now (450): its sender gave more than messages_per_minute. It sends it again.",
}


class SmtpSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one SMTP journal."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="Address to listen on; 0.0.0.0 for every address of the machine, which needs `networks` or mutual TLS.",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 lets the system choose a free one.")] = 2525
    recipients: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    pattern=r"^[^@\s<>]{1,64}@[^@\s<>]{1,255}$", extra={"hint": "an address, as journal@jauge.example"}
                ),
            ],
            ...,
        ],
        Meta(
            min_length=1,
            description="The addresses of the journal: mail for any other is refused (550), nothing is relayed.",
        ),
    ]
    transport: Annotated[
        Literal["plain", "starttls", "tls"],
        Meta(
            description="`starttls`: TLS must be asked for before any mail. `tls`: TLS from the first byte (often called SMTPS). `plain` on "
            "this machine only: mail names patients."
        ),
    ] = "plain"
    tls: Annotated[
        TlsSettings | None,
        Meta(description="TLS, mutual with `client_ca`. For `transport: starttls` and `tls`."),
    ] = None
    networks: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks that senders may connect from, as `10.1.2.0/24` or one address. Empty: anybody who reaches it."
        ),
    ] = ()
    hostname: Annotated[
        str,
        Meta(
            max_length=255,
            pattern=r"^[A-Za-z0-9.-]*$",
            description="Name that is shown to senders. Empty: the machine's.",
        ),
    ] = ""
    max_message_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=2_147_483_647,
            description="A larger mail is refused (552), without keeping it in memory. Not less than the mail server's own limit: what is "
            "refused here may come back to its author.",
        ),
    ] = MAX_SIZE
    max_recipients: Annotated[int, Meta(ge=1, le=10_000, description="Recipients of one mail (452 beyond).")] = 100
    max_connections: Annotated[
        int, Meta(ge=1, le=10_000, description="Connections at a time; more are told to come back (421).")
    ] = 64
    max_connections_per_peer: Annotated[
        int, Meta(ge=1, le=10_000, description="The same for one address; Postfix uses 20.")
    ] = 32
    messages_per_minute: Annotated[
        int,
        Meta(
            ge=0,
            description="Mails of one sender's address in a minute; more are told to come back later (450). A mail server that was cut off "
            "sends everything at once. 0: any number.",
        ),
    ] = 6000
    idle_timeout_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="A connection is closed when its sender says nothing for so long, or when a mail takes longer than that and a "
            "second more for each kilobyte.",
        ),
    ] = 300.0

    def __post_init__(self) -> None:
        """Certificates and transport belong together, and not everybody may give mail."""
        if self.transport != "plain" and self.tls is None:
            raise ValueError(f"transport {self.transport} needs the settings tls (certificate, key, client_ca)")
        if self.transport == "plain" and self.tls is not None:
            raise ValueError("the settings tls are for transport starttls or tls, not plain")
        for network in self.networks:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise ValueError("networks holds what is no network: write it as 10.1.2.0/24 or 10.1.2.3") from None


class SmtpListener(Server[SmtpSettings, Session]):
    """One listening socket and its sessions."""

    def __init__(self, feed: str, settings: SmtpSettings, pipeline: Pipeline, counters: Counters) -> None:
        super().__init__(feed, settings, counters)
        self.pipeline = pipeline
        self.hooks = Hooks()
        self.hostname = settings.hostname or socket.gethostname()
        self.recipients = frozenset(address.lower() for address in settings.recipients)
        self.large = asyncio.Semaphore(MAX_LARGE)
        self.peers = Peers(
            settings.networks,
            connections=settings.max_connections,
            each=settings.max_connections_per_peer,
            per_minute=settings.messages_per_minute,
        )

    async def start(self) -> None:
        """Listen. Raises :class:`ConfigError` when the address, the port or the certificate cannot be used."""
        settings = self.settings
        mutual = settings.tls is not None and settings.tls.client_ca is not None
        if not settings.networks and not mutual and not _loopback(settings.host):
            raise ConfigError(
                f"feed {self.feed}",
                0,
                f"anybody who reaches {settings.host} could give mail",
                "set networks or tls.client_ca, or listen on 127.0.0.1",
            )
        await super().start()

    # What sessions call

    def left(self, connection: Session) -> None:
        """A session is over."""
        if connection in self._connections:
            self.peers.release(connection.host)
            self._forget(connection)

    def secure(self, session: Session, plain: asyncio.Transport) -> None:
        """A session asked for TLS: after the handshake another one takes its place, and its right to be here."""
        self._forget(session)
        gate = self._gate(session.host, lambda: True, former=session)
        plain.set_protocol(gate)
        gate.connection_made(plain)

    def welcome(self, host: str) -> asyncio.Protocol | bytes:
        """Who takes a new connection of this peer over; or why nobody does."""
        if not self.peers.known(host):
            return b"554 5.7.1 This address may not send here\r\n"
        if self.settings.transport == "tls":
            return self._gate(host, lambda: self._open and self.peers.admit(host))
        if not self._open or not self.peers.admit(host):
            return b"421 4.7.0 Too many connections, come back later\r\n"
        return Session(self, host, self._context)

    # Inside

    def _protocol(self) -> asyncio.Protocol:
        return _Door(self)

    def _gate(self, host: str, admit: Callable[[], bool], former: Session | None = None) -> Gate:
        assert self._context is not None
        return Gate(
            self._context,
            lambda: Session(self, host, former=former),
            admit,
            lambda: self.peers.release(host),
            self.counters,
            self._handshakes,
        )


class _Door(asyncio.Protocol):
    """A new connection, until it is known who is there."""

    def __init__(self, listener: SmtpListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast("asyncio.Transport", transport)
        peer = plain.get_extra_info("peername")
        found = self._listener.welcome(str(peer[0]) if peer else "")
        if not isinstance(found, bytes):
            plain.set_protocol(found)
            found.connection_made(plain)
            return
        self._listener.counters.turned_away()
        if self._listener.settings.transport == "tls":
            plain.abort()
            return
        # Closing on what the peer has said meanwhile would destroy the answer.
        plain.write(found)
        plain.write_eof()
        asyncio.get_running_loop().call_later(_FAREWELL_SECONDS, plain.abort)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


register(
    Declaration(
        name="smtp",
        settings=SmtpSettings,
        emits="RFC 5322 mail",
        acknowledges="SMTP reply: 250 taken, 451 refused or not now (its sender keeps it), 552 too large",
        make=SmtpListener,
        archive="mail",
        parse=lambda settings: mail.parse,
        mail=True,
    )
)
