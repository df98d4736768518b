"""TLS: the settings of both sides, and their contexts from the files that they name.

TLS 1.2 at least (ANSSI, "Recommandations de sécurité relatives à TLS", R3). With ``client_ca`` the peer must show a
certificate of that authority (mutual TLS, the ATNA way: IHE ITI TF-2 3.19).
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from engine.errors import ConfigError


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
            description="Mutual TLS: who connects must show a certificate of this authority, PEM. Empty: none is asked for.",
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


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except FileNotFoundError:
        message, mend = "this file does not exist", "check the path in the tls settings"
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
