"""TLS for listeners: the contexts from their files, and the handshake of one connection that comes in.

TLS 1.2 at least (ANSSI, "Recommandations de sécurité relatives à TLS", R3). With ``client_ca`` the peer must show a
certificate of that authority (mutual TLS, the ATNA way: IHE ITI TF-2 3.19).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, cast

from msgspec import Meta, Struct

from engine.errors import ConfigError
from engine.listeners.listener import Counters

#: A handshake takes two round trips; ten seconds is a peer that does not speak TLS, or does not mean to.
HANDSHAKE_SECONDS: Final = 10.0
#: How long a peer may take to say goodbye.
SHUTDOWN_SECONDS: Final = 2.0


class TlsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Files in PEM: the server's certificate, its key, and who may connect."""

    certificate: Annotated[
        Path, Meta(description="Certificate of this server and its chain, PEM.", extra={"exists": "file"})
    ]
    key: Annotated[
        Path, Meta(description="Key of the certificate, PEM, without password, mode 0400.", extra={"exists": "file"})
    ]
    client_ca: Annotated[
        Path | None,
        Meta(
            description="Mutual TLS: a sender must show a certificate of this authority, PEM. Empty: anybody may send.",
            extra={"exists": "file"},
        ),
    ] = None


class ClientTlsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Files in PEM of a connection that goes out: whom to believe, and who we are. The server's name is always checked."""

    ca: Annotated[
        Path | None,
        Meta(
            description="Authority that signed the server's certificate (IGC-Santé), PEM. Empty: the authorities of this machine.",
            extra={"exists": "file"},
        ),
    ] = None
    certificate: Annotated[
        Path | None,
        Meta(
            description="Mutual TLS: the certificate to show (IGC-Santé, organisation, AUTH_CLI) and its chain, PEM.",
            extra={"exists": "file"},
        ),
    ] = None
    key: Annotated[
        Path | None,
        Meta(description="Key of that certificate, PEM, without password, mode 0400.", extra={"exists": "file"}),
    ] = None

    def __post_init__(self) -> None:
        """A certificate and its key come together."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("tls needs certificate and key, or neither of them")


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of a server; raises :class:`ConfigError` that names the file which is wrong."""
    for name in (settings.certificate, settings.key, settings.client_ca):
        if name is not None:
            _readable(name)
    context = _secured(ssl.PROTOCOL_TLS_SERVER)
    _identify(context, settings.certificate, settings.key)
    if settings.client_ca is not None:
        _believe(context, settings.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(settings: ClientTlsSettings) -> ssl.SSLContext:
    """The context of a connection that goes out; raises :class:`ConfigError` that names the file which is wrong."""
    for name in (settings.ca, settings.certificate, settings.key):
        if name is not None:
            _readable(name)
    context = _secured(ssl.PROTOCOL_TLS_CLIENT)  # checks the certificate and the name
    if settings.ca is None:
        context.load_default_certs()
    else:
        _believe(context, settings.ca)
    if settings.certificate is not None and settings.key is not None:
        _identify(context, settings.certificate, settings.key)
    return context


def _secured(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _identify(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load who we are."""
    try:
        # Without a password callback OpenSSL would ask on the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except _PasswordWantedError:
        message, mend = "this key is protected by a password", "give a key without one, mode 0400"
        raise ConfigError(str(key), 0, message, mend) from None
    except ssl.SSLError as error:
        raise _explain(certificate, key, error) from None


def _believe(context: ssl.SSLContext, authority: Path) -> None:
    """Load who signs the other side's certificate."""
    try:
        context.load_verify_locations(authority)
    except ssl.SSLError:
        raise ConfigError(
            str(authority), 0, "this is not a PEM certificate", "give the authority's certificate in PEM"
        ) from None


class Gate(asyncio.Protocol):
    """The plain side of one TLS connection until the handshake is done; then ``make()`` takes its place.

    asyncio's own TLS servers say nothing of handshakes that fail and let them escape the connection cap; this does not.
    ``admit()`` says whether one more connection may come in, ``release()`` that one which was admitted is gone before it
    became a connection.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.Protocol],
        admit: Callable[[], bool],
        release: Callable[[], None],
        counters: Counters,
        handshakes: set[asyncio.Task[None]],
    ) -> None:
        self._context = context
        self._make = make
        self._admit = admit
        self._release = release
        self._counters = counters
        self._handshakes = handshakes
        self._early: list[bytes] = []
        self._lost = False
        self._ended = False
        self._successor: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake, unless there are too many connections."""
        plain = cast("asyncio.Transport", transport)
        if not self._admit():
            self._counters.turned_away()
            plain.abort()
            return
        # The first bytes of the handshake must wait for whoever reads them.
        plain.pause_reading()
        task = asyncio.get_running_loop().create_task(self._shake(plain))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    def data_received(self, data: bytes) -> None:
        """Deciphered bytes that came with the end of the handshake."""
        self._early.append(data)

    def eof_received(self) -> None:
        """The peer said goodbye right after the handshake."""
        self._ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone; asyncio may have bound this method just before the successor took over."""
        self._lost = True
        if self._successor is not None:
            self._successor.connection_lost(exc)

    async def _shake(self, plain: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            secure = await loop.start_tls(
                plain,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except (OSError, TimeoutError):
            secure = None
        except asyncio.CancelledError:
            plain.abort()
            self._release()
            return
        if secure is None or self._lost:
            # Also None: the peer left in the middle, which asyncio does not report as an error.
            if secure is None:
                self._counters.tls_failed()
            plain.abort()
            self._release()
            return
        protocol = self._successor = self._make()
        secure.set_protocol(protocol)
        protocol.connection_made(secure)
        for data in self._early:
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except FileNotFoundError:
        message, mend = "this file does not exist", "check the path in the feed's tls settings"
    except IsADirectoryError:
        message, mend = "this is a folder, not a file", "give the PEM file itself"
    except PermissionError:
        message, mend = "this file may not be read", "let the engine's account read it"
    raise ConfigError(str(path), 0, message, mend)


class _PasswordWantedError(Exception):
    """OpenSSL asks for a password."""


def _no_password() -> str:
    raise _PasswordWantedError


def _explain(certificate: Path, key: Path, error: ssl.SSLError) -> ConfigError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return ConfigError(
            str(key), 0, "this key is not the certificate's", "give the key the certificate was made for"
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except ssl.SSLError:
        return ConfigError(str(certificate), 0, "this is not a PEM certificate", "convert it to PEM")
    return ConfigError(str(key), 0, "this is not a PEM private key", "convert it to PEM")
