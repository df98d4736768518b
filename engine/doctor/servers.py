"""The servers that the engine connects to: mail servers, the receiver behind a relay. Greeted, over TLS, and left at once."""

from __future__ import annotations

import base64
import imaplib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from engine import secret
from engine.config import Config
from engine.doctor.finding import Finding, Findings
from engine.doctor.site import Site
from engine.errors import ConfigError
from engine.tls import ClientTlsSettings, client_context

CODES: Final = {
    "server-unknown": "The name of the server is not known here: correct host, or look at the name service (DNS).",
    "server-refuses": "Nothing listens there: correct host and port, or start the server.",
    "server-silent": "The server does not answer: most often a firewall on the way.",
    "server-certificate": "The certificate of the server is not believed: wrong name, wrong authority, or expired.",
    "server-tls": "The TLS handshake failed: is the port one of TLS, does the server want our certificate?",
    "server-odd": "What answers is not the server that was meant, or it offers no STARTTLS: check port and transport.",
    "server-login": "The server refused the login: check user and the password, the token or the certificate.",
}
_SECONDS: Final = 10.0
_TAKEN: Final = 235  # RFC 4954


class Server(Struct, frozen=True):
    """One server: its place in the configuration, what it speaks, and how to be known to it."""

    place: str
    speaks: str  # imap, smtp or tcp
    host: str
    port: int
    transport: str  # starttls, tls or plain
    tls: ClientTlsSettings | None
    user: str = ""
    password_file: Path | None = None
    token_file: Path | None = None


def servers_of(config: Config) -> Iterator[Server]:
    """Every server that the configuration names."""
    for feed in config.feeds:
        settings: Any = feed.settings
        place = f"feeds.{feed.name}"
        if feed.listener == "imap":
            port = settings.port or (993 if settings.transport == "tls" else 143)
            yield Server(
                place,
                "imap",
                settings.host,
                port,
                settings.transport,
                settings.tls,
                settings.user,
                settings.password_file,
                settings.token_file,
            )
        elif hasattr(settings, "target_host"):
            tls = settings.target_tls
            yield Server(place, "tcp", settings.target_host, settings.target_port, "tls" if tls else "plain", tls)
    for sender in config.ps41.senders:
        place = f"ps41.{sender.establishment}"
        for speaks, one in (("smtp", sender.smtp), ("imap", sender.imap)):
            if one is not None:
                yield Server(
                    f"{place}.{speaks}",
                    speaks,
                    one.host,
                    one.port,
                    one.transport,
                    one.tls,
                    one.user,
                    one.password_file,
                )


def servers(site: Site, *, login: bool = False) -> list[Finding]:
    """Each server is greeted; with ``login`` the account is tried too. No message is read or sent."""
    found = Findings("servers")
    for server in servers_of(site.config):
        _server(found, server, login=login)
    return found.all


def _server(found: Findings, server: Server, *, login: bool) -> None:
    place, shown = server.place, f"{server.host}:{server.port}"
    try:
        context = None if server.transport == "plain" else client_context(server.tls or ClientTlsSettings())
    except ConfigError:
        return  # told with the certificates
    try:
        said = {"imap": _imap, "smtp": _smtp, "tcp": _tcp}[server.speaks](server, context, login=login)
    except socket.gaierror:
        found.problem(
            place, "server-unknown", f"{server.host}: this name is not known here", "correct host, or the DNS"
        )
    except ConnectionRefusedError:
        do = "correct host and port, or start the server"
        found.problem(place, "server-refuses", f"{shown}: nothing listens there", do)
    except TimeoutError:
        found.problem(
            place, "server-silent", f"{shown}: no answer in {_SECONDS:.0f} s", "look at the firewalls on the way"
        )
    except ssl.SSLCertVerificationError as error:
        what = f"{shown}: its certificate is not believed: {error.verify_message}"
        found.problem(place, "server-certificate", what, "give its authority in tls.ca, and its own name as host")
    except ssl.SSLError:
        do = "check port and transport; does it want our certificate (tls.certificate)?"
        found.problem(place, "server-tls", f"{shown}: the TLS handshake failed", do)
    except _LoginError:
        do = "check user, and the file of the password or of the token"
        found.problem(place, "server-login", f"{shown}: the login was refused", do)
    except ConfigError as error:
        found.problem(place, "server-login", f"{error.file}: {error.message}", error.mend)
    except (OSError, smtplib.SMTPException, imaplib.IMAP4.error):
        do = f"is it a server of {server.speaks.upper()}? check port and transport"
        found.problem(place, "server-odd", f"{shown}: does not answer as it should", do)
    else:
        found.ok(place, f"{shown} {said}")


class _LoginError(Exception):
    """The login was refused."""


def _tcp(server: Server, context: ssl.SSLContext | None, *, login: bool) -> str:
    with socket.create_connection((server.host, server.port), _SECONDS) as plain:
        if context is None:
            return "is reached"
        with context.wrap_socket(plain, server_hostname=server.host) as secure:
            return f"is reached ({secure.version()})"


def _smtp(server: Server, context: ssl.SSLContext | None, *, login: bool) -> str:
    client: smtplib.SMTP
    if server.transport == "tls":
        client = smtplib.SMTP_SSL(server.host, server.port, timeout=_SECONDS, context=context)
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
    with client:
        if server.transport == "starttls":
            client.starttls(context=context)
        client.ehlo_or_helo_if_needed()
        if login and server.user and server.password_file is not None:
            code, _ = client.docmd("AUTH", "PLAIN " + base64.b64encode(_plain(server)).decode())
            if code != _TAKEN:
                raise _LoginError
            return "greets, and takes the login"
    return "greets"


def _plain(server: Server) -> bytes:
    """User and password, as SASL's PLAIN has them (RFC 4616)."""
    assert server.password_file is not None
    return f"\0{server.user}\0{secret.read(server.password_file)}".encode()


def _imap(server: Server, context: ssl.SSLContext | None, *, login: bool) -> str:
    client: imaplib.IMAP4
    if server.transport == "tls":
        client = imaplib.IMAP4_SSL(server.host, server.port, ssl_context=context, timeout=_SECONDS)
    else:
        client = imaplib.IMAP4(server.host, server.port, timeout=_SECONDS)
    try:
        if server.transport == "starttls":
            client.starttls(context)
        if login:
            _imap_login(client, server)
            return "greets, and takes the login"
    finally:
        with suppress(OSError, imaplib.IMAP4.error):  # a connection that is broken already
            client.logout()
        with suppress(OSError):
            client.shutdown()
    return "greets"


def _imap_login(client: imaplib.IMAP4, server: Server) -> None:
    try:
        if server.token_file is not None:
            token = f"user={server.user}\1auth=Bearer {secret.read(server.token_file)}\1\1".encode()
            client.authenticate("XOAUTH2", lambda _: token)
        elif server.password_file is not None:
            client.authenticate("PLAIN", lambda _: _plain(server))
        else:
            client.authenticate("EXTERNAL", lambda _: server.user.encode())
    except imaplib.IMAP4.error:
        raise _LoginError from None
